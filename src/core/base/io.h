/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one table of system calls that the core makes on files. The product uses the operating system's
 * (io_system); tests wrap it with faults or with a simulated disk, so the code above knows nothing of them.
 *
 * Every call answers 0 or more, or a negative errno. Calls are as thin as possible: loops over short reads
 * and writes and over EINTR are in the helpers below, so that a wrapper sees (and can break) each real call.
 */
#ifndef CORE_BASE_IO_H
#define CORE_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "cow/error.h"

enum { IO_FILESYSTEM_ID_BYTES = 17 }; /* which kind of number it is, and up to 16 bytes of it */

enum io_lock { IO_LOCK_READ, IO_LOCK_WRITE };

/* What fallocate does with a range of a file. The first two move whole blocks of the filesystem, and answer
 * -EINVAL for less, and -EOPNOTSUPP where the filesystem cannot. Neither of them is atomic: after a crash, or
 * an error, a part of the blocks behind the range may have moved, and the file may be longer already. */
enum io_room {
    IO_ROOM_INSERT,   /* a hole appears at offset; what lay there and behind it lies n_bytes further on */
    IO_ROOM_COLLAPSE, /* the range goes, what lies behind it moves up; it must end before the file does */
    IO_ROOM_PUNCH,    /* the range becomes a hole; the file keeps its length */
};

struct cow_io {
    int (*open)(void *context, const char *path, int flags, mode_t mode);
    int (*close)(void *context, int fd);
    ssize_t (*pread)(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset);
    ssize_t (*pwrite)(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset);
    /* To where the file is at, which may be a pipe. Waits a moment at most, and writes a moderate piece:
     * -EAGAIN where nothing could be written. */
    ssize_t (*write)(void *context, int fd, const void *buffer, size_t n_bytes);
    ssize_t (*copy_range)(void *context, int from_fd, uint64_t from_offset, int to_fd, uint64_t to_offset,
                          size_t n_bytes);
    int64_t (*seek)(void *context, int fd, uint64_t offset, int whence); /* SEEK_DATA, SEEK_HOLE */
    int (*clone)(void *context, int from_fd, int to_fd);                 /* the whole file, by reflink */
    int (*fstat)(void *context, int fd, struct stat *out); /* a block device has st_size and st_blocks, too */
    /* 1: the device shows the content of a file (a loop device), whose st_dev and st_ino are filled in; 0: it
     * does not, as far as that can be told. May be NULL. */
    int (*shown_file)(void *context, int fd, struct stat *out);
    int (*stat)(void *context, const char *path, struct stat *out);
    int (*lstat)(void *context, const char *path, struct stat *out);
    int (*resolve)(void *context, const char *path, char *out,
                   size_t out_bytes); /* absolute, links resolved */
    /* Hands each name in a directory ("." and ".." left out) to `each`, until that answers other than 0,
     * which is the answer then. */
    int (*list)(void *context, const char *directory, int (*each)(void *each_context, const char *name),
                void *each_context);
    int (*ftruncate)(void *context, int fd, uint64_t size_bytes);
    int (*fallocate)(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes);
    /* 1: a file beside the open one, on its filesystem, could have n_bytes inserted at offset (tried on one
     * without a name, which is gone again); 0: it could not, and why does not matter; -errno. */
    int (*can_insert)(void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes);
    int (*fsync)(void *context, int fd);
    /* The same of what is needed to read the bytes again: not the date, which may be lost. NULL: as fsync. */
    int (*datasync)(void *context, int fd);
    /* Begins to write a range to the disk, and does not wait for it: a hint, which promises nothing and tells
     * of no error. May be NULL. */
    void (*start_writing)(void *context, int fd, uint64_t offset, uint64_t n_bytes);
    int (*futimens)(void *context, int fd, const struct timespec times[2]);
    int (*fchown)(void *context, int fd, uid_t uid, gid_t gid);
    int (*fchmod)(void *context, int fd, mode_t mode);
    int (*fsetxattr)(void *context, int fd, const char *name, const void *value, size_t n_bytes);
    ssize_t (*flistxattr)(void *context, int fd, char *names, size_t n_bytes);
    ssize_t (*fgetxattr)(void *context, int fd, const char *name, void *value, size_t n_bytes);
    int (*link)(void *context, const char *from, const char *to);
    int (*rename)(void *context, const char *from, const char *to, bool replace);
    int (*unlink)(void *context, const char *path);
    int (*lock)(void *context, int fd, enum io_lock lock); /* OFD lock on the whole file, no waiting */
    int (*lock_holder)(void *context, int fd, enum io_lock lock,
                       int64_t *pid); /* 1: held by pid (0 unknown); 0: free */
    /* 1: another process has the file open for writing; 0: none has; -errno where the system does not tell.
     * fd is open for reading only. */
    int (*has_writer)(void *context, int fd);
    /* Which filesystem a file lies on, as far as that can be told: the same after a reboot, and for a clone
     * of the disk. 0 or -errno where the system does not tell. */
    int (*filesystem_id)(void *context, int fd, uint8_t id[IO_FILESYSTEM_ID_BYTES]);
    uid_t (*caller)(void *context);                          /* who does all this: the effective user */
    int (*random)(void *context, void *out, size_t n_bytes); /* bytes that nobody else has */
    void (*now)(void *context, struct timespec *out);
    void (*pause)(void *context, unsigned milliseconds);
    int (*free_bytes)(void *context, int fd, uint64_t *out);
    /* 1: what is written over in this file may take new room, for its filesystem writes elsewhere, or it
     * shares blocks with another file; 0: it takes none, as far as that can be told. May be NULL. */
    int (*writes_elsewhere)(void *context, int fd);
    /* 1: files in this directory take the blocks that are written, and a few for notes where they are; 0:
     * that is not known of its filesystem, so what a file will take can be told about only. NULL: as 1. */
    int (*counts_blocks)(void *context, const char *directory);
    void *context;
};

