/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By header, and sectors of the disk are written over with it: the filesystem was given the new size. What
 * writes it has done so already, on an overlay: a COW file of its own on the image, which nobody else has
 * seen and which has no name (write/step_fs.c). Here what that holds is taken over.
 *
 * The steps, and what a crash in the middle of each leaves:
 *
 * - lock, check-space, resize-filesystem: nothing new.
 * - journal: no journal, or a whole one, with all that will be written over. Recovery goes back.
 * - copy-backing (policy copy): the old image, and a private backing file that recovery removes.
 * - take-over: the old image; then a marked one, flushed before anything is written over. Recovery puts back
 * what the record holds. Data and bits are flushed together, once: nobody reads a marked image.
 * - extend-backing (policy extend): the same; recovery cuts the backing file again.
 * - write-header: a marked image or the new one, by one write of the first sector.
 * - end-journal: the new image. The journal, renamed, is the undo data.
 *
 * There is no going on from a marked image: the overlay is gone with the process, and what it held would have
 * to be worked out anew. Undo is the way back with a mark at its beginning; there is no other way then,
 * either.
 *
 * The mark is why the way back is simple: no guest has run in between, so all of it is exact.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/grow.h"
#include "core/bits/bitmap.h"
#include "core/commit/method.h"
#include "core/commit/retreat.h"
#include "core/commit/settle.h"
#include "core/commit/step_shift.h"
#include "core/commit/steps.h"
#include "core/ledger/journal.h"

enum { PIECE_BYTES = 1024 * 1024, SAVED_BYTES_MAX = RECORD_BYTES_MAX / 2 };

/* Calls `each` for every run of sectors that the overlay has, until that answers other than 0. */
static int each_run(struct commit *c,
                    int (*each)(struct commit *c, uint64_t first_sector, uint64_t end_sector))
{
    const struct cow_layout *layout = &c->plan->result.layout;
    struct bitmap *bits = NULL;
    uint64_t first = 0, end = 0;
    int status = bitmap_open(&bits, c->io, c->out_fd, layout->bitmap_offset, layout->sectors, c->err);
    while (status == 0) {
        status = bitmap_next_run(bits, end, &first, &end, c->err);
        if (status != 0 || first == end) {
            break;
        }
        status = each(c, first, end);
        if (status < 0 && c->err->status == 0) {
            status = commit_failed(c, status, "writing", c->plan->target.path);
        }
    }
    bitmap_close(bits);
    return status;
}

/* ---- before: what will be written over ---- */

static int too_much(struct commit *c)
{
    cow_error_set(c->err, COW_REFUSED, "%s: more of it would be written over than can be kept for going back",
                  c->plan->img->path);
    return cow_error_hint(c->err, "\"--method copy\" writes a new image instead");
}

/* One range, in the file as it is: its end is no reason to remember zeros. */
static int save(struct commit *c, uint64_t offset, uint64_t n_bytes)
{
    struct record *r = &c->record;
    while (n_bytes > 0 && offset < r->old_file_bytes) {
        const uint64_t piece = arith_min(arith_min(n_bytes, PIECE_BYTES), r->old_file_bytes - offset);
        void *larger = grow_array(r->more, r->n_more, &c->room_for_more, sizeof *r->more);
        if (larger == NULL) {
            return -ENOMEM;
        }
        r->more = larger;
        if (r->n_more == RECORD_MORE_MAX || c->saved_bytes > SAVED_BYTES_MAX) {
            return too_much(c);
        }
        struct record_saved *saved = &r->more[r->n_more++]; /* freed with the record, read or not */
        const int status = commit_save_range(c, saved, offset, piece);
        if (status < 0) {
            return status;
        }
        c->saved_bytes += saved->held_bytes;
        offset += piece;
        n_bytes -= piece;
    }
    return 0;
}

static int save_run(struct commit *c, uint64_t first_sector, uint64_t end_sector)
{
    const struct cow_layout *layout = &c->plan->result.layout;
    const uint64_t bytes =
        arith_min(end_sector * 512, c->plan->result.header.size_bytes) - first_sector * 512;
    int status = save(c, cow_layout_place(layout, first_sector * 512), bytes);
    return status == 0 ? save(c, layout->bitmap_offset + first_sector / 8,
                              arith_div_up(end_sector, 8) - first_sector / 8)
                       : status;
}

int commit_save_content(struct commit *c)
{
    return each_run(c, save_run);
}

/* ---- taking over ---- */

