/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What can be changed of how the screen looks and is used, while it is there: one table, of which ":set" is
 * read, completed and told.
 */
#ifndef COW_TUI_LOOK_SETTINGS_H
#define COW_TUI_LOOK_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/error.h"
#include "tui/screen/backend.h"
#include "tui/screen/style.h"

enum tui_color_choice { TUI_COLOR_AUTO, TUI_COLOR_NEVER, TUI_COLOR_ALWAYS };

struct tui_settings {
    bool ascii, mouse;
    bool only_ascii; /* the terminal has no more */
    enum tui_color_choice color;
    struct tui_theme theme;
};

struct tui_setting {
    const char *name;
    const char *value; /* what it takes: "NAME"; NULL: it is on or off */
    const char *help;
};

/* The index-th one, NULL behind the last. */
const struct tui_setting *tui_setting_row(size_t index);

/* What it is set to, safe to show: "on", "light". Static, or the settings'. */
const char *tui_setting_value(const struct tui_settings *settings, size_t index);

/* Does what stands behind ":set": "mouse", "nomouse", "theme=light", "theme light". Errors: COW_USAGE, and
 * those of tui_theme_load(); nothing is changed then. */
int tui_setting_change(struct tui_settings *settings, const char *words, struct cow_error *err);

/* All of them in a line: "ascii off, color auto". Returns out. */
const char *tui_settings_text(const struct tui_settings *settings, char *out, size_t out_bytes);

/* Shows them from the next drawing on; the settings are borrowed until the next call. */
void tui_settings_apply(const struct tui_settings *settings, struct tui_backend *backend,
                        struct tui_canvas *canvas);

/* The index-th word that may stand behind ":set" as far as the line (behind ":set ") is typed: names, or
 * values of the one that is named already. NULL behind the last. Static, until the next call with index 0. */
const char *tui_setting_word(const char *line, size_t index);

#endif
