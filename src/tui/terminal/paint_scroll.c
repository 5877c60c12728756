/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A list that scrolls by a line has the same lines a line further up. A terminal moves a region of whole
 * lines (DECSTBM, and a line feed at its lower or a reverse one at its upper edge), so what stands beside the
 * list moves, too, and has to be sent again: it is counted what is gained and lost, cell by cell, and the
 * region is the stretch of lines that gains most. Blank cells count as nothing, for to clear them costs next
 * to nothing.
 */
#include "tui/terminal/paint_scroll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINES_MOST = 3,   /* at a time; a page has nothing in common with the next */
    GAIN_LEAST = 100, /* cells */
    TEXT_BYTES = 48,
};

struct scroll {
    int top, bottom; /* lines of the region, both in it */
    int up;          /* so many lines; negative: down */
    int gain;        /* cells */
};

/* Cells of a wanted line that another line shows, without blanks. */
static int same_cells(const struct tui_paint *paint, int wanted, int shown)
{
    const struct tui_cell *want = paint->want + (size_t)wanted * (size_t)paint->cols,
                          *show = paint->shown + (size_t)shown * (size_t)paint->cols;
    int n = 0;

    for (int x = 0; x < paint->cols; x++) {
        n += want[x].ch == show[x].ch && want[x].style == show[x].style && want[x].ch != ' ';
    }
    return n;
}

/* What is lost in the lines that the region's movement leaves blank. */
static int lost_cells(const struct tui_paint *paint, const struct scroll *scroll)
{
    int n = 0;

    for (int i = 0; i < abs(scroll->up); i++) {
        int y = scroll->up > 0 ? scroll->bottom - i : scroll->top + i;
        n += same_cells(paint, y, y);
    }
    return n;
}

/* The best region for a movement by so many lines. */
static struct scroll best_region(const struct tui_paint *paint, int up)
{
    int low = up > 0 ? 0 : -up, high = paint->rows - (up > 0 ? up : 0), gain = 0, first = low;
    struct scroll best = {0, 0, up, 0};

    for (int y = low; y < high; y++) {
        if (gain <= 0) {
            gain = 0;
            first = y;
        }
        gain += same_cells(paint, y, y + up) - same_cells(paint, y, y);
        if (gain <= best.gain) {
            continue;
        }
        best.gain = gain;
        best.top = up > 0 ? first : first + up;
        best.bottom = up > 0 ? y + up : y;
    }
    if (best.gain > 0) {
        best.gain -= lost_cells(paint, &best);
    }
    return best;
}

static void move_shown(struct tui_paint *paint, const struct scroll *scroll)
{
    const size_t cols = (size_t)paint->cols;
    int lines = abs(scroll->up), stay = scroll->bottom - scroll->top + 1 - lines;
    int from = scroll->up > 0 ? scroll->top + lines : scroll->top,
        to = scroll->up > 0 ? scroll->top : scroll->top + lines;

    memmove(paint->shown + (size_t)to * cols, paint->shown + (size_t)from * cols,
            (size_t)stay * cols * sizeof *paint->shown);
    tui_paint_blank(paint, scroll->up > 0 ? scroll->bottom - lines + 1 : scroll->top, lines);
}

/* In plain style, for a terminal may fill the lines that come in with what is on. */
static void send_scroll(struct tui_paint *paint, const struct scroll *scroll)
{
    char text[TEXT_BYTES];

    tui_paint_plain(paint);
    snprintf(text, sizeof text, "\033[%d;%dr\033[%d;1H", scroll->top + 1, scroll->bottom + 1,
             (scroll->up > 0 ? scroll->bottom : scroll->top) + 1);
    tui_paint_put(paint, text);
    for (int i = 0; i < abs(scroll->up); i++) {
        tui_paint_put(paint, scroll->up > 0 ? "\n" : "\033M");
    }
    tui_paint_put(paint, "\033[r");
    paint->x = -1;
}

void tui_paint_scroll(struct tui_paint *paint)
{
    struct scroll best = {.gain = GAIN_LEAST};

    if (!paint->scrolls) {
        return;
    }
    for (int up = -LINES_MOST; up <= LINES_MOST; up++) {
        struct scroll scroll = up != 0 && abs(up) < paint->rows ? best_region(paint, up) : best;
        best = scroll.gain > best.gain ? scroll : best;
    }
    if (best.up == 0) {
        return;
    }
    send_scroll(paint, &best);
    move_shown(paint, &best);
}
