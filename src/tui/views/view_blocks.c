/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Blocks: the runs of the disk, one a line, with where their bytes come from. Only the runs on the screen are
 * known: the list is walked to both sides from the selection, never built as a whole. After a scan the runs
 * are looked into.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/cells/pane.h"
#include "tui/cells/range.h"
#include "tui/views/explain.h"

enum {
    RUNS_MAX = 256,
    INFO_ROWS = 1,
    SIZE_COLS = 10,
    OWNER_COLS = 10,
    HOLDER_COLS = 20,
    OWNER_LEAST = 14,
    OWNER_TEXT = 1024
};

struct blocks_view {
    uint64_t top;                            /* first sector of the first run shown */
    int rows;                                /* that are shown; as drawn last */
    int sector_cols, byte_cols, offset_cols; /* that the largest of each takes; byte_cols 0: not shown */
    int n;
    struct tui_rect list; /* where they stand on the canvas */
    struct cow_run run[RUNS_MAX];
    struct range_totals range;
    struct { /* that the list was filled for */
        unsigned generation, epoch;
        uint64_t top;
        int rows;
    } filled;
};

static int blocks_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct blocks_view *view = calloc(1, sizeof *view);

    (void)app;
    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *state = view;
    return 0;
}

static void blocks_close(struct tui_app *app, void *state)
{
    (void)app;
    free(state);
}

static tui_contexts blocks_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_BLOCKS;
}

static bool run_holds(const struct cow_run *run, uint64_t sector)
{
    return sector >= run->first_sector && sector - run->first_sector < run->sectors;
}

static bool is_filled(const struct tui_app *app, const struct blocks_view *view)
{
    return view->filled.generation == app->subject.generation && view->filled.epoch == app->scan.epoch &&
           view->filled.top == view->top && view->filled.rows == view->rows;
}

/* Fills the list from view->top, if it is not that already: looking into runs takes a while. Returns 0 or a
 * negative status. */
static int fill_blocks(struct tui_app *app, struct blocks_view *view, struct cow_error *err)
{
    uint64_t sector = view->top;

    if (is_filled(app, view)) {
        return 0;
    }
    view->filled.generation = 0;
    view->n = 0;
    while (view->n < view->rows) {
        struct cow_run run;
        int status = tui_scan_run_at(&app->scan, sector, &run, err);
        if (status != 0) {
            return status;
        }
        if (run.sectors == 0) {
            break;
        }
        view->run[view->n++] = run;
        sector = run.first_sector + run.sectors;
    }
    view->filled.generation = app->subject.generation;
    view->filled.epoch = app->scan.epoch;
    view->filled.top = view->top;
    view->filled.rows = view->rows;
    return 0;
}

/* Sets view->top so that so many runs stand before the run at `sector`, or as many as there are. */
static int walk_back(struct tui_app *app, struct blocks_view *view, uint64_t sector, int runs,
                     struct cow_error *err)
{
    struct cow_run run;
    int status = tui_scan_run_at(&app->scan, sector, &run, err);

    if (status != 0) {
        return status;
    }
    view->top = run.first_sector;
    for (int i = 0; i < runs && view->top > 0; i++) {
        status = tui_scan_run_at(&app->scan, view->top - 1, &run, err);
        if (status != 0) {
            return status;
        }
        view->top = run.first_sector;
    }
    return 0;
}

static bool selection_is_shown(const struct tui_app *app, const struct blocks_view *view)
{
    for (int i = 0; i < view->n; i++) {
        if (run_holds(&view->run[i], app->sector)) {
            return true;
        }
    }
    return false;
}

/* The image may have changed: what was on top need not be where a run begins. */
static int begin_at_run(struct tui_app *app, struct blocks_view *view, struct cow_error *err)
{
    struct cow_run run;
    int status = tui_scan_run_at(&app->scan, view->top, &run, err);

    if (status == 0) {
        view->top = run.sectors != 0 ? run.first_sector : 0;
    }
    return status;
}

