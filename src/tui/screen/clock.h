/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Seconds of a clock that only goes forward.
 */
#ifndef COW_TUI_SCREEN_CLOCK_H
#define COW_TUI_SCREEN_CLOCK_H

#include <time.h>

/* Since some moment that means nothing: only differences do. */
static inline double tui_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
