/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loop: draw, wait for an event, hand it to the prompt, the top view, or the table of actions; and where
 * nothing is to be waited for, a slice of work. It is the only loop that hears all keys. The other one here,
 * tui_app_pump(), runs inside of work that was begun by a key, and refuses everything but a stop: a plan in
 * the making holds the image, and a commit the locks, so nothing may open, close or change them meanwhile.
 *
 * Handlers answer with what must happen and never draw; it is drawn here, once, before the next event. A key
 * that leaves, and a signal that ends the program, only set a flag: the way out is the end of the loop.
 */
#include <string.h>

#include "tui/app/app.h"
#include "tui/app/work.h"
#include "tui/screen/clock.h"
#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"

enum {
    TICKS_PER_LOOK = 10, /* once a second: who holds the image? */
    SLICES_PER_TICK = 5, /* of work in between */
};

static const double seconds_between_looks = 0.1, seconds_between_stops = 0.01;
static const double seconds_of_rest = 0.05; /* longer than between two keys of one that is held */

/* Of one that is typed into a field, nobody comes here. */
static void refuse_key(struct tui_app *app, int key, tui_contexts contexts)
{
    char name[TUI_KEY_NAME_BYTES];
    const char *told = tui_action_id_of_key('?', contexts) == TUI_DO_HELP          ? "; ? tells the keys"
                       : tui_action_id_of_key(TUI_KEY_F1, contexts) == TUI_DO_HELP ? "; F1 tells the keys"
                                                                                   : "";

    tui_app_say(app, TUI_DIM, "no key %s here%s", tui_key_name(name, key), told);
}

static void handle_key(struct tui_app *app, int key)
{
    app->pane.key = tui_clock();
    if (app->prompting) {
        const char *line = tui_app_ask_key(app, key);
        if (line != NULL) {
            tui_app_run_command(app, line);
        }
        return;
    }
    if (app->message[0] != '\0') {
        app->message[0] = '\0';
        app->redraw = true;
    }
    app->pointer.clicks.one = app->pointer.pressed = false;
    if (key != 'q') {
        app->warned = false;
    }
    if (app->marks.awaits != TUI_LETTER_NONE) {
        tui_app_take_letter(app, key);
        return;
    }
    if (key == TUI_KEY_ESC && tui_work_stop(app)) {
        return;
    }
    struct tui_view view = *tui_app_top(app);
    tui_contexts contexts = view.view_class->contexts(app, view.state);
    const struct tui_action *action = tui_action_of_key(key, contexts);
    enum tui_result result = TUI_IGNORED;
    if (action != NULL) {
        tui_app_perform(app, action, NULL);
        return;
    }
    if (view.view_class->key != NULL) {
        result = view.view_class->key(app, view.state, key);
    }
    if (result == TUI_IGNORED) {
        refuse_key(app, key, contexts);
    } else {
        tui_app_finish(app, &view, result);
    }
}

/* A paste is text for a field. Nowhere else is it obeyed: who pastes does not always see what. */
static void handle_paste(struct tui_app *app, const char *text)
{
    struct tui_view view = *tui_app_top(app);
    enum tui_result result = TUI_IGNORED;

    if (app->prompting) {
        tui_app_ask_paste(app, text);
        return;
    }
    if (view.view_class->paste != NULL) {
        result = view.view_class->paste(app, view.state, text);
    }
    if (result == TUI_IGNORED) {
        tui_app_say(app, TUI_WARN, "pasted text is taken where text is asked for, and nowhere else");
    } else {
        tui_app_finish(app, &view, result);
    }
}

static void handle_tick(struct tui_app *app)
{
    struct tui_view view = *tui_app_top(app);

    if (app->ticks++ % TICKS_PER_LOOK == 0) {
        tui_app_follow(app);
    }
    tui_follow_tick(&app->follow);
    tui_app_hear_job(app, &app->follow.job);
    if (view.view_class->tick != NULL) {
        tui_app_finish(app, &view, view.view_class->tick(app, view.state));
    }
}

/* What is the same whether we wait for work or work is going on. */
static void handle_outside(struct tui_app *app, const struct tui_event *event)
{
    if (event->kind == TUI_EVENT_RESIZE || event->kind == TUI_EVENT_REDRAW) {
        app->redraw = true;
    }
    if (event->kind == TUI_EVENT_REDRAW) {
        app->backend->ops->forget(app->backend);
    }
    if (event->kind == TUI_EVENT_STOP) {
        app->leave = true;
        app->stop_signal = event->signal_number;
    }
}

/* A key that was typed while something was waited for is meant for what comes then. */
static void keep_key(struct tui_app *app, const struct tui_event *event)
{
    if (event->kind == TUI_EVENT_KEY && app->ahead.n < TUI_AHEAD_KEYS) {
        app->ahead.key[app->ahead.n++] = event->key;
    }
}

/* The first key that was kept. */
static int take_key(struct tui_app *app)
{
    int key = app->ahead.key[app->ahead.taken++];

    if (app->ahead.taken == app->ahead.n) {
        app->ahead.taken = app->ahead.n = 0;
    }
    return key;
}

