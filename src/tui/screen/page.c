/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pages of wrapped text. Lines are cells, as in a canvas, so that drawing is copying. A page holds what a
 * view has to say, never something as long as the disk. A page that ran out of memory ends early and says
 * nothing of it: half a page is better than none, and the next drawing tries again.
 */
#include "tui/screen/page.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tui/screen/utf8.h"

enum { LINES_STEP = 32, LINES_MAX = 4096, TEXT_BYTES = 6144, NO_BREAK_SPACE = 0xa0 };

void tui_page_begin(struct tui_page *page, int cols)
{
    if (cols < 1) {
        cols = 1;
    }
    if (cols != page->cols) {
        free(page->cell);
        page->cell = NULL;
        page->capacity = 0;
        page->cols = cols;
    }
    page->lines = 0;
    page->failed = false;
}

void tui_page_free(struct tui_page *page)
{
    free(page->cell);
    memset(page, 0, sizeof *page);
}

void tui_page_line(struct tui_page *page)
{
    if (page->failed || page->lines == LINES_MAX) {
        return;
    }
    if (page->lines == page->capacity) {
        size_t lines = (size_t)page->capacity + LINES_STEP;
        struct tui_cell *cell = realloc(page->cell, lines * (size_t)page->cols * sizeof *cell);
        if (cell == NULL) {
            page->failed = true;
            return;
        }
        page->cell = cell;
        page->capacity = (int)lines;
    }
    struct tui_cell *line = page->cell + (size_t)page->lines * (size_t)page->cols;
    for (int x = 0; x < page->cols; x++) {
        line[x] = (struct tui_cell){' ', TUI_NORMAL};
    }
    page->lines++;
}

void tui_page_put_char(struct tui_page *page, int col, enum tui_style style, uint32_t ch)
{
    if (page->lines == 0 || col < 0 || col >= page->cols) {
        return;
    }
    struct tui_cell *line = page->cell + (size_t)(page->lines - 1) * (size_t)page->cols;
    int cells = tui_char_cells(ch);
    if (ch == NO_BREAK_SPACE) {
        ch = ' ';
    }
    if (cells == 2 && col + 1 >= page->cols) {
        return;
    }
    line[col] = (struct tui_cell){ch, (uint8_t)style};
    if (cells == 2) {
        line[col + 1] = (struct tui_cell){0, (uint8_t)style};
    }
}

int tui_page_put(struct tui_page *page, int col, enum tui_style style, const char *text)
{
    for (uint32_t ch; (ch = tui_utf8_next(&text)) != 0;) {
        tui_page_put_char(page, col, style, ch);
        col += tui_char_cells(ch);
    }
    return col;
}

int tui_page_putf(struct tui_page *page, int col, enum tui_style style, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tui_page_put(page, col, style, text);
}

/* The cells of the word at text, and where it ends. */
static int word_cells(const char *text, const char **end)
{
    int cells = 0;

    while (*text != '\0' && *text != ' ') {
        cells += tui_char_cells(tui_utf8_next(&text));
    }
    *end = text;
    return cells;
}

int tui_page_wrap(struct tui_page *page, int first_col, int hang_col, enum tui_style style, const char *text)
{
    int col = first_col;
    bool fresh = true; /* nothing of this text on this line yet */

    while (*text != '\0') {
        const char *end;
        if (*text == ' ') {
            text++;
            col += fresh ? 0 : 1;
            continue;
        }
        int cells = word_cells(text, &end);
        if (col + cells > page->cols && !fresh) {
            tui_page_line(page);
            col = hang_col;
        }
        while (text < end) { /* a word longer than a line is broken where the line ends */
            uint32_t ch = tui_utf8_next(&text);
            if (col + tui_char_cells(ch) > page->cols && col > hang_col) {
                tui_page_line(page);
                col = hang_col;
            }
            tui_page_put_char(page, col, style, ch);
            col += tui_char_cells(ch);
        }
        fresh = false;
    }
    return col;
}

int tui_page_wrapf(struct tui_page *page, int first_col, int hang_col, enum tui_style style,
                   const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tui_page_wrap(page, first_col, hang_col, style, text);
}

