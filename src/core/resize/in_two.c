/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See in_two.h. What is shown is the growth of the disk as it would be planned alone, and the filesystem's;
 * what is committed are the two plans of which that consists.
 */
#include "core/resize/in_two.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/beside/side.h"
#include "core/plan/footprint.h"
#include "core/resize/filesystem.h"
#include "core/resize/resize_command.h"
#include "core/resize/resize_text.h"
#include "cow/text.h"

static const char *copy_text(struct cow_plan *plan, const char *text)
{
    return text == NULL ? NULL : plan_text(plan, "%s", text);
}

/* What there will be when both are done. */
static void show_whole(struct cow_plan *plan, const struct cow_plan *whole)
{
    struct cow_preview *p = &plan->preview;
    const struct cow_preview *w = &whole->preview;
    p->policy = w->policy;
    p->after_size_bytes = w->after_size_bytes;
    p->after = w->after;
    p->after_alignment = w->after_alignment;
    p->can_grow_to_bytes = w->can_grow_to_bytes;
    p->after_verdict = w->after_verdict;
    p->patched_opens = w->patched_opens;
    p->after_dirty_sectors = 0;
    p->backing_text = copy_text(plan, w->backing_text);
    p->after_backing_path = copy_text(plan, w->after_backing_path);
    p->needs_free_bytes = arith_max(p->needs_free_bytes, w->needs_free_bytes);
    p->siblings = 0;
    for (size_t i = 0; i < w->siblings; i++) {
        plan->siblings[p->siblings++] = copy_text(plan, w->sibling[i]);
    }
    p->sibling = plan->siblings;
    p->files = 0;
    for (size_t i = 0; i < w->files; i++) {
        plan_add_file(plan, &w->file[i]);
    }
    plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_NEW);
    p->undo_text =
        copy_text(plan, "\"cowtui undo\" gives back the old disk; its data stays where it has been moved to");
}

/* Left to us, it is decided once, for both changes. */
static enum cow_policy decided_policy(const struct cow_plan *whole)
{
    enum cow_policy policy = COW_POLICY_EXTEND;
    while (policy < COW_POLICY_KEEP && strcmp(cow_policy_name(policy), whole->preview.policy) != 0) {
        policy++;
    }
    return policy;
}

/* Adds the second change to a plan of the first. */
static int add_second(struct cow_plan *plan, const struct cow_plan *whole,
                      const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_resize_options decided = *opt, *then = malloc(sizeof *then);
    if (then == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    decided.policy = decided_policy(whole);
    *then = decided;
    then->env = NULL; /* it belongs to who asks for this plan, not for the next one */
    then->in_place = false;
    then->method = COW_RESIZE_HEADER;
    then->reserve_bytes = 0;
    then->copy_path = copy_text(plan, opt->copy_path);
    plan->then = then;
    plan->first_steps = plan->n_steps;
    show_whole(plan, whole);
    int status = plan->fs != NULL ? 0 : cow_fs_open(&plan->fs, plan->img, err);
    if (status == 0) {
        status = filesystem_choose(plan, opt, err);
    }
    if (status == 0) {
        filesystem_describe(plan);
        plan->preview.command = resize_command(plan, &decided);
        plan->preview.next_step = FILESYSTEM_NEXT;
        resize_list_second(plan, whole, opt);
    }
    return status == 0 && plan->out_of_memory ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : status;
}

int resize_plan_in_two(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                       struct cow_error *err)
{
    struct cow_plan *whole = NULL, *plan = NULL;
    struct cow_resize_options first = *opt, alone = *opt;
    alone.fs = COW_FS_STAYS;
    int status = cow_plan_resize(&whole, img, &alone, err);
    if (status == 0) {
        first.fs = COW_FS_STAYS;
        first.policy =
            img->backing.facts.size_bytes == img->header.size_bytes ? COW_POLICY_EXTEND : COW_POLICY_KEEP;
        first.copy_path = NULL;
        first.size_bytes = img->header.size_bytes;
        first.reserve_bytes = whole->preview.can_grow_to_bytes; /* lies where the whole would lie */
        status = cow_plan_resize(&plan, img, &first, err);
    }
    if (status == 0) {
        status = add_second(plan, whole, opt, err);
    }
    cow_plan_free(whole);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    *out = plan;
    return 0;
}

int resize_plan_then(struct cow_plan **out, struct cow_image *img, const struct cow_plan *first,
                     struct cow_error *err)
{
    return cow_plan_resize(out, img, first->then, err);
}
