/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By what an image is known again: its file, as far as the filesystem tells, and its header.
 */
#ifndef CORE_HISTORY_MARK_H
#define CORE_HISTORY_MARK_H

#include "core/base/io.h"
#include "cow/image.h"

struct log_mark {
    uint8_t filesystem[IO_FILESYSTEM_ID_BYTES];
    size_t filesystem_bytes; /* 0: it could not be told */
    uint64_t inode;
    uint32_t header_sum; /* CRC of the file's first bytes, up to the bitmap */
};

/* Asks it of the open file, and of the header as it was read last; nothing but the filesystem can be unknown.
 */
void log_mark_of(struct log_mark *out, const struct cow_image *img);

#endif
