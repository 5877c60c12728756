/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk as a raw file; or one file of the guest; or bytes that the caller has. Flushed before it
 * gets its name, for a rename can reach the disk before the content does.
 */
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/guestfs/reader.h"
#include "core/plan/plan_output.h"
#include "core/write/compose.h"
#include "core/write/fill.h"

int commit_begin_raw(struct commit *c)
{
    const struct cow_image *img = c->plan->img;
    int status = commit_make_file(c, c->plan->target.temp_path, plan_output_mode(c->plan), &c->out_fd);
    c->out_made = c->out_fd >= 0;
    if (status != 0) {
        return status;
    }
    const uint64_t size_bytes = c->plan->file != NULL    ? cow_fs_reader_size(c->plan->file)
                                : c->plan->saved != NULL ? c->plan->preview.writes_bytes
                                                         : img->header.size_bytes;
    status = c->io->ftruncate(c->io->context, c->out_fd, size_bytes);
    return status < 0 ? commit_failed(c, status, "sizing", c->plan->target.temp_path) : 0;
}

int commit_compose(struct commit *c)
{
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    if (buffer == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    int status = compose_disk(c, buffer);
    free(buffer);
    return status;
}

int commit_finish_raw(struct commit *c)
{
    int status =
        c->plan->saved != NULL ? 0 : commit_check_sources(c); /* it was read before the plan was made */
    if (status != 0) {
        return status;
    }
    status = c->io->fsync(c->io->context, c->out_fd);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->target.temp_path) : 0;
}

/* Holes of the guest's file, and blocks of zeros, become holes. */
static int write_file_stretch(struct commit *c, uint8_t *buffer, uint64_t begin, uint64_t end)
{
    int status = 0;
    for (size_t piece; begin < end && status == 0; begin += piece) {
        size_t n;
        piece = (size_t)arith_min(end - begin, COMMIT_BUFFER_BYTES);
        status = cow_fs_reader_read(c->plan->file, begin, buffer, piece, &n, c->err);
        if (status == 0 && !bytes_all_zero(buffer, piece)) {
            status = io_write(c->io, c->out_fd, buffer, piece, begin);
            status = status < 0 ? commit_failed(c, status, "writing", c->plan->target.temp_path) : 0;
        }
        status = status == 0 ? commit_advance(c, piece) : status;
    }
    return status;
}

static int write_saved(struct commit *c)
{
    const size_t n_bytes = (size_t)c->plan->preview.writes_bytes;
    const int status = io_write(c->io, c->out_fd, c->plan->saved, n_bytes, 0);
    return status < 0 ? commit_failed(c, status, "writing", c->plan->target.temp_path)
                      : commit_advance(c, n_bytes);
}

int commit_write_file(struct commit *c)
{
    if (c->plan->saved != NULL) {
        return write_saved(c);
    }
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    uint64_t begin = 0, end = 0;
    int status = buffer == NULL ? cow_error_set(c->err, COW_NO_MEMORY, "out of memory") : 0;
    while (status == 0 && end < cow_fs_reader_size(c->plan->file)) {
        reader_next_data(c->plan->file, end, &begin, &end);
        status = write_file_stretch(c, buffer, begin, end);
    }
    free(buffer);
    return status;
}