/* Scrolls to the selection: by as little as possible if it is near, else it comes to the middle. */
static int arrange_blocks(struct tui_app *app, struct blocks_view *view, struct cow_error *err)
{
    struct cow_run run;
    int status = is_filled(app, view) ? 0 : begin_at_run(app, view, err);

    if (status == 0) {
        status = fill_blocks(app, view, err);
    }
    if (status != 0 || selection_is_shown(app, view)) {
        goto end_of_list;
    }
    status = tui_scan_run_at(&app->scan, app->sector, &run, err);
    if (status != 0) {
        return status;
    }
    const struct cow_run *last = view->n > 0 ? &view->run[view->n - 1] : NULL;
    if (last != NULL && run.first_sector == last->first_sector + last->sectors) {
        status = walk_back(app, view, app->sector, view->rows - 1, err);
    } else if (run.first_sector + run.sectors == view->top) {
        view->top = run.first_sector;
    } else {
        status = walk_back(app, view, app->sector, view->rows / 2, err);
    }
    if (status == 0) {
        status = fill_blocks(app, view, err);
    }
end_of_list:
    if (status == 0 && view->n < view->rows && view->top > 0) {
        status = walk_back(app, view, tui_app_sectors(app) - 1, view->rows - 1, err);
        if (status == 0) {
            status = fill_blocks(app, view, err);
        }
    }
    return status;
}

static int digits_of(uint64_t value, int least)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, value);

    return n > least ? n : least;
}

/* Columns fit the image: small ones leave room, the largest give up the byte offset (the line below has it).
 */
static void choose_blocks_columns(struct tui_app *app, struct blocks_view *view, int cols)
{
    const struct cow_layout *layout = cow_image_layout(app->subject.image);

    view->sector_cols = digits_of(layout->sectors, 7);
    view->byte_cols = digits_of(cow_image_header(app->subject.image)->size_bytes, 9);
    view->offset_cols = digits_of(layout->end_offset, 9);
    if (3 + 2 * view->sector_cols + 2 + view->byte_cols + 2 + 12 + 18 + view->offset_cols > cols) {
        view->byte_cols = 0;
    }
}

static void draw_blocks_heading(const struct blocks_view *view, struct tui_canvas *canvas,
                                struct tui_rect area)
{
    int x = area.x + 2, end = area.x + area.cols;

    x += tui_textf(canvas, x, area.y, end - x, TUI_LABEL, "%*s  ", view->sector_cols, "sector");
    if (view->byte_cols != 0) {
        x += tui_textf(canvas, x, area.y, end - x, TUI_LABEL, "%*s  ", view->byte_cols, "disk byte");
    }
    x += tui_textf(canvas, x, area.y, end - x, TUI_LABEL, "%*s  %*s  %-16s%*s", view->sector_cols, "sectors",
                   SIZE_COLS, "size", "comes from", view->offset_cols, "file byte");
    if (end - x - HOLDER_COLS >= OWNER_LEAST) {
        tui_text(canvas, x + HOLDER_COLS, area.y, end - x - HOLDER_COLS, TUI_LABEL, "owner");
    }
}

/* Pages that are dirty in part, at the edges of what is in the COW. */
static uint64_t mixed_pages(struct tui_app *app, const struct cow_run *run, uint64_t most)
{
    return cow_origin_dirty(run->origin)
               ? tui_scan_mixed_pages(&app->scan, run->first_sector, run->sectors, most)
               : 0;
}

/* Whole runs, from the one of the anchor to the selected one. */
static struct range_ends blocks_range(struct tui_app *app)
{
    uint64_t anchor = app->range.anchor;
    struct cow_run low = {.sectors = 0}, high = {.sectors = 0};

    if (tui_scan_run_at(&app->scan, anchor < app->sector ? anchor : app->sector, &low, NULL) != 0 ||
        tui_scan_run_at(&app->scan, anchor < app->sector ? app->sector : anchor, &high, NULL) != 0) {
        return (struct range_ends){app->sector, app->sector + 1};
    }
    return (struct range_ends){low.first_sector, high.first_sector + high.sectors};
}

/* A bar before each run of the range, and the totals in place of the selected run's line. */
static void draw_blocks_range(struct tui_app *app, struct blocks_view *view, struct tui_canvas *canvas,
                              struct tui_rect inside)
{
    struct range_ends range = blocks_range(app);

