/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * recover: finishing a change that was interrupted, or taking it back. The record says what was meant, the
 * files say how far it came (recover_check.h). What is done then is commit/step_recover.c, which decides
 * again under the lock.
 */
#include <fcntl.h>

#include "core/ledger/record_check.h"
#include "core/plan/plan_result.h"
#include "core/plan/recover_check.h"
#include "cow/text.h"

static const char *what_happens(const struct record *record, const struct decision *decision)
{
    const enum direction direction = decision->direction;
    switch ((enum record_kind)record->kind) {
    case RECORD_COPY:
        return direction == FORWARD
                   ? (record->keeps_undo
                          ? "the new image is complete: it is put in place, and the old one kept for undo"
                          : "the new image is complete: it is put in place; the old one keeps its other "
                            "names")
               : decision->base_changed
                   ? "the new image is complete, but its backing file has changed or moved since: it is "
                     "removed, and the old one stays as it is"
                   : "the new image is not complete: it is removed, and the old one stays as it is";
    case RECORD_IN_PLACE:
        return direction == FORWARD ? "the header is the new one already: what undoes it is kept"
                                    : "the header is still the old one: what was prepared is taken back";
    case RECORD_MERGE:
        return direction == FORWARD
                   ? "the backing file is being written: the merge is finished, and the image empty then"
               : decision->base_changed
                   ? "the merge is given up: the image stays as it is, and has all that was to be merged; "
                     "the backing file has another date now, \"cowtui check\" says what helps"
                   : "nothing has been written into the backing file: the image stays as it is";
    case RECORD_UNDO_COPY:
    case RECORD_UNDO_IN_PLACE:
        return direction == FORWARD
                   ? "an undo was interrupted: it is finished"
                   : "an undo was interrupted and the image used since: the undo is given up";
    }
    return "";
}

static int strange_image(const struct cow_image *img, struct cow_error *err)
{
    char journal[PATH_MAX];
    cow_error_set(err, COW_REFUSED, "%s: neither the old nor the new image of the interrupted change",
                  img->path);
    return cow_error_hint(err, "the journal is %s; if it is stale, and the image as you want it, remove it",
                          side_path(journal, img->real_path, SIDE_JOURNAL));
}

/* The backing file that recovery will write. */
static int look_at_backing(struct cow_plan *plan, const struct record *record, enum direction direction,
                           struct cow_error *err)
{
    struct host_file file;
    plan->backing_path = plan_text(plan, "%s", record->backing_path);
    plan->hold_backing = HOLD_WRITE;
    int status = host_file_open(plan->io, &file, record->backing_path, O_RDONLY, err);
    if (status == 0) {
        plan->backing_facts = file.facts;
        status = recover_check_backing(plan->img, record, file.fd, direction, err);
        host_file_close(plan->io, &file);
    }
    return status;
}

/* Whether it can be recovered, and how. All of it is asked again under the lock. */
static int decide(struct cow_plan *plan, struct decision *out, struct record *record, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    *out = (struct decision){.direction = NOWHERE};
    int status = journal_check(record, img, SIDE_JOURNAL, err);
    if (status == COW_REFUSED && plan->refusal.status != 0) {
        status = 0; /* whose it is comes first, and it may be looked at; not so the files that it names */
    }
    if (status == 0) {
        status = recover_check_merge_files(img, record, err);
    }
    if (status == 0) {
        status = recover_check_way(plan, record, NOWHERE, err);
    }
    if (status != 0) {
        return status;
    }
    status = recover_choose_direction(out, plan, record);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking at what is left beside it", img->path);
    }
    if (out->direction == NOWHERE) {
        return strange_image(img, err);
    }
    status = recover_check_way(plan, record, out->direction, err);
    if (status == 0 && record->extends && plan->refusal.status == 0) {
        status = look_at_backing(plan, record, out->direction, err);
    }
    return status != 0 ? status
                       : recover_check_others(plan, record, out->direction, &plan->backing_facts, err);
}

/* All that may be touched: what of it is done already cannot be told in each case. */
static void name_files(struct cow_plan *plan, const struct record *record, enum direction direction)
{
    static const char *const left_over[] = {SIDE_JOURNAL, SIDE_NEW, SIDE_OLD, SIDE_DRAFT};
    char undo[PATH_MAX], copy_new[PATH_MAX];
    const bool makes_undo = direction == FORWARD && (record->kind == RECORD_IN_PLACE || record->keeps_undo);
    plan_touch(plan, record_is_in_place(record) ? COW_TOUCH_CHANGES : COW_TOUCH_REPLACES, plan->target_path);
    for (size_t i = 0; i < sizeof left_over / sizeof *left_over; i++) {
        plan_touch_side(plan, COW_TOUCH_REMOVES, left_over[i]);
    }
    if (makes_undo) {
        plan_touch(plan, COW_TOUCH_MAKES, side_path(undo, plan->target_path, SIDE_UNDO));
    } else {
        plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_UNDO);
    }
    if (record->extends) {
        plan_touch(plan, COW_TOUCH_CHANGES, record->backing_path);
    }
    if (record->copy_inode != 0) {
        plan_touch_if_there(plan, COW_TOUCH_REMOVES, side_path(copy_new, record->copy_path, SIDE_NEW));
        plan_touch(plan,
                   direction == FORWARD && record->kind < RECORD_UNDO_COPY ? COW_TOUCH_MAKES
                                                                           : COW_TOUCH_REMOVES,
                   record->copy_path);
    }
}

static void describe(struct cow_plan *plan, const struct record *record, const struct decision *decision)
{
    char image[PATH_MAX];
    plan->preview.method = decision->direction == FORWARD ? "forward" : "back";
    plan->preview.target_path = plan->target_path;
    plan->preview.changes_existing = true;
    if (plan->refusal.status != 0) {
        plan_note(plan, "not obeyed, and so refused: %s", plan->refusal.message);
    }
    plan_note_in_use(plan);
    name_files(plan, record, decision->direction);
    plan->preview.command =
        plan_text(plan, "cowtui recover %s", cow_shell_quote(image, sizeof image, plan->img->path));
    plan_step(plan, COW_STEP_LOCK, 0, "lock the image%s", record->extends ? " and its backing file" : "");
    plan_step(plan, COW_STEP_RECOVER, 0, "%s%s", what_happens(record, decision),
              record->kind == RECORD_MERGE ? plan_text(plan, " (%s)", record->backing_path) : "");
}

int cow_plan_recover(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    struct cow_error local, refusal;
    struct record record;
    struct decision decision;
    bool found;
    err = err != NULL ? err : &local;
    int status = journal_peek(&record, &found, img, &refusal, err);
    if (status != 0) {
        return status;
    }
    if (!found) {
        return cow_error_set(err, COW_REFUSED, "%s: no interrupted change: nothing to recover", img->path);
    }
    struct cow_plan *plan = plan_new(img->io, img, "recover");
    if (plan == NULL) {
        record_clear(&record);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->refusal = refusal;
    plan->recovers = plan->follows_record = true;
    plan->target_path = img->real_path;
    plan->hold_image = HOLD_WRITE;
    plan->hold_backing = HOLD_NOT;
    plan->backing_path = NULL;
    status = decide(plan, &decision, &record, err);
    if (status == 0) {
        describe(plan, &record, &decision);
    }
    record_clear(&record);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    return plan_finish(out, plan, err);
}
