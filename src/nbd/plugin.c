/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plugin: what nbdkit calls. All connections ask the same disk, so what one of them has flushed is on the
 * disk for each. What is only looked at is read by several threads at once (readers.c); to a writer requests
 * come one at a time, in the order that nbdkit gives them.
 *
 * The disk is opened after nbdkit has gone into the background and listens already; who started it waits for
 * the word on control-fd. The last client that goes ends a session of writing, and so does the server's end;
 * what had to be flushed then and could not be is told on control-fd, for nbdkit's exit code does not tell.
 *
 * All that touches the disk takes it before: the wish to stop, too, comes on a thread of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#define THREAD_MODEL       NBDKIT_THREAD_MODEL_PARALLEL
#include <nbdkit-plugin.h>

#include "nbd/control.h"
#include "nbd/readers.h"

enum { TIDY_MAX = 3, PAGE_BYTES = 4096, EXTENTS_AT_A_TIME = 4096 };

static struct {
    char *image_path, *backing_path;
    int is_writing;
    int held_fd, control_fd;
    int64_t held_size_bytes;
    char *tidy[TIDY_MAX]; /* removed at the end: the socket, then what it was in */
    size_t n_tidy;
} given = {.held_fd = -1, .control_fd = -1};

static unsigned n_clients; /* whoever changes it holds all readers */

/* ---- parameters ---- */

static int read_path(char **out, const char *value)
{
    free(*out);
    *out = nbdkit_absolute_path(value);
    return *out != NULL ? 0 : -1;
}

static int read_bool(int *out, const char *value)
{
    *out = nbdkit_parse_bool(value);
    return *out < 0 ? -1 : 0;
}

static int read_tidy(const char *value)
{
    if (given.n_tidy == TIDY_MAX) {
        nbdkit_error("tidy=%s: that is one too many", value);
        return -1;
    }
    return read_path(&given.tidy[given.n_tidy++], value);
}

static int cow_config(const char *key, const char *value)
{
    if (strcmp(key, "image") == 0) {
        return read_path(&given.image_path, value);
    }
    if (strcmp(key, "backing") == 0) {
        return read_path(&given.backing_path, value);
    }
    if (strcmp(key, "write") == 0) {
        return read_bool(&given.is_writing, value);
    }
    if (strcmp(key, "held-fd") == 0) {
        return nbdkit_parse_int("held-fd", value, &given.held_fd);
    }
    if (strcmp(key, "held-size") == 0) {
        given.held_size_bytes = nbdkit_parse_size(value);
        return given.held_size_bytes < 0 ? -1 : 0;
    }
    if (strcmp(key, "control-fd") == 0) {
        return nbdkit_parse_int("control-fd", value, &given.control_fd);
    }
    if (strcmp(key, "tidy") == 0) {
        return read_tidy(value);
    }
    nbdkit_error("unknown parameter '%s'", key);
    return -1;
}

static int cow_config_complete(void)
{
    if (given.image_path == NULL) {
        nbdkit_error("which image? Say image=PATH");
        return -1;
    }
    if (given.held_fd >= 0 && given.is_writing == 0) {
        nbdkit_error("held-fd goes with write=1");
        return -1;
    }
    return 0;
}

#define CONFIG_HELP                                                                                          \
    "[image=]PATH     (required) the COW image\n"                                                            \
    "backing=PATH     use this backing file instead of the stored one\n"                                     \
    "write=BOOL       write to the image, too: it is locked; there is no undo\n"                             \
    "held-fd=N        the image, open and locked by who started nbdkit\n"                                    \
    "held-size=SIZE   of the disk of held-fd\n"                                                              \
    "control-fd=N     a socket: tell there how it goes; its other end is closed to stop\n"                   \
    "tidy=PATH        remove this at the end: the socket, then its directory"

/* ---- errors ---- */

static int errno_of(const struct cow_error *err)
{
    switch (err->status) {
    case COW_NO_MEMORY:
        return ENOMEM;
    case COW_USAGE:
        return EINVAL;
    default:
        break;
    }
    switch (err->sys_errno) {
    case EDQUOT:
    case EFBIG:
    case ENOSPC:
        return ENOSPC;
    case EROFS:
        return EROFS;
    default:
        return EIO;
    }
}

