/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A table of calls in front of another one: each call that changes something is handed on, and then told. A
 * descriptor is told by the name that it was opened by, or was given later; others stay numbers.
 */
#include "core/base/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"

enum { NAMED_FDS = 64, NAME_BYTES = 256, LINE_BYTES = 1024 };

struct traced {
    struct cow_io io; /* the first member: what is handed out is this */
    const struct cow_io *under;
    const struct cow_env *env;
    char name[NAMED_FDS][NAME_BYTES]; /* by descriptor, the end of a long path */
};

void trace_say(const struct cow_env *env, enum cow_trace what, const char *format, ...)
{
    char line[LINE_BYTES], escaped[LINE_BYTES];
    if (env == NULL || env->trace == NULL || (env->traces & (unsigned)what) == 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    env->trace(env->context, what, cow_escape(escaped, sizeof escaped, line));
}

static const char *end_of(const char *path)
{
    const size_t bytes = strlen(path);
    return path + (bytes < NAME_BYTES ? 0 : bytes + 1 - NAME_BYTES);
}

static const char *name_of(const struct traced *t, int fd, char number[16])
{
    if (fd >= 0 && fd < NAMED_FDS && t->name[fd][0] != '\0') {
        return t->name[fd];
    }
    snprintf(number, 16, "fd %d", fd);
    return number;
}

static void name_fd(struct traced *t, int fd, const char *path)
{
    if (fd >= 0 && fd < NAMED_FDS) {
        snprintf(t->name[fd], NAME_BYTES, "%s", end_of(path));
    }
}

/* "pwrite root.cow: 4096 bytes at 8192 = 4096", or "= No space left on device". Hands the answer on. */
__attribute__((format(printf, 5, 6))) static int64_t
told(const struct traced *t, const char *call, const char *name, int64_t answer, const char *format, ...)
{
    char words[LINE_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (answer < 0) {
        trace_say(t->env, COW_TRACE_CALLS, "%s %s%s = %s", call, name, words, strerror((int)-answer));
    } else {
        trace_say(t->env, COW_TRACE_CALLS, "%s %s%s = %" PRId64, call, name, words, answer);
    }
    return answer;
}

#define UNDER(call, ...) t->under->call(t->under->context, __VA_ARGS__)
#define NAMED(fd)        name_of(t, fd, (char[16]){0})

static int traced_open(void *context, const char *path, int flags, mode_t mode)
{
    struct traced *t = context;
    const int fd = UNDER(open, path, flags, mode);
    name_fd(t, fd, path);
    if ((flags & (O_CREAT | O_TRUNC)) != 0) {
        told(t, "create", path, fd, ", mode %o", (unsigned)mode);
    }
    return fd;
}

static int traced_close(void *context, int fd)
{
    struct traced *t = context;
    name_fd(t, fd, "");
    return UNDER(close, fd);
}

static ssize_t traced_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    struct traced *t = context;
    return told(t, "pwrite", NAMED(fd), UNDER(pwrite, fd, buffer, n_bytes, offset), ": %zu bytes at %" PRIu64,
                n_bytes, offset);
}

static ssize_t traced_write(void *context, int fd, const void *buffer, size_t n_bytes)
{
    struct traced *t = context;
    return told(t, "write", NAMED(fd), UNDER(write, fd, buffer, n_bytes), ": %zu bytes", n_bytes);
}

static ssize_t traced_copy_range(void *context, int from_fd, uint64_t from_offset, int to_fd,
                                 uint64_t to_offset, size_t n_bytes)
{
    struct traced *t = context;
    return told(t, "copy_file_range", NAMED(to_fd),
                UNDER(copy_range, from_fd, from_offset, to_fd, to_offset, n_bytes),
                ": %zu bytes to %" PRIu64 ", from %" PRIu64 " of %s", n_bytes, to_offset, from_offset,
                NAMED(from_fd));
}

static int traced_clone(void *context, int from_fd, int to_fd)
{
    struct traced *t = context;
    return (int)told(t, "clone", NAMED(to_fd), UNDER(clone, from_fd, to_fd), " of %s", NAMED(from_fd));
}

static int traced_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    struct traced *t = context;
    return (int)told(t, "ftruncate", NAMED(fd), UNDER(ftruncate, fd, size_bytes), " to %" PRIu64, size_bytes);
}

