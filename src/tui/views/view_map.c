/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Map: the bitmap as a heatmap, row by row. A cell is a whole number of sectors; rows start at multiples of
 * their length from the beginning of the disk, so that cells keep their content while the map scrolls. The
 * densities of the cells on the screen are kept until zoom, position, size or image change.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/utf8.h"
#include "tui/views/explain.h"
#include "tui/views/legend.h"
#include "tui/views/map_owners.h"

enum {
    GUTTER = 10,
    GUTTER_FROM_COLS = 100,
    INFO_ROWS = 1,
    FIT_MULTIPLE = 8,
    COARSE = 8, /* units of a density: from here on a cell is a whole number of them */
    MIXED_MOST = 1000,
    RUN_COLS = 16,
    OWNER_COLS = 10,
    OWNER_TEXT = 1024,
    FULL_BLOCK = 0x2588,        /* all ink: the colours of the cursor do not show on it */
    FULL_UNDER_CURSOR = 0x25a0, /* so it is drawn smaller there */
};

struct map_view {
    uint64_t cell_sectors; /* 0: not drawn yet */
    uint64_t fit_sectors;  /* a cell's at which the whole disk fits */
    uint64_t top_row;
    int cols, rows; /* of cells, as drawn last */
    bool fitted;    /* stays fitted when the window changes */
    uint8_t *density;
    size_t n_density;
    struct tui_owners owners;
    struct {
        unsigned generation;
        uint64_t cell_sectors, top_row;
        int cols, rows;
    } cached;
};

static int map_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct map_view *view = calloc(1, sizeof *view);

    (void)app;
    (void)argument;
    if (!view)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    view->fitted = true;
    *state = view;
    return 0;
}

static void map_close(struct tui_app *app, void *state)
{
    struct map_view *view = state;

    (void)app;
    tui_owners_free(&view->owners);
    free(view->density);
    free(view);
}

static unsigned map_contexts(struct tui_app *app, void *state)
{
    (void)state;
    return TUI_IN_MAP | (app->files.lit.path ? TUI_IN_CLEARABLE : 0U);
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return value / to * to + (value % to ? to : 0);
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

    if (row < view->top_row)
        view->top_row = row;
    if (row >= view->top_row + rows)
        view->top_row = row - rows + 1;
    if (view->top_row + rows > total)
        view->top_row = total > rows ? total - rows : 0;
}

/* Fits zoom and position to a grid of that size. */
static void arrange_map(struct tui_app *app, struct map_view *view, int cols, int rows)
{
    uint64_t cells = (uint64_t)cols * (uint64_t)rows;

    view->cols = cols;
    view->rows = rows;
    view->fit_sectors = round_up(divide_up(tui_app_sectors(app), cells), FIT_MULTIPLE);
    if (view->fit_sectors >=
        COARSE * COW_DENSITY_UNIT_SECTORS) /* a little coarser, and the first frame costs nothing */
        view->fit_sectors = round_up(view->fit_sectors, COW_DENSITY_UNIT_SECTORS);
    if (view->fitted || view->cell_sectors == 0 || view->cell_sectors > view->fit_sectors) {
        view->cell_sectors = view->fit_sectors;
        view->fitted = true;
    }
    scroll_map(app, view);
}

static int measure_map(struct tui_app *app, struct map_view *view, struct cow_error *err)
{
    size_t cells = (size_t)view->cols * (size_t)view->rows;

    if (view->cached.generation == app->subject.generation &&
        view->cached.cell_sectors == view->cell_sectors && view->cached.top_row == view->top_row &&
        view->cached.cols == view->cols && view->cached.rows == view->rows)
        return 0;
    if (cells > view->n_density) {
        uint8_t *density = realloc(view->density, cells);
        if (!density)
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        view->density = density;
        view->n_density = cells;
    }
    view->cached.generation = 0;
    uint64_t sector = view->top_row * row_sectors(view);
    for (size_t i = 0; i < cells; i++, sector += view->cell_sectors) {
        struct cow_density density = {0, 0, 0};
        if (sector < tui_app_sectors(app)) {
            int status = cow_image_density(app->subject.image, sector, view->cell_sectors, &density, err);
            if (status)
                return status;
        }
        view->density[i] = (uint8_t)tui_density_of(&density);
    }
    view->cached.generation = app->subject.generation;
    view->cached.cell_sectors = view->cell_sectors;
    view->cached.top_row = view->top_row;
    view->cached.cols = view->cols;
    view->cached.rows = view->rows;
    return 0;
}

