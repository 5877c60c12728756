/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking into the bytes: which dirty sectors are redundant, zeros or really changed, which clean ones a
 * crash has lost; and which 4 KiB pages of the disk mix dirty and clean sectors. Holes are not read, so a
 * scan costs what the COW file has allocated.
 */
#ifndef COW_SCAN_H
#define COW_SCAN_H

#include "cow/env.h"
#include "cow/image.h"

enum { COW_PAGE_BYTES = 4096 }; /* the unit in which a guest's kernel reads and writes */

/* A scan in progress: two buffers and where they are. Borrows the image. One thread. */
struct cow_scan;

/* *out is the caller's (cow_scan_close). Errors: COW_NO_MEMORY, COW_INVALID (an unfinished image), COW_IO
 * (its backing file is not there: nothing can be compared). */
int cow_scan_open(struct cow_scan **out, struct cow_image *img, struct cow_error *err);
void cow_scan_close(struct cow_scan *scan); /* NULL is allowed */

/* The run that begins at `sector`, looked into: its origin is never COW_ORIGIN_COW. It is cut where a piece
 * of what is read at once ends (about a MiB), so the next one may have the same origin. At or past the end of
 * the disk: out->sectors is 0. Meant to be asked in ascending order; any order works. Origins, a sector each:
 * dirty and equal to what the backing gives: redundant, even if zero or a hole; else a hole: hole; else all
 * zeros: zero; else changed. Clean, while the COW holds non-zero bytes there that differ from the backing:
 * orphan. */
int cow_scan_run(struct cow_scan *scan, uint64_t sector, struct cow_run *out, struct cow_error *err);

struct cow_scan_counts {
    uint64_t sectors[COW_ORIGINS];
    uint64_t mixed_pages;
};

/* Scans the whole disk. env may be NULL; its progress counts bytes read; a stop is honoured (COW_CANCELLED).
 */
int cow_image_scan(struct cow_image *img, const struct cow_env *env, struct cow_scan_counts *out,
                   struct cow_error *err);

/* The first mixed page at or after the one that holds `sector`: a 4 KiB page of the disk of which some, not
 * all, sectors are dirty. By bits only, fast. out->sectors is 0 if there is none; a page that the end of the
 * disk cuts has fewer. With sectors of 4 KiB or more there is none. */
int cow_image_next_mixed(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err);

/* The same, and where none begins before `limit` that may be said instead of looking on: for who asks about a
 * part of a large disk. */
int cow_image_next_mixed_in(struct cow_image *img, uint64_t sector, uint64_t limit, struct cow_dirty_run *out,
                            struct cow_error *err);

/* How many there are. Costs the same whatever the bits are. */
int cow_image_count_mixed(struct cow_image *img, uint64_t *pages, struct cow_error *err);

#endif
