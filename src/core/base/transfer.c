/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving bytes between files, or within one: by copy_file_range (which shares blocks where the filesystem
 * can), by a buffer where that is not to be had.
 *
 * A copy_file_range that fails is read and written instead, but for a full disk, which would fail
 * again.
 */
#include "core/base/transfer.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/arith.h"

/* Of one call, as far as its answer can count; whole pages, so that what follows can still be shared. */
#define COPY_BYTES_MAX (((uint64_t)SIZE_MAX >> 1) & ~UINT64_C(4095))

static int copy_by_buffer(const struct cow_io *io, int from_fd, uint64_t from, int to_fd, uint64_t to,
                          uint64_t length)
{
    uint8_t *buffer = malloc(TRANSFER_BUFFER_BYTES);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int status = 0;
    for (uint64_t done = 0; done < length && status == 0;) {
        size_t piece = (size_t)arith_min(length - done, TRANSFER_BUFFER_BYTES);
        status = io_read_padded(io, from_fd, buffer, piece, from + done);
        if (status == 0) {
            status = io_write(io, to_fd, buffer, piece, to + done);
        }
        done += piece;
    }
    free(buffer);
    return status;
}

int transfer_bytes(const struct cow_io *io, int from_fd, uint64_t from, int to_fd, uint64_t to,
                   uint64_t length)
{
    for (uint64_t done = 0; done < length;) {
        const size_t piece = (size_t)arith_min(length - done, COPY_BYTES_MAX);
        ssize_t n = io->copy_range(io->context, from_fd, from + done, to_fd, to + done, piece);
        if (n == -EINTR) {
            continue;
        }
        if (n == -ENOSPC || n == -EDQUOT || n == -ENOMEM) {
            return (int)n;
        }
        /* Why not, filesystems and filters of system calls tell in many ways (EXDEV, EINVAL, ENOSYS,
         * EOPNOTSUPP, EPERM, ETXTBSY, EIO): reading and writing works all the same, or fails with the true
         * reason. */
        if (n <= 0) {
            return copy_by_buffer(io, from_fd, from + done, to_fd, to + done, length - done);
        }
        done += (uint64_t)n;
    }
    return 0;
}
