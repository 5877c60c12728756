/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stretch of the disk, composed or as the backing file alone has it, as something that libext2fs reads.
 * Reading only: every call that would write answers that the filesystem is read-only.
 */
#ifndef CORE_GUESTFS_SOURCE_H
#define CORE_GUESTFS_SOURCE_H

#include <ext2fs/ext2fs.h>

#include "core/image/image.h"

/* The first read that failed, of any source that points here. libext2fs hides it behind words of its own, and
 * what looks like a broken filesystem then is a broken host. */
struct read_failure {
    int status; /* 0: none */
    struct cow_error error;
};

/* Single blocks that libext2fs has read, by number: it asks for the block of an inode once for each inode. */
struct block_cache;

struct source {
    struct cow_image *img;
    enum cow_side side; /* COW_SIDE_COW: what the guest sees; COW_SIDE_BACKING: as if nothing were dirty */
    uint64_t first_byte;
    uint64_t size_bytes;
    struct read_failure *failure; /* NULL: nobody asks */
    struct block_cache *cache;    /* NULL: none */
};

/* For the time of a scan: what is read a block at a time is remembered, and may be as old as that. False: out
 * of memory. */
bool source_cache_begin(struct source *source, uint32_t block_bytes);
/* Forgets it; also where there is none. */
void source_cache_end(struct source *source);

/* Bytes of the stretch; what lies behind its end reads as zeros. */
int source_read(const struct source *source, uint64_t offset, void *buffer, size_t n_bytes,
                struct cow_error *err);

/* Opens the ext filesystem that lies there. The source has to stay where it is as long as *out is open.
 * Answers a code of libext2fs. */
errcode_t source_open(ext2_filsys *out, const struct source *source);

/* Reads an inode, as much of it as there is room for. To be used instead of the library's own functions:
 * those may answer with another one. */
errcode_t source_read_inode(ext2_filsys fs, ext2_ino_t inode, void *out, int n_bytes);

/* Words for such a code, which may also be an errno. */
const char *source_error_text(errcode_t code);

#endif
