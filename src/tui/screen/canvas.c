/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The grid of cells. The only place where glyphs become ASCII: views draw as if every terminal had box
 * drawing and shades, and no two glyphs that mean different things share an ASCII form.
 */
#include "tui/screen/canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "tui/screen/utf8.h"

static const struct {
    uint32_t glyph;
    char ascii;
} ascii_forms[] = {
    {0x2500, '-'}, /* ─ */ {0x2502, '|'}, /* │ */ {0x250c, '+'}, /* ┌ */ {0x2510, '+'}, /* ┐ */
    {0x2514, '+'}, /* └ */ {0x2518, '+'}, /* ┘ */ {0x251c, '+'}, /* ├ */ {0x2524, '+'}, /* ┤ */
    {0x252c, '+'}, /* ┬ */ {0x2534, '+'}, /* ┴ */ {0x253c, '+'}, /* ┼ */ {0x2503, '#'}, /* ┃ */
    {0x00b7, '.'}, /* · */ {0x2591, ':'}, /* ░ */ {0x2592, '+'}, /* ▒ */ {0x2593, '%'}, /* ▓ */
    {0x2588, '#'}, /* █ */ {0x25cb, 'o'}, /* ○ */ {0x25b8, '>'}, /* ▸ */ {0x203a, '>'}, /* › */
    {0x2550, '='}, /* ═ */ {0x00d7, 'x'}, /* × */ {0x25c6, '*'}, /* ◆ */ {0x2013, '-'}, /* – */
    {0x25aa, '='}, /* ▪ */ {0x25a0, 'X'}, /* ■ */ {0x25cf, 'N'}, /* ● */ {0x25c9, 'n'}, /* ◉ */
    {0x25ce, ','},                                                                      /* ◎ */
};

static uint32_t ascii_form(uint32_t ch)
{
    if (ch < 0x7f) {
        return ch;
    }
    for (size_t i = 0; i < sizeof ascii_forms / sizeof ascii_forms[0]; i++) {
        if (ascii_forms[i].glyph == ch) {
            return (unsigned char)ascii_forms[i].ascii;
        }
    }
    return TUI_REPLACEMENT;
}

int tui_canvas_resize(struct tui_canvas *canvas, int cols, int rows)
{
    if (cols < 1) {
        cols = 1;
    }
    if (rows < 1) {
        rows = 1;
    }
    if (cols > TUI_SIDE_MAX) {
        cols = TUI_SIDE_MAX;
    }
    if (rows > TUI_SIDE_MAX) {
        rows = TUI_SIDE_MAX;
    }
    if (canvas->cell == NULL || cols != canvas->cols || rows != canvas->rows) {
        struct tui_cell *cell = calloc((size_t)cols * (size_t)rows, sizeof *cell);
        if (cell == NULL) {
            return COW_NO_MEMORY;
        }
        free(canvas->cell);
        canvas->cell = cell;
        canvas->cols = cols;
        canvas->rows = rows;
    }
    tui_canvas_clear(canvas);
    return 0;
}

void tui_canvas_free(struct tui_canvas *canvas)
{
    free(canvas->cell);
    canvas->cell = NULL;
    canvas->cols = canvas->rows = 0;
}

void tui_canvas_clear(struct tui_canvas *canvas)
{
    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, canvas->rows}, ' ', TUI_NORMAL);
    canvas->cursor_x = canvas->cursor_y = -1;
}

static struct tui_cell *cell_at(const struct tui_canvas *canvas, int x, int y)
{
    if (x < 0 || y < 0 || x >= canvas->cols || y >= canvas->rows) {
        return NULL;
    }
    return &canvas->cell[(size_t)y * (size_t)canvas->cols + (size_t)x];
}

/* Writing over one half of a wide character leaves a blank in the other. */
static void unlink_wide(struct tui_canvas *canvas, int x, int y)
{
    struct tui_cell *cell = cell_at(canvas, x, y);
    struct tui_cell *left = cell_at(canvas, x - 1, y);
    struct tui_cell *right = cell_at(canvas, x + 1, y);

    if (cell != NULL && cell->ch == 0 && left != NULL) {
        left->ch = ' ';
    }
    if (cell != NULL && right != NULL && right->ch == 0) {
        right->ch = ' ';
    }
}

int tui_cells(const struct tui_canvas *canvas, uint32_t ch)
{
    return canvas->ascii ? 1 : tui_char_cells(ch);
}

/* Looks a character up, unless it is the one before: most of a screen is the same a hundred times over. */
static void know(struct tui_canvas *canvas, uint32_t ch)
{
    if (ch == canvas->known && ch != 0 && canvas->ascii == canvas->known_ascii) {
        return;
    }
    canvas->known = ch;
    canvas->known_ascii = canvas->ascii;
    if (cow_glyph_of(ch) != COW_GLYPH_SEEN || !tui_char_is_drawn(ch)) {
        ch = TUI_REPLACEMENT;
    }
    canvas->known_cells = tui_cells(canvas, ch);
    canvas->known_form = canvas->ascii ? ascii_form(ch) : ch;
}

int tui_put(struct tui_canvas *canvas, int x, int y, uint32_t ch, enum tui_style style)
{
    struct tui_cell *cell = cell_at(canvas, x, y);

    know(canvas, ch);
    ch = canvas->known_form;
    int cells = canvas->known_cells;
    if (cell == NULL) {
        return cells;
    }
    unlink_wide(canvas, x, y);
    if (cells == 2) {
        struct tui_cell *half = cell_at(canvas, x + 1, y);
        if (half != NULL) {
            unlink_wide(canvas, x + 1, y);
            *half = (struct tui_cell){0, (uint8_t)style};
        } else {
            ch = TUI_REPLACEMENT; /* only half of it would be on the screen */
        }
    }
    *cell = (struct tui_cell){ch, (uint8_t)style};
    return cells;
}

