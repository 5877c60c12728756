/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The filesystems of a disk as the files of this room share them.
 */
#ifndef CORE_GUESTFS_GUESTFS_H
#define CORE_GUESTFS_GUESTFS_H

#include "core/guestfs/channel.h"
#include "core/volumes/volumes.h"
#include "cow/fs.h"

/* What is open of a volume. */
struct guest_volume {
    ext2_filsys fs;      /* NULL: not readable */
    ext2_filsys base_fs; /* NULL: nothing to compare with */
};

/* To how many blocks resize2fs -M could shrink it, by the numbers of the superblock and the descriptors. */
uint64_t minimum_blocks(ext2_filsys fs);

/* COW_NO_MEMORY, COW_IO or COW_INVALID with words for a code of libext2fs. */
int guestfs_failed(struct cow_error *err, errcode_t code, const struct cow_fs *fs, const char *what);

#endif
