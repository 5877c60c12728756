/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lines around the views: title, tabs, message, footer or prompt; and the sentence for a terminal that is
 * too small for any of it. What the title has to say gets shorter where it does not fit, in a fixed order.
 *
 * The whole screen is drawn anew each time, and the backend finds out what of it has changed: nothing here
 * remembers what it drew. Where the page to be drawn asks for a yes, what was typed before is dropped before
 * the page can be seen: no key that was meant for another page can answer it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/app/actions_told.h"
#include "tui/app/app.h"
#include "tui/app/work.h"
#include "tui/screen/prompt.h"
#include "tui/screen/utf8.h"

enum { FACT_BYTES = 768 };

/* Dirty share of the disk: "1.5%". */
static void percent_text(char *out, size_t out_bytes, uint64_t part, uint64_t whole)
{
    double percent = whole > 0 ? 100.0 * (double)part / (double)whole : 0;

    if (part > 0 && percent < 0.1)
        snprintf(out, out_bytes, "<0.1%%");
    else if (part < whole && percent >= 99.95)
        snprintf(out, out_bytes, ">99.9%%");
    else
        snprintf(out, out_bytes, "%.1f%%", percent);
}

/* What the image is, from the long form (0) to the short (2). */
static void image_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    const struct cow_backing *backing = cow_image_backing(app->subject.image);
    char size[COW_SIZE_TEXT_BYTES];

    if (header->unfinished) {
        snprintf(out, out_bytes, "%s \u00b7 %s", cow_format_title(header->format),
                 cow_image_half(app->subject.image) == COW_HALF_MOVING ? "its data is being moved"
                                                                       : "unfinished change");
        return;
    }
    cow_size_text(size, header->size_bytes);
    if (shortness == 2)
        snprintf(out, out_bytes, "%s", size);
    else if (shortness == 1 || backing->state == COW_BACKING_NONE)
        snprintf(out, out_bytes, "%s \u00b7 %s", cow_format_title(header->format), size);
    else
        snprintf(out, out_bytes, "%s \u00b7 %s over %s%s", cow_format_title(header->format), size,
                 app->backing_name,
                 backing->state == COW_BACKING_FOUND      ? ""
                 : backing->state == COW_BACKING_IGNORED  ? " (not opened)"
                 : backing->state == COW_BACKING_UNUSABLE ? " (not usable)"
                                                          : " (not found)");
}

static void usage_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    char percent[16];
    uint64_t sectors = tui_app_sectors(app);

    out[0] = '\0';
    if (!app->cells.usage_known || shortness == 2)
        return;
    percent_text(percent, sizeof percent, app->cells.usage.dirty_sectors, sectors);
    if (shortness == 1)
        snprintf(out, out_bytes, "%s dirty   ", percent);
    else
        snprintf(out, out_bytes, "dirty %" PRIu64 " of %" PRIu64 " (%s)   ", app->cells.usage.dirty_sectors,
                 sectors, percent);
}

static void access_facts(const struct tui_app *app, char *out, size_t out_bytes)
{
    bool half = cow_image_half(app->subject.image) == COW_HALF_MOVED;
    const char *pending = half ? "half moved" : app->pending ? "pending change" : "";
    const char *comma = app->pending ? ", " : "";

    if (!app->holder.held)
        snprintf(out, out_bytes, "%s", app->pending ? pending : "read-only");
    else if (app->holder.pid > 0)
        snprintf(out, out_bytes, "%s%sin use by pid %" PRId64, pending, comma, app->holder.pid);
    else
        snprintf(out, out_bytes, "%s%sin use", pending, comma);
}

