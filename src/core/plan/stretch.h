/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What of an image's data is moved at once: dirty runs in whole blocks of the disk (only those can be shared
 * by reflink), joined where the gap is small. A few clean bytes in between cost less than a call each, and
 * their bits stay clear.
 */
#ifndef CORE_PLAN_STRETCH_H
#define CORE_PLAN_STRETCH_H

#include "core/image/image.h"

struct stretch {
    uint64_t begin_bytes; /* of the disk, half-open; nothing past disk_end */
    uint64_t end_bytes;
    uint64_t dirty_sectors; /* 0: there is no further stretch */
    uint64_t next_sector;   /* where to look for the next one */
};

/* The first stretch at or after from_sector on the disk that ends at disk_end bytes. */
int stretch_next(struct stretch *out, struct cow_image *img, uint64_t from_sector, uint64_t disk_end,
                 struct cow_error *err);

/* What of a selected range is written in one way. */
enum piece_kind {
    PIECE_HOLE,    /* not at all: holes on the disk, whichever file it is in */
    PIECE_COW,     /* long, and of one file: moved by its extents, whose holes stay holes */
    PIECE_BACKING, /* the same, of the backing file */
    PIECE_READ,    /* short runs of either file: read, and written */
};

struct piece {
    enum piece_kind kind;
    uint64_t end_bytes;
};

/* The piece of the disk that begins at byte `at` (a multiple of 512) and ends at `end` at most. all_read:
 * nothing is moved, for zeros are looked for. Whoever counts (footprint.c) and whoever writes
 * (step_selection.c) goes by this. */
int piece_next(struct piece *out, struct cow_image *img, uint64_t at, uint64_t end, bool all_read,
               struct cow_error *err);

/* A stretch of the disk that goes into a file of another format: bytes. */
struct foreign_piece {
    uint64_t begin_bytes, end_bytes; /* equal: there is none */
    bool is_hole;                    /* zeros that are dirty; else it has to be read */
};

/* The next one from byte `at` of the disk on, in ascending order. All that is no hole of the disk;
 * dirty_only: all that is dirty, holes too, for they hide what the backing file has. */
int foreign_next(struct foreign_piece *out, struct cow_image *img, uint64_t at, bool dirty_only,
                 struct cow_error *err);

#endif
