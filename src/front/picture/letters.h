/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Letters as strokes, for pictures that have no font to ask for. Drawn for this program; they come from
 * nowhere else.
 */
#ifndef FRONT_PICTURE_LETTERS_H
#define FRONT_PICTURE_LETTERS_H

#include <stddef.h>
#include <stdint.h>

/* Lines of points that a round pen goes along, in steps: x from 0 to 4 and y from 0, the top of a capital,
 * over 6, where it stands, to 8, the lowest. A point is two digits, a blank lifts the pen. A letter takes 5
 * steps in all. */
enum { LETTER_STEPS = 5, LETTER_BASE = 6, LETTER_LOW = 8 };

/* The strokes of the letter at *text (UTF-8), which moves behind it. All that is no ASCII is a box. */
const char *letter_next(const char **text);

#endif
