/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `check` found, for people and as JSON.
 */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <jansson.h>

#include "cli/out.h"
#include "cow/check.h"

/* image: for the commands that mend something; NULL if it does not even open. */
void cli_findings_text(struct cli_out *out, const struct cow_check *check, const struct cow_image *image,
                       const struct cli_options *options);

/* {"findings": [...], "scanned", "repair"}. Takes the reference of repair (a plan; NULL: none) over. NULL if
 * out of memory. The caller's. */
json_t *cli_findings_json(const struct cow_check *check, const struct cli_options *options, json_t *repair);

#endif
