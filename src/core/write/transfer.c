/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving bytes between files: whole extents by copy_file_range (which shares blocks where the
 * filesystem can), by a buffer where that is not to be had. Holes are stepped over: copy_file_range
 * would allocate them.
 *
 * A copy_file_range that fails is read and written instead, but for a full disk, which would fail
 * again.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/write/work.h"

/* Of one call, as far as its answer can count; whole pages, so that what follows can still be shared. */
#define COPY_BYTES_MAX (((uint64_t)SIZE_MAX >> 1) & ~UINT64_C(4095))
/* Small pieces that lie far from each other are better written in one go, by the fsync in the end. */
enum { WORTH_STARTING_BYTES = 64 * 1024 };

static int copy_by_buffer(const struct cow_io *io, int from_fd, uint64_t from, int to_fd, uint64_t to,
                          uint64_t length)
{
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    int status = 0;
    for (uint64_t done = 0; done < length && status == 0;) {
        size_t piece = (size_t)arith_min(length - done, COMMIT_BUFFER_BYTES);
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

int commit_transfer(struct commit *c, struct host_file *from, uint64_t from_offset, int to_fd,
                    uint64_t to_offset, uint64_t length)
{
    for (uint64_t done = 0; done < length;) {
        struct io_extent extent;
        int status = host_file_extent(c->io, from, from_offset + done, from_offset + length, &extent);
        if (status < 0) {
            return commit_failed(c, status, "looking for holes in", "the source");
        }
        uint64_t piece = extent.end - extent.begin;
        if (extent.data) {
            piece = arith_min(piece, COMMIT_PIECE_BYTES);
            status = transfer_bytes(c->io, from->fd, extent.begin, to_fd, to_offset + done, piece);
            if (status < 0) {
                return commit_failed(c, status, "writing", c->plan->target.path);
            }
            if (piece >= WORTH_STARTING_BYTES) {
                commit_written(c, to_fd, to_offset + done, piece);
            }
        }
        done += piece;
        status = commit_advance(c, extent.data ? piece : 0);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}
