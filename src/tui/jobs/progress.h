/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How far long work is: what jobs that look and changes that write tell of themselves alike.
 */
#ifndef COW_TUI_JOBS_PROGRESS_H
#define COW_TUI_JOBS_PROGRESS_H

#include <stdint.h>

struct tui_progress {
    uint64_t done, total; /* bytes or sectors; the total may be an estimate, and 0 as long as there is none */
    double started;       /* when, on tui_clock() */
    uint64_t from;        /* what was done before `started`: it says nothing about the rate */
};

/* How much of it is done, 0 to 1. */
double tui_progress_share(const struct tui_progress *progress);

/* How much of it is done in whole percent, rounded down. */
int tui_progress_percent(const struct tui_progress *progress);

/* How much a second was done up to `now` on tui_clock(), 0 if that cannot be said yet. */
double tui_progress_rate(const struct tui_progress *progress, double now);

/* How many seconds it will go on if it goes on as it did up to `now`; a negative number as long as nobody can
 * tell. */
double tui_progress_seconds_left(const struct tui_progress *progress, double now);

#endif
