/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names of keys: one table, read in both directions, so that Help and a script call a key alike.
 */
#include "tui/screen/keys.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tui/screen/utf8.h"

static const struct {
    const char *name;
    int key;
} names[] = {
    {"Tab", TUI_KEY_TAB},
    {"Enter", TUI_KEY_ENTER},
    {"Esc", TUI_KEY_ESC},
    {"Space", TUI_KEY_SPACE},
    {"Backspace", TUI_KEY_BACKSPACE},
    {"Up", TUI_KEY_UP},
    {"Down", TUI_KEY_DOWN},
    {"Left", TUI_KEY_LEFT},
    {"Right", TUI_KEY_RIGHT},
    {"Home", TUI_KEY_HOME},
    {"End", TUI_KEY_END},
    {"PgUp", TUI_KEY_PGUP},
    {"PgDn", TUI_KEY_PGDN},
    {"Insert", TUI_KEY_INSERT},
    {"Delete", TUI_KEY_DELETE},
    {"S-Tab", TUI_KEY_BACKTAB},
    {"F1", TUI_KEY_F1},
    {"F5", TUI_KEY_F5},
};

int tui_key_parse(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].key;
        }
    }
    if (name[0] == 'C' && name[1] == '-' && name[2] >= 'a' && name[2] <= 'z' && name[3] == '\0') {
        return TUI_CTRL(name[2]);
    }
    const char *rest = name;
    uint32_t ch = tui_utf8_next(&rest);
    return ch != 0 && *rest == '\0' ? (int)ch : TUI_KEY_NONE;
}

const char *tui_key_name(char buffer[TUI_KEY_NAME_BYTES], int key)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].key == key) {
            snprintf(buffer, TUI_KEY_NAME_BYTES, "%s", names[i].name);
            return buffer;
        }
    }
    if (key > 0 && key < 27) {
        snprintf(buffer, TUI_KEY_NAME_BYTES, "C-%c", 'a' + key - 1);
    } else {
        size_t n = tui_utf8_put(buffer, (uint32_t)key);
        buffer[n] = '\0';
    }
    return buffer;
}
