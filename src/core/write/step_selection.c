/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The data of a new image whose dirty sectors were selected anew: what the disk shows there, from
 * wherever it is. The selection is asked a second time; the plan asked it to count. That the answer is
 * the same rests on the locks and on the check that the files are those of the plan
 * (commit/step_lock.c).
 */
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/plan/stretch.h"
#include "core/write/compose.h"
#include "core/write/fill.h"

enum {
    SECTOR_BYTES = 512,
    PAGE_BYTES = 4096,
    JOIN_SECTORS = 64 * 1024 / SECTOR_BYTES,
};

/* Where the stretch that begins with this run ends: runs that are near are read together. */
static int stretch_end(struct commit *c, const struct cow_dirty_run *run, uint64_t *end)
{
    const uint64_t most = run->first_sector + COMMIT_BUFFER_BYTES / SECTOR_BYTES;
    struct cow_dirty_run next = *run;
    int status = 0;
    *end = run->first_sector + run->sectors;
    while (*end < most) {
        status = selection_next(c->plan->result.selection, *end, &next, c->err);
        if (status != 0 || next.sectors == 0 || next.first_sector - *end > JOIN_SECTORS ||
            next.first_sector + next.sectors > most) {
            break;
        }
        *end = next.first_sector + next.sectors;
    }
    return status;
}

/* Writes what is no hole of the disk in [begin, end), out of a buffer that begins at `from`; where zeros are
 * punched, without its blocks of zeros. */
static int write_data(struct commit *c, const uint8_t *buffer, uint64_t from, uint64_t begin, uint64_t end)
{
    const struct cow_layout *to = &c->plan->result.layout;
    struct piece piece;
    int status = 0;
    for (uint64_t at = begin; at < end && status == 0; at = piece.end_bytes) {
        status = piece_next(&piece, c->plan->img, at, end, true, c->err);
        if (status == 0 && piece.kind == PIECE_READ) {
            status = compose_write(c, buffer + (at - from), (size_t)(piece.end_bytes - at),
                                   cow_layout_place(to, at), c->plan->result.punch_zeros);
        }
    }
    return status == 0 ? commit_advance(c, end - begin) : status;
}

/* Writes the selected runs of [begin, end) out of one reading. */
static int write_selected_stretch(struct commit *c, uint8_t *buffer, const struct cow_dirty_run *first,
                                  uint64_t end)
{
    struct cow_image *img = c->plan->img;
    const uint64_t from = first->first_sector * SECTOR_BYTES;
    const uint64_t to = arith_min(end * SECTOR_BYTES, img->header.size_bytes);
    struct cow_dirty_run run = *first;
    int status = cow_image_read(img, from, buffer, (size_t)(to - from), c->err);
    while (status == 0 && run.sectors > 0 && run.first_sector < end) {
        const uint64_t at = run.first_sector * SECTOR_BYTES;
        status = write_data(c, buffer, from, at, arith_min(at + run.sectors * SECTOR_BYTES, to));
        if (status == 0) {
            status = selection_next(c->plan->result.selection, run.first_sector + run.sectors, &run, c->err);
        }
    }
    return status;
}

/* A piece of short runs, a buffer at a time, so that blocks of the new file are not taken apart. */
static int write_read(struct commit *c, uint8_t *buffer, uint64_t at, uint64_t end)
{
    const struct cow_layout *to = &c->plan->result.layout;
    int status = 0;
    for (uint64_t n; at < end && status == 0; at += n) {
        n = arith_min(COMMIT_BUFFER_BYTES - cow_layout_place(to, at) % PAGE_BYTES, end - at);
        status = cow_image_read(c->plan->img, at, buffer, (size_t)n, c->err);
        status = status == 0 ? write_data(c, buffer, at, at, at + n) : status;
    }
    return status;
}

static int write_selected_piece(struct commit *c, uint8_t *buffer, const struct piece *piece, uint64_t at)
{
    const struct cow_image *img = c->plan->img;
    const uint64_t to = cow_layout_place(&c->plan->result.layout, at);
    switch (piece->kind) {
    case PIECE_HOLE:
        break;
    case PIECE_COW:
        return commit_transfer_disk(c, COW_FILE_COW, at, piece->end_bytes, to);
    case PIECE_BACKING:
        return commit_transfer_disk(c, COW_FILE_BACKING, at,
                                    arith_min(piece->end_bytes, img->backing.facts.size_bytes), to);
    case PIECE_READ:
        return write_read(c, buffer, at, piece->end_bytes);
    }
    return commit_advance(c, 0);
}

/* A run that fills a buffer. */
static int write_run(struct commit *c, uint8_t *buffer, const struct cow_dirty_run *selected)
{
    struct cow_image *img = c->plan->img;
    const uint64_t end =
        arith_min((selected->first_sector + selected->sectors) * SECTOR_BYTES, img->header.size_bytes);
    struct piece piece;
    int status = 0;
    for (uint64_t at = selected->first_sector * SECTOR_BYTES; at < end && status == 0; at = piece.end_bytes) {
        status = piece_next(&piece, img, at, end, c->plan->result.punch_zeros, c->err);
        status = status == 0 ? write_selected_piece(c, buffer, &piece, at) : status;
    }
    return status;
}

static int write_all_selected(struct commit *c, uint8_t *buffer)
{
    struct cow_dirty_run run = {0, 0};
    uint64_t end = 0;
    int status = 0;
    do {
        status = selection_next(c->plan->result.selection, end, &run, c->err);
        if (status == 0 && run.sectors > 0) {
            if (run.sectors >= COMMIT_BUFFER_BYTES / SECTOR_BYTES) {
                end = run.first_sector + run.sectors;
                status = write_run(c, buffer, &run);
            } else {
                status = stretch_end(c, &run, &end);
                status = status == 0 ? write_selected_stretch(c, buffer, &run, end) : status;
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
    int status = write_all_selected(c, buffer);
    free(buffer);
    return status;
}
