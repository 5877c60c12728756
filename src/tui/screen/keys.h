/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our own key codes, so that nobody but term.c knows curses' and a script can name every key. A character is
 * its code point; control characters are their ASCII codes; the rest begins above Unicode.
 */
#ifndef COW_TUI_SCREEN_KEYS_H
#define COW_TUI_SCREEN_KEYS_H

#include <stddef.h>

enum tui_key {
    TUI_KEY_NONE = 0,
    TUI_KEY_TAB = 9,
    TUI_KEY_ENTER = 13,
    TUI_KEY_ESC = 27,
    TUI_KEY_SPACE = 32,
    TUI_KEY_BACKSPACE = 127,
    TUI_KEY_UP = 0x200000,
    TUI_KEY_DOWN,
    TUI_KEY_LEFT,
    TUI_KEY_RIGHT,
    TUI_KEY_HOME,
    TUI_KEY_END,
    TUI_KEY_PGUP,
    TUI_KEY_PGDN,
    TUI_KEY_INSERT,
    TUI_KEY_DELETE,
    TUI_KEY_BACKTAB,
    TUI_KEY_F1,
    TUI_KEY_F5,
};

#define TUI_CTRL(letter) ((letter)&0x1f)

enum { TUI_KEY_NAME_BYTES = 16 };

/* The key of a name: "r", "Enter", "Down", "C-l", "F5". TUI_KEY_NONE if there is none. */
int tui_key_parse(const char *name);

/* The name of a key, as scripts and help write it. Returns buffer. */
const char *tui_key_name(char buffer[TUI_KEY_NAME_BYTES], int key);

#endif