/* nbdkit's answer to a status of the core; what is wrong goes to its log. */
static int answer(int status, const struct cow_error *err)
{
    if (status == 0) {
        return 0;
    }
    nbdkit_error("%s", err->message);
    nbdkit_set_error(errno_of(err));
    return -1;
}

/* ---- the life of the disk ---- */

/* The end of a session of writing. The caller holds all readers. */
static int finish(void)
{
    struct served *disk = readers_first();
    struct cow_error err = {0};
    int status = 0;

    if (disk != NULL && served_is_writing(disk)) {
        status = served_flush(disk, true, &err);
    }
    if (status != 0) {
        control_tell_error(given.control_fd, &err);
    }
    return answer(status, &err);
}

static void end(void)
{
    if (readers_first() != NULL && finish() == 0) {
        control_tell_end(given.control_fd);
    }
    readers_close();
}

static void tidy(void)
{
    for (size_t i = 0; i < given.n_tidy; i++) {
        if (given.tidy[i] != NULL && unlink(given.tidy[i]) != 0 && (errno == EISDIR || errno == EPERM)) {
            rmdir(given.tidy[i]);
        }
    }
}

/* Clients that are still there find the connection closed. */
static void stop(void)
{
    readers_hold(); /* and keeps them: nothing else is done any more */
    end();
    tidy();
    _exit(0);
}

static int cow_after_fork(void)
{
    const struct served_options options = {.image_path = given.image_path,
                                           .backing_path = given.backing_path,
                                           .is_writing = given.is_writing > 0,
                                           .held_fd = given.held_fd,
                                           .held_size_bytes = (uint64_t)given.held_size_bytes};
    struct cow_error err = {0};
    int code = 0;

    if (readers_open(&options, &err) != 0) {
        control_tell_error(given.control_fd, &err);
        return answer(err.status, &err);
    }
    control_tell_ready(given.control_fd, served_size_bytes(readers_first()));
    if (given.control_fd >= 0) {
        code = control_watch(given.control_fd, stop);
    }
    return answer(code != 0 ? cow_error_system(&err, code, "starting a thread") : 0, &err);
}

static void cow_cleanup(void)
{
    control_unwatch();
    readers_hold();
    end();
    readers_release();
}

static void cow_unload(void)
{
    tidy();
    for (size_t i = 0; i < given.n_tidy; i++) {
        free(given.tidy[i]);
    }
    free(given.image_path);
    free(given.backing_path);
}

static void *cow_open(int readonly)
{
    (void)readonly;
    readers_hold();
    n_clients++;
    readers_release();
    return NBDKIT_HANDLE_NOT_NEEDED;
}

static void cow_close(void *handle)
{
    (void)handle;
    readers_hold();
    if (--n_clients == 0) {
        finish();
    }
    readers_release();
}

/* ---- what a client may ask ---- */

static int64_t cow_get_size(void *handle)
{
    (void)handle;
    return (int64_t)served_size_bytes(readers_first());
}

/* What is written is written in one order. */
static int cow_thread_model(void)
{
    return given.is_writing > 0 ? NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS : NBDKIT_THREAD_MODEL_PARALLEL;
}

static int cow_can_write(void *handle)
{
    (void)handle;
    return served_is_writing(readers_first());
}

static int cow_yes(void *handle)
{
    (void)handle;
    return 1;
}

static int cow_can_fua(void *handle)
{
    (void)handle;
    return NBDKIT_FUA_NATIVE;
}

static int cow_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
    (void)handle;
    *minimum = 1;
    *preferred = PAGE_BYTES;
    *maximum = UINT32_MAX;
    return 0;
}

/* nbdkit's answer to a request; with `through` (FUA) what it wrote is on the disk before. Gives the disk
 * back. */
static int done(struct served *disk, int status, bool through, struct cow_error *err)
{
    if (status == 0 && through) {
        status = served_flush(disk, false, err);
    }
    readers_give(disk);
    return answer(status, err);
}

