/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps of recover and undo: going on with what was interrupted, going back, giving up what could
 * be undone. Every call can be interrupted and repeated, so a crash inside recovery is recovered by
 * running it again. It acts only under the lock (another cowtui may be writing that journal's files
 * this very moment), and decides again there: whatever the plan found may have changed since.
 *
 * The directories are flushed before anything is built on them: names that only the page cache knows
 * could be gone after a power cut, and what was done by them not. The journal is dropped last.
 *
 * What is to be done by which method stands in the table of methods.h; nothing here knows a method by
 * its name.
 */

#include "core/base/trace.h"
#include "core/commit/methods.h"
#include "core/commit/step_shift.h"
#include "core/commit/steps.h"
#include "core/ledger/state.h"
#include "core/plan/method_words.h"
#include "core/plan/recover_check.h"

static int failed(struct commit *c, int status, const char *what, const char *path)
{
    return record_kind_facts(c->record.kind)->shifts ? shift_failed(c, status)
                                                     : commit_failed(c, status, what, path);
}

int commit_undo(struct commit *c)
{
    int status = 1;                                     /* it is ours, or none is written */
    if (c->record.extends != 0 && c->backing_fd >= 0) { /* asked before anything is written */
        status = state_backing_is_ours(c->io, &c->record, c->plan->target.path, c->backing_fd, true);
    }
    if (status == 0) {
        return state_refuse_backing(&c->record, c->err);
    }
    if (status > 0) {
        c->renamed = true; /* from here on: what is left is finished by recovery, not taken back */
        status = method_of(c)->forward(c);
    }
    return status < 0 ? failed(c, status, "going back to the old", c->plan->target.path) : 0;
}

int commit_check_record(struct commit *c)
{
    if (c->record.sum == c->plan->record_sum) {
        return 0;
    }
    cow_error_set(c->err, COW_REFUSED, "%s: another change of it was begun since it was looked at",
                  c->plan->img->path);
    return cow_error_hint(c->err, "look again: the plan was made from what was there before");
}

/* Decides again, under the lock, and refuses where that is not what was shown: the yes was said to the other
 * way. */
static int decide_again(struct commit *c, enum direction *out)
{
    const struct cow_image *img = c->plan->img;
    const struct record *r = &c->record;
    struct decision decision;
    int status = recover_check_way(img, r, NOWHERE, c->err);
    if (status != 0) {
        return status;
    }
    status = c->plan->kin != NULL
                 ? direction_of_member(&decision, img, r, c->plan->kin->record.committed != 0)
                 : direction_choose(&decision, img, r);
    if (status < 0) {
        return commit_failed(c, status, "looking at what is left beside", img->path);
    }
    const bool forward = c->plan->preview.method == COW_METHOD_FORWARD;
    *out = decision.has_choice ? (forward ? FORWARD : BACK) : decision.direction;
    if (*out == NOWHERE) {
        return cow_error_set(c->err, COW_REFUSED, "%s: not the image that the journal is about", img->path);
    }
    if ((*out == FORWARD) != forward) {
        cow_error_set(c->err, COW_REFUSED,
                      "%s: what is left of the change is not what it was when it was looked at", img->path);
        return cow_error_hint(c->err, "look again: recovery would go %s now",
                              *out == FORWARD ? "forward" : "back");
    }
    trace_say(c->env, COW_TRACE_DECIDE, "recovery goes %s: %s", forward ? "forward" : "back",
              method_recovery_text(r, &decision));
    status = recover_check_way(img, r, *out, c->err);
    if (status == 0) {
        status = recover_check_others(img, r, *out, &c->plan->backing.facts, c->err);
    }
    return status == 0 && c->backing_fd >= 0 ? recover_check_backing(img, r, c->backing_fd, *out, c->err)
                                             : status;
}

/* What is decided on must be durable first: names that only the page cache knows could be gone after a power
 * cut, and what was done by them not. */
static int go_that_way(struct commit *c, enum direction direction)
{
    int status = io_sync_directory(c->io, c->plan->target.path);
    if (status == 0 && c->record.copy_inode != 0) {
        status = io_sync_directory(c->io, c->record.copy_path);
    }
    if (status == 0) {
        status = direction == FORWARD ? method_of(c)->forward(c) : method_of(c)->back(c);
    }
    return status == 0 ? method_end_journal(c, direction == FORWARD) : status;
}

int commit_recover(struct commit *c)
{
    bool found;
    enum direction direction = NOWHERE;
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
    status = commit_check_record(c);
    if (status == 0) {
        status = journal_check(&c->record, c->plan->img, SIDE_JOURNAL, c->err);
    }
    if (status == 0) {
        status = decide_again(c, &direction);
    }
    if (status != 0) {
        return status;
    }
    status = go_that_way(c, direction);
    return status < 0 ? failed(c, status, "recovering", c->plan->img->path) : status;
}

int commit_discard_undo(struct commit *c)
{
    char undo[PATH_MAX];
    int status = c->io->unlink(c->io->context, side_path(undo, c->plan->target.path, SIDE_UNDO));
    if (status == 0) {
        status = io_sync_directory(c->io, undo);
    }
    return status < 0 ? commit_failed(c, status, "removing", undo) : 0;
}
