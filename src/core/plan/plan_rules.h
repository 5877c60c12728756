/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is asked of the files around an image before a change of it may begin.
 */
#ifndef CORE_PLAN_PLAN_RULES_H
#define CORE_PLAN_PLAN_RULES_H

#include "core/plan/plan.h"

/* COW_REFUSED if an image that is to be replaced by rename has further names, unless force. */
int plan_check_names(const struct cow_image *img, bool force, struct cow_error *err);

/* COW_REFUSED where something that is none of ours lies where the change has to put a file of its own. */
int plan_check_way(const struct cow_plan *plan, struct cow_error *err);
/* The same of one name (SIDE_NEW...) beside the image, which is or will be at target_path: what is no regular
 * file, and another user's (the image's owner is none). */
int plan_check_way_of(const struct cow_image *img, const char *target_path, const char *what,
                      struct cow_error *err);

/* The other images on the backing file, into the preview. COW_LOCKED with the pid if somebody holds one of
 * them; COW_REFUSED if a change of one waits for recovery. */
int plan_list_siblings(struct cow_plan *plan, struct cow_error *err);

/* The same two refusals, asked again under the lock. */
int plan_check_siblings(const struct cow_plan *plan, struct cow_error *err);

#endif
