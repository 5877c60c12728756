/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plans that go on with, take back or give up a change of several images. As the ones of cow/ops.h.
 */
#ifndef CORE_FAMILY_CHANGE_H
#define CORE_FAMILY_CHANGE_H

#include "core/plan/plan_family.h"

/* A new plan for a family; backing_path: as it can be opened. COW_IO, COW_NO_MEMORY. */
int family_new_plan(struct cow_plan **out, struct cow_image *img, enum cow_operation operation,
                    const char *backing_path, struct cow_error *err);

/* The end of every builder: the preview, from that of the image that was asked for, the steps, the files.
 * With a status that is not 0 the plan is freed. */
int family_finish(struct cow_plan **out, struct cow_plan *plan, int status, struct cow_error *err);

/* As cow_plan_recover_way, cow_plan_undo and cow_plan_discard_undo, each for all images. backing_path: of the
 * file beside which the journal, or the undo record, lies. */
int family_plan_recover(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                        const char *backing_path, struct cow_error *err);
int family_plan_undo(struct cow_plan **out, struct cow_image *img, const char *backing_path,
                     struct cow_error *err);
int family_plan_discard(struct cow_plan **out, struct cow_image *img, const char *backing_path,
                        struct cow_error *err);

#endif
