/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes: what COW and backing file hold for the same range of the disk, side by side, whatever the bitmap
 * says. A byte that differs has a '*' before it besides its colour; the side that the guest does not see is
 * dim. Only what is on the screen is read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/cells/range.h"
#include "tui/views/explain.h"

enum {
    ROW_BYTES_MAX = 16,
    ROW_BYTES_MIN = 4,
    PAGE_MAX = 256 * ROW_BYTES_MAX,
    INFO_ROWS = 2,
    COUNTED_MOST = 65536, /* bytes of a range: so many are compared with each drawing */
};

struct bytes_view {
    uint64_t top; /* offset of the first row */
    uint64_t at;  /* of the cursor */
    int rows, row_bytes;
    int offset_cols, text_gap, side_x[2]; /* where things stand, inside the frame */
    int x, y;                             /* of the first row on the canvas */
    size_t n;                             /* bytes in page */
    uint8_t page[2][PAGE_MAX];
    bool readable[2];
    char problem[COW_MESSAGE_BYTES];
    struct cow_run run; /* that the row being drawn lies in: consecutive rows share it */
};

static const enum cow_file sides[2] = {COW_FILE_COW, COW_FILE_BACKING};

static int bytes_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct bytes_view *view = calloc(1, sizeof *view);

    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->at = tui_app_byte(app);
    view->top = view->at - app->sector_byte;
    *state = view;
    return 0;
}

static void bytes_close(struct tui_app *app, void *state)
{
    (void)app;
    free(state);
}

static tui_contexts bytes_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_BYTES;
}

static uint64_t disk_bytes(const struct tui_app *app)
{
    return cow_image_header(app->subject.image)->size_bytes;
}

/* Another view or a command may have moved the selection, and the image may have become shorter. */
static void follow_selection(struct tui_app *app, struct bytes_view *view)
{
    view->at = tui_app_byte(app);
    if (view->at >= disk_bytes(app)) {
        view->at = disk_bytes(app) - 1;
    }
}

/* As wide as the screen allows: 16 bytes a row and side, 8, or 4; a gap between hex and text if there is
 * room. */
static void choose_bytes_columns(struct tui_app *app, struct bytes_view *view, int cols)
{
    char text[24];

    view->offset_cols = snprintf(text, sizeof text, "%" PRIu64, disk_bytes(app));
    if (view->offset_cols < 8) {
        view->offset_cols = 8;
    }
    int room = cols - view->offset_cols - 1; /* for both sides and the line between them */
    view->row_bytes = ROW_BYTES_MAX;
    while (room < 8 * view->row_bytes && view->row_bytes > ROW_BYTES_MIN) {
        view->row_bytes /= 2;
    }
    int side = 4 * view->row_bytes, spare = room - 2 * side;
    view->text_gap = spare >= 2 ? 1 : 0;
    view->side_x[0] = view->offset_cols + (spare >= 3 ? 1 : 0);
    view->side_x[1] = view->side_x[0] + side + view->text_gap + (spare >= 6 ? 3 : 1);
}

static void arrange_bytes(struct tui_app *app, struct bytes_view *view, struct tui_rect inside)
{
    uint64_t row_bytes, rows;

    follow_selection(app, view);
    choose_bytes_columns(app, view, inside.cols);
    view->rows = inside.rows - 1;
    if (view->rows * view->row_bytes > PAGE_MAX) {
        view->rows = PAGE_MAX / view->row_bytes;
    }
    row_bytes = (uint64_t)view->row_bytes;
    rows = (uint64_t)view->rows;
    view->top -= view->top % row_bytes;
    if (view->at < view->top || view->at >= view->top + 2 * rows * row_bytes) {
        view->top = view->at - view->at % row_bytes;
    } else if (view->at >= view->top + rows * row_bytes) {
        view->top = view->at - view->at % row_bytes - (rows - 1) * row_bytes;
    }
    uint64_t left = disk_bytes(app) - view->top;
    view->n = left < rows * row_bytes ? (size_t)left : (size_t)(rows * row_bytes);
}

