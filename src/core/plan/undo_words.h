/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an undo says of the backing files that the change had to do with, as notes of its plan.
 */
#ifndef CORE_PLAN_UNDO_WORDS_H
#define CORE_PLAN_UNDO_WORDS_H

#include "core/ledger/record.h"
#include "core/plan/plan.h"

/* What becomes of the private backing file; one that is removed is named as touched. */
void undo_describe_copy(struct cow_plan *plan, const struct record *record);

/* The backing file of then may be another file by now. */
void undo_describe_base(struct cow_plan *plan, const struct record *record);

#endif
