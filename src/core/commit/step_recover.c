/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps of recover and undo: going on with what was interrupted, going back, giving up what could be
 * undone. Every call can be interrupted and repeated. It acts only under the lock, and decides again there
 * (recover_check.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "core/commit/retreat.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"
#include "core/ledger/state.h"
#include "core/plan/recover_check.h"

/* A crash may have left what was written in the page cache only, and the date unset. */
static int flush_new_file(struct commit *c)
{
    char path[PATH_MAX];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.new_mtime};
    int status = retreat_hold(c, side_path(path, c->plan->target_path, SIDE_NEW));
    if (status == 0) {
        status = c->io->futimens(c->io->context, c->out_fd, times);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->out_fd) : status;
}

static int copy_forward(struct commit *c)
{
    char temp[PATH_MAX], old[PATH_MAX];
    bool counted = false;
    const char *image = c->plan->target_path;
    int status = retreat_backing(c, false);
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD) {
        status = flush_new_file(c);
    }
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD) {
        side_path(old, image, SIDE_OLD);
        settle_remove(c->io, &c->record, old, c->record.old_inode);
        if (c->record.keeps_undo) {
            (void)settle_link_old(c->io, image, c->image_fd); /* without hard links there is no undo */
            counted = true;
        }
        status = c->io->rename(c->io->context, side_path(temp, image, SIDE_NEW), image, true);
        if (status == 0) {
            status = io_sync_directory(c->io, image);
        }
    }
    return status == 0 && c->record.keeps_undo ? settle_keep_undo(c->io, &c->record, image, SIDE_OLD, counted)
                                               : status;
}

