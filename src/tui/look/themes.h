/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Themes by their names: NAME.theme in the user's directory ($XDG_CONFIG_HOME/cowtui/themes, without that
 * variable ~/.config/cowtui/themes), then in ../share/cowtui/themes as seen from the program, then the one in
 * the program.
 */
#ifndef COW_TUI_LOOK_THEMES_H
#define COW_TUI_LOOK_THEMES_H

#include <stddef.h>

#include "cow/error.h"
#include "tui/screen/style.h"

enum { TUI_THEMES_MAX = 64 };

/* The names that there are, each once, in their order; what is more than TUI_THEMES_MAX is left out. */
struct tui_theme_list {
    char name[TUI_THEMES_MAX][TUI_THEME_NAME_BYTES];
    size_t n;
};

/* Reads the theme of that name; NULL: the default of the program, and no file is looked at. Errors: COW_USAGE
 * for a name that there is not (the hint names those that there are), and for what is wrong in its file, with
 * file and line; COW_IO where it cannot be read. *theme holds nothing of use then. */
int tui_theme_load(struct tui_theme *theme, const char *name, struct cow_error *err);

/* Looks into the directories anew. What cannot be read adds none; the program's own are there in any case. */
void tui_theme_list(struct tui_theme_list *list);

/* All names, for a message: "16, contrast, dark"; cut to what fits. Returns out. */
const char *tui_theme_names(char *out, size_t out_bytes);

#endif
