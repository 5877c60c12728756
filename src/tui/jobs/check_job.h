/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The check as a job: the core's cow_check, quick first, then with the bytes compared; and the fixes of what
 * it found that wait to be written.
 */
#ifndef COW_TUI_JOBS_CHECK_JOB_H
#define COW_TUI_JOBS_CHECK_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/check.h"
#include "tui/jobs/job.h"

struct tui_check {
    struct tui_job job; /* stopped: the bytes were not compared */
    bool known;         /* there is a result, of job.generation; if not, and it does not run, it has failed */
    struct cow_check result;
    bool staged[COW_FINDINGS]; /* by code: its fix waits to be written */
};

/* Off, nothing known, nothing staged. */
void tui_check_init(struct tui_check *check, const struct tui_subject *subject);

/* Forgets what is known, so that it is looked for again where it is shown. What is staged stays. */
void tui_check_again(struct tui_check *check);

/* How many fixes are staged. */
size_t tui_check_staged(const struct tui_check *check);

/* None any more. */
void tui_check_unstage(struct tui_check *check);

#endif
