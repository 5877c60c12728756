/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files of the host: opening without surprises, and their extents.
 */
#ifndef CORE_IMAGE_HOST_FILE_H
#define CORE_IMAGE_HOST_FILE_H

#include <sys/stat.h>

#include "core/base/io.h"
#include "cow/foreign.h"

/* An open file of the host. */
struct host_file {
    int fd; /* -1: none */
    struct stat facts;
    struct io_extent extent; /* the last one asked for */
    bool shows_backing;      /* with a source: what lies there is what the new image's backing file has */
    const struct cow_foreign_source
        *source; /* who reads the disk that it holds; NULL: the file is the disk */
};

/* Opens a regular file without blocking on FIFOs; facts are its fstat. Errors name what (a path, or words).
 */
int host_file_open(const struct cow_io *io, struct host_file *out, const char *path, int flags,
                   struct cow_error *err);
/* The same for what holds a disk: a block device is as good. Its size is that of the device. */
int host_file_open_disk(const struct cow_io *io, struct host_file *out, const char *path, int flags,
                        struct cow_error *err);
void host_file_close(const struct cow_io *io, struct host_file *file); /* nothing where none is open */

/* The extent of the file at `offset` (asked once for each extent), cut to `limit`. */
int host_file_extent(const struct cow_io *io, struct host_file *file, uint64_t offset, uint64_t limit,
                     struct io_extent *out);

/* Reads exactly n_bytes; what lies past the end of the file reads as zeros. 0 or -errno. */
int host_file_read_padded(const struct cow_io *io, const struct host_file *file, void *buffer, size_t n_bytes,
                          uint64_t offset);
/* From `offset` on, how many bytes up to `limit` are known to be those of the new image's backing file: only
 * where somebody else reads the disk, else 0. 0 or -errno. */
int host_file_shows_backing(struct host_file *file, uint64_t offset, uint64_t limit, uint64_t *n_bytes);
/* What is free on the filesystem that the file lies on. 0 or -errno; -EBADF where no file is open. */
int host_file_free_bytes(const struct cow_io *io, const struct host_file *file, uint64_t *out);
/* Whether another process has it open for writing without a lock, as far as that can be told. */
bool host_file_has_silent_writer(const struct cow_io *io, const struct host_file *file);
/* Whether what is written over in it takes new room, as far as that can be told. */
bool host_file_writes_elsewhere(const struct cow_io *io, const struct host_file *file);

/* Locks an open file for as long as it stays open. COW_LOCKED with the holder's pid where that is told:
 * "PATH: the WHAT is in use by pid 7"; COW_IO where there are no locks (host_file_no_lock). */
int host_file_lock(const struct cow_io *io, int fd, enum io_lock lock, const char *path, const char *what,
                   struct cow_error *err);
/* No lock was had (-errno), and not because somebody holds one: COW_IO, with what helps. */
int host_file_no_lock(struct cow_error *err, int status, const char *path);

/* One file, under whatever name; one block device, by whatever node. */
bool same_file(const struct stat *a, const struct stat *b);

#endif
