/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of methods, for those who finish a change or take it back whatever its method is.
 */
#ifndef CORE_COMMIT_METHODS_H
#define CORE_COMMIT_METHODS_H

#include "core/commit/method.h"

/* The method of the record that c has. */
const struct method *method_of(const struct commit *c);

/* The journal's end, durably. done: the change is, and not taken back. 0 or -errno. */
int method_end_journal(struct commit *c, bool done);

#endif
