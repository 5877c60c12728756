/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * merge --in-place: the plan. What is done is in method_merge.c.
 */
#ifndef CORE_OPS_MERGE_INTO_BACKING_H
#define CORE_OPS_MERGE_INTO_BACKING_H

#include "core/plan/plan.h"

/* The plan of cow_plan_merge with in_place; img is a flat image. Counts and looks for the other images on the
 * backing file, and writes nothing; without a dirty sector the plan has no steps. Errors: COW_USAGE (an
 * output, too), COW_UNSUPPORTED (no backing file), COW_REFUSED (sizes or dates differ, a block device, a
 * clock that no header holds, several hard links, an interrupted change of it or of another image on that
 * file), COW_LOCKED (somebody holds another one), COW_INVALID (an unfinished image), COW_IO, COW_NO_MEMORY.
 */
int merge_into_backing(struct cow_plan **out, struct cow_image *img, const struct cow_merge_options *opt,
                       struct cow_error *err);

#endif
