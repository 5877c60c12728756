/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From one canvas to the next, in as few bytes as a terminal of the ECMA-48 family takes: only what has
 * changed, by colour, and equal cells beside each other as one that is repeated. It makes the bytes and sends
 * none: term.c does, and the tests have a terminal of their own.
 */
#ifndef COW_TUI_TERMINAL_PAINT_H
#define COW_TUI_TERMINAL_PAINT_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/screen/canvas.h"
#include "tui/screen/style.h"

enum { TUI_PAINT_PART = 24 };

/* How a style looks: parameters of SGR ("38;5;75"), each part with its NUL; "": as the terminal is. */
struct tui_paint_look {
    char attributes[TUI_PAINT_PART], fg[TUI_PAINT_PART], bg[TUI_PAINT_PART];
};

struct tui_paint {
    struct tui_paint_look look[TUI_STYLES];
    bool repeats;                   /* the terminal has REP */
    bool scrolls;                   /* ... a region of lines that scrolls, to both sides */
    bool has_column;                /* ... HPA: a column by its number */
    bool has_own_colors;            /* ... SGR 39 and 49: its own colours, and nothing else goes off */
    const char *cursor, *no_cursor; /* to show it, and to hide it; NULL: it cannot. Borrowed */

    uint8_t same[TUI_STYLES];      /* the first style that looks like it */
    bool blank_shows[TUI_STYLES];  /* a blank in it is seen: it has a background, is reversed or underlined */
    int cols, rows;                /* of what is shown; 0: nobody knows what is */
    struct tui_cell *shown, *want; /* [rows * cols], in one piece of memory */
    uint8_t *pending;              /* [rows * cols]: not sent yet; and behind them a line to try things out */
    bool touched[TUI_STYLES];      /* some of it may be pending */
    uint8_t order[TUI_STYLES], rank[TUI_STYLES]; /* of the styles in this frame, and each one's place in it */
    int styles;                                  /* in the order */
    int16_t *row_reach;                          /* [rows] */
    int reach;        /* of the present line: so many cells that are right may be written over in one piece */
    int x, y;         /* where the terminal's cursor is; x -1: nobody knows */
    int style;        /* that the terminal writes in; -1: nobody knows */
    int cursor_shown; /* -1: nobody knows */

    char *out; /* what is to be sent, `used` bytes */
    size_t used, room;
    bool failed; /* there was no memory for it */
};

/* look, cursor, no_cursor and what the terminal has are filled, all else is 0. */
void tui_paint_begin(struct tui_paint *paint);
void tui_paint_end(struct tui_paint *paint);

/* Nobody knows any more what the terminal shows: the next frame is painted from a cleared screen. */
void tui_paint_forget(struct tui_paint *paint);

/* Makes out[0, used) what turns the last frame into this one; until the next call. Errors: COW_NO_MEMORY; the
 * next frame is painted from a cleared screen then. */
int tui_paint_frame(struct tui_paint *paint, const struct tui_canvas *canvas);

/* For the other files of the painter: adds to what is to be sent; nothing is on any more; and so many lines
 * are blank now. */
void tui_paint_put(struct tui_paint *paint, const char *text);
void tui_paint_plain(struct tui_paint *paint);
void tui_paint_blank(struct tui_paint *paint, int first_row, int rows);

#endif
