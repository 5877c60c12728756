/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: when the data has to move, and shall do so where it lies.
 */
#ifndef CORE_RESIZE_RESIZE_IN_PLACE_H
#define CORE_RESIZE_RESIZE_IN_PLACE_H

#include "core/beside/half.h"
#include "core/plan/plan.h"

/* Chooses the method (inserted, or moved) and the new alignment, into the plan. COW_UNSUPPORTED where the
 * image is of a variant that is not changed in place, where the filesystem cannot insert and that was asked
 * for, or where no layout has the room; COW_REFUSED where something in the image is in the way; with what
 * helps. */
int in_place_choose(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err);

/* In the first sector, with the mark of a half-moved image behind it (core/beside/half.h). */
enum { IN_PLACE_PATH_BYTES = HALF_MARK_OFFSET - 32 };

/* A path of the new header that one write of its first sector cannot hold: COW_REFUSED. */
int in_place_refuse_path(const char *image_path, struct cow_error *err);

/* The preview of a plan that has such a method: costs, risk, steps. COW_IO. */
int in_place_describe(struct cow_plan *plan, struct cow_error *err);
void in_place_list_steps(struct cow_plan *plan);

#endif
