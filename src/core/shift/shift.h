/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving the gap of a half-moved image (core/beside/half.h) to either end of its data. Each way can be taken
 * from wherever an interruption has left the gap, and in either direction; whoever calls has locked and
 * marked the image, and its position file is whole and durable.
 */
#ifndef CORE_SHIFT_SHIFT_H
#define CORE_SHIFT_SHIFT_H

#include "core/shift/tools.h"

/* The gap to the beginning of the data (upper layout), or to its end (lower layout). All data that lies
 * elsewhere then is durable there; the file has to be flushed once more before its header says so. 0, or
 * -errno: -ECANCELED where `advance` wanted to stop, -EUCLEAN where the file is not the old one with one gap
 * (no byte is written then; it may be longer). After an error the state is a half-moved one as before. */
int shift_up(struct shift *s);
int shift_down(struct shift *s);

/* The gap is at the beginning of the data and is going to be filled, or has been and is to be emptied again;
 * durable. 0 or -errno. */
int shift_fill_begins(struct shift *s);
int shift_empty(struct shift *s);

#endif
