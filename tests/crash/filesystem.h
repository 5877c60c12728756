/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An ext filesystem that a guest has changed, made by libext2fs in memory, and what its files hold. Its own
 * allocations never fail here.
 */
#ifndef CRASH_FILESYSTEM_H
#define CRASH_FILESYSTEM_H

#include "tree.h"

struct filesystem {
    uint8_t *before; /* size_bytes each: as the backing file has it, and as the guest does */
    uint8_t *after;
    uint64_t kept_at; /* where a file lies that the guest has left alone */
};

/* Of one group: no larger than 8 * block_bytes blocks. The guest has changed files and one's name, made one,
 * removed one, and made and removed another one, whose bytes are still there. Cleanly unmounted. */
void filesystem_make(struct filesystem *out, uint32_t block_bytes, uint64_t size_bytes);
void filesystem_free(struct filesystem *filesystem);

/* What a file holds ("content", "holes", "kept"; or "link" to the one with holes), as an inode in no tree
 * (the caller's, inode_forget). */
struct inode filesystem_file(const char *name, uint32_t block_bytes, bool changed_by_guest);

/* Whether libext2fs finds on a disk all that the guest has in its files. */
bool filesystem_is_whole(const struct inode *disk, uint32_t block_bytes);

/* Whether a byte of a disk lies in a block that the filesystem has free: by its bitmap, as it lies there. */
bool filesystem_is_free(const struct inode *disk, uint64_t offset);

#endif
