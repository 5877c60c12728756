/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plan, told: for people (plan_text.c) and as JSON (plan_json.c). Both walk what the core says of it, and
 * decide nothing.
 */
#ifndef CLI_OUTPUT_PLAN_TOLD_H
#define CLI_OUTPUT_PLAN_TOLD_H

#include <jansson.h>

#include "cli/output/out.h"
#include "cow/plan.h"

/* All of it, in rows: what comes of it, what it writes and needs, notes, the way back, the steps, and the
 * command that does the same. */
void cli_plan_text(struct cli_out *out, const struct cow_plan *plan);

/* Of the plan's text just what should not be missed: for a change that asks nothing. */
void cli_plan_cautions(struct cli_out *out, const struct cow_preview *preview);

/* NULL if out of memory. The caller's. */
json_t *cli_plan_json(const struct cow_plan *plan);

#endif
