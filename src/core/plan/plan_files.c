/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which files a plan touches, named before the yes. For a change it follows from the steps, so that
 * what is named and what is done cannot part; recovery and undo follow a record, and say it themselves.
 * Recovery names all that it may touch: what of it is done already cannot be told in each case.
 */
#include <limits.h>

#include "core/base/arith.h"
#include "core/base/grow.h"
#include "core/beside/side.h"
#include "core/plan/plan.h"
#include "core/plan/plan_rules.h"

static const char *const touch_names[COW_TOUCHES] = {
#define TOUCH_ROW(id, name) [COW_TOUCH_##id] = (name),
    COW_TOUCH_LIST(TOUCH_ROW)
#undef TOUCH_ROW
};

const char *cow_touch_name(enum cow_touch touch)
{
    return touch_names[touch];
}

void plan_add_file(struct cow_plan *plan, const struct cow_touched *file)
{
    struct cow_preview *p = &plan->preview;
    struct cow_touched *grown = grow_array(plan->files, p->files, &plan->room_for_files, sizeof *plan->files);
    if (grown == NULL) {
        plan->out_of_memory = true;
        return;
    }
    p->file = plan->files = grown;
    plan->files[p->files] = *file;
    plan->files[p->files++].path = plan_text(plan, "%s", file->path);
}

void plan_touch(struct cow_plan *plan, enum cow_touch how, const char *path)
{
    const struct cow_touched file = {.touch = how, .path = path, .has_size = how == COW_TOUCH_REMOVES};
    plan_add_file(plan, &file);
}

void plan_touch_sized(struct cow_plan *plan, enum cow_touch how, const char *path, uint64_t size_bytes)
{
    const struct cow_touched file = {.touch = how, .path = path, .has_size = true, .size_bytes = size_bytes};
    plan_add_file(plan, &file);
}

static bool is_there(const struct cow_plan *plan, const char *path)
{
    struct stat facts;
    return plan->io->lstat(plan->io->context, path, &facts) == 0;
}

void plan_touch_if_there(struct cow_plan *plan, enum cow_touch how, const char *path)
{
    if (is_there(plan, path)) {
        plan_touch(plan, how, path);
    }
}

void plan_touch_side(struct cow_plan *plan, enum cow_touch how, const char *side)
{
    char path[PATH_MAX];
    plan_touch_if_there(plan, how, side_path(path, plan->target.path, side));
}

/* The undo file: made by this change, or given up with what it belongs to. */
static void touch_undo(struct cow_plan *plan, bool made)
{
    char undo[PATH_MAX];
    side_path(undo, plan->target.path, SIDE_UNDO);
    const bool there = is_there(plan, undo);
    if (made || there) {
        plan_touch(plan, !made ? COW_TOUCH_REMOVES : there ? COW_TOUCH_REPLACES : COW_TOUCH_MAKES, undo);
    }
}

static bool plan_has_step(const struct cow_plan *plan, enum cow_step_kind kind)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (plan->steps[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* What a crash has left under the names that the steps work with. */
static void touch_leftovers(struct cow_plan *plan)
{
    const bool makes_file = plan_has_step(plan, COW_STEP_BEGIN_IMAGE) ||
                            plan_has_step(plan, COW_STEP_BEGIN_RAW) ||
                            plan_has_step(plan, COW_STEP_BEGIN_FOREIGN);
    const bool journals = plan_has_step(plan, COW_STEP_JOURNAL);
    if (makes_file || plan_has_step(plan, COW_STEP_RESIZE_FS)) { /* ... which is done on one, too */
        plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_NEW);
    }
    if (journals) {
        plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_DRAFT);
    }
    if (journals && makes_file) {
        plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_OLD);
    }
    if (plan->backing.copy_path != NULL) {
        plan_touch_if_there(plan, COW_TOUCH_REMOVES, plan->backing.copy_temp_path);
    }
}

static void touch_target(struct cow_plan *plan)
{
    const enum cow_touch how = plan->target.replaces ? COW_TOUCH_REPLACES : COW_TOUCH_MAKES;
    if (plan->sink != NULL) { /* how long it becomes is the format's business */
        plan_touch(plan, how, plan->target.path);
        return;
    }
    const uint64_t size_bytes = plan->file != NULL || plan->saved != NULL ? plan->preview.moves_bytes
                                : plan->preview.makes_raw                 ? plan->img->header.size_bytes
                                                                          : plan->result.layout.end_offset;
    plan_touch_sized(plan, how, plan->target.path, size_bytes);
}

/* Of an image that keeps its file. */
static uint64_t changed_bytes(const struct cow_plan *plan)
{
    const uint64_t old_bytes = (uint64_t)plan->img->cow.facts.st_size;
    const struct cow_layout *to = &plan->result.layout, *from = &plan->img->layout;
    const bool shifts = record_kind_facts(plan->method)->shifts;
    return plan->reach == REACH_NAMES
               ? old_bytes
               : arith_max(old_bytes + (shifts ? to->data_offset - from->data_offset : 0), to->end_offset);
}

static void touch_by_step(struct cow_plan *plan, const struct cow_step *step)
{
    switch (step->kind) {
    case COW_STEP_RENAME:
        touch_target(plan);
        break;
    case COW_STEP_WRITE_HEADER:
        plan_touch_sized(plan, COW_TOUCH_CHANGES, plan->target.path, changed_bytes(plan));
        break;
    case COW_STEP_COPY_BACKING:
        plan_touch_sized(plan, COW_TOUCH_MAKES, plan->backing.copy_path, plan->result.header.size_bytes);
        break;
    case COW_STEP_EXTEND_BACKING:
        plan_touch_sized(plan, COW_TOUCH_LENGTHENS, plan->backing.path, plan->result.header.size_bytes);
        break;
    case COW_STEP_MERGE_BACKING:
        plan_touch_sized(plan, COW_TOUCH_CHANGES, plan->backing.path, plan->backing.new_size_bytes);
        break;
    case COW_STEP_WRITE_DEVICE:
        plan_touch(plan, COW_TOUCH_CHANGES, plan->target.path);
        break;
    case COW_STEP_END_JOURNAL:
        touch_undo(plan, record_kind_facts(plan->method)->record_is_undo || plan->keep_undo);
        break;
    default:
        break;
    }
}

void plan_name_files(struct cow_plan *plan)
{
    if (plan->purpose != PLAN_CHANGES) {
        return;
    }
    plan->preview.files = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        touch_by_step(plan, &plan->steps[i]);
    }
    if (plan->preview.files > 0 && !plan->target.is_device) {
        touch_leftovers(plan);
    }
}

int plan_finish(struct cow_plan **out, struct cow_plan *plan, int status, struct cow_error *err)
{
    if (status == 0) {
        plan_name_files(plan);
        status = plan->out_of_memory ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    }
    if (status == 0) {
        status = plan_check_way(plan, err);
    }
    if (status == 0) {
        *out = plan;
    } else {
        cow_plan_free(plan);
    }
    return status;
}
