/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The data of a new image whose dirty sectors were selected anew: what the disk shows there, from wherever it
 * is.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/change/compose.h"
#include "core/change/steps.h"

enum { SECTOR_BYTES = 512, JOIN_SECTORS = 64 * 1024 / SECTOR_BYTES };

/* Where the stretch that begins with this run ends: runs that are near are read together. */
static int stretch_end(struct commit *c, const struct cow_dirty_run *run, uint64_t *end)
{
    const uint64_t most = run->first_sector + COMMIT_BUFFER_BYTES / SECTOR_BYTES;
    struct cow_dirty_run next = *run;
    int status = 0;
    *end = run->first_sector + run->sectors;
    while (*end < most) {
        status = selection_next(c->plan->selection, *end, &next, c->err);
        if (status != 0 || next.sectors == 0 || next.first_sector - *end > JOIN_SECTORS ||
            next.first_sector + next.sectors > most) {
            break;
        }
        *end = next.first_sector + next.sectors;
    }
    return status;
}

/* Writes the selected runs of [begin, end) out of one reading. */
static int write_stretch(struct commit *c, uint8_t *buffer, const struct cow_dirty_run *first, uint64_t end)
{
    struct cow_image *img = c->plan->img;
    const uint64_t from = first->first_sector * SECTOR_BYTES;
    const uint64_t to = arith_min(end * SECTOR_BYTES, img->header.size_bytes);
    struct cow_dirty_run run = *first;
    int status = cow_image_read(img, from, buffer, (size_t)(to - from), c->err);
    while (status == 0 && run.sectors > 0 && run.first_sector < end) {
        const uint64_t at = run.first_sector * SECTOR_BYTES;
        const uint64_t stop = arith_min(at + run.sectors * SECTOR_BYTES, to);
        status = compose_write(c, buffer + (at - from), (size_t)(stop - at), c->plan->layout.data_offset + at,
                               c->plan->punch_zeros);
        if (status == 0) {
            status = commit_advance(c, stop - at);
        }
        if (status == 0) {
            status = selection_next(c->plan->selection, run.first_sector + run.sectors, &run, c->err);
        }
    }
    return status;
}

/* A run that fills a buffer is moved by itself; without punching zeros, whole. */
static int write_run(struct commit *c, uint8_t *buffer, const struct cow_dirty_run *run)
{
    const uint64_t begin = run->first_sector * SECTOR_BYTES;
    const uint64_t end = arith_min(begin + run->sectors * SECTOR_BYTES, c->plan->img->header.size_bytes);
    return compose_range(c, buffer, begin, end, c->plan->layout.data_offset, c->plan->punch_zeros);
}

static int write_all(struct commit *c, uint8_t *buffer)
{
    struct cow_dirty_run run = {0, 0};
    uint64_t end = 0;
    int status = 0;
    do {
        status = selection_next(c->plan->selection, end, &run, c->err);
        if (status == 0 && run.sectors > 0) {
            if (run.sectors >= COMMIT_BUFFER_BYTES / SECTOR_BYTES) {
                end = run.first_sector + run.sectors;
                status = write_run(c, buffer, &run);
            } else {
                status = stretch_end(c, &run, &end);
                status = status == 0 ? write_stretch(c, buffer, &run, end) : status;
            }
        }
    } while (status == 0 && run.sectors > 0);
    return status;
}

int commit_write_selection(struct commit *c)
{
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    if (buffer == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    int status = write_all(c, buffer);
    free(buffer);
    return status;
}