static int traced_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes)
{
    static const char *const calls[] = {[IO_ROOM_INSERT] = "fallocate(insert)",
                                        [IO_ROOM_COLLAPSE] = "fallocate(collapse)",
                                        [IO_ROOM_PUNCH] = "fallocate(punch)"};
    struct traced *t = context;
    return (int)told(t, calls[how], NAMED(fd), UNDER(fallocate, fd, how, offset, n_bytes),
                     ": %" PRIu64 " bytes at %" PRIu64, n_bytes, offset);
}

static int traced_fsync(void *context, int fd)
{
    struct traced *t = context;
    return (int)told(t, "fsync", NAMED(fd), UNDER(fsync, fd), "%s", "");
}

static int traced_datasync(void *context, int fd)
{
    struct traced *t = context;
    return (int)told(t, "fdatasync", NAMED(fd), UNDER(datasync, fd), "%s", "");
}

static int traced_futimens(void *context, int fd, const struct timespec times[2])
{
    struct traced *t = context;
    return (int)told(t, "futimens", NAMED(fd), UNDER(futimens, fd, times), " to %" PRId64,
                     (int64_t)times[1].tv_sec);
}

static int traced_fchown(void *context, int fd, uid_t uid, gid_t gid)
{
    struct traced *t = context;
    return (int)told(t, "fchown", NAMED(fd), UNDER(fchown, fd, uid, gid), " to %u:%u", (unsigned)uid,
                     (unsigned)gid);
}

static int traced_fchmod(void *context, int fd, mode_t mode)
{
    struct traced *t = context;
    return (int)told(t, "fchmod", NAMED(fd), UNDER(fchmod, fd, mode), " to %o", (unsigned)mode);
}

static int traced_fsetxattr(void *context, int fd, const char *name, const void *value, size_t n_bytes)
{
    struct traced *t = context;
    return (int)told(t, "fsetxattr", NAMED(fd), UNDER(fsetxattr, fd, name, value, n_bytes), ": %s, %zu bytes",
                     name, n_bytes);
}

static int traced_link(void *context, const char *from, const char *to)
{
    struct traced *t = context;
    return (int)told(t, "link", from, UNDER(link, from, to), " as %s", to);
}

static int traced_rename(void *context, const char *from, const char *to, bool replace)
{
    struct traced *t = context;
    return (int)told(t, replace ? "rename" : "rename(noreplace)", from, UNDER(rename, from, to, replace),
                     " to %s", to);
}

static int traced_unlink(void *context, const char *path)
{
    struct traced *t = context;
    return (int)told(t, "unlink", path, UNDER(unlink, path), "%s", "");
}

static int traced_lock(void *context, int fd, enum io_lock lock)
{
    struct traced *t = context;
    return (int)told(t, lock == IO_LOCK_WRITE ? "lock(write)" : "lock(read)", NAMED(fd),
                     UNDER(lock, fd, lock), "%s", "");
}

/* Calls that only look go to the table below with its own context: that is what a thin table is for. */
#define LOOKS(result, call, parameters, arguments)                                                           \
    static result looks_##call parameters                                                                    \
    {                                                                                                        \
        const struct traced *t = context;                                                                    \
        return t->under->call arguments;                                                                     \
    }

LOOKS(ssize_t, pread, (void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset),
      (t->under->context, fd, buffer, n_bytes, offset))
LOOKS(int64_t, seek, (void *context, int fd, uint64_t offset, int whence),
      (t->under->context, fd, offset, whence))
LOOKS(int, fstat, (void *context, int fd, struct stat *out), (t->under->context, fd, out))
LOOKS(int, shown_file, (void *context, int fd, struct stat *out), (t->under->context, fd, out))
LOOKS(int, stat, (void *context, const char *path, struct stat *out), (t->under->context, path, out))
LOOKS(int, lstat, (void *context, const char *path, struct stat *out), (t->under->context, path, out))
LOOKS(int, resolve, (void *context, const char *path, char *out, size_t out_bytes),
      (t->under->context, path, out, out_bytes))
LOOKS(int, list,
      (void *context, const char *directory, int (*each)(void *each_context, const char *name),
       void *each_context),
      (t->under->context, directory, each, each_context))
LOOKS(int, can_insert, (void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes),
      (t->under->context, fd, path, offset, n_bytes))
LOOKS(void, start_writing, (void *context, int fd, uint64_t offset, uint64_t n_bytes),
      (t->under->context, fd, offset, n_bytes))
