/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Map: the bitmap as a heatmap, row by row, or along a curve. A cell is a whole number of sectors; rows start
 * at multiples of their length from the beginning of the disk, so that cells keep their content while the map
 * scrolls; along the curve it is turned over by whole windows. What is in each cell is counted and kept by a
 * job (jobs/cells_job.h). Where the whole disk fits, the columns are as many as fill the
 * rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/cells/map_ends.h"
#include "tui/cells/pane.h"
#include "tui/map/map_view.h"
#include "tui/screen/utf8.h"
#include "tui/views/explain.h"

enum {
    GUTTER = 10,
    GUTTER_FROM_COLS = 100,
    INFO_ROWS = 1,
    FOUND_BYTES = 160,
    FIT_MULTIPLE = 8,
    FIT_LOSS = 16,              /* a round number of sectors a cell may cost this part of the columns */
    COARSE = 8,                 /* units of a density: from here on a cell is a whole number of them */
    FULL_BLOCK = 0x2588,        /* all ink: the colours of the cursor do not show on it */
    FULL_UNDER_CURSOR = 0x25a0, /* so it is drawn smaller there */
};

static int map_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct map_view *view = calloc(1, sizeof *view);

    (void)app;
    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->fitted = true;
    *state = view;
    return 0;
}

static void map_close(struct tui_app *app, void *state)
{
    struct map_view *view = state;

    (void)app;
    tui_owners_free(&view->owners);
    front_curve_free(&view->curve);
    map_strip_free(&view->strip);
    free(view);
}

static tui_contexts map_contexts(struct tui_app *app, void *state)
{
    (void)state;
    return TUI_IN_MAP | (app->files.lit.path != NULL ? TUI_IN_CLEARABLE : 0U);
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return value / to * to + ((value % to) != 0 ? to : 0);
}

static uint64_t divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

static uint64_t row_sectors(const struct map_view *view)
{
    return view->cell_sectors * (uint64_t)view->cols;
}

/* Scrolls so that the selection is on the screen and no blank rows are shown without need. */
static void scroll_map(struct tui_app *app, struct map_view *view)
{
    uint64_t total = divide_up(tui_app_sectors(app), row_sectors(view));
    uint64_t row = app->sector / row_sectors(view), rows = (uint64_t)view->rows;

    if (view->curved) {
        view->top_row = row / rows * rows;
        return;
    }
    if (row < view->top_row) {
        view->top_row = row;
    }
    if (row >= view->top_row + rows) {
        view->top_row = row - rows + 1;
    }
    if (view->top_row + rows > total) {
        view->top_row = total > rows ? total - rows : 0;
    }
}

/* The columns that fill so many rows with the whole disk. One that has fewer sectors than the window has
 * cells leaves rows blank. */
static int filling_cols(uint64_t sectors, uint64_t cell_sectors, int cols, int rows)
{
    uint64_t filling = divide_up(divide_up(sectors, cell_sectors), (uint64_t)rows);

    return sectors > (uint64_t)cols * (uint64_t)rows && filling < (uint64_t)cols ? (int)filling : cols;
}

/* A cell's sectors at which the whole disk fits: a round number, unless that costs too many columns. Whole
 * units of a density are a little coarser, and the first frame costs nothing. */
static uint64_t fitting_sectors(uint64_t sectors, int cols, int rows)
{
    static const uint64_t granules[] = {COW_DENSITY_UNIT_SECTORS, FIT_MULTIPLE};
    uint64_t exact = divide_up(sectors, (uint64_t)cols * (uint64_t)rows);

    for (size_t i = 0; i < sizeof granules / sizeof granules[0]; i++) {
        uint64_t rounded = round_up(exact, granules[i]);
        if (exact >= granules[i] * (i == 0 ? COARSE : 1) &&
            filling_cols(sectors, rounded, cols, rows) + cols / FIT_LOSS >= cols) {
            return rounded;
        }
    }
    return exact;
}

