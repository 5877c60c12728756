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
    int top, bottom; /* lines that scroll, both in it */
    bool wraps;      /* the cursor stands behind the last column */
    struct shown_cell cell[ROWS][COLS], pen;
    uint32_t last;
};

/* What a terminal has, a bit each. */
enum { HAS_REPEATS = 1, HAS_SCROLLS = 2, HAS_COLUMN = 4, HAS_OWN_COLORS = 8, HAS_ALL = 15 };

static void begin_paint(struct tui_paint *paint, unsigned has)
{
    memset(paint, 0, sizeof *paint);
    paint->repeats = has & HAS_REPEATS;
    paint->scrolls = has & HAS_SCROLLS;
    paint->has_column = has & HAS_COLUMN;
    paint->has_own_colors = has & HAS_OWN_COLORS;
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
    if (terminal->cell[y][x].ch == 0 && x > 0) {
        blank(terminal, x - 1, y);
    }
    if (x + 1 < terminal->cols && terminal->cell[y][x + 1].ch == 0) {
        blank(terminal, x + 1, y);
    }
}

static void write_character(struct terminal *terminal, uint32_t ch)
{
    int cells = tui_char_cells(ch);

    must(!terminal->wraps, "written behind the last column");
    must(terminal->x + cells <= terminal->cols, "a character hangs over the edge");
    for (int i = 0; i < cells; i++) {
        unlink_halves(terminal, terminal->x + i, terminal->y);
    }
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
        if (parameter[i] == 0) {
            *pen = (struct shown_cell){' ', 0, -1, -1};
        } else if (parameter[i] == 39 || parameter[i] == 49) {
            *(parameter[i] == 39 ? &pen->fg : &pen->bg) = -1;
        } else if (parameter[i] < 10) {
            pen->attributes |= 1 << parameter[i];
        } else if (color != NULL && i + 2 < n) {
            *color = parameter[i += 2];
        } else {
            *(parameter[i] < 40 ? &pen->fg : &pen->bg) = parameter[i] % 10;
        }
    }
}

/* At an edge of the region, by a line; blanks come in, with the background that is on. */
static void scroll_line(struct terminal *terminal, bool up)
{
    int from = up ? terminal->top + 1 : terminal->top, to = up ? terminal->top : terminal->top + 1,
        edge = up ? terminal->bottom : terminal->top;

    must(terminal->y == edge, "scrolled from line %d, the edge is %d", terminal->y, edge);
    memmove(terminal->cell[to], terminal->cell[from],
            (size_t)(terminal->bottom - terminal->top) * sizeof terminal->cell[0]);
    for (int x = 0; x < terminal->cols; x++) {
        blank(terminal, x, edge);
    }
}

static void set_region(struct terminal *terminal, const int *parameter, int n)
{
    terminal->top = n > 1 ? parameter[0] - 1 : 0;
    terminal->bottom = n > 1 ? parameter[1] - 1 : terminal->rows - 1;
    must(terminal->top >= 0 && terminal->top < terminal->bottom && terminal->bottom < terminal->rows,
         "no region: %d to %d", terminal->top, terminal->bottom);
    terminal->x = terminal->y = 0;
    terminal->wraps = false;
}

/* From a known place to one on the screen. */
static void step(struct terminal *terminal, int dx, int dy)
{
    must(!terminal->wraps, "moved from behind the last column");
    terminal->x += dx;
    terminal->y += dy;
    must(terminal->x >= 0 && terminal->x < terminal->cols && terminal->y >= 0 && terminal->y < terminal->rows,
         "moved off the screen");
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
    } else if (final == 'C' || final == 'D') {
        step(terminal, final == 'C' ? first : -first, 0);
    } else if (final == 'A' || final == 'B') {
        step(terminal, 0, final == 'B' ? first : -first);
    } else if (final == 'G') {
        step(terminal, first - 1 - terminal->x, 0);
    } else if (final == 'r') {
        set_region(terminal, parameter, n);
    } else if (final == 'b') {
        for (int i = 0; i < first; i++) {
            write_character(terminal, terminal->last);
        }
    } else if (final == 'K') {
        for (int x = terminal->x; x < terminal->cols; x++) {
            blank(terminal, x, terminal->y);
        }
    } else if (final == 'J') {
        for (int y = 0; y < terminal->rows; y++) {
            for (int x = 0; x < terminal->cols; x++) {
                blank(terminal, x, y);
            }
        }
    } else {
        must(final == 'h' || final == 'l', "an unknown sequence: %c", final);
    }
}

