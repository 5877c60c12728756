/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backend that is a script: keys come from a file by the same path as real ones, the screen is text. For
 * tests, for pictures, and for showing what a key does. A script is lines of
 *
 *   # a comment
 *   size COLSxROWS         the size of the screen; 80x24 before
 *   key NAME...            keys, as Help names them: r  Enter  Down  C-l
 *   type TEXT              the rest of the line, key by key
 *   paste TEXT             the rest of the line, as a terminal's paste
 *   mouse KIND COL ROW     press, drag, release, wheel-up or wheel-down there, counted from 1; the mouse has
 * to be on (--mouse, :set mouse) wait                   one turn of the clock during LINE            does
 * LINE (key, expect, dump-...) when the next long work looks in, not now expect TEXT            fails unless
 * a line of the screen holds TEXT reject TEXT            fails if one does dump-screen [FILE]     the screen
 * as text, to standard output without FILE dump-svg FILE          the screen as a picture
 *
 * At its end the program leaves.
 */
#ifndef COW_TUI_TERMINAL_SCRIPT_H
#define COW_TUI_TERMINAL_SCRIPT_H

#include "tui/screen/backend.h"

/* Opens a script. Errors: COW_IO. Errors in its lines come from next(): COW_USAGE with file and line. */
int tui_script_open(struct tui_backend **out, const char *path, const struct tui_theme *theme,
                    struct cow_error *err);

#endif
