/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two ways of moving a gap, and what they share.
 */
#ifndef CORE_SHIFT_WAYS_H
#define CORE_SHIFT_WAYS_H

#include "core/shift/shift.h"

/* By the filesystem (inserted.c), and by moving bytes (moved.c). As shift_up and shift_down; the gap is
 * empty.
 */
int inserted_up(struct shift *s);
int inserted_down(struct shift *s);
int moved_up(struct shift *s);
int moved_down(struct shift *s);

/* Makes the file long enough for all of its data and the gap. 0 or -errno. */
int shift_lengthen(struct shift *s);

/* Tells of bytes that have been moved: is it to stop? */
bool shift_stops(struct shift *s, uint64_t n_bytes);

#endif