    for (int i = 0; i < view->n; i++) {
        if (view->run[i].first_sector >= range.first && view->run[i].first_sector < range.end &&
            !run_holds(&view->run[i], app->sector)) {
            tui_put(canvas, inside.x, inside.y + 1 + i, 0x2503, TUI_CURSOR);
        }
    }
    tui_fill(canvas, (struct tui_rect){0, inside.y + inside.rows + 1, canvas->cols, 1}, ' ', TUI_NORMAL);
    range_draw(app, &view->range, canvas, inside.y + inside.rows + 1, range);
}

/* Whose the run's first sector is, in a column of its own where there is room. */
static void draw_run_owner(struct tui_app *app, struct tui_canvas *canvas, int x, int y, int end,
                           const struct cow_run *run)
{
    char text[OWNER_TEXT];
    uint64_t owner_end = 0;

    if (end - x < OWNER_LEAST) {
        return;
    }
    tui_files_owner_text(&app->files, run->first_sector, end - x - 2, text, sizeof text, &owner_end);
    x += tui_text(canvas, x, y, end - x, TUI_LABEL, text);
    if (owner_end > 0 && owner_end < run->first_sector + run->sectors) {
        tui_text(canvas, x, y, end - x, TUI_LABEL, " +");
    }
}

/* Of a line, what says where the run lies and how long it is: that is what shows which one is selected. A
 * line that changes its colour as a whole is sent as a whole. */
static int blocks_number_cols(const struct blocks_view *view)
{
    return 2 + 2 * (view->sector_cols + 2) + (view->byte_cols != 0 ? view->byte_cols + 2 : 0) + SIZE_COLS + 1;
}

static void draw_blocks_run(struct tui_app *app, const struct blocks_view *view, struct tui_canvas *canvas,
                            struct tui_rect line, const struct cow_run *run)
{
    bool selected = run_holds(run, app->sector);
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct tui_mark mark = tui_origin_mark(run->origin);
    enum tui_style style = selected ? TUI_SELECTED : TUI_NORMAL;
    char size[COW_SIZE_TEXT_BYTES], holder[256];
    int x = line.x + 2, y = line.y, end = line.x + line.cols;

    if (selected) {
        tui_fill(canvas, (struct tui_rect){line.x, y, blocks_number_cols(view), 1}, ' ', style);
        tui_put(canvas, line.x, y, 0x25b8, style);
    }
    int glow = tui_follow_glow_in(&app->follow, run->first_sector, run->first_sector + run->sectors);
    if (glow > 0) {
        tui_put(canvas, line.x + 1, y, tui_new_mark(glow).glyph, tui_new_mark(glow).style);
    }
    x += tui_textf(canvas, x, y, end - x, style, "%*" PRIu64 "  ", view->sector_cols, run->first_sector);
    if (view->byte_cols != 0) {
        x += tui_textf(canvas, x, y, end - x, style, "%*" PRIu64 "  ", view->byte_cols,
                       run->first_sector * sector_bytes);
    }
    x += tui_textf(canvas, x, y, end - x, style, "%*" PRIu64 "  %*s ", view->sector_cols, run->sectors,
                   SIZE_COLS, cow_size_text(size, run->sectors * sector_bytes)) +
         1;
    x += tui_put(canvas, x, y, mark.glyph, mark.style) + 1;
    tui_text(canvas, x, y, end - x, TUI_NORMAL, cow_origin_name(run->origin));
    x += 14;
    if (mixed_pages(app, run, 1) > 0) { /* the names of these origins are short enough */
        tui_put(canvas, x - 3, y, tui_mixed_mark().glyph, tui_mixed_mark().style);
    }
    draw_run_owner(app, canvas, x + view->offset_cols + HOLDER_COLS, y, end, run);
    if (run->host_offset == COW_NO_OFFSET) {
        return;
    }
    x += tui_textf(canvas, x, y, end - x, TUI_DIM, "%*" PRId64, view->offset_cols, run->host_offset);
    if (end - x > 16) {
        tui_textf(canvas, x, y, end - x > HOLDER_COLS + OWNER_LEAST ? HOLDER_COLS - 1 : end - x, TUI_DIM,
                  " in %s", pane_file_name(app, run->layer, holder, sizeof holder));
    }
}