/* As many words of a column's text as fit in a line; a word that is too long is cut. Returns the rest. */
static const char *put_column_line(struct tui_page *page, const struct tui_column *column, const char *text)
{
    int col = column->col, edge = column->col + column->cols;

    while (*text == ' ') {
        text++;
    }
    while (*text != '\0') {
        const char *end, *next = text + strspn(text, " ");
        int cells = word_cells(next, &end) + (int)(next - text);
        if (col + cells > edge && col > column->col) {
            break;
        }
        while (text < end) {
            uint32_t ch = tui_utf8_next(&text);
            if (col + tui_char_cells(ch) <= edge) {
                tui_page_put_char(page, col, column->style, ch);
            }
            col += tui_char_cells(ch);
        }
    }
    return text;
}

void tui_page_columns(struct tui_page *page, const struct tui_column *column, size_t n)
{
    const char *rest[TUI_COLUMNS_MAX];
    bool more = true;

    for (size_t i = 0; i < n; i++) {
        rest[i] = column[i].text;
    }
    while (more) {
        more = false;
        tui_page_line(page);
        for (size_t i = 0; i < n; i++) {
            rest[i] = put_column_line(page, &column[i], rest[i]);
            more |= rest[i][strspn(rest[i], " ")] != '\0';
        }
    }
}

void tui_page_value(struct tui_page *page, const char *label, int value_col, enum tui_style style,
                    const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_LABEL, label);
    tui_page_wrap(page, value_col, value_col, style, text);
}

static void clamp_top(struct tui_page *page, int area_rows)
{
    if (page->top > page->lines - area_rows) {
        page->top = page->lines - area_rows;
    }
    if (page->top < 0) {
        page->top = 0;
    }
}

void tui_page_draw(struct tui_page *page, struct tui_canvas *canvas, struct tui_rect area, int bar_x)
{
    clamp_top(page, area.rows);
    page->rows = area.rows;
    for (int y = 0; y < area.rows && page->top + y < page->lines; y++) {
        const struct tui_cell *line = page->cell + (size_t)(page->top + y) * (size_t)page->cols;
        for (int x = 0; x < page->cols && x < area.cols; x++) {
            if (line[x].ch != 0) {
                tui_put(canvas, area.x + x, area.y + y, line[x].ch, (enum tui_style)line[x].style);
            }
        }
    }
    if (page->found > page->top && page->found <= page->top + area.rows) {
        tui_restyle(canvas, (struct tui_rect){area.x, area.y + page->found - 1 - page->top, area.cols, 1},
                    TUI_SELECTED);
    }
    if (bar_x >= 0 && page->lines > area.rows) {
        tui_scrollbar(canvas, bar_x, area.y, area.rows, (uint64_t)page->top, (uint64_t)area.rows,
                      (uint64_t)page->lines);
    }
}

static bool line_has(const struct tui_page *page, int line, const char *text)
{
    const struct tui_cell *cell = page->cell + (size_t)line * (size_t)page->cols;
    char bytes[4 * TUI_SIDE_MAX + 1];
    size_t used = 0;

    for (int x = 0; x < page->cols && used + 4 < sizeof bytes; x++) {
        if (cell[x].ch != 0) {
            used += tui_utf8_put(bytes + used, cell[x].ch);
        }
    }
    bytes[used] = '\0';
    return strcasestr(bytes, text) != NULL;
}

int tui_page_find(const struct tui_page *page, const char *text, int line, bool back)
{
    for (int i = 0; i < page->lines; i++, line += back ? -1 : 1) {
        line = (line % page->lines + page->lines) % page->lines;
        if (line_has(page, line, text)) {
            return line;
        }
    }
    return -1;
}

bool tui_page_scroll(struct tui_page *page, int lines, int area_rows)
{
    int before = page->top;

    page->top = lines > page->lines - page->top ? page->lines : page->top + lines;
    clamp_top(page, area_rows);
    return page->top != before;
}

void tui_page_reveal(struct tui_page *page, int first, int last, int area_rows)
{
    if (last >= page->top + area_rows) {
        page->top = last - area_rows + 1;
    }
    if (first < page->top) {
        page->top = first;
    }
}
