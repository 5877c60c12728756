/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all jobs have in common: progress, stopping, and slices of calls that go on until they are done.
 *
 * A fiber in its middle holds open files and memory that only its own way out gives back, so it is never
 * thrown away: who wants it gone asks for a stop, and enters it until it has ended. The core hears of that at
 * its next step, so this is soon.
 */
#include "tui/jobs/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tui/jobs/fiber.h"
#include "tui/screen/clock.h"

const double tui_slice_seconds = 0.002;

void tui_job_init(struct tui_job *job, const struct tui_job_class *job_class, void *owner,
                  const struct tui_subject *subject)
{
    memset(job, 0, sizeof *job);
    job->job_class = job_class;
    job->owner = owner;
    job->subject = subject;
}

bool tui_job_is_current(const struct tui_job *job)
{
    return job->generation == job->subject->generation;
}

bool tui_job_waits(const struct tui_job *job, bool wanted)
{
    return job->state == TUI_JOB_RUNNING || (wanted && job->job_class->waits(job->owner));
}

void tui_job_begin(struct tui_job *job)
{
    job->state = TUI_JOB_RUNNING;
    job->generation = job->subject->generation;
    job->stop = false;
    job->progress = (struct tui_progress){.started = tui_clock()};
    job->news = true;
}

int tui_job_percent(const struct tui_job *job)
{
    return tui_progress_percent(&job->progress);
}

void tui_job_stop(struct tui_job *job)
{
    job->stop = job->state == TUI_JOB_RUNNING;
}

void tui_job_say(struct tui_job *job, enum tui_style style, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(job->said, sizeof job->said, format, arguments);
    va_end(arguments);
    job->said_style = style;
}

bool tui_job_shall_stop(const struct tui_job *job)
{
    return job->stop || !tui_job_is_current(job);
}

/* At each read of what look() has opened, which views ask, too. A script's slices end at the core's steps
 * only.
 */
static bool step_job(void *context)
{
    struct tui_job *job = context;

    if (!job->inside || !job->subject->interactive) {
        return false;
    }
    if (tui_clock() - job->looked >= tui_slice_seconds) {
        tui_fiber_leave(job->fiber);
    }
    return tui_job_shall_stop(job);
}

const struct cow_io *tui_job_io(struct tui_job *job)
{
    if (job->io == NULL && cow_io_stepped(&job->io, step_job, job, NULL) != 0) {
        return NULL;
    }
    return job->io;
}

void tui_job_end(struct tui_job *job)
{
    cow_io_free(job->io);
    job->io = NULL;
}

void tui_job_go_on(struct tui_job *job, void (*look)(void *owner))
{
    if (job->state != TUI_JOB_RUNNING) {
        tui_job_begin(job);
        if (tui_fiber_new(&job->fiber, look, job->owner, &job->error) != 0) {
            job->state = TUI_JOB_FAILED;
            return;
        }
    }
    job->looked = tui_clock();
    job->inside = true;
    bool ended = tui_fiber_enter(job->fiber);
    job->inside = false;
    if (ended) {
        tui_fiber_free(job->fiber);
        job->fiber = NULL;
        job->news = true;
    }
}

void tui_job_show(struct tui_job *job)
{
    job->news = true;
    if (job->subject->interactive) {
        tui_fiber_leave(job->fiber);
    }
}

bool tui_job_look_in(void *context, const struct cow_progress *progress)
{
    struct tui_job *job = context;
    int before = tui_job_percent(job);

    job->progress.done = progress->done_bytes;
    job->progress.total = progress->total_bytes;
    job->news |= tui_job_percent(job) != before;
    if (!job->subject->interactive || tui_clock() - job->looked >= tui_slice_seconds) {
        tui_fiber_leave(job->fiber);
    }
    return tui_job_shall_stop(job);
}

void tui_job_halt(struct tui_job *job)
{
    while (job->fiber != NULL) {
        job->stop = true;
        job->job_class->slice(job->owner);
    }
}
