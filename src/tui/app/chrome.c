/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lines around the views: tabs, message, footer or prompt (the title is title.c's); and the sentence for
 * a terminal that is too small for any of it.
 *
 * The whole screen is drawn anew each time, and the backend finds out what of it has changed: nothing here
 * remembers what it drew. Where the page to be drawn asks for a yes, what was typed before is dropped before
 * the page can be seen: no key that was meant for another page can answer it.
 */
#include <stdio.h>
#include <string.h>

#include "tui/actions/told.h"
#include "tui/app/app.h"
#include "tui/app/work.h"
#include "tui/screen/prompt.h"
#include "tui/screen/utf8.h"

/* A tab's name has a blank, its number and a blank before it, and a blank behind it. */
enum { TABS_Y = 1, TAB_CELLS = 4 };

static int put_tab(const struct tui_app *app, struct tui_canvas *canvas, int x, int tab)
{
    return tui_textf(canvas, x, TABS_Y, canvas->cols - x, tab == app->tab_now ? TUI_TAB_ACTIVE : TUI_TAB,
                     " %d %s ", tab + 1, tui_view_title(app->tab[tab].view_class));
}

int tui_app_tab_at(const struct tui_app *app, int x)
{
    int end = 0;

    for (int tab = 0; tab < TUI_TABS; tab++) {
        int begin = end;
        end += tui_text_cells(tui_view_title(app->tab[tab].view_class)) + TAB_CELLS;
        if (x >= begin && x < end) {
            return tab;
        }
        end++;
    }
    return TUI_NO_TAB;
}

static void draw_tabs(const struct tui_app *app, struct tui_canvas *canvas)
{
    char work[TUI_WORK_BYTES];
    int x = 0;

    for (int i = 0; i < TUI_TABS; i++) {
        x += put_tab(app, canvas, x, i) + 1;
    }
    for (int i = 0; i < app->depth; i++) {
        const struct tui_view_class *view_class = app->stack[i].view_class;
        if (!view_class->overlay) {
            x += tui_textf(canvas, x, 1, canvas->cols - x, TUI_STRONG, " \u203a %s",
                           tui_view_title(view_class));
        }
    }
    bool goes_on = tui_work_text(app, work);
    int room = canvas->cols - 1 - x - 1, cells = tui_text_cells(work);
    tui_text(canvas, canvas->cols - 1 - (cells < room ? cells : room), 1, room,
             goes_on ? TUI_STRONG : TUI_DIM, work);
}

/* What Tab offers, in as many lines above the prompt as it takes. */
static void draw_candidates(struct tui_canvas *canvas, int prompt_y)
{
    struct tui_page page = {0};

    if (tui_prompt_candidates()[0] == '\0') {
        return;
    }
    tui_page_begin(&page, canvas->cols - 2);
    tui_page_line(&page);
    tui_page_wrap(&page, 0, 0, TUI_KEY, tui_prompt_candidates());
    int rows = page.lines < prompt_y ? page.lines : prompt_y;
    tui_fill(canvas, (struct tui_rect){0, prompt_y - rows, canvas->cols, rows}, ' ', TUI_NORMAL);
    tui_page_draw(&page, canvas, (struct tui_rect){1, prompt_y - rows, canvas->cols - 2, rows}, -1);
    tui_page_free(&page);
}

static void draw_bottom(struct tui_app *app, struct tui_canvas *canvas, const struct tui_view *view)
{
    int y = canvas->rows - 1;

    if (app->prompting) {
        tui_prompt_draw(canvas, 0, y, canvas->cols, TUI_STRONG, app->question != NULL ? app->question : ":");
        draw_candidates(canvas, y);
        return;
    }
    bool to_list = app->chosen && app->depth == 0 && app->tab_return == TUI_NO_TAB;
    tui_contexts contexts = view->view_class->contexts(app, view->state) | (to_list ? TUI_IN_CHOSEN : 0U);
    tui_footer_draw(canvas, y, tui_work_contexts(app, contexts));
    if (app->message[0] != '\0') {
        tui_text(canvas, 1, y - 1, canvas->cols - 2, app->message_style, app->message);
    }
}

void tui_app_draw_unfinished(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area)
{
    struct tui_page page = {0};
    bool moves = cow_image_half(app->subject.image) == COW_HALF_MOVING;

    tui_page_begin(&page, area.cols - 2);
    tui_page_line(&page);
    tui_page_line(&page);
    tui_page_wrap(
        &page, 1, 1, TUI_WARN,
        moves
            ? "The data of this image is being moved at this moment, by another cowtui; where it lies can be "
              "told when that is done. Then it is read anew."
            : "A change of this image was interrupted; its size is marked as unknown, so it has no layout "
              "and no sectors to show. The Header view tells more.");
    tui_page_draw(&page, canvas, area, -1);
    tui_page_free(&page);
}

void tui_app_draw_too_small(struct tui_canvas *canvas)
{
    tui_textf(canvas, 0, 0, canvas->cols, TUI_STRONG, "cowtui needs %dx%d cells,", TUI_MIN_COLS,
              TUI_MIN_ROWS);
    tui_textf(canvas, 0, 1, canvas->cols, TUI_STRONG, "this terminal has %dx%d.", canvas->cols, canvas->rows);
    tui_text(canvas, 0, 2, canvas->cols, TUI_NORMAL, "Make it larger.");
}

void tui_app_draw_work(struct tui_app *app)
{
    struct tui_canvas *canvas = &app->canvas;
    int cols, rows;

    app->backend->ops->size(app->backend, &cols, &rows);
    if (cols != canvas->cols || rows != canvas->rows || cols < TUI_MIN_COLS || rows < TUI_MIN_ROWS) {
        return; /* there is nothing to draw over */
    }
    tui_fill(canvas, (struct tui_rect){0, 1, cols, 1}, ' ', TUI_NORMAL);
    tui_fill(canvas, (struct tui_rect){0, rows - 1, cols, 1}, ' ', TUI_NORMAL);
    draw_tabs(app, canvas);
    draw_bottom(app, canvas, tui_app_top(app));
    app->backend->ops->present(app->backend, canvas);
}

void tui_app_draw(struct tui_app *app)
{
    struct tui_canvas *canvas = &app->canvas;
    int cols, rows, first = app->depth;

    app->redraw = app->pane.waits = false;
    app->backend->ops->size(app->backend, &cols, &rows);
    if (tui_canvas_resize(canvas, cols, rows) != 0) {
        return; /* out of memory: the old picture stays */
    }
    if (app->asks_yes) { /* before the page is there to be answered, so nobody's answer is lost */
        app->backend->ops->discard(app->backend);
        app->ahead.taken = app->ahead.n = 0;
    }
    app->asks_yes = false;
    if (canvas->cols < TUI_MIN_COLS || canvas->rows < TUI_MIN_ROWS) {
        tui_app_draw_too_small(canvas);
        app->backend->ops->present(app->backend, canvas);
        return;
    }
    struct tui_rect area = {0, 2, canvas->cols, canvas->rows - 4};
    tui_title_draw(app, canvas);
    draw_tabs(app, canvas);
    int told = tui_follow_draw(app, canvas, area.y);
    area.y += told;
    area.rows -= told;
    while (first > 0 && app->stack[first - 1].view_class->overlay) {
        first--;
    }
    for (int i = first; i <= app->depth; i++) {
        const struct tui_view *view = i == 0 ? &app->tab[app->tab_now] : &app->stack[i - 1];
        view->view_class->draw(app, view->state, canvas, area);
        if (i == app->depth) {
            draw_bottom(app, canvas, view);
        }
    }
    app->backend->ops->present(app->backend, canvas);
}
