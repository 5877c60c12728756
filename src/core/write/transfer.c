/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving bytes between files: whole extents. Holes are stepped over: copy_file_range would allocate them.
 */
#include "core/base/transfer.h"
#include "core/base/arith.h"
#include "core/write/work.h"

/* Small pieces that lie far from each other are better written in one go, by the fsync in the end. */
enum { WORTH_STARTING_BYTES = 64 * 1024 };

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

int commit_transfer_disk(struct commit *c, enum cow_file file, uint64_t begin, uint64_t end,
                         uint64_t to_offset)
{
    int status = 0;
    for (uint64_t at = begin; at < end && status == 0;) {
        const struct image_place from = image_place(c->plan->img, file, at);
        const uint64_t n_bytes = arith_min(from.n_bytes, end - at);
        status = commit_transfer(c, from.file, from.offset, c->out_fd, to_offset + (at - begin), n_bytes);
        at += n_bytes;
    }
    return status;
}
