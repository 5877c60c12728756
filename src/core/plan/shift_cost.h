/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What it costs to move the data of an image where it lies.
 */
#ifndef CORE_PLAN_SHIFT_COST_H
#define CORE_PLAN_SHIFT_COST_H

#include "core/plan/plan.h"

/* Counts what is allocated in the image, from its data on, and says into the preview what moves, what space
 * that needs, and how long it may take. plan->result is what there will be. moves: byte by byte; else by the
 * filesystem. 0, or -errno where holes cannot be looked for. */
int shift_cost(struct cow_plan *plan, bool moves);

#endif
