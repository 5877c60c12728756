/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Just enough UTF-8 for a grid of cells: code points in and out, and how many cells one takes, which is
 * libc's wcwidth() in C.UTF-8 in every locale.
 */
#ifndef COW_TUI_SCREEN_UTF8_H
#define COW_TUI_SCREEN_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TUI_UTF8_BYTES = 4, TUI_REPLACEMENT = '?' };

/* Reads one code point and moves *text behind it. A broken byte gives TUI_REPLACEMENT and is skipped. At the
 * end of the text: 0, and *text stays. */
uint32_t tui_utf8_next(const char **text);

/* Writes a code point; returns the number of bytes (1..4). No NUL is added. */
size_t tui_utf8_put(char out[TUI_UTF8_BYTES], uint32_t ch);

/* Whether a code point is drawn as it is: it is known and can be printed, and does not combine with the one
 * before it or draw nothing at all. In place of any other stands TUI_REPLACEMENT. */
bool tui_char_is_drawn(uint32_t ch);

/* Cells that a code point, or its replacement, takes: 1 or 2. */
int tui_char_cells(uint32_t ch);

/* Cells that a text takes. */
int tui_text_cells(const char *text);

#endif
