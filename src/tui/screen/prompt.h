/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One line of typed text, edited by readline: the ':' line, and the wizard's fields. prompt.c is the one file
 * that knows readline. Readline is a singleton, so there is one prompt; whoever calls tui_prompt_begin() has
 * it until the line is accepted, cancelled or stopped.
 */
#ifndef COW_TUI_SCREEN_PROMPT_H
#define COW_TUI_SCREEN_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/error.h"
#include "tui/screen/canvas.h"

enum { TUI_PROMPT_BYTES = 4352 }; /* for a line: a path of the longest kind, and some words */

enum tui_prompt_state { TUI_PROMPT_EDITING, TUI_PROMPT_ACCEPTED, TUI_PROMPT_CANCELLED };

/* The index-th word that may be typed first, NULL behind the last. */
typedef const char *tui_prompt_words(size_t index);

/* The index-th word that may stand behind the first one, where the line has come to what is given; NULL
 * behind the last. */
typedef const char *tui_prompt_arguments(const char *line, size_t index);

/* Where in the line a file's name begins that is being typed. False: it wants none. */
typedef bool tui_prompt_file(const char *line, size_t *begin);

/* All of the line is one. */
bool tui_prompt_whole(const char *line, size_t *begin);

/* A path as a shell would read it: "~/x", "~user/x" with the home directory, all else as it is. The caller's
 * (free); NULL if out of memory. */
char *tui_prompt_expand(const char *path);

/* Sets readline up; call it before curses starts, because both look the terminal up. interactive: the user's
 * ~/.inputrc holds, and history is kept in $XDG_STATE_HOME/cowtui/history; else everything is reproducible.
 */
int tui_prompt_init(bool interactive, struct cow_error *err);

/* Saves the history (a failure to save is no error). */
void tui_prompt_end(void);

/* Starts a line. initial is there already. words complete the first word; NULL: no history. Where file says
 * that a file's name begins files are completed; NULL: none. */
void tui_prompt_begin(const char *initial, tui_prompt_words *words, tui_prompt_file *file);

/* What completes further words of the line that was started last: those that begin with a dash, and all where
 * no file does. */
void tui_prompt_offer(tui_prompt_arguments *arguments);

/* A key for the line. Esc and C-c cancel it. */
enum tui_prompt_state tui_prompt_key(int key);

/* Pasted text, in one line: it goes where the cursor is, and is no key. What does not fit is left out. */
void tui_prompt_paste(const char *text);

/* Replaces what is typed so far. */
void tui_prompt_set(const char *text);

/* Gives the keys up. */
void tui_prompt_stop(void);

/* The line so far, or as it was accepted. */
const char *tui_prompt_text(void);

/* What Tab offered at the last key, in one line; "" for nothing. */
const char *tui_prompt_candidates(void);

/* Draws label and line into cols cells, scrolled so that the cursor is visible, and puts the hardware cursor
 * there. */
void tui_prompt_draw(struct tui_canvas *canvas, int x, int y, int cols, enum tui_style style,
                     const char *label);

#endif
