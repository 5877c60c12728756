/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From one canvas to the next: a terminal of our own reads what is sent, and must show the canvas; and what
 * is sent for the usual steps has a size.
 */
#include "tui/terminal/paint.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tui/screen/utf8.h"

enum { COLS = 40, ROWS = 12, PARTS = 3, PARAMETERS = 16, FRAMES = 300 };

struct shown_cell {
    uint32_t ch; /* 0: the second half of a wide character */
    int attributes, fg, bg;
};

/* A terminal that knows what paint.c may say, and nothing else. */
struct terminal {
    int cols, rows, x, y;
    bool wraps; /* the cursor stands behind the last column */
    struct shown_cell cell[ROWS][COLS], pen;
    uint32_t last;
};

static void begin_paint(struct tui_paint *paint, bool repeats)
{
    memset(paint, 0, sizeof *paint);
    paint->repeats = repeats;
    paint->cursor = "\033[?25h";
    paint->no_cursor = "\033[?25l";
    strcpy(paint->look[TUI_DIM].fg, "38;5;245");
    strcpy(paint->look[TUI_STRONG].attributes, "1");
    strcpy(paint->look[TUI_BAR].bg, "44");
    strcpy(paint->look[TUI_BAR].fg, "37");
    strcpy(paint->look[TUI_WARN].attributes, "4");
    strcpy(paint->look[TUI_MAP_LOW].fg, "33");
    strcpy(paint->look[TUI_MAP_CURSOR].attributes, "7");
    tui_paint_begin(paint);
}

static void blank(struct terminal *terminal, int x, int y)
{
    terminal->cell[y][x] = terminal->pen;
    terminal->cell[y][x].ch = ' ';
}

/* Who writes over one half of a wide character loses the other. */
static void unlink_halves(struct terminal *terminal, int x, int y)
{
    if (terminal->cell[y][x].ch == 0 && x > 0)
        blank(terminal, x - 1, y);
    if (x + 1 < terminal->cols && terminal->cell[y][x + 1].ch == 0)
        blank(terminal, x + 1, y);
}

static void write_character(struct terminal *terminal, uint32_t ch)
{
    int cells = tui_char_cells(ch);

    must(!terminal->wraps, "written behind the last column");
    must(terminal->x + cells <= terminal->cols, "a character hangs over the edge");
    for (int i = 0; i < cells; i++)
        unlink_halves(terminal, terminal->x + i, terminal->y);
    for (int i = 0; i < cells; i++) {
        struct shown_cell *cell = &terminal->cell[terminal->y][terminal->x + i];
        *cell = terminal->pen;
        cell->ch = i == 0 ? ch : 0;
    }
    terminal->last = ch;
    terminal->x += cells;
    terminal->wraps = terminal->x == terminal->cols;
}

static void set_pen(struct shown_cell *pen, const int *parameter, int n)
{
    for (int i = 0; i < n; i++) {
        int *color = parameter[i] == 38 ? &pen->fg : parameter[i] == 48 ? &pen->bg : NULL;
        if (parameter[i] == 0)
            *pen = (struct shown_cell){' ', 0, -1, -1};
        else if (parameter[i] < 10)
            pen->attributes |= 1 << parameter[i];
        else if (color && i + 2 < n)
            *color = parameter[i += 2];
        else
            *(parameter[i] < 40 ? &pen->fg : &pen->bg) = parameter[i] % 10;
    }
}

static void obey(struct terminal *terminal, char final, const int *parameter, int n)
{
    int first = n > 0 && parameter[0] > 0 ? parameter[0] : 1;

    if (final == 'm') {
        set_pen(&terminal->pen, parameter, n > 0 ? n : 1);
    } else if (final == 'H') {
        terminal->y = first - 1;
        terminal->x = n > 1 ? parameter[1] - 1 : 0;
        terminal->wraps = false;
    } else if (final == 'C') {
        must(!terminal->wraps, "moved from behind the last column");
        terminal->x += first;
    } else if (final == 'b') {
        for (int i = 0; i < first; i++)
            write_character(terminal, terminal->last);
    } else if (final == 'K') {
        for (int x = terminal->x; x < terminal->cols; x++)
            blank(terminal, x, terminal->y);
    } else if (final == 'J') {
        for (int y = 0; y < terminal->rows; y++) {
            for (int x = 0; x < terminal->cols; x++)
                blank(terminal, x, y);
        }
    } else {
        must(final == 'h' || final == 'l', "an unknown sequence: %c", final);
    }
}

