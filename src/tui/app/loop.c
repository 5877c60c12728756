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
#include "tui/screen/clock.h"
#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"

enum {
    TICKS_PER_LOOK = 10, /* once a second: who holds the image? */
    SLICES_PER_TICK = 5, /* of work in between */
};

static const double seconds_between_looks = 0.1, seconds_between_stops = 0.01;

/* Of one that is typed into a field, nobody comes here. */
static void refuse_key(struct tui_app *app, int key, unsigned contexts)
{
    char name[TUI_KEY_NAME_BYTES];
    const char *told = tui_action_of_key('?', contexts) == TUI_DO_HELP          ? "; ? tells the keys"
                       : tui_action_of_key(TUI_KEY_F1, contexts) == TUI_DO_HELP ? "; F1 tells the keys"
                                                                                : "";

    tui_app_say(app, TUI_DIM, "no key %s here%s", tui_key_name(name, key), told);
}

static void handle_key(struct tui_app *app, int key)
{
    if (app->prompting) {
        const char *line = tui_app_ask_key(app, key);
        if (line)
            tui_app_run_command(app, line);
        return;
    }
    if (app->message[0]) {
        app->message[0] = '\0';
        app->redraw = true;
    }
    if (key != 'q')
        app->warned = false;
    if (app->marks.awaits != TUI_LETTER_NONE) {
        tui_app_take_letter(app, key);
        return;
    }
    if (key == TUI_KEY_ESC && app->find.job.state == TUI_JOB_RUNNING) {
        tui_job_stop(&app->find.job);
        return;
    }
    struct tui_view view = *tui_app_top(app);
    if (view.view_class->key) {
        enum tui_result result = view.view_class->key(app, view.state, key);
        if (result != TUI_IGNORED) {
            tui_app_finish(app, &view, result);
            return;
        }
    }
    unsigned contexts = view.view_class->contexts(app, view.state);
    enum tui_action_id action = tui_action_of_key(key, contexts);
    if (action != TUI_DO_NOTHING)
        tui_app_perform(app, action, NULL);
    else
        refuse_key(app, key, contexts);
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
    if (view.view_class->paste)
        result = view.view_class->paste(app, view.state, text);
    if (result == TUI_IGNORED)
        tui_app_say(app, TUI_WARN, "pasted text is taken where text is asked for, and nowhere else");
    else
        tui_app_finish(app, &view, result);
}

static void handle_tick(struct tui_app *app)
{
    struct tui_view view = *tui_app_top(app);

    if (app->ticks++ % TICKS_PER_LOOK == 0)
        tui_app_follow(app);
    tui_follow_tick(&app->follow);
    tui_app_hear_job(app, &app->follow.job);
    if (view.view_class->tick)
        tui_app_finish(app, &view, view.view_class->tick(app, view.state));
}

/* What is the same whether we wait for work or work is going on. */
static void handle_outside(struct tui_app *app, const struct tui_event *event)
{
    if (event->kind == TUI_EVENT_RESIZE || event->kind == TUI_EVENT_REDRAW)
        app->redraw = true;
    if (event->kind == TUI_EVENT_REDRAW)
        app->backend->ops->forget(app->backend);
    if (event->kind == TUI_EVENT_STOP) {
        app->leave = true;
        app->stop_signal = event->signal_number;
    }
}

/* Takes what was typed. Returns whether it asks for a stop. */
static bool hear_stop(struct tui_app *app)
{
    struct tui_event event = {.kind = TUI_EVENT_TICK};
    bool stop = false;

    /* An error of a script is kept there and comes back from the main loop's next(). */
    while (!app->leave && app->backend->ops->next(app->backend, &event, TUI_WAIT_NOT, NULL) == 0 &&
           event.kind != TUI_EVENT_TICK) {
        handle_outside(app, &event);
        stop |= event.kind == TUI_EVENT_KEY &&
                (event.key == TUI_KEY_ESC || event.key == 'q' || event.key == TUI_CTRL('c'));
    }
    return stop || app->leave;
}

bool tui_app_pump(struct tui_app *app)
{
    tui_app_draw(app);
    return hear_stop(app);
}

bool tui_app_look_in(struct tui_waiting *waiting, const char *what, uint64_t done, uint64_t total)
{
    struct tui_app *app = waiting->app;

    if (waiting->begun <= 0)
        waiting->begun = tui_clock();
    if (app->subject.interactive && tui_clock() - waiting->looked < seconds_between_looks) {
        if (tui_clock() - waiting->heard >= seconds_between_stops) {
            waiting->stopping |= hear_stop(app);
            waiting->heard = tui_clock();
        }
        return waiting->stopping;
    }
    app->waits.what = what;
    app->waits.progress = (struct tui_progress){.done = done, .total = total, .started = waiting->begun};
    waiting->stopping |= tui_app_pump(app);
    waiting->looked = tui_clock();
    app->waits.what = NULL;
    app->redraw = true;
    return waiting->stopping;
}

/* Work takes the place of waiting: the clock has to go on. A script's goes by slices. */
static void count_slice(struct tui_app *app)
{
    bool ticks = ++app->slices % SLICES_PER_TICK == 0;

    if (app->subject.interactive)
        ticks = tui_clock() - app->ticked >= seconds_between_looks;
    if (!ticks)
        return;
    app->ticked = tui_clock();
    handle_tick(app);
}

int tui_app_loop(struct tui_app *app, struct cow_error *err)
{
    app->redraw = true;
    while (!app->leave) {
        struct tui_event event = {.kind = TUI_EVENT_TICK};
        if (app->redraw)
            tui_app_draw(app);
        bool busy = tui_app_work_waits(app);
        int status = app->backend->ops->next(app->backend, &event, busy ? TUI_WAIT_NOT : TUI_WAIT_EVENT, err);
        if (status)
            return status;
        handle_outside(app, &event);
        if (event.kind == TUI_EVENT_KEY)
            handle_key(app, event.key);
        if (event.kind == TUI_EVENT_PASTE)
            handle_paste(app, event.text);
        if (event.kind == TUI_EVENT_TICK && busy) {
            tui_app_work(app);
            count_slice(app);
        }
        if (event.kind == TUI_EVENT_TICK && !busy)
            handle_tick(app);
    }
    return 0;
}