static int copy_data(struct commit *c, uint8_t *buffer, uint64_t offset, uint64_t n_bytes)
{
    int status = 0;
    for (uint64_t at = offset, end = offset + n_bytes; at < end && status == 0;) {
        struct io_extent extent;
        status = io_extent_at(c->io, c->out_fd, at, end, &extent);
        if (status < 0) {
            return status;
        }
        const uint64_t piece = extent.data ? arith_min(extent.end - at, PIECE_BYTES) : extent.end - at;
        if (!extent.data) {
            status = io_punch(c->io, c->image_fd, at, piece);
        } else {
            status = io_read_padded(c->io, c->out_fd, buffer, (size_t)piece, at);
            status = status == 0 ? io_write(c->io, c->image_fd, buffer, (size_t)piece, at) : status;
        }
        at += piece;
    }
    return status;
}

static int copy_run(struct commit *c, uint64_t first_sector, uint64_t end_sector)
{
    const uint64_t end = arith_min(end_sector * 512, c->plan->result.header.size_bytes);
    uint8_t *buffer = malloc(PIECE_BYTES);
    int status = buffer == NULL
                     ? -ENOMEM
                     : copy_data(c, buffer, cow_layout_place(&c->plan->result.layout, first_sector * 512),
                                 end - first_sector * 512);
    free(buffer);
    return status == 0 ? commit_advance(c, end - first_sector * 512) : status;
}

static int set_bits_of_run(struct commit *c, uint64_t first_sector, uint64_t end_sector)
{
    return settle_set_bits(c->io, c->image_fd, c->plan->result.layout.bitmap_offset, first_sector,
                           end_sector - first_sector);
}

static int flush(struct commit *c)
{
    int status = c->io->fsync(c->io->context, c->image_fd);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->target.path) : 0;
}

int commit_take_over(struct commit *c)
{
    int status = shift_write_mark(c, c->record.old_sector);
    status = status < 0 ? commit_failed(c, status, "marking", c->plan->target.path) : flush(c);
    if (status == 0) {
        status = commit_prepare(c); /* which lengthens and flushes */
    }
    if (status == 0) {
        status = each_run(c, copy_run);
    }
    if (status == 0) { /* in what order they arrive is of no matter: nobody reads a marked image */
        status = each_run(c, set_bits_of_run);
    }
    return status == 0 ? flush(c) : status;
}

/* ---- going back ---- */

/* From a marked image to the old one. */
static int put_back(struct commit *c)
{
    const struct record *r = &c->record;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, r->old_mtime};
    int status = settle_ranges_back(c->io, r, c->image_fd);
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->image_fd, r->old_file_bytes);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    if (status == 0) {
        status = io_write(c->io, c->image_fd, r->old_sector, sizeof r->old_sector, 0);
    }
    if (status == 0) {
        status = c->io->futimens(c->io->context, c->image_fd, times);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->image_fd) : status;
}

static int settle_others_back(struct commit *c)
{
    const int status = retreat_backing(c, true);
    return status == 0 ? retreat_remove_copy(c) : status;
}

/* A power cut can bring back the name that the overlay had for a moment. The image is locked: it is nobody
 * else's. */
static int drop_overlay(struct commit *c)
{
    char path[PATH_MAX];
    const int status = c->io->unlink(c->io->context, side_path(path, c->plan->target.path, SIDE_NEW));
    return status == -ENOENT ? 0 : status;
}

static int content_forward(struct commit *c)
{
    const int status = drop_overlay(c);
    return status == 0 ? retreat_backing(c, false) : status;
}

/* Without the mark nothing was written over yet, or all is back; and a guest may have run since. */
static int content_back(struct commit *c)
{
    int status = drop_overlay(c);
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_HALF) {
        status = put_back(c);
    }
    return status == 0 ? settle_others_back(c) : status;
}

/* A header that was written, though that answered an error, is the marked one again first. */
static int content_take_back(struct commit *c)
{
    int status = 0;
    if (c->marked) {
        status = shift_write_mark(c, c->record.old_sector);
        status = status == 0 ? c->io->fsync(c->io->context, c->image_fd) : status;
        status = status == 0 ? put_back(c) : status;
    }
    return status == 0 ? settle_others_back(c) : status;
}

/* The way back that the user asked for. */
static int undo_content_forward(struct commit *c)
{
    const enum journal_view view = journal_view(&c->record, c->plan->img);
    int status = 0;
    if (view == JOURNAL_SEES_NEW) {
        status = shift_write_mark(c, c->record.new_sector);
        status = status == 0 ? c->io->fsync(c->io->context, c->image_fd) : status;
    }
    if (status == 0 && view != JOURNAL_SEES_OLD) {
        status = put_back(c);
    }
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    return status == 0 ? retreat_end_undo(c) : status;
}

/* An undo that was interrupted, and then somebody used the new image: it stays. */
static int undo_content_back(struct commit *c)
{
    return retreat_backing(c, false);
}

const struct method method_content = {.forward = content_forward,
                                      .back = content_back,
                                      .take_back = content_take_back,
                                      .end = JOURNAL_BECOMES_UNDO};

const struct method method_undo_content = {
    .forward = undo_content_forward, .back = undo_content_back, .end = JOURNAL_GOES};
