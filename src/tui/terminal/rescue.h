/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is left to do for the terminal when the program dies of a fault: it gets its settings back, and the
 * texts that leave the screen. Nothing else: the signal is raised again, and ends the program as it would
 * have without us.
 */
#ifndef COW_TUI_TERMINAL_RESCUE_H
#define COW_TUI_TERMINAL_RESCUE_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/* From now on a fatal signal restores the terminal on standard input and output: mode, then the text
 * (farewell_bytes of it, at most 256; more is left out). Signals that are ignored stay so. It works without a
 * stack, too. */
void tui_rescue_arm(const struct termios *mode, const char *farewell, size_t farewell_bytes);

/* Whether the terminal is ours just now: while it is not (a suspend), nothing is restored. */
void tui_rescue_on_screen(bool on);

/* Gives the signals and their stack back. */
void tui_rescue_disarm(void);

#endif
