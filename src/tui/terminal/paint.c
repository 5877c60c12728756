/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A colour costs more than a move, and a map has a few colours and thousands of cells that alternate between
 * them. So a frame is painted style by style, the most frequent ones first and then those that take the
 * fewest bytes to change to, each over the whole screen. Where equal cells are parted by such as are painted
 * later, the repetition goes on right through them; how far it may go through cells that are right as they
 * are, and have to be painted again then, is tried out for each line (choose_reach): the cheapest is taken.
 *
 * Blanks that no background shows are all one style, and styles that look the same are one, too. Of a wide
 * character both halves are sent, or none; nothing is repeated over one, and a terminal that loses half of
 * one by what is written beside it is told the other half again, for that has changed, too.
 */
#include "tui/terminal/paint.h"

#include <stdlib.h>
#include <string.h>

#include "cow/error.h"
#include "tui/screen/utf8.h"
#include "tui/terminal/paint_scroll.h"

enum {
    GAP_MOST = 5,
    REPEAT_LEAST = 4,
    FEW_CELLS = 64,    /* of a style: the order of styles is that of the bytes between them */
    SCROLL_FROM = 200, /* cells to be sent, from which on it is looked whether lines have moved */
    BUSY_ROW = 12,     /* cells to be sent, from which on it is tried out how */
};

/* Cells that are right as they are, and that a repetition may go through in one piece. */
static const int reaches[] = {0, 1, 2, 4, TUI_SIDE_MAX};
enum { REACHES = sizeof reaches / sizeof reaches[0] };

static void put_sequence(struct tui_paint *paint, int n, char final)
{
    char text[TUI_PAINT_SEQUENCE];

    tui_paint_bytes(paint, text, tui_paint_sequence(text, n, final));
}

static bool is_blank_seen(const struct tui_paint_look *look)
{
    return look->bg[0] != '\0' || strchr(look->attributes, '4') != NULL ||
           strchr(look->attributes, '7') != NULL;
}

void tui_paint_begin(struct tui_paint *paint)
{
    for (int i = 0; i < TUI_STYLES; i++) {
        int first = 0;
        while (memcmp(&paint->look[first], &paint->look[i], sizeof paint->look[i]) != 0) {
            first++;
        }
        paint->same[i] = (uint8_t)first;
        paint->blank_shows[i] = is_blank_seen(&paint->look[i]);
    }
    tui_paint_forget(paint);
}

void tui_paint_end(struct tui_paint *paint)
{
    free(paint->shown);
    free(paint->pending);
    free(paint->out);
    paint->shown = paint->want = NULL;
    paint->pending = paint->trial = paint->row_reach = NULL;
    paint->out = NULL;
    paint->room = paint->used = 0;
    tui_paint_forget(paint);
}

void tui_paint_forget(struct tui_paint *paint)
{
    paint->cols = paint->rows = 0;
    paint->x = paint->style = paint->cursor_shown = -1;
}

/* ---- cells ---- */

static size_t at_cell(const struct tui_paint *paint, int x, int y)
{
    return (size_t)y * (size_t)paint->cols + (size_t)x;
}

/* A character of one cell on both sides, and no half of another. */
static bool is_single(const struct tui_paint *paint, int x, int y)
{
    const struct tui_cell *want = &paint->want[at_cell(paint, x, y)],
                          *shown = &paint->shown[at_cell(paint, x, y)];
    bool last = x + 1 == paint->cols;

    return want->ch != 0 && shown->ch != 0 && (last || (want[1].ch != 0 && shown[1].ch != 0));
}

/* Whether a cell can be written in that style: it is of it, or a blank that looks the same in it. */
static bool is_of_style(const struct tui_paint *paint, size_t at, int style)
{
    const struct tui_cell *cell = &paint->want[at];

    return cell->style == style ||
           (cell->ch == ' ' && !paint->blank_shows[style] && !paint->blank_shows[cell->style]);
}

/* How many cells from x on may be the same as it: those that are, and such as are painted later; the last of
 * them is one that is, and has to be sent, but for a line's last one: a rest of blanks can be cleared. */
