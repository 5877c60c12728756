/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lesson on the screen: a loop of its own, as the list of images has one, for what the application's loop
 * follows is of an image of the user's, and here is none. It borrows a backend, and leaves everything else as
 * it was.
 */
#ifndef COW_TUI_LESSON_LESSON_H
#define COW_TUI_LESSON_LESSON_H

#include <stdbool.h>

#include "tui/lesson/course.h"
#include "tui/screen/backend.h"
#include "tui/screen/page.h"

/* What lies over a step. */
enum lesson_box { LESSON_NO_BOX, LESSON_HELP, LESSON_MESSAGE };

struct lesson {
    struct tui_backend *backend; /* borrowed */
    struct tui_canvas canvas;
    struct course course;
    bool is_still; /* pictures are shown as they end; or one is held where it is */
    bool is_held;
    unsigned ticks; /* since this frame was shown */
    enum lesson_box box;
    struct cow_error error; /* that the message tells */
    struct tui_page page;   /* of the box, or the step's text */
    int page_rows;
    const char *said; /* until the next key; NULL: nothing */
    bool redraw, leave;
    int stop_signal; /* that ended it, or 0 */
};

/* Gives the lesson, until the user leaves it or a signal ends it (*stop_signal, else 0). The practice disk is
 * gone afterwards. Errors: COW_IO, COW_NO_MEMORY (no practice disk can be made: nothing was shown), those of
 * a script. */
int lesson_run(struct tui_backend *backend, bool is_ascii, int *stop_signal, struct cow_error *err);

/* ---- lesson_draw.c ---- */

/* A step's text has at most so many lines of LESSON_PICTURE_COLS: with its picture it fits into 60x20. */
enum { LESSON_TEXT_LINES = 5 };

/* Draws the step, and what lies over it, at the backend's size, and presents it. Without memory the old
 * picture stays. */
void lesson_draw(struct lesson *lesson);

#endif
