/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole disk in one line, and where on it the map's window is.
 */
#ifndef COW_TUI_CELLS_MAP_STRIP_H
#define COW_TUI_CELLS_MAP_STRIP_H

#include <stdint.h>

#include "front/picture/heat.h"
#include "tui/screen/canvas.h"

struct tui_app;

struct map_strip {
    unsigned generation; /* of the image that it was counted of; 0: of none */
    unsigned followed;   /* changes of its bits that it knows of */
    int cols;
    uint64_t cell_sectors;
    struct cow_density *cell;
};

/* Draws it with the window that begins at a sector and is so many long, in brackets. The disk is counted when
 * the strip is needed first, and again for another image or width. Where that fails, nothing is drawn. */
void map_strip_draw(struct tui_app *app, struct map_strip *strip, struct tui_canvas *canvas, int y,
                    enum front_heat_choice choice, uint64_t first_sector, uint64_t sectors);

/* Frees the counts and leaves it all zero: it is counted anew when it is drawn next. */
void map_strip_free(struct map_strip *strip);

#endif
