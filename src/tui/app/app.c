/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is open, one over the other, and the line of messages. Everything else of the application stands on
 * this, so this file calls none of the others.
 */
#include "tui/app/app.h"

#include <stdarg.h>
#include <stdio.h>

#include "tui/screen/utf8.h"

struct tui_view *tui_app_top(struct tui_app *app)
{
    return app->depth > 0 ? &app->stack[app->depth - 1] : &app->tab[app->tab_now];
}

void tui_app_say(struct tui_app *app, enum tui_style style, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(app->message, sizeof app->message, format, arguments);
    va_end(arguments);
    app->message_style = style;
    app->redraw = true;
}

void tui_app_error(struct tui_app *app, const struct cow_error *err)
{
    const char *dash = err->hint[0] != '\0' ? " - " : "";
    int cells = tui_text_cells(err->message) + tui_text_cells(dash) + tui_text_cells(err->hint);

    if (cells <= app->canvas.cols - 2) {
        tui_app_say(app, TUI_BAD, "%s%s%s", err->message, dash, err->hint);
    } else {
        tui_app_push(app, &tui_view_message, err);
    }
}

void tui_app_push(struct tui_app *app, const struct tui_view_class *view_class, const void *argument)
{
    struct cow_error err = {0};
    void *state = NULL;

    app->redraw = true;
    if (app->depth == TUI_STACK) {
        return;
    }
    if (view_class->open(app, &state, argument, &err) != 0) {
        tui_app_error(app, &err);
        return;
    }
    app->stack[app->depth++] = (struct tui_view){view_class, state};
}

static void close_view(struct tui_app *app, struct tui_view *view)
{
    if (view->view_class != NULL) {
        view->view_class->close(app, view->state);
    }
    *view = (struct tui_view){NULL, NULL};
}

static void pop_view(struct tui_app *app, int index)
{
    close_view(app, &app->stack[index]);
    for (int i = index; i + 1 < app->depth; i++) {
        app->stack[i] = app->stack[i + 1];
    }
    app->depth--;
    app->stack[app->depth] = (struct tui_view){NULL, NULL};
    app->redraw = true;
}

void tui_app_show_tab(struct tui_app *app, enum tui_tab tab, bool returns)
{
    while (app->depth > 0) {
        pop_view(app, app->depth - 1);
    }
    app->tab_return = returns ? app->tab_now : TUI_NO_TAB;
    app->tab_now = (int)tab;
    app->redraw = true;
}

void tui_app_offer_recovery(struct tui_app *app)
{
    tui_app_push(app, &tui_view_pending, NULL);
}

void tui_app_finish(struct tui_app *app, const struct tui_view *view, enum tui_result result)
{
    if (result == TUI_REDRAW) {
        app->redraw = true;
    }
    if (result == TUI_QUIT) {
        app->leave = true;
    }
    for (int i = app->depth - 1; result == TUI_POP && i >= 0; i--) {
        if (app->stack[i].view_class == view->view_class && app->stack[i].state == view->state) {
            pop_view(app, i);
            break;
        }
    }
}

void tui_app_close_views(struct tui_app *app)
{
    while (app->depth > 0) {
        pop_view(app, app->depth - 1);
    }
    for (int i = 0; i < TUI_TABS; i++) {
        close_view(app, &app->tab[i]);
    }
}
