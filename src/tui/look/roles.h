/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The words of theme files: roles, each the name of a style, and colours.
 */
#ifndef COW_TUI_LOOK_ROLES_H
#define COW_TUI_LOOK_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/screen/style.h"

enum { TUI_COLOR_NAMES = 16 };

/* The name of a style (enum tui_style): "map-changed". Static. */
const char *tui_role_name(int style);

/* The style of a name of so many bytes; -1 if there is none. */
int tui_role_find(const char *word, size_t word_bytes);

/* The name of one of the sixteen colours. Static. */
const char *tui_color_name(int color);

/* The number of a colour that a word of so many bytes names: one of the sixteen, or a number up to 255; -1
 * for "default". False: it names none. */
bool tui_color_find(short *color, const char *word, size_t word_bytes);

/* The one of the sixteen that is most like a colour of the 256; a colour of the sixteen, or -1, stays. */
short tui_color_near(short color);

#endif
