/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The filesystems of a disk as the files of this room share them.
 */
#ifndef CORE_GUESTFS_GUESTFS_H
#define CORE_GUESTFS_GUESTFS_H

#include "core/guestfs/source.h"
#include "cow/fs.h"

/* A volume and what is open of it. */
struct guest_volume {
    struct source guest, base; /* what the guest sees; what the backing file has there */
    ext2_filsys fs;            /* NULL: not readable */
    ext2_filsys base_fs;       /* NULL: nothing to compare with */
};

struct cow_fs {
    struct cow_image *img;
    char table[8];
    bool ambiguous; /* there are signs of more than one use of the same place */
    size_t n_volumes;
    struct cow_volume *volume;   /* what front ends see */
    struct guest_volume *inner;  /* the same ones; the sources' places in memory do not change */
    struct read_failure failure; /* of all sources */
    struct cow_volume whole;     /* cow_fs_whole */
    struct cow_gpt gpt;
    bool gpt_rejected;    /* the disk is too short for it: libblkid does not list it */
    uint64_t table_end;   /* cow_fs_table_end */
    unsigned container;   /* the number of the partition that holds the logical ones; 0: none */
    uint64_t table_bytes; /* at the beginning of the disk, that the partition table takes */
};

/* Finds partitions, and names what lies in them. Fills fs->table, n_volumes, volume and inner's sources. */
int volumes_find(struct cow_fs *fs, struct cow_error *err);

/* To how many blocks resize2fs -M could shrink it, by the numbers of the superblock and the descriptors. */
uint64_t minimum_blocks(ext2_filsys fs);

/* Ends a call that has read: a failed read is its answer, whatever has become of it on the way. */
int guestfs_settle(struct cow_fs *fs, int status, struct cow_error *err);

/* COW_NO_MEMORY, COW_IO or COW_INVALID with words for a code of libext2fs. */
int guestfs_failed(struct cow_error *err, errcode_t code, const struct cow_fs *fs, const char *what);

#endif
