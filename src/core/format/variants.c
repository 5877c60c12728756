/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of variants. Sources: the kernel's arch/um/drivers/cow_user.c (union cow_header) for v1 to v3,
 * with the 64-bit forms as compilers laid out the same structs there; QEMU's block/cow.c (struct
 * cow_header_v2) for the two QEMU layouts. share/doc/format.md tells the story.
 */
#include "core/format/variants.h"

#define MAGIC_V1                                                                                             \
    {                                                                                                        \
        'M', 'O', 'O', 'O', 1, 0, 0, 0                                                                       \
    }
#define MAGIC(v)                                                                                             \
    {                                                                                                        \
        'O', 'O', 'O', 'M', 0, 0, 0, (v)                                                                     \
    }
#define MAGIC_LONG2                                                                                          \
    {                                                                                                        \
        'O', 'O', 'O', 'M', 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0                                               \
    }

/* clang-format off */
const struct variant variants[COW_FORMATS] = {
    [COW_FORMAT_V1] = {
        .name = "uml-cow-v1", .title = "UML COW v1",
        .magic = MAGIC_V1, .magic_bytes = 8, .version = 1, .big_endian = false,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {4, 4},
        .path = {8, 256}, .mtime = {264, 4}, .size = {268, 8}, .sector = {276, 4}, .header_bytes = 280},
    [COW_FORMAT_V1_64] = {
        .name = "uml-cow-v1-64", .title = "UML COW v1 (64-bit host)",
        .magic = MAGIC_V1, .magic_bytes = 8, .version = 1, .big_endian = false,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {4, 4},
        .path = {8, 256}, .mtime = {264, 8}, .size = {272, 8}, .sector = {280, 4}, .header_bytes = 288},
    [COW_FORMAT_V1_BE] = {
        .name = "uml-cow-v1-be", .title = "UML COW v1 (big-endian host)",
        .magic = MAGIC(1), .magic_bytes = 8, .version = 1, .big_endian = true,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {4, 4},
        .path = {8, 256}, .mtime = {264, 4}, .size = {268, 8}, .sector = {276, 4}, .header_bytes = 280},
    [COW_FORMAT_V1_BE_64] = {
        .name = "uml-cow-v1-be-64", .title = "UML COW v1 (64-bit big-endian host)",
        .magic = MAGIC(1), .magic_bytes = 8, .version = 1, .big_endian = true,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {4, 4},
        .path = {8, 256}, .mtime = {264, 8}, .size = {272, 8}, .sector = {280, 4}, .header_bytes = 288},
    [COW_FORMAT_V2] = {
        .name = "uml-cow-v2", .title = "UML COW v2",
        .magic = MAGIC(2), .magic_bytes = 8, .version = 2, .big_endian = true,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {4, 4},
        .path = {8, 4096}, .mtime = {4104, 4}, .size = {4108, 8}, .sector = {4116, 4}, .header_bytes = 4120},
    [COW_FORMAT_V2_64] = {
        .name = "uml-cow-v2-64", .title = "UML COW v2 (64-bit host)",
        .magic = MAGIC(2), .magic_bytes = 8, .version = 2, .big_endian = true,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {4, 4},
        .path = {8, 4096}, .mtime = {4104, 4}, .size = {4112, 8}, .sector = {4120, 4}, .header_bytes = 4128},
    [COW_FORMAT_V2_LONG] = {
        .name = "uml-cow-v2-long", .title = "UML COW v2 (64-bit host, long magic)",
        .magic = MAGIC_LONG2, .magic_bytes = 16, .version = 2, .big_endian = true,
        .geometry = GEOMETRY_TRUNCATED, .version_field = {8, 8},
        .path = {16, 4096}, .mtime = {4112, 4}, .size = {4120, 8}, .sector = {4128, 4}, .header_bytes = 4136},
    [COW_FORMAT_V3] = {
        .name = "uml-cow-v3", .title = "UML COW v3",
        .magic = MAGIC(3), .magic_bytes = 8, .version = 3, .big_endian = true,
        .geometry = GEOMETRY_ALIGNED, .version_field = {4, 4},
        .path = {32, 4096}, .mtime = {8, 4}, .size = {12, 8}, .sector = {20, 4},
        .alignment = {24, 4}, .cow_format = {28, 4}, .header_bytes = 4128},
    [COW_FORMAT_V3_64] = {
        .name = "uml-cow-v3-64", .title = "UML COW v3 (broken 64-bit layout)",
        .magic = MAGIC(3), .magic_bytes = 8, .version = 3, .big_endian = true,
        .geometry = GEOMETRY_ALIGNED, .version_field = {4, 4},
        .path = {36, 4096}, .mtime = {8, 4}, .size = {16, 8}, .sector = {24, 4},
        .alignment = {28, 4}, .cow_format = {32, 4}, .header_bytes = 4136},
    [COW_FORMAT_QEMU] = {
        .name = "qemu-cow", .title = "QEMU COW",
        .magic = MAGIC(2), .magic_bytes = 8, .version = 2, .big_endian = true,
        .geometry = GEOMETRY_QEMU, .version_field = {4, 4},
        .path = {8, 1024}, .mtime = {1032, 4}, .size = {1040, 8}, .sector = {1048, 4}, .header_bytes = 1056},
    [COW_FORMAT_QEMU_I386] = {
        .name = "qemu-cow-i386", .title = "QEMU COW (i386)",
        .magic = MAGIC(2), .magic_bytes = 8, .version = 2, .big_endian = true,
        .geometry = GEOMETRY_QEMU, .version_field = {4, 4},
        .path = {8, 1024}, .mtime = {1032, 4}, .size = {1036, 8}, .sector = {1044, 4}, .header_bytes = 1048},
};
/* clang-format on */

const char *cow_format_name(enum cow_format format)
{
    return format == COW_FORMAT_RAW ? "raw" : variants[format].name;
}

const char *cow_format_title(enum cow_format format)
{
    return format == COW_FORMAT_RAW ? "raw disk" : variants[format].title;
}

static int by_offset(const struct cow_field *a, const struct cow_field *b)
{
    return a->offset_bytes < b->offset_bytes ? -1 : a->offset_bytes > b->offset_bytes;
}

size_t cow_format_fields(struct cow_field *out, enum cow_format format)
{
    if (format == COW_FORMAT_RAW) {
        return 0;
    }
    const struct variant *v = &variants[format];
    const struct {
        const char *name;
        struct span span;
    } all[] = {{"magic", {0, 4}},
               {"version", v->version_field},
               {"mtime", v->mtime},
               {"size", v->size},
               {"sector size", v->sector},
               {"alignment", v->alignment},
               {"cow format", v->cow_format},
               {"backing path", v->path}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].span.width_bytes == 0) {
            continue;
        }
        struct cow_field field = {all[i].name, all[i].span.offset_bytes, all[i].span.width_bytes};
        size_t at = n++;
        for (; at > 0 && by_offset(&field, &out[at - 1]) < 0; at--) {
            out[at] = out[at - 1];
        }
        out[at] = field;
    }
    return n;
}
