/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Just enough UTF-8 for a grid of cells: code points in and out, and how many cells one takes. Our own table
 * instead of wcwidth(), so that a screen looks the same in every locale, and in tests.
 */
#ifndef COW_TUI_UTF8_H
#define COW_TUI_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { TUI_UTF8_BYTES = 4, TUI_REPLACEMENT = '?' };

/* Reads one code point and moves *text behind it. A broken byte gives TUI_REPLACEMENT and is skipped. At the
 * end of the text: 0, and *text stays. */
uint32_t tui_utf8_next(const char **text);

/* Writes a code point; returns the number of bytes (1..4). No NUL is added. */
size_t tui_utf8_put(char out[TUI_UTF8_BYTES], uint32_t ch);

/* Cells that a code point takes: 1 or 2. (What takes none is shown as a replacement that takes one.) */
int tui_char_cells(uint32_t ch);

/* Cells that a text takes. */
int tui_text_cells(const char *text);

/* Whether a code point combines with the one before it or draws nothing at all. */
int tui_char_is_zero_width(uint32_t ch);

#endif
