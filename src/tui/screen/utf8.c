/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * UTF-8 for a grid of cells. How wide a character is, libc says, because curses asks it, too: where the two
 * disagree, all that follows on a line is displaced. What libc does not know is not drawn at all, so a newer
 * Unicode's character cannot displace anything either.
 */
#include "tui/screen/utf8.h"

#include <locale.h>
#include <stdbool.h>
#include <wchar.h>

/* The number of continuation bytes that a first byte announces, or -1; *bits are the bits it carries. */
static int sequence_tail(unsigned char first, uint32_t *bits)
{
    if (first < 0x80) {
        *bits = first;
        return 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        *bits = first & 0x1fU;
        return 1;
    }
    if (first >= 0xe0 && first <= 0xef) {
        *bits = first & 0x0fU;
        return 2;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *bits = first & 0x07U;
        return 3;
    }
    return -1;
}

uint32_t tui_utf8_next(const char **text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)*text;
    uint32_t ch = 0;

    if (*p == '\0') {
        return 0;
    }
    int tail = sequence_tail(*p, &ch);
    if (tail < 0) {
        (*text)++;
        return TUI_REPLACEMENT;
    }
    for (int i = 1; i <= tail; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            (*text)++;
            return TUI_REPLACEMENT;
        }
        ch = ch << 6 | (p[i] & 0x3fU);
    }
    *text += tail + 1;
    if (ch < least[tail] || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff)) {
        return TUI_REPLACEMENT;
    }
    return ch;
}

size_t tui_utf8_put(char out[TUI_UTF8_BYTES], uint32_t ch)
{
    if (ch < 0x80) {
        out[0] = (char)ch;
        return 1;
    }
    if (ch < 0x800) {
        out[0] = (char)(0xc0 | ch >> 6);
        out[1] = (char)(0x80 | (ch & 0x3f));
        return 2;
    }
    if (ch < 0x10000) {
        out[0] = (char)(0xe0 | ch >> 12);
        out[1] = (char)(0x80 | (ch >> 6 & 0x3f));
        out[2] = (char)(0x80 | (ch & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | ch >> 18);
    out[1] = (char)(0x80 | (ch >> 12 & 0x3f));
    out[2] = (char)(0x80 | (ch >> 6 & 0x3f));
    out[3] = (char)(0x80 | (ch & 0x3f));
    return 4;
}

/* 0, 1 or 2 cells, or -1 for what cannot be printed, as in libc's table of all UTF-8 locales, whatever the
 * locale of the process: a screen is the same everywhere, and in tests. It is opened once and kept as long as
 * the process lives. On a system without C.UTF-8 the locale of the process has to do. */
static int libc_cells(uint32_t ch)
{
    static locale_t utf8;
    static bool tried;

    if (!tried) {
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    }
    tried = true;
    if (utf8 == NULL) {
        return wcwidth((wchar_t)ch);
    }
    locale_t before = uselocale(utf8);
    int cells = wcwidth((wchar_t)ch);
    uselocale(before);
    return cells;
}

static bool is_printable_ascii(uint32_t ch)
{
    return ch >= 0x20 && ch < 0x7f;
}

bool tui_char_is_drawn(uint32_t ch)
{
    return is_printable_ascii(ch) || libc_cells(ch) > 0;
}

int tui_char_cells(uint32_t ch)
{
    return !is_printable_ascii(ch) && libc_cells(ch) == 2 ? 2 : 1;
}

int tui_text_cells(const char *text)
{
    int cells = 0;

    for (uint32_t ch; (ch = tui_utf8_next(&text)) != 0;) {
        cells += tui_char_cells(ch);
    }
    return cells;
}