static void read_page(struct tui_app *app, struct bytes_view *view)
{
    view->problem[0] = '\0';
    for (int s = 0; s < 2; s++) {
        struct cow_error err = {0};
        view->readable[s] =
            cow_image_read_file(app->subject.image, sides[s], view->top, view->page[s], view->n, &err) == 0;
        if (!view->readable[s]) {
            snprintf(view->problem, sizeof view->problem, "%s", err.message);
        }
    }
}

static bool sides_differ(const struct bytes_view *view, size_t i)
{
    return view->readable[0] && view->readable[1] && view->page[0][i] != view->page[1][i];
}

/* From the anchor to the cursor, both included. Returns false if there is none. */
static bool bytes_range(const struct tui_app *app, const struct bytes_view *view, uint64_t *low,
                        uint64_t *high)
{
    uint64_t anchor =
        app->range.anchor * cow_image_header(app->subject.image)->sector_bytes + app->range.anchor_byte;

    *low = anchor < view->at ? anchor : view->at;
    *high = anchor < view->at ? view->at : anchor;
    return app->range.on;
}

/* How many bytes of a range differ. Returns false if they are too many, or cannot be read. */
static bool count_differing(const struct tui_app *app, uint64_t low, uint64_t high, uint64_t *differing)
{
    uint8_t part[2][PAGE_MAX];

    *differing = 0;
    if (high - low >= COUNTED_MOST) {
        return false;
    }
    for (uint64_t at = low; at <= high; at += PAGE_MAX) {
        size_t n = high - at < PAGE_MAX ? (size_t)(high - at) + 1 : PAGE_MAX;
        for (int s = 0; s < 2; s++) {
            if (cow_image_read_file(app->subject.image, sides[s], at, part[s], n, NULL) != 0) {
                return false;
            }
        }
        for (size_t i = 0; i < n; i++) {
            *differing += part[0][i] != part[1][i];
        }
    }
    return true;
}

static void draw_bytes_range(const struct tui_app *app, struct tui_canvas *canvas, int y, uint64_t low,
                             uint64_t high)
{
    uint64_t differing;
    int x = 1 + tui_textf(canvas, 1, y, canvas->cols - 2, TUI_STRONG,
                          "range %" PRIu64 "-%" PRIu64 ", %" PRIu64 " byte%s", low, high, high - low + 1,
                          high > low ? "s" : "");

    if (count_differing(app, low, high, &differing)) {
        tui_textf(canvas, x, y, canvas->cols - 1 - x, TUI_NORMAL, ": %" PRIu64 " differ%s", differing,
                  differing == 1 ? "s" : "");
    }
}

/* One row of one side: hex and text. live: the guest sees this side. */
static void draw_side(const struct tui_app *app, const struct bytes_view *view, struct tui_canvas *canvas,
                      int x, int y, int side, size_t from, bool live)
{
    int text_x = x + view->row_bytes * 3 + view->text_gap;
    uint64_t low, high;
    bool ranged = bytes_range(app, view, &low, &high);

    for (int i = 0; i < view->row_bytes && from + (size_t)i < view->n; i++) {
        size_t at = from + (size_t)i;
        uint8_t byte = view->page[side][at];
        enum tui_style style = sides_differ(view, at) ? TUI_DIFF : live ? TUI_NORMAL : TUI_DISABLED;
        if (ranged && view->top + at >= low && view->top + at <= high) {
            style = TUI_SELECTED;
        }
        if (view->top + at == view->at) {
            style = TUI_BYTE_CURSOR;
        }
        if (!view->readable[side]) {
            tui_text(canvas, x + 3 * i, y, 3, TUI_DISABLED, " ??");
            continue;
        }
        if (sides_differ(view, at)) { /* not by colour alone */
            tui_put(canvas, x + 3 * i, y, '*', TUI_DIFF);
        }
        tui_textf(canvas, x + 3 * i + 1, y, 2, style, "%02x", byte);
        tui_put(canvas, text_x + i, y, byte >= 0x20 && byte < 0x7f ? byte : 0x00b7, style);
    }
}

