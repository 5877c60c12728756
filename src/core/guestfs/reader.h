/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The content of a file of the guest, by the runs of its blocks: a hole costs nothing.
 */
#ifndef CORE_GUESTFS_READER_H
#define CORE_GUESTFS_READER_H

#include "core/guestfs/extents.h"
#include "core/guestfs/guestfs.h"

struct cow_fs_reader {
    const struct source *source;
    uint64_t block_bytes;
    uint64_t size_bytes;
    struct extent_piece *piece; /* of its content, in its order */
    size_t n, room;
    uint8_t *inline_data; /* the content, of one that has no blocks; NULL: it has */
    size_t inline_bytes;
};

/* By its inode, of any type that has content. Answers a code of libext2fs. */
errcode_t reader_open_inode(struct cow_fs_reader **out, const struct source *source, ext2_filsys fs,
                            ext2_ino_t inode, struct ext2_inode_large *content);

/* The next written stretch of the file at or after `offset`, in bytes; *begin == size if there is none. */
void reader_next_data(const struct cow_fs_reader *reader, uint64_t offset, uint64_t *begin, uint64_t *end);

/* cow_fs_compare, with somebody who is asked between the pieces: an answer other than 0 ends it. tell may be
 * NULL. */
int reader_compare(struct cow_fs_reader *a, struct cow_fs_reader *b, bool *equal, uint64_t *first_difference,
                   int (*tell)(void *context, struct cow_error *err), void *context, struct cow_error *err);

#endif
