/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What there is to look at, told: a line a file for people, an object a file in JSON.
 */
#ifndef CLI_OUTPUT_LIST_TOLD_H
#define CLI_OUTPUT_LIST_TOLD_H

#include <jansson.h>

#include "cli/output/out.h"
#include "cow/list.h"

/* The names of the columns. */
void cli_list_heading(struct cli_out *out);

/* A line. with_advice: what to do with what is no COW image is told, too. */
void cli_list_line(struct cli_out *out, const struct cow_list_entry *entry, bool with_advice);

/* NULL if out of memory. The caller's. */
json_t *cli_list_json(const struct cow_list_entry *entry);

#endif
