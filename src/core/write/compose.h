/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the disk shows, written into the commit's new file: a raw disk, or the data of a new image.
 */
#ifndef CORE_WRITE_COMPOSE_H
#define CORE_WRITE_COMPOSE_H

#include "core/write/work.h"

/* Writes the whole disk to the new file. Long runs of one origin are moved whole, mixed ones composed in the
 * buffer (COMMIT_BUFFER_BYTES). Holes stay holes; what is composed leaves out its blocks of zeros, too. */
int compose_disk(struct commit *c, uint8_t *buffer);

/* Writes bytes to the new file, which has a hole there. zeros: all but its blocks of zeros. */
int compose_write(struct commit *c, const uint8_t *bytes, size_t n_bytes, uint64_t offset, bool zeros);

#endif
