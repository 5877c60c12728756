/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lesson's loop and keys. A picture that moves goes by the clock of the backend: in a terminal ten ticks
 * a second, of which a frame takes as many as its step says; in a script one `wait` a frame.
 */
#include "tui/lesson/lesson.h"

#include <string.h>

#include "tui/actions/actions.h"
#include "tui/app/view.h"

static void tell(struct lesson *lesson, int status, const struct cow_error *err)
{
    if (status == 0) {
        return;
    }
    lesson->error = *err;
    lesson->box = LESSON_MESSAGE;
    lesson->page.top = 0;
}

static void go(struct lesson *lesson, int step, bool is_whole)
{
    struct cow_error err = {0};
    int status = course_go(&lesson->course, step, &err);

    if (status == 0 && (is_whole || lesson->is_still)) {
        status = course_finish(&lesson->course, &err);
    }
    lesson->ticks = 0;
    lesson->is_held = false;
    lesson->page.top = 0;
    tell(lesson, status, &err);
}

static void do_next(struct lesson *lesson)
{
    struct course *course = &lesson->course;
    struct cow_error err = {0};

    if (!course_rests(course) && !course->is_lost) {
        tell(lesson, course_finish(course, &err), &err);
        lesson->is_held = false;
    } else if (course->step + 1 < LESSON_STEPS) {
        go(lesson, course->step + 1, false);
    } else {
        lesson->said = "that was the last one";
    }
}

static void do_back(struct lesson *lesson)
{
    if (lesson->course.step > 0) {
        go(lesson, lesson->course.step - 1, true);
    } else {
        lesson->said = "this is the first one";
    }
}

/* Where one moves, it stays as it is, until it is asked for again; elsewhere that is what is wanted of all.
 */
static void do_hold(struct lesson *lesson)
{
    if (!course_rests(&lesson->course)) {
        lesson->is_held = !lesson->is_held;
    } else {
        lesson->is_still = !lesson->is_still;
        lesson->said =
            lesson->is_still ? "from now on pictures are shown as they end" : "pictures move again";
    }
}

static bool perform(struct lesson *lesson, enum tui_action_id action)
{
    switch ((int)action) {
    case TUI_DO_ENTER:
        do_next(lesson);
        break;
    case TUI_DO_BACK:
        do_back(lesson);
        break;
    case TUI_DO_HOLD:
        do_hold(lesson);
        break;
    case TUI_DO_AGAIN:
        go(lesson, lesson->course.step, false);
        break;
    case TUI_DO_HELP:
        lesson->box = LESSON_HELP;
        lesson->page.top = 0;
        break;
    case TUI_DO_REDRAW:
        lesson->backend->ops->forget(lesson->backend);
        break;
    case TUI_DO_LEAVE:
        lesson->leave = true;
        break;
    default:
        return false;
    }
    return true;
}

/* In a box keys move its text, and end it. */
static void box_key(struct lesson *lesson, int key)
{
    enum tui_action_id action = tui_action_id_of_key(key, TUI_IN_RESULT);

    if (tui_page_act(&lesson->page, action, lesson->page_rows) == TUI_IGNORED &&
        (action == TUI_DO_LEAVE || action == TUI_DO_ENTER)) {
        lesson->box = LESSON_NO_BOX;
    }
}

static void handle_key(struct lesson *lesson, int key)
{
    lesson->redraw = true;
    lesson->said = NULL;
    if (lesson->box != LESSON_NO_BOX) {
        box_key(lesson, key);
    } else if (!perform(lesson, tui_action_id_of_key(key, TUI_IN_LESSON))) {
        lesson->said = "no such key here; ? tells the keys";
    }
}

static void handle_tick(struct lesson *lesson)
{
    struct course *course = &lesson->course;
    struct cow_error err = {0};
    unsigned wanted = lesson->backend->interactive ? (unsigned)lesson_steps[course->step].tenths : 1;

    if (course_rests(course) || course->is_lost || lesson->is_held || lesson->box != LESSON_NO_BOX ||
        ++lesson->ticks < wanted) {
        return;
    }
    lesson->ticks = 0;
    lesson->redraw = true;
    tell(lesson, course_advance(course, &err), &err);
}

static void handle_event(struct lesson *lesson, const struct tui_event *event)
{
    switch (event->kind) {
    case TUI_EVENT_KEY:
        handle_key(lesson, event->key);
        break;
    case TUI_EVENT_REDRAW:
        lesson->backend->ops->forget(lesson->backend);
        lesson->redraw = true;
        break;
    case TUI_EVENT_RESIZE:
        lesson->redraw = true;
        break;
    case TUI_EVENT_STOP:
        lesson->stop_signal = event->signal_number;
        lesson->leave = true;
        break;
    case TUI_EVENT_TICK:
        handle_tick(lesson);
        break;
    case TUI_EVENT_PASTE:
    case TUI_EVENT_MOUSE:
        break;
    }
}

int lesson_run(struct tui_backend *backend, bool is_ascii, int *stop_signal, struct cow_error *err)
{
    struct lesson lesson = {.backend = backend, .redraw = true};
    int status = course_begin(&lesson.course, err);

    *stop_signal = 0;
    if (status != 0) {
        return cow_error_prefix(err, "the tour needs a practice disk");
    }
    lesson.canvas.ascii = is_ascii;
    while (!lesson.leave && status == 0) {
        struct tui_event event = {.kind = TUI_EVENT_TICK};
        if (lesson.redraw) {
            lesson_draw(&lesson);
        }
        status = backend->ops->next(backend, &event, TUI_WAIT_EVENT, err);
        if (status == 0) {
            handle_event(&lesson, &event);
        }
    }
    *stop_signal = lesson.stop_signal;
    course_end(&lesson.course);
    tui_page_free(&lesson.page);
    tui_canvas_free(&lesson.canvas);
    return status;
}
