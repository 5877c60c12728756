/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Before there is an image: the list of a directory, to choose one from. It has the keys and the screen until
 * one is chosen, and again when that one is left; there is no application meanwhile. It uses the table of
 * actions and the canvas as views do, and none of what needs an image.
 */
#ifndef COW_TUI_START_CHOOSER_H
#define COW_TUI_START_CHOOSER_H

#include "tui/screen/backend.h"
#include "tui/screen/page.h"
#include "tui/start/choices.h"

enum tui_chooser_box { TUI_CHOOSER_NO_BOX, TUI_CHOOSER_MESSAGE, TUI_CHOOSER_HELP };

struct tui_chooser {
    struct tui_backend *backend; /* borrowed */
    struct tui_canvas canvas;
    struct tui_choices choices;
    char title[COW_PATH_BYTES]; /* of the directory, safe to show */
    size_t selected, first;     /* rows: the present one, and the one on top */
    char *wanted;               /* the name to be selected when it comes; NULL: none */
    int rows;                   /* how many are shown */
    struct tui_rect list;       /* where */
    struct tui_clicks clicks;
    enum tui_chooser_box box;
    struct cow_error error; /* that the message tells */
    struct tui_page page;   /* of the box */
    int page_rows;
    bool redraw;
    double drawn;    /* when */
    int stop_signal; /* that ended it, or 0 */
};

/* Begins with nothing looked at. directory is borrowed. */
void tui_chooser_begin(struct tui_chooser *chooser, struct tui_backend *backend, const char *directory,
                       bool no_backing);
void tui_chooser_end(struct tui_chooser *chooser); /* frees what it owns; not the backend */

/* Asks until an image is chosen: *path is its path, borrowed until the next call; or NULL: the user leaves,
 * or a signal or the end of a script ends it. Returns 0 or the status of a failed script. */
int tui_chooser_ask(struct tui_chooser *chooser, const char **path, struct cow_error *err);

/* The image that was chosen has been left; or could not be opened: that is told when it asks again. */
void tui_chooser_return(struct tui_chooser *chooser, const struct cow_error *problem);

/* ---- chooser_draw.c ---- */

/* Draws the list, and the box over it, at the backend's size, and presents it. Without memory the old picture
 * stays. */
void tui_chooser_draw(struct tui_chooser *chooser);

#endif