static int cow_pread(void *handle, void *buffer, uint32_t n_bytes, uint64_t offset, uint32_t flags)
{
    struct served *disk = readers_take();
    struct cow_error err = {0};

    (void)handle;
    (void)flags;
    return done(disk, served_read(disk, offset, buffer, n_bytes, &err), false, &err);
}

static int cow_pwrite(void *handle, const void *data, uint32_t n_bytes, uint64_t offset, uint32_t flags)
{
    struct served *disk = readers_take();
    struct cow_error err = {0};

    (void)handle;
    return done(disk, served_write(disk, offset, data, n_bytes, &err), flags & NBDKIT_FLAG_FUA, &err);
}

/* Zeros are holes, which is as fast as it can be, with or without NBDKIT_FLAG_FAST_ZERO; and holes they are
 * without NBDKIT_FLAG_MAY_TRIM, too: a COW file has no space in reserve for what a client means to write
 * later. */
static int cow_zero(void *handle, uint32_t n_bytes, uint64_t offset, uint32_t flags)
{
    struct served *disk = readers_take();
    struct cow_error err = {0};

    (void)handle;
    return done(disk, served_zero(disk, offset, n_bytes, &err), flags & NBDKIT_FLAG_FUA, &err);
}

static int cow_trim(void *handle, uint32_t n_bytes, uint64_t offset, uint32_t flags)
{
    struct served *disk = readers_take();
    struct cow_error err = {0};

    (void)handle;
    return done(disk, served_trim(disk, offset, n_bytes, &err), flags & NBDKIT_FLAG_FUA, &err);
}

static int cow_flush(void *handle, uint32_t flags)
{
    struct served *disk = readers_take();
    struct cow_error err = {0};

    (void)handle;
    (void)flags;
    return done(disk, 0, served_is_writing(disk), &err);
}

/* A client is told no more than so many at a time, and asks again behind the last. */
static int add_extents(struct served *disk, struct nbdkit_extents *extents, uint64_t offset, uint64_t end,
                       bool only_one, struct cow_error *err)
{
    int status = served_look(disk, err);

    for (unsigned i = 0; status == 0 && offset < end && i < EXTENTS_AT_A_TIME; i++) {
        struct cow_extent extent = {0};
        status = served_extent(disk, offset, &extent, err);
        if (status != 0) {
            return status;
        }
        const uint32_t type = extent.is_hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0u;
        if (extent.n_bytes == 0) {
            break;
        }
        if (nbdkit_add_extent(extents, offset, extent.n_bytes, type) != 0) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        offset += extent.n_bytes;
        if (only_one) {
            break;
        }
    }
    return status;
}

static int cow_extents(void *handle, uint32_t n_bytes, uint64_t offset, uint32_t flags,
                       struct nbdkit_extents *extents)
{
    struct served *disk = readers_take();
    struct cow_error err = {0};

    (void)handle;
    return done(disk, add_extents(disk, extents, offset, offset + n_bytes, flags & NBDKIT_FLAG_REQ_ONE, &err),
                false, &err);
}

static struct nbdkit_plugin plugin = {
    .name = "cow",
    .longname = "copy-on-write disk images of User-Mode Linux",
    .description = "The composed disk of a COW image and its backing file.",
    .config = cow_config,
    .config_complete = cow_config_complete,
    .config_help = CONFIG_HELP,
    .thread_model = cow_thread_model,
    .magic_config_key = "image",
    .after_fork = cow_after_fork,
    .cleanup = cow_cleanup,
    .unload = cow_unload,
    .open = cow_open,
    .close = cow_close,
    .get_size = cow_get_size,
    .block_size = cow_block_size,
    .can_write = cow_can_write,
    .can_flush = cow_yes,
    .can_trim = cow_yes,
    .can_zero = cow_yes,
    .can_fast_zero = cow_yes,
    .can_extents = cow_yes,
    .can_multi_conn = cow_yes,
    .can_fua = cow_can_fua,
    .pread = cow_pread,
    .pwrite = cow_pwrite,
    .zero = cow_zero,
    .trim = cow_trim,
    .flush = cow_flush,
    .extents = cow_extents,
};

NBDKIT_REGISTER_PLUGIN(plugin)
