/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The operating system's calls, with a question before each that may wait for a disk: whoever looks at
 * something in slices gets its turn there, however long the core's own steps are, and a stop is heard at the
 * next read instead of the next step.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/io.h"
#include "cow/env.h"

struct stepped {
    struct cow_io io; /* the first member: what is handed out is this */
    bool (*step)(void *context);
    void *step_context;
};

static bool stops(void *context)
{
    const struct stepped *stepped = context;
    return stepped->step(stepped->step_context);
}

static int stepped_open(void *context, const char *path, int flags, mode_t mode)
{
    return stops(context) ? -ECANCELED : io_system.open(io_system.context, path, flags, mode);
}

static ssize_t stepped_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    return stops(context) ? -ECANCELED : io_system.pread(io_system.context, fd, buffer, n_bytes, offset);
}

static int64_t stepped_seek(void *context, int fd, uint64_t offset, int whence)
{
    return stops(context) ? -ECANCELED : io_system.seek(io_system.context, fd, offset, whence);
}

int cow_io_stepped(struct cow_io **out, bool (*step)(void *context), void *context, struct cow_error *err)
{
    struct stepped *stepped = malloc(sizeof *stepped);
    if (stepped == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *stepped = (struct stepped){.io = io_system, .step = step, .step_context = context};
    stepped->io.context = stepped;
    stepped->io.open = stepped_open;
    stepped->io.pread = stepped_pread;
    stepped->io.seek = stepped_seek;
    *out = &stepped->io;
    return 0;
}

void cow_io_free(struct cow_io *io)
{
    free(io);
}
