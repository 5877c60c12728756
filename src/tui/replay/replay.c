/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The replay's loop and keys. Time runs by the clock of the backend: in a terminal as it passes, in a script
 * a tenth of a second a `wait`.
 */
#include "tui/replay/replay.h"

#include <stdio.h>
#include <string.h>

#include "tui/actions/actions.h"
#include "tui/app/view.h"
#include "tui/screen/clock.h"

enum { FAR_CHANGES = 10, SPEED_MOST = 1 << 20 };

static const double tick_seconds = 0.1;

/* ---- whose it is ---- */

/* While the filesystem is read: the screen says how far it is, and a key stops it. */
static bool hear_while_reading(void *context, const struct cow_progress *progress)
{
    struct replay *replay = context;
    struct tui_event event = {.kind = TUI_EVENT_TICK};
    struct cow_error err = {.status = 0};

    if (!replay->backend->interactive || tui_clock() - replay->drawn < tick_seconds) {
        return false;
    }
    snprintf(replay->said, sizeof replay->said, "reading the filesystem, %.0f%%",
             (double)progress->done_bytes * 100 / (double)progress->total_bytes);
    if (replay_draw(replay, &err) != 0) {
        return true;
    }
    if (replay->backend->ops->next(replay->backend, &event, TUI_WAIT_NOT, &err) != 0) {
        return true;
    }
    if (event.kind == TUI_EVENT_STOP) {
        replay->stop_signal = event.signal_number;
        replay->leave = true;
    }
    return replay->leave ||
           (event.kind == TUI_EVENT_KEY && tui_action_id_of_key(event.key, TUI_IN_WAITING) == TUI_DO_LEAVE);
}

static void ask_whose(struct replay *replay)
{
    const struct cow_env env = {.progress = hear_while_reading, .context = replay};
    struct cow_error err = {.status = 0};

    if (replay->whose.scan != NULL) { /* it may have gone on since */
        front_written_close(&replay->whose);
        replay->written.known = false;
    }
    replay->is_reading = true;
    replay->drawn = 0;
    int status = front_written_open(&replay->whose, replay->history, &env, &err);
    replay->is_reading = false;
    replay->said[0] = '\0';
    replay->whose_error = err;
    if (status == COW_CANCELLED) {
        replay->whose_error.status = 0;
        snprintf(replay->said, sizeof replay->said, "stopped: whose that is has not been read");
    }
    replay->redraw = true;
}

/* ---- keys ---- */

static void do_mark(struct replay *replay)
{
    char at[REPLAY_TIME_BYTES];

    replay->mark = replay->moment;
    replay->mark_ms = replay->at_ms;
    snprintf(replay->said, sizeof replay->said, "the mark is at %s", replay_time(at, replay->at_ms));
}

static int do_play(struct replay *replay, struct cow_error *err)
{
    const struct cow_history_facts *facts = cow_history_facts(replay->history);
    int status = 0;

    replay->plays = !replay->plays;
    replay->clock = tui_clock();
    if (replay->plays && replay->at_ms >= (double)facts->end_ms) {
        status = replay_go(replay, 0, err);
    }
    return status;
}

static void do_speed(struct replay *replay, double factor)
{
    double speed = replay->speed * factor;

    if (speed >= 1 && speed <= SPEED_MOST) {
        replay->speed = speed;
    }
    snprintf(replay->said, sizeof replay->said, "it plays %.0fx", replay->speed);
}

static int go_tenth(struct replay *replay, int tenths, struct cow_error *err)
{
    return replay_go(
        replay, replay->at_ms + (double)cow_history_facts(replay->history)->end_ms * tenths / REPLAY_TENTHS,
        err);
}

/* What moves in the log. *moved: it was such an action. */
static int move(struct replay *replay, enum tui_action_id action, bool *moved, struct cow_error *err)
{
    *moved = true;
    switch ((int)action) {
    case TUI_DO_LEFT:
        return replay_step(replay, -1, err);
    case TUI_DO_RIGHT:
        return replay_step(replay, 1, err);
    case TUI_DO_FAR_LEFT:
        return replay_step(replay, -FAR_CHANGES, err);
    case TUI_DO_FAR_RIGHT:
        return replay_step(replay, FAR_CHANGES, err);
    case TUI_DO_PAGE_UP:
        return go_tenth(replay, -1, err);
    case TUI_DO_PAGE_DOWN:
        return go_tenth(replay, 1, err);
    case TUI_DO_FIRST:
        return replay_go(replay, 0, err);
    case TUI_DO_LAST:
        return replay_go(replay, (double)cow_history_facts(replay->history)->end_ms, err);
    case TUI_DO_TO_MARK:
        return replay_go(replay, replay->mark_ms, err);
    default:
        *moved = false;
        return 0;
    }
}

