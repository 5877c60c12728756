/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A preview is a promise: every number of it, and every file that it names, is compared with what the commit
 * has done. Linked with --wrap=cow_plan_commit into what the suites run, so that each commit of each suite is
 * held to its word. A broken promise is told on standard error, and the process aborted.
 */
#ifndef TESTS_PROMISE_H
#define TESTS_PROMISE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether commits are compared (they are). The looking makes calls of its own, which would count where calls
 * are counted. */
extern bool promise_on;
/* How many commits were compared, and how many differences were found where that does not end the process. */
extern unsigned long promise_commits, promises_broken;
extern bool promise_aborts;

/* What can be falsified in a preview, to see that it would be noticed. */
size_t promise_fields(void);
const char *promise_field_name(size_t field);

/* The next commit's preview is falsified there, by one, before it is compared. */
void promise_falsify(size_t field);
/* Whether that commit's comparison then found a difference. False, too, where the plan had no such number:
 * promise_was_falsified tells. */
bool promise_was_caught(void);
bool promise_was_falsified(void);
/* Whether this field is about room, which is compared only where the filesystem counts it by blocks. */
bool promise_is_of_room(size_t field);

#endif