/* Which side the guest sees at an offset: 0 COW, 1 backing. */
static int live_side(struct tui_app *app, struct bytes_view *view, uint64_t offset)
{
    uint64_t sector = offset / cow_image_header(app->subject.image)->sector_bytes;

    if (sector < view->run.first_sector || sector - view->run.first_sector >= view->run.sectors) {
        if (cow_image_next_run(app->subject.image, sector, &view->run, NULL) != 0) {
            view->run.sectors = 0;
        }
    }
    return view->run.sectors > 0 && cow_origin_dirty(view->run.origin) ? 0 : 1;
}

static void draw_bytes_heading(struct tui_app *app, const struct bytes_view *view, struct tui_canvas *canvas,
                               struct tui_rect inside, int live)
{
    int cols = view->row_bytes * 4 - 1, x[2] = {inside.x + view->side_x[0], inside.x + view->side_x[1]};
    const char *backing = cow_image_backing(app->subject.image)->state == COW_BACKING_NONE ? "zeros"
                          : view->row_bytes < ROW_BYTES_MAX                                ? "backing"
                                                            : app->backing_name;

    tui_text_right(canvas, x[0], inside.y, view->offset_cols, TUI_LABEL, "at byte");
    const char *seen = cols >= 31 ? ": the guest sees this" : "";
    tui_textf(canvas, x[0] + 1, inside.y, cols, live == 0 ? TUI_STRONG : TUI_DIM, "COW%s",
              live == 0 ? seen : "");
    tui_textf(canvas, x[1] + 1, inside.y, cols, live == 1 ? TUI_STRONG : TUI_DIM, "%s%s", backing,
              live == 1 ? seen : "");
}

static void draw_bytes_info(struct tui_app *app, const struct bytes_view *view, struct tui_canvas *canvas,
                            int y)
{
    size_t i = (size_t)(view->at - view->top);
    uint64_t sector = view->at / cow_image_header(app->subject.image)->sector_bytes;
    int x = 1, end = canvas->cols - 1;

    if (view->problem[0] != '\0') {
        tui_text(canvas, x, y, end - x, TUI_WARN, view->problem);
        return;
    }
    x += tui_textf(canvas, x, y, end - x, TUI_STRONG, "byte %" PRIu64 ", sector %" PRIu64, view->at, sector);
    x += 3 + tui_textf(canvas, x + 3, y, end - x - 3, sides_differ(view, i) ? TUI_DIFF : TUI_NORMAL,
                       "COW %02x  backing %02x", view->page[0][i], view->page[1][i]);
    struct cow_run run;
    if (tui_scan_run_at(&app->scan, sector, &run, NULL) != 0 || run.sectors == 0) {
        return;
    }
    struct tui_mark mark = tui_origin_mark(run.origin);
    x += 3;
    x += tui_put(canvas, x, y, mark.glyph, mark.style) + 1;
    tui_text(canvas, x, y, end - x, TUI_NORMAL, cow_origin_name(run.origin));
}

/* Whose the cursor's byte is; where nobody can tell, why. */
static void draw_bytes_owner(struct tui_app *app, const struct bytes_view *view, struct tui_canvas *canvas,
                             int y)
{
    const struct tui_job *job = &app->files.job;
    char text[4 * COW_MESSAGE_BYTES];
    int x = 1, end = canvas->cols - 1;

    x += tui_text(canvas, x, y, end - x, TUI_LABEL, "owner  ");
    if (tui_files_known(&app->files)) {
        tui_text(canvas, x, y, end - x, TUI_NORMAL,
                 tui_files_byte_text(&app->files, view->at, end - x, text, sizeof text));
    } else if (job->state == TUI_JOB_FAILED) {
        tui_text(canvas, x, y, end - x, TUI_DIM, job->error.message);
    } else if (job->state == TUI_JOB_STOPPED) {
        tui_text(canvas, x, y, end - x, TUI_DIM, "not known: reading the filesystem was stopped");
    } else {
        tui_textf(canvas, x, y, end - x, TUI_DIM, "reading the filesystem: %d%%", tui_job_percent(job));
    }
}

