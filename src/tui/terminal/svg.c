/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pictures of the screen. Text is one element a run of one style, stretched to its cells, so that columns
 * align in any font. Frames, shades and dots are drawn as shapes: fonts disagree about them.
 */
#include "tui/terminal/svg.h"

#include <stdbool.h>

#include "cow/error.h"
#include "tui/screen/utf8.h"

static const double cell_cols = 8.4, cell_rows = 18, margin = 14, bar = 26, font_size = 14;

enum shape { SHAPE_TEXT, SHAPE_BLANK, SHAPE_BLOCK, SHAPE_DOT, SHAPE_LINES };

/* Which arms a box character has. */
enum { ARM_LEFT = 1, ARM_RIGHT = 2, ARM_UP = 4, ARM_DOWN = 8 };

static const struct {
    uint32_t glyph;
    enum shape shape;
    double strength; /* how solid a block is, how thick a line */
    unsigned arms;
} shapes[] = {
    {' ', SHAPE_BLANK, 0, 0},
    {0x00b7, SHAPE_DOT, 1, 0},
    {0x2591, SHAPE_BLOCK, 0.38, 0},
    {0x2592, SHAPE_BLOCK, 0.58, 0},
    {0x2593, SHAPE_BLOCK, 0.8, 0},
    {0x2588, SHAPE_BLOCK, 1, 0},
    {0x2500, SHAPE_LINES, 1, ARM_LEFT | ARM_RIGHT},
    {0x2502, SHAPE_LINES, 1, ARM_UP | ARM_DOWN},
    {0x250c, SHAPE_LINES, 1, ARM_RIGHT | ARM_DOWN},
    {0x2510, SHAPE_LINES, 1, ARM_LEFT | ARM_DOWN},
    {0x2514, SHAPE_LINES, 1, ARM_RIGHT | ARM_UP},
    {0x2518, SHAPE_LINES, 1, ARM_LEFT | ARM_UP},
    {0x2503, SHAPE_LINES, 3, ARM_UP | ARM_DOWN},
};

static size_t shape_of(uint32_t ch)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (shapes[i].glyph == ch) {
            return i;
        }
    }
    return sizeof shapes / sizeof shapes[0];
}

static enum shape kind_of(uint32_t ch)
{
    size_t i = shape_of(ch);

    return i < sizeof shapes / sizeof shapes[0] ? shapes[i].shape : SHAPE_TEXT;
}

struct colors {
    unsigned fg, bg;
    bool bold, has_bg, underline;
};

static struct colors colors_of(const struct tui_theme *theme, uint8_t style)
{
    const struct tui_look *look = &theme->look[style];
    struct colors c = {look->fg256 < 0 ? theme->ink_rgb : tui_palette_rgb(look->fg256),
                       look->bg256 < 0 ? theme->paper_rgb : tui_palette_rgb(look->bg256),
                       look->attr256 & TUI_BOLD, false, look->attr256 & TUI_UNDERLINE};

    if ((look->attr256 & TUI_REVERSE) != 0) {
        unsigned swap = c.fg;
        c.fg = c.bg;
        c.bg = swap;
    }
    if ((look->attr256 & TUI_FAINT) != 0) {
        c.fg = (c.fg >> 1 & 0x7f7f7f) + (c.bg >> 1 & 0x7f7f7f);
    }
    c.has_bg = c.bg != theme->paper_rgb;
    return c;
}

static void put_escaped(FILE *out, uint32_t ch)
{
    char bytes[TUI_UTF8_BYTES];

    if (ch == '&') {
        fputs("&amp;", out);
    } else if (ch == '<') {
        fputs("&lt;", out);
    } else if (ch == '>') {
        fputs("&gt;", out);
    } else {
        fwrite(bytes, 1, tui_utf8_put(bytes, ch), out);
    }
}

static double left_of(int x)
{
    return margin + cell_cols * x;
}

static double top_of(int y)
{
    return bar + margin / 2 + cell_rows * y;
}

/* How many cells from x on can be drawn as one element. */
static int run_length(const struct tui_canvas *canvas, const struct tui_cell *row, int x)
{
    enum shape kind = kind_of(row[x].ch);
    int end = x + 1;

    while (end < canvas->cols && row[end].style == row[x].style) {
        if (kind == SHAPE_TEXT
                ? kind_of(row[end].ch) != SHAPE_TEXT &&
                      !(row[end].ch == ' ' && end + 1 < canvas->cols && row[end + 1].style == row[x].style &&
                        kind_of(row[end + 1].ch) == SHAPE_TEXT)
                : row[end].ch != row[x].ch || (kind == SHAPE_LINES && row[x].ch != 0x2500)) {
            break;
        }
        end++;
    }
    return end - x;
}

