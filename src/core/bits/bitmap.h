/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which sectors a file has, a bit each, streamed from its driver in pages with a count a page. It is never
 * loaded whole: a summary of 4 bytes for 64 KiB of bitmap (256 MiB of disk) is all that grows with the disk,
 * and holes are never read.
 */
#ifndef CORE_BITS_BITMAP_H
#define CORE_BITS_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bits/changed_bits.h"
#include "core/format/driver.h"

struct bitmap;

enum {
    BITMAP_PART_BITS = 64 * 1024
}; /* counts of ranges that begin and end at multiples of it are cheapest */

/* The bits of a disk, as its driver hands them out. The file stays the caller's. Errors: COW_NO_MEMORY. */
int bitmap_open_disk(struct bitmap **out, const struct format_disk *disk, const struct format_file *file,
                     struct cow_error *err);
/* The same of a bitmap of `sectors` bits that lies at `offset` of the open file fd, whatever lies around it.
 */
int bitmap_open(struct bitmap **out, const struct cow_io *io, int fd, uint64_t offset, uint64_t sectors,
                struct cow_error *err);
void bitmap_close(struct bitmap *bitmap); /* NULL is allowed; bits that are not in the file are lost */

/* How many of the bits [first, first + count) are set; what lies past the last bit counts as clear. */
int bitmap_count(struct bitmap *bitmap, uint64_t first, uint64_t count, uint64_t *out, struct cow_error *err);

/* One bit; clear past the last one. Errors, here and below: COW_IO, COW_NO_MEMORY. */
int bitmap_get(struct bitmap *bitmap, uint64_t sector, bool *out, struct cow_error *err);

/* The first bit at or after `sector` that is `set`, or the number of bits if there is none. */
int bitmap_find(struct bitmap *bitmap, uint64_t sector, bool set, uint64_t *out, struct cow_error *err);

/* The first run of set bits at or after `sector`, cut at it if it lies inside one: [*first, *end), both the
 * number of bits if there is none. */
int bitmap_next_run(struct bitmap *bitmap, uint64_t sector, uint64_t *first, uint64_t *end,
                    struct cow_error *err);

/* How many units of `unit` bits (2, 4, 8, ... 32; they begin at bit 0) have some, not all, of their bits set,
 * and where the first of them begins: the number of bits if there is none. The last unit can be a shorter
 * one. */
int bitmap_count_mixed(struct bitmap *bitmap, unsigned unit, uint64_t *out, uint64_t *first,
                       struct cow_error *err);

/* What was read of the bits [first, first + count), and counted, is read anew when it is asked for next:
 * somebody has written to the file. */
void bitmap_forget(struct bitmap *bitmap, uint64_t first, uint64_t count);

/* ---- bits that are set in memory first, for who writes an image while it is looked at ---- */

/* Sets bits: from now on they count as set in every answer, and are not in the file yet. [first, first +
 * count) must lie on the disk. Errors: COW_IO, COW_NO_MEMORY; a part of them may be set then. */
int bitmap_set(struct bitmap *bitmap, uint64_t first, uint64_t count, struct cow_error *err);

/* How many pieces (changed_bits.h) have bits that are not in the file. */
size_t bitmap_changed(const struct bitmap *bitmap);

/* What has to be written for one of them, index < bitmap_changed: the bytes [*offset, *offset + *n_bytes) of
 * the bitmap, whole blocks of 512 bytes as far as it goes. Errors: COW_IO. */
int bitmap_changed_bytes(struct bitmap *bitmap, size_t index, uint8_t bytes[CHANGED_PIECE_BYTES],
                         uint64_t *offset, size_t *n_bytes, struct cow_error *err);

/* All of them are in the file now. */
void bitmap_forget_changed(struct bitmap *bitmap);

/* One more than the last bit before `sector` that is `set`, or 0 if there is none. */
int bitmap_find_back(struct bitmap *bitmap, uint64_t sector, bool set, uint64_t *out, struct cow_error *err);

#endif
