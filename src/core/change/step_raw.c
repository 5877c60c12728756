/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk as a raw file. Long stretches of one origin are moved whole; where dirty and clean
 * sectors mix they are composed in a buffer. Holes stay holes, and so do blocks of zeros.
 */
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/change/steps.h"

enum {
    LONG_RUN_BYTES = 1024 * 1024, /* from here on a run is worth its own call */
    BLOCK_BYTES = 4096,
};

int commit_begin_raw(struct commit *c)
{
    const struct cow_image *img = c->plan->img;
    int status = commit_make_file(c, c->plan->temp_path, 0666, &c->out_fd);
    c->out_made = c->out_fd >= 0;
    if (status != 0) {
        return status;
    }
    status = c->io->ftruncate(c->io->context, c->out_fd, img->header.size_bytes);
    return status < 0 ? commit_failed(c, status, "sizing", c->plan->temp_path) : 0;
}

static bool is_zero(const uint8_t *bytes, size_t n_bytes)
{
    return bytes[0] == 0 && (n_bytes == 1 || __builtin_memcmp(bytes, bytes + 1, n_bytes - 1) == 0);
}

/* Writes a buffer but for its blocks of zeros. offset is a multiple of BLOCK_BYTES. */
static int write_sparse(struct commit *c, const uint8_t *buffer, size_t n_bytes, uint64_t offset)
{
    size_t begin = 0;
    for (size_t at = 0; at < n_bytes;) {
        size_t block = (size_t)arith_min(BLOCK_BYTES, n_bytes - at);
        bool zero = is_zero(buffer + at, block);
        int status = 0;
        if (zero && at > begin) {
            status = io_write(c->io, c->out_fd, buffer + begin, at - begin, offset + begin);
        }
        if (status < 0) {
            return commit_failed(c, status, "writing", c->plan->temp_path);
        }
        at += block;
        begin = zero ? at : begin;
    }
    int status =
        begin < n_bytes ? io_write(c->io, c->out_fd, buffer + begin, n_bytes - begin, offset + begin) : 0;
    return status < 0 ? commit_failed(c, status, "writing", c->plan->temp_path) : 0;
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
    }
    return status;
}

static int move_run(struct commit *c, uint64_t offset, bool dirty, uint64_t length)
{
    struct cow_image *img = c->plan->img;
    if (dirty) {
        return commit_transfer(c, &img->cow, img->layout.data_offset + offset, c->out_fd, offset, length);
    }
    if (img->backing.facts.state == COW_BACKING_NONE || offset >= img->backing.facts.size_bytes) {
        return commit_advance(c, 0);
    }
    return commit_transfer(c, &img->backing.file, offset, c->out_fd, offset,
                           arith_min(length, img->backing.facts.size_bytes - offset));
}

static int compose(struct commit *c, uint8_t *buffer)
{
    struct cow_image *img = c->plan->img;
    const uint64_t size_bytes = img->header.size_bytes;
    uint64_t offset = 0;
    while (offset < size_bytes) {
        bool dirty;
        uint64_t length;
        int status = same_kind(img, offset, &dirty, &length, c->err);
        if (status != 0) {
            return status;
        }
        if (length >= LONG_RUN_BYTES || offset + length == size_bytes) {
            /* Up to a block's end, so that what follows begins on one. */
            length = offset + length == size_bytes ? length
                                                   : (offset + length) / BLOCK_BYTES * BLOCK_BYTES - offset;
            status = move_run(c, offset, dirty, length);
        } else {
            length = arith_min(COMMIT_BUFFER_BYTES, size_bytes - offset);
            status = cow_image_read(img, offset, buffer, (size_t)length, c->err);
            if (status == 0) {
                status = write_sparse(c, buffer, (size_t)length, offset);
            }
            if (status == 0) {
                status = commit_advance(c, length);
            }
        }
        if (status != 0) {
            return status;
        }
        offset += length;
    }
    return 0;
}

int commit_compose(struct commit *c)
{
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    if (buffer == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    int status = compose(c, buffer);
    free(buffer);
    return status;
}

int commit_finish_raw(struct commit *c)
{
    int status = c->io->fsync(c->io->context, c->out_fd);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->temp_path) : 0;
}
