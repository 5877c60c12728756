/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all commands that write have in common: show the plan, ask where something existing changes, commit
 * with progress, say what is next.
 */
#ifndef CLI_CHANGE_H
#define CLI_CHANGE_H

#include <jansson.h>

#include "cli/out.h"
#include "cow/plan.h"

/* Carries the plan out, or only prints it (--dry-run); with --json prints it in any case. The plan stays the
 * caller's. */
int cli_change(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err);

/* Shows the plan on standard error, asks, commits, says what is next: all of a change but its JSON. */
int cli_carry_out(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err);

void cli_plan_text(struct cli_out *out, const struct cow_plan *plan);

/* Of the plan's text just what should not be missed: for a change that asks nothing. */
void cli_plan_cautions(struct cli_out *out, const struct cow_preview *preview);

/* NULL if out of memory. The caller's. */
json_t *cli_plan_json(const struct cow_plan *plan);

#endif
