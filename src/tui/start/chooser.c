/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The chooser's loop and keys; see chooser.h. It is a loop of its own, beside the application's (loop.c):
 * what that one follows and works at is of an image, and here is none.
 */
#include "tui/start/chooser.h"

#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "tui/actions/actions.h"
#include "tui/app/view.h"
#include "tui/screen/clock.h"
#include "tui/screen/keys.h"

/* While it is being filled it is drawn so often. */
static const double seconds_between_drawings = 0.1;

enum { WHEEL_ROWS = 3 };

void tui_chooser_begin(struct tui_chooser *chooser, struct tui_backend *backend, const char *directory,
                       bool no_backing)
{
    memset(chooser, 0, sizeof *chooser);
    chooser->backend = backend;
    chooser->choices.directory = directory;
    chooser->choices.options.no_backing = no_backing;
    chooser->redraw = true;
    char *real = realpath(directory, NULL);
    cow_escape(chooser->title, sizeof chooser->title, real != NULL ? real : directory);
    free(real);
}

void tui_chooser_end(struct tui_chooser *chooser)
{
    tui_choices_free(&chooser->choices);
    tui_canvas_free(&chooser->canvas);
    tui_page_free(&chooser->page);
    free(chooser->wanted);
}

static void select_row(struct tui_chooser *chooser, size_t row)
{
    size_t n = chooser->choices.n;

    chooser->selected = row < n ? row : n > 0 ? n - 1 : 0;
    chooser->redraw = true;
    free(chooser->wanted); /* who moves no longer waits for it */
    chooser->wanted = NULL;
}

/* By so many rows, as far as there are some. */
static void move_by(struct tui_chooser *chooser, long rows)
{
    size_t back = rows < 0 ? (size_t)-rows : 0;

    select_row(chooser, rows >= 0                  ? chooser->selected + (size_t)rows
                        : back > chooser->selected ? 0
                                                   : chooser->selected - back);
}

static void open_box(struct tui_chooser *chooser, enum tui_chooser_box box)
{
    chooser->box = box;
    chooser->page.top = 0;
    chooser->redraw = true;
}

/* What was selected is looked for by its name. */
static void read_again(struct tui_chooser *chooser)
{
    struct tui_choices *choices = &chooser->choices;
    char *wanted = chooser->selected < choices->n ? strdup(choices->choice[chooser->selected].name) : NULL;

    tui_choices_again(choices);
    select_row(chooser, 0);
    chooser->wanted = wanted;
}

/* Returns whether the user leaves, or has chosen. */
static bool perform(struct tui_chooser *chooser, enum tui_action_id action, const char **path)
{
    const struct tui_choices *choices = &chooser->choices;
    const long page = chooser->rows > 1 ? chooser->rows - 1 : 1, all = (long)choices->n;

    switch ((int)action) {
    case TUI_DO_UP:
    case TUI_DO_DOWN:
        move_by(chooser, action == TUI_DO_UP ? -1 : 1);
        break;
    case TUI_DO_PAGE_UP:
    case TUI_DO_PAGE_DOWN:
        move_by(chooser, action == TUI_DO_PAGE_UP ? -page : page);
        break;
    case TUI_DO_FIRST:
    case TUI_DO_LAST:
        move_by(chooser, action == TUI_DO_FIRST ? -all : all);
        break;
    case TUI_DO_REFRESH:
        read_again(chooser);
        break;
    case TUI_DO_HELP:
        open_box(chooser, TUI_CHOOSER_HELP);
        break;
    case TUI_DO_REDRAW:
        chooser->backend->ops->forget(chooser->backend);
        chooser->redraw = true;
        break;
    case TUI_DO_ENTER:
        *path = chooser->selected < choices->n ? choices->choice[chooser->selected].path : NULL;
        return *path != NULL;
    case TUI_DO_LEAVE:
        return true;
    }
    return false;
}

/* In a box keys move its text, and end it. */
static void box_key(struct tui_chooser *chooser, int key)
{
    enum tui_action_id action = tui_action_id_of_key(key, TUI_IN_RESULT);

    chooser->redraw = true;
    if (tui_page_act(&chooser->page, action, chooser->page_rows) == TUI_IGNORED &&
        (action == TUI_DO_LEAVE || action == TUI_DO_ENTER)) {
        chooser->box = TUI_CHOOSER_NO_BOX;
    }
}

