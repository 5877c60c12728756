/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A walk along the runs in the COW. The reader cuts them at whole MiB, so that a step reads no more than
 * that.
 */
#include "tui/jobs/range_job.h"

#include <string.h>

#include "tui/screen/clock.h"

enum { SCRIPT_STEPS = 4 };

static void close_reader(struct tui_range *range)
{
    cow_scan_close(range->reader);
    range->reader = NULL;
}

static bool range_waits(const void *owner)
{
    const struct tui_range *range = owner;
    bool is_of_this = tui_job_is_current(&range->job) && range->job.state != TUI_JOB_OFF;

    return range->first < range->end && tui_scan_on(range->scan) && !is_of_this;
}

static void range_forget(void *owner)
{
    struct tui_range *range = owner;

    close_reader(range);
    range->job.state = TUI_JOB_OFF;
    range->job.generation = 0;
    range->first = range->end = 0;
}

static int begin_range(struct tui_range *range, struct cow_error *err)
{
    close_reader(range);
    tui_job_begin(&range->job);
    range->at = range->first;
    range->redundant_sectors = 0;
    return cow_scan_open(&range->reader, range->job.subject->image, err);
}

/* The next stretch of one origin. */
static int step_range(struct tui_range *range, struct cow_error *err)
{
    struct cow_dirty_run dirty = {0, 0};
    struct cow_run run;
    int status = cow_image_next_dirty(range->job.subject->image, range->at, &dirty, err);

    if (status == 0 && (dirty.sectors == 0 || dirty.first_sector >= range->end)) {
        range->job.state = TUI_JOB_DONE;
    }
    if (status != 0 || range->job.state == TUI_JOB_DONE) {
        return status;
    }
    status = cow_scan_run(range->reader, dirty.first_sector, &run, err);
    if (status != 0) {
        return status;
    }
    uint64_t end = run.first_sector + run.sectors;
    end = end > range->end ? range->end : end;
    if (run.origin == COW_ORIGIN_REDUNDANT) {
        range->redundant_sectors += end - dirty.first_sector;
    }
    range->at = end > range->at ? end : range->at + 1;
    if (range->at >= range->end) {
        range->job.state = TUI_JOB_DONE;
    }
    return 0;
}

static void range_slice(void *owner)
{
    struct tui_range *range = owner;
    struct tui_job *job = &range->job;
    struct cow_error err = {0};
    double until = tui_clock() + tui_slice_seconds;
    int before = tui_job_percent(job), status = 0;

    if (job->state != TUI_JOB_RUNNING) {
        status = begin_range(range, &err);
    }
    if (tui_job_shall_stop(job)) {
        job->state = TUI_JOB_STOPPED;
    }
    for (int i = 0; job->state == TUI_JOB_RUNNING && status == 0 &&
                    (job->subject->interactive ? tui_clock() < until : i < SCRIPT_STEPS);
         i++) {
        status = step_range(range, &err);
    }
    if (status != 0) {
        job->state = TUI_JOB_FAILED;
        job->error = err;
        job->complains = true;
    }
    job->progress.done = range->at - range->first;
    job->progress.total = range->end - range->first;
    job->news |= job->state != TUI_JOB_RUNNING || tui_job_percent(job) != before;
    if (job->state != TUI_JOB_RUNNING) {
        close_reader(range);
    }
}

static const struct tui_job_class range_class = {
    .waits = range_waits, .slice = range_slice, .forget = range_forget};

void tui_range_init(struct tui_range *range, const struct tui_subject *subject, const struct tui_scan *scan)
{
    memset(range, 0, sizeof *range);
    range->scan = scan;
    tui_job_init(&range->job, &range_class, range, subject);
}

void tui_range_show(struct tui_range *range, uint64_t first, uint64_t end)
{
    if (range->first == first && range->end == end && tui_job_is_current(&range->job)) {
        return;
    }
    range_forget(range);
    range->first = first;
    range->end = end;
}

bool tui_range_known(const struct tui_range *range)
{
    return range->job.state == TUI_JOB_DONE && tui_job_is_current(&range->job);
}
