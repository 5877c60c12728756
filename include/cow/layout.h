/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where bitmap and data lie in an image: pure arithmetic on a header, all of it checked.
 */
#ifndef COW_LAYOUT_H
#define COW_LAYOUT_H

#include <stdint.h>

#include "cow/error.h"
#include "cow/header.h"

struct cow_layout {
    uint64_t sectors;        /* N = ceil(size / sector size); the last one may be partial */
    uint64_t mapped_sectors; /* sectors that have a bit: N, but a multiple of 8 for v1 and v2 (their bitmap
                                truncates) */
    uint64_t header_bytes;   /* the fields end here */
    uint64_t bitmap_offset;
    uint64_t bitmap_bytes;
    uint64_t data_offset;
    uint64_t end_offset; /* data_offset + N * sector size: where a full-length file ends */
};

/* Computes the layout of a header. Errors: COW_INVALID where a result does not fit in a signed 64-bit offset;
 * *out is unchanged then. An unfinished header has no layout: COW_INVALID. */
int cow_layout_of(struct cow_layout *out, const struct cow_header *header, struct cow_error *err);

/* Where byte `offset_bytes` of the disk lies in a file of this layout; what follows lies behind it. */
uint64_t cow_layout_place(const struct cow_layout *layout, uint64_t offset_bytes);

/* The largest disk (bytes, a multiple of 512) that a v3 header of this alignment holds without moving the
 * data at data_offset. */
uint64_t cow_layout_capacity(uint32_t alignment, uint64_t data_offset);

/* To what size a disk of size_bytes shall be able to grow, where nothing else is wished for (reserve_bytes
 * 0): twice its size, at least 4 GiB. */
uint64_t cow_layout_reserve(uint64_t size_bytes, uint64_t reserve_bytes);

/* Picks the alignment for a new v3 image of size_bytes that shall be able to grow to reserve_bytes (0: as
 * cow_layout_reserve has it) without moving its data: a power of two, at least 1 MiB where
 * bitmap and data offset stay within a signed 32-bit int (that is what kernels hold them in), less only where
 * they would not. Errors: COW_INVALID if no alignment keeps the offsets in range (8 TiB and more). */
int cow_layout_choose_alignment(uint32_t *out, uint64_t size_bytes, uint64_t reserve_bytes,
                                struct cow_error *err);

#endif