static int repeated(const struct tui_paint *paint, int x, int y)
{
    const struct tui_cell *first = &paint->want[at_cell(paint, x, y)];
    int end = x + 1, again = 0;

    if (!is_single(paint, x, y)) {
        return 1;
    }
    for (int i = x + 1; i < paint->cols && is_single(paint, i, y); i++) {
        size_t at = at_cell(paint, i, y);
        bool same = paint->want[at].ch == first->ch && is_of_style(paint, at, first->style);
        again = same || paint->pending[at] != 0 ? 0 : again + 1;
        if (!same &&
            (paint->rank[paint->want[at].style] <= paint->rank[first->style] || again > paint->reach)) {
            break;
        }
        if (same && (paint->pending[at] != 0 || (first->ch == ' ' && i + 1 == paint->cols))) {
            end = i + 1;
        }
    }
    return end - x;
}

/* What was written is shown; what it was written over, and is something else, has to be sent. */
static void mark_sent(struct tui_paint *paint, int x, int y, int cells)
{
    const struct tui_cell first = paint->want[at_cell(paint, x, y)];

    for (int i = 0; i < cells; i++) {
        size_t at = at_cell(paint, x + i, y);
        bool is_it = paint->want[at].ch == first.ch || (i == 1 && paint->want[at].ch == 0);
        paint->pending[at] = is_it && is_of_style(paint, at, first.style) ? 0 : 1;
        paint->touched[paint->want[at].style] |= paint->pending[at] != 0;
    }
    paint->x = x + cells < paint->cols ? x + cells : -1;
}

/* Writes the cell, and as many like it as stand beside it. Returns how many cells that were. */
static int put_cells(struct tui_paint *paint, int x, int y)
{
    const struct tui_cell *cell = &paint->want[at_cell(paint, x, y)];
    bool wide = x + 1 < paint->cols && cell[1].ch == 0;
    int n = wide ? 2 : repeated(paint, x, y), written = 1;
    char text[TUI_UTF8_BYTES];
    size_t bytes = tui_utf8_put(text, cell->ch);

    if (cell->ch == ' ' && x + n == paint->cols && n >= REPEAT_LEAST && !paint->blank_shows[cell->style]) {
        tui_paint_put(paint, "\033[K");
        mark_sent(paint, x, y, n);
        paint->x = x;
        return n;
    }
    tui_paint_bytes(paint, text, bytes);
    if (!wide && paint->repeats && (size_t)(n - 1) * bytes > (size_t)(REPEAT_LEAST + (n > 10) + (n > 100))) {
        put_sequence(paint, n - 1, 'b');
        written = n;
    }
    n = wide ? 2 : written;
    mark_sent(paint, x, y, n);
    return n;
}

/* Writes the gap up to x, on the cursor's line, where that takes no more bytes than to step over it. */
static void write_gap(struct tui_paint *paint, int x, int y, int style)
{
    char text[GAP_MOST * TUI_UTF8_BYTES], step[TUI_PAINT_SEQUENCE];
    size_t n = 0;

    if (paint->x < 0 || paint->y != y || x <= paint->x || x - paint->x > GAP_MOST) {
        return;
    }
    for (int i = paint->x; i < x; i++) {
        if (!is_single(paint, i, y) || !is_of_style(paint, at_cell(paint, i, y), style)) {
            return;
        }
        n += tui_utf8_put(text + n, paint->want[at_cell(paint, i, y)].ch);
    }
    if (n > tui_paint_step_text(paint, x, step)) {
        return;
    }
    tui_paint_bytes(paint, text, n);
    memset(paint->pending + at_cell(paint, paint->x, y), 0, (size_t)(x - paint->x));
    paint->x = x;
}

static void paint_row(struct tui_paint *paint, int y, int style)
{
    for (int x = 0; x < paint->cols; x++) {
        size_t at = at_cell(paint, x, y);
        if (paint->pending[at] == 0 || paint->want[at].style != style || paint->want[at].ch == 0) {
            continue;
        }
        tui_paint_style(paint, style);
        write_gap(paint, x, y, style);
        tui_paint_move(paint, x, y);
        x += put_cells(paint, x, y) - 1;
    }
}

/* ---- lines ---- */

