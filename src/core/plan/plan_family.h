/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plans for several images on one backing file: a member a image, and one list of steps of all.
 */
#ifndef CORE_PLAN_PLAN_FAMILY_H
#define CORE_PLAN_PLAN_FAMILY_H

#include "core/plan/plan.h"

/* Makes plan one for a family; backing_path: absolute, links resolved. COW_NO_MEMORY. */
int plan_family_begin(struct cow_plan *plan, const char *backing_path, struct cow_error *err);

/* Adds a member and takes it over, with its image (NULL: the caller's stays his), whether this fails or not.
 * COW_NO_MEMORY. */
int plan_family_add(struct cow_plan *plan, struct cow_plan *member, struct cow_image *image,
                    struct cow_error *err);

/* Lists steps and files anew, from those of the members. */
void plan_family_compose(struct cow_plan *plan);

#endif
