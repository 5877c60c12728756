/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Running the check. It opens the image itself, so that it may go on while the application opens its own
 * anew.
 */
#include "tui/jobs/check_job.h"

#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/clock.h"

static const double seconds_between_turns = 0.02;

bool tui_check_waiting(const struct tui_app *app)
{
    return !app->check.running && app->depth == 0 && app->tab_now == TUI_TAB_CHECK &&
           app->check.generation != app->generation;
}

void tui_check_again(struct tui_app *app)
{
    app->check.generation = 0;
    app->check.stop = true;
}

size_t tui_check_staged(const struct tui_app *app)
{
    size_t n = 0;

    for (int i = 0; i < COW_FINDINGS; i++)
        n += app->check.staged[i];
    return n;
}

static bool on_progress(void *context, const struct cow_progress *progress)
{
    struct tui_app *app = context;
    struct tui_check *check = &app->check;
    int percent = (int)(100.0 * (double)progress->done_bytes / (double)progress->total_bytes);

    if (percent != check->percent)
        app->redraw = true;
    check->percent = percent > 100 ? 100 : percent;
    if (!app->backend->interactive || tui_clock() - check->looked >= seconds_between_turns) {
        tui_app_turn(app);
        check->looked = tui_clock();
    }
    return check->stop || app->leave || check->generation != app->generation;
}

/* A fix stays staged as long as its finding is there. */
static void unstage_gone(struct tui_check *check)
{
    bool there[COW_FINDINGS] = {false};

    for (size_t i = 0; i < check->result.findings; i++)
        there[check->result.finding[i].code] = check->result.finding[i].fixable;
    for (int code = 0; code < COW_FINDINGS; code++)
        check->staged[code] = check->staged[code] && there[code];
}

static int look(struct tui_app *app, const struct cow_env *env)
{
    struct tui_check *check = &app->check;
    struct cow_open_options open = tui_app_open_options(app);
    struct cow_check_options options = {
        .backing_path = open.backing_path, .no_backing = open.no_backing, .quick = env == NULL, .env = env};
    struct cow_check result;
    struct cow_error err = {0};
    int status = cow_check(&result, app->options->image_path, &options, &err);

    app->redraw = true;
    if (status == 0) {
        check->result = result;
        check->known = true;
    } else if (status != COW_CANCELLED) {
        check->error = err;
        check->known = false;
    }
    return status;
}

void tui_check_work(struct tui_app *app)
{
    struct tui_check *check = &app->check;
    const struct cow_env env = {.progress = on_progress, .context = app};

    check->running = true;
    check->stop = check->stopped = false;
    check->percent = 0;
    check->looked = 0;
    check->generation = app->generation;
    int status = look(app, NULL);
    if (status == 0) {
        tui_app_draw(app);
        status = look(app, &env);
        check->stopped = status == COW_CANCELLED;
    }
    if (status == 0)
        unstage_gone(check);
    check->running = false;
}
