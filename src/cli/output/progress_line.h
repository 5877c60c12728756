/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the core tells and asks while it works: one line of progress on a terminal, notes, and whether the
 * user wants it to stop (Ctrl-C, SIGTERM, SIGHUP).
 */
#ifndef CLI_OUTPUT_PROGRESS_LINE_H
#define CLI_OUTPUT_PROGRESS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "cow/env.h"

struct cli_progress {
    bool quiet;
    bool shown; /* standard error is a terminal and not quiet: there is a line */
    struct timespec start, last;
    size_t width; /* columns of the line on the screen now */
};

/* From now on a signal is a request to stop, not the end. */
void cli_catch_signals(void);
bool cli_interrupted(void); /* one has come */

/* Fills env with callbacks on *progress, which must live as long. */
void cli_progress_begin(struct cli_progress *progress, struct cow_env *env, bool quiet);

/* What another program is at: no number is known of it. */
void cli_progress_tell(struct cli_progress *progress, const char *text);

/* Takes the line away. */
void cli_progress_end(struct cli_progress *progress);

#endif