/* Fits zoom and position to a grid of that size. Returns false where there is no memory for a curve. */
static bool arrange_map(struct tui_app *app, struct map_view *view, int cols, int rows)
{
    uint64_t sectors = tui_app_sectors(app);

    view->fit_sectors = fitting_sectors(sectors, cols, rows);
    if (view->fitted || view->cell_sectors == 0 || view->cell_sectors >= view->fit_sectors) {
        view->cell_sectors = view->fit_sectors;
        view->fitted = true;
    }
    view->cols = view->fitted ? filling_cols(sectors, view->cell_sectors, cols, rows) : cols;
    view->rows = rows;
    scroll_map(app, view);
    return !view->curved || front_curve_draw(&view->curve, view->cols, view->rows) == 0;
}

/* The scale follows what has been counted so far of the window. */
static void measure_heat(const struct tui_app *app, struct map_view *view)
{
    size_t counted;
    const struct cow_density *count = tui_cells_counts(&app->cells, &counted);

    front_heat_measure(&view->heat, view->heat_choice, count, counted);
}

/* What a cell is, as far as it was counted: nothing is drawn of others. */
static enum front_density density_at(const struct tui_app *app, const struct map_view *view, size_t cell)
{
    const struct cow_density *count = tui_cells_at(&app->cells, cell);

    return count != NULL ? front_heat_of(&view->heat, count) : FRONT_DENSITY_OUTSIDE;
}

static void draw_gutter(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                        struct tui_rect cells)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    char text[COW_SIZE_TEXT_BYTES], last[COW_SIZE_TEXT_BYTES] = "";

    for (int y = 0; y < cells.rows; y++) {
        uint64_t sector = (view->top_row + (uint64_t)y) * row_sectors(view);
        if (sector >= tui_app_sectors(app)) {
            break;
        }
        cow_size_text(text, sector * header->sector_bytes);
        if (strcmp(text, last) != 0) {
            tui_text_right(canvas, cells.x - 1, cells.y + y, GUTTER - 1, TUI_OFFSET, text);
        }
        memcpy(last, text, sizeof last);
    }
}

/* Where a cell of the window lies. */
static struct front_spot spot_of(const struct map_view *view, size_t cell)
{
    return view->curved ? view->curve.spot[cell]
                        : (struct front_spot){(int16_t)(cell % (size_t)view->cols),
                                              (int16_t)(cell / (size_t)view->cols)};
}

/* The cell under the cursor, counted from the first one of the window. */
static size_t cursor_cell(const struct tui_app *app, const struct map_view *view)
{
    return (size_t)(app->sector / view->cell_sectors - view->top_row * (uint64_t)view->cols);
}

static struct tui_mark cell_mark(const struct tui_app *app, const struct map_view *view, size_t cell)
{
    const struct tui_scan_cell *scanned = tui_scan_cell_at(&app->scan, cell);
    enum front_density density = density_at(app, view, cell);
    struct tui_mark mark =
        scanned != NULL ? tui_scanned_mark(density, scanned->sectors) : tui_density_mark(density);

    tui_owners_mark(&view->owners, cell, &mark);
    return mark;
}

static uint64_t window_sectors(const struct map_view *view)
{
    return row_sectors(view) * (uint64_t)view->rows;
}

/* Over the cells in which something ends. */
static void draw_ends(const struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                      struct tui_rect cells)
{
    uint64_t first = view->top_row * row_sectors(view);
    const struct front_end *end;

    for (size_t at = 0;
         (end = front_ends_within(&app->ends.known, &at, first, window_sectors(view))) != NULL;) {
        uint64_t cell = end->sector / view->cell_sectors;
        struct front_spot spot = spot_of(view, (size_t)(cell - first / view->cell_sectors));
        struct tui_mark mark =
            tui_end_mark(map_ends_in(&app->ends, cell * view->cell_sectors, view->cell_sectors));
        tui_put(canvas, cells.x + spot.x, cells.y + spot.y, mark.glyph, mark.style);
    }
}

