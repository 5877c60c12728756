/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By header, where the data may stay: room for the new bits is made outside the old layout, and then
 * one write of the first sector makes the disk larger. That takes as long for 8 TiB as for 64 MiB.
 * Chosen for a v3 with sectors of 512 bytes whose data offset is the same for the new size.
 *
 * The steps, and what a crash in the middle of each leaves:
 *
 * - lock, check-space: nothing new. Both files are fsynced, for a guest's own flush does nothing in
 *   UML.
 * - journal: no journal, or a whole one (settle_write_journal). From here on recovery goes back, until
 *   the first sector is the new one.
 * - copy-backing (policy copy): the old image, and a private backing file that recovery removes.
 * - prepare-in-place: the old image, for nobody looks past the bits that its header counts; recovery
 *   puts the bytes back that were cleared.
 * - extend-backing (policy extend): the old image, which a stock kernel refuses, for the sizes differ;
 *   recovery cuts the backing file again.
 * - write-header: the old image or the new one. Sectors of 512 bytes are written as a whole or not at
 *   all; where a disk tears one all the same, journal.c knows the pieces.
 * - end-journal: the new image. The journal, renamed, is the undo data.
 *
 * The order is what makes it safe: bits are cleared, durably, before a header counts them, and on the
 * way back the first sector is written before anything else. The backing file is lengthened before the
 * header is written because lengthening can fail (a limit, a full disk), and then nothing has changed
 * yet.
 *
 * The shared byte: where the old number of sectors is no multiple of 8, the last byte of the old bits
 * becomes the first of the new ones. A guest that starts between a crash and recovery may set one of
 * the old bits there, so only the bits above them are put back, and the file is never cut below the end
 * of the old layout.
 *
 * Deliberately not done: the date of the image is not put back on the way back after a crash, for a
 * guest may have run since; and a change that was written but not yet dated when it was cut off is
 * finished, but cannot be undone, for nobody can tell whether the image was written to since.
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
    return settle_set_bits(c->io, c->image_fd, c->plan->result.layout.bitmap_offset, born->first_sector,
                           born->sectors);
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

/* The commit of a change by header; its date, by which later writes are noticed. 0 or -errno. */
static int write_new_sector(struct commit *c)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.new_mtime};
    int status = io_write(c->io, c->image_fd, c->record.new_sector, sizeof c->record.new_sector, 0);
    if (status == 0) {
        status = c->io->futimens(c->io->context, c->image_fd, times);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->image_fd) : status;
}

int commit_write_header(struct commit *c)
{
    const int status = write_new_sector(c);
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

/* The header is the new one already; but for one of several images, which were ready all when it was decided
 * that they go on (plan_family.c). */
static int header_forward(struct commit *c)
{
    const int status = retreat_backing(c, false);
    const bool is_ready = c->plan->kin != NULL && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD;
    return status == 0 && is_ready ? write_new_sector(c) : status;
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
    int status = settle_header_back(c->io, &c->record, c->image_fd, c->plan->purpose == PLAN_UNDOES);
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    return status == 0 ? retreat_end_undo(c) : status;
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
