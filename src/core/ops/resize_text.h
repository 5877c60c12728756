/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: the preview and the steps of a plan whose decisions (resize.c) are taken.
 */
#ifndef CORE_OPS_RESIZE_TEXT_H
#define CORE_OPS_RESIZE_TEXT_H

#include "core/plan/plan.h"

/* A new image is written. plan->backing.size_bytes is still the old size of the backing file. */
void resize_describe(struct cow_plan *plan, const struct cow_resize_options *opt,
                     const struct cow_usage *usage);

/* The image stays as it is; at most its backing file is lengthened. */
void resize_describe_backing_only(struct cow_plan *plan, const struct cow_resize_options *opt,
                                  const struct cow_usage *usage);

#endif
