/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The header of the image that there will be: filled in here, whatever the change is.
 */
#ifndef CORE_PLAN_NEW_HEADER_H
#define CORE_PLAN_NEW_HEADER_H

#include "core/plan/plan.h"

enum {
    /* Of a path in a v3 header (share/doc/format.md), what lies in the first sector: a longer one is not
     * written by one write of that sector. */
    NEW_HEADER_SECTOR_PATH_BYTES = 512 - 32,
};

struct new_header {
    uint64_t size_bytes; /* of the disk */
    const char *backing_path;
    uint32_t mtime;         /* of the backing file, as the header says it */
    uint64_t reserve_bytes; /* the disk can grow to so much without moving data; 0: as it comes */
    uint32_t alignment;     /* 0: the image's where its file stays, else chosen by the reserve */
    bool keeps_room; /* what room to grow the old image had, the new one has, unless reserve_bytes says */
};

/* Fills plan->result.header and .layout: a v3 with sectors of 512 bytes. By header (plan->method) the data
 * stays where it is. COW_REFUSED (the path is too long), COW_INVALID (no layout for that size). */
int new_header_fill(struct cow_plan *plan, const struct new_header *wish, struct cow_error *err);

#endif
