/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The superblock of an ext2, ext3 or ext4 filesystem: when it was written, and how often mounted. It is a
 * witness of what has happened to a disk; what lies in the filesystem is another room's business.
 */
#ifndef CORE_VOLUMES_SUPERBLOCK_H
#define CORE_VOLUMES_SUPERBLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { SUPERBLOCK_OFFSET = 1024, SUPERBLOCK_BYTES = 1024 };

struct superblock {
    int64_t made; /* seconds; 0: it does not tell */
    int64_t written;
    int64_t mounted;
    int64_t checked;
    uint32_t mounts; /* since it was checked */
    uint64_t free_blocks;
    uint8_t uuid[16];
};

/* False: these bytes are no such superblock. */
bool superblock_read(struct superblock *out, const uint8_t bytes[SUPERBLOCK_BYTES]);

/* What a backing file's superblock tells about writes since images were made on it. */
enum superblock_view {
    SUPERBLOCK_UNKNOWN,       /* nothing */
    SUPERBLOCK_UNTOUCHED,     /* last written before the date in the header */
    SUPERBLOCK_GUEST_YOUNGER, /* the guest's own was written later, and a kernel had looked at the date then
                               */
    SUPERBLOCK_WRITTEN,       /* after that date */
    SUPERBLOCK_GUEST_OLDER,   /* after the guest had taken its own copy of it: whatever the dates say */
};

/* guest: what the guest has in its place, if that differs, else NULL. header_mtime: what the header says. */
enum superblock_view superblock_compare(const struct superblock *backing, const struct superblock *guest,
                                        int64_t header_mtime);

#endif