/* Whose the selected sector is, where there is room. */
static void draw_owner(struct tui_app *app, struct tui_canvas *canvas, int x, int y,
                       const struct cow_run *run)
{
    static const char more[] = ", and more";
    char text[1024];
    int room = canvas->cols - 1 - x;
    uint64_t end = 0;

    if (room < OWNER_COLS) {
        return;
    }
    tui_files_owner_text(&app->files, app->sector, room, text, sizeof text, &end);
    x += tui_text(canvas, x, y, room, TUI_LABEL, text);
    if (end > 0 && end < run->first_sector + run->sectors && x + (int)sizeof more < canvas->cols) {
        tui_text(canvas, x, y, (int)sizeof more, TUI_DIM, more);
    }
}

static void draw_blocks_info(struct tui_app *app, struct tui_canvas *canvas, int y, const struct cow_run *run)
{
    struct tui_mark mark = tui_origin_mark(run->origin);
    char at[COW_SIZE_TEXT_BYTES], holder[256];
    int x = 1, end = canvas->cols - 1;
    uint64_t pages = mixed_pages(app, run, 2);

    cow_size_text(at, run->first_sector * cow_image_header(app->subject.image)->sector_bytes);
    if (run->sectors == 1) {
        x += tui_textf(canvas, x, y, end - x, TUI_STRONG, "sector %" PRIu64 " @ %s", run->first_sector, at);
    } else {
        x += tui_textf(canvas, x, y, end - x, TUI_STRONG, "sectors %" PRIu64 "-%" PRIu64 " @ %s",
                       run->first_sector, run->first_sector + run->sectors - 1, at);
    }
    x += 3;
    if (pages > 0) {
        x += tui_put(canvas, x, y, tui_mixed_mark().glyph, tui_mixed_mark().style) + 1;
        x += tui_text(canvas, x, y, end - x, TUI_NORMAL, pages > 1 ? "mixed pages" : "mixed page") + 3;
    }
    x += tui_put(canvas, x, y, mark.glyph, mark.style) + 1;
    x += tui_text(canvas, x, y, end - x, TUI_NORMAL, cow_origin_text(run->origin));
    if (run->layer > 1 && run->host_offset != COW_NO_OFFSET) { /* the line above may lack room for it */
        x += tui_textf(canvas, x, y, end - x, TUI_NORMAL, " (in %s)",
                       pane_file_name(app, run->layer, holder, sizeof holder));
    }
    draw_owner(app, canvas, x + 3, y, run);
}

static void blocks_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct blocks_view *view = state;
    struct tui_rect whole = {area.x, area.y, area.cols, area.rows - INFO_ROWS};
    struct tui_rect frame = pane_cut(canvas, whole);
    struct tui_rect inside =
        tui_frame(canvas, frame,
                  tui_scan_on(&app->scan) ? "Blocks \u2500 runs of sectors, compared with the backing file"
                                          : "Blocks \u2500 runs of sectors with one origin");
    struct cow_error err = {0};
    uint64_t sectors = tui_app_sectors(app);

    if (sectors == 0) {
        tui_app_draw_unfinished(app, canvas, inside);
        return;
    }
    view->rows = inside.rows - 1 < RUNS_MAX ? inside.rows - 1 : RUNS_MAX;
    if (arrange_blocks(app, view, &err) != 0) {
        tui_app_say(app, TUI_BAD, "%s", err.message);
    }
    app->redraw = false; /* a message set while drawing is drawn right after */
    choose_blocks_columns(app, view, inside.cols);
    draw_blocks_heading(view, canvas, inside);
    view->list = (struct tui_rect){inside.x, inside.y + 1, inside.cols, view->n};
    for (int i = 0; i < view->n; i++) {
        struct tui_rect line = {inside.x, inside.y + 1 + i, inside.cols, 1};
        draw_blocks_run(app, view, canvas, line, &view->run[i]);
        if (run_holds(&view->run[i], app->sector)) {
            if (pane_draw(app, canvas, whole, view->run[i].first_sector, view->run[i].sectors, "")) {
                draw_blocks_info(app, canvas, frame.y + frame.rows, &view->run[i]);
            }
            pane_line(app, canvas, frame.y + frame.rows);
            canvas->cursor_x = line.x;
            canvas->cursor_y = line.y;
        }
    }
    if (app->range.on) {
        draw_blocks_range(app, view, canvas, inside);
    }
    if (view->n > 0) {
        const struct cow_run *last = &view->run[view->n - 1];
        tui_scrollbar(canvas, frame.x + frame.cols - 1, inside.y + 1, inside.rows - 1, view->top,
                      last->first_sector + last->sectors - view->top, sectors);
    }
}

