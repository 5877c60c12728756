/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the preview says of the image that there will be.
 */
#ifndef CORE_PLAN_PLAN_RESULT_H
#define CORE_PLAN_PLAN_RESULT_H

#include "core/plan/plan.h"

/* What a stock kernel will say of the new image: fills preview.after_verdict from plan->result.header. */
int plan_predict_verdict(struct cow_plan *plan, uint64_t backing_bytes, int64_t backing_mtime,
                         struct cow_error *err);

/* Fills the parts of the preview that follow from header and layout (after_*, can_grow_to_bytes...). */
void plan_show_new_image(struct cow_plan *plan);

/* A note where content that is copied comes from a backing file that the image names, outside of its
 * directory.
 */
void plan_note_outside(struct cow_plan *plan);

/* A note where a new header has the date of a device's node. */
void plan_note_device(struct cow_plan *plan, const struct stat *backing);

/* A note where that makes an image that its owner could not write. */
void plan_note_read_only(struct cow_plan *plan);

/* A note where a guest holds the image at this moment. */
void plan_note_in_use(struct cow_plan *plan);

#endif
