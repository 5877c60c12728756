/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the numbers of a record can be true: each by itself, against the others, and, where the
 * headers are at hand, against the layouts that they give. Everything is compared by subtraction, so
 * that nothing wraps.
 *
 * What fails here is not obeyed, whoever wrote it and however good its sum is: a CRC keeps off torn
 * writes and chance, not somebody who can compute one.
 */
#include "core/ledger/record_check.h"

#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/format/variants.h"

enum { NANOSECONDS = 1000000000 };

/* Far beyond every filesystem's, and so that seconds can be added to one. */
#define SECONDS_LIMIT (INT64_C(1) << 55)

static bool is_length(uint64_t n_bytes)
{
    return n_bytes <= INT64_MAX;
}

static bool is_range(uint64_t offset, uint64_t n_bytes, uint64_t end)
{
    return offset <= end && n_bytes <= end - offset;
}

static bool is_date(struct timespec date)
{
    return date.tv_nsec >= 0 && date.tv_nsec < NANOSECONDS && (int64_t)date.tv_sec < SECONDS_LIMIT &&
           (int64_t)date.tv_sec > -SECONDS_LIMIT;
}

/* "" or an absolute one, as realpath answers it. */
static bool is_path(const char *path)
{
    const size_t length = strlen(path);
    return length == 0 || (path[0] == '/' && path[length - 1] != '/' && strstr(path, "//") == NULL &&
                           strstr(path, "/./") == NULL && strstr(path, "/../") == NULL &&
                           strcmp(path + length - arith_min(length, 2), "/.") != 0 &&
                           strcmp(path + length - arith_min(length, 3), "/..") != 0);
}

/* One beside the image, since version 3. */
static bool is_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_file(const struct record *r, const char *path)
{
    return is_path(path) || (r->version >= 3 && is_name(path));
}

/* Length of the header and place of its size field go together. */
static bool is_variants(uint32_t header_bytes, uint32_t size_field_offset)
{
    for (size_t i = 0; i < COW_FORMATS; i++) {
        if (variants[i].header_bytes == header_bytes && variants[i].size.offset_bytes == size_field_offset) {
            return true;
        }
    }
    return false;
}

static bool saved_is_sane(const struct record *r)
{
    const bool in_place = record_kind_facts(r->kind)->keeps_file;
    for (size_t i = 0; i < RECORD_SAVED_MAX; i++) {
        const struct record_saved *saved = &r->saved[i];
        const uint64_t begin = saved->n_bytes == 0 ? 0 : RECORD_SECTOR_BYTES;
        if (saved->held_bytes > saved->n_bytes || saved->held_bytes > RECORD_HELD_BYTES_MAX ||
            (!in_place && (saved->offset != 0 || saved->n_bytes != 0)) || saved->offset < begin ||
            !is_range(saved->offset, saved->n_bytes, INT64_MAX)) {
            return false;
        }
    }
    return r->shared_bits < 8 && r->shared_byte <= UINT8_MAX && is_length(r->shared_offset) &&
           (in_place || (r->shared_offset == 0 && r->shared_bits == 0 && r->shared_byte == 0)) &&
           (r->shared_bits == 0 || r->shared_offset >= RECORD_SECTOR_BYTES);
}

/* Saved ranges of a change of content: somewhere behind the first sector. Where, the layouts say (more_fits).
 */
static bool more_is_sane(const struct record *r)
{
    const struct record_kind_facts *kind = record_kind_facts(r->kind);
    const bool may = kind->marks && !kind->shifts;
    for (size_t i = 0; i < r->n_more; i++) {
        const struct record_saved *saved = &r->more[i];
        if (saved->held_bytes > saved->n_bytes || saved->offset < RECORD_SECTOR_BYTES ||
            saved->n_bytes == 0 || !is_range(saved->offset, saved->n_bytes, INT64_MAX)) {
            return false;
        }
    }
    return may || r->n_more == 0;
}

static bool place_is_sane(const struct record *r)
{
    return (r->family_path[0] == '\0' || is_file(r, r->family_path)) && is_path(r->image_path) &&
           r->old_mode <= (RECORD_MODE_KNOWN | 07777) &&
           (r->old_mode == 0 || (r->old_mode & RECORD_MODE_KNOWN) != 0);
}

static bool image_is_sane(const struct record *r)
{
    return is_length(r->old_file_bytes) && is_length(r->new_file_bytes) && is_length(r->old_end_offset) &&
           is_variants(r->old_header_bytes, r->size_field_offset) &&
           r->old_end_offset > r->old_header_bytes && r->old_size_field != SIZE_UNFINISHED &&
           is_date(r->old_mtime) && is_date(r->new_mtime) && r->keeps_undo <= 1 &&
           (record_kind_facts(r->kind)->keeps_file
                ? r->old_inode == r->new_inode && r->old_file_bytes <= r->new_file_bytes
                : r->old_inode != r->new_inode);
}

