/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a picture of the lesson is drawn of, and where.
 */
#ifndef COW_TUI_LESSON_PICTURE_H
#define COW_TUI_LESSON_PICTURE_H

#include "tui/lesson/practice.h"
#include "tui/screen/canvas.h"

/* Every picture fits into so many rows and columns. */
enum { LESSON_PICTURE_COLS = 56, LESSON_PICTURE_ROWS = 9 };

struct lesson_picture {
    const struct practice *practice;
    struct tui_canvas *canvas;
    struct tui_rect area;
    int frame, last; /* which state is shown, and which one stays */
};

#endif
