/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk as a file in another format, which somebody else writes (cow/foreign.h): it fills the
 * temporary file that is made, locked and named here, so a failure, a stop or a kill leaves what any other
 * new file leaves. Blocks of zeros are not written where nothing lies below them; over a backing file they
 * are written as zeros, for they hide what it has.
 */
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/plan/plan_output.h"
#include "core/plan/stretch.h"
#include "core/write/fill.h"

enum {
    SECTOR_BYTES = 512,
    BLOCK_BYTES = 64 * 1024, /* a cluster of qcow2: less than one costs one */
    ZERO_BYTES = 256 * 1024 * 1024,
};

int commit_begin_foreign(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    const struct cow_foreign_sink *sink = plan->sink;
    int status = commit_make_file(c, plan->target.temp_path, plan_output_mode(plan), &c->out_fd);
    c->out_made = c->out_fd >= 0;
    return status != 0 ? status
                       : sink->begin(sink->context, plan->target.temp_path, c->out_fd,
                                     plan->img->header.size_bytes, plan->sink_backing, c->err);
}

static int foreign_failed(struct commit *c, int status)
{
    return commit_failed(c, status, "writing", c->plan->target.temp_path);
}

static int write_zeros(struct commit *c, uint64_t begin, uint64_t end)
{
    const struct cow_foreign_sink *sink = c->plan->sink;
    int status = 0;
    for (uint64_t n; begin < end && status == 0; begin += n) {
        n = arith_min(end - begin, ZERO_BYTES);
        status = sink->zero(sink->context, n, begin);
        status = status < 0 ? foreign_failed(c, status) : commit_advance(c, 0);
    }
    return status;
}

/* Bytes of one kind. */
static int write_bytes(struct commit *c, const uint8_t *bytes, size_t n_bytes, uint64_t offset, bool zero)
{
    const struct cow_foreign_sink *sink = c->plan->sink;
    if (zero) {
        return c->plan->sink_backing != NULL ? write_zeros(c, offset, offset + n_bytes) : 0;
    }
    int status = sink->write(sink->context, bytes, n_bytes, offset);
    return status < 0 ? foreign_failed(c, status) : 0;
}

static int write_blocks(struct commit *c, const uint8_t *buffer, size_t n_bytes, uint64_t offset)
{
    size_t begin = 0;
    bool zeros = false;
    int status = 0;
    for (size_t at = 0, block; at < n_bytes && status == 0; at += block) {
        block = (size_t)arith_min(BLOCK_BYTES - (offset + at) % BLOCK_BYTES, n_bytes - at);
        const bool zero = bytes_all_zero(buffer + at, block);
        if (zero != zeros && at > begin) {
            status = write_bytes(c, buffer + begin, at - begin, offset + begin, zeros);
            begin = at;
        }
        zeros = zero;
    }
    return status == 0 ? write_bytes(c, buffer + begin, n_bytes - begin, offset + begin, zeros) : status;
}

static int write_read(struct commit *c, uint8_t *buffer, const struct foreign_piece *piece)
{
    int status = 0;
    for (uint64_t n, at = piece->begin_bytes; at < piece->end_bytes && status == 0; at += n) {
        n = arith_min(COMMIT_BUFFER_BYTES - at % BLOCK_BYTES, piece->end_bytes - at);
        status = cow_image_read(c->plan->img, at, buffer, (size_t)n, c->err);
        status = status == 0 ? write_blocks(c, buffer, (size_t)n, at) : status;
        status = status == 0 ? commit_advance(c, n) : status;
    }
    return status;
}

/* A disk of another format may end with a whole sector: nothing of the backing file is to show there. */
static int hide_odd_end(struct commit *c)
{
    const uint64_t size_bytes = c->plan->img->header.size_bytes;
    const uint64_t end = arith_div_up(size_bytes, SECTOR_BYTES) * SECTOR_BYTES;
    return c->plan->sink_backing != NULL ? write_zeros(c, size_bytes, end) : 0;
}

int commit_write_foreign(struct commit *c)
{
    const bool dirty_only = c->plan->sink_backing != NULL;
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    struct foreign_piece piece = {0, 0, false};
    int status = buffer == NULL ? cow_error_set(c->err, COW_NO_MEMORY, "out of memory") : 0;
    do {
        status =
            status == 0 ? foreign_next(&piece, c->plan->img, piece.end_bytes, dirty_only, c->err) : status;
        if (status == 0) {
            status = piece.is_hole ? write_zeros(c, piece.begin_bytes, piece.end_bytes)
                                   : write_read(c, buffer, &piece);
        }
    } while (status == 0 && piece.begin_bytes < piece.end_bytes);
    free(buffer);
    return status == 0 ? hide_odd_end(c) : status;
}

int commit_finish_foreign(struct commit *c)
{
    const struct cow_foreign_sink *sink = c->plan->sink;
    int status = commit_check_sources(c);
    status = status == 0 ? sink->finish(sink->context, c->err) : status;
    if (status != 0) {
        return status;
    }
    status = c->io->fsync(c->io->context, c->out_fd);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->target.temp_path) : 0;
}