/* Whole cells, from the one of the anchor to the selected one. */
static struct range_ends range_of(const struct tui_app *app, const struct map_view *view)
{
    uint64_t anchor = app->range.anchor, sectors = tui_app_sectors(app);
    uint64_t low = anchor < app->sector ? anchor : app->sector,
             high = anchor < app->sector ? app->sector : anchor;
    struct range_ends range = {low / view->cell_sectors * view->cell_sectors,
                               (high / view->cell_sectors + 1) * view->cell_sectors};

    if (range.end > sectors) {
        range.end = sectors;
    }
    return range;
}

static void draw_range(const struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                       struct tui_rect cells)
{
    uint64_t first = view->top_row * row_sectors(view);
    struct range_ends range = range_of(app, view);
    size_t n = (size_t)view->cols * (size_t)view->rows;

    for (size_t cell = 0; app->range.on && cell < n; cell++) {
        uint64_t sector = first + cell * view->cell_sectors;
        struct front_spot spot = spot_of(view, cell);
        if (sector >= range.first && sector < range.end) {
            tui_restyle(canvas, (struct tui_rect){cells.x + spot.x, cells.y + spot.y, 1, 1}, TUI_SELECTED);
        }
    }
}

/* What has become dirty while the image is followed, the brightest last. */
static void draw_glow(const struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                      struct tui_rect cells)
{
    uint64_t first = view->top_row * row_sectors(view), end = first + window_sectors(view);

    for (size_t i = 0; i < app->follow.glowing.n; i++) {
        const struct tui_fresh *fresh = &app->follow.glowing.run[i];
        int glow = tui_follow_glow(&app->follow, fresh);
        uint64_t from = fresh->first > first ? fresh->first : first, to = fresh->end < end ? fresh->end : end;
        for (uint64_t cell = (from - first) / view->cell_sectors;
             glow > 0 && from < to && first + cell * view->cell_sectors < to; cell++) {
            struct front_spot spot = spot_of(view, (size_t)cell);
            tui_put(canvas, cells.x + spot.x, cells.y + spot.y, tui_new_mark(glow).glyph,
                    tui_new_mark(glow).style);
        }
    }
}

static void draw_cells(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                       struct tui_rect cells)
{
    struct front_spot cursor = spot_of(view, cursor_cell(app, view));
    int cursor_x = cells.x + cursor.x, cursor_y = cells.y + cursor.y;
    size_t n = (size_t)view->cols * (size_t)view->rows;

    for (size_t cell = 0; cell < n; cell++) {
        struct front_spot spot = spot_of(view, cell);
        struct tui_mark mark = cell_mark(app, view, cell);
        if (mark.glyph == FULL_BLOCK && spot.x == cursor.x && spot.y == cursor.y) {
            mark.glyph = FULL_UNDER_CURSOR;
        }
        tui_put(canvas, cells.x + spot.x, cells.y + spot.y, mark.glyph, mark.style);
    }
    draw_glow(app, view, canvas, cells);
    draw_ends(app, view, canvas, cells);
    draw_range(app, view, canvas, cells);
    tui_put(canvas, cursor_x - 1, cursor_y, '[', TUI_CURSOR);
    tui_put(canvas, cursor_x + 1, cursor_y, ']', TUI_CURSOR);
    tui_restyle(canvas, (struct tui_rect){cursor_x, cursor_y, 1, 1}, TUI_MAP_CURSOR);
    canvas->cursor_x = cursor_x;
    canvas->cursor_y = cursor_y;
}

static void frame_title(struct tui_app *app, const struct map_view *view, char *out, size_t out_bytes)
{
    char size[COW_SIZE_TEXT_BYTES];

    cow_size_text(size, view->cell_sectors * cow_image_header(app->subject.image)->sector_bytes);
    snprintf(out, out_bytes, "Map \u2500 1 cell = %" PRIu64 " %s, %s%s%s", view->cell_sectors,
             view->cell_sectors == 1 ? "sector" : "sectors", size, view->fitted ? ", the whole disk" : "",
             app->files.colours ? ", by owners"
             : view->curved     ? ", Hilbert"
                                : "");
}