static void read_sent(struct terminal *terminal, const struct tui_paint *paint)
{
    char *text = strndup(paint->out, paint->used);

    for (const char *at = text; *at;) {
        int parameter[PARAMETERS] = {0}, n = 0;
        if (*at == '\b') {
            must(terminal->x > 0 && !terminal->wraps, "a step back from nowhere");
            terminal->x--;
            at++;
            continue;
        }
        if (*at != '\033') {
            write_character(terminal, tui_utf8_next(&at));
            continue;
        }
        must(at[1] == '[', "no sequence");
        at += at[2] == '?' ? 3 : 2;
        for (; (*at >= '0' && *at <= '9') || *at == ';'; at++) {
            n = n == 0 ? 1 : n;
            if (*at == ';')
                n++;
            else
                parameter[n - 1] = parameter[n - 1] * 10 + *at - '0';
        }
        obey(terminal, *at++, parameter, n);
    }
    free(text);
}

static struct shown_cell pen_of(const struct tui_paint *paint, int style)
{
    const struct tui_paint_look *look = &paint->look[style];
    const char *const parts[PARTS] = {look->attributes, look->fg, look->bg};
    struct shown_cell pen = {' ', 0, -1, -1};

    for (int i = 0; i < PARTS; i++) {
        int parameter[PARAMETERS], n = 0;
        char *end = (char *)(uintptr_t)parts[i];
        while (*end) {
            parameter[n++] = (int)strtol(end, &end, 10);
            end += *end == ';';
        }
        set_pen(&pen, parameter, n);
    }
    return pen;
}

static void must_show(const struct terminal *terminal, const struct tui_paint *paint,
                      const struct tui_canvas *canvas, int frame)
{
    for (int i = 0; i < canvas->cols * canvas->rows; i++) {
        const struct tui_cell *want = &canvas->cell[i];
        const struct shown_cell *cell = &terminal->cell[i / canvas->cols][i % canvas->cols];
        struct shown_cell pen = pen_of(paint, want->style);
        bool seen =
            want->ch != ' ' || pen.bg >= 0 || pen.attributes > 2 || cell->bg >= 0 || cell->attributes > 2;
        must(cell->ch == want->ch, "frame %d, %d,%d: U+%04X, not U+%04X", frame, i % canvas->cols,
             i / canvas->cols, cell->ch, want->ch);
        must(!seen || (cell->fg == pen.fg && cell->bg == pen.bg && cell->attributes == pen.attributes),
             "frame %d, %d,%d: looks otherwise than style %d", frame, i % canvas->cols, i / canvas->cols,
             want->style);
    }
}

/* Cells of a map, text, wide characters, blanks in colours; little or much of it. */
static void change_canvas(struct tui_canvas *canvas, struct rng *rng)
{
    static const uint32_t glyphs[] = {0xb7, 0x2591, 0x2591, 0x2588, ' ', 'a', 0x540d, 0x2b50};
    static const enum tui_style styles[] = {TUI_NORMAL, TUI_DIM, TUI_BAR, TUI_MAP_LOW, TUI_STRONG, TUI_WARN};
    uint64_t n = rng_below(rng, 2) ? rng_below(rng, 6) : rng_below(rng, 120);

    if (rng_below(rng, 8) == 0)
        tui_canvas_clear(canvas);
    for (uint64_t i = 0; i < n; i++) {
        int x = (int)rng_below(rng, COLS), y = (int)rng_below(rng, ROWS);
        enum tui_style style = styles[rng_below(rng, sizeof styles / sizeof styles[0])];
        uint32_t ch = glyphs[rng_below(rng, sizeof glyphs / sizeof glyphs[0])];
        uint64_t length = rng_below(rng, 3) ? 1 : rng_below(rng, COLS);
        if (rng_below(rng, 10) == 0)
            tui_text(canvas, x, y, COLS - x, style, "some text, as there is");
        for (uint64_t j = 0; j < length; j++)
            tui_put(canvas, x + (int)j * tui_char_cells(ch), y, ch, style);
    }
    canvas->cursor_x = (int)rng_below(rng, COLS + 1) - 1;
    canvas->cursor_y = (int)rng_below(rng, ROWS);
}

