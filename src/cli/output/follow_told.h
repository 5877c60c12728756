/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a followed image is written to, told: a line a change as it is found, text or JSON, and a sum at the
 * end. Each line is flushed, for it goes to a pipe as often as to a terminal.
 */
#ifndef CLI_OUTPUT_FOLLOW_TOLD_H
#define CLI_OUTPUT_FOLLOW_TOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cow/follow.h"

enum { CLI_FOLLOW_RANGES = 8 }; /* of a change that are told, the first ones */

/* What one round has found. */
struct cli_followed {
    FILE *file;
    bool json;
    const struct cow_image *image;
    int64_t at_ns;                       /* of the round's first change */
    uint64_t dirty_sectors, dirty_bytes; /* newly */
    uint64_t clean_sectors;
    struct cli_followed_range {
        uint64_t start, length; /* bytes of the disk */
        bool dirty;
    } range[CLI_FOLLOW_RANGES];
    size_t ranges, more_ranges;
    struct { /* of all rounds */
        int64_t begun_ns, ended_ns;
        uint64_t changes, dirty_bytes;
    } sum;
};

/* "2026-11-30T09:48:25.123Z". Returns out. */
enum { CLI_TIME_BYTES = 40 };
const char *cli_time_ms(char out[CLI_TIME_BYTES], int64_t at_ns);

/* Takes a change (struct cow_follow_options); context is the struct cli_followed. */
void cli_followed_take(void *context, const struct cow_follow_change *change);

/* The first line, when all bits are known. Errors, here and below: COW_BROKEN_PIPE, COW_IO, COW_NO_MEMORY. */
int cli_followed_begin(struct cli_followed *followed, const struct cow_follow_facts *facts, int64_t now_ns,
                       struct cow_error *err);

/* A line of what was taken since the last one; none if that is nothing. */
int cli_followed_tell(struct cli_followed *followed, const struct cow_follow_facts *facts,
                      struct cow_error *err);

/* The sum. */
int cli_followed_end(struct cli_followed *followed, const struct cow_follow_facts *facts, int64_t now_ns,
                     struct cow_error *err);

#endif
