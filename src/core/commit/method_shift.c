/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * In place, where the data has to move: the filesystem inserts the room, or the bytes are moved piece by
 * piece (core/shift). Unlike the other methods there is a long time in which the image is neither the old one
 * nor the new one. It is marked then, so that no kernel opens it; the record says what it was and will be,
 * the position file how far it is; and both ways are open all the time.
 *
 * The steps, and what a crash in the middle of each leaves:
 *
 * - journal, copy-backing: the old image. Recovery goes back.
 * - mark: the position file first, durably, then mark and id by one write of the first sector. Before that
 * the old image; after it a marked one with nothing moved.
 * - shift-data: a marked image with a gap somewhere (beside/half.h).
 * - write-bits: the same, the gap at the beginning. Going back empties it first; where the filesystem moves,
 *   that it is filled is noted before, for the gap is known there by what is empty.
 * - extend-backing: the same.
 * - write-header: a marked image or the new one, by one write of the first sector.
 * - clear-up: the new image with leftovers outside of its layout. Recovery goes forward.
 * - end-journal: the new image. The journal, renamed, is the undo data.
 *
 * Undo is the same from the other end: the mark first, then the old bits at their old place, then the gap
 * goes to the end.
 *
 * A stop or an error leaves it half way, with words: going back might take as long as going on, and which is
 * wanted is not ours to say. Only where nothing has been moved, or the filesystem moves, it is taken back at
 * once.
 */
#include <errno.h>
#include <string.h>

#include "core/commit/method.h"
#include "core/commit/retreat.h"
#include "core/commit/settle.h"
#include "core/commit/step_shift.h"
#include "core/ledger/journal.h"
#include "core/ledger/state.h"

/* The end of being half way. The position file is dated just before, so that a date of the image that follows
 * at once is known for ours: a cut-off one can be undone then. */
static int end_half(struct commit *c, const uint8_t sector[RECORD_SECTOR_BYTES])
{
    int status = settle_date_position(c->io, c->plan->target.path);
    if (status == 0) {
        status = io_write(c->io, c->image_fd, sector, RECORD_SECTOR_BYTES, 0);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->image_fd) : status;
}

/* From half way to the new image. Where an undo has only begun, all of it is there. */
static int half_to_upper(struct commit *c)
{
    int status = 0;
    if (c->shift.half.phase != HALF_LEAVING) {
        status = shift_go(c, true, true);
        status = status == 0 ? shift_fill(c) : status;
    }
    if (status == 0) {
        status = retreat_backing(c, false);
    }
    if (status == 0) {
        status = end_half(c, c->record.new_sector);
    }
    return status == 0 ? shift_clear_up(c, true, &c->record.new_mtime) : status;
}

/* The bits of the old layout where they were: in the new one nothing lies there. */
static int lay_old_bits(struct commit *c)
{
    struct cow_layout layout[2];
    const struct cow_layout *old = &layout[0], *new = &layout[1];
    int status = shift_layouts(c, layout);
    if (status == 0 && old->bitmap_offset != new->bitmap_offset) {
        status = shift_copy(&c->shift, new->bitmap_offset, new->bitmap_offset + old->bitmap_bytes,
                            old->bitmap_offset);
    }
    if (status == 0) {
        status = settle_shared_byte_back(c->io, &c->record, c->image_fd);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    return status == 0 ? shift_fill_begins(&c->shift) : status;
}

/* From half way to the old image. */
static int half_to_lower(struct commit *c, bool can_stop)
{
    int status = c->shift.half.phase == HALF_LEAVING ? lay_old_bits(c) : 0;
    if (status == 0) {
        status = shift_go(c, false, can_stop);
    }
    if (status == 0) {
        status = settle_ranges_back(c->io, &c->record, c->image_fd);
    }
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->image_fd, c->record.old_file_bytes);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    if (status == 0) {
        status = end_half(c, c->record.old_sector);
    }
    return status == 0 ? shift_clear_up(c, false, &c->record.old_mtime) : status;
}

