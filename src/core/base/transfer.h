/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving bytes.
 */
#ifndef CORE_BASE_TRANSFER_H
#define CORE_BASE_TRANSFER_H

#include "core/base/io.h"

/* A buffer stays in a processor's own cache, and a page cache of large pages likes no larger writes: with 1
 * MiB a merge takes twice the time. */
enum { TRANSFER_BUFFER_BYTES = 256 * 1024 };

/* Bytes that are no hole, all of them, by copy_file_range where that is to be had. Within one file the two
 * ranges must not overlap. 0 or -errno. */
int transfer_bytes(const struct cow_io *io, int from_fd, uint64_t from, int to_fd, uint64_t to,
                   uint64_t length);

#endif
