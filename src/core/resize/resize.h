/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plan of one image that is resized as a member of a change of several (core/family puts them together).
 */
#ifndef CORE_RESIZE_RESIZE_H
#define CORE_RESIZE_RESIZE_H

#include "core/plan/plan.h"

/* As cow_plan_resize, with the policy extend: but the backing file is neither held nor lengthened by this
 * plan, and other images on it are no obstacle. */
int resize_plan_member(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                       struct cow_error *err);

#endif
