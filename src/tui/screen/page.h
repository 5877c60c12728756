/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A page of styled, word-wrapped text that is longer than the screen, perhaps: what the header view, help,
 * the wizard's preview and message boxes are made of. It is filled for one width and drawn from any line on;
 * on a resize its owner fills it again.
 */
#ifndef COW_TUI_SCREEN_PAGE_H
#define COW_TUI_SCREEN_PAGE_H

#include <stddef.h>

#include "tui/screen/canvas.h"

struct tui_page {
    int cols;              /* of each line */
    int lines;             /* how many there are; the last may be under work */
    int capacity;          /* in lines */
    struct tui_cell *cell; /* [capacity * cols] */
    int top;               /* the first line shown */
    int rows;              /* that were drawn last */
    int found;             /* 1 + the line that was searched for, drawn as selected; 0: none */
    struct {
        int top, found; /* where a search began */
    } before;
    bool failed; /* out of memory: the page ends early */
};

/* Empties the page and sets its width; the scroll position stays. */
void tui_page_begin(struct tui_page *page, int cols);
void tui_page_free(struct tui_page *page); /* what is in it: all zero is empty */

/* An empty line at the end. */
void tui_page_line(struct tui_page *page);

/* Puts text at a column of the last line, cut at the right edge. Returns the column behind it. */
int tui_page_put(struct tui_page *page, int col, enum tui_style style, const char *text);
int tui_page_putf(struct tui_page *page, int col, enum tui_style style, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void tui_page_put_char(struct tui_page *page, int col, enum tui_style style, uint32_t ch);

/* Wraps text at words (a no-break space, U+00A0, holds two together), the first word at first_col of the last
 * line, further lines at hang_col. Returns the column behind the last word. */
int tui_page_wrap(struct tui_page *page, int first_col, int hang_col, enum tui_style style, const char *text);
int tui_page_wrapf(struct tui_page *page, int first_col, int hang_col, enum tui_style style,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* One of some texts that stand side by side. */
struct tui_column {
    int col, cols;
    enum tui_style style;
    const char *text;
};

/* Texts side by side, each wrapped within its columns, in as many new lines as the longest takes. n <=
 * TUI_COLUMNS_MAX. */
enum { TUI_COLUMNS_MAX = 4 };
void tui_page_columns(struct tui_page *page, const struct tui_column *column, size_t n);

/* A new line with a label and its wrapped value. */
void tui_page_value(struct tui_page *page, const char *label, int value_col, enum tui_style style,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Draws from page->top on, which it first brings into range; a scroll bar at bar_x if bar_x >= 0. */
void tui_page_draw(struct tui_page *page, struct tui_canvas *canvas, struct tui_rect area, int bar_x);

/* The next line from `line` on, around the page's end, that has the text in it, whatever the case of its
 * ASCII letters; -1 if there is none. */
int tui_page_find(const struct tui_page *page, const char *text, int line, bool back);

/* Moves page->top by so many lines, within what an area of that height allows. Returns whether it moved. */
bool tui_page_scroll(struct tui_page *page, int lines, int area_rows);

/* Scrolls as little as makes lines first..last (inclusive) visible. */
void tui_page_reveal(struct tui_page *page, int first, int last, int area_rows);

#endif
