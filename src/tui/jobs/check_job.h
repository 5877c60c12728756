/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The check as a job: the core's cow_check, quick first, then with the bytes compared. While it compares, its
 * progress callback takes a turn of the loop, so that everything else goes on as usual.
 */
#ifndef COW_TUI_JOBS_CHECK_JOB_H
#define COW_TUI_JOBS_CHECK_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/check.h"

struct tui_app;

struct tui_check {
    unsigned generation; /* of the image that result is of; 0: of none */
    bool running;
    bool stop;    /* asked for: what is known so far stays */
    bool stopped; /* it did: the bytes were not compared */
    bool known;   /* there is a result; else error says why not */
    int percent;
    double looked; /* when the loop had its turn last */
    struct cow_check result;
    struct cow_error error;
    bool staged[COW_FINDINGS]; /* by code: its fix waits to be written */
};

/* Whether there is one to do now: Check is on the screen, and what it shows is not of this image. */
bool tui_check_waiting(const struct tui_app *app);

/* Does it. */
void tui_check_work(struct tui_app *app);

/* Forgets what is known, so that it is looked for again. */
void tui_check_again(struct tui_app *app);

/* How many fixes are staged. */
size_t tui_check_staged(const struct tui_app *app);

#endif