/* Takes what was typed. Returns whether it asks for a stop; then none of it is kept. */
static bool hear_stop(struct tui_app *app, bool keeps)
{
    struct tui_event event = {.kind = TUI_EVENT_TICK};
    bool stop = false;

    /* An error of a script is kept there and comes back from the main loop's next(). */
    while (!app->leave && app->backend->ops->next(app->backend, &event, TUI_WAIT_NOT, NULL) == 0 &&
           event.kind != TUI_EVENT_TICK) {
        handle_outside(app, &event);
        stop |= event.kind == TUI_EVENT_KEY &&
                (event.key == TUI_KEY_ESC || event.key == 'q' || event.key == TUI_CTRL('c'));
        if (keeps) {
            keep_key(app, &event);
        }
    }
    if (stop) {
        app->ahead.taken = app->ahead.n = 0;
    }
    return stop || app->leave;
}

bool tui_app_pump(struct tui_app *app)
{
    tui_app_draw(app);
    return hear_stop(app, false);
}

bool tui_app_look_in(struct tui_waiting *waiting, const char *what, uint64_t done, uint64_t total)
{
    struct tui_app *app = waiting->app;
    struct tui_waiting *outer = app->waiting;

    if (waiting->begun <= 0) {
        waiting->begun = tui_clock();
    }
    if (app->subject.interactive && tui_clock() - waiting->looked < seconds_between_looks) {
        if (tui_clock() - waiting->heard >= seconds_between_stops) {
            waiting->stopping |= hear_stop(app, true);
            waiting->heard = tui_clock();
        }
        return waiting->stopping;
    }
    app->waits.what = what;
    app->waits.progress = (struct tui_progress){.done = done, .total = total, .started = waiting->begun};
    app->waiting = NULL; /* drawing reads, too */
    tui_app_draw(app);
    waiting->stopping |= hear_stop(app, app->subject.interactive);
    app->waiting = outer;
    waiting->looked = tui_clock();
    app->waits.what = NULL;
    app->redraw = true;
    return waiting->stopping;
}

void tui_app_begin_waiting(struct tui_app *app, struct tui_waiting *waiting)
{
    *waiting = (struct tui_waiting){.app = app, .looked = tui_clock(), .begun = tui_clock()};
    app->waiting = waiting;
}

int tui_app_end_waiting(struct tui_app *app, int status, struct cow_error *err)
{
    bool stopped = app->waiting->stopping;

    app->waiting = NULL;
    if (stopped) {
        return cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed");
    }
    return status;
}

bool tui_app_step(void *context)
{
    struct tui_app *app = context;
    struct tui_waiting *waiting = app->waiting;
    double now;

    if (waiting == NULL || (now = tui_clock()) - waiting->heard < seconds_between_stops) {
        return waiting != NULL && waiting->stopping;
    }
    waiting->heard = now;
    waiting->stopping |= hear_stop(app, true);
    if (now - waiting->looked < seconds_between_looks) {
        return waiting->stopping;
    }
    waiting->looked = now;
    app->waits.what = "looking at the image";
    app->waits.progress = (struct tui_progress){.started = waiting->begun};
    tui_app_draw_work(app);
    app->waits.what = NULL;
    app->redraw = true;
    return waiting->stopping;
}

/* Work takes the place of waiting: the clock has to go on. A script's goes by slices. */
static void count_slice(struct tui_app *app)
{
    bool ticks = ++app->slices % SLICES_PER_TICK == 0;

    if (app->subject.interactive) {
        ticks = tui_clock() - app->ticked >= seconds_between_looks;
    }
    if (!ticks) {
        return;
    }
    app->ticked = tui_clock();
    handle_tick(app);
}

/* The pane is drawn behind the keys, when none has come for a moment. */
static bool pane_is_due(const struct tui_app *app)
{
    return app->pane.waits && tui_clock() - app->pane.key >= seconds_of_rest;
}

int tui_app_loop(struct tui_app *app, struct cow_error *err)
{
    int status;

    app->redraw = true;
    while (!app->leave) {
        struct tui_event event = {.kind = TUI_EVENT_TICK};
        if (app->redraw || pane_is_due(app)) {
            tui_app_draw(app);
        }
        bool busy = tui_app_work_waits(app);
        enum tui_wait wait = busy ? TUI_WAIT_NOT : app->pane.waits ? TUI_WAIT_MOMENT : TUI_WAIT_EVENT;
        if (app->ahead.n > 0) {
            event = (struct tui_event){.kind = TUI_EVENT_KEY, .key = take_key(app)};
        } else if ((status = app->backend->ops->next(app->backend, &event, wait, err)) != 0) {
            return status;
        }
        handle_outside(app, &event);
        if (event.kind == TUI_EVENT_KEY) {
            handle_key(app, event.key);
        }
        if (event.kind == TUI_EVENT_MOUSE) {
            tui_app_take_mouse(app, &event.mouse);
        }
        if (event.kind == TUI_EVENT_PASTE) {
            handle_paste(app, event.text);
        }
        if (event.kind == TUI_EVENT_TICK && busy) {
            tui_app_work(app);
            count_slice(app);
        }
        if (event.kind == TUI_EVENT_TICK && wait == TUI_WAIT_EVENT) {
            handle_tick(app);
        }
    }
    return 0;
}