extern const struct cow_io io_system;

/* Opens a regular file, without creating one, and never blocks. What stands there is known before it is
 * opened, so that no FIFO's writer wakes and no device notices. *facts: of what is open. -EINVAL where it is
 * no regular file (*facts tells what it is), -ESTALE where another one has taken its place meanwhile; with
 * O_NOFOLLOW a link is no regular file. The descriptor or -errno. */
int io_open_regular(const struct cow_io *io, const char *path, int flags, struct stat *facts);
/* The same, but a block device is as good, for its content is a disk. */
int io_open_disk(const struct cow_io *io, const char *path, int flags, struct stat *facts);

/* stat of what may be a block device: with its size. */
int io_stat_disk(const struct cow_io *io, const char *path, struct stat *facts);

/* Reads up to n_bytes at offset, until the end of the file. Answers how many (less only at the end) or
 * -errno. */
ssize_t io_read(const struct cow_io *io, int fd, void *buffer, size_t n_bytes, uint64_t offset);

/* Reads exactly n_bytes; what lies past the end of the file reads as zeros. 0 or -errno. */
int io_read_padded(const struct cow_io *io, int fd, void *buffer, size_t n_bytes, uint64_t offset);

/* Writes all n_bytes. 0 or -errno. */
int io_write(const struct cow_io *io, int fd, const void *buffer, size_t n_bytes, uint64_t offset);

struct io_extent {
    uint64_t begin; /* bytes, half-open */
    uint64_t end;
    bool data; /* false: a hole, or past the end of the file */
};

/* What lies at `offset`, as far as it is the same, up to `limit` (> offset). A filesystem that cannot tell
 * answers data. 0 or -errno. */
int io_extent_at(const struct cow_io *io, int fd, uint64_t offset, uint64_t limit, struct io_extent *out);

/* The same where data is likelier than a hole: at the end of one, or where sectors are dirty. One question to
 * the system then instead of two. */
int io_data_at(const struct cow_io *io, int fd, uint64_t offset, uint64_t limit, struct io_extent *out);

/* How many bytes of [begin, end) are data, and in how many runs. */
struct io_allocated {
    uint64_t n_bytes;
    uint64_t runs;
};
/* 0 or -errno. */
int io_count_data(const struct cow_io *io, int fd, uint64_t begin, uint64_t end, struct io_allocated *out);

/* Zeros over [offset, offset + n_bytes); what is a hole stays one. 0 or -errno. */
int io_write_zeros(const struct cow_io *io, int fd, uint64_t offset, uint64_t n_bytes);

/* Makes [offset, offset + n_bytes) of a file a hole; where the filesystem cannot, zeros. The file keeps its
 * length. 0 or -errno. */
int io_punch(const struct cow_io *io, int fd, uint64_t offset, uint64_t n_bytes);

/* Brings the bytes of a file to the disk, and its length; not its date. 0 or -errno. */
int io_datasync(const struct cow_io *io, int fd);

/* Whether what fsync answers for a directory means that this filesystem does not know how. */
bool io_is_no_directory_sync(int status);

/* fsync of the directory that holds path. 0 or -errno; 0 where the filesystem does not know how. */
int io_sync_directory(const struct cow_io *io, const char *path);

#endif
