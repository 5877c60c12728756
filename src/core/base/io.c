/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loops over the table of calls: short reads and writes, EINTR, extents.
 */
#include "core/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/arith.h"

static int open_kind(const struct cow_io *io, const char *path, int flags, bool may_be_device,
                     struct stat *facts)
{
    struct stat before;
    int status = (flags & O_NOFOLLOW) != 0 ? io->lstat(io->context, path, &before)
                                           : io->stat(io->context, path, &before);
    if (status < 0) {
        return status;
    }
    *facts = before;
    const bool is_device = may_be_device && S_ISBLK(before.st_mode);
    if (!S_ISREG(before.st_mode) && !is_device) {
        return -EINVAL;
    }
    int fd = io->open(io->context, path, flags | O_NONBLOCK, 0);
    if (fd < 0) {
        return fd;
    }
    status = io->fstat(io->context, fd, facts);
    if (status == 0 && (is_device ? !S_ISBLK(facts->st_mode) : !S_ISREG(facts->st_mode))) {
        status = -EINVAL;
    } else if (status == 0 && (facts->st_dev != before.st_dev || facts->st_ino != before.st_ino)) {
        status = -ESTALE;
    }
    if (status < 0) {
        io->close(io->context, fd);
        return status;
    }
    return fd;
}

int io_open_regular(const struct cow_io *io, const char *path, int flags, struct stat *facts)
{
    return open_kind(io, path, flags, false, facts);
}

int io_open_disk(const struct cow_io *io, const char *path, int flags, struct stat *facts)
{
    return open_kind(io, path, flags, true, facts);
}

int io_stat_disk(const struct cow_io *io, const char *path, struct stat *facts)
{
    int status = io->stat(io->context, path, facts);
    if (status < 0 || !S_ISBLK(facts->st_mode)) {
        return status;
    }
    int fd = io_open_disk(io, path, O_RDONLY, facts);
    if (fd >= 0) {
        io->close(io->context, fd);
    }
    return fd < 0 ? fd : 0;
}

ssize_t io_read(const struct cow_io *io, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n = io->pread(io->context, fd, (char *)buffer + done, n_bytes - done, offset + done);
        if (n == -EINTR) {
            continue;
        }
        if (n < 0) {
            return n;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int io_read_padded(const struct cow_io *io, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    ssize_t n = io_read(io, fd, buffer, n_bytes, offset);
    if (n < 0) {
        return (int)n;
    }
    memset((char *)buffer + n, 0, n_bytes - (size_t)n);
    return 0;
}

int io_write(const struct cow_io *io, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n = io->pwrite(io->context, fd, (const char *)buffer + done, n_bytes - done, offset + done);
        if (n == -EINTR) {
            continue;
        }
        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            return -EIO; /* a regular file never answers 0 */
        }
        done += (size_t)n;
    }
    return 0;
}

/* Data from `offset` to where a search for a hole has led. */
static int until_hole(uint64_t offset, uint64_t limit, int64_t hole, struct io_extent *out)
{
    if (hole < 0 && hole != -ENXIO) {
        return (int)hole;
    }
    uint64_t end = hole < 0 || (uint64_t)hole <= offset ? limit : arith_min((uint64_t)hole, limit);
    *out = (struct io_extent){.begin = offset, .end = end, .data = true};
    return 0;
}

int io_extent_at(const struct cow_io *io, int fd, uint64_t offset, uint64_t limit, struct io_extent *out)
{
    int64_t data = io->seek(io->context, fd, offset, SEEK_DATA);
    if (data == -ENXIO) { /* nothing but a hole, or past the end */
        *out = (struct io_extent){.begin = offset, .end = limit, .data = false};
        return 0;
    }
    if (data == -EINVAL || data == -EOPNOTSUPP) {
        *out = (struct io_extent){.begin = offset, .end = limit, .data = true};
        return 0;
    }
    if (data < 0) {
        return (int)data;
    }
    if ((uint64_t)data > offset) {
        *out = (struct io_extent){.begin = offset, .end = arith_min((uint64_t)data, limit), .data = false};
        return 0;
    }
    return until_hole(offset, limit, io->seek(io->context, fd, offset, SEEK_HOLE), out);
}

int io_data_at(const struct cow_io *io, int fd, uint64_t offset, uint64_t limit, struct io_extent *out)
{
    int64_t hole = io->seek(io->context, fd, offset, SEEK_HOLE);
    const bool is_to_be_asked_otherwise =
        hole == -ENXIO || hole == -EINVAL || hole == -EOPNOTSUPP; /* past the end, or this cannot be told */
    if (is_to_be_asked_otherwise || (hole >= 0 && (uint64_t)hole <= offset)) {
        return io_extent_at(io, fd, offset, limit, out);
    }
    return until_hole(offset, limit, hole, out);
}

int io_count_data(const struct cow_io *io, int fd, uint64_t begin, uint64_t end, struct io_allocated *out)
{
    *out = (struct io_allocated){.runs = 0};
    while (begin < end) {
        struct io_extent extent;
        int status = io_extent_at(io, fd, begin, end, &extent);
        if (status < 0) {
            return status;
        }
        out->n_bytes += extent.data ? extent.end - begin : 0;
        out->runs += extent.data;
        begin = extent.end;
    }
    return 0;
}

int io_punch(const struct cow_io *io, int fd, uint64_t offset, uint64_t n_bytes)
{
    if (n_bytes == 0) {
        return 0;
    }
    int status = io->fallocate(io->context, fd, IO_ROOM_PUNCH, offset, n_bytes);
    return status == -EOPNOTSUPP || status == -ENOSYS || status == -EINVAL
               ? io_write_zeros(io, fd, offset, n_bytes)
               : status;
}

int io_datasync(const struct cow_io *io, int fd)
{
    return (io->datasync != NULL ? io->datasync : io->fsync)(io->context, fd);
}

bool io_is_no_directory_sync(int status)
{
    return status == -EINVAL || status == -ENOSYS || status == -EOPNOTSUPP;
}

int io_sync_directory(const struct cow_io *io, const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof directory) {
        return -ENAMETOOLONG;
    }
    memcpy(directory, path, length);
    directory[length] = '\0';
    int fd = io->open(io->context, length == 0 ? "." : directory, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        return fd;
    }
    int status = io->fsync(io->context, fd);
    io->close(io->context, fd);
    /* Not to be had on this filesystem, which is no failure to do it (EIO): its names are as durable as they
     * get. */
    return io_is_no_directory_sync(status) ? 0 : status;
}

int io_write_zeros(const struct cow_io *io, int fd, uint64_t offset, uint64_t n_bytes)
{
    static const uint8_t zeros[64 * 1024];
    int status = 0;
    for (uint64_t done = 0; done < n_bytes && status == 0;) {
        struct io_extent extent; /* what reads as zeros already is left a hole */
        status = io_extent_at(io, fd, offset + done, offset + n_bytes, &extent);
        uint64_t piece = status < 0 ? 0 : extent.end - extent.begin;
        if (status == 0 && extent.data) {
            piece = arith_min(piece, sizeof zeros);
            status = io_write(io, fd, zeros, (size_t)piece, offset + done);
        }
        done += piece;
    }
    return status;
}
