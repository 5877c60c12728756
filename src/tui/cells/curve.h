/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A Hilbert curve through a rectangle of any size: what is near on the disk is near on the screen.
 */
#ifndef COW_TUI_CELLS_CURVE_H
#define COW_TUI_CELLS_CURVE_H

#include <stddef.h>
#include <stdint.h>

struct tui_spot {
    int16_t x, y;
};

struct tui_curve {
    int cols, rows;        /* 0: none */
    struct tui_spot *spot; /* [cols * rows]: where the cells lie, in order */
    uint32_t *index;       /* [rows][cols]: which cell lies there */
};

/* Draws the curve through a rectangle, if it is not drawn already; each side from 1 to 1000. It begins at the
 * upper left. Each step goes to a neighbour: in a rectangle with sides of an odd length one step may be
 * diagonal. Returns 0 or COW_NO_MEMORY (there is none then). */
int tui_curve_draw(struct tui_curve *curve, int cols, int rows);

void tui_curve_free(struct tui_curve *curve);

#endif
