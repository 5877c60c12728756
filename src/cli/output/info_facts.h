/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All that `info` tells of an image, asked from the core before the first byte is printed.
 */
#ifndef CLI_OUTPUT_INFO_FACTS_H
#define CLI_OUTPUT_INFO_FACTS_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/output/out.h"
#include "cow/image.h"

struct cli_facts {
    const struct cow_image *image;
    const struct cow_header *header;
    const struct cow_layout *layout;   /* NULL: an unfinished image has none */
    const struct cow_backing *backing; /* never NULL */
    const char *pending;               /* "" if nothing */
    uint64_t can_grow_to_bytes;        /* before its data has to move; 0: that is not so */
    struct cow_usage usage;            /* all zero for an unfinished image */
    uint64_t mixed_pages;              /* likewise */
    struct cow_verdict verdict;
    struct cow_holder holder;
    bool holder_known; /* some file systems have no locks to ask for */
};

/* In rows; verbose: the fields of the header as raw bytes, too. What layout and usage tell is left out where
 * there is no layout. */
void cli_info_text(struct cli_out *out, const struct cli_facts *facts, bool verbose);

/* NULL if out of memory. The caller's. */
json_t *cli_info_json(const struct cli_facts *facts);

#endif
