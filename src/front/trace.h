/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the core does in a change, told to whoever looks for a fault: asked for in the environment, because it
 * is for all commands and the screen alike, and for those who never want it there is no option to stumble
 * over.
 *
 * COWTUI_TRACE=steps,calls,decide (one, or several) says what; the lines go to the end of COWTUI_TRACE_FILE,
 * or to standard error where that is not set and no screen runs.
 */
#ifndef FRONT_TRACE_H
#define FRONT_TRACE_H

#include <stdbool.h>

#include "cow/env.h"
#include "cow/error.h"

/* Once, at the beginning. Without COWTUI_TRACE nothing happens. The file is made where there is none (for its
 * owner alone); one that holds anything but a trace is refused, and so is what is no regular file. Errors:
 * COW_USAGE (a word that means nothing; the screen runs and no file is named), COW_IO, COW_REFUSED (of the
 * file). */
int front_trace_open(bool has_screen, struct cow_error *err);

/* Lets what uses env be traced, as far as it was asked for. */
void front_trace(struct cow_env *env);

#endif