static int perform(struct replay *replay, enum tui_action_id action, struct cow_error *err)
{
    bool moved;
    int status = move(replay, action, &moved, err);

    if (moved) {
        replay->plays = false;
        return status;
    }
    switch ((int)action) {
    case TUI_DO_PLAY:
        return do_play(replay, err);
    case TUI_DO_FASTER:
    case TUI_DO_SLOWER:
        do_speed(replay, action == TUI_DO_FASTER ? 2 : 0.5);
        break;
    case TUI_DO_MARK:
        do_mark(replay);
        break;
    case TUI_DO_WHOSE:
        ask_whose(replay);
        break;
    case TUI_DO_UP:
    case TUI_DO_DOWN:
        tui_page_act(&replay->list, action, replay->list_rows);
        break;
    case TUI_DO_HELP:
        replay->is_help = true;
        replay->help.top = 0;
        break;
    case TUI_DO_REDRAW:
        replay->backend->ops->forget(replay->backend);
        break;
    case TUI_DO_LEAVE:
        replay->leave = true;
        break;
    default:
        snprintf(replay->said, sizeof replay->said, "no such key here; ? tells the keys");
    }
    return 0;
}

static int handle_key(struct replay *replay, int key, struct cow_error *err)
{
    replay->redraw = true;
    replay->said[0] = '\0';
    if (!replay->is_help) {
        return perform(replay, tui_action_id_of_key(key, TUI_IN_REPLAY), err);
    }
    enum tui_action_id action = tui_action_id_of_key(key, TUI_IN_RESULT);
    if (tui_page_act(&replay->help, action, replay->help_rows) == TUI_IGNORED &&
        (action == TUI_DO_LEAVE || action == TUI_DO_ENTER)) {
        replay->is_help = false;
    }
    return 0;
}

/* A press, or a drag, on the line of the time goes there; the wheel steps. */
static int handle_mouse(struct replay *replay, const struct tui_mouse *mouse, struct cow_error *err)
{
    struct tui_rect line = replay->line_area;

    replay->redraw = true;
    if (replay->is_help) {
        return 0;
    }
    if (mouse->kind == TUI_MOUSE_WHEEL_UP || mouse->kind == TUI_MOUSE_WHEEL_DOWN) {
        return perform(replay, mouse->kind == TUI_MOUSE_WHEEL_UP ? TUI_DO_LEFT : TUI_DO_RIGHT, err);
    }
    if ((mouse->kind != TUI_MOUSE_PRESS && mouse->kind != TUI_MOUSE_DRAG) ||
        !tui_rect_holds(line, mouse->x, mouse->y)) {
        return 0;
    }
    replay->plays = false;
    return replay_go(
        replay, (double)cow_history_facts(replay->history)->end_ms * (mouse->x - line.x + 1) / line.cols - 1,
        err);
}

static int handle_event(struct replay *replay, const struct tui_event *event, struct cow_error *err)
{
    switch (event->kind) {
    case TUI_EVENT_KEY:
        return handle_key(replay, event->key, err);
    case TUI_EVENT_MOUSE:
        return handle_mouse(replay, &event->mouse, err);
    case TUI_EVENT_REDRAW:
        replay->backend->ops->forget(replay->backend);
        replay->redraw = true;
        break;
    case TUI_EVENT_RESIZE:
        replay->redraw = true;
        break;
    case TUI_EVENT_STOP:
        replay->stop_signal = event->signal_number;
        replay->leave = true;
        break;
    case TUI_EVENT_TICK:
    case TUI_EVENT_PASTE:
        break;
    }
    return 0;
}

/* What has passed since the last event. */
static int play_on(struct replay *replay, const struct tui_event *event, struct cow_error *err)
{
    double now = tui_clock(), passed = now - replay->clock;

    if (!replay->backend->interactive) {
        passed = event->kind == TUI_EVENT_TICK ? tick_seconds : 0;
    } else if (passed < tick_seconds / 2) {
        return 0;
    }
    replay->clock = now;
    return passed > 0 ? replay_pass(replay, passed, err) : 0;
}

int replay_run(struct tui_backend *backend, struct cow_history *history, const char *path, bool is_ascii,
               int *stop_signal, struct cow_error *err)
{
    struct replay replay = {
        .backend = backend, .history = history, .path = path, .speed = replay_usual_speed(history)};
    int status = replay_go(&replay, 0, err);

    replay.canvas.ascii = is_ascii;
    replay.mark_ms = replay.at_ms;
    while (!replay.leave && status == 0) {
        struct tui_event event = {.kind = TUI_EVENT_TICK};
        if (replay.redraw) {
            status = replay_draw(&replay, err);
        }
        if (status == 0) {
            status = backend->ops->next(backend, &event, TUI_WAIT_EVENT, err);
        }
        if (status == 0 && replay.plays) {
            status = play_on(&replay, &event, err);
        }
        if (status == 0) {
            status = handle_event(&replay, &event, err);
        }
    }
    *stop_signal = replay.stop_signal;
    replay_free(&replay);
    return status;
}
