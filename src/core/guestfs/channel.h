/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stretch of the disk as something that libext2fs reads. Reading only: every call that would write answers
 * that the filesystem is read-only.
 */
#ifndef CORE_GUESTFS_CHANNEL_H
#define CORE_GUESTFS_CHANNEL_H

#include <ext2fs/ext2fs.h>

#include "core/volumes/source.h"

/* For the time of a scan: what is read a block at a time is remembered, and may be as old as that. False: out
 * of memory. */
bool source_cache_begin(struct source *source, uint32_t block_bytes);
/* Forgets it; also where there is none. */
void source_cache_end(struct source *source);

/* Opens the ext filesystem that lies there. The source has to stay where it is as long as *out is open.
 * Answers a code of libext2fs. */
errcode_t source_open(ext2_filsys *out, const struct source *source);

/* Reads an inode, as much of it as there is room for. To be used instead of the library's own functions:
 * those may answer with another one. */
errcode_t source_read_inode(ext2_filsys fs, ext2_ino_t inode, void *out, int n_bytes);

/* Words for such a code, which may also be an errno. */
const char *source_error_text(errcode_t code);

#endif
