/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A function on a stack of its own, that can be left in its middle and entered again where it was left. The
 * core's long calls go on until they are done and ask at each step whether they shall; run as a fiber, such a
 * call comes back to the loop at a step, and no loop has to run inside of its callback.
 *
 * There is one thread: nothing goes on while the fiber is not entered, and nothing else while it is.
 */
#ifndef COW_TUI_JOBS_FIBER_H
#define COW_TUI_JOBS_FIBER_H

#include <stdbool.h>

#include "cow/error.h"

struct tui_fiber;

/* Makes a fiber of function(argument), which does not begin before it is entered. Errors: COW_NO_MEMORY; *out
 * is untouched then. */
int tui_fiber_new(struct tui_fiber **out, void (*function)(void *argument), void *argument,
                  struct cow_error *err);

/* Goes on with it, from outside, until it leaves or ends. Returns whether it has ended: then it can only be
 * freed. */
bool tui_fiber_enter(struct tui_fiber *fiber);

/* Called by the function, on its own stack: back to whoever entered. Returns when it is entered again. */
void tui_fiber_leave(struct tui_fiber *fiber);

/* Frees a fiber that has ended, or was never entered: what one in its middle holds nobody else can give back.
 * NULL: nothing. */
void tui_fiber_free(struct tui_fiber *fiber);

#endif
