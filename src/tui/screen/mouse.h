/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a terminal tells of its mouse, in the form that is called SGR (1006): "ESC [ < button ; column ; row",
 * then M, or m where a button is let go. It is the only form without a limit to the columns, and the only one
 * that can be told from other sequences.
 */
#ifndef COW_TUI_SCREEN_MOUSE_H
#define COW_TUI_SCREEN_MOUSE_H

#include <stdbool.h>

enum tui_mouse_kind {
    TUI_MOUSE_PRESS, /* of the left button; so are the next two */
    TUI_MOUSE_DRAG,
    TUI_MOUSE_RELEASE,
    TUI_MOUSE_WHEEL_UP,
    TUI_MOUSE_WHEEL_DOWN,
    TUI_MOUSE_KINDS /* how many */
};

struct tui_mouse {
    enum tui_mouse_kind kind;
    int x, y; /* the cell, from 0 */
};

/* Reads a whole sequence. False: it is none of these, or another button, or with a key held; *mouse is
 * unchanged then. */
bool tui_mouse_read(struct tui_mouse *mouse, const char *sequence);

/* The kind of a name: "press", "drag", "release", "wheel-up", "wheel-down"; TUI_MOUSE_KINDS for none. */
enum tui_mouse_kind tui_mouse_kind_of(const char *name);

/* Which presses are the second one of two: in the same cell, soon, with nothing in between. */
struct tui_clicks {
    bool one;  /* there was a first one, */
    int x, y;  /* here, */
    double at; /* then */
};

/* A press at a time in seconds, of any clock that goes forward. Returns whether it is a second one. */
bool tui_clicks_take(struct tui_clicks *clicks, const struct tui_mouse *press, double now);

#endif
