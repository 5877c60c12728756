/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The differences between a file's two versions, line by line. What is shown is the guest's bytes: each line
 * is escaped as it is drawn, only those on the screen, and lines that are longer can be shifted. They are
 * made when the view is opened, and a stop meanwhile opens none; so the view itself never has to wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/diff/compare.h"
#include "tui/app/app.h"
#include "tui/screen/clock.h"
#include "tui/screen/utf8.h"

enum { LINE_BYTES = 4096, TAB_COLS = 8, SHIFT_COLS = 8, SHIFT_MAX = 8 * LINE_BYTES };

struct diff_view {
    struct front_diff diff;
    char *title;
    size_t top, top_before; /* the first line shown; the one where a search began */
    size_t found;           /* 1 + the line that was found; 0: none */
    int rows, shift;        /* as drawn last; the cells that are left of the screen */
};

static void diff_close(struct tui_app *app, void *state)
{
    struct diff_view *view = state;

    (void)app;
    front_diff_free(&view->diff);
    free(view->title);
    free(view);
}

/* Draws and looks for keys, now and then. */
static bool wants_stop(void *context, uint64_t done, uint64_t total)
{
    return tui_app_look_in(context, "comparing", done, total);
}

static int compare_file(struct front_diff *out, struct tui_app *app, const struct cow_fs_file *file,
                        struct cow_error *err)
{
    struct tui_waiting waiting = {.app = app, .looked = tui_clock()};
    struct front_diff_request request = {.fs = app->files.fs,
                                         .volume = file->volume,
                                         .disk = {app->name, app->backing_name},
                                         .wants_stop = wants_stop,
                                         .context = &waiting};

    front_diff_paths(request.path, file);
    return front_diff_make(out, &request, err);
}

static int diff_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    const struct cow_fs_file *file = argument;
    struct diff_view *view = calloc(1, sizeof *view);

    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->title = strdup(file->path);
    int status = view->title != NULL ? compare_file(&view->diff, app, file, err)
                                     : cow_error_set(err, COW_NO_MEMORY, "out of memory");
    if (status != 0) {
        diff_close(app, view);
        return status;
    }
    *state = view;
    return 0;
}

static tui_contexts diff_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_DIFF;
}

static enum tui_style style_of(const char *line, size_t bytes)
{
    static const struct {
        const char *begin;
        enum tui_style style;
    } styles[] = {
        {"+++ ", TUI_STRONG}, {"--- ", TUI_STRONG}, {"@@ ", TUI_HEADING}, {"+", TUI_GOOD}, {"-", TUI_BAD},
    };

    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
        size_t n = strlen(styles[i].begin);
        if (bytes >= n && memcmp(line, styles[i].begin, n) == 0) {
            return styles[i].style;
        }
    }
    return bytes > 0 && line[0] == '\\' ? TUI_DIM : TUI_NORMAL;
}

/* Blanks for tabs, \x00 for a NUL: what escaping cannot do, or does in another way. Cut where it gets too
 * long to be shown. */
static void plain_text(char *out, size_t out_bytes, const char *line, size_t bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < bytes && used + TAB_COLS < out_bytes; i++) {
        if (line[i] == '\0') {
            used += (size_t)snprintf(out + used, out_bytes - used, "\\x00");
            continue;
        }
        if (line[i] != '\t') {
            out[used++] = line[i];
            continue;
        }
        do { /* the sign in front does not count */
            out[used++] = ' ';
        } while ((used - 1) % TAB_COLS != 0);
    }
    out[used] = '\0';
}

static void draw_line(const struct diff_view *view, struct tui_canvas *canvas, int x, int y, int cols,
                      size_t i)
{
    const char *line = view->diff.bytes + view->diff.line[i];
    size_t bytes = view->diff.line[i + 1] - view->diff.line[i];
    char plain[LINE_BYTES], text[4 * LINE_BYTES];

    if (bytes > 0 && line[bytes - 1] == '\n') {
        bytes--;
    }
    plain_text(plain, sizeof plain, line, bytes);
    const char *rest = cow_escape_message(text, sizeof text, plain);
    enum tui_style style = i + 1 == view->found ? TUI_SELECTED : style_of(line, bytes);
    if (view->shift > 0 && rest[0] != '\0') { /* its sign stays */
        x += tui_put(canvas, x, y, tui_utf8_next(&rest), style);
        cols--;
    }
    for (int left = view->shift; left > 0 && rest[0] != '\0';) {
        left -= tui_cells(canvas, tui_utf8_next(&rest));
    }
    tui_text(canvas, x, y, cols, style, rest);
}