static bool blocks_click(struct tui_app *app, void *state, int x, int y)
{
    const struct blocks_view *view = state;

    if (!tui_rect_holds(view->list, x, y) || tui_app_sectors(app) == 0) {
        return false;
    }
    tui_app_select(app, view->run[y - view->list.y].first_sector);
    return true;
}

/* Selects the run so many lines below (negative: above) the present one. */
static enum tui_result step_blocks(struct tui_app *app, int lines)
{
    struct cow_error err = {0};
    struct cow_run run;
    int status = tui_scan_run_at(&app->scan, app->sector, &run, &err);
    uint64_t sector = run.first_sector;

    for (int i = 0; i < lines && status == 0; i++) {
        uint64_t next = run.first_sector + run.sectors;
        status = tui_scan_run_at(&app->scan, next, &run, &err);
        if (status == 0 && run.sectors == 0) {
            break;
        }
        sector = next;
    }
    for (int i = 0; i > lines && status == 0 && sector > 0; i--) {
        status = tui_scan_run_at(&app->scan, sector - 1, &run, &err);
        if (status == 0) {
            sector = run.first_sector;
        }
    }
    if (status != 0) {
        tui_app_error(app, &err);
    } else {
        tui_app_select(app, sector);
    }
    return TUI_REDRAW;
}

/* The whole run, whatever of it is selected. */
static enum tui_result act_on_run(struct tui_app *app, enum tui_action_id action)
{
    struct cow_run run;

    if (tui_scan_run_at(&app->scan, app->sector, &run, NULL) != 0 || run.sectors == 0) {
        return TUI_IGNORED;
    }
    return tui_explain_act(app, action, run.first_sector, run.sectors);
}

static enum tui_result blocks_act(struct tui_app *app, void *state, enum tui_action_id action,
                                  const char *argument)
{
    struct blocks_view *view = state;

    (void)argument;
    if (tui_app_sectors(app) == 0) {
        return TUI_IGNORED;
    }
    switch (action) {
    case TUI_DO_UP:
        return step_blocks(app, -1);
    case TUI_DO_DOWN:
        return step_blocks(app, 1);
    case TUI_DO_PAGE_UP:
        return step_blocks(app, -view->rows);
    case TUI_DO_PAGE_DOWN:
        return step_blocks(app, view->rows);
    case TUI_DO_FIRST:
        tui_app_select(app, 0);
        return TUI_REDRAW;
    case TUI_DO_LAST:
        tui_app_select(app, tui_app_sectors(app) - 1);
        return TUI_REDRAW;
    case TUI_DO_RANGE:
        range_toggle(app);
        return TUI_REDRAW;
    case TUI_DO_NEXT_RUN:
        return tui_app_next_dirty(app, app->sector + 1);
    case TUI_DO_PREV_RUN:
        return tui_app_prev_dirty(app, app->sector);
    case TUI_DO_ENTER:
        tui_app_push(app, &tui_view_bytes, NULL);
        return TUI_REDRAW;
    default:
        return act_on_run(app, action);
    }
}

const struct tui_view_class tui_view_blocks = {
    .open = blocks_open,
    .contexts = blocks_contexts,
    .act = blocks_act,
    .search = tui_app_search_owners,
    .draw = blocks_draw,
    .click = blocks_click,
    .close = blocks_close,
};
