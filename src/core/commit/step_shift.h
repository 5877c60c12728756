/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the steps of moving data where it lies share with the ways on and back. All answer 0 or -errno.
 */
#ifndef CORE_COMMIT_STEP_SHIFT_H
#define CORE_COMMIT_STEP_SHIFT_H

#include "core/write/work.h"

/* Those of the record: the lower one, and the upper one. -EUCLEAN where the image has other headers. */
int shift_layouts(struct commit *c, struct cow_layout layout[2]);

/* Makes the position file of an image that is not marked yet, durably: with its data in the lower layout, or
 * (is_up) in the upper one. */
int shift_make_position(struct commit *c, const struct cow_layout layout[2], bool is_up);
/* Opens that of a marked image. */
int shift_open_position(struct commit *c);

/* Mark and id in this first sector, by one write, which is not flushed. From here on c->marked. */
int shift_write_mark(struct commit *c, const uint8_t sector[RECORD_SECTOR_BYTES]);

/* Moves the gap up, or down; where it can be stopped, and is, -ECANCELED. */
int shift_go(struct commit *c, bool is_up, bool can_stop);

/* The upper layout's bits, what a partial last sector had behind its end, and the length; durable. */
int shift_fill(struct commit *c);

/* What lies outside of the layout that the header has now, the upper one or the lower one, goes, and the
 * position file. date: the image's afterwards; NULL: whatever it is. */
int shift_clear_up(struct commit *c, bool is_upper, const struct timespec *date);

/* Words for what shift_go answered: a COW_ status, with err set. */
int shift_failed(struct commit *c, int status);

#endif
