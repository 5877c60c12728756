/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stretch of the disk, composed or as the backing file alone has it: what all that looks for volumes and
 * filesystems reads.
 */
#ifndef CORE_VOLUMES_SOURCE_H
#define CORE_VOLUMES_SOURCE_H

#include "cow/fs.h"

/* The first read that failed, of any source that points here. libext2fs hides it behind words of its own, and
 * what looks like a broken filesystem then is a broken host. */
struct read_failure {
    int status; /* 0: none */
    struct cow_error error;
};

/* What guestfs remembers of the blocks of a source for the time of a scan. */
struct block_cache;

struct source {
    struct cow_image *img;
    enum cow_version version;
    uint64_t first_byte;
    uint64_t size_bytes;
    struct read_failure *failure; /* NULL: nobody asks */
    struct block_cache *cache;    /* NULL: none */
};

/* Bytes of the stretch; what lies behind its end reads as zeros. */
int source_read(const struct source *source, uint64_t offset, void *buffer, size_t n_bytes,
                struct cow_error *err);

/* Ends a call that has read: a failed read is its answer, whatever has become of it on the way. */
int source_settle(struct read_failure *failure, int status, struct cow_error *err);

#endif