static void draw_title(const struct tui_app *app, struct tui_canvas *canvas)
{
    /* shortness of the image's and the usage's facts, tried in this order */
    static const int tries[][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 1}, {2, 2}};
    char facts[FACT_BYTES], usage[96], access[64];
    int name_cells = tui_text_cells(app->name);

    access_facts(app, access, sizeof access);
    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, 1}, ' ', TUI_BAR);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        image_facts(app, facts, sizeof facts, tries[i][0]);
        usage_facts(app, usage, sizeof usage, tries[i][1]);
        int cells = 1 + name_cells + 3 + tui_text_cells(facts) + 3 + tui_text_cells(usage) +
                    tui_text_cells(access) + 1;
        if (cells <= canvas->cols)
            break;
    }
    int x_right = tui_text_right(canvas, canvas->cols - 1, 0, canvas->cols - 2,
                                 app->holder.held || app->pending ? TUI_BAR_ALERT : TUI_BAR, access);
    x_right = tui_text_right(canvas, x_right, 0, x_right - 1, TUI_BAR, usage);
    int x = 1 + tui_text(canvas, 1, 0, x_right - 2, TUI_BAR_STRONG, app->name);
    if (x + 3 < x_right)
        tui_text(canvas, x + 3, 0, x_right - x - 4, TUI_BAR, facts);
}

static void draw_tabs(const struct tui_app *app, struct tui_canvas *canvas)
{
    char work[TUI_WORK_BYTES];
    int x = 0;

    for (int i = 0; i < TUI_TABS; i++) {
        bool active = i == app->tab_now;
        x += tui_textf(canvas, x, 1, canvas->cols - x, active ? TUI_TAB_ACTIVE : TUI_TAB, " %d %s ", i + 1,
                       app->tab[i].view_class->title);
        x += 1;
    }
    for (int i = 0; i < app->depth; i++) {
        const struct tui_view_class *view_class = app->stack[i].view_class;
        if (!view_class->overlay)
            x += tui_textf(canvas, x, 1, canvas->cols - x, TUI_STRONG, " \u203a %s", view_class->title);
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

    if (tui_prompt_candidates()[0] == '\0')
        return;
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
        tui_prompt_draw(canvas, 0, y, canvas->cols, TUI_STRONG, app->question ? app->question : ":");
        draw_candidates(canvas, y);
        return;
    }
    tui_footer_draw(canvas, y, tui_work_contexts(app, view->view_class->contexts(app, view->state)));
    if (app->message[0])
        tui_text(canvas, 1, y - 1, canvas->cols - 2, app->message_style, app->message);
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

static void draw_too_small(struct tui_canvas *canvas)
{
    tui_textf(canvas, 0, 0, canvas->cols, TUI_STRONG, "cowtui needs %dx%d cells,", TUI_MIN_COLS,
              TUI_MIN_ROWS);
    tui_textf(canvas, 0, 1, canvas->cols, TUI_STRONG, "this terminal has %dx%d.", canvas->cols, canvas->rows);
    tui_text(canvas, 0, 2, canvas->cols, TUI_NORMAL, "Make it larger.");
}

void tui_app_draw(struct tui_app *app)
{
    struct tui_canvas *canvas = &app->canvas;
    int cols, rows, first = app->depth;

    app->redraw = false;
    app->backend->ops->size(app->backend, &cols, &rows);
    if (tui_canvas_resize(canvas, cols, rows))
        return;        /* out of memory: the old picture stays */
    if (app->asks_yes) /* before the page is there to be answered, so nobody's answer is lost */
        app->backend->ops->discard(app->backend);
    app->asks_yes = false;
    if (canvas->cols < TUI_MIN_COLS || canvas->rows < TUI_MIN_ROWS) {
        draw_too_small(canvas);
        app->backend->ops->present(app->backend, canvas);
        return;
    }
    struct tui_rect area = {0, 2, canvas->cols, canvas->rows - 4};
    draw_title(app, canvas);
    draw_tabs(app, canvas);
    while (first > 0 && app->stack[first - 1].view_class->overlay)
        first--;
    for (int i = first; i <= app->depth; i++) {
        const struct tui_view *view = i == 0 ? &app->tab[app->tab_now] : &app->stack[i - 1];
        view->view_class->draw(app, view->state, canvas, area);
        if (i == app->depth)
            draw_bottom(app, canvas, view);
    }
    app->backend->ops->present(app->backend, canvas);
}
