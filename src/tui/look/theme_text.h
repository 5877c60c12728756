/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A theme from the text of its file. A line says how a role looks:
 *
 *   ROLE = LOOK | LOOK | LOOK      with 256 colours, with 16 or 8, without any
 *
 * A look is any of bold, dim, reverse and underline, then a colour, and "on" another one behind it. "default"
 * is the colour that the role normal has there. Without the second look the first one is shown with the
 * colours that there are; without the third it is that of the theme that this one begins as: default, or
 * what a first line "base = NAME" says, of those in the program. "about = TEXT" tells of it, "paper" and
 * "ink" (#rrggbb) are the terminal's own colours in a picture. '#' begins a comment.
 */
#ifndef COW_TUI_LOOK_THEME_TEXT_H
#define COW_TUI_LOOK_THEME_TEXT_H

#include <stdbool.h>

#include "cow/error.h"
#include "tui/screen/style.h"

enum { TUI_THEME_BYTES = 65536, TUI_THEME_LINE_BYTES = 512 };

/* Fills *theme but for its name. where is what messages call the file, safe to show. Errors: COW_USAGE with
 * file, line and what is allowed there; *theme holds nothing of use then. */
int tui_theme_read(struct tui_theme *theme, const char *where, const char *text, struct cow_error *err);

/* Whether a theme can have that name: letters, digits, '-', '_', and a '.' that is not the first. */
bool tui_theme_name_fits(const char *name);

#endif
