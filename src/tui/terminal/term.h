/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backend that is a terminal. term.c is the one file that knows curses.
 */
#ifndef COW_TUI_TERMINAL_TERM_H
#define COW_TUI_TERMINAL_TERM_H

#include "tui/screen/backend.h"

/* Takes over the terminal on standard input and output. color: 0 auto (NO_COLOR and what the terminal can
 * do), 1 never, 2 always. Errors: COW_USAGE if there is no terminal, its type is unknown, or it cannot place
 * a cursor; the terminal is untouched then. */
int tui_term_open(struct tui_backend **out, const struct tui_theme *theme, int color, struct cow_error *err);

#endif
