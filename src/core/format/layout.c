/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pure arithmetic from a header to offsets. Sources: cow_sizes() in the kernel's cow_user.c; cow_open() in
 * QEMU's block/cow.c.
 */
#include "cow/layout.h"

#include <inttypes.h>

#include "core/base/arith.h"
#include "core/format/variants.h"

static bool compute(struct cow_layout *l, const struct cow_header *h)
{
    const struct variant *v = &variants[h->format];
    uint64_t unit = 512;
    l->sectors = arith_div_up(h->size_bytes, h->sector_bytes);
    l->mapped_sectors = l->sectors;
    l->header_bytes = v->header_bytes;
    l->bitmap_offset = v->header_bytes;
    l->bitmap_bytes = arith_div_up(l->sectors, 8);
    switch (v->geometry) {
    case GEOMETRY_TRUNCATED:
        l->bitmap_bytes = l->sectors / 8;
        l->mapped_sectors = l->bitmap_bytes * 8;
        unit = h->sector_bytes;
        break;
    case GEOMETRY_ALIGNED:
        unit = h->alignment;
        if (!arith_round_up(&l->bitmap_offset, v->header_bytes, unit)) {
            return false;
        }
        break;
    case GEOMETRY_QEMU:
        l->sectors = h->size_bytes / 512;
        l->mapped_sectors = l->sectors;
        l->bitmap_bytes = arith_div_up(l->sectors, 8);
        break;
    }
    uint64_t bitmap_end, data_bytes;
    return arith_add(&bitmap_end, l->bitmap_offset, l->bitmap_bytes) &&
           arith_round_up(&l->data_offset, bitmap_end, unit) &&
           arith_mul(&data_bytes, l->sectors, h->sector_bytes) &&
           arith_add(&l->end_offset, l->data_offset, data_bytes) && l->end_offset <= INT64_MAX;
}

int cow_layout_of(struct cow_layout *out, const struct cow_header *header, struct cow_error *err)
{
    struct cow_layout layout;
    if (header->unfinished) {
        return cow_error_set(err, COW_INVALID,
                             "an interrupted change left this image unfinished: it has no size");
    }
    if (!compute(&layout, header)) {
        return cow_error_set(err, COW_INVALID,
                             "header: the data of %" PRIu64 " bytes would lie past any file's end",
                             header->size_bytes);
    }
    *out = layout;
    return 0;
}

uint64_t cow_layout_place(const struct cow_layout *layout, uint64_t offset_bytes)
{
    return layout->data_offset + offset_bytes;
}

uint64_t cow_layout_capacity(uint32_t alignment, uint64_t data_offset)
{
    uint64_t bitmap_offset, bytes;
    if (!arith_round_up(&bitmap_offset, COW_V3_HEADER_BYTES, alignment) || data_offset <= bitmap_offset ||
        !arith_mul(&bytes, data_offset - bitmap_offset, 8 * 512)) {
        return 0;
    }
    return arith_min(bytes, SIZE_LIMIT_BYTES - 512);
}

enum { SMALLEST_ALIGNMENT = 4096, USUAL_ALIGNMENT = 1 << 20, LARGEST_ALIGNMENT = 1 << 30 };

/* How far a disk of size_bytes could grow in place with this alignment; 0 if its offsets are too large for a
 * kernel. */
static uint64_t capacity_with(uint32_t alignment, uint64_t size_bytes)
{
    struct cow_header header = {
        .format = COW_FORMAT_V3, .size_bytes = size_bytes, .sector_bytes = 512, .alignment = alignment};
    struct cow_layout layout;
    if (!compute(&layout, &header) || layout.data_offset > INT32_MAX) {
        return 0;
    }
    return cow_layout_capacity(alignment, layout.data_offset);
}

uint64_t cow_layout_reserve(uint64_t size_bytes, uint64_t reserve_bytes)
{
    const uint64_t least = UINT64_C(4) << 30;
    return reserve_bytes != 0 ? reserve_bytes : arith_max(least, arith_min(size_bytes, SIZE_LIMIT_BYTES) * 2);
}

int cow_layout_choose_alignment(uint32_t *out, uint64_t size_bytes, uint64_t reserve_bytes,
                                struct cow_error *err)
{
    const uint64_t wanted = cow_layout_reserve(size_bytes, reserve_bytes);
    uint64_t best = 0;
    struct cow_error local;
    err = err != NULL ? err : &local;
    if (size_bytes == 0 || size_bytes >= SIZE_LIMIT_BYTES) {
        return cow_error_set(err, COW_INVALID,
                             "a disk of %" PRIu64 " bytes is not possible: it has to be less than 8 TiB",
                             size_bytes);
    }
    for (uint32_t alignment = USUAL_ALIGNMENT; alignment <= LARGEST_ALIGNMENT; alignment *= 2) {
        if (capacity_with(alignment, size_bytes) >= wanted) {
            *out = alignment;
            return 0;
        }
    }
    uint32_t best_alignment = 0;
    for (uint32_t alignment = SMALLEST_ALIGNMENT; alignment <= LARGEST_ALIGNMENT; alignment *= 2) {
        uint64_t capacity = capacity_with(alignment, size_bytes);
        if (capacity >= best && capacity > 0) {
            best = capacity;
            best_alignment = alignment;
        }
    }
    if (best == 0) {
        return cow_error_set(err, COW_INVALID,
                             "a disk of %" PRIu64
                             " bytes is not possible: its data offset does not fit the signed "
                             "32-bit number that kernels hold it in",
                             size_bytes);
    }
    if (reserve_bytes != 0) {
        cow_error_set(err, COW_INVALID,
                      "no alignment lets a disk of %" PRIu64 " bytes grow to %" PRIu64 " in place",
                      size_bytes, reserve_bytes);
        return cow_error_hint(err, "the most that can be reserved is %" PRIu64 " bytes", best);
    }
    *out = best_alignment;
    return 0;
}
