/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The application's jobs: one table of them, which the loop walks whenever nothing else is to be done. A row
 * says where what a job finds is wanted, and what is to be done when it has ended.
 *
 * Of the jobs that are fibers one goes on at a time, to its end, even where nobody looks at it any more:
 * coming back finds it done. The scan has slices of its own and goes on beside it.
 */
#include "tui/app/app.h"

#include <stdlib.h>

/* Check is on the screen, and nothing over it. */
static bool wants_check(const struct tui_app *app)
{
    return app->depth == 0 && app->tab_now == TUI_TAB_CHECK;
}

/* What shows the disk by its places is on the screen. */
static bool wants_ends(const struct tui_app *app)
{
    return app->depth == 0 && (app->tab_now == TUI_TAB_MAP || app->tab_now == TUI_TAB_BLOCKS);
}

/* Files, or a file over it, a coloured Map, or where the owner of a byte is told. */
static bool wants_files(const struct tui_app *app)
{
    const struct tui_view_class *top = app->depth > 0 ? app->stack[app->depth - 1].view_class : NULL;

    if (app->find.kind == TUI_FIND_OWNER && app->find.job.state == TUI_JOB_RUNNING) {
        return true;
    }
    if (top == &tui_view_bytes || top == &tui_view_owner) {
        return true;
    }
    if (app->tab_now == TUI_TAB_FILES) {
        return top == NULL || top == &tui_view_file;
    }
    return wants_ends(app) &&
           (app->canvas.cols >= TUI_PANE_FROM_COLS || (app->tab_now == TUI_TAB_MAP && app->files.colours));
}

/* What is counted is seen in the title, and on the Map. */
static bool wants_cells(const struct tui_app *app)
{
    return app->depth == 0 && app->tab_now == TUI_TAB_MAP;
}

/* It is asked for by its key, wherever one is. */
static bool wants_always(const struct tui_app *app)
{
    (void)app;
    return true;
}

/* While a change of ours is planned nothing of the image that it borrows becomes another one. */
static bool wants_follow(const struct tui_app *app)
{
    for (int i = 0; i < app->depth; i++) {
        const struct tui_view_class *over = app->stack[i].view_class;
        if (over == &tui_view_change || over == &tui_view_wizard || over == &tui_view_serving) {
            return false;
        }
    }
    return true;
}

/* Files, or a file over it. */
static bool wants_redundant(const struct tui_app *app)
{
    return app->tab_now == TUI_TAB_FILES &&
           (app->depth == 0 || app->stack[app->depth - 1].view_class == &tui_view_file);
}

/* There is one, and it is seen. */
static bool wants_range(const struct tui_app *app)
{
    return app->range.on && wants_ends(app);
}

/* Who shows what is read shows itself why there is nothing; but the Map has no place for that, and is no
 * longer coloured. */
static void end_files(struct tui_app *app)
{
    struct tui_job *job = &app->files.job;

    if (job->state == TUI_JOB_DONE) {
        return;
    }
    job->complains = app->files.colours && app->tab_now != TUI_TAB_FILES && job->state == TUI_JOB_FAILED;
    app->files.colours = false;
}

static void end_quietly(struct tui_app *app)
{
    (void)app;
}

/* In the order in which they are asked. */
static const struct {
    bool (*wants)(const struct tui_app *app);
    void (*end)(struct tui_app *app);
} rows[TUI_APP_JOBS] = {
    [TUI_APP_NEXT] = {wants_always, tui_app_end_next},    [TUI_APP_CELLS] = {wants_cells, end_quietly},
    [TUI_APP_ENDS] = {wants_ends, end_quietly},           [TUI_APP_CHECK] = {wants_check, end_quietly},
    [TUI_APP_FILES] = {wants_files, end_files},           [TUI_APP_SCAN] = {wants_always, end_quietly},
    [TUI_APP_REDUNDANT] = {wants_redundant, end_quietly}, [TUI_APP_FIND] = {wants_always, tui_app_end_find},
    [TUI_APP_FOLLOW] = {wants_follow, end_quietly},       [TUI_APP_RANGE] = {wants_range, end_quietly},
};

void tui_app_begin_jobs(struct tui_app *app)
{
    tui_cells_init(&app->cells, &app->subject);
    tui_check_init(&app->check, &app->subject);
    tui_files_init(&app->files, &app->subject);
    tui_scan_init(&app->scan, &app->subject);
    app->job[TUI_APP_CELLS] = &app->cells.job;
    tui_ends_init(&app->ends, &app->subject);
    app->job[TUI_APP_ENDS] = &app->ends.job;
    tui_next_init(app);
    app->job[TUI_APP_NEXT] = &app->next.job;
    tui_find_init(&app->find, &app->subject, &app->files);
    app->job[TUI_APP_FIND] = &app->find.job;
    tui_redundant_init(&app->redundant, &app->subject, &app->files, &app->scan);
    app->job[TUI_APP_REDUNDANT] = &app->redundant.job;
    tui_follow_init(&app->follow, &app->subject, &app->cells, &app->scan, &app->files);
    app->job[TUI_APP_FOLLOW] = &app->follow.job;
    tui_range_init(&app->counted, &app->subject, &app->scan);
    app->job[TUI_APP_RANGE] = &app->counted.job;
    app->job[TUI_APP_CHECK] = &app->check.job;
    app->job[TUI_APP_FILES] = &app->files.job;
    app->job[TUI_APP_SCAN] = &app->scan.job;
}

void tui_app_forget_jobs(struct tui_app *app)
{
    for (int i = 0; i < TUI_APP_JOBS; i++) {
        app->job[i]->job_class->forget(app->job[i]->owner);
    }
}

void tui_app_end_jobs(struct tui_app *app)
{
    tui_app_forget_jobs(app);
    tui_cells_end(&app->cells);
    tui_files_end(&app->files);
    free(app->picture.bytes.data);
    tui_job_end(&app->check.job);
}

static bool job_waits(const struct tui_app *app, int i)
{
    return tui_job_waits(app->job[i], rows[i].wants(app));
}

bool tui_app_work_waits(const struct tui_app *app)
{
    for (int i = 0; i < TUI_APP_JOBS; i++) {
        if (job_waits(app, i)) {
            return true;
        }
    }
    return false;
}

void tui_app_hear_job(struct tui_app *app, struct tui_job *job)
{
    if (job->said[0] != '\0') {
        tui_app_say(app, job->said_style, "%s", job->said);
    }
    if (job->complains) {
        tui_app_error(app, &job->error);
    }
    app->redraw |= job->news;
    job->said[0] = '\0';
    job->complains = job->news = false;
}

static void do_slice(struct tui_app *app, int i)
{
    struct tui_job *job = app->job[i];

    job->job_class->slice(job->owner);
    if (job->state != TUI_JOB_RUNNING) {
        rows[i].end(app);
    }
    tui_app_hear_job(app, job);
}

/* The fiber that goes on next: the one that runs, or the first that waits; -1 if none does. */
static int next_fiber(const struct tui_app *app)
{
    int next = -1;

    for (int i = TUI_APP_JOBS - 1; i >= 0; i--) {
        if (app->job[i]->job_class->is_fiber && job_waits(app, i) &&
            (next < 0 || app->job[next]->state != TUI_JOB_RUNNING)) {
            next = i;
        }
    }
    return next;
}

void tui_app_work(struct tui_app *app)
{
    int fiber = next_fiber(app);

    for (int i = 0; i < TUI_APP_JOBS; i++) {
        if (i == fiber || (!app->job[i]->job_class->is_fiber && job_waits(app, i))) {
            do_slice(app, i);
        }
    }
}
