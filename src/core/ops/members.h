/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plans of one image that is a member of a change of several (core/family puts them together), and the plans
 * of one alone, which are asked for where it is no member.
 */
#ifndef CORE_OPS_MEMBERS_H
#define CORE_OPS_MEMBERS_H

#include "core/plan/plan.h"

/* As cow_plan_recover, the way that the family's journal says. *out is NULL where the image has no journal:
 * it is done with already. COW_REFUSED where its journal is of another change, or that way is closed. */
int recover_plan_member(struct cow_plan **out, struct cow_image *img, const struct plan_family *family,
                        struct cow_error *err);
/* As cow_plan_recover_way, of this image alone: by its own journal. */
int recover_plan_alone(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                       struct cow_error *err);

/* As cow_plan_undo. COW_REFUSED where the last change of the image is not that of the family. */
int undo_plan_member(struct cow_plan **out, struct cow_image *img, const struct plan_family *family,
                     struct cow_error *err);
/* The same of one image, by its own undo record. */
int undo_plan_alone(struct cow_plan **out, struct cow_image *img, struct cow_error *err);

/* As cow_plan_discard_undo. */
int discard_plan_alone(struct cow_plan **out, struct cow_image *img, struct cow_error *err);

#endif