static bool backing_is_sane(const struct record *r)
{
    const bool merges = record_kind_facts(r->kind)->writes_into_backing, copies = r->copy_inode != 0;
    return is_length(r->backing_old_bytes) && is_length(r->backing_new_bytes) && is_date(r->backing_mtime) &&
           is_date(r->backing_old_mtime) && r->extends <= 1 && is_file(r, r->backing_path) &&
           is_file(r, r->copy_path) && copies == (r->copy_path[0] != '\0') && !(copies && r->extends != 0) &&
           (r->extends == 0 || (r->backing_path[0] != '\0' && r->backing_inode != 0)) &&
           (merges ? r->extends == 1 && !copies && r->backing_old_bytes == r->backing_new_bytes
                   : r->extends == 0 || r->backing_old_bytes < r->backing_new_bytes);
}

bool record_is_sane(const struct record *r)
{
    return record_kind_facts(r->kind)->exists && image_is_sane(r) && backing_is_sane(r) && saved_is_sane(r) &&
           more_is_sane(r) && place_is_sane(r);
}

void record_ranges(struct record *out, const struct cow_header *old, const struct cow_layout *old_layout,
                   const struct cow_layout *new_layout)
{
    const uint64_t bits_begin = old_layout->bitmap_offset + old_layout->bitmap_bytes;
    const uint64_t bits_end = new_layout->bitmap_offset + new_layout->bitmap_bytes;
    const uint64_t data_end = cow_layout_place(old_layout, old->size_bytes);
    out->shared_bits = (uint32_t)(old_layout->sectors % 8);
    out->shared_offset = bits_begin - (out->shared_bits != 0);
    out->saved[0].offset = bits_begin;
    out->saved[0].n_bytes = arith_sub_floor(bits_end, bits_begin);
    out->saved[1].offset = data_end;
    out->saved[1].n_bytes = old_layout->end_offset - data_end;
}

void record_shift_ranges(struct record *out, const struct cow_header *old,
                         const struct cow_layout *old_layout, const struct cow_layout *new_layout)
{
    record_ranges(out, old, old_layout, new_layout);
    const uint64_t end =
        new_layout->bitmap_offset != old_layout->bitmap_offset
            ? 0
            : arith_min(new_layout->bitmap_offset + new_layout->bitmap_bytes, old_layout->data_offset);
    out->saved[0].n_bytes = arith_sub_floor(end, out->saved[0].offset);
}

static bool same_ranges(const struct record *a, const struct record *b)
{
    return a->shared_bits == b->shared_bits && a->shared_offset == b->shared_offset &&
           a->saved[0].offset == b->saved[0].offset && a->saved[0].n_bytes == b->saved[0].n_bytes &&
           a->saved[1].offset == b->saved[1].offset && a->saved[1].n_bytes == b->saved[1].n_bytes;
}

/* The data lies further on, and the bits of the new layout lie where those of the old one do, or behind all
 * of them. */
static bool shift_fits(const struct record *r, const struct cow_header *old,
                       const struct cow_layout *old_layout, const struct cow_header *new,
                       const struct cow_layout *new_layout)
{
    struct record want = {.shared_bits = 0};
    if (new_layout->data_offset <= old_layout->data_offset || old->size_bytes > new->size_bytes ||
        old->sector_bytes != 512 || new->sector_bytes != 512 ||
        (new_layout->bitmap_offset != old_layout->bitmap_offset &&
         new_layout->bitmap_offset < old_layout->data_offset)) {
        return false;
    }
    const uint64_t shift_bytes = new_layout->data_offset - old_layout->data_offset;
    record_shift_ranges(&want, old, old_layout, new_layout);
    return same_ranges(r, &want) && is_range(r->born_first_sector, r->born_sectors, new_layout->sectors) &&
           (r->born_sectors == 0 || r->born_first_sector + 1 >= old_layout->sectors) &&
           r->new_file_bytes == arith_max(r->old_file_bytes + shift_bytes, new_layout->end_offset);
}

/* What a change by header says that it has written over is what growing from one layout to the other does;
 * one of path or date alone, or of the backing file alone, writes over nothing. */
static bool ranges_fit(const struct record *r, const struct cow_header *old,
                       const struct cow_layout *old_layout, const struct cow_header *new,
                       const struct cow_layout *new_layout)
{
    struct record want = {.shared_bits = 0};
    if (old->size_bytes != new->size_bytes) {
        record_ranges(&want, old, old_layout, new_layout);
    }
    return new_layout->data_offset == old_layout->data_offset &&
           old->size_bytes <= new->size_bytes &&same_ranges(r, &want) &&
           r->new_file_bytes == (old->size_bytes == new->size_bytes
                                     ? r->old_file_bytes
                                     : arith_max(r->old_file_bytes, new_layout->end_offset));
}

