/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What of an image's data is moved at once: dirty runs in whole blocks of the disk (only those can be shared
 * by reflink), joined where the gap is small. A few clean bytes in between cost less than a call each, and
 * their bits stay clear.
 */
#ifndef CORE_CHANGE_STRETCH_H
#define CORE_CHANGE_STRETCH_H

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

/* How many bytes of all stretches are data in the COW file: what copying them writes. */
int stretch_data_bytes(uint64_t *out, struct cow_image *img, uint64_t disk_end, struct cow_error *err);

#endif
