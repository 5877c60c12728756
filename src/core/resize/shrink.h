/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * shrink: is there anything past the new end that matters?
 */
#ifndef CORE_RESIZE_SHRINK_H
#define CORE_RESIZE_SHRINK_H

#include "core/plan/plan.h"

/* COW_REFUSED, with numbers, where something in plan->fs, or a partition, reaches past opt->size_bytes, where
 * nobody knows how far it reaches, and where a sector past it is dirty and neither zero nor what the backing
 * file has. What is no ext filesystem can be cut with opt->cut_foreign; the hint has the command, and the
 * plan gets notes instead. Reads only the data that is there. */
int shrink_check(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err);

/* What to do when it has become smaller, the rest of a sentence about booting it. */
const char *shrink_next(struct cow_plan *plan, uint64_t size_bytes);

#endif
