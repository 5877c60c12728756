/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The commit. It runs in this thread; the core's progress callback draws and looks for keys about
 * ten times a second, so the screen lives and Esc is heard. It is no job: a job may be forgotten at any
 * moment, and a commit has to come to an end that it chooses itself. Whether a stop is still possible the
 * core says.
 *
 * In this order: what the result page tells is copied out of the plan, the plan is carried out, it is freed,
 * and only then is the image opened anew, for the plan borrows the old one. That is done after a failure,
 * too: what the files are then, only they can tell.
 */
#include <stdio.h>
#include <string.h>

#include "front/resize_fs.h"
#include "front/trace.h"
#include "tui/change/change.h"
#include "tui/screen/clock.h"
#include "tui/screen/prompt.h"

static const double seconds_between_commit_looks = 0.1;

struct run {
    struct tui_app *app;
    struct change *change;
};

static bool on_change_progress(void *context, const struct cow_progress *progress)
{
    struct run *run = context;
    struct change *change = run->change;
    double time = tui_clock();
    bool cancel_changed = change->can_cancel != progress->can_cancel;

    snprintf(change->phase, sizeof change->phase, "%s", progress->phase);
    change->said[0] = '\0';
    change->progress.done = progress->done_bytes;
    change->progress.total = progress->total_bytes;
    change->can_cancel = progress->can_cancel;
    if (run->app->subject.interactive && !cancel_changed &&
        time - change->drawn < seconds_between_commit_looks) {
        return change->stopping;
    }
    change->drawn = time;
    if (tui_app_pump(run->app)) {
        change->stopping = true;
    }
    return change->stopping;
}

/* Asked ten times a second while a program writes the filesystem. */
static bool on_program(void *context, const char *program, const char *line)
{
    struct run *run = context;
    struct change *change = run->change;

    snprintf(change->phase, sizeof change->phase, "%s writes the filesystem", program);
    snprintf(change->said, sizeof change->said, "%s", line);
    change->drawn = tui_clock();
    if (tui_app_pump(run->app)) {
        change->stopping = true;
        tui_app_draw(run->app); /* its end is waited for, and nobody asks again */
    }
    return change->stopping;
}

static int on_resize_fs(void *context, const struct cow_fs_job *job, struct cow_error *err)
{
    const struct front_fs_watch watch = {.wants_stop = on_program, .context = context};

    return front_resize_fs(job, &watch, err);
}

static void on_change_note(void *context, const char *text)
{
    struct change *change = ((struct run *)context)->change;
    size_t used = strlen(change->notes);

    snprintf(change->notes + used, sizeof change->notes - used, "%s%s", used != 0 ? " \u00b7 " : "", text);
}

/* What the result page will say; the plan does not live that long. */
static void keep_texts(struct change *change)
{
    const struct cow_preview *preview = cow_plan_preview(change->plan);

    change->moves = front_moves_in_place(preview);
    change->images = preview->images;
    change->target[0] = '\0';
    if (!preview->changes_existing) {
        cow_escape(change->target, sizeof change->target, preview->target_path);
    }
    snprintf(change->content, sizeof change->content, "%s", preview->content_text);
    snprintf(change->next_step, sizeof change->next_step, "%s", preview->next_step);
    snprintf(change->undo, sizeof change->undo, "%s", preview->undo_text);
}

static bool can_undo(struct cow_image *image)
{
    struct cow_plan *plan = NULL;
    bool possible = cow_plan_undo(&plan, image, NULL) == 0;

    cow_plan_free(plan);
    return possible;
}

void change_commit(struct tui_app *app, struct change *change)
{
    struct run run = {app, change};
    struct cow_env env = {
        .progress = on_change_progress, .note = on_change_note, .resize_fs = on_resize_fs, .context = &run};
    struct cow_error err = {0};

    front_trace(&env);
    tui_prompt_stop();
    keep_texts(change);
    change->at = CHANGE_RUNNING;
    change->page.top = 0;
    change->stopping = false;
    change->notes[0] = change->said[0] = '\0';
    change->progress.started = change->drawn = tui_clock();
    memset(&change->error, 0, sizeof change->error);
    if (change->planned != NULL) {
        front_hear_change(change->planned, &env);
    }
    change->succeeded = cow_plan_commit(change->plan, &env, &change->error) == 0;
    if (change->planned != NULL) {
        front_end_change(change->planned, change->succeeded ? NULL : &change->error);
    }
    cow_plan_free(change->plan);
    change->plan = NULL;
    /* A new file changes nothing of what is looked at: what was scanned and counted stays. */
    if (change->target[0] == '\0' && tui_app_reopen_changed(app, &err) != 0) {
        on_change_note(&run, err.message);
    }
    change->can_undo = change->succeeded && change->target[0] == '\0' && can_undo(app->subject.image);
    if (change->succeeded && change->target[0] == '\0') {
        tui_check_unstage(&app->check); /* they were of what is no longer there */
    }
    change->at = CHANGE_RESULT;
    change->page.top = 0;
    app->redraw = true;
}