static int put_legend(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas, int x,
                      int y, int cols)
{
    if (app->files.lit.path != NULL && view->owners.cells > 0) {
        return tui_legend_lit(canvas, x, y, cols, app->files.lit.path, app->files.lit.below);
    }
    if (app->files.colours && view->owners.cells > 0) {
        return tui_legend_owners(canvas, x, y, cols);
    }
    unsigned ends = map_ends_shown(&app->ends, view->top_row * row_sectors(view), window_sectors(view),
                                   view->cell_sectors);
    return tui_legend_draw(canvas, x, y, cols, &view->heat, ends, tui_scan_on(&app->scan));
}

/* In the frame's lower edge, where no message covers it. Drawn twice: how long it is shows when it is there.
 */
static void draw_legend(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                        struct tui_rect edge)
{
    int cols = put_legend(app, view, canvas, edge.x + 1, edge.y, edge.cols - 2);

    if (cols > 0) {
        tui_fill(canvas, (struct tui_rect){edge.x, edge.y, cols, 1}, ' ', TUI_NORMAL);
    }
    put_legend(app, view, canvas, edge.x + 1, edge.y, edge.cols - 2);
}

/* About the selected cell. */
static void draw_pane(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                      struct tui_rect area)
{
    uint64_t first = app->sector / view->cell_sectors * view->cell_sectors;
    uint64_t left = tui_app_sectors(app) - first;
    char found[FOUND_BYTES];

    map_found_text(app, view, found, sizeof found);
    pane_draw(app, canvas, area, first, left < view->cell_sectors ? left : view->cell_sectors, found);
}

/* Names what is in the window to those who count; errors are shown in its place. */
static bool fill_map(struct tui_app *app, struct map_view *view, struct tui_canvas *canvas,
                     struct tui_rect cells)
{
    struct cow_error err = {0};
    uint64_t first = view->top_row * row_sectors(view);
    size_t n = (size_t)view->cols * (size_t)view->rows;

    if (tui_cells_show(&app->cells, first, view->cell_sectors, n, &err) != 0 ||
        tui_owners_show(app, &view->owners, first, view->cell_sectors, n, &err) != 0) {
        tui_text(canvas, cells.x, cells.y, cells.cols, TUI_BAD, err.message);
        return false;
    }
    measure_heat(app, view);
    if (tui_scan_on(&app->scan) && !tui_scan_show(&app->scan, first, view->cell_sectors, n)) {
        tui_text(canvas, cells.x, cells.y, cells.cols, TUI_BAD, "out of memory");
    }
    return true;
}

/* The selected cell, unless the pane tells of it; and in the line of messages, which are short-lived, the
 * strip. A range takes the place of the one or the other. */
static void draw_below(struct tui_app *app, struct map_view *view, struct tui_canvas *canvas, int y)
{
    bool has_pane = pane_cols(canvas) > 0, is_free = app->message[0] == '\0' && !app->prompting;

    if (app->range.on && (!has_pane || is_free)) {
        range_draw(app, &view->range, canvas, has_pane ? y : y - INFO_ROWS, range_of(app, view));
    } else if (!has_pane) {
        map_draw_inspector(app, view, canvas, y - INFO_ROWS);
    }
    if (!view->fitted && is_free && !(app->range.on && has_pane)) {
        map_strip_draw(app, &view->strip, canvas, y, view->heat_choice, view->top_row * row_sectors(view),
                       window_sectors(view));
    }
}