static void diff_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct diff_view *view = state;
    char path[COW_MESSAGE_BYTES], title[COW_MESSAGE_BYTES + 64];
    size_t shown;

    (void)app;
    tui_path_text(path, sizeof path, view->title, area.cols - 30);
    snprintf(title, sizeof title, "%s \u2500 - before, + now", path);
    struct tui_rect inside = tui_frame(canvas, area, title);
    view->rows = inside.rows;
    shown = (size_t)inside.rows;
    if (view->top + shown > view->diff.lines) {
        view->top = view->diff.lines > shown ? view->diff.lines - shown : 0;
    }
    for (size_t y = 0; y < shown && view->top + y < view->diff.lines; y++) {
        draw_line(view, canvas, inside.x + 1, inside.y + (int)y, inside.cols - 2, view->top + y);
    }
    tui_scrollbar(canvas, area.x + area.cols - 1, inside.y, inside.rows, view->top, shown, view->diff.lines);
}

static enum tui_result scroll_diff(struct diff_view *view, bool back, size_t lines)
{
    size_t screen = (size_t)view->rows;
    size_t last = view->diff.lines > screen ? view->diff.lines - screen : 0;

    if (back) {
        view->top = view->top > lines ? view->top - lines : 0;
    } else {
        view->top = last - view->top > lines ? view->top + lines : last;
    }
    return TUI_REDRAW;
}

static enum tui_result diff_act(struct tui_app *app, void *state, enum tui_action_id action,
                                const char *argument)
{
    struct diff_view *view = state;

    (void)app;
    (void)argument;
    switch (action) {
    case TUI_DO_UP:
        return scroll_diff(view, true, 1);
    case TUI_DO_DOWN:
        return scroll_diff(view, false, 1);
    case TUI_DO_PAGE_UP:
        return scroll_diff(view, true, (size_t)view->rows);
    case TUI_DO_PAGE_DOWN:
        return scroll_diff(view, false, (size_t)view->rows);
    case TUI_DO_FIRST:
        return scroll_diff(view, true, view->diff.lines);
    case TUI_DO_LAST:
        return scroll_diff(view, false, view->diff.lines);
    case TUI_DO_LEFT:
        view->shift -= view->shift > 0 ? SHIFT_COLS : 0;
        return TUI_REDRAW;
    case TUI_DO_RIGHT:
        view->shift += view->shift < SHIFT_MAX ? SHIFT_COLS : 0;
        return TUI_REDRAW;
    default:
        return TUI_IGNORED;
    }
}

static const char *diff_text(void *list, size_t row, char out[TUI_ROW_TEXT_BYTES])
{
    const struct front_diff *diff = list;
    size_t bytes = diff->line[row + 1] - diff->line[row];

    plain_text(out, TUI_ROW_TEXT_BYTES, diff->bytes + diff->line[row], bytes);
    return out;
}

/* The line that was found goes to the top, and is lit. */
static enum tui_found diff_search(struct tui_app *app, void *state, const struct tui_search *search)
{
    struct diff_view *view = state;
    bool typing = search->step == TUI_SEARCH_TYPED || search->step == TUI_SEARCH_CANCEL;
    size_t at = typing ? view->top_before : view->found > 0 ? view->found - 1 : view->top;

    (void)app;
    if (search->step == TUI_SEARCH_BEGIN) {
        view->top_before = view->top;
    }
    if (typing) {
        view->top = view->top_before;
        view->found = 0;
    }
    if (search->step == TUI_SEARCH_BEGIN || search->step == TUI_SEARCH_CANCEL) {
        return TUI_FOUND;
    }
    long row = tui_list_search(view->diff.lines, at, search, diff_text, &view->diff);
    if (row < 0) {
        return TUI_FOUND_NOT;
    }
    view->top = (size_t)row;
    view->found = (size_t)row + 1;
    return TUI_FOUND;
}

const struct tui_view_class tui_view_diff = {
    .open = diff_open,
    .contexts = diff_contexts,
    .act = diff_act,
    .search = diff_search,
    .draw = diff_draw,
    .close = diff_close,
};