static void put_svg_text(FILE *out, const struct tui_cell *cell, int x, int y, int n, struct colors c)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" textLength=\"%.1f\" fill=\"#%06x\"%s%s>", left_of(x),
            top_of(y) + cell_rows * 0.74, cell_cols * n, c.fg, c.bold ? " font-weight=\"bold\"" : "",
            c.underline ? " text-decoration=\"underline\"" : "");
    for (int i = 0; i < n; i++) {
        if (cell[i].ch != 0) {
            put_escaped(out, cell[i].ch);
        }
    }
    fputs("</text>\n", out);
}

static void put_lines(FILE *out, int x, int y, int n, size_t shape, struct colors c)
{
    unsigned arms = shapes[shape].arms;
    double left = left_of(x), top = top_of(y), middle_x = left + cell_cols * n / 2,
           middle_y = top + cell_rows / 2;

    fprintf(out, "<path d=\"");
    if ((arms & (ARM_LEFT | ARM_RIGHT)) != 0) {
        fprintf(out, "M%.1f %.1fH%.1f", (arms & ARM_LEFT) != 0 ? left : middle_x, middle_y,
                (arms & ARM_RIGHT) != 0 ? left + cell_cols * n : middle_x);
    }
    if ((arms & (ARM_UP | ARM_DOWN)) != 0) {
        fprintf(out, "M%.1f %.1fV%.1f", middle_x, (arms & ARM_UP) != 0 ? top : middle_y,
                (arms & ARM_DOWN) != 0 ? top + cell_rows : middle_y);
    }
    fprintf(out, "\" stroke=\"#%06x\" stroke-width=\"%.1f\"/>\n", c.fg, shapes[shape].strength * 1.2);
}

static void put_run(FILE *out, const struct tui_cell *cell, int x, int y, int n, struct colors c)
{
    double left = left_of(x), top = top_of(y), width = cell_cols * n;
    size_t i = shape_of(cell->ch);

    switch (kind_of(cell->ch)) {
    case SHAPE_BLANK:
        break;
    case SHAPE_TEXT:
        put_svg_text(out, cell, x, y, n, c);
        break;
    case SHAPE_BLOCK:
        fprintf(
            out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"#%06x\" opacity=\"%.2f\"/>\n",
            left, top, width + 0.2, cell_rows + 0.2, c.fg, shapes[i].strength);
        break;
    case SHAPE_DOT:
        fprintf(out,
                "<path d=\"M%.1f %.1fh%.2f\" stroke=\"#%06x\" stroke-width=\"2.2\" stroke-linecap=\"round\" "
                "stroke-dasharray=\"0 %.1f\"/>\n",
                left + cell_cols / 2, top + cell_rows / 2, cell_cols * (n - 1) + 0.1, c.fg, cell_cols);
        break;
    case SHAPE_LINES:
        put_lines(out, x, y, n, i, c);
        break;
    }
}

static void put_svg_row(const struct tui_canvas *canvas, const struct tui_theme *theme, FILE *out, int y)
{
    const struct tui_cell *row = canvas->cell + (size_t)y * (size_t)canvas->cols;

    for (int x = 0, n; x < canvas->cols; x += n) {
        struct colors c = colors_of(theme, row[x].style);
        for (n = 1; x + n < canvas->cols && row[x + n].style == row[x].style;) {
            n++;
        }
        if (c.has_bg) {
            fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#%06x\"/>\n",
                    left_of(x), top_of(y), cell_cols * n, cell_rows, c.bg);
        }
    }
    for (int x = 0, n; x < canvas->cols; x += n) {
        n = run_length(canvas, row, x);
        put_run(out, row + x, x, y, n, colors_of(theme, row[x].style));
    }
}

int tui_svg_write(const struct tui_canvas *canvas, const struct tui_theme *theme, FILE *out)
{
    static const unsigned lights[] = {0xd98c4a, 0xc9b458, 0x5f87d7};
    double width = 2 * margin + cell_cols * canvas->cols;
    double height = bar + margin + cell_rows * canvas->rows;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.1f "
            "%.1f\">\n",
            width, height, width, height);
    fprintf(out,
            "<rect x=\"0.5\" y=\"0.5\" width=\"%.1f\" height=\"%.1f\" rx=\"10\" fill=\"#%06x\" "
            "stroke=\"#3a4452\"/>\n",
            width - 1, height - 1, theme->paper_rgb);
    for (int i = 0; i < 3; i++) {
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"#%06x\"/>\n", margin + 6 + 18 * i,
                bar / 2 + 2, lights[i]);
    }
    fprintf(out,
            "<g font-family=\"'DejaVu Sans Mono','JetBrains Mono','Cascadia Mono',Menlo,Consolas,'Liberation "
            "Mono',"
            "monospace\" font-size=\"%.0f\" xml:space=\"preserve\" style=\"white-space:pre\">\n",
            font_size);
    for (int y = 0; y < canvas->rows; y++) {
        put_svg_row(canvas, theme, out, y);
    }
    fputs("</g>\n</svg>\n", out);
    return ferror(out) != 0 ? COW_IO : 0;
}
