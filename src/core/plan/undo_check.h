/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What undo asks before it goes back, and recovery of one that was interrupted as well.
 */
#ifndef CORE_PLAN_UNDO_CHECK_H
#define CORE_PLAN_UNDO_CHECK_H

#include "core/ledger/journal.h"

/* Going back relies on the backing file of then, where the change did not lengthen it: COW_REFUSED if it is
 * not there, or not as it was (length, date). Asked when planning, and again under the lock. */
int undo_check_base(const struct cow_image *img, const struct record *record, struct cow_error *err);

#endif
