/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the disk shows, written into the commit's new file: a raw disk, or the data of a new image.
 */
#ifndef CORE_CHANGE_COMPOSE_H
#define CORE_CHANGE_COMPOSE_H

#include "core/change/work.h"

/* Writes [begin, end) of the disk to base_offset + begin of the new file. Long runs of one origin are moved
 * whole, mixed ones composed in the buffer (COMMIT_BUFFER_BYTES). Holes stay holes; zeros: so do blocks of
 * zeros, in long runs, too. */
int compose_range(struct commit *c, uint8_t *buffer, uint64_t begin, uint64_t end, uint64_t base_offset,
                  bool zeros);

/* Writes bytes to the new file, which has a hole there. zeros: all but its blocks of zeros. */
int compose_write(struct commit *c, const uint8_t *bytes, size_t n_bytes, uint64_t offset, bool zeros);

#endif
