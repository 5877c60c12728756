/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The view of changes that need no decision but yes (changes.c): the pages are those that all changes share.
 * A builder that has to compare bytes first is stopped by Esc like a commit. What it finds wrong is an error,
 * and then no page is opened at all. Only where a recovery can go both ways, which one is asked first.
 */
#include <stdlib.h>

#include "front/trace.h"
#include "tui/change/change.h"
#include "tui/change/changes.h"
#include "tui/change/recover_choice.h"
#include "tui/screen/clock.h"

struct change_view {
    struct change change;
    struct change_words words; /* where they are not those of all of its kind */
    enum tui_change own;
    struct front_planned planned; /* what the plan needs beside it; the plan itself is the change's */
    struct recover_choice ways;   /* of a recovery */
    bool choosing;
};

/* Behind the question which way it shall go. */
static const struct change_words second_of_recovery = {"Recover",
                                                       {NULL, "2 of 2: what it does", "writing", "result"},
                                                       "its interrupted change goes that way.",
                                                       {"is whole again: ", "."}};

/* A builder that takes long looks in; the context is a struct tui_waiting. */
static bool on_planning(void *context, const struct cow_progress *progress)
{
    return tui_app_look_in(context, progress->phase, progress->done_bytes, progress->total_bytes);
}

/* Takes the plan. */
static void begin_change(struct tui_app *app, struct change_view *view,
                         const struct tui_change_request *request)
{
    struct cow_plan *plan = view->planned.plan;
    const struct cow_preview *preview = cow_plan_preview(plan);

    view->planned.plan = NULL;
    view->change.planned = &view->planned;
    if (preview->operation == COW_OPERATION_RECOVER && request->change == NULL &&
        recover_choice_ask(&view->ways, app, plan)) {
        view->choosing = true;
        cow_plan_free(plan);
    } else {
        change_begin(app, &view->change, changes_words(&view->words, request, plan), plan);
    }
}

static int change_view_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    const struct tui_change_request *request = argument;
    struct tui_waiting planning;
    struct cow_env env = {.progress = on_planning, .context = &planning};
    struct change_view *view = calloc(1, sizeof *view);

    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    front_trace(&env);
    tui_app_begin_waiting(app, &planning);
    int status = tui_app_end_waiting(app, changes_plan(&view->planned, app, request, &env, err), err);
    front_hear_change(&view->planned, NULL);
    if (status != 0) {
        front_end_change(&view->planned, NULL);
        free(view);
        return status;
    }
    view->own = request->change != NULL ? TUI_CHANGE_NONE : request->own;
    begin_change(app, view, request);
    *state = view;
    return 0;
}

/* The way was chosen. */
static enum tui_result begin_recovery(struct tui_app *app, struct change_view *view)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {0};

    if (cow_plan_recover_way(&plan, app->subject.image, recover_choice_way(&view->ways), &err) != 0) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    view->choosing = false;
    change_begin(app, &view->change, &second_of_recovery, plan);
    return TUI_REDRAW;
}

static bool asked_for_way(const struct change_view *view)
{
    return view->ways.asked && view->change.at == CHANGE_CONFIRM && !view->choosing;
}

static void change_view_close(struct tui_app *app, void *state)
{
    struct change_view *view = state;

    (void)app;
    change_end(&view->change);
    front_end_change(&view->planned, NULL);
    tui_page_free(&view->ways.page);
    free(view);
}

static tui_contexts change_view_contexts(struct tui_app *app, void *state)
{
    const struct change_view *view = state;

    (void)app;
    if (view->choosing) {
        return TUI_IN_BESIDE;
    }
    return change_contexts(&view->change) | (asked_for_way(view) ? TUI_IN_SECOND : 0U);
}

static enum tui_result change_view_key(struct tui_app *app, void *state, int key)
{
    struct change_view *view = state;

    (void)app;
    return view->choosing ? TUI_IGNORED : change_key(&view->change, key);
}

static enum tui_result change_view_paste(struct tui_app *app, void *state, const char *text)
{
    const struct change_view *view = state;

    (void)text;
    return view->choosing ? TUI_IGNORED : change_paste(app, &view->change);
}

static enum tui_result change_view_act(struct tui_app *app, void *state, enum tui_action_id action,
                                       const char *argument)
{
    struct change_view *view = state;

    (void)argument;
    if (view->choosing && action == TUI_DO_ENTER) {
        return begin_recovery(app, view);
    }
    if (view->choosing) {
        return action == TUI_DO_LEAVE || action == TUI_DO_BACK ? TUI_POP
                                                               : recover_choice_act(&view->ways, action);
    }
    if (asked_for_way(view) && action == TUI_DO_BACK) {
        change_end(&view->change);
        view->choosing = true;
        return TUI_REDRAW;
    }
    if (change_goes_back(&view->change, action)) {
        return TUI_POP;
    }
    enum tui_result result = change_act(app, &view->change, action);
    if (view->own == TUI_CHANGE_EDIT && view->change.succeeded) {
        app->edits.path = app->edits.mtime = false;
    }
    return result;
}

static void change_view_draw(struct tui_app *app, void *state, struct tui_canvas *canvas,
                             struct tui_rect area)
{
    struct change_view *view = state;

    if (view->choosing) {
        recover_choice_draw(&view->ways, app, canvas, area);
    } else {
        change_draw(app, &view->change, canvas, area);
    }
}

const struct tui_view_class tui_view_change = {
    .open = change_view_open,
    .contexts = change_view_contexts,
    .key = change_view_key,
    .paste = change_view_paste,
    .act = change_view_act,
    .draw = change_view_draw,
    .close = change_view_close,
};
