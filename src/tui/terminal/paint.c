/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A colour costs more than a move, and a map has a few colours and thousands of cells that alternate between
 * them. So a frame is painted style by style, the most frequent one first, each over the whole screen; and
 * where equal cells are parted by such as are painted later anyway, the repetition goes on right through
 * them.
 *
 * Blanks that no background shows are all one style, and styles that look the same are one, too. Of a wide
 * character both halves are sent, or none; nothing is repeated over one, and a terminal that loses half of
 * one by what is written beside it is told the other half again, for that has changed, too.
 *
 * Behind the last column a terminal's cursor is in a place of its own (the next character wraps): it counts
 * as unknown, so the next move is an absolute one.
 */
#include "tui/terminal/paint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/error.h"
#include "tui/screen/utf8.h"

enum { SEQUENCE_BYTES = 3 * TUI_PAINT_PART + 16, GAP_MOST = 3, REPEAT_LEAST = 4 };

static void put_bytes(struct tui_paint *paint, const char *bytes, size_t n)
{
    if (paint->used + n > paint->room) {
        size_t room = (paint->used + n) * 2 + 4096;
        char *out = realloc(paint->out, room);
        if (!out) {
            paint->failed = true;
            return;
        }
        paint->out = out;
        paint->room = room;
    }
    memcpy(paint->out + paint->used, bytes, n);
    paint->used += n;
}

static void put_text(struct tui_paint *paint, const char *text)
{
    put_bytes(paint, text, strlen(text));
}

static void put_sequence(struct tui_paint *paint, int n, char final)
{
    char text[SEQUENCE_BYTES];

    if (n == 1)
        snprintf(text, sizeof text, "\033[%c", final);
    else
        snprintf(text, sizeof text, "\033[%d%c", n, final);
    put_text(paint, text);
}

static bool is_blank_seen(const struct tui_paint_look *look)
{
    return look->bg[0] || strchr(look->attributes, '4') || strchr(look->attributes, '7');
}

void tui_paint_begin(struct tui_paint *paint)
{
    for (int i = 0; i < TUI_STYLES; i++) {
        int first = 0;
        while (memcmp(&paint->look[first], &paint->look[i], sizeof paint->look[i]) != 0)
            first++;
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
    paint->pending = NULL;
    paint->out = NULL;
    paint->room = paint->used = 0;
    tui_paint_forget(paint);
}

void tui_paint_forget(struct tui_paint *paint)
{
    paint->cols = paint->rows = 0;
    paint->x = paint->style = paint->cursor_shown = -1;
}

/* ---- where, and in which style ---- */

static void move_to(struct tui_paint *paint, int x, int y)
{
    char text[SEQUENCE_BYTES];

    if (paint->x == x && paint->y == y)
        return;
    if (paint->x >= 0 && paint->y == y && x > paint->x) {
        put_sequence(paint, x - paint->x, 'C');
    } else if (paint->x >= 0 && paint->y == y && paint->x - x <= GAP_MOST) {
        for (int i = paint->x; i > x; i--)
            put_text(paint, "\b");
    } else {
        snprintf(text, sizeof text, "\033[%d;%dH", y + 1, x + 1);
        put_text(paint, text);
    }
    paint->x = x;
    paint->y = y;
}

static void join(char *out, size_t out_bytes, const char *part)
{
    size_t used = strlen(out);

    if (part[0])
        snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ";" : "", part);
}

