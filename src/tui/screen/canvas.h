/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The screen as a grid of cells: a code point and what it means. Views draw into it; term blits it; tests and
 * scripts read it as text. Nothing here knows a terminal. Everything clips; coordinates may lie outside.
 *
 * Texts are UTF-8 that the core has escaped (cow_escape): control bytes never get here, and would be shown as
 * '?'.
 */
#ifndef COW_TUI_SCREEN_CANVAS_H
#define COW_TUI_SCREEN_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tui/screen/style.h"

struct tui_cell {
    uint32_t ch;   /* 0: the second half of a wide character */
    uint8_t style; /* enum tui_style */
};

struct tui_rect {
    int x, y, cols, rows;
};

/* Whether a cell lies in it. */
static inline bool tui_rect_holds(struct tui_rect rect, int x, int y)
{
    return x >= rect.x && x < rect.x + rect.cols && y >= rect.y && y < rect.y + rect.rows;
}

struct tui_canvas {
    int cols, rows;
    struct tui_cell *cell;  /* [rows * cols] */
    bool ascii;             /* box drawing and shades become ASCII when they are put */
    int cursor_x, cursor_y; /* of the hardware cursor; -1: hidden */
    uint32_t known;         /* the character that was put last, as it was asked for; 0: none */
    uint32_t known_form;    /* what is drawn for it */
    int known_cells;        /* and how many cells that takes */
    bool known_ascii;       /* in ASCII */
};

/* No side is longer: a terminal may claim any size. */
enum { TUI_SIDE_MAX = 1000 };

/* Gives the canvas that size, from 1 to TUI_SIDE_MAX a side, blank. Returns 0 or COW_NO_MEMORY (the canvas is
 * unchanged then). */
int tui_canvas_resize(struct tui_canvas *canvas, int cols, int rows);
void tui_canvas_free(struct tui_canvas *canvas);  /* it has no cells then */
void tui_canvas_clear(struct tui_canvas *canvas); /* blank, cursor hidden */

/* Cells that a character takes on this canvas: 1 or 2; in ASCII always 1. */
int tui_cells(const struct tui_canvas *canvas, uint32_t ch);

/* One character. Returns the cells it took: 1 or 2. */
int tui_put(struct tui_canvas *canvas, int x, int y, uint32_t ch, enum tui_style style);

/* Text in at most max_cols cells; what does not fit is cut, and the last cell says so with a '~' in place of
 * what follows. Returns the cells used. */
int tui_text(struct tui_canvas *canvas, int x, int y, int max_cols, enum tui_style style, const char *text);
int tui_textf(struct tui_canvas *canvas, int x, int y, int max_cols, enum tui_style style, const char *format,
              ...) __attribute__((format(printf, 6, 7)));

/* Text that ends at column x_end (exclusive), cut at the right. Returns the column where it begins. */
int tui_text_right(struct tui_canvas *canvas, int x_end, int y, int max_cols, enum tui_style style,
                   const char *text);

/* Puts one character into each cell of a rectangle; or gives them another style, and leaves what they show.
 */
void tui_fill(struct tui_canvas *canvas, struct tui_rect rect, uint32_t ch, enum tui_style style);
void tui_restyle(struct tui_canvas *canvas, struct tui_rect rect, enum tui_style style);

/* A frame along the rectangle's edge, with a title in its upper edge ("" for none). Returns what is inside.
 */
struct tui_rect tui_frame(struct tui_canvas *canvas, struct tui_rect rect, const char *title);

/* A scroll bar on the right edge of a frame: `first` of `total` lines at the top, `shown` of them visible.
 * Draws nothing if all is visible. x is the column, rows the height. */
void tui_scrollbar(struct tui_canvas *canvas, int x, int y, int rows, uint64_t first, uint64_t shown,
                   uint64_t total);

/* A bar that is as high as value is of most (> 0), in eight steps; a line at the bottom for 0. */
uint32_t tui_level(const struct tui_canvas *canvas, uint64_t value, uint64_t most);

/* One row as UTF-8 text, blanks at its right end removed. Returns the bytes written, without the NUL.
 * out_bytes must be at least 4 * cols + 1. */
size_t tui_canvas_row_text(const struct tui_canvas *canvas, int y, char *out, size_t out_bytes);

/* All rows as text. Returns 0 or COW_IO/COW_NO_MEMORY. */
int tui_canvas_dump(const struct tui_canvas *canvas, FILE *out);

#endif
