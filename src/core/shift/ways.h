/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two ways of moving a gap.
 */
#ifndef CORE_SHIFT_WAYS_H
#define CORE_SHIFT_WAYS_H

#include "core/shift/tools.h"

/* By the filesystem (inserted.c), and by moving bytes (moved.c). As shift_up and shift_down; the gap is
 * empty.
 */
int inserted_up(struct shift *s);
int inserted_down(struct shift *s);
int moved_up(struct shift *s);
int moved_down(struct shift *s);

#endif