static void draw_gutter(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                        struct tui_rect cells)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    char text[COW_SIZE_TEXT_BYTES], last[COW_SIZE_TEXT_BYTES] = "";

    for (int y = 0; y < cells.rows; y++) {
        uint64_t sector = (view->top_row + (uint64_t)y) * row_sectors(view);
        if (sector >= tui_app_sectors(app))
            break;
        cow_size_text(text, sector * header->sector_bytes);
        if (strcmp(text, last) != 0)
            tui_text_right(canvas, cells.x - 1, cells.y + y, GUTTER - 1, TUI_OFFSET, text);
        memcpy(last, text, sizeof last);
    }
}

static void draw_cells(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas,
                       struct tui_rect cells)
{
    uint64_t cell = app->sector / view->cell_sectors;
    int cursor_x = cells.x + (int)(cell % (uint64_t)cells.cols);
    int cursor_y = cells.y + (int)(cell / (uint64_t)cells.cols - view->top_row);

    for (int y = 0; y < cells.rows; y++) {
        for (int x = 0; x < cells.cols; x++) {
            size_t at = (size_t)y * (size_t)cells.cols + (size_t)x;
            const struct tui_scan_cell *scanned = tui_scan_cell_at(&app->scan, at);
            struct tui_mark mark =
                scanned ? tui_scanned_mark((enum tui_density)view->density[at], scanned->sectors)
                        : tui_density_mark((enum tui_density)view->density[at]);
            tui_owners_mark(&view->owners, at, &mark);
            if (mark.glyph == FULL_BLOCK && cells.x + x == cursor_x && cells.y + y == cursor_y)
                mark.glyph = FULL_UNDER_CURSOR;
            tui_put(canvas, cells.x + x, cells.y + y, mark.glyph, mark.style);
        }
    }
    tui_put(canvas, cursor_x - 1, cursor_y, '[', TUI_CURSOR);
    tui_put(canvas, cursor_x + 1, cursor_y, ']', TUI_CURSOR);
    tui_restyle(canvas, (struct tui_rect){cursor_x, cursor_y, 1, 1}, TUI_MAP_CURSOR);
    canvas->cursor_x = cursor_x;
    canvas->cursor_y = cursor_y;
}

/* "sectors 32768-32863 @ 16.0 MiB   90 of 96 in the COW", or for a single one "sector 8770 @ 4.28 MiB".
 * brief: without what is in the COW. */
static void cell_text(struct tui_app *app, const struct map_view *view, bool brief, char *out,
                      size_t out_bytes)
{
    struct cow_density density = {0, 0, 0};
    char at[COW_SIZE_TEXT_BYTES];
    uint64_t first = app->sector / view->cell_sectors * view->cell_sectors;

    out[0] = '\0';
    if (cow_image_density(app->subject.image, first, view->cell_sectors, &density, NULL) ||
        density.sectors == 0)
        return;
    cow_size_text(at, first * cow_image_header(app->subject.image)->sector_bytes);
    if (density.sectors == 1)
        snprintf(out, out_bytes, "sector %" PRIu64 " @ %s", first, at);
    else if (brief)
        snprintf(out, out_bytes, "sectors %" PRIu64 "-%" PRIu64 " @ %s", first, first + density.sectors - 1,
                 at);
    else
        snprintf(out, out_bytes,
                 "sectors %" PRIu64 "-%" PRIu64 " @ %s   %" PRIu64 " of %" PRIu64 " in the COW", first,
                 first + density.sectors - 1, at, density.dirty_sectors, density.sectors);
}

static size_t put_count(char *out, size_t out_bytes, size_t used, const char *name, uint64_t n, bool capped)
{
    if (n == 0 || used >= out_bytes)
        return used;
    return used + (size_t)snprintf(out + used, out_bytes - used, "%s%s %" PRIu64 "%s", used ? ", " : "", name,
                                   n, capped ? "+" : "");
}

