/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk, written sparsely: runs of 1 MiB and more are moved whole, extent by extent, so
 * that holes stay holes and blocks are shared where the filesystem can; the rest is composed in a
 * buffer, of which blocks that hold nothing but zeros are not written. So a raw file may be smaller
 * than what it was made from, never different.
 */
#include "core/write/compose.h"

#include "core/base/arith.h"
#include "core/base/bytes.h"

enum {
    LONG_RUN_BYTES = 1024 * 1024, /* from here on a run is worth its own call */
    BLOCK_BYTES = 4096,
};

/* Writes a buffer but for its blocks of zeros: those of the file, wherever the buffer begins. */
static int write_sparse(struct commit *c, const uint8_t *buffer, size_t n_bytes, uint64_t offset)
{
    size_t begin = 0;
    for (size_t at = 0; at < n_bytes;) {
        size_t block = (size_t)arith_min(BLOCK_BYTES - (offset + at) % BLOCK_BYTES, n_bytes - at);
        bool zero = bytes_all_zero(buffer + at, block);
        int status = 0;
        if (zero && at > begin) {
            status = io_write(c->io, c->out_fd, buffer + begin, at - begin, offset + begin);
        }
        if (status < 0) {
            return commit_failed(c, status, "writing", c->plan->target.temp_path);
        }
        at += block;
        begin = zero ? at : begin;
    }
    int status =
        begin < n_bytes ? io_write(c->io, c->out_fd, buffer + begin, n_bytes - begin, offset + begin) : 0;
    return status < 0 ? commit_failed(c, status, "writing", c->plan->target.temp_path) : 0;
}

int compose_write(struct commit *c, const uint8_t *bytes, size_t n_bytes, uint64_t offset, bool zeros)
{
    int status = 0;
    if (zeros) {
        status = write_sparse(c, bytes, n_bytes, offset);
    } else {
        status = io_write(c->io, c->out_fd, bytes, n_bytes, offset);
        status = status < 0 ? commit_failed(c, status, "writing", c->plan->target.temp_path) : 0;
    }
    if (status == 0) {
        commit_written(c, c->out_fd, offset, n_bytes);
    }
    return status;
}

/* How far from `offset` on the disk is of one kind, in bytes. */
static int same_kind(struct cow_image *img, uint64_t offset, bool *dirty, uint64_t *length,
                     struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    const uint64_t sector = offset / sector_bytes;
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(img, sector, &run, err);
    if (status == 0) {
        *dirty = run.sectors > 0 && run.first_sector == sector;
        uint64_t end = run.sectors == 0 ? img->layout.sectors
                       : *dirty         ? sector + run.sectors
                                        : run.first_sector;
        *length = arith_min(end * sector_bytes, img->header.size_bytes) - offset;
        *length = *dirty ? arith_min(*length, image_place(img, COW_FILE_COW, offset).n_bytes) : *length;
    }
    return status;
}

static int move_run(struct commit *c, uint64_t offset, bool dirty, uint64_t length)
{
    const struct cow_image *img = c->plan->img;
    if (dirty) {
        return commit_transfer_disk(c, COW_FILE_COW, offset, offset + length, offset);
    }
    if (img->backing.facts.state == COW_BACKING_NONE || offset >= img->backing.facts.size_bytes) {
        return commit_advance(c, 0);
    }
    return commit_transfer_disk(c, COW_FILE_BACKING, offset,
                                arith_min(offset + length, img->backing.facts.size_bytes), offset);
}

/* A stretch by reading: not longer than a buffer, nor than what is worth no call of its own. */
static int compose_by_reading(struct commit *c, uint8_t *buffer, uint64_t offset, uint64_t length)
{
    int status = cow_image_read(c->plan->img, offset, buffer, (size_t)length, c->err);
    if (status == 0) {
        status = compose_write(c, buffer, (size_t)length, offset, true);
    }
    return status == 0 ? commit_advance(c, length) : status;
}

int compose_disk(struct commit *c, uint8_t *buffer)
{
    const uint64_t end = c->plan->img->header.size_bytes;
    uint64_t offset = 0;
    while (offset < end) {
        bool dirty;
        uint64_t length;
        int status = same_kind(c->plan->img, offset, &dirty, &length, c->err);
        if (status != 0) {
            return status;
        }
        length = arith_min(length, end - offset);
        if (length >= LONG_RUN_BYTES || offset + length == end) {
            /* Up to a block's end, so that what follows begins on one. */
            length = offset + length == end ? length : (offset + length) / BLOCK_BYTES * BLOCK_BYTES - offset;
            status = move_run(c, offset, dirty, length);
        } else {
            length = arith_min(COMMIT_BUFFER_BYTES, end - offset);
            status = compose_by_reading(c, buffer, offset, length);
        }
        if (status != 0) {
            return status;
        }
        offset += length;
    }
    return 0;
}
