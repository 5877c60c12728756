/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk where no new file can appear by rename: to a stream, from its first byte to its
 * last, or over what is on a block device. Zeros are written, too: what was there before would show.
 * What has been written cannot be taken back, and that is said.
 *
 * A device is opened exclusively, so one that is mounted is refused; a backing file that is a device is
 * held in the same way for as long, so that neither can be a part of the other; and a loop device that
 * shows an input is refused. The stream is written in pieces that wait a moment at most, so a stop is
 * noticed even where nobody reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/write/fill.h"

static int write_through(struct commit *c, const uint8_t *bytes, size_t n_bytes, uint64_t offset)
{
    if (c->plan->target.stream_fd < 0) {
        c->spilled = true;
        int status = io_write(c->io, c->out_fd, bytes, n_bytes, offset);
        commit_written(c, c->out_fd, offset, n_bytes);
        return status < 0 ? commit_failed(c, status, "writing", c->plan->target.path) : 0;
    }
    int status = 0;
    for (size_t done = 0; done < n_bytes && status == 0;) {
        ssize_t n = c->io->write(c->io->context, c->plan->target.stream_fd, bytes + done, n_bytes - done);
        if (n == -EAGAIN || n == -EINTR) {
            status = commit_advance(c, 0); /* nobody reads: does somebody want us to stop? */
        } else if (n <= 0) {
            status = commit_failed(c, n == 0 ? -EIO : (int)n, "writing to", "standard output");
        } else {
            c->spilled = true;
            done += (size_t)n;
        }
    }
    return status;
}

static int write_disk(struct commit *c)
{
    const uint64_t size_bytes = c->plan->img->header.size_bytes;
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    int status = buffer == NULL ? cow_error_set(c->err, COW_NO_MEMORY, "out of memory") : 0;
    for (uint64_t offset = 0; status == 0 && offset < size_bytes;) {
        const size_t piece = (size_t)arith_min(size_bytes - offset, COMMIT_BUFFER_BYTES);
        status = cow_image_read(c->plan->img, offset, buffer, piece, c->err);
        status = status == 0 ? write_through(c, buffer, piece, offset) : status;
        status = status == 0 ? commit_advance(c, piece) : status;
        offset += piece;
    }
    free(buffer);
    return status;
}

int commit_write_stream(struct commit *c)
{
    int status = write_disk(c);
    return status == 0 ? commit_check_sources(c) : status;
}

static int refuse_use(struct commit *c, int status)
{
    if (status != -EBUSY) {
        return commit_failed(c, status, "opening", c->plan->target.path);
    }
    cow_error_set(c->err, COW_REFUSED, "%s: the device is in use", c->plan->target.path);
    return cow_error_hint(c->err, "unmount it, or end what uses it, first");
}

/* A loop device may show one of the files that are read. */
static int refuse_shown_inputs(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    struct stat shown = {.st_mode = S_IFREG};
    if (c->io->shown_file == NULL || c->io->shown_file(c->io->context, c->out_fd, &shown) != 1) {
        return 0;
    }
    const bool is_image = same_file(&shown, &plan->img->cow.facts);
    if (is_image || (plan->backing.path != NULL && same_file(&shown, &plan->backing.facts))) {
        return cow_error_set(c->err, COW_REFUSED, "%s: the device shows the %s itself", plan->target.path,
                             is_image ? "image" : "backing file");
    }
    return 0;
}

int commit_write_device(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    struct stat facts;
    /* While one of the two is held for ourselves alone, so cannot be the other, were it a part of it. */
    if (plan->backing.path != NULL && S_ISBLK(plan->backing.facts.st_mode)) {
        c->copy_fd = c->io->open(c->io->context, plan->backing.path, O_RDONLY | O_EXCL | O_NONBLOCK, 0);
        if (c->copy_fd < 0) {
            return commit_failed(c, c->copy_fd, "holding", plan->backing.path);
        }
    }
    c->out_fd = c->io->open(c->io->context, plan->target.path, O_RDWR | O_EXCL | O_NONBLOCK, 0);
    if (c->out_fd < 0) {
        return refuse_use(c, c->out_fd);
    }
    int status = c->io->fstat(c->io->context, c->out_fd, &facts);
    if (status < 0) {
        return commit_failed(c, status, "looking at", plan->target.path);
    }
    if (!S_ISBLK(facts.st_mode) || (uint64_t)facts.st_size < plan->img->header.size_bytes) {
        return cow_error_set(c->err, COW_REFUSED, "%s: is another device by now", plan->target.path);
    }
    status = refuse_shown_inputs(c);
    return status == 0 ? write_disk(c) : status;
}
