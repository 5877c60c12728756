/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the styles of a theme look on this terminal.
 */
#ifndef COW_TUI_TERMINAL_COLORS_H
#define COW_TUI_TERMINAL_COLORS_H

#include <curses.h>
#include <stdbool.h>

#include "tui/screen/style.h"
#include "tui/terminal/paint.h"

struct tui_colors {
    attr_t attribute[TUI_STYLES];
    short pair[TUI_STYLES], fg[TUI_STYLES], bg[TUI_STYLES]; /* a colour of -1: the terminal's own */
};

/* With as many colours as there are. color: 0 as the terminal and NO_COLOR say, 1 never, 2 always. Curses has
 * begun; what it has for another theme is given up. */
void tui_colors_choose(struct tui_colors *out, const struct tui_theme *theme, int color);

/* The same as parameters of SGR. Returns false if the terminal's words are not made of those. */
bool tui_colors_spell(const struct tui_colors *colors, struct tui_paint_look look[TUI_STYLES]);

#endif
