/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The wizard's commit. It runs in this thread; the core's progress callback draws and looks for keys about
 * ten times a second, so the screen lives and Esc is heard.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tui/prompt.h"
#include "tui/wizard.h"

static const double seconds_between_looks = 0.1;

struct run {
    struct tui_app *app;
    struct wizard *w;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool on_progress(void *context, const struct cow_progress *progress)
{
    struct run *run = context;
    struct wizard *w = run->w;
    double time = now();
    bool cancel_changed = w->can_cancel != progress->can_cancel;

    snprintf(w->phase, sizeof w->phase, "%s", progress->phase);
    w->done_bytes = progress->done_bytes;
    w->total_bytes = progress->total_bytes;
    w->can_cancel = progress->can_cancel;
    if (run->app->backend->interactive && !cancel_changed && time - w->drawn < seconds_between_looks)
        return w->stopping;
    w->drawn = time;
    if (tui_app_pump(run->app))
        w->stopping = true;
    return w->stopping;
}

static void on_note(void *context, const char *text)
{
    struct wizard *w = ((struct run *)context)->w;
    size_t used = strlen(w->notes);

    snprintf(w->notes + used, sizeof w->notes - used, "%s%s", used ? " \u00b7 " : "", text);
}

/* What the result page will say; the plan does not live that long. */
static void keep_texts(struct wizard *w)
{
    const struct cow_preview *preview = cow_plan_preview(w->plan);

    snprintf(w->next_step, sizeof w->next_step, "%s", preview->next_step);
    snprintf(w->undo, sizeof w->undo, "%s", preview->undo_text);
    w->result_bytes = preview->after_size_bytes;
}

/* Whether the backing file that the caller named still is the one to open the image with. */
static bool backing_path_stays(const struct tui_app *app, const struct wizard *w)
{
    return strcmp(cow_plan_preview(w->plan)->after_backing_path,
                  cow_image_header(app->image)->backing_path) == 0;
}

void wizard_commit(struct tui_app *app, struct wizard *w)
{
    struct run run = {app, w};
    const struct cow_env env = {on_progress, on_note, &run};
    struct cow_error err = {0};

    tui_prompt_stop();
    keep_texts(w);
    w->at = WIZARD_RUNNING;
    w->page.top = 0;
    w->stopping = false;
    w->notes[0] = '\0';
    w->started = w->drawn = now();
    memset(&w->error, 0, sizeof w->error);
    bool stays = backing_path_stays(app, w);
    w->succeeded = cow_plan_commit(w->plan, &env, &w->error) == 0;
    cow_plan_free(w->plan);
    w->plan = NULL;
    if (w->succeeded && !stays)
        app->backing_path = NULL;
    if (tui_app_reopen(app, &err))
        on_note(&run, err.message);
    w->at = WIZARD_RESULT;
    w->page.top = 0;
    app->redraw = true;
}
