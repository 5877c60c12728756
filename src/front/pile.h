/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lies on each other, from the ground up: a server of the disk, its file, the filesystem in that. It is
 * ended from above.
 */
#ifndef FRONT_PILE_H
#define FRONT_PILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "cow/error.h"
#include "cow/fs.h"
#include "cow/image.h"
#include "front/mount.h"
#include "front/server.h"

/* What is mounted: all of the disk, or a filesystem on it. */
struct front_target {
    bool is_filesystem;
    uint64_t first_byte, size_bytes; /* of a partition; 0, 0: the whole disk */
    char type[COW_VOLUME_TEXT_BYTES];
    char words[COW_VOLUME_TEXT_BYTES + 32]; /* "partition 2, ext4", "all of it, ext4"; "" the disk */
    char directory[PATH_MAX];
};

/* Whether something can be mounted on that directory here, and its whole path into the target. Errors:
 * COW_USAGE (no empty directory), COW_UNSUPPORTED (nbdfuse or FUSE is not there), COW_IO. */
int front_target_directory(struct front_target *target, const char *path, struct cow_error *err);

/* Finds the filesystem: in that partition, or with 0 the only one on the disk. Errors: COW_USAGE (none, or
 * several; the name stands before the message), COW_UNSUPPORTED (it cannot be mounted here). */
int front_target_filesystem(struct front_target *target, struct cow_image *image, const char *name,
                            unsigned partition, struct cow_error *err);

/* All NULL to begin with. */
struct front_pile {
    struct front_server *server;
    struct front_mount *disk, *filesystem; /* NULL: it does not reach so high */
};

/* Serves the disk as those options say, and mounts it; target NULL: serves only. Errors: those of
 * front_server_start, front_mount_disk, front_mount_filesystem; what stands then is for
 * front_pile_take_down. */
int front_pile_build(struct front_pile *pile, const struct front_server_options *options,
                     const struct front_target *target, struct cow_error *err);

/* Where it can be used: a file or a directory; NULL: it is only served. */
const char *front_pile_path(const struct front_pile *pile);

/* Hands on what is said, waiting for that up to ms. False when something of it has fallen. */
bool front_pile_poll(struct front_pile *pile, int ms);

/* Ends all of it, whatever goes wrong; the first error is told: those of front_mount_stop and
 * front_server_stop. */
int front_pile_take_down(struct front_pile *pile, struct cow_error *err);

#endif
