/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all commands that write have in common: show the plan, ask where something existing changes, commit
 * with progress, say what is next.
 */
#ifndef CLI_CARRY_OUT_H
#define CLI_CARRY_OUT_H

#include "cli/options.h"
#include "cow/plan.h"

/* Carries the plan out, or only prints it (--dry-run); with --json prints it in any case. The plan stays the
 * caller's. */
int cli_change(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err);

/* Shows the plan on standard error, asks, commits, says what is next: all of a change but its JSON. */
int cli_carry_out(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err);

/* The question, on the terminal. 0: yes was typed. Errors: COW_REFUSED (there is no terminal), COW_CANCELLED.
 */
int cli_ask_for_yes(struct cow_error *err);

#endif
