/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * read_cow_header() of the kernel, retold from its behaviour; measured with UML 6.1 on every sample.
 */
#include "core/format/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/format/variants.h"
#include "cow/text.h"

static void read_fields(struct kernel_header *out, const uint8_t *bytes, const struct variant *v)
{
    size_t path_bytes = strnlen((const char *)bytes + v->path.offset_bytes, v->path.width_bytes);
    memcpy(out->backing_path, bytes + v->path.offset_bytes, path_bytes);
    out->backing_path[path_bytes] = '\0';
    out->size_bytes = bytes_get(bytes + v->size.offset_bytes, v->size.width_bytes, v->big_endian);
    out->sector_bytes =
        (uint32_t)bytes_get(bytes + v->sector.offset_bytes, v->sector.width_bytes, v->big_endian);
    /* Unsigned in every version: measured, v1 and v2 with dates after 2038 open. */
    out->mtime = (int64_t)bytes_get(bytes + v->mtime.offset_bytes, v->mtime.width_bytes, v->big_endian);
    if (v->alignment.width_bytes != 0) {
        out->alignment =
            (uint32_t)bytes_get(bytes + v->alignment.offset_bytes, v->alignment.width_bytes, v->big_endian);
    }
}

/* cow_sizes(): the kernel takes 512-byte sectors whatever the header says, once the disk runs; the offsets go
 * by the header's sector size, which is why other sizes are misread. */
static void read_offsets(struct kernel_header *out, const struct variant *v)
{
    uint64_t sector_bytes = out->sector_bytes;
    uint64_t sectors = sector_bytes == 0 ? 0 : arith_div_up(out->size_bytes, sector_bytes);
    uint64_t unit = v->version == 3 ? out->alignment : sector_bytes;
    uint64_t bitmap_bytes = v->version == 3 ? arith_div_up(sectors, 8) : sectors / 8;
    out->bitmap_offset = v->header_bytes;
    if (unit == 0 || (v->version == 3 && !arith_round_up(&out->bitmap_offset, v->header_bytes, unit)) ||
        !arith_round_up(&out->data_offset, out->bitmap_offset + bitmap_bytes, unit)) {
        out->data_offset = UINT64_MAX;
    }
}

static const struct variant *choose(struct kernel_header *out, const uint8_t *bytes, size_t n_bytes)
{
    bool swapped = memcmp(bytes, "OOOM", 4) == 0;
    if (!swapped && memcmp(bytes, "MOOO", 4) != 0) {
        out->refusal = "not a COW header";
        return NULL;
    }
    uint64_t version = bytes_get(bytes + 4, 4, swapped);
    out->version = (unsigned)version;
    if (version == 1) { /* its fields are taken in the host's order even where the magic is the other one */
        out->refusal = "read_cow_header - failed to read V1 header";
        return &variants[COW_FORMAT_V1];
    }
    if (version == 2) {
        out->refusal = "read_cow_header - failed to read V2 header";
        return &variants[COW_FORMAT_V2];
    }
    if (version == 3) {
        bool broken = n_bytes >= 36 && bytes_all_zero(bytes + 32, 4);
        out->refusal = "read_cow_header - failed to read V3 header";
        return &variants[broken ? COW_FORMAT_V3_64 : COW_FORMAT_V3];
    }
    out->refusal = "read_cow_header - invalid COW version";
    return NULL;
}

void kernel_header_read(struct kernel_header *out, const uint8_t *bytes, size_t n_bytes)
{
    *out = (struct kernel_header){.refusal = "read_cow_header - short header", .raw = true};
    if (n_bytes < 8) {
        return;
    }
    const struct variant *v = choose(out, bytes, n_bytes);
    if (v == NULL || n_bytes < v->header_bytes) {
        return;
    }
    out->refusal = NULL;
    out->raw = false;
    read_fields(out, bytes, v);
    read_offsets(out, v);
}

/* Measured: ':' and ',' end the name of a file, and a double quote changes what belongs together; blanks end
 * a word, and for the kernel the byte 0xa0 is one, too, which is a part of some letters in UTF-8. */
enum kernel_naming kernel_naming_of(const char *path)
{
    return path[strcspn(path, ":,\"")] != '\0'              ? KERNEL_CANNOT_NAME_IT
           : path[strcspn(path, " \t\n\v\f\r\xa0")] != '\0' ? KERNEL_NAMES_IT_QUOTED
                                                            : KERNEL_NAMES_IT;
}

const char *kernel_boot_text(char *out, size_t out_bytes, const char *path)
{
    const enum kernel_naming naming = kernel_naming_of(path);
    char *argument = NULL, quoted[COW_MESSAGE_BYTES];
    if (naming == KERNEL_CANNOT_NAME_IT) {
        snprintf(out, out_bytes,
                 "ubd0= cannot name it, for there is a colon, a comma or a double quote in its path: rename "
                 "it, or boot "
                 "by a symbolic link without them");
        return out;
    }
    const char *marks = naming == KERNEL_NAMES_IT_QUOTED ? "\"" : "";
    if (asprintf(&argument, "ubd0=%s%s%s", marks, path, marks) < 0) {
        out[0] = '\0';
        return out;
    }
    snprintf(out, out_bytes, "boot with %s%s", cow_shell_quote(quoted, sizeof quoted, argument),
             naming == KERNEL_NAMES_IT_QUOTED ? " (the double quotes must reach the kernel, for the blank)"
                                              : "");
    free(argument);
    return out;
}
