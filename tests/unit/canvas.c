/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The grid of cells: its size, what does not get into it, and how wide characters are: as libc has it, in
 * every locale.
 */
#include "tui/screen/canvas.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "support.h"
#include "tui/screen/utf8.h"

enum { CODE_POINTS = 0x110000, COLS = 12 };

static void use_utf8(void)
{
    ck_assert_msg(setlocale(LC_CTYPE, "C.UTF-8") != NULL, "there is no locale C.UTF-8");
}

/* Curses asks wcwidth() in the locale of the process, so its answer there is the one that counts. */
START_TEST(every_width_is_that_of_libc)
{
    static signed char width[CODE_POINTS];

    use_utf8();
    for (uint32_t ch = 0; ch < CODE_POINTS; ch++) {
        width[ch] = (signed char)wcwidth((wchar_t)ch);
    }
    static const char *const locales[] = {"C.UTF-8", "C"};
    for (size_t i = 0; i < 2; i++) {
        ck_assert(setlocale(LC_CTYPE, locales[i]) != NULL);
        for (uint32_t ch = 0; ch < CODE_POINTS; ch++) {
            must(tui_char_is_drawn(ch) == (width[ch] > 0) && tui_char_cells(ch) == (width[ch] == 2 ? 2 : 1),
                 "U+%04X: libc has %d, drawn %d, %d cells, in locale %s", ch, width[ch],
                 tui_char_is_drawn(ch), tui_char_cells(ch), locales[i]);
        }
    }
}
END_TEST

/* Some that no libc has otherwise, so that the test above cannot pass with a table of nothing. */
START_TEST(some_widths_are_known)
{
    static const struct {
        uint32_t ch;
        int cells; /* 0: not drawn */
    } known[] = {{'a', 1},    {0xe9, 1},   {0x2502, 1}, {0x2592, 1}, {0x25b8, 1},  {0x540d, 2},
                 {0xd55c, 2}, {0x231a, 2}, {0x2b50, 2}, {0x2705, 2}, {0x260e, 1},  {0x1f600, 2},
                 {0xff8a, 1}, {0x0301, 0}, {0xfe0f, 0}, {0x200b, 0}, {0x1161, 0},  {0, 0},
                 {0x1b, 0},   {0x7f, 0},   {0x9b, 0},   {0xd800, 0}, {0x10ffff, 0}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_msg(tui_char_is_drawn(known[i].ch) == (known[i].cells > 0), "U+%04X", known[i].ch);
        ck_assert_msg(tui_char_cells(known[i].ch) == (known[i].cells == 2 ? 2 : 1), "U+%04X", known[i].ch);
    }
}
END_TEST

/* Draws text in COLS cells, and a frame's bar behind it; answers the row. */
static const char *row(const char *text, bool ascii)
{
    static char line[COLS * 2 * TUI_UTF8_BYTES];
    struct tui_canvas canvas = {.ascii = ascii};

    ck_assert_int_eq(tui_canvas_resize(&canvas, COLS + 1, 1), 0);
    tui_put(&canvas, COLS, 0, 0x2502, TUI_FRAME);
    int used = tui_text(&canvas, 0, 0, COLS, TUI_NORMAL, text);
    ck_assert_int_le(used, COLS);
    tui_canvas_row_text(&canvas, 0, line, sizeof line);
    tui_canvas_free(&canvas);
    return line;
}

START_TEST(a_row_keeps_its_frame)
{
    ck_assert_str_eq(row("\u231a watch", false), "\u231a watch    \u2502");
    ck_assert_str_eq(row("\u231a watch", true), "? watch     |");
    ck_assert_str_eq(row("\u540d\u540d\u540d\u540d\u540d\u540d", false),
                     "\u540d\u540d\u540d\u540d\u540d\u540d\u2502");
    ck_assert_str_eq(row("a\u2b50\u2b50\u2b50\u2b50\u2b50\u2b50", false),
                     "a\u2b50\u2b50\u2b50\u2b50 ~ \u2502"); /* half of a star would be beyond the end */
    ck_assert_str_eq(row("e\u0301te\u0301", false), "e?te?       \u2502");
}
END_TEST

START_TEST(a_canvas_is_bounded)
{
    struct tui_canvas canvas = {0};
    must(tui_canvas_resize(&canvas, 10000, 2) == 0, "no memory");
    must(canvas.cols == TUI_SIDE_MAX && canvas.rows == 2, "%d x %d", canvas.cols, canvas.rows);
    must(tui_canvas_resize(&canvas, 2, 10000) == 0, "no memory");
    must(canvas.cols == 2 && canvas.rows == TUI_SIDE_MAX, "%d x %d", canvas.cols, canvas.rows);
    must(tui_canvas_resize(&canvas, -1, 0) == 0, "no memory");
    must(canvas.cols == 1 && canvas.rows == 1, "%d x %d", canvas.cols, canvas.rows);
    tui_canvas_free(&canvas);
}
END_TEST

START_TEST(what_is_not_seen_is_replaced)
{
    static const char text[] = "a\302\255b\343\205\244c\314\201d\340\246\201e\342\200\256f\302\233g\001h";
    struct tui_canvas canvas = {0};
    char row[128];
    must(tui_canvas_resize(&canvas, 30, 1) == 0, "no memory");
    tui_text(&canvas, 0, 0, 30, TUI_NORMAL, text);
    tui_canvas_row_text(&canvas, 0, row, sizeof row);
    ck_assert_str_eq(row, "a?b?c?d?e?f?g?h");
    canvas.ascii = true;
    tui_text(&canvas, 0, 0, 30, TUI_NORMAL, "\303\244\342\226\240\342\226\210");
    tui_canvas_row_text(&canvas, 0, row, sizeof row);
    ck_assert(strncmp(row, "?X#", 3) == 0);
    tui_canvas_free(&canvas);
}
END_TEST

Suite *canvas_suite(void)
{
    Suite *suite = suite_create("canvas");
    TCase *tc = tcase_create("widths");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_width_is_that_of_libc);
    tcase_add_test(tc, some_widths_are_known);
    tcase_add_test(tc, a_row_keeps_its_frame);
    tcase_add_test(tc, a_canvas_is_bounded);
    tcase_add_test(tc, what_is_not_seen_is_replaced);
    suite_add_tcase(suite, tc);
    return suite;
}
