/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `check` found, for people and as JSON.
 */
#ifndef CLI_OUTPUT_FINDINGS_H
#define CLI_OUTPUT_FINDINGS_H

#include <jansson.h>

#include "cli/output/out.h"
#include "cow/check.h"

/* What was checked, as the user named it: for the commands that mend something. */
struct cli_checked {
    const char *image_path, *backing_path; /* backing_path: named with -b, or NULL */
    bool quick;
};

/* image: for the commands that mend something; NULL if it does not even open. */
void cli_findings_text(struct cli_out *out, const struct cow_check *check, const struct cow_image *image,
                       const struct cli_checked *checked);

/* {"findings": [...], "scanned", "repair"}. Takes the reference of repair (a plan; NULL: none) over. NULL if
 * out of memory. The caller's. */
json_t *cli_findings_json(const struct cow_check *check, const struct cli_checked *checked, json_t *repair);

#endif
