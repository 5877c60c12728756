/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * UTF-8 for a grid of cells. The width table is coarse on purpose: a name in a path that it gets wrong is a
 * cosmetic matter, and the core has escaped everything that could harm a terminal.
 */
#include "tui/utf8.h"

#include <stdbool.h>

struct range {
    uint32_t first, last;
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};

static const struct range zero_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0x20d0, 0x20ff},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0000, 0xe0fff},
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t ch)
{
    for (size_t i = 0; i < n; i++) {
        if (ch >= ranges[i].first && ch <= ranges[i].last)
            return true;
    }
    return false;
}

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

    if (*p == '\0')
        return 0;
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
    if (ch < least[tail] || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff))
        return TUI_REPLACEMENT;
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

int tui_char_is_zero_width(uint32_t ch)
{
    return in_ranges(zero_width, sizeof zero_width / sizeof zero_width[0], ch);
}

int tui_char_cells(uint32_t ch)
{
    return in_ranges(wide, sizeof wide / sizeof wide[0], ch) ? 2 : 1;
}

int tui_text_cells(const char *text)
{
    int cells = 0;

    for (uint32_t ch; (ch = tui_utf8_next(&text)) != 0;)
        cells += tui_char_cells(ch);
    return cells;
}
