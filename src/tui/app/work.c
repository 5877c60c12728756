/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Of several things that go on, the one that the user waits for is told: what a page is made of, then what
 * the tab on the screen shows, then the rest. A script's screens have no time in them.
 */
#include "tui/app/work.h"

#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/clock.h"

enum { SECONDS_MOST = 90, MINUTES_MOST = 90 };

/* ", 12 s left"; nothing as long as nobody can know. */
static void time_left(const struct tui_app *app, const struct tui_progress *progress, char *out,
                      size_t out_bytes)
{
    double now = tui_clock(), seconds = tui_progress_seconds_left(progress, now);

    out[0] = '\0';
    if (!app->subject.interactive || seconds < 0 || now - progress->started < 1) {
        return;
    }
    if (seconds < SECONDS_MOST) {
        snprintf(out, out_bytes, ", %.0f s left", seconds);
    } else if (seconds < MINUTES_MOST * 60) {
        snprintf(out, out_bytes, ", %.0f min left", seconds / 60);
    } else {
        snprintf(out, out_bytes, ", %.0f h left", seconds / 3600);
    }
}

/* Esc stops what has no key of its own. */
static const struct tui_job *running_job(const struct tui_app *app, const char **name, bool *esc)
{
    const struct {
        const struct tui_job *job;
        const char *name;
        bool here; /* its tab is on the screen */
        bool esc;
    } jobs[] = {{&app->find.job, "find", true, true},
                {&app->next.job, "next", true, true},
                {&app->counted.job, "range", app->range.on, true},
                {&app->check.job, "check", app->tab_now == TUI_TAB_CHECK, false},
                {&app->files.job, "files", app->tab_now == TUI_TAB_FILES, false},
                {&app->redundant.job, "redundant", app->tab_now == TUI_TAB_FILES, true},
                {&app->scan.job, "scan", true, false},
                {&app->files.job, "files", true, false},
                {&app->check.job, "check", true, false},
                {&app->cells.job, "opening", true, false}};

    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        *name = jobs[i].name;
        *esc = jobs[i].esc;
        if (jobs[i].here && jobs[i].job->state == TUI_JOB_RUNNING) {
            return jobs[i].job;
        }
    }
    return NULL;
}

bool tui_work_stop(struct tui_app *app)
{
    struct tui_job *const jobs[] = {&app->find.job, &app->next.job, app->range.on ? &app->counted.job : NULL,
                                    app->tab_now == TUI_TAB_FILES ? &app->redundant.job : NULL};

    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        if (jobs[i] == NULL || jobs[i]->state != TUI_JOB_RUNNING) {
            continue;
        }
        tui_job_stop(jobs[i]);
        return true;
    }
    return false;
}

bool tui_work_text(const struct tui_app *app, char out[TUI_WORK_BYTES])
{
    const struct tui_progress *progress = &app->waits.progress;
    const char *name;
    char left[32];

    if (app->waits.what != NULL) {
        time_left(app, progress, left, sizeof left);
        if (progress->total > 0) {
            snprintf(out, TUI_WORK_BYTES, "%d%%%s: %s", tui_progress_percent(progress), left,
                     app->waits.what);
        } else {
            snprintf(out, TUI_WORK_BYTES, "%s", app->waits.what);
        }
        return true;
    }
    bool esc;
    const struct tui_job *job = running_job(app, &name, &esc);
    if (job == NULL) {
        tui_scan_text(&app->scan, out, TUI_WORK_BYTES);
        return false;
    }
    time_left(app, &job->progress, left, sizeof left);
    snprintf(out, TUI_WORK_BYTES, "%s %d%%%s%s", name, tui_job_percent(job), left, esc ? ", Esc stops" : "");
    return true;
}

tui_contexts tui_work_contexts(const struct tui_app *app, tui_contexts contexts)
{
    bool stops = ((contexts & TUI_IN_RUNS) != 0 && app->scan.job.state == TUI_JOB_RUNNING) ||
                 ((contexts & TUI_IN_CHECK) != 0 && app->check.job.state == TUI_JOB_RUNNING) ||
                 ((contexts & TUI_IN_FILES) != 0 && app->files.job.state == TUI_JOB_RUNNING);

    if (app->waits.what != NULL) {
        return TUI_IN_WAITING;
    }
    return contexts | (stops ? TUI_IN_WORK : 0U);
}