/* All that it wrote over lies in the bits or in the data of the new layout, and in the old file. */
static bool more_fits(const struct record *r, const struct cow_layout *new_layout)
{
    const struct cow_layout *l = new_layout;
    for (size_t i = 0; i < r->n_more; i++) {
        const struct record_saved *saved = &r->more[i];
        const bool is_data = saved->offset >= l->data_offset;
        const uint64_t begin = is_data ? l->data_offset : l->bitmap_offset;
        const uint64_t end = is_data ? arith_min(l->end_offset, r->old_file_bytes) : begin + l->bitmap_bytes;
        if (saved->offset < begin || !is_range(saved->offset, saved->n_bytes, end)) {
            return false;
        }
    }
    return true;
}

/* Two variants can be equally plausible: the backing file's size may have broken the tie. */
static bool decode_old(struct cow_header *header, struct cow_layout *layout, const struct record *r,
                       const uint8_t *bytes, size_t n_bytes)
{
    const uint64_t backing_bytes[] = {r->backing_old_bytes, UINT64_MAX};
    for (size_t i = 0; i < 2; i++) {
        if (cow_header_decode(header, bytes, n_bytes, r->old_file_bytes, backing_bytes[i], NULL) == 0 &&
            cow_layout_of(layout, header, NULL) == 0 && layout->header_bytes == r->old_header_bytes &&
            layout->end_offset == r->old_end_offset &&
            variants[header->format].size.offset_bytes == r->size_field_offset) {
            return true;
        }
    }
    return false;
}

bool record_fits_old_header(const struct record *r, const uint8_t *bytes, size_t n_bytes)
{
    struct cow_header header;
    struct cow_layout layout;
    return n_bytes >= r->old_header_bytes &&
           bytes_get(bytes + r->size_field_offset, 8, true) == r->old_size_field &&
           decode_old(&header, &layout, r, bytes, n_bytes);
}

bool record_fits_new_header(const struct record *r, const uint8_t *bytes, size_t n_bytes)
{
    struct cow_header header;
    struct cow_layout layout;
    return record_kind_facts(r->kind)->keeps_file ||
           (cow_header_decode(&header, bytes, n_bytes, r->new_file_bytes, UINT64_MAX, NULL) == 0 &&
            header.format == COW_FORMAT_V3 && cow_layout_of(&layout, &header, NULL) == 0 &&
            layout.end_offset == r->new_file_bytes &&
            (!record_kind_facts(r->kind)->writes_into_backing ||
             (int64_t)header.mtime == (int64_t)r->backing_mtime.tv_sec));
}

bool record_layouts(struct cow_header header[2], struct cow_layout layout[2], const struct record *r,
                    const uint8_t *bytes, size_t n_bytes)
{
    uint8_t old_bytes[COW_HEADER_BYTES_MAX], new_bytes[COW_HEADER_BYTES_MAX];
    if (n_bytes < COW_V3_HEADER_BYTES || n_bytes > sizeof old_bytes) {
        return false;
    }
    memcpy(old_bytes, bytes, n_bytes);
    memcpy(new_bytes, bytes, n_bytes);
    memcpy(old_bytes, r->old_sector, RECORD_SECTOR_BYTES);
    memcpy(new_bytes, r->new_sector, RECORD_SECTOR_BYTES);
    return crc_ieee(old_bytes, r->old_header_bytes) == r->old_header_crc &&
           crc_ieee(new_bytes, COW_V3_HEADER_BYTES) == r->new_header_crc &&
           record_fits_old_header(r, old_bytes, n_bytes) &&
           decode_old(&header[0], &layout[0], r, old_bytes, n_bytes) && header[0].format == COW_FORMAT_V3 &&
           cow_header_decode(&header[1], new_bytes, n_bytes, r->new_file_bytes, UINT64_MAX, NULL) == 0 &&
           header[1].format == COW_FORMAT_V3 && cow_layout_of(&layout[1], &header[1], NULL) == 0;
}

bool record_fits_by_header(const struct record *r, const uint8_t *bytes, size_t n_bytes)
{
    struct cow_header header[2];
    struct cow_layout layout[2];
    return record_layouts(header, layout, r, bytes, n_bytes) &&
           (record_kind_facts(r->kind)->shifts
                ? shift_fits(r, &header[0], &layout[0], &header[1], &layout[1])
                : ranges_fit(r, &header[0], &layout[0], &header[1], &layout[1]) && more_fits(r, &layout[1]));
}
