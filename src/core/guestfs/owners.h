/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which blocks of a filesystem belong to whom: an array of stretches, in the order of the blocks.
 */
#ifndef CORE_GUESTFS_OWNERS_H
#define CORE_GUESTFS_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ext2fs/ext2fs.h>

#include "cow/fs.h"

struct owned {
    uint64_t block;
    uint64_t first; /* of the file, in blocks */
    uint32_t count;
    uint32_t inode; /* 0: none */
    uint8_t fs_class;
    bool in_file; /* first holds */
};

struct owners {
    struct owned *owned;
    size_t n, room;
};

/* False: out of memory. Neighbours of one owner are joined. */
bool owners_add(struct owners *owners, const struct owned *owned);

/* Sorts; of stretches that begin at the same block one stays: of a file's content, of the lowest inode.
 * Answers whether two inodes had the same block, other than one of attributes. */
bool owners_sort(struct owners *owners);

/* The stretch that holds the block, or NULL; *end is where the answer ceases to hold (as far as `limit`). */
const struct owned *owners_find(const struct owners *owners, uint64_t block, uint64_t limit, uint64_t *end);

/* Frees what is in it: it is empty then, and can be used again. */
void owners_free(struct owners *owners);

/* Where superblocks, descriptors, bitmaps and inode tables lie. Sorted. False: out of memory. */
bool owners_add_groups(struct owners *owners, ext2_filsys fs);

#endif