static void map_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct map_view *view = state;
    struct tui_rect whole = {area.x, area.y, area.cols, area.rows - (pane_cols(canvas) > 0 ? 0 : INFO_ROWS)};
    struct tui_rect frame = pane_cut(canvas, whole);
    struct tui_rect cells = {frame.x + 1, frame.y + 1, frame.cols - 2, frame.rows - 2};
    bool has_gutter = area.cols >= GUTTER_FROM_COLS && !view->curved;
    char title[128];

    if (tui_app_sectors(app) == 0) {
        tui_app_draw_unfinished(app, canvas, tui_frame(canvas, area, "Map"));
        return;
    }
    if (has_gutter) {
        cells.x += GUTTER;
        cells.cols -= GUTTER;
    }
    if (!arrange_map(app, view, cells.cols, cells.rows)) {
        tui_text(canvas, cells.x, cells.y, cells.cols, TUI_BAD, "out of memory");
        return;
    }
    view->x = cells.x;
    view->y = cells.y;
    frame_title(app, view, title, sizeof title);
    tui_frame(canvas, frame, title);
    if (!fill_map(app, view, canvas, cells)) {
        return;
    }
    if (has_gutter) {
        draw_gutter(app, view, canvas, cells);
    }
    draw_cells(app, view, canvas, cells);
    tui_scrollbar(canvas, frame.x + frame.cols - 1, cells.y, cells.rows, view->top_row, (uint64_t)view->rows,
                  divide_up(tui_app_sectors(app), row_sectors(view)));
    draw_legend(app, view, canvas,
                (struct tui_rect){frame.x + 2, frame.y + frame.rows - 1, frame.cols - 4, 1});
    draw_pane(app, view, canvas, whole);
    draw_below(app, view, canvas, area.y + area.rows);
}

/* Moves the cursor by whole cells. */
static enum tui_result step_map(struct tui_app *app, const struct map_view *view, uint64_t cells, bool back)
{
    uint64_t cell = app->sector / view->cell_sectors;
    uint64_t last = (tui_app_sectors(app) - 1) / view->cell_sectors;

    if (back && cells > cell) {
        cells = cells > 1 && cells % (uint64_t)view->cols == 0
                    ? cell / (uint64_t)view->cols * (uint64_t)view->cols
                    : cell;
    }
    if (!back && cells > last - cell) {
        cells = cells > 1 ? (last - cell) / (uint64_t)view->cols * (uint64_t)view->cols : last - cell;
    }
    if (cells == 0) {
        return TUI_NOTHING;
    }
    tui_app_select(app, (back ? cell - cells : cell + cells) * view->cell_sectors);
    return TUI_REDRAW;
}

/* Selects the cell at a place of the window. Returns whether there is one. */
static bool select_spot(struct tui_app *app, const struct map_view *view, int x, int y)
{
    if (x < 0 || x >= view->cols || y < 0 || y >= view->rows) {
        return false;
    }
    int place = y * view->cols + x;
    uint64_t cell = view->curved ? view->curve.index[place] : (uint64_t)place;
    uint64_t sector = (view->top_row * (uint64_t)view->cols + cell) * view->cell_sectors;
    if (sector >= tui_app_sectors(app)) {
        return false;
    }
    tui_app_select(app, sector);
    return true;
}

static bool map_click(struct tui_app *app, void *state, int x, int y)
{
    const struct map_view *view = state;

    return view->cell_sectors > 0 && select_spot(app, view, x - view->x, y - view->y);
}

/* Moves the cursor to the cell beside it on the screen, along the curve or not. */
static enum tui_result step_across(struct tui_app *app, const struct map_view *view, int dx, int dy)
{
    struct front_spot spot = spot_of(view, cursor_cell(app, view));

    return select_spot(app, view, spot.x + dx, spot.y + dy) ? TUI_REDRAW : TUI_NOTHING;
}

static enum tui_result move_map(struct tui_app *app, const struct map_view *view, int dx, int dy)
{
    if (view->curved) {
        return step_across(app, view, dx, dy);
    }
    return step_map(app, view, dy != 0 ? (uint64_t)view->cols : 1, dx + dy < 0);
}

/* The other scale than the one that is seen now. */
static enum tui_result turn_heat(struct map_view *view)
{
    view->heat_choice = view->heat.is_log ? FRONT_HEAT_LINEAR : FRONT_HEAT_LOG;
    return TUI_REDRAW;
}

