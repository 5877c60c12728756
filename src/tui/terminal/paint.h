/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From one canvas to the next, in as few bytes as a terminal of the ECMA-48 family takes: only what has
 * changed, by colour, and equal cells beside each other as one that is repeated. It makes the bytes and sends
 * none: term.c does, and the tests have a terminal of their own.
 */
#ifndef COW_TUI_TERMINAL_PAINT_H
#define COW_TUI_TERMINAL_PAINT_H

#include "tui/terminal/paint_out.h"

/* look, cursor, no_cursor and what the terminal has are filled, all else is 0. */
void tui_paint_begin(struct tui_paint *paint);
void tui_paint_end(struct tui_paint *paint);

/* Nobody knows any more what the terminal shows: the next frame is painted from a cleared screen. */
void tui_paint_forget(struct tui_paint *paint);

/* Makes out[0, used) what turns the last frame into this one; until the next call. Errors: COW_NO_MEMORY; the
 * next frame is painted from a cleared screen then. */
int tui_paint_frame(struct tui_paint *paint, const struct tui_canvas *canvas);

#endif