/* From the style before, where that has nothing on that has to go off; else from the beginning. */
static void use_style(struct tui_paint *paint, int style)
{
    static const struct tui_paint_look none;
    const struct tui_paint_look *to = &paint->look[style], *from = &none;
    char parameters[SEQUENCE_BYTES] = "", text[SEQUENCE_BYTES + 4];

    if (paint->style == style)
        return;
    if (paint->style >= 0)
        from = &paint->look[paint->style];
    bool goes_on = paint->style >= 0 && strcmp(from->attributes, to->attributes) == 0 &&
                   (to->fg[0] || !from->fg[0]) && (to->bg[0] || !from->bg[0]);
    if (!goes_on) {
        if (to->attributes[0] || to->fg[0] || to->bg[0])
            join(parameters, sizeof parameters, "0");
        from = &none;
    }
    join(parameters, sizeof parameters, goes_on ? "" : to->attributes);
    join(parameters, sizeof parameters, strcmp(from->fg, to->fg) != 0 ? to->fg : "");
    join(parameters, sizeof parameters, strcmp(from->bg, to->bg) != 0 ? to->bg : "");
    snprintf(text, sizeof text, "\033[%sm", parameters);
    put_text(paint, text);
    paint->style = style;
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
 * them is one that is. */
static int repeated(const struct tui_paint *paint, int x, int y)
{
    const struct tui_cell *first = &paint->want[at_cell(paint, x, y)];
    int end = x + 1;

    if (!is_single(paint, x, y))
        return 1;
    for (int i = x + 1; i < paint->cols && is_single(paint, i, y); i++) {
        size_t at = at_cell(paint, i, y);
        bool same = paint->want[at].ch == first->ch && is_of_style(paint, at, first->style);
        if (!same && (paint->pending[at] == 0 || paint->want[at].style == first->style))
            break;
        if (same)
            end = i + 1;
    }
    return end - x;
}

static void mark_sent(struct tui_paint *paint, int x, int y, int cells)
{
    const struct tui_cell first = paint->want[at_cell(paint, x, y)];

    for (int i = 0; i < cells; i++) {
        size_t at = at_cell(paint, x + i, y);
        if (paint->want[at].ch == first.ch || (i == 1 && paint->want[at].ch == 0))
            paint->pending[at] = is_of_style(paint, at, first.style) ? 0 : paint->pending[at];
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
        put_text(paint, "\033[K");
        mark_sent(paint, x, y, n);
        paint->x = x;
        return n;
    }
    put_bytes(paint, text, bytes);
    if (!wide && paint->repeats && (size_t)(n - 1) * bytes > (size_t)(REPEAT_LEAST + (n > 10) + (n > 100))) {
        put_sequence(paint, n - 1, 'b');
        written = n;
    }
    n = wide ? 2 : written;
    mark_sent(paint, x, y, n);
    return n;
}

/* Whether the gap up to x, on the cursor's line, is cheaper written than stepped over. */
static bool gap_is_writable(const struct tui_paint *paint, int x, int y, int style)
{
    if (paint->x < 0 || paint->y != y || x <= paint->x || x - paint->x > GAP_MOST)
        return false;
    for (int i = paint->x; i < x; i++) {
        if (!is_single(paint, i, y) || paint->want[at_cell(paint, i, y)].ch >= 0x80 ||
            !is_of_style(paint, at_cell(paint, i, y), style))
            return false;
    }
    return true;
}

static void paint_row(struct tui_paint *paint, int y, int style)
{
    for (int x = 0; x < paint->cols; x++) {
        size_t at = at_cell(paint, x, y);
        if (!paint->pending[at] || paint->want[at].style != style || paint->want[at].ch == 0)
            continue;
        use_style(paint, style);
        if (gap_is_writable(paint, x, y, style)) {
            for (int i = paint->x; i < x; i++) {
                char ch = (char)paint->want[at_cell(paint, i, y)].ch;
                put_bytes(paint, &ch, 1);
                paint->pending[at_cell(paint, i, y)] = 0;
            }
            paint->x = x;
        }
        move_to(paint, x, y);
        x += put_cells(paint, x, y) - 1;
    }
}

/* ---- a frame ---- */

/* Gives both pictures the canvas' size, and the terminal a cleared screen. */
static int start_anew(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    size_t cells = (size_t)canvas->cols * (size_t)canvas->rows;
    struct tui_cell *shown = realloc(paint->shown, 2 * cells * sizeof *shown);

    paint->shown = shown ? shown : paint->shown;
    uint8_t *pending = realloc(paint->pending, cells);
    paint->pending = pending ? pending : paint->pending;
    if (!shown || !pending)
        return COW_NO_MEMORY;
    paint->cols = canvas->cols;
    paint->rows = canvas->rows;
    paint->want = shown + cells;
    put_text(paint, "\033[m\033[H\033[2J");
    paint->x = paint->y = 0;
    paint->style = -1;
    uint8_t style = paint->blank_shows[TUI_NORMAL] ? TUI_STYLES : paint->same[TUI_NORMAL];
    for (size_t i = 0; i < cells; i++)
        shown[i] = (struct tui_cell){' ', style};
    return 0;
}

/* What is wanted, in styles that can be told apart. Returns how many cells of each are to be sent. */
static void want_cells(struct tui_paint *paint, const struct tui_canvas *canvas, int count[TUI_STYLES])
{
    size_t cells = (size_t)canvas->cols * (size_t)canvas->rows;

    memset(count, 0, TUI_STYLES * sizeof *count);
    for (size_t i = 0; i < cells; i++) {
        struct tui_cell cell = canvas->cell[i];
        cell.style = paint->same[cell.style];
        if (cell.ch == ' ' && !paint->blank_shows[cell.style] && !paint->blank_shows[TUI_NORMAL])
            cell.style = paint->same[TUI_NORMAL];
        paint->want[i] = cell;
        paint->pending[i] = cell.ch != paint->shown[i].ch || cell.style != paint->shown[i].style;
    }
    for (size_t i = 0; i + 1 < cells; i++) {
        if (paint->want[i + 1].ch == 0)
            paint->pending[i] = paint->pending[i + 1] = paint->pending[i] | paint->pending[i + 1];
    }
    for (size_t i = 0; i < cells; i++)
        count[paint->want[i].style] += paint->pending[i] ? 1 : 0;
}

static void place_cursor(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    int shown = canvas->cursor_x >= 0 && canvas->cursor_y >= 0 && canvas->cursor_x < canvas->cols &&
                canvas->cursor_y < canvas->rows;

    if (shown)
        move_to(paint, canvas->cursor_x, canvas->cursor_y);
    if (shown != paint->cursor_shown && paint->cursor && paint->no_cursor)
        put_text(paint, shown ? paint->cursor : paint->no_cursor);
    paint->cursor_shown = shown;
}

static int most_frequent(const int count[TUI_STYLES])
{
    int most = 0;

    for (int i = 1; i < TUI_STYLES; i++)
        most = count[i] > count[most] ? i : most;
    return most;
}

int tui_paint_frame(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    int count[TUI_STYLES], status = 0;

    paint->used = 0;
    paint->failed = false;
    if (paint->cols != canvas->cols || paint->rows != canvas->rows)
        status = start_anew(paint, canvas);
    if (status == 0) {
        want_cells(paint, canvas, count);
        for (int style = most_frequent(count); count[style] > 0; style = most_frequent(count)) {
            for (int y = 0; y < paint->rows; y++)
                paint_row(paint, y, style);
            count[style] = 0;
        }
        place_cursor(paint, canvas);
        memcpy(paint->shown, paint->want, (size_t)paint->cols * (size_t)paint->rows * sizeof *paint->shown);
    }
    if (status == 0 && !paint->failed)
        return 0;
    tui_paint_forget(paint);
    paint->used = 0;
    return COW_NO_MEMORY;
}
