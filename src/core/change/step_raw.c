/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk as a raw file.
 */
#include <stdlib.h>

#include "core/change/compose.h"
#include "core/change/steps.h"

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

int commit_compose(struct commit *c)
{
    uint8_t *buffer = malloc(COMMIT_BUFFER_BYTES);
    if (buffer == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    int status = compose_range(c, buffer, 0, c->plan->img->header.size_bytes, 0, false);
    free(buffer);
    return status;
}

int commit_finish_raw(struct commit *c)
{
    int status = c->io->fsync(c->io->context, c->out_fd);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->temp_path) : 0;
}
