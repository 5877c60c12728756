/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is said of each kind of a change: a row a kind (ledger/kind.h).
 */
#ifndef CORE_PLAN_METHOD_WORDS_H
#define CORE_PLAN_METHOD_WORDS_H

#include "core/ledger/direction.h"
#include "cow/plan.h"

/* How previews call the method of that kind, undone or done. */
enum cow_method method_shown(enum record_kind kind);

/* What happens when the interrupted change of a record is recovered as it was decided: a sentence for its
 * step. */
const char *method_recovery_text(const struct record *record, const struct decision *decision);

/* How an undo of that kind of a change goes back: a sentence for its step. */
const char *method_undo_text(enum record_kind kind);

#endif
