/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See host_file.h. An extent is asked for once and remembered: runs of one extent are many, and each question
 * is a call or two. Data ends in a hole, so at the end of data the other question is asked first; elsewhere
 * what is asked for are places that something was written to.
 */
#include "core/image/host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/arith.h"

static const char *kind_of_file(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISLNK(mode)  ? "a symbolic link"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISBLK(mode)  ? "a block device"
                            : "a device";
}

/* What came of opening it. */
static int opened(struct host_file *out, const struct host_file *file, const char *path,
                  struct cow_error *err)
{
    if (file->fd == -EINVAL && !S_ISREG(file->facts.st_mode)) {
        return cow_error_set(err, COW_IO, "%s: %s, not a regular file", path,
                             kind_of_file(file->facts.st_mode));
    }
    if (file->fd < 0) {
        return cow_error_system(err, -file->fd, "%s", path);
    }
    *out = *file;
    return 0;
}

int host_file_open(const struct cow_io *io, struct host_file *out, const char *path, int flags,
                   struct cow_error *err)
{
    struct host_file file = {.facts = {.st_mode = S_IFREG}};
    file.fd = io_open_regular(io, path, flags, &file.facts);
    return opened(out, &file, path, err);
}

int host_file_open_disk(const struct cow_io *io, struct host_file *out, const char *path, int flags,
                        struct cow_error *err)
{
    struct host_file file = {.facts = {.st_mode = S_IFREG}};
    file.fd = io_open_disk(io, path, flags, &file.facts);
    return opened(out, &file, path, err);
}

void host_file_close(const struct cow_io *io, struct host_file *file)
{
    if (file->fd >= 0) {
        io->close(io->context, file->fd);
        file->fd = -1;
    }
}

/* What lies at `offset` of a disk that somebody else reads: behind its end there is a hole. */
static int ask_source(struct host_file *file, uint64_t offset)
{
    const struct cow_foreign_source *source = file->source;
    enum cow_foreign_kind kind = COW_FOREIGN_ZEROS;
    uint64_t end = INT64_MAX;
    int status = offset >= source->size_bytes
                     ? 0
                     : source->extent(source->context, offset, source->size_bytes, &kind, &end);
    if (status == 0) {
        file->extent = (struct io_extent){offset, end, kind != COW_FOREIGN_ZEROS};
        file->shows_backing = kind == COW_FOREIGN_BACKING;
    }
    return status;
}

int host_file_shows_backing(struct host_file *file, uint64_t offset, uint64_t limit, uint64_t *n_bytes)
{
    const bool known = offset >= file->extent.begin && offset < file->extent.end;
    int status = file->source == NULL || known ? 0 : ask_source(file, offset);
    *n_bytes = status == 0 && file->shows_backing ? arith_min(file->extent.end, limit) - offset : 0;
    return status;
}

int host_file_extent(const struct cow_io *io, struct host_file *file, uint64_t offset, uint64_t limit,
                     struct io_extent *out)
{
    if (offset < file->extent.begin || offset >= file->extent.end) {
        /* Data ends in a hole. What is asked for elsewhere are places that something was written to. */
        const bool hole = offset == file->extent.end && file->extent.data;
        int status = file->source != NULL ? ask_source(file, offset)
                     : hole               ? io_extent_at(io, file->fd, offset, INT64_MAX, &file->extent)
                                          : io_data_at(io, file->fd, offset, INT64_MAX, &file->extent);
        if (status < 0) {
            return status;
        }
    }
    *out = (struct io_extent){offset, arith_min(file->extent.end, limit), file->extent.data};
    return 0;
}

int host_file_read_padded(const struct cow_io *io, const struct host_file *file, void *buffer, size_t n_bytes,
                          uint64_t offset)
{
    const struct cow_foreign_source *source = file->source;
    if (source == NULL) {
        return io_read_padded(io, file->fd, buffer, n_bytes, offset);
    }
    const size_t there = (size_t)arith_min(n_bytes, arith_sub_floor(source->size_bytes, offset));
    memset((uint8_t *)buffer + there, 0, n_bytes - there);
    return there == 0 ? 0 : source->read(source->context, buffer, there, offset);
}

int host_file_free_bytes(const struct cow_io *io, const struct host_file *file, uint64_t *out)
{
    return file->fd < 0 ? -EBADF : io->free_bytes(io->context, file->fd, out);
}

bool host_file_has_silent_writer(const struct cow_io *io, const struct host_file *file)
{
    int64_t pid;
    return io->has_writer(io->context, file->fd) == 1 &&
           io->lock_holder(io->context, file->fd, IO_LOCK_WRITE, &pid) <= 0;
}

bool host_file_writes_elsewhere(const struct cow_io *io, const struct host_file *file)
{
    return io->writes_elsewhere != NULL && io->writes_elsewhere(io->context, file->fd) > 0;
}

int host_file_no_lock(struct cow_error *err, int status, const char *path)
{
    cow_error_system(err, -status, "locking %s", path);
    return cow_error_hint(
        err, "where this filesystem has no locks, a running guest could not be noticed: copy the files "
             "to a local one, or mount it with locks (NFS: local_lock=all, or nfsvers=4)");
}

int host_file_lock(const struct cow_io *io, int fd, enum io_lock lock, const char *path, const char *what,
                   struct cow_error *err)
{
    int64_t pid = 0;
    int status = io->lock(io->context, fd, lock);
    if (status != -EAGAIN && status != -EACCES) {
        return status < 0 ? host_file_no_lock(err, status, path) : 0;
    }
    if (io->lock_holder(io->context, fd, lock, &pid) > 0 && pid > 0) {
        cow_error_set(err, COW_LOCKED, "%s: the %s is in use by pid %" PRId64, path, what, pid);
        return cow_error_hint(err, "a running UML guest, most likely: shut it down first");
    }
    cow_error_set(err, COW_LOCKED, "%s: the %s is locked by another process", path, what);
    return cow_error_hint(err, "another cowtui may be changing it: try again when it is done");
}

bool same_file(const struct stat *a, const struct stat *b)
{
    if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode)) { /* a device may have several nodes */
        return a->st_rdev == b->st_rdev;
    }
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}
