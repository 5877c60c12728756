/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * recover, undo and discard as they are asked for: of one image, or of all that it was changed together with.
 */
#include <limits.h>
#include <string.h>

#include "core/family/change.h"
#include "core/ledger/journal.h"
#include "core/ops/members.h"

/* The backing file of the change of several images that this one's record (SIDE_JOURNAL, SIDE_UNDO) tells of;
 * "": of none, or the record is strange. What could not be read is an error: whoever took it for a record of
 * one image alone, because it can be read the next time, would leave the others behind. */
static int family_of_record(char out[PATH_MAX], const struct cow_image *img, const char *what, bool *found,
                            struct cow_error *err)
{
    struct record record;
    struct cow_error refusal;
    out[0] = '\0';
    *found = false;
    const int status = strcmp(what, SIDE_JOURNAL) == 0 ? journal_peek(&record, found, img, &refusal, err)
                                                       : journal_read(&record, found, img, what, NULL, err);
    if (status != 0) {
        *found = true; /* whoever reads it has words for it */
    } else if (*found) {
        memcpy(out, record.family_path, strlen(record.family_path) + 1);
        record_clear(&record);
    }
    return status == COW_IO || status == COW_NO_MEMORY ? status : 0;
}

int cow_plan_recover_way(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                         struct cow_error *err)
{
    struct cow_error local;
    char backing[PATH_MAX];
    bool found;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = family_of_record(backing, img, SIDE_JOURNAL, &found, err);
    if (status != 0) {
        return status;
    }
    if (!found && img->backing.facts.state == COW_BACKING_FOUND &&
        side_has_family_journal(img->io, img->backing.facts.path)) {
        return family_plan_recover(out, img, way, img->backing.facts.path, err);
    }
    return backing[0] != '\0' ? family_plan_recover(out, img, way, backing, err)
                              : recover_plan_alone(out, img, way, err);
}

int cow_plan_recover(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    return cow_plan_recover_way(out, img, COW_RECOVER_AS_IT_IS, err);
}

typedef int plan_one(struct cow_plan **out, struct cow_image *img, struct cow_error *err);
typedef int plan_all(struct cow_plan **out, struct cow_image *img, const char *backing_path,
                     struct cow_error *err);

static int plan_by_undo_record(struct cow_plan **out, struct cow_image *img, plan_one *one, plan_all *all,
                               struct cow_error *err)
{
    struct cow_error local;
    char backing[PATH_MAX];
    bool found;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = family_of_record(backing, img, SIDE_UNDO, &found, err);
    return status != 0 ? status : backing[0] != '\0' ? all(out, img, backing, err) : one(out, img, err);
}

int cow_plan_undo(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    return plan_by_undo_record(out, img, undo_plan_alone, family_plan_undo, err);
}

/* What undoes it for all may be gone, by a discard that was cut off: then each goes alone. */
static int discard_all_or_one(struct cow_plan **out, struct cow_image *img, const char *backing_path,
                              struct cow_error *err)
{
    struct cow_error ignored;
    const int status = family_plan_discard(out, img, backing_path, &ignored);
    return status == 0 ? 0 : discard_plan_alone(out, img, err);
}

int cow_plan_discard_undo(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    return plan_by_undo_record(out, img, discard_plan_alone, discard_all_or_one, err);
}