static void draw_bytes_row(struct tui_app *app, struct bytes_view *view, struct tui_canvas *canvas,
                           struct tui_rect inside, int row)
{
    size_t from = (size_t)(row * view->row_bytes);
    uint64_t offset = view->top + from;
    int y = inside.y + 1 + row, live = live_side(app, view, offset);
    bool here = view->at >= offset && view->at < offset + (uint64_t)view->row_bytes;

    tui_textf(canvas, inside.x, y, view->offset_cols, here ? TUI_STRONG : TUI_OFFSET, "%*" PRIu64,
              view->offset_cols, offset);
    for (int s = 0; s < 2; s++) {
        draw_side(app, view, canvas, inside.x + view->side_x[s], y, s, from, live == s);
    }
    tui_put(canvas, inside.x + view->side_x[1] - 1, y, 0x2502, TUI_FRAME);
}

static void bytes_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct bytes_view *view = state;
    struct tui_rect frame = {area.x, area.y, area.cols, area.rows - INFO_ROWS};
    struct tui_rect inside = tui_frame(canvas, frame, "Bytes \u2500 * differs between COW and backing");
    uint64_t low, high;

    if (tui_app_sectors(app) == 0) {
        tui_app_draw_unfinished(app, canvas, inside);
        return;
    }
    arrange_bytes(app, view, inside);
    view->x = inside.x;
    view->y = inside.y + 1;
    read_page(app, view);
    view->run.sectors = 0;
    for (int y = 0; y < view->rows && (size_t)(y * view->row_bytes) < view->n; y++) {
        draw_bytes_row(app, view, canvas, inside, y);
    }
    int live = live_side(app, view, view->at);
    draw_bytes_heading(app, view, canvas, inside, live);
    draw_bytes_info(app, view, canvas, frame.y + frame.rows);
    if (bytes_range(app, view, &low, &high)) {
        draw_bytes_range(app, canvas, frame.y + frame.rows + 1, low, high);
    } else {
        draw_bytes_owner(app, view, canvas, frame.y + frame.rows + 1);
    }
    size_t i = (size_t)(view->at - view->top);
    canvas->cursor_x = inside.x + view->side_x[live] + 3 * (int)(i % (size_t)view->row_bytes) + 1;
    canvas->cursor_y = inside.y + 1 + (int)(i / (size_t)view->row_bytes);
}

static enum tui_result move_to(struct tui_app *app, struct bytes_view *view, uint64_t at)
{
    view->at = at;
    tui_app_select_byte(app, at);
    return TUI_REDRAW;
}

/* Which byte of its row is drawn in that column, in hex or as text, on either side; -1: none. */
static int byte_at_column(const struct bytes_view *view, int x)
{
    for (int s = 0; s < 2; s++) {
        int hex = x - view->side_x[s], text = hex - 3 * view->row_bytes - view->text_gap;
        if (hex >= 0 && hex < 3 * view->row_bytes) {
            return hex / 3;
        }
        if (text >= 0 && text < view->row_bytes) {
            return text;
        }
    }
    return -1;
}

static bool bytes_click(struct tui_app *app, void *state, int x, int y)
{
    struct bytes_view *view = state;
    int column = byte_at_column(view, x - view->x), row = y - view->y;
    uint64_t at = view->top + (uint64_t)(row * view->row_bytes + column);

    if (column < 0 || row < 0 || row >= view->rows || at >= disk_bytes(app) || tui_app_sectors(app) == 0) {
        return false;
    }
    move_to(app, view, at);
    return true;
}

static enum tui_result step_bytes(struct tui_app *app, struct bytes_view *view, uint64_t bytes, bool back)
{
    uint64_t last = disk_bytes(app) - 1;

