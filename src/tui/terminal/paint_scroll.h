/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lines that have only moved: the terminal moves them.
 */
#ifndef COW_TUI_TERMINAL_PAINT_SCROLL_H
#define COW_TUI_TERMINAL_PAINT_SCROLL_H

#include "tui/terminal/paint_out.h"

/* Moves lines of what is shown to where they are wanted, on the terminal and in paint->shown, where that
 * saves more than it costs; else nothing. Called when all that is wanted is known, before anything is sent
 * for it.
 */
void tui_paint_scroll(struct tui_paint *paint);

#endif
