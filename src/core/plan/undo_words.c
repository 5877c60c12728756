/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See undo_words.h.
 */
#include "core/plan/undo_words.h"

#include "core/ledger/state.h"

/* What becomes of the private backing file. */
void undo_describe_copy(struct cow_plan *plan, const struct record *record)
{
    struct stat facts;
    if (record->copy_inode == 0 || plan->io->lstat(plan->io->context, record->copy_path, &facts) < 0) {
        return;
    }
    if (record->copy_is_foreign) {
        plan_note(plan,
                  "the private backing file %s is kept: it does not lie beside the image, and is not named",
                  record->copy_path);
    } else if (!journal_number_fits(record, facts.st_ino, record->copy_inode)) {
        plan_note(plan, "%s is kept: it is another file than the private backing file", record->copy_path);
    } else if (state_copy_has_others(plan->img, record, &facts) != 0) {
        plan_note(plan,
                  "the private backing file %s is kept: other images (or other names of this one) are on it, "
                  "or could be",
                  record->copy_path);
    } else {
        plan_note(plan, "the private backing file %s is removed", record->copy_path);
        plan_touch(plan, COW_TOUCH_REMOVES, record->copy_path);
    }
}

/* A faithful copy (cp -p, a restored backup) is as good as the file of then, to a kernel too; whether it is
 * one, size and date cannot tell. */
void undo_describe_base(struct cow_plan *plan, const struct record *record)
{
    struct stat facts;
    if (record->backing_path[0] != '\0' &&
        plan->io->stat(plan->io->context, record->backing_path, &facts) == 0 &&
        !journal_number_fits(record, facts.st_ino, record->backing_inode)) {
        plan_note(
            plan,
            "the backing file %s is another file than then (its inode number is another), with the same "
            "size and date: going back is right if it is a copy",
            record->backing_path);
    }
}
