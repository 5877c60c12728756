/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See plan_family.h. All or none: what a member's steps prepare (a new file complete under its temporary
 * name, room for new bits, data that has been moved) is done for each first; then the backing file gets its
 * other length; then one write of the family's journal decides; then each member is brought to its end. Until
 * that write every member can go back, and the backing file, too; behind it every one can go on. Between the
 * backing file's change and a member's end a stock kernel refuses that member, for the sizes differ; so no
 * guest can write what one of the ways would lose.
 */
#include "core/plan/plan_family.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/beside/side.h"
#include "cow/text.h"

int plan_family_begin(struct cow_plan *plan, const char *backing_path, struct cow_error *err)
{
    plan->family = calloc(1, sizeof *plan->family);
    if (plan->family == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->family->backing_path = plan_text(plan, "%s", backing_path);
    return plan->family->backing_path[0] != '\0' ? 0 : cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

/* Room for one more in the three lists. */
static bool make_room(struct plan_family *f)
{
    size_t room = f->room;
    struct cow_plan **member = grow_array(f->member, f->members, &room, sizeof *member);
    f->member = member != NULL ? member : f->member;
    room = f->room;
    struct cow_image **image = grow_array(f->image, f->members, &room, sizeof *image);
    f->image = image != NULL ? image : f->image;
    room = f->room;
    const struct cow_preview **preview = grow_array(f->preview, f->members, &room, sizeof *preview);
    f->preview = preview != NULL ? preview : f->preview;
    if (member == NULL || image == NULL || preview == NULL) {
        return false;
    }
    f->room = room;
    return true;
}

int plan_family_add(struct cow_plan *plan, struct cow_plan *member, struct cow_image *image,
                    struct cow_error *err)
{
    struct plan_family *f = plan->family;
    if (!make_room(f)) {
        cow_plan_free(member);
        cow_image_close(image);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    f->member[f->members] = member;
    f->image[f->members] = image;
    f->preview[f->members] = &member->preview;
    f->members++;
    member->kin = f;
    plan->preview.images = f->members;
    plan->preview.image = f->preview;
    return 0;
}

/* When a step of a member is done. */
enum part { PART_LOCK, PART_PREPARE, PART_END, PART_WHOLE, PART_NEVER };

static enum part part_of(enum cow_step_kind kind)
{
    switch (kind) {
    case COW_STEP_LOCK:
        return PART_LOCK;
    case COW_STEP_CHECK_SPACE: /* of all together */
        return PART_NEVER;
    case COW_STEP_RENAME:
    case COW_STEP_KEEP_UNDO:
    case COW_STEP_WRITE_HEADER:
    case COW_STEP_CLEAR_UP:
    case COW_STEP_UNDO:
    case COW_STEP_END_JOURNAL:
        return PART_END;
    case COW_STEP_RECOVER:
    case COW_STEP_DISCARD_UNDO:
        return PART_WHOLE;
    default:
        return PART_PREPARE;
    }
}

/* "lab2.cow: write its bitmap" */
static void add_part(struct cow_plan *plan, enum part part)
{
    char path[COW_MESSAGE_BYTES];
    for (size_t i = 0; i < plan->family->members; i++) {
        const struct cow_plan *member = plan->family->member[i];
        cow_escape(path, sizeof path, member->img->path);
        for (size_t k = 0; k < member->n_steps; k++) {
            struct cow_step step = member->steps[k];
            if (part_of(step.kind) == part) {
                step.text = plan_text(plan, "%s: %s", path, step.text);
                step.image = i + 1;
                plan_add_step(plan, &step);
            }
        }
    }
}

static void add_backing_step(struct cow_plan *plan)
{
    const struct family_record *r = &plan->family->record;
    const bool recovers = plan->purpose == PLAN_RECOVERS;
    const bool cuts = recovers ? (r->committed != 0) == (r->goes_back != 0) : plan->purpose == PLAN_UNDOES;
    char size[COW_SIZE_TEXT_BYTES];
    cow_size_text(size, cuts ? r->old_bytes : r->new_bytes);
    if (!plan->family->extends) {
        return;
    }
    if (plan->purpose == PLAN_CHANGES) {
        plan_step(plan, COW_STEP_EXTEND_BACKING, 0, "lengthen %s to %s by a hole, restore its date, flush",
                  plan->backing.path, size);
    } else {
        plan_step(plan, COW_STEP_FAMILY_BACKING, 0, "give %s the length of %s, and its date, flush",
                  plan->backing.path, size);
    }
}

/* What is done to all or to none. */
static void compose_change(struct cow_plan *plan)
{
    char size[COW_SIZE_TEXT_BYTES];
    if (plan->purpose == PLAN_CHANGES) {
        plan_step(plan, COW_STEP_FAMILY_SPACE, 0, "check for %s of free space, for all together",
                  cow_size_text(size, plan->preview.needs_free_bytes));
    }
    plan_step(plan, COW_STEP_FAMILY_JOURNAL, 0,
              "write down beside %s which images are about to change, so that all or none do",
              plan->backing.path);
    add_part(plan, PART_PREPARE);
    add_backing_step(plan);
    plan_step(plan, COW_STEP_FAMILY_COMMIT, 0, "write down that all of it is ready: from here on all go on");
    add_part(plan, PART_END);
    plan_step(plan, COW_STEP_FAMILY_END, 0,
              plan->purpose == PLAN_UNDOES ? "drop the journal" : "keep the journal, to undo it for all");
}

static void compose_recovery(struct cow_plan *plan)
{
    const bool forward = plan->family->record.committed != 0;
    if (forward) {
        add_backing_step(plan);
    }
    add_part(plan, PART_WHOLE);
    if (!forward) {
        add_backing_step(plan);
    }
    plan_step(plan, COW_STEP_FAMILY_END, 0, "close the journal beside %s", plan->backing.path);
}

/* What a member touches, and what all do. */
static void name_family_files(struct cow_plan *plan)
{
    const struct plan_family *f = plan->family;
    plan->preview.files = 0;
    for (size_t i = 0; i < f->members; i++) {
        for (size_t k = 0; k < f->member[i]->preview.files; k++) {
            plan_add_file(plan, &f->member[i]->files[k]);
        }
    }
    char path[PATH_MAX];
    plan_touch_if_there(plan, COW_TOUCH_REMOVES, side_path(path, f->backing_path, SIDE_FAMILY));
    plan_touch_if_there(plan, COW_TOUCH_REMOVES, side_path(path, f->backing_path, SIDE_FAMILY_DRAFT));
    if (f->extends) {
        const bool cuts = plan->purpose == PLAN_UNDOES;
        const bool known = plan->purpose != PLAN_RECOVERS && plan->purpose != PLAN_DISCARDS;
        if (known) {
            plan_touch_sized(plan, cuts ? COW_TOUCH_CUTS : COW_TOUCH_LENGTHENS, f->backing_path,
                             cuts ? f->record.old_bytes : f->record.new_bytes);
        } else if (plan->purpose == PLAN_RECOVERS) {
            plan_touch(plan, COW_TOUCH_CHANGES, f->backing_path);
        }
    }
    side_path(path, f->backing_path, SIDE_FAMILY_UNDO);
    struct stat facts;
    const bool there = plan->io->lstat(plan->io->context, path, &facts) == 0;
    const bool makes =
        plan->purpose == PLAN_CHANGES ||
        (plan->purpose == PLAN_RECOVERS && f->record.committed != 0 && f->record.goes_back == 0);
    if (makes) {
        plan_touch(plan, there ? COW_TOUCH_REPLACES : COW_TOUCH_MAKES, path);
    } else if (there) {
        plan_touch(plan, COW_TOUCH_REMOVES, path);
    }
}

void plan_family_compose(struct cow_plan *plan)
{
    plan->n_steps = 0;
    add_part(plan, PART_LOCK);
    plan_step(plan, COW_STEP_FAMILY_LOCK, 0, "lock %s, look who else is on it", plan->backing.path);
    if (plan->purpose == PLAN_RECOVERS) {
        compose_recovery(plan);
    } else if (plan->purpose == PLAN_DISCARDS) {
        plan_step(plan, COW_STEP_FAMILY_FORGET, 0, "remove what undoes it for all");
        add_part(plan, PART_WHOLE);
    } else {
        compose_change(plan);
    }
    name_family_files(plan);
}