START_TEST(a_terminal_shows_each_frame)
{
    struct rng rng = {(uint64_t)_i + 1};
    struct tui_canvas canvas = {0};
    struct tui_paint paint;
    static struct terminal terminal;

    ck_assert(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    begin_paint(&paint, _i % 2 == 0);
    must(tui_canvas_resize(&canvas, COLS, ROWS) == 0, "no memory");
    terminal = (struct terminal){.cols = COLS, .rows = ROWS};
    for (int frame = 0; frame < FRAMES; frame++) {
        change_canvas(&canvas, &rng);
        if (rng_below(&rng, 20) == 0)
            tui_paint_forget(&paint);
        must(tui_paint_frame(&paint, &canvas) == 0, "no memory");
        read_sent(&terminal, &paint);
        must_show(&terminal, &paint, &canvas, frame);
        if (canvas.cursor_x >= 0)
            must(terminal.x == canvas.cursor_x && terminal.y == canvas.cursor_y, "the cursor is elsewhere");
    }
    tui_paint_end(&paint);
    tui_canvas_free(&canvas);
}
END_TEST

static size_t sent_for(struct tui_paint *paint, const struct tui_canvas *canvas)
{
    must(tui_paint_frame(paint, canvas) == 0, "no memory");
    return paint->used;
}

/* Of a map at 200x60: two colours that alternate, and a cursor that moves by a cell. */
START_TEST(a_map_is_few_bytes)
{
    enum { WIDE = 200, HIGH = 60 };
    struct tui_canvas canvas = {0};
    struct tui_paint paint;
    struct tui_rect all = {0, 0, WIDE, HIGH};

    begin_paint(&paint, true);
    must(tui_canvas_resize(&canvas, WIDE, HIGH) == 0, "no memory");
    ck_assert_uint_le(sent_for(&paint, &canvas), 32);
    ck_assert_uint_eq(sent_for(&paint, &canvas), 0);
    tui_fill(&canvas, all, 0xb7, TUI_DIM);
    ck_assert_uint_le(sent_for(&paint, &canvas), HIGH * 16);
    for (int i = 0; i < WIDE * HIGH; i += 10)
        tui_put(&canvas, i % WIDE, i / WIDE, 0x2591, TUI_MAP_LOW);
    ck_assert_uint_le(sent_for(&paint, &canvas), WIDE * HIGH / 10 * 9);
    tui_fill(&canvas, all, 0x2588, TUI_DIM);
    for (int i = 0; i < WIDE * HIGH; i += 10)
        tui_put(&canvas, i % WIDE, i / WIDE, 0xb7, TUI_MAP_LOW);
    ck_assert_uint_le(sent_for(&paint, &canvas), WIDE * HIGH / 10 * 9 + HIGH * 16);
    tui_restyle(&canvas, (struct tui_rect){5, 5, 1, 1}, TUI_MAP_CURSOR);
    ck_assert_uint_le(sent_for(&paint, &canvas), 24);
    tui_paint_end(&paint);
    tui_canvas_free(&canvas);
}
END_TEST

Suite *paint_suite(void)
{
    Suite *suite = suite_create("paint");
    TCase *tc = tcase_create("frames");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_terminal_shows_each_frame, 0, 20);
    tcase_add_test(tc, a_map_is_few_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}