/* Has the image the date that the last writes outside of its data gave it? They come at once after the
 * position file is dated, and that is dated again only where the date before was ours: so one that is older
 * is, too. A guest that has run since has written later. */
static bool is_dated_by_us(const struct commit *c)
{
    char path[PATH_MAX];
    struct stat position;
    const struct stat *facts = &c->plan->img->cow.facts;
    if ((uint64_t)facts->st_size != c->record.new_file_bytes ||
        c->io->lstat(c->io->context, side_path(path, c->plan->target.path, SIDE_POSITION), &position) < 0 ||
        !S_ISREG(position.st_mode) ||
        side_check_owner(c->io, path, &position, facts, c->plan->img->path, NULL) != 0) {
        return false;
    }
    return state_nanoseconds_between(position.st_mtim, facts->st_mtim) <=
           (int64_t)STATE_SLOW_NS + STATE_GRAIN_NS;
}

/* What lies outside of the new layout still. Where nobody has written since, the date says so again. */
static int finish_upper(struct commit *c)
{
    const bool unwritten = journal_unwritten(&c->record, &c->plan->img->cow.facts, true) || is_dated_by_us(c);
    return shift_clear_up(c, true, unwritten ? &c->record.new_mtime : NULL);
}

/* There was no mark yet, or there is none any more; a guest may have run. */
static int finish_lower(struct commit *c, bool exact)
{
    int status = settle_header_back(c->io, &c->record, c->image_fd, exact);
    return status == 0 ? shift_clear_up(c, false, exact ? &c->record.old_mtime : NULL) : status;
}

static int to_upper(struct commit *c)
{
    int status = journal_view(&c->record, c->plan->img) == JOURNAL_SEES_HALF ? shift_open_position(c) : 1;
    c->marked = status <= 0;
    if (status > 0) {
        status = retreat_backing(c, false);
        return status == 0 ? finish_upper(c) : status;
    }
    return status == 0 ? half_to_upper(c) : status;
}

static int to_lower(struct commit *c)
{
    int status = journal_view(&c->record, c->plan->img) == JOURNAL_SEES_HALF ? shift_open_position(c) : 1;
    c->marked = status <= 0;
    status = status > 0 ? finish_lower(c, false) : status == 0 ? half_to_lower(c, true) : status;
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

/* A header that was written, though that answered an error, is the marked one again first. */
static int shift_take_back(struct commit *c)
{
    const struct half *half = &c->shift.half;
    int status;
    if (!c->marked) {
        status = finish_lower(c, true);
    } else if (half->inserts != 0 || half->gap == half_end(half)) {
        status = shift_write_mark(c, c->record.old_sector);
        if (status == 0) {
            status = c->io->fsync(c->io->context, c->image_fd);
        }
        status = status == 0 ? half_to_lower(c, false) : status;
    } else {
        return -EINPROGRESS;
    }
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

/* The beginning of an undo: the new image, which nobody has written to, becomes a half-moved one. The mark is
 * flushed with the old bits. */
static int leave_upper(struct commit *c)
{
    struct cow_layout layout[2];
    int status = shift_layouts(c, layout);
    if (status == 0) {
        status = shift_make_position(c, layout, true);
    }
    if (status == 0) { /* as end_half */
        status = settle_date_position(c->io, c->plan->target.path);
    }
    return status == 0 ? shift_write_mark(c, c->record.new_sector) : status;
}

/* The way back that the user asked for. */
static int undo_shift_forward(struct commit *c)
{
    int status = 0;
    if (journal_view(&c->record, c->plan->img) == JOURNAL_SEES_NEW) {
        status = leave_upper(c);
        status = status == 0 ? half_to_lower(c, true) : status;
        status = status == 0 ? retreat_backing(c, true) : status;
    } else {
        status = to_lower(c);
    }
    return status == 0 ? retreat_end_undo(c) : status;
}

const struct method method_shift = {
    .forward = to_upper, .back = to_lower, .take_back = shift_take_back, .end = JOURNAL_BECOMES_UNDO};

const struct method method_undo_shift = {
    .forward = undo_shift_forward, .back = to_upper, .end = JOURNAL_GOES};
