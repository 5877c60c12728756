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

/* The id, durable; then the mark in this first sector. From here on c->marked. */
int shift_write_mark(struct commit *c, const uint8_t sector[RECORD_SECTOR_BYTES]);

/* Moves the gap up, or down; can be stopped, which is -ECANCELED. */
int shift_go(struct commit *c, bool is_up);

/* The upper layout's bits, what a partial last sector had behind its end, and the length; durable. */
int shift_fill(struct commit *c);

/* What the image bore beside the mark goes, the header being that of the upper layout, or of the lower one.
 * date: the file's afterwards; NULL: whatever it is. */
int shift_clear_mark(struct commit *c, bool is_upper, const struct timespec *date);

/* Words for what shift_go answered: a COW_ status, with err set. */
int shift_failed(struct commit *c, int status);

#endif
