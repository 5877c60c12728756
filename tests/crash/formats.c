/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See formats.h.
 */
#include "formats.h"

#include <string.h>

/* clang-format off */
const struct form forms[FORMS] = {
    [FORM_V1]        = {"v1",        "MOOO\1\0\0\0",                  8, false,  8,  256,  264,  268,  276,  0,  280, 't'},
    [FORM_V1_64]     = {"v1-64",     "MOOO\1\0\0\0",                  8, false,  8,  256,  264,  272,  280,  0,  288, 't'},
    [FORM_V1_BE]     = {"v1-be",     "OOOM\0\0\0\1",                  8, true,   8,  256,  264,  268,  276,  0,  280, 't'},
    [FORM_V1_BE_64]  = {"v1-be-64",  "OOOM\0\0\0\1",                  8, true,   8,  256,  268,  272,  280,  0,  288, 't'},
    [FORM_V2]        = {"v2",        "OOOM\0\0\0\2",                  8, true,   8, 4096, 4104, 4108, 4116,  0, 4120, 't'},
    [FORM_V2_64]     = {"v2-64",     "OOOM\0\0\0\2",                  8, true,   8, 4096, 4104, 4112, 4120,  0, 4128, 't'},
    [FORM_V2_LONG]   = {"v2-long",   "OOOM\0\0\0\0\0\0\0\2\0\0\0\0", 16, true,  16, 4096, 4112, 4120, 4128,  0, 4136, 't'},
    [FORM_V3]        = {"v3",        "OOOM\0\0\0\3",                  8, true,  32, 4096,    8,   12,   20, 24, 4128, 'a'},
    [FORM_V3_64]     = {"v3-64",     "OOOM\0\0\0\3",                  8, true,  36, 4096,    8,   16,   24, 28, 4136, 'a'},
    [FORM_QEMU]      = {"qemu",      "OOOM\0\0\0\2",                  8, true,   8, 1024, 1032, 1040, 1048,  0, 1056, 'q'},
    [FORM_QEMU_I386] = {"qemu-i386", "OOOM\0\0\0\2",                  8, true,   8, 1024, 1032, 1036, 1044,  0, 1048, 'q'},
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
    if (memcmp(bytes, f->magic, f->magic_bytes) != 0) {
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
        out->sector_bytes > 65536 || (out->sector_bytes & (out->sector_bytes - 1)) != 0 ||
        (f->rule == 'a' && out->alignment == 0)) {
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

/* The bitmap of a file, a piece at a time: it may be sparse, and larger than memory. */
enum { WINDOW_BYTES = 512 };

struct bits {
    const struct inode *file;
    const struct shape *shape;
    uint64_t window; /* which one is in bytes[] */
    uint8_t bytes[WINDOW_BYTES];
};

static bool bit_at(struct bits *bits, uint64_t sector)
{
    const uint64_t window = sector / 8 / WINDOW_BYTES;
    if (window != bits->window) {
        bits->window = window;
        inode_read(bits->file, bits->shape->bitmap_offset + window * WINDOW_BYTES, bits->bytes, WINDOW_BYTES);
    }
    return sector < bits->shape->mapped && (bits->bytes[sector / 8 % WINDOW_BYTES] >> sector % 8 & 1) != 0;
}

/* Over what has no bits because nothing is allocated there, as far as whole windows; or over a byte of none.
 */
static uint64_t past_nothing(const struct bits *bits, uint64_t sector)
{
    if (sector % (WINDOW_BYTES * 8) != 0) {
        return bits->bytes[sector / 8 % WINDOW_BYTES] == 0 ? sector + 8 : sector;
    }
    const uint64_t here = bits->shape->bitmap_offset + sector / 8, next = inode_next(bits->file, here, true);
    if (next == UINT64_MAX || next - here >= bits->shape->sectors / 8) {
        return bits->shape->sectors;
    }
    return sector + (next - here) / WINDOW_BYTES * WINDOW_BYTES * 8;
}

/* Behind the sectors from this one on that have the same bit. */
static uint64_t run_end(struct bits *bits, uint64_t sector)
{
    const bool dirty = bit_at(bits, sector);
    uint64_t end = sector + 1, next;
    while (end < bits->shape->sectors) {
        next = !dirty && end % 8 == 0 ? past_nothing(bits, end) : end;
        if (next == end && bit_at(bits, end) != dirty) {
            break;
        }
        end = next == end ? end + 1 : next;
    }
    return end < bits->shape->sectors ? end : bits->shape->sectors;
}

bool view_shows(const struct view *view, const struct inode *file, const struct inode *backing,
                const struct inode *disk)
{
    static const struct inode nothing;
    const uint64_t ss = view->sector_bytes, size_bytes = disk->facts.size_bytes;
    struct bits bits = {.file = file, .shape = &view->shape, .window = UINT64_MAX};
    if (view->marked || view->size_bytes != size_bytes) {
        return false;
    }
    backing = backing != NULL ? backing : &nothing;
    for (uint64_t i = 0, end; i < view->shape.sectors; i = end) {
        const bool dirty = bit_at(&bits, i);
        end = run_end(&bits, i);
        const uint64_t stop = end * ss < size_bytes ? end * ss : size_bytes;
        const uint64_t offset = (dirty ? view->shape.data_offset : 0) + i * ss;
        if (!inode_same_range(dirty ? file : backing, offset, disk, i * ss, stop - i * ss)) {
            return false;
        }
    }
    return true;
}

struct inode view_compose(const struct view *view, const struct inode *file, const struct inode *backing)
{
    static const struct inode nothing;
    struct inode out = {.facts = {.size_bytes = view->size_bytes}};
    struct bits bits = {.file = file, .shape = &view->shape, .window = UINT64_MAX};
    uint8_t bytes[SECTOR_BYTES];
    backing = backing != NULL ? backing : &nothing;
    for (uint64_t at = 0; at < view->size_bytes; at += sizeof bytes) {
        const bool dirty = bit_at(&bits, at / view->sector_bytes);
        const uint64_t left = view->size_bytes - at;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
        inode_read(dirty ? file : backing, (dirty ? view->shape.data_offset : 0) + at, bytes, n);
        inode_write(&out, at, bytes, n);
    }
    return out;
}
