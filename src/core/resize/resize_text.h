/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: the preview and the steps of a plan whose decisions (resize.c) are taken.
 */
#ifndef CORE_RESIZE_RESIZE_TEXT_H
#define CORE_RESIZE_RESIZE_TEXT_H

#include "core/plan/plan.h"

/* Whether the backing file itself becomes longer. plan->backing is decided. */
bool resize_extends_backing(const struct cow_plan *plan, const struct cow_resize_options *opt);

/* The image is written, or a new one is. COW_IO where holes cannot be looked for. */
int resize_describe(struct cow_plan *plan, const struct cow_resize_options *opt,
                    const struct cow_usage *usage, struct cow_error *err);

/* The steps of a second change (in_two.h), behind those of the first. */
void resize_list_second(struct cow_plan *plan, const struct cow_plan *whole,
                        const struct cow_resize_options *opt);

/* The image stays as it is; at most its backing file is lengthened. */
void resize_describe_backing_only(struct cow_plan *plan, const struct cow_resize_options *opt,
                                  const struct cow_usage *usage);

#endif