/* Changes the zoom; the cursor keeps its sector and, if it can, its line on the screen. */
static enum tui_result zoom_map(struct tui_app *app, struct map_view *view, uint64_t cell_sectors)
{
    uint64_t line = app->sector / row_sectors(view) - view->top_row;

    if (cell_sectors > view->fit_sectors) {
        cell_sectors = view->fit_sectors;
    }
    if (cell_sectors == view->cell_sectors) {
        return TUI_NOTHING;
    }
    view->cell_sectors = cell_sectors;
    view->fitted = cell_sectors == view->fit_sectors;
    uint64_t row = app->sector / row_sectors(view);
    view->top_row = row > line ? row - line : 0;
    return TUI_REDRAW;
}

/* The powers of two next to the present zoom. */
static uint64_t zoomed_in(uint64_t cell_sectors)
{
    uint64_t power = 1;

    while (power < cell_sectors && power * 2 < cell_sectors) {
        power *= 2;
    }
    return power;
}

static uint64_t zoomed_out(uint64_t cell_sectors)
{
    uint64_t power = 1;

    while (power <= cell_sectors) {
        power *= 2;
    }
    return power;
}

static enum tui_result map_act(struct tui_app *app, void *state, enum tui_action_id action,
                               const char *argument)
{
    struct map_view *view = state;
    uint64_t cols = (uint64_t)view->cols, first;

    if (view->cell_sectors == 0 || tui_app_sectors(app) == 0) {
        return TUI_IGNORED;
    }
    first = app->sector / view->cell_sectors * view->cell_sectors;
    switch (action) {
    case TUI_DO_LEFT:
        return move_map(app, view, -1, 0);
    case TUI_DO_RIGHT:
        return move_map(app, view, 1, 0);
    case TUI_DO_UP:
        return move_map(app, view, 0, -1);
    case TUI_DO_DOWN:
        return move_map(app, view, 0, 1);
    case TUI_DO_PAGE_UP:
        return step_map(app, view, cols * (uint64_t)view->rows, true);
    case TUI_DO_PAGE_DOWN:
        return step_map(app, view, cols * (uint64_t)view->rows, false);
    case TUI_DO_FIRST:
        tui_app_select(app, 0);
        return TUI_REDRAW;
    case TUI_DO_LAST:
        tui_app_select(app, tui_app_sectors(app) - 1);
        return TUI_REDRAW;
    case TUI_DO_ZOOM_IN:
        return zoom_map(app, view, zoomed_in(view->cell_sectors));
    case TUI_DO_ZOOM_OUT:
        return zoom_map(app, view, zoomed_out(view->cell_sectors));
    case TUI_DO_FIT:
        return zoom_map(app, view, view->fit_sectors);
    case TUI_DO_RANGE:
        range_toggle(app);
        return TUI_REDRAW;
    case TUI_DO_HEAT:
        return turn_heat(view);
    case TUI_DO_HILBERT:
        view->curved = !view->curved;
        return TUI_REDRAW;
    case TUI_DO_EXPORT:
        return map_export(app, view, argument);
    case TUI_DO_NEXT_RUN:
        return tui_app_next_dirty(app, first + view->cell_sectors);
    case TUI_DO_PREV_RUN:
        return tui_app_prev_dirty(app, first);
    case TUI_DO_ENTER:
        tui_app_show_tab(app, TUI_TAB_BLOCKS, true);
        return TUI_REDRAW;
    case TUI_DO_CLEAR:
        tui_app_light(app, NULL);
        return TUI_REDRAW;
    default:
        return tui_explain_act(app, action, first, view->cell_sectors);
    }
}

const struct tui_view_class tui_view_map = {
    .open = map_open,
    .contexts = map_contexts,
    .act = map_act,
    .search = tui_app_search_owners,
    .draw = map_draw,
    .click = map_click,
    .close = map_close,
};