    if (back) {
        return move_to(app, view, bytes > view->at ? view->at % bytes : view->at - bytes);
    }
    if (bytes > last - view->at) {
        return bytes == 1 ? TUI_NOTHING : move_to(app, view, last);
    }
    return move_to(app, view, view->at + bytes);
}

static enum tui_found bytes_search(struct tui_app *app, void *state, const struct tui_search *search)
{
    struct bytes_view *view = state;
    bool back = search->step == TUI_SEARCH_PREVIOUS;
    struct tui_needle needle;

    if (tui_app_sectors(app) == 0) {
        return TUI_FOUND_NOT;
    }
    if (search->step == TUI_SEARCH_BEGIN) {
        app->search.from = view->at;
    }
    if (search->step == TUI_SEARCH_CANCEL || search->step == TUI_SEARCH_TYPED) {
        move_to(app, view, app->search.from);
    }
    if (search->step == TUI_SEARCH_BEGIN || search->step == TUI_SEARCH_CANCEL) {
        return TUI_FOUND;
    }
    if (!tui_needle_read(&needle, search->text)) {
        tui_app_say(app, TUI_WARN, "up to %d bytes are found: text, 0x4f4f, or de ad be ef",
                    TUI_NEEDLE_BYTES);
        return TUI_FOUND_NO_TEXT;
    }
    tui_find_bytes(&app->find, &needle,
                   search->step == TUI_SEARCH_TYPED ? app->search.from : view->at + (back ? 0 : 1), back);
    return TUI_FOUND_LATER;
}

static enum tui_result find_difference(struct tui_app *app, const struct bytes_view *view, bool back)
{
    tui_find_difference(&app->find, view->at, back);
    tui_app_hear_job(app, &app->find.job);
    return TUI_REDRAW;
}

static enum tui_result bytes_act(struct tui_app *app, void *state, enum tui_action_id action,
                                 const char *argument)
{
    struct bytes_view *view = state;
    uint64_t row = (uint64_t)view->row_bytes, page = row * (uint64_t)view->rows;

    (void)argument;
    if (page == 0 || tui_app_sectors(app) == 0) {
        return TUI_IGNORED;
    }
    switch (action) {
    case TUI_DO_LEFT:
        return view->at == 0 ? TUI_NOTHING : step_bytes(app, view, 1, true);
    case TUI_DO_RIGHT:
        return step_bytes(app, view, 1, false);
    case TUI_DO_UP:
        return view->at < row ? TUI_NOTHING : step_bytes(app, view, row, true);
    case TUI_DO_DOWN:
        return step_bytes(app, view, row, false);
    case TUI_DO_PAGE_UP:
        view->top = view->top > page ? view->top - page : 0;
        return step_bytes(app, view, page, true);
    case TUI_DO_PAGE_DOWN:
        if (page <= disk_bytes(app) - 1 - view->at) {
            view->top += page;
        }
        return step_bytes(app, view, page, false);
    case TUI_DO_FIRST:
        return move_to(app, view, 0);
    case TUI_DO_LAST:
        return move_to(app, view, disk_bytes(app) - 1);
    case TUI_DO_RANGE:
        range_toggle(app);
        return TUI_REDRAW;
    case TUI_DO_NEXT_RUN:
        return tui_app_next_dirty(app, app->sector + 1);
    case TUI_DO_PREV_RUN:
        return tui_app_prev_dirty(app, app->sector);
    case TUI_DO_NEXT_DIFFERENCE:
        return find_difference(app, view, false);
    case TUI_DO_PREV_DIFFERENCE:
        return find_difference(app, view, true);
    default:
        return tui_explain_act(app, action, app->sector, 1);
    }
}

const struct tui_view_class tui_view_bytes = {
    .open = bytes_open,
    .contexts = bytes_contexts,
    .act = bytes_act,
    .search = bytes_search,
    .draw = bytes_draw,
    .click = bytes_click,
    .close = bytes_close,
};
