/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * merge --in-place: the plan. What is done is in method_merge.c.
 */
#ifndef CORE_OPS_MERGE_INTO_BACKING_H
#define CORE_OPS_MERGE_INTO_BACKING_H

#include "core/plan/plan.h"

int merge_into_backing(struct cow_plan **out, struct cow_image *img, const struct cow_merge_options *opt,
                       struct cow_error *err);

#endif