LOOKS(ssize_t, flistxattr, (void *context, int fd, char *names, size_t n_bytes),
      (t->under->context, fd, names, n_bytes))
LOOKS(ssize_t, fgetxattr, (void *context, int fd, const char *name, void *value, size_t n_bytes),
      (t->under->context, fd, name, value, n_bytes))
LOOKS(int, lock_holder, (void *context, int fd, enum io_lock lock, int64_t *pid),
      (t->under->context, fd, lock, pid))
LOOKS(int, has_writer, (void *context, int fd), (t->under->context, fd))
LOOKS(int, filesystem_id, (void *context, int fd, uint8_t id[IO_FILESYSTEM_ID_BYTES]),
      (t->under->context, fd, id))
LOOKS(uid_t, caller, (void *context), (t->under->context))
LOOKS(int, random, (void *context, void *out, size_t n_bytes), (t->under->context, out, n_bytes))
LOOKS(void, now, (void *context, struct timespec *out), (t->under->context, out))
LOOKS(void, pause, (void *context, unsigned milliseconds), (t->under->context, milliseconds))
LOOKS(int, free_bytes, (void *context, int fd, uint64_t *out), (t->under->context, fd, out))
LOOKS(int, writes_elsewhere, (void *context, int fd), (t->under->context, fd))
LOOKS(int, counts_blocks, (void *context, const char *directory), (t->under->context, directory))

/* A call that is added to the table has to be handed on, or told, as well. */
enum { CALLS = 40 };
_Static_assert(sizeof(struct cow_io) == (CALLS + 1) * sizeof(void *), "a call is missing in the table below");

static const struct cow_io table = {
    .open = traced_open,
    .close = traced_close,
    .pread = looks_pread,
    .pwrite = traced_pwrite,
    .write = traced_write,
    .copy_range = traced_copy_range,
    .seek = looks_seek,
    .clone = traced_clone,
    .fstat = looks_fstat,
    .shown_file = looks_shown_file,
    .stat = looks_stat,
    .lstat = looks_lstat,
    .resolve = looks_resolve,
    .list = looks_list,
    .ftruncate = traced_ftruncate,
    .fallocate = traced_fallocate,
    .can_insert = looks_can_insert,
    .fsync = traced_fsync,
    .datasync = traced_datasync,
    .start_writing = looks_start_writing,
    .futimens = traced_futimens,
    .fchown = traced_fchown,
    .fchmod = traced_fchmod,
    .fsetxattr = traced_fsetxattr,
    .flistxattr = looks_flistxattr,
    .fgetxattr = looks_fgetxattr,
    .link = traced_link,
    .rename = traced_rename,
    .unlink = traced_unlink,
    .lock = traced_lock,
    .lock_holder = looks_lock_holder,
    .has_writer = looks_has_writer,
    .filesystem_id = looks_filesystem_id,
    .caller = looks_caller,
    .random = looks_random,
    .now = looks_now,
    .pause = looks_pause,
    .free_bytes = looks_free_bytes,
    .writes_elsewhere = looks_writes_elsewhere,
    .counts_blocks = looks_counts_blocks,
};

const struct cow_io *trace_begin(const struct cow_io *io, const struct cow_env *env)
{
    if (env == NULL || env->trace == NULL || (env->traces & COW_TRACE_CALLS) == 0) {
        return io;
    }
    struct traced *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return io;
    }
    t->io = table;
    t->io.context = t;
    t->under = io;
    t->env = env;
    /* what the table below may leave out */
    t->io.datasync = io->datasync != NULL ? t->io.datasync : NULL;
    t->io.start_writing = io->start_writing != NULL ? t->io.start_writing : NULL;
    t->io.shown_file = io->shown_file != NULL ? t->io.shown_file : NULL;
    t->io.writes_elsewhere = io->writes_elsewhere != NULL ? t->io.writes_elsewhere : NULL;
    t->io.counts_blocks = io->counts_blocks != NULL ? t->io.counts_blocks : NULL;
    return &t->io;
}

void trace_name(const struct cow_io *traced, const struct cow_io *io, int fd, const char *path)
{
    if (traced != io) {
        name_fd(traced->context, fd, path);
    }
}

void trace_end(const struct cow_io *traced, const struct cow_io *io)
{
    if (traced != io) {
        free(traced->context);
    }
}