/* The bytes that a line takes in all styles; nothing is sent, and nothing changed. */
static size_t row_bytes(struct tui_paint *paint, int y)
{
    uint8_t *pending = paint->pending + at_cell(paint, 0, y);
    const size_t cols = (size_t)paint->cols, before = paint->used;
    const int x = paint->x, row = paint->y, style = paint->style;

    memcpy(paint->trial, pending, cols);
    for (int i = 0; i < paint->styles; i++) {
        if (!paint->touched[paint->order[i]]) {
            continue;
        }
        paint->x = -1;
        paint->style = paint->order[i];
        paint_row(paint, y, paint->style);
    }
    size_t n = paint->used - before;
    memcpy(pending, paint->trial, cols);
    paint->used = before;
    paint->x = x;
    paint->y = row;
    paint->style = style;
    return n;
}

/* How far a line's repetitions reach, by trying it out where there is much to send. */
static void choose_reach(struct tui_paint *paint, int y)
{
    const uint8_t *pending = paint->pending + at_cell(paint, 0, y);
    size_t least = SIZE_MAX;
    int n = 0;

    paint->row_reach[y] = 0;
    for (int x = 0; x < paint->cols; x++) {
        n += pending[x];
    }
    if (n < BUSY_ROW || !paint->repeats) {
        return;
    }
    memset(paint->touched, 0, sizeof paint->touched);
    for (int x = 0; x < paint->cols; x++) {
        paint->touched[paint->want[at_cell(paint, x, y)].style] |= pending[x] != 0;
    }
    for (int i = 0; i < REACHES; i++) {
        paint->reach = reaches[i];
        size_t bytes = row_bytes(paint, y);
        if (bytes < least) {
            paint->row_reach[y] = (uint8_t)i;
        }
        least = bytes < least ? bytes : least;
    }
}

/* ---- a frame ---- */

/* Gives both pictures the canvas' size, and the terminal a cleared screen. */
static int start_anew(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    size_t cells = (size_t)canvas->cols * (size_t)canvas->rows;
    struct tui_cell *shown = realloc(paint->shown, 2 * cells * sizeof *shown);

    if (shown != NULL) {
        paint->shown = shown;
    }
    uint8_t *pending = realloc(paint->pending, cells + (size_t)canvas->cols + (size_t)canvas->rows);
    if (pending != NULL) {
        paint->pending = pending;
    }
    if (shown == NULL || pending == NULL) {
        return COW_NO_MEMORY;
    }
    paint->cols = canvas->cols;
    paint->rows = canvas->rows;
    paint->want = shown + cells;
    paint->trial = pending + cells;
    paint->row_reach = paint->trial + canvas->cols;
    tui_paint_put(paint, "\033[m\033[H\033[2J");
    paint->x = paint->y = 0;
    paint->style = -1;
    tui_paint_blank(paint, 0, paint->rows);
    return 0;
}

/* What is wanted, in styles that can be told apart. */
static void want_cells(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    size_t cells = (size_t)canvas->cols * (size_t)canvas->rows;

    for (size_t i = 0; i < cells; i++) {
        struct tui_cell cell = canvas->cell[i];
        cell.style = paint->same[cell.style];
        if (cell.ch == ' ' && !paint->blank_shows[cell.style] && !paint->blank_shows[TUI_NORMAL]) {
            cell.style = paint->same[TUI_NORMAL];
        }
        paint->want[i] = cell;
    }
}

static size_t cells_to_send(const struct tui_paint *paint)
{
    size_t cells = (size_t)paint->cols * (size_t)paint->rows, n = 0;

    for (size_t i = 0; i < cells; i++) {
        n += paint->want[i].ch != paint->shown[i].ch || paint->want[i].style != paint->shown[i].style;
    }
    return n;
}

/* Cells of the styles: that are to be sent, and that there are. */
struct counts {
    int pending[TUI_STYLES], all[TUI_STYLES];
};

/* What is to be sent. */
static void find_pending(struct tui_paint *paint, struct counts *count)
{
    size_t cells = (size_t)paint->cols * (size_t)paint->rows;

    memset(count, 0, sizeof *count);
    for (size_t i = 0; i < cells; i++) {
        const struct tui_cell *want = &paint->want[i], *shown = &paint->shown[i];
        paint->pending[i] = want->ch != shown->ch || want->style != shown->style;
    }
    for (size_t i = 0; i + 1 < cells; i++) {
        if (paint->want[i + 1].ch == 0) {
            paint->pending[i] = paint->pending[i + 1] = paint->pending[i] | paint->pending[i + 1];
        }
    }
    for (size_t i = 0; i < cells; i++) {
        count->pending[paint->want[i].style] += paint->pending[i] != 0 ? 1 : 0;
        count->all[paint->want[i].style]++;
    }
}

