/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A Hilbert curve through a rectangle of any size: what is near on the disk is near on the screen.
 */
#ifndef FRONT_PICTURE_CURVE_H
#define FRONT_PICTURE_CURVE_H

#include <stddef.h>
#include <stdint.h>

struct front_spot {
    int16_t x, y;
};

struct front_curve {
    int cols, rows;          /* 0: none */
    struct front_spot *spot; /* [cols * rows]: where the cells lie, in order */
    uint32_t *index;         /* [rows][cols]: which cell lies there */
};

/* Draws the curve through a rectangle, if it is not drawn already; each side from 1 to 1000. It begins at the
 * upper left. Each step goes to a neighbour: in a rectangle with sides of an odd length one step may be
 * diagonal. Returns 0 or COW_NO_MEMORY (there is none then). */
int front_curve_draw(struct front_curve *curve, int cols, int rows);

/* Frees what is in it: there is none then. */
void front_curve_free(struct front_curve *curve);

#endif
