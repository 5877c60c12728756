/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See formats.h.
 */
#include "formats.h"

#include <string.h>

/* clang-format off */
const struct form forms[FORMS] = {
    [FORM_V1]        = {"v1",        "MOOO\1\0\0\0", false,  8,  256,  264,  268,  276,  0,  280, 't'},
    [FORM_V2]        = {"v2",        "OOOM\0\0\0\2", true,   8, 4096, 4104, 4108, 4116,  0, 4120, 't'},
    [FORM_V3]        = {"v3",        "OOOM\0\0\0\3", true,  32, 4096,    8,   12,   20, 24, 4128, 'a'},
    [FORM_V3_64]     = {"v3-64",     "OOOM\0\0\0\3", true,  36, 4096,    8,   16,   24, 28, 4136, 'a'},
    [FORM_QEMU]      = {"qemu",      "OOOM\0\0\0\2", true,   8, 1024, 1032, 1040, 1048,  0, 1056, 'q'},
    [FORM_QEMU_I386] = {"qemu-i386", "OOOM\0\0\0\2", true,   8, 1024, 1032, 1036, 1044,  0, 1048, 'q'},
};
/* clang-format on */

enum { HEADER_BYTES = 4136 };

void put_number(uint8_t *bytes, unsigned width, bool big_endian, uint64_t value)
{
    for (unsigned i = 0; i < width; i++) {
        bytes[big_endian ? width - 1 - i : i] = (uint8_t)(value >> (8 * i) & 0xff);
    }
}

uint64_t get_number(const uint8_t *bytes, unsigned width, bool big_endian)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)bytes[big_endian ? width - 1 - i : i] << (8 * i);
    }
    return value;
}

static uint64_t up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

struct shape form_shape(enum form_name form, uint64_t size_bytes, uint32_t sector_bytes, uint32_t alignment)
{
    const struct form *f = &forms[form];
    struct shape s = {.sectors = (size_bytes + sector_bytes - 1) / sector_bytes,
                      .bitmap_offset = f->header_bytes};
    s.mapped = s.sectors;
    s.bitmap_bytes = (s.sectors + 7) / 8;
    uint64_t unit = sector_bytes;
    if (f->rule == 't') {
        s.bitmap_bytes = s.sectors / 8;
        s.mapped = s.bitmap_bytes * 8;
    } else if (f->rule == 'a') {
        unit = alignment;
        s.bitmap_offset = up(f->header_bytes, alignment);
    } else {
        unit = 512;
    }
    s.data_offset = up(s.bitmap_offset + s.bitmap_bytes, unit);
    s.end_offset = s.data_offset + s.sectors * sector_bytes;
    return s;
}

bool view_as(struct view *out, const struct inode *file, enum form_name form)
{
    const struct form *f = &forms[form];
    uint8_t bytes[HEADER_BYTES];
    inode_read(file, 0, bytes, f->header_bytes);
    if (memcmp(bytes, f->magic, 8) != 0) {
        return false;
    }
    out->form = form;
    out->size_bytes = get_number(bytes + f->size, 8, f->big_endian);
    out->sector_bytes = (uint32_t)get_number(bytes + f->sector, 4, f->big_endian);
    out->mtime = (uint32_t)get_number(bytes + f->mtime, 4, f->big_endian);
    out->alignment = f->alignment != 0 ? (uint32_t)get_number(bytes + f->alignment, 4, f->big_endian) : 0;
    memcpy(out->path, bytes + f->path, f->path_bytes);
    out->path[f->path_bytes] = '\0';
    out->marked = out->size_bytes == UINT64_MAX;
    if (out->marked) {
        return true;
    }
    if (out->size_bytes == 0 || out->size_bytes > UINT64_C(1) << 43 || out->sector_bytes < 512 ||
        out->sector_bytes > 65536 || (f->rule == 'a' && out->alignment == 0)) {
        return false;
    }
    out->shape = form_shape(form, out->size_bytes, out->sector_bytes, out->alignment);
    return true;
}

bool view_as_kernel(struct view *out, const struct inode *file)
{
    uint8_t bytes[36];
    inode_read(file, 0, bytes, sizeof bytes);
    if (memcmp(bytes, forms[FORM_V1].magic, 8) == 0) {
        return view_as(out, file, FORM_V1);
    }
    if (memcmp(bytes, forms[FORM_V2].magic, 8) == 0) {
        return view_as(out, file, FORM_V2);
    }
    if (memcmp(bytes, forms[FORM_V3].magic, 8) == 0) {
        return view_as(out, file, get_number(bytes + 32, 4, true) != 0 ? FORM_V3 : FORM_V3_64);
    }
    return false;
}

bool kernel_opens(struct view *out, const struct tree *tree, const struct inode *file)
{
    if (!view_as_kernel(out, file) || out->marked) {
        return false;
    }
    uint8_t at = out->path[0] == '/' ? tree_find(tree, out->path) : NO_INODE;
    if (at == NO_INODE) {
        return false;
    }
    const struct facts *backing = &tree->inode[at].facts;
    return backing->size_bytes == out->size_bytes && backing->mtime.tv_sec == (time_t)out->mtime;
}

bool view_shows(const struct view *view, const struct inode *file, const struct inode *backing,
                const uint8_t *disk, uint64_t size_bytes)
{
    static const struct inode nothing;
    uint8_t bits[16384];
    const uint32_t ss = view->sector_bytes;
    if (view->marked || view->size_bytes != size_bytes || view->shape.bitmap_bytes > sizeof bits) {
        return false;
    }
    backing = backing != NULL ? backing : &nothing;
    inode_read(file, view->shape.bitmap_offset, bits, (size_t)view->shape.bitmap_bytes);
    for (uint64_t i = 0, end; i < view->shape.sectors; i = end) {
        const bool dirty = i < view->shape.mapped && (bits[i / 8] >> (i % 8) & 1) != 0;
        end = i + 1;
        while (end < view->shape.sectors &&
               dirty == (end < view->shape.mapped && (bits[end / 8] >> (end % 8) & 1) != 0)) {
            end++;
        }
        const uint64_t stop = end * ss < size_bytes ? end * ss : size_bytes;
        const uint64_t offset = (dirty ? view->shape.data_offset : 0) + i * ss;
        if (!inode_shows(dirty ? file : backing, offset, disk + i * ss, (size_t)(stop - i * ss))) {
            return false;
        }
    }
    return true;
}
