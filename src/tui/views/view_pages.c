/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The views that are nothing but a page: Help, made from the tables of actions and states; the settings; and
 * the boxes: a message that is too long for a line, and the offer to recover. A box keeps what it was opened
 * with, since whoever opened it may be gone.
 */
#include <stdlib.h>
#include <string.h>

#include "tui/actions/told.h"
#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/change/change.h"
#include "tui/look/themes.h"

struct page_view {
    struct tui_page page;
    int rows; /* as drawn last: a screen, for PgUp and PgDn */
    struct cow_error error;
};

static int page_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct page_view *view = calloc(1, sizeof *view);

    (void)app;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (argument != NULL) {
        view->error = *(const struct cow_error *)argument;
    }
    *state = view;
    return 0;
}

static void page_close(struct tui_app *app, void *state)
{
    struct page_view *view = state;

    (void)app;
    tui_page_free(&view->page);
    free(view);
}

static enum tui_result page_act(struct tui_app *app, void *state, enum tui_action_id action,
                                const char *argument)
{
    struct page_view *view = state;

    (void)app;
    (void)argument;
    return tui_page_act(&view->page, action, view->rows);
}

static tui_contexts help_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_HELP;
}

static void help_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct page_view *view = state;

    (void)app;
    struct tui_rect inside = tui_frame(canvas, area, "Help");
    tui_page_begin(&view->page, inside.cols - 1);
    tui_legend_help(&view->page);
    tui_actions_help(&view->page);
    view->rows = inside.rows;
    tui_page_draw(&view->page, canvas, inside, area.x + area.cols - 1);
}

static void settings_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct page_view *view = state;
    struct tui_page *page = &view->page;
    struct tui_rect inside = tui_frame(canvas, area, "Settings");
    char about[4 * TUI_THEME_ABOUT_BYTES], names[COW_HINT_BYTES];
    const struct tui_setting *row;

    tui_page_begin(page, inside.cols - 1);
    for (size_t i = 0; (row = tui_setting_row(i)) != NULL; i++) {
        tui_page_line(page);
        tui_page_put(page, 1, TUI_LABEL, row->name);
        tui_page_put(page, 9, TUI_STRONG, tui_setting_value(app->settings, i));
        tui_page_putf(page, 25, TUI_KEY, row->value != NULL ? ":set %s=%s" : ":set %s  :set no%s", row->name,
                      row->value != NULL ? row->value : row->name);
        tui_page_line(page);
        tui_page_wrap(page, 9, 9, TUI_NORMAL, row->help);
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrapf(page, 1, 9, TUI_NORMAL, "Themes: %s; this one: %s", tui_theme_names(names, sizeof names),
                   cow_escape(about, sizeof about, app->settings->theme.about));
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrap(page, 1, 1, TUI_DIM,
                  "What you want always goes into ~/.config/cowtui/config, a line each, as in: theme=light");
    view->rows = inside.rows;
    tui_page_draw(page, canvas, inside, area.x + area.cols - 1);
}

static tui_contexts message_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_RESULT;
}

static enum tui_result message_act(struct tui_app *app, void *state, enum tui_action_id action,
                                   const char *argument)
{
    if (action == TUI_DO_ENTER || action == TUI_DO_LEAVE) {
        return TUI_POP;
    }
    enum tui_result result = page_act(app, state, action, argument);
    return result == TUI_IGNORED && action != TUI_DO_REDRAW ? TUI_NOTHING : result;
}

/* Begins the page of a box; box_draw() shows what has been put into it. */
static void box_begin(struct page_view *view, struct tui_rect area)
{
    tui_page_begin(&view->page, (area.cols > 76 ? 72 : area.cols - 4) - 4);
    tui_page_line(&view->page);
}

static void box_draw(struct page_view *view, struct tui_canvas *canvas, struct tui_rect area,
                     const char *title)
{
    int cols = view->page.cols + 4;

    tui_page_line(&view->page);
    int rows = view->page.lines + 2 < area.rows ? view->page.lines + 2 : area.rows;
    struct tui_rect box = {area.x + (area.cols - cols) / 2, area.y + (area.rows - rows) / 2, cols, rows};
    tui_fill(canvas, box, ' ', TUI_NORMAL);
    struct tui_rect inside = tui_frame(canvas, box, title);
    view->rows = inside.rows;
    inside.x++;
    tui_page_draw(&view->page, canvas, inside, box.x + box.cols - 1);
    canvas->cursor_x = canvas->cursor_y = -1;
}

static void put_paragraph(struct tui_page *page, enum tui_style style, const char *text)
{
    if (page->lines > 1) {
        tui_page_line(page);
    }
    tui_page_line(page);
    tui_page_wrap(page, 1, 1, style, text);
}

static void message_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct page_view *view = state;

    (void)app;
    box_begin(view, area);
    put_paragraph(&view->page, TUI_BAD, view->error.message);
    if (view->error.hint[0] != '\0') {
        put_paragraph(&view->page, TUI_NORMAL, view->error.hint);
    }
    box_draw(view, canvas, area, "Message");
}

static void explained_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct page_view *view = state;

    (void)app;
    box_begin(view, area);
    put_paragraph(&view->page, TUI_NORMAL, view->error.message);
    put_paragraph(&view->page, TUI_NORMAL, view->error.hint);
    box_draw(view, canvas, area, "Where these bytes come from");
}

static tui_contexts pending_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_OFFER;
}

static enum tui_result pending_act(struct tui_app *app, void *state, enum tui_action_id action,
                                   const char *argument)
{
    const struct tui_change_request recover = {.own = TUI_CHANGE_RECOVER, .argument = ""};

    if (action == TUI_DO_ENTER) {
        tui_app_push(app, &tui_view_change, &recover);
    }
    return message_act(app, state, action, argument);
}

static void pending_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct page_view *view = state;
    const char *what = cow_image_pending(app->subject.image);

    box_begin(view, area);
    tui_page_line(&view->page);
    tui_page_wrapf(&view->page, 1, 1, TUI_WARN, "%s: %s", app->name,
                   what[0] != '\0' ? what : "nothing is pending any more");
    change_put_holder(app, &view->page);
    put_paragraph(
        &view->page, TUI_NORMAL,
        "Until then it can be looked at, but not changed. Enter shows what recovering would do; nothing "
        "is written before the yes there. q looks only; :recover comes back to this.");
    box_draw(view, canvas, area, "Pending change");
}

const struct tui_view_class tui_view_help = {
    .has_page = true,
    .open = page_open,
    .contexts = help_contexts,
    .act = page_act,
    .draw = help_draw,
    .close = page_close,
};

const struct tui_view_class tui_view_settings = {
    .has_page = true,
    .open = page_open,
    .contexts = help_contexts,
    .act = page_act,
    .draw = settings_draw,
    .close = page_close,
};

const struct tui_view_class tui_view_message = {
    .overlay = true,
    .open = page_open,
    .contexts = message_contexts,
    .act = message_act,
    .draw = message_draw,
    .close = page_close,
};

const struct tui_view_class tui_view_explained = {
    .overlay = true,
    .open = page_open,
    .contexts = message_contexts,
    .act = message_act,
    .draw = explained_draw,
    .close = page_close,
};

const struct tui_view_class tui_view_pending = {
    .overlay = true,
    .open = page_open,
    .contexts = pending_contexts,
    .act = pending_act,
    .draw = pending_draw,
    .close = page_close,
};