/* The way back that the user asked for. 0 or -errno. */
static int undo_back(struct commit *c)
{
    char undo[PATH_MAX];
    const char *image = c->plan->target_path;
    const struct record *r = &c->record;
    int status;
    c->renamed = true; /* from here on: what is left is finished by recovery, not taken back */
    side_path(undo, image, SIDE_UNDO);
    if (r->kind == RECORD_UNDO_COPY) {
        status = retreat_hold(c, undo);
        if (status == 0) {
            status = settle_revive_undo(c->io, r, undo);
        }
        bool there = status != -ENOENT;
        if (!there && journal_view(r, c->plan->img) == JOURNAL_SEES_OLD) {
            status = 0; /* it has its old name already */
        }
        if (status == 0) {
            status = retreat_backing(c, true);
        }
        if (status == 0 && there) {
            status = c->io->rename(c->io->context, undo, image, true);
        }
        if (status == 0) {
            status = io_sync_directory(c->io, image);
        }
    } else {
        status = settle_in_place_back(c->io, r, c->image_fd, c->plan->undoes);
        if (status == 0) {
            status = retreat_backing(c, true);
        }
        if (status == 0) {
            status = c->io->unlink(c->io->context, undo);
            status = status == -ENOENT ? 0 : status;
        }
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

int commit_undo(struct commit *c)
{
    int status = 1;                                /* it is ours, or none is written */
    if (c->record.extends && c->backing_fd >= 0) { /* asked before anything is written */
        status = state_backing_is_ours(c->io, &c->record, c->plan->target_path, c->backing_fd, true);
    }
    if (status == 0) {
        return state_refuse_backing(&c->record, c->err);
    }
    status = status < 0 ? status : undo_back(c);
    return status < 0 ? commit_failed(c, status, "going back to the old", c->plan->target_path) : 0;
}

/* An undo that was interrupted, and then somebody used the new image: it stays, with a backing file of its
 * size, and so does what undoes it. */
static int abandon_undo(struct commit *c)
{
    int status = retreat_backing(c, false);
    return status == 0 && c->record.kind == RECORD_UNDO_COPY
               ? settle_keep_undo(c->io, &c->record, c->plan->target_path, SIDE_UNDO, false)
               : status;
}

static int run_direction(struct commit *c, enum direction direction)
{
    switch ((enum record_kind)c->record.kind) {
    case RECORD_COPY:
        return direction == FORWARD ? copy_forward(c) : retreat_from_copy(c);
    case RECORD_IN_PLACE:
        return direction == FORWARD ? retreat_backing(c, false) : retreat_in_place(c, false);
    case RECORD_MERGE:
        return direction == FORWARD ? merge_forward(c) : retreat_from_merge(c);
    case RECORD_UNDO_COPY:
    case RECORD_UNDO_IN_PLACE:
        return direction == FORWARD ? undo_back(c) : abandon_undo(c);
    }
    return -EINVAL;
}

/* A change in place that is done leaves its journal as the undo file. */
static int end_journal(struct commit *c, enum direction direction)
{
    char journal[PATH_MAX], undo[PATH_MAX];
    const char *image = c->plan->target_path;
    side_path(journal, image, SIDE_JOURNAL);
    int status = c->record.kind == RECORD_IN_PLACE && direction == FORWARD
                     ? c->io->rename(c->io->context, journal, side_path(undo, image, SIDE_UNDO), true)
                     : c->io->unlink(c->io->context, journal);
    if (status == 0 && c->record.kind == RECORD_MERGE &&
        direction == FORWARD) { /* of a change before: of no use */
        status = c->io->unlink(c->io->context, side_path(undo, image, SIDE_UNDO));
        status = status == -ENOENT ? 0 : status;
    }
    return status == 0 ? io_sync_directory(c->io, image) : status;
}

int commit_recover(struct commit *c)
{
    bool found;
    c->renamed = true; /* nothing of this is taken back */
    int status = journal_read(&c->record, &found, c->plan->img, SIDE_JOURNAL, NULL, c->err);
    if (status != 0) {
        return status;
    }
    if (!found) {
        return cow_error_set(c->err, COW_REFUSED, "%s: there is nothing to recover any more",
                             c->plan->img->path);
    }
    c->has_record = true;
    c->journal_made = true;
    status = journal_check(&c->record, c->plan->img, SIDE_JOURNAL, c->err);
    if (status != 0) {
        return status;
    }
    struct decision decision;
    status = recover_check_way(c->plan, &c->record, NOWHERE, c->err);
    if (status != 0) {
        return status;
    }
    status = recover_choose_direction(&decision, c->plan, &c->record);
    if (status < 0) {
        return commit_failed(c, status, "looking at what is left beside", c->plan->img->path);
    }
    const enum direction direction = decision.direction;
    if (direction == NOWHERE) {
        return cow_error_set(c->err, COW_REFUSED, "%s: not the image that the journal is about",
                             c->plan->img->path);
    }
    status = recover_check_way(c->plan, &c->record, direction, c->err);
    if (status == 0) {
        status = recover_check_others(c->plan, &c->record, direction, &c->plan->backing_facts, c->err);
    }
    if (status == 0 && c->backing_fd >= 0) {
        status = recover_check_backing(c->plan->img, &c->record, c->backing_fd, direction, c->err);
    }
    if (status != 0) {
        return status;
    }
    /* What is decided on must be durable first: names that only the page cache knows could be gone after a
     * power cut, and what was done by them not. */
    status = io_sync_directory(c->io, c->plan->target_path);
    if (status == 0 && c->record.copy_inode != 0) {
        status = io_sync_directory(c->io, c->record.copy_path);
    }
    if (status == 0) {
        status = run_direction(c, direction);
    }
    if (status == 0) {
        status = end_journal(c, direction);
    }
    return status < 0 ? commit_failed(c, status, "recovering", c->plan->img->path) : status;
}

int commit_discard_undo(struct commit *c)
{
    char undo[PATH_MAX];
    int status = c->io->unlink(c->io->context, side_path(undo, c->plan->target_path, SIDE_UNDO));
    if (status == 0) {
        status = io_sync_directory(c->io, undo);
    }
    return status < 0 ? commit_failed(c, status, "removing", undo) : 0;
}