/* "changed 88, redundant 2, mixed pages 1" of the cell under the cursor; false as long as it is not known. */
static bool scanned_text(struct tui_app *app, const struct map_view *view, char *out, size_t out_bytes)
{
    uint64_t cell = app->sector / view->cell_sectors;
    const struct tui_scan_cell *scanned =
        tui_scan_cell_at(&app->scan, (size_t)(cell - view->top_row * (uint64_t)view->cols));

    out[0] = '\0';
    if (!scanned)
        return false;
    uint64_t mixed =
        tui_scan_mixed_pages(&app->scan, cell * view->cell_sectors, view->cell_sectors, MIXED_MOST);
    size_t used = 0;
    used = put_count(out, out_bytes, used, "orphan", scanned->sectors[COW_ORIGIN_ORPHAN], false);
    used = put_count(out, out_bytes, used, "changed", scanned->sectors[COW_ORIGIN_CHANGED], false);
    used = put_count(out, out_bytes, used, "redundant", scanned->sectors[COW_ORIGIN_REDUNDANT], false);
    used = put_count(out, out_bytes, used, "zero",
                     scanned->sectors[COW_ORIGIN_ZERO] + scanned->sectors[COW_ORIGIN_HOLE], false);
    used = put_count(out, out_bytes, used, "mixed pages", mixed, mixed == MIXED_MOST);
    return used > 0;
}

/* What naming the selected sector's owner takes; 0: it is not known. */
static int owner_cells(struct tui_app *app)
{
    char owner[OWNER_TEXT];

    tui_files_owner_text(&app->files, app->sector, OWNER_TEXT, owner, sizeof owner, NULL);
    return tui_text_cells(owner);
}

/* The run that the selected sector lies in, and whose the sector is; the run's range only where it fits, too.
 */
static void draw_map_run(struct tui_app *app, struct tui_canvas *canvas, int x, int y, int end)
{
    struct cow_run run;
    char text[160], owner[OWNER_TEXT];

    if (tui_scan_run_at(&app->scan, app->sector, &run, NULL) || run.sectors == 0)
        return;
    struct tui_mark mark = tui_origin_mark(run.origin);
    x += 1 + tui_put(canvas, x, y, mark.glyph, mark.style);
    x += tui_text(canvas, x, y, end - x, TUI_NORMAL, cow_origin_name(run.origin));
    if (run.sectors == 1)
        snprintf(text, sizeof text, ": sector %" PRIu64, run.first_sector);
    else
        snprintf(text, sizeof text, ": sectors %" PRIu64 "-%" PRIu64, run.first_sector,
                 run.first_sector + run.sectors - 1);
    int owner_cols = owner_cells(app);
    if (x + (int)strlen(text) + (owner_cols > 0 ? 3 + owner_cols : 0) <= end)
        x += tui_text(canvas, x, y, end - x, TUI_NORMAL, text);
    if (owner_cols == 0 || x + 3 + OWNER_COLS > end)
        return;
    tui_files_owner_text(&app->files, app->sector, end - x - 3, owner, sizeof owner, NULL);
    tui_text(canvas, x + 3, y, end - x - 3, TUI_LABEL, owner);
}

/* The cell under the cursor: what a scan has found in it, or else, and where there is room, the run. */
static void draw_inspector(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas, int y)
{
    char text[160], scanned[160];
    int x = 1, end = canvas->cols - 1;

    bool known = scanned_text(app, view, scanned, sizeof scanned);
    cell_text(app, view, false, text, sizeof text);
    if (known ? x + (int)strlen(text) + 3 + (int)strlen(scanned) > end
              : owner_cells(app) > 0 && x + (int)strlen(text) + RUN_COLS + owner_cells(app) > end)
        cell_text(app, view, true, text, sizeof text);
    x += 3 + tui_text(canvas, x, y, end - x, TUI_STRONG, text);
    if (known)
        x += 3 + tui_text(canvas, x, y, end - x, TUI_NORMAL, scanned);
    if (!known || x + RUN_COLS <= end)
        draw_map_run(app, canvas, x, y, end);
}

static void frame_title(struct tui_app *app, const struct map_view *view, char *out, size_t out_bytes)
{
    char size[COW_SIZE_TEXT_BYTES];

    cow_size_text(size, view->cell_sectors * cow_image_header(app->subject.image)->sector_bytes);
    snprintf(out, out_bytes, "Map \u2500 1 cell = %" PRIu64 " %s, %s%s%s", view->cell_sectors,
             view->cell_sectors == 1 ? "sector" : "sectors", size, view->fitted ? ", the whole disk" : "",
             app->files.colours ? ", by owners" : "");
}

static void draw_legend(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas, int y)
{
    if (app->files.lit.path && view->owners.cells > 0)
        tui_legend_lit(canvas, 1, y, canvas->cols - 2, app->files.lit.path, app->files.lit.below);
    else if (app->files.colours && view->owners.cells > 0)
        tui_legend_owners(canvas, 1, y, canvas->cols - 2);
    else
        tui_legend_draw(canvas, 1, y, canvas->cols - 2, tui_scan_on(&app->scan));
}

