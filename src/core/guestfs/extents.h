/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The blocks of an inode, in runs: by its extent tree, or by its indirect blocks. A hostile filesystem may
 * have trees without end, so there is a budget.
 */
#ifndef CORE_GUESTFS_EXTENTS_H
#define CORE_GUESTFS_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <ext2fs/ext2fs.h>

struct extent_piece {
    uint64_t block; /* of the filesystem */
    uint64_t first; /* of the file, in blocks; of no meaning for a mapping block */
    uint64_t count; /* blocks */
    bool mapping;   /* a node of the extent tree, or an indirect block */
    bool unwritten; /* allocated, and reads as zeros */
};

/* Hands out the pieces in the order of the file; an answer other than 0 ends the walk and is returned.
 * *budget counts down by what is looked at; at 0 the walk ends with EXT2_ET_CANCEL_REQUESTED. Answers a code
 * of libext2fs. Pieces that lie outside of the filesystem are left out, with EXT2_ET_BAD_BLOCK_NUM in the
 * end. */
errcode_t extents_walk(ext2_filsys fs, ext2_ino_t inode, struct ext2_inode_large *content, uint64_t *budget,
                       errcode_t (*each)(void *context, const struct extent_piece *piece), void *context);

#endif
