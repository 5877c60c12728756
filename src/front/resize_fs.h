/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A filesystem on a disk is given another size, by the programs that know it: e2fsck, resize2fs, and sfdisk
 * where it lies in a partition. They see the disk as a file: served by nbdkit and mounted by nbdfuse; where
 * these are not there, or no FUSE, a sparse raw copy of it, from which what has changed is written back.
 */
#ifndef FRONT_RESIZE_FS_H
#define FRONT_RESIZE_FS_H

#include <stdbool.h>

#include "cow/env.h"

/* Who looks on. */
struct front_fs_watch {
    /* Called ten times a second: which program is at work, and its last line. True: to stop. May be NULL. */
    bool (*wants_stop)(void *context, const char *program, const char *line);
    void *context;
};

/* Whether the programs are there, before anything is planned; *copies: the disk would have to be copied.
 * Errors: COW_UNSUPPORTED. */
int front_need_resize_fs(bool *copies, struct cow_error *err);

/* What cow_env.resize_fs is to do. Errors: as stated there. */
int front_resize_fs(const struct cow_fs_job *job, const struct front_fs_watch *watch, struct cow_error *err);

#endif