int tui_text(struct tui_canvas *canvas, int x, int y, int max_cols, enum tui_style style, const char *text)
{
    int used = 0;

    for (uint32_t ch; (ch = tui_utf8_next(&text)) != 0;) {
        int cells = tui_cells(canvas, ch);
        if (used + cells > max_cols) {
            if (used > 0) {
                tui_put(canvas, x + used - 1, y, '~', style);
            }
            break;
        }
        used += tui_put(canvas, x + used, y, ch, style);
    }
    return used;
}

int tui_textf(struct tui_canvas *canvas, int x, int y, int max_cols, enum tui_style style, const char *format,
              ...)
{
    char text[1536];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tui_text(canvas, x, y, max_cols, style, text);
}

int tui_text_right(struct tui_canvas *canvas, int x_end, int y, int max_cols, enum tui_style style,
                   const char *text)
{
    int cells = 0;

    for (const char *p = text; *p != '\0';) {
        cells += tui_cells(canvas, tui_utf8_next(&p));
    }
    if (cells > max_cols) {
        cells = max_cols;
    }
    tui_text(canvas, x_end - cells, y, cells, style, text);
    return x_end - cells;
}

void tui_fill(struct tui_canvas *canvas, struct tui_rect rect, uint32_t ch, enum tui_style style)
{
    for (int y = rect.y; y < rect.y + rect.rows; y++) {
        for (int x = rect.x; x < rect.x + rect.cols; x++) {
            tui_put(canvas, x, y, ch, style);
        }
    }
}

void tui_restyle(struct tui_canvas *canvas, struct tui_rect rect, enum tui_style style)
{
    for (int y = rect.y; y < rect.y + rect.rows; y++) {
        for (int x = rect.x; x < rect.x + rect.cols; x++) {
            struct tui_cell *cell = cell_at(canvas, x, y);
            if (cell != NULL) {
                cell->style = (uint8_t)style;
            }
        }
    }
}

struct tui_rect tui_frame(struct tui_canvas *canvas, struct tui_rect rect, const char *title)
{
    int right = rect.x + rect.cols - 1, bottom = rect.y + rect.rows - 1;

    for (int x = rect.x + 1; x < right; x++) {
        tui_put(canvas, x, rect.y, 0x2500, TUI_FRAME);
        tui_put(canvas, x, bottom, 0x2500, TUI_FRAME);
    }
    for (int y = rect.y + 1; y < bottom; y++) {
        tui_put(canvas, rect.x, y, 0x2502, TUI_FRAME);
        tui_put(canvas, right, y, 0x2502, TUI_FRAME);
    }
    tui_put(canvas, rect.x, rect.y, 0x250c, TUI_FRAME);
    tui_put(canvas, right, rect.y, 0x2510, TUI_FRAME);
    tui_put(canvas, rect.x, bottom, 0x2514, TUI_FRAME);
    tui_put(canvas, right, bottom, 0x2518, TUI_FRAME);
    if (title[0] != '\0') {
        int used = tui_textf(canvas, rect.x + 2, rect.y, rect.cols - 4, TUI_FRAME_TITLE, " %s", title);
        tui_put(canvas, rect.x + 2 + used, rect.y, ' ', TUI_FRAME_TITLE);
    }
    return (struct tui_rect){rect.x + 1, rect.y + 1, rect.cols - 2, rect.rows - 2};
}

void tui_scrollbar(struct tui_canvas *canvas, int x, int y, int rows, uint64_t first, uint64_t shown,
                   uint64_t total)
{
    if (rows < 2 || total == 0 || shown >= total) {
        return;
    }
    double scale = (double)rows / (double)total;
    int length = (int)((double)shown * scale);
    if (length < 1) {
        length = 1;
    }
    int room = rows - length;
    int at = (int)((double)first / (double)(total - shown) * room + 0.5);
    if (at > room) {
        at = room;
    }
    for (int i = 0; i < length; i++) {
        tui_put(canvas, x, y + at + i, 0x2503, TUI_SCROLL);
    }
}

uint32_t tui_level(const struct tui_canvas *canvas, uint64_t value, uint64_t most)
{
    enum { LEVELS = 8 };
    static const char ascii[LEVELS + 1] = ".:-=+*%#";
    int level = value == 0 ? -1 : (int)((double)value * (LEVELS - 1) / (double)most + 0.5);

    if (level < 0) {
        return canvas->ascii ? '_' : 0x2581;
    }
    return canvas->ascii ? (unsigned char)ascii[level] : 0x2581U + (uint32_t)level;
}

size_t tui_canvas_row_text(const struct tui_canvas *canvas, int y, char *out, size_t out_bytes)
{
    size_t used = 0, end = 0;

    for (int x = 0; x < canvas->cols && used + TUI_UTF8_BYTES < out_bytes; x++) {
        const struct tui_cell *cell = cell_at(canvas, x, y);
        if (cell == NULL || cell->ch == 0) {
            continue;
        }
        used += tui_utf8_put(out + used, cell->ch);
        if (cell->ch != ' ') {
            end = used;
        }
    }
    out[end] = '\0';
    return end;
}

int tui_canvas_dump(const struct tui_canvas *canvas, FILE *out)
{
    size_t bytes = (size_t)canvas->cols * TUI_UTF8_BYTES + 1;
    char *line = malloc(bytes);

    if (line == NULL) {
        return COW_NO_MEMORY;
    }
    for (int y = 0; y < canvas->rows; y++) {
        tui_canvas_row_text(canvas, y, line, bytes);
        fprintf(out, "%s\n", line);
    }
    free(line);
    return ferror(out) != 0 ? COW_IO : 0;
}
