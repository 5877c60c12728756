/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What rewrite and diff share: counting a selection, and saying what becomes of the data.
 */
#ifndef CORE_OPS_REWRITE_H
#define CORE_OPS_REWRITE_H

#include "core/plan/plan.h"

struct rewrite_cost {
    struct cow_usage usage; /* of the old image */
    uint64_t old_sectors;   /* dirty, in sectors of 512 */
    uint64_t mixed_pages;   /* of the old image */
    bool keeps_mixed;       /* completing them would make the file larger */
};

/* Opens the guest's filesystems: what is free in them (unused; refused where that is not known for sure),
 * and, for what works by pages, which of those a guest reads in one piece. Fills plan->fs, ->fs_scan,
 * ->has_joints. */
int rewrite_look_inside(struct cow_plan *plan, bool pages, bool unused, const struct cow_env *env,
                        struct cow_error *err);

/* Fills the preview, the notes and the steps of a decided plan (rewrite_text.c). */
void rewrite_describe(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                      const struct rewrite_cost *cost);
void rewrite_describe_nothing(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                              const struct rewrite_cost *cost);
void rewrite_describe_diff(struct cow_plan *plan, const struct cow_diff_options *opt,
                           const struct rewrite_cost *cost);

#endif
