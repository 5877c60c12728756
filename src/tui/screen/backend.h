/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where keys come from and the canvas goes to: a terminal (term.c) or a script (script.c). The application
 * cannot tell them apart.
 */
#ifndef COW_TUI_SCREEN_BACKEND_H
#define COW_TUI_SCREEN_BACKEND_H

#include <stdbool.h>

#include "cow/error.h"
#include "tui/screen/canvas.h"
#include "tui/screen/mouse.h"

enum tui_event_kind {
    TUI_EVENT_TICK,   /* nothing came in time */
    TUI_EVENT_KEY,    /* key is set */
    TUI_EVENT_PASTE,  /* text is set */
    TUI_EVENT_MOUSE,  /* mouse is set; only where it was asked for */
    TUI_EVENT_RESIZE, /* ask size() */
    TUI_EVENT_REDRAW, /* the screen is gone: present anew from scratch */
    TUI_EVENT_STOP,   /* leave: a signal (signal_number is set) or the end of a script (0) */
};

struct tui_event {
    enum tui_event_kind kind;
    int key;
    int signal_number;
    struct tui_mouse mouse;
    const char *text; /* pasted, in one line; the backend's, until the next event is asked for */
};

enum tui_wait {
    TUI_WAIT_EVENT,  /* up to 100 ms */
    TUI_WAIT_MOMENT, /* up to 20 ms */
    TUI_WAIT_NOT,    /* what is there already; for looking in while work is going on */
};

struct tui_backend;

struct tui_backend_ops {
    /* The next event. Returns 0 or a negative status (an error in a script). */
    int (*next)(struct tui_backend *self, struct tui_event *event, enum tui_wait wait, struct cow_error *err);
    void (*size)(struct tui_backend *self, int *cols, int *rows);
    void (*present)(struct tui_backend *self, const struct tui_canvas *canvas);
    /* Forget what was typed or pasted up to now, and what follows of it: it was not meant for what is shown
     * next. A script means each of its keys. */
    void (*discard)(struct tui_backend *self);
    /* Forget what the terminal shows; the next present() draws all of it. */
    void (*forget)(struct tui_backend *self);
    /* Gives a text (ASCII, or as the core has escaped it) to the clipboard, where the terminal takes it:
     * nobody can know whether it does. */
    void (*copy)(struct tui_backend *self, const char *text);
    /* Restores the terminal and frees the backend. */
    void (*end)(struct tui_backend *self);
    /* From the next present() on it looks so. The theme is borrowed until the next call. color: 0 as the
     * terminal and NO_COLOR say, 1 never, 2 always. */
    void (*look)(struct tui_backend *self, const struct tui_theme *theme, int color);
    /* Whether the mouse is asked for; at the beginning it is not. */
    void (*use_mouse)(struct tui_backend *self, bool on);
};

struct tui_backend {
    const struct tui_backend_ops *ops;
    bool interactive; /* a person sits there: clocks run, history is kept */
    bool ascii;       /* the terminal cannot show more */
};

#endif
