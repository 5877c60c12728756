/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Collecting the ends (front/picture/ends.c). The image is borrowed for the slice only.
 */
#include "tui/jobs/ends_job.h"

#include <string.h>

static bool ends_wait(const void *owner)
{
    const struct tui_ends *ends = owner;

    return !tui_job_is_current(&ends->job) && tui_subject_sectors(ends->job.subject) > 0;
}

static void ends_slice(void *owner)
{
    struct tui_ends *ends = owner;

    tui_job_begin(&ends->job);
    const int status = front_ends_collect(&ends->known, ends->job.subject->image, &ends->job.error);
    ends->job.state = status == 0 ? TUI_JOB_DONE : TUI_JOB_FAILED;
}

static void ends_forget(void *owner)
{
    struct tui_ends *ends = owner;

    ends->known.n = 0;
    ends->job.state = TUI_JOB_OFF;
    ends->job.generation = 0;
}

static const struct tui_job_class ends_class = {
    .waits = ends_wait, .slice = ends_slice, .forget = ends_forget, .is_fiber = false};

void tui_ends_init(struct tui_ends *ends, const struct tui_subject *subject)
{
    memset(ends, 0, sizeof *ends);
    tui_job_init(&ends->job, &ends_class, ends, subject);
}
