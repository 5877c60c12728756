/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk and its filesystem grow in place, where the data has to move for that: two changes, one plan.
 * First the data moves to where there is room to grow, and the disk stays what it is; then the disk grows by
 * its header, with what the filesystem's programs wrote. In between, also after a crash, there is the old
 * disk; undo gives back the old disk, whose data stays where it has been moved to.
 */
#ifndef CORE_RESIZE_IN_TWO_H
#define CORE_RESIZE_IN_TWO_H

#include "core/plan/plan.h"

/* whole: the plan of the disk's growth without its filesystem, for what is shown. *out: the plan of the first
 * change, with the preview of both; plan->then has what the second one is made from. Errors: those of
 * cow_plan_resize. */
int resize_plan_in_two(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                       struct cow_error *err);

/* The plan of the second, once the first is committed; img: opened anew. */
int resize_plan_then(struct cow_plan **out, struct cow_image *img, const struct cow_plan *first,
                     struct cow_error *err);

#endif
