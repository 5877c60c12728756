/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The mouse, where it was asked for. A press selects what is shown there, a second one is Enter, the wheel is
 * Up and Down, and dragging makes a range where v does. So it does nothing that keys do not, and never what
 * asks for a yes: a click presses no button of a change, and types nothing.
 */
#include "tui/app/app.h"
#include "tui/screen/clock.h"
#include "tui/screen/keys.h"

enum { WHEEL_ROWS = 3, TABS_Y = 1 };

/* What moves by itself from one to the next, not by rows of a list. */
static const tui_contexts by_one = TUI_IN_MAP | TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_SIZE;

static tui_contexts contexts_of(struct tui_app *app, const struct tui_view *view)
{
    return view->view_class->contexts(app, view->state);
}

static void turn_wheel(struct tui_app *app, bool up)
{
    tui_contexts contexts = contexts_of(app, tui_app_top(app));
    const struct tui_action *action = tui_action_of_key(up ? TUI_KEY_UP : TUI_KEY_DOWN, contexts);

    for (int i = 0; action != NULL && i < ((contexts & by_one) != 0 ? 1 : WHEEL_ROWS); i++) {
        tui_app_perform(app, action, NULL);
    }
}

/* As the key of its number does, where it does. */
static void press_tab(struct tui_app *app, int tab)
{
    const struct tui_action *action = NULL;

    if (tab != TUI_NO_TAB) {
        action = tui_action_of_key('1' + tab, contexts_of(app, tui_app_top(app)));
    }
    if (action != NULL) {
        tui_app_perform(app, action, NULL);
    }
}

/* Returns whether something was there to be selected. */
static bool select_at(struct tui_app *app, const struct tui_mouse *mouse)
{
    const struct tui_view view = *tui_app_top(app);

    if (view.view_class->click == NULL || !view.view_class->click(app, view.state, mouse->x, mouse->y)) {
        return false;
    }
    app->redraw = true;
    return true;
}

static void press(struct tui_app *app, const struct tui_mouse *mouse)
{
    struct tui_pointer *pointer = &app->pointer;
    const struct tui_place before = tui_places_now(app);
    bool second = tui_clicks_take(&pointer->clicks, mouse, app->subject.interactive ? tui_clock() : 0);

    pointer->pressed = false;
    if (mouse->y == TABS_Y) {
        press_tab(app, tui_app_tab_at(app, mouse->x));
        return;
    }
    if (!select_at(app, mouse)) {
        return;
    }
    pointer->pressed = true;
    if (pointer->ranged) {
        app->range.on = pointer->ranged = false;
    }
    tui_places_leave(app, &before);
    const struct tui_action *enter = tui_action_of_key(TUI_KEY_ENTER, contexts_of(app, tui_app_top(app)));
    if (second && enter != NULL && enter->id == TUI_DO_ENTER) {
        pointer->pressed = false;
        tui_app_perform(app, enter, NULL);
    }
}

/* From where it was pressed to here. */
static void drag(struct tui_app *app, const struct tui_mouse *mouse)
{
    struct tui_pointer *pointer = &app->pointer;
    const uint64_t anchor = app->sector;
    const uint32_t anchor_byte = app->sector_byte;

    pointer->clicks.one = false;
    if (!pointer->pressed || (contexts_of(app, tui_app_top(app)) & TUI_IN_RUNS) == 0 ||
        !select_at(app, mouse)) {
        return;
    }
    if (pointer->ranged || (app->sector == anchor && app->sector_byte == anchor_byte)) {
        return;
    }
    pointer->ranged = app->range.on = true;
    app->range.anchor = anchor;
    app->range.anchor_byte = anchor_byte;
}

void tui_app_take_mouse(struct tui_app *app, const struct tui_mouse *mouse)
{
    if (app->prompting || app->canvas.cols < TUI_MIN_COLS || app->canvas.rows < TUI_MIN_ROWS) {
        return;
    }
    if (mouse->kind != TUI_MOUSE_RELEASE && app->message[0] != '\0') {
        app->message[0] = '\0';
        app->redraw = true;
    }
    app->marks.awaits = TUI_LETTER_NONE;
    switch (mouse->kind) {
    case TUI_MOUSE_PRESS:
        press(app, mouse);
        break;
    case TUI_MOUSE_DRAG:
        drag(app, mouse);
        break;
    case TUI_MOUSE_RELEASE:
        app->pointer.pressed = false;
        break;
    case TUI_MOUSE_WHEEL_UP:
    case TUI_MOUSE_WHEEL_DOWN:
        app->pointer.clicks.one = false;
        turn_wheel(app, mouse->kind == TUI_MOUSE_WHEEL_UP);
        break;
    case TUI_MOUSE_KINDS:
        break;
    }
}
