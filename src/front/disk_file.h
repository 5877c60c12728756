/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk, or a part of it, as a file that other programs can read and write: served and mounted, or as a
 * sparse raw copy.
 */
#ifndef FRONT_DISK_FILE_H
#define FRONT_DISK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/env.h"
#include "front/mount.h"

struct cow_writer;

struct disk_file {
    char path[64 + 92]; /* of the file, for other programs */
    const int *fds;     /* that they need for that */
    size_t n_fds;
    /* ours */
    struct front_server *server;
    struct front_mount *mount;
    struct cow_writer *writer; /* of a copy */
    int fd;                    /* the copy, without a name */
    uint64_t first_byte, n_bytes;
};

/* Whether disks are served and mounted here; else they are copied. */
bool disk_file_is_served(void);

/* Opens [first_byte, first_byte + n_bytes) of the job's disk; n_bytes 0: all of it. Close it. Errors: those
 * of front/server.h and front/mount.h; COW_IO. */
int disk_file_open(struct disk_file *out, const struct cow_fs_job *job, uint64_t first_byte, uint64_t n_bytes,
                   struct cow_error *err);

/* Closes it; with status 0, so far, what was written in it is in the COW file then (not flushed). Answers
 * status, or what went wrong at the end. */
int disk_file_close(struct disk_file *file, int status, struct cow_error *err);

#endif