static bool handle_key(struct tui_chooser *chooser, int key, const char **path)
{
    if (chooser->box != TUI_CHOOSER_NO_BOX) {
        box_key(chooser, key);
        return false;
    }
    return perform(chooser, tui_action_id_of_key(key, TUI_IN_LIST), path);
}

/* A press selects, a second one opens; the wheel moves what is on top. */
static bool handle_mouse(struct tui_chooser *chooser, const struct tui_mouse *mouse, const char **path)
{
    bool up = mouse->kind == TUI_MOUSE_WHEEL_UP;
    size_t row = chooser->first + (size_t)(mouse->y - chooser->list.y);

    for (int i = 0; (up || mouse->kind == TUI_MOUSE_WHEEL_DOWN) && i < WHEEL_ROWS; i++) {
        handle_key(chooser, up ? TUI_KEY_UP : TUI_KEY_DOWN, path);
    }
    if (mouse->kind != TUI_MOUSE_PRESS || chooser->box != TUI_CHOOSER_NO_BOX) {
        return false;
    }
    bool second = tui_clicks_take(&chooser->clicks, mouse, chooser->backend->interactive ? tui_clock() : 0);
    if (!tui_rect_holds(chooser->list, mouse->x, mouse->y) || row >= chooser->choices.n) {
        return false;
    }
    select_row(chooser, row);
    return second && perform(chooser, TUI_DO_ENTER, path);
}

static void work(struct tui_chooser *chooser)
{
    struct tui_choices *choices = &chooser->choices;
    size_t before = choices->n;

    tui_choices_slice(choices, chooser->backend->interactive);
    for (size_t i = before; chooser->wanted != NULL && i < choices->n; i++) {
        if (strcmp(choices->choice[i].name, chooser->wanted) == 0) {
            select_row(chooser, i);
        }
    }
    if (!chooser->backend->interactive || !tui_choices_wait(choices) ||
        tui_clock() - chooser->drawn >= seconds_between_drawings) {
        chooser->redraw = true;
    }
}

static bool handle_event(struct tui_chooser *chooser, const struct tui_event *event, const char **path)
{
    switch (event->kind) {
    case TUI_EVENT_MOUSE:
        return handle_mouse(chooser, &event->mouse, path);
    case TUI_EVENT_KEY:
        chooser->clicks.one = false;
        return handle_key(chooser, event->key, path);
    case TUI_EVENT_REDRAW:
        chooser->backend->ops->forget(chooser->backend);
        chooser->redraw = true;
        break;
    case TUI_EVENT_RESIZE:
        chooser->redraw = true;
        break;
    case TUI_EVENT_STOP:
        chooser->stop_signal = event->signal_number;
        return true;
    case TUI_EVENT_TICK:
    case TUI_EVENT_PASTE:
        break;
    }
    return false;
}

int tui_chooser_ask(struct tui_chooser *chooser, const char **path, struct cow_error *err)
{
    bool done = false;

    *path = NULL;
    chooser->redraw = true;
    while (!done) {
        struct tui_event event = {.kind = TUI_EVENT_TICK};
        bool busy = tui_choices_wait(&chooser->choices);
        if (chooser->redraw) {
            tui_chooser_draw(chooser);
        }
        int status =
            chooser->backend->ops->next(chooser->backend, &event, busy ? TUI_WAIT_NOT : TUI_WAIT_EVENT, err);
        if (status != 0) {
            return status;
        }
        done = handle_event(chooser, &event, path);
        if (event.kind == TUI_EVENT_TICK && busy) {
            work(chooser);
        }
    }
    return 0;
}

void tui_chooser_return(struct tui_chooser *chooser, const struct cow_error *problem)
{
    chooser->backend->ops->forget(chooser->backend);
    if (problem != NULL) {
        chooser->error = *problem;
        open_box(chooser, TUI_CHOOSER_MESSAGE);
    }
    if (chooser->selected < chooser->choices.n) {
        tui_choices_look_again(&chooser->choices, chooser->selected);
    }
}
