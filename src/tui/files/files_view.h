/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Files view's state, for the two files that make it: view_files.c decides, files_draw.c paints.
 */
#ifndef COW_TUI_FILES_FILES_VIEW_H
#define COW_TUI_FILES_FILES_VIEW_H

#include "tui/app/app.h"
#include "tui/files/level.h"

enum { TUI_FILES_NAME_BYTES = 512 };

struct files_view {
    struct tui_level level;
    struct { /* that the level was filled for */
        bool done;
        unsigned epoch, redundant;
    } filled;
    int volume;
    char *directory;                      /* NULL: the root */
    char filter[256], filter_before[256]; /* the second: as it was before it was typed anew */
    enum tui_order order;
    bool reverse, flat;
    size_t at, top;
    int rows; /* as drawn last */
    struct tui_rect list;
    struct { /* what the selection is on */
        char name[TUI_FILES_NAME_BYTES];
        enum tui_row_kind kind;
        int number;
    } selected;
};

/* Paints what the level holds into the area, its last row for the total. problem: why there is nothing, or
 * NULL. Scrolls to the selection. */
void tui_files_paint(struct tui_app *app, struct files_view *view, struct tui_canvas *canvas,
                     struct tui_rect area, const char *problem);

#endif
