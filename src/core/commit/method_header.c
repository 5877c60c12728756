/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By header, where the data may stay: room for the new bits is made outside the old layout, and then one
 * write of the first sector makes the disk larger. That takes as long for 8 TiB as for 64 MiB. The order is
 * what makes it safe: nobody reads bits behind the old layout before the first sector says that they are
 * there, and on the way back that sector is written first of all.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/commit/method.h"
#include "core/commit/retreat.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"

/* The byte that old and new bits share, with what lies past the old end cleared. */
static int clean_shared_byte(struct commit *c)
{
    const struct record *r = &c->record;
    const uint8_t byte = (uint8_t)(r->shared_byte & ((1u << r->shared_bits % 8) - 1));
    return r->shared_bits == 0 ? 0 : io_write(c->io, c->image_fd, &byte, 1, r->shared_offset);
}

/* Zeros over what a range holds. */
static int clean_range(struct commit *c, const struct record_saved *saved)
{
    if (saved->held_bytes == 0) {
        return 0;
    }
    uint8_t *zeros = calloc(1, (size_t)saved->held_bytes);
    if (zeros == NULL) {
        return -ENOMEM;
    }
    int status = io_write(c->io, c->image_fd, zeros, (size_t)saved->held_bytes, saved->offset);
    free(zeros);
    return status;
}

/* policy keep: the new sectors are dirty. */
static int set_born_bits(struct commit *c)
{
    const struct cow_dirty_run *born = &c->plan->result.born_dirty;
    uint8_t piece[4096];
    uint64_t end = born->first_sector + born->sectors;
    int status = 0;
    for (uint64_t sector = born->first_sector; sector < end && status == 0;) {
        uint64_t first_byte = sector / 8;
        uint64_t stop = arith_min(end, (first_byte + sizeof piece) * 8);
        size_t n_bytes = (size_t)(arith_div_up(stop, 8) - first_byte);
        uint64_t offset = c->plan->result.layout.bitmap_offset + first_byte;
        status = io_read_padded(c->io, c->image_fd, piece, n_bytes, offset);
        for (; sector < stop; sector++) {
            piece[sector / 8 - first_byte] |= (uint8_t)(1u << sector % 8);
        }
        if (status == 0) {
            status = io_write(c->io, c->image_fd, piece, n_bytes, offset);
        }
    }
    return status;
}

int commit_prepare(struct commit *c)
{
    int status = clean_shared_byte(c);
    if (status == 0) {
        status = clean_range(c, &c->record.saved[0]);
    }
    if (status == 0) {
        status = clean_range(c, &c->record.saved[1]);
    }
    if (status == 0 && c->record.new_file_bytes > c->record.old_file_bytes) {
        status = c->io->ftruncate(c->io->context, c->image_fd, c->record.new_file_bytes);
    }
    if (status == 0) {
        status = set_born_bits(c);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    return status < 0 ? commit_failed(c, status, "preparing", c->plan->target.path) : 0;
}

int commit_write_header(struct commit *c)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.new_mtime};
    int status = io_write(c->io, c->image_fd, c->record.new_sector, sizeof c->record.new_sector, 0);
    if (status == 0) {
        status = c->io->futimens(c->io->context, c->image_fd, times);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    if (status < 0) {
        return commit_failed(c, status, "writing the header of", c->plan->target.path);
    }
    c->renamed = true;
    return 0;
}

static int header_go_back(struct commit *c, bool exact)
{
    int status = settle_header_back(c->io, &c->record, c->image_fd, exact);
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

/* The header is the new one already. */
static int header_forward(struct commit *c)
{
    return retreat_backing(c, false);
}

static int header_back(struct commit *c)
{
    return header_go_back(c, false);
}

static int header_take_back(struct commit *c)
{
    return header_go_back(c, true);
}

/* The way back that the user asked for. Only the first time nobody can have written since it was asked for.
 */
static int undo_header_forward(struct commit *c)
{
    char undo[PATH_MAX];
    int status = settle_header_back(c->io, &c->record, c->image_fd, c->plan->purpose == PLAN_UNDOES);
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    if (status == 0) {
        status = c->io->unlink(c->io->context, side_path(undo, c->plan->target.path, SIDE_UNDO));
        status = status == -ENOENT ? 0 : status;
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

/* An undo that was interrupted, and then somebody used the new image: it stays, with a backing file of its
 * size. */
static int undo_header_back(struct commit *c)
{
    return retreat_backing(c, false);
}

const struct method method_header = {.forward = header_forward,
                                     .back = header_back,
                                     .take_back = header_take_back,
                                     .end = JOURNAL_BECOMES_UNDO};

const struct method method_undo_header = {
    .forward = undo_header_forward, .back = undo_header_back, .end = JOURNAL_GOES};