static void place_cursor(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    int shown = canvas->cursor_x >= 0 && canvas->cursor_y >= 0 && canvas->cursor_x < canvas->cols &&
                canvas->cursor_y < canvas->rows;

    if (shown != 0) {
        tui_paint_move(paint, canvas->cursor_x, canvas->cursor_y);
    }
    if (shown != paint->cursor_shown && paint->cursor != NULL && paint->no_cursor != NULL) {
        tui_paint_put(paint, shown != 0 ? paint->cursor : paint->no_cursor);
    }
    paint->cursor_shown = shown;
}

/* Of the styles that are left, and of which more than so many cells are to be sent, the one that there is
 * most of: the others are written into it. -1: none. */
static int most_frequent(const struct counts *count, const bool taken[TUI_STYLES], int more_than)
{
    int most = -1;

    for (int i = 0; i < TUI_STYLES; i++) {
        if (!taken[i] && count->pending[i] > more_than && (most < 0 || count->all[i] > count->all[most])) {
            most = i;
        }
    }
    return most;
}

/* Of those that are left, and of which some cells are to be sent, the one that is the fewest bytes away; -1:
 * none. */
static int nearest(const struct tui_paint *paint, const struct counts *count, const bool taken[TUI_STYLES],
                   int before)
{
    char text[TUI_PAINT_SEQUENCE];
    size_t least = SIZE_MAX;
    int next = -1;

    for (int i = 0; i < TUI_STYLES; i++) {
        if (taken[i] || count->pending[i] == 0) {
            continue;
        }
        tui_paint_style_text(paint, before, i, text, sizeof text);
        next = strlen(text) < least ? i : next;
        least = strlen(text) < least ? strlen(text) : least;
    }
    return next;
}

/* The order of all styles: what has nothing to be sent comes last, and is painted where it was written over.
 */
static void order_styles(struct tui_paint *paint, const struct counts *count)
{
    bool taken[TUI_STYLES] = {false};
    int style = paint->style;

    paint->styles = 0;
    for (int i = 0; i < TUI_STYLES; i++) {
        taken[i] = paint->same[i] != i;
    }
    for (;;) {
        int next = most_frequent(count, taken, FEW_CELLS);
        next = next >= 0 ? next : nearest(paint, count, taken, style);
        style = next >= 0 ? next : most_frequent(count, taken, -1);
        if (style < 0) {
            break;
        }
        taken[style] = true;
        paint->rank[style] = (uint8_t)paint->styles;
        paint->order[paint->styles++] = (uint8_t)style;
    }
}

static void paint_pending(struct tui_paint *paint)
{
    struct counts count;

    find_pending(paint, &count);
    order_styles(paint, &count);
    for (int y = 0; y < paint->rows; y++) {
        choose_reach(paint, y);
    }
    for (int i = 0; i < TUI_STYLES; i++) {
        paint->touched[i] = count.pending[i] > 0;
    }
    for (int i = 0; i < paint->styles; i++) {
        for (int y = 0; y < paint->rows && paint->touched[paint->order[i]]; y++) {
            paint->reach = reaches[paint->row_reach[y]];
            paint_row(paint, y, paint->order[i]);
        }
    }
}

int tui_paint_frame(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    int status = 0;

    paint->used = 0;
    paint->failed = false;
    if (paint->cols != canvas->cols || paint->rows != canvas->rows) {
        status = start_anew(paint, canvas);
    }
    if (status == 0) {
        want_cells(paint, canvas);
        if (cells_to_send(paint) > SCROLL_FROM) {
            tui_paint_scroll(paint);
        }
        paint_pending(paint);
        place_cursor(paint, canvas);
        memcpy(paint->shown, paint->want, (size_t)paint->cols * (size_t)paint->rows * sizeof *paint->shown);
    }
    if (status == 0 && !paint->failed) {
        return 0;
    }
    tui_paint_forget(paint);
    paint->used = 0;
    return COW_NO_MEMORY;
}