static void map_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct map_view *view = state;
    struct tui_rect frame = {area.x, area.y, area.cols, area.rows - INFO_ROWS};
    struct tui_rect cells = {frame.x + 1, frame.y + 1, frame.cols - 2, frame.rows - 2};
    struct cow_error err = {0};
    char title[128];

    if (tui_app_sectors(app) == 0) {
        tui_app_draw_unfinished(app, canvas, tui_frame(canvas, area, "Map"));
        return;
    }
    if (area.cols >= GUTTER_FROM_COLS) {
        cells.x += GUTTER;
        cells.cols -= GUTTER;
    }
    arrange_map(app, view, cells.cols, cells.rows);
    frame_title(app, view, title, sizeof title);
    tui_frame(canvas, frame, title);
    if (measure_map(app, view, &err) ||
        tui_owners_show(app, &view->owners, view->top_row * row_sectors(view), view->cell_sectors,
                        (size_t)view->cols * (size_t)view->rows, &err)) {
        tui_text(canvas, cells.x, cells.y, cells.cols, TUI_BAD, err.message);
        return;
    }
    if (area.cols >= GUTTER_FROM_COLS)
        draw_gutter(app, view, canvas, cells);
    if (tui_scan_on(&app->scan) &&
        !tui_scan_show(&app->scan, view->top_row * row_sectors(view), view->cell_sectors,
                       (size_t)cells.cols * (size_t)cells.rows))
        tui_text(canvas, 1, frame.y + frame.rows + 1, canvas->cols - 2, TUI_BAD, "out of memory");
    draw_cells(app, view, canvas, cells);
    tui_scrollbar(canvas, frame.x + frame.cols - 1, cells.y, cells.rows, view->top_row, (uint64_t)view->rows,
                  divide_up(tui_app_sectors(app), row_sectors(view)));
    draw_inspector(app, view, canvas, frame.y + frame.rows);
    /* the legend goes where messages go: a message is short-lived, the legend is in Help, too */
    if (!app->message[0] && !app->prompting)
        draw_legend(app, view, canvas, frame.y + frame.rows + 1);
}

/* Moves the cursor by whole cells. */
static enum tui_result step_map(struct tui_app *app, const struct map_view *view, uint64_t cells, bool back)
{
    uint64_t cell = app->sector / view->cell_sectors;
    uint64_t last = (tui_app_sectors(app) - 1) / view->cell_sectors;

    if (back && cells > cell)
        cells = cells > 1 && cells % (uint64_t)view->cols == 0
                    ? cell / (uint64_t)view->cols * (uint64_t)view->cols
                    : cell;
    if (!back && cells > last - cell)
        cells = cells > 1 ? (last - cell) / (uint64_t)view->cols * (uint64_t)view->cols : last - cell;
    if (cells == 0)
        return TUI_NOTHING;
    tui_app_select(app, (back ? cell - cells : cell + cells) * view->cell_sectors);
    return TUI_REDRAW;
}

/* Changes the zoom; the cursor keeps its sector and, if it can, its line on the screen. */
static enum tui_result zoom_map(struct tui_app *app, struct map_view *view, uint64_t cell_sectors)
{
    uint64_t line = app->sector / row_sectors(view) - view->top_row;

    if (cell_sectors > view->fit_sectors)
        cell_sectors = view->fit_sectors;
    if (cell_sectors == view->cell_sectors)
        return TUI_NOTHING;
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

    while (power < cell_sectors && power * 2 < cell_sectors)
        power *= 2;
    return power;
}

static uint64_t zoomed_out(uint64_t cell_sectors)
{
    uint64_t power = 1;

    while (power <= cell_sectors)
        power *= 2;
    return power;
}

static enum tui_result map_act(struct tui_app *app, void *state, enum tui_action_id action,
                               const char *argument)
{
    struct map_view *view = state;
    uint64_t cols = (uint64_t)view->cols, first;

    (void)argument;
    if (view->cell_sectors == 0 || tui_app_sectors(app) == 0)
        return TUI_IGNORED;
    first = app->sector / view->cell_sectors * view->cell_sectors;
    switch (action) {
    case TUI_DO_LEFT:
        return step_map(app, view, 1, true);
    case TUI_DO_RIGHT:
        return step_map(app, view, 1, false);
    case TUI_DO_UP:
        return step_map(app, view, cols, true);
    case TUI_DO_DOWN:
        return step_map(app, view, cols, false);
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
    .title = "Map",
    .open = map_open,
    .contexts = map_contexts,
    .act = map_act,
    .search = tui_app_search_owners,
    .draw = map_draw,
    .close = map_close,
};
