/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk that is served, as a file; and the filesystem in such a file, as a directory. Each is a program of
 * somebody else that stays as long as the mount does, but for what the kernel mounts itself (as root, through
 * a loop device).
 */
#ifndef FRONT_MOUNT_H
#define FRONT_MOUNT_H

#include <stdbool.h>

#include "cow/error.h"
#include "front/process.h"
#include "front/server.h"

struct front_mount;

struct front_mount_options {
    const char *directory; /* an empty one, absolute; NULL (for a disk): one of our own, which nobody else can
                              look into */
    bool is_writing;
    front_line *on_line; /* what the program says; NULL: nobody wants it */
    void *context;
};

/* The disk of a server as a file: front_mount_path tells its name, "DIRECTORY/nbd". Its programs are nbdfuse
 * and FUSE. *out is the caller's: front_mount_stop. Errors: COW_UNSUPPORTED (not installed), COW_USAGE (no
 * empty directory), COW_IO. Nothing is left of it then. */
int front_mount_disk(struct front_mount **out, const struct front_server *server,
                     const struct front_mount_options *options, struct cow_error *err);

/* The filesystem in a file, at options->directory; type: as libblkid names it ("ext4"). ext2, 3 and 4 by
 * fuse2fs, and where that is not installed, or the type is another one, by the kernel, if we are root.
 * Without is_writing the file is not written to: no journal is replayed. Errors: as above. */
int front_mount_filesystem(struct front_mount **out, const char *file, const char *type,
                           const struct front_mount_options *options, struct cow_error *err);

/* Whether front_mount_filesystem can mount that type here. Errors: COW_UNSUPPORTED. */
int front_need_filesystem(const char *type, struct cow_error *err);

/* Where it can be used: the file of a disk, the directory of a filesystem. */
const char *front_mount_path(const struct front_mount *mount);

/* Hands on what its program says, waiting for that up to ms. False when it is mounted no more: somebody
 * unmounted it, or the program has ended. */
bool front_mount_poll(struct front_mount *mount, int ms);

/* Unmounts it, if it still is, waits for its end, and frees it. Who still has something open there finds it
 * gone. NULL is allowed. Errors: COW_IO where its program ended with an error: what was written may not be on
 * the disk. */
int front_mount_stop(struct front_mount *mount, struct cow_error *err);

#endif
