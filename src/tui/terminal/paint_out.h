/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is to be sent to a terminal of the ECMA-48 family: what its two pictures are, and the shortest way to
 * say where the next character goes, and in which style.
 */
#ifndef COW_TUI_TERMINAL_PAINT_OUT_H
#define COW_TUI_TERMINAL_PAINT_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/screen/canvas.h"
#include "tui/screen/style.h"

enum { TUI_PAINT_PART = 24, TUI_PAINT_SEQUENCE = 3 * TUI_PAINT_PART + 24 };

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
    uint8_t *pending;              /* [rows * cols]: not sent yet; in one piece of memory with the next two */
    uint8_t *trial;                /* [cols]: a line of them, to try things out */
    uint8_t *row_reach;            /* [rows]: which reach a line has (paint.c) */
    bool touched[TUI_STYLES];      /* some of it may be pending */
    uint8_t order[TUI_STYLES], rank[TUI_STYLES]; /* of the styles in this frame, and each one's place in it */
    int styles;                                  /* in the order */
    int reach;        /* of the present line: so many cells that are right may be written over in one piece */
    int x, y;         /* where the terminal's cursor is; x -1: nobody knows */
    int style;        /* that the terminal writes in; -1: nobody knows */
    int cursor_shown; /* -1: nobody knows */

    char *out; /* what is to be sent, `used` bytes */
    size_t used, room;
    bool failed; /* there was no memory for it */
};

/* Adds to what is to be sent. Without memory paint->failed is set. */
void tui_paint_bytes(struct tui_paint *paint, const char *bytes, size_t n);
void tui_paint_put(struct tui_paint *paint, const char *text);

/* The cursor is there from now on. */
void tui_paint_move(struct tui_paint *paint, int x, int y);

/* How it steps to another column of its line, in the fewest bytes; and a sequence with a number (1 is left
 * out). Both return how many bytes. */
size_t tui_paint_step_text(const struct tui_paint *paint, int x, char out[TUI_PAINT_SEQUENCE]);
size_t tui_paint_sequence(char out[TUI_PAINT_SEQUENCE], int n, char final);

/* That style is on from now on; or nothing, as the terminal is. */
void tui_paint_style(struct tui_paint *paint, int style);
void tui_paint_plain(struct tui_paint *paint);

/* What turns a style (-1: nobody knows which) into another: from what is on, where nothing of it has to go
 * off that only all can, or from the beginning, whichever is shorter; less than TUI_PAINT_SEQUENCE. */
void tui_paint_style_text(const struct tui_paint *paint, int before, int style, char *out, size_t out_bytes);

/* So many lines of what is shown are blank now. */
void tui_paint_blank(struct tui_paint *paint, int first_row, int rows);

#endif