static void read_sent(struct terminal *terminal, const struct tui_paint *paint)
{
    char *text = strndup(paint->out, paint->used);

    for (const char *at = text; *at != '\0';) {
        int parameter[PARAMETERS] = {0}, n = 0;
        if (*at == '\b') {
            must(terminal->x > 0 && !terminal->wraps, "a step back from nowhere");
            terminal->x--;
            at++;
            continue;
        }
        if (*at == '\n' || (at[0] == '\033' && at[1] == 'M')) {
            scroll_line(terminal, *at == '\n');
            at += *at == '\n' ? 1 : 2;
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
            if (*at == ';') {
                n++;
            } else {
                parameter[n - 1] = parameter[n - 1] * 10 + *at - '0';
            }
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
        while (*end != '\0') {
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

/* Some lines move, and what stands in the lines that come in is new or what was there. */
static void scroll_canvas(struct tui_canvas *canvas, struct rng *rng)
{
    int first = (int)rng_below(rng, ROWS - 1), lines = 2 + (int)rng_below(rng, (uint64_t)(ROWS - first - 1));
    int by = 1 + (int)rng_below(rng, (uint64_t)lines - 1);
    struct tui_cell *at = canvas->cell + first * COLS;

    if (rng_below(rng, 2) != 0) {
        memmove(at, at + by * COLS, (size_t)((lines - by) * COLS) * sizeof *at);
    } else {
        memmove(at + by * COLS, at, (size_t)((lines - by) * COLS) * sizeof *at);
    }
}

/* Cells of a map, text, wide characters, blanks in colours; little or much of it. */
static void change_canvas(struct tui_canvas *canvas, struct rng *rng)
{
    static const uint32_t glyphs[] = {0xb7, 0x2591, 0x2591, 0x2588, ' ', 'a', 0x540d, 0x2b50};
    static const enum tui_style styles[] = {TUI_NORMAL, TUI_DIM, TUI_BAR, TUI_MAP_LOW, TUI_STRONG, TUI_WARN};
    uint64_t n = rng_below(rng, 2) != 0 ? rng_below(rng, 6) : rng_below(rng, 120);

    if (rng_below(rng, 8) == 0) {
        tui_canvas_clear(canvas);
    }
    if (rng_below(rng, 4) == 0) {
        scroll_canvas(canvas, rng);
    }
    for (uint64_t i = 0; i < n; i++) {
        int x = (int)rng_below(rng, COLS), y = (int)rng_below(rng, ROWS);
        enum tui_style style = styles[rng_below(rng, sizeof styles / sizeof styles[0])];
        uint32_t ch = glyphs[rng_below(rng, sizeof glyphs / sizeof glyphs[0])];
        uint64_t length = rng_below(rng, 3) != 0 ? 1 : rng_below(rng, COLS);
        if (rng_below(rng, 10) == 0) {
            tui_text(canvas, x, y, COLS - x, style, "some text, as there is");
        }
        for (uint64_t j = 0; j < length; j++) {
            tui_put(canvas, x + (int)j * tui_char_cells(ch), y, ch, style);
        }
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
    begin_paint(&paint, (unsigned)_i % (HAS_ALL + 1));
    must(tui_canvas_resize(&canvas, COLS, ROWS) == 0, "no memory");
    terminal = (struct terminal){.cols = COLS, .rows = ROWS, .bottom = ROWS - 1};
    for (int frame = 0; frame < FRAMES; frame++) {
        change_canvas(&canvas, &rng);
        if (rng_below(&rng, 20) == 0) {
            tui_paint_forget(&paint);
        }
        must(tui_paint_frame(&paint, &canvas) == 0, "no memory");
        read_sent(&terminal, &paint);
        must_show(&terminal, &paint, &canvas, frame);
        if (canvas.cursor_x >= 0) {
            must(terminal.x == canvas.cursor_x && terminal.y == canvas.cursor_y, "the cursor is elsewhere");
        }
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

    begin_paint(&paint, HAS_ALL);
    must(tui_canvas_resize(&canvas, WIDE, HIGH) == 0, "no memory");
    ck_assert_uint_le(sent_for(&paint, &canvas), 32);
    ck_assert_uint_eq(sent_for(&paint, &canvas), 0);
    tui_fill(&canvas, all, 0xb7, TUI_DIM);
    ck_assert_uint_le(sent_for(&paint, &canvas), HIGH * 16);
    for (int i = 0; i < WIDE * HIGH; i += 10) {
        tui_put(&canvas, i % WIDE, i / WIDE, 0x2591, TUI_MAP_LOW);
    }
    ck_assert_uint_le(sent_for(&paint, &canvas), WIDE * HIGH / 10 * 9);
    tui_fill(&canvas, all, 0x2588, TUI_DIM);
    for (int i = 0; i < WIDE * HIGH; i += 10) {
        tui_put(&canvas, i % WIDE, i / WIDE, 0xb7, TUI_MAP_LOW);
    }
    ck_assert_uint_le(sent_for(&paint, &canvas), WIDE * HIGH / 10 * 9 + HIGH * 16);
    tui_restyle(&canvas, (struct tui_rect){5, 5, 1, 1}, TUI_MAP_CURSOR);
    ck_assert_uint_le(sent_for(&paint, &canvas), 24);
    tui_paint_end(&paint);
    tui_canvas_free(&canvas);
}
END_TEST

/* Two shades by chance, another chance each time: one is repeated right through the other. */
START_TEST(cells_by_chance_are_few_bytes)
{
    enum { WIDE = 200, HIGH = 60, TIMES = 5, OF_TEN = 2 };
    struct tui_canvas canvas = {0};
    struct tui_paint paint;
    struct rng rng = {7};

    begin_paint(&paint, HAS_ALL);
    must(tui_canvas_resize(&canvas, WIDE, HIGH) == 0, "no memory");
    sent_for(&paint, &canvas);
    for (int time = 0; time < TIMES; time++) {
        int high = 0;
        for (int i = 0; i < WIDE * HIGH; i++) {
            bool is_high = rng_below(&rng, 10) < OF_TEN;
            tui_put(&canvas, i % WIDE, i / WIDE, is_high ? 0x2592 : 0x2591, is_high ? TUI_MAP_LOW : TUI_DIM);
            high += is_high;
        }
        ck_assert_uint_le(sent_for(&paint, &canvas), (size_t)high * 7 + HIGH * 20);
    }
    tui_paint_end(&paint);
    tui_canvas_free(&canvas);
}
END_TEST

static void draw_list(struct tui_canvas *canvas, int first)
{
    for (int y = 5; y < 55; y++) {
        tui_textf(canvas, 2, y, 150, TUI_NORMAL, "line %06d, of %07d bytes, and some more words in %d",
                  first + y, (first + y) * 7919, first + y);
    }
}

START_TEST(a_list_scrolls_by_a_line)
{
    enum { WIDE = 200, HIGH = 60 };
    struct tui_canvas canvas = {0};
    struct tui_paint paint;

    for (unsigned has = 0; has <= HAS_SCROLLS; has += HAS_SCROLLS) {
        begin_paint(&paint, has);
        must(tui_canvas_resize(&canvas, WIDE, HIGH) == 0, "no memory");
        draw_list(&canvas, 100);
        sent_for(&paint, &canvas);
        draw_list(&canvas, 101);
        ck_assert((sent_for(&paint, &canvas) <= 120) == (has > 0));
        draw_list(&canvas, 98);
        ck_assert((sent_for(&paint, &canvas) <= 300) == (has > 0));
        tui_paint_end(&paint);
    }
    tui_canvas_free(&canvas);
}
END_TEST

Suite *paint_suite(void)
{
    Suite *suite = suite_create("paint");
    TCase *tc = tcase_create("frames");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_terminal_shows_each_frame, 0, 64);
    tcase_add_test(tc, cells_by_chance_are_few_bytes);
    tcase_add_test(tc, a_list_scrolls_by_a_line);
    tcase_add_test(tc, a_map_is_few_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}
