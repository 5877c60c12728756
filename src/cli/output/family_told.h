/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The images on a backing file, told: a table for people, and JSON.
 */
#ifndef CLI_OUTPUT_FAMILY_TOLD_H
#define CLI_OUTPUT_FAMILY_TOLD_H

#include <jansson.h>

#include "cli/output/out.h"
#include "cow/family.h"

/* The backing file, then a row a member with what there is to know of it below. Troubles are not told here.
 */
void cli_family_text(struct cli_out *out, const struct cow_family *family);

/* NULL if out of memory. The caller's. */
json_t *cli_family_json(const struct cow_family *family);

#endif
