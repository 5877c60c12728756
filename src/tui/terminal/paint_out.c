/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Behind the last column a terminal's cursor is in a place of its own (the next character wraps): it counts
 * as unknown, so the next move is an absolute one.
 */
#include "tui/terminal/paint_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKSPACES_MOST = 3, DIGITS_MOST = 10 };

void tui_paint_bytes(struct tui_paint *paint, const char *bytes, size_t n)
{
    if (paint->used + n > paint->room) {
        size_t room = (paint->used + n) * 2 + 4096;
        char *out = realloc(paint->out, room);
        if (out == NULL) {
            paint->failed = true;
            return;
        }
        paint->out = out;
        paint->room = room;
    }
    memcpy(paint->out + paint->used, bytes, n);
    paint->used += n;
}

void tui_paint_put(struct tui_paint *paint, const char *text)
{
    tui_paint_bytes(paint, text, strlen(text));
}

/* By hand: a frame that is tried out in several ways has tens of thousands of these. */
static size_t put_number(char *out, int n)
{
    char digit[DIGITS_MOST];
    size_t digits = 0;

    do {
        digit[digits++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0 && digits < sizeof digit);
    for (size_t i = 0; i < digits; i++) {
        out[i] = digit[digits - 1 - i];
    }
    return digits;
}

size_t tui_paint_sequence(char out[TUI_PAINT_SEQUENCE], int n, char final)
{
    size_t used = 0;

    out[used++] = '\033';
    out[used++] = '[';
    if (n != 1) {
        used += put_number(out + used, n);
    }
    out[used++] = final;
    out[used] = '\0';
    return used;
}

size_t tui_paint_step_text(const struct tui_paint *paint, int x, char out[TUI_PAINT_SEQUENCE])
{
    int right = x - paint->x;
    char absolute[TUI_PAINT_SEQUENCE];
    size_t n, n_absolute = paint->has_column ? tui_paint_sequence(absolute, x + 1, 'G') : SIZE_MAX;

    if (right < 0 && right >= -BACKSPACES_MOST) {
        n = (size_t)-right;
        memcpy(out, "\b\b\b", n);
        out[n] = '\0';
    } else {
        n = tui_paint_sequence(out, abs(right), right > 0 ? 'C' : 'D');
    }
    if (n_absolute >= n) {
        return n;
    }
    memcpy(out, absolute, n_absolute + 1);
    return n_absolute;
}

static size_t move_text(const struct tui_paint *paint, int x, int y, char out[TUI_PAINT_SEQUENCE])
{
    if (paint->x >= 0 && paint->y == y) {
        return tui_paint_step_text(paint, x, out);
    }
    if (paint->x == x) {
        return tui_paint_sequence(out, abs(y - paint->y), y > paint->y ? 'B' : 'A');
    }
    return (size_t)snprintf(out, TUI_PAINT_SEQUENCE, "\033[%d;%dH", y + 1, x + 1);
}

void tui_paint_move(struct tui_paint *paint, int x, int y)
{
    char text[TUI_PAINT_SEQUENCE];

    if (paint->x == x && paint->y == y) {
        return;
    }
    tui_paint_bytes(paint, text, move_text(paint, x, y, text));
    paint->x = x;
    paint->y = y;
}

static void join(char *out, size_t out_bytes, const char *part)
{
    size_t used = strlen(out);

    if (part[0] != '\0') {
        snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ";" : "", part);
    }
}

/* A colour from another: nothing if it is the same, the terminal's own where it has a number. False: that can
 * only be had from the beginning. */
static bool join_color(const struct tui_paint *paint, char *out, size_t out_bytes, const char *from,
                       const char *to, const char *own)
{
    if (strcmp(from, to) == 0) {
        return true;
    }
    if (to[0] == '\0' && !paint->has_own_colors) {
        return false;
    }
    join(out, out_bytes, to[0] != '\0' ? to : own);
    return true;
}

void tui_paint_style_text(const struct tui_paint *paint, int before, int style, char *out, size_t out_bytes)
{
    const struct tui_paint_look *to = &paint->look[style];
    char anew[TUI_PAINT_SEQUENCE] = "", more[TUI_PAINT_SEQUENCE] = "";

    if (to->attributes[0] != '\0' || to->fg[0] != '\0' || to->bg[0] != '\0') {
        join(anew, sizeof anew, "0");
    }
    join(anew, sizeof anew, to->attributes);
    join(anew, sizeof anew, to->fg);
    join(anew, sizeof anew, to->bg);
    const struct tui_paint_look *from = before >= 0 ? &paint->look[before] : to;
    bool goes_on =
        before >= 0 && (from->attributes[0] == '\0' || strcmp(from->attributes, to->attributes) == 0);
    if (goes_on && from->attributes[0] == '\0') {
        join(more, sizeof more, to->attributes);
    }
    goes_on = goes_on && join_color(paint, more, sizeof more, from->fg, to->fg, "39") &&
              join_color(paint, more, sizeof more, from->bg, to->bg, "49");
    snprintf(out, out_bytes, "\033[%sm", goes_on && strlen(more) < strlen(anew) ? more : anew);
}

void tui_paint_style(struct tui_paint *paint, int style)
{
    char text[TUI_PAINT_SEQUENCE];

    if (paint->style == style) {
        return;
    }
    tui_paint_style_text(paint, paint->style, style, text, sizeof text);
    tui_paint_put(paint, text);
    paint->style = style;
}

void tui_paint_plain(struct tui_paint *paint)
{
    static const struct tui_paint_look none;
    int normal = paint->same[TUI_NORMAL];

    if (memcmp(&paint->look[normal], &none, sizeof none) == 0) {
        tui_paint_style(paint, normal);
        return;
    }
    tui_paint_put(paint, "\033[m");
    paint->style = -1;
}

void tui_paint_blank(struct tui_paint *paint, int first_row, int rows)
{
    uint8_t style = paint->blank_shows[TUI_NORMAL] ? TUI_STYLES : paint->same[TUI_NORMAL];
    size_t cols = (size_t)paint->cols, from = (size_t)first_row * cols, to = from + (size_t)rows * cols;

    for (size_t i = from; i < to; i++) {
        paint->shown[i] = (struct tui_cell){' ', style};
    }
}
