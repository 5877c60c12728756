/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where filesystems, partitions and the backing file end within the disk. What ends where the disk does is no
 * end within it, and what does not say how large it is has none.
 */
#ifndef FRONT_PICTURE_ENDS_H
#define FRONT_PICTURE_ENDS_H

#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"

struct cow_image;

/* From the weak to the strong: where several end in one cell, it has the mark of the last. */
enum front_end_kind { FRONT_END_PARTITION, FRONT_END_FILESYSTEM, FRONT_END_BACKING, FRONT_END_KINDS };

struct front_end {
    uint64_t sector; /* the first one behind it; it is on the disk */
    enum front_end_kind kind;
    unsigned partition;               /* 0: the whole disk */
    char type[COW_VOLUME_TEXT_BYTES]; /* of a filesystem, as libblkid names it */
};

enum { FRONT_ENDS_MAX = 2 * COW_VOLUMES_MAX + 1, FRONT_END_NAME_BYTES = COW_VOLUME_TEXT_BYTES + 32 };

struct front_ends {
    size_t n;
    struct front_end end[FRONT_ENDS_MAX];
};

/* Fills *out; superblocks are read for that. On failure (what the core could not read) the backing file's end
 * is in it, if there is one. */
int front_ends_collect(struct front_ends *out, struct cow_image *image, struct cow_error *err);

/* The next end from `at` on within [first, first + sectors); NULL: none. *at moves behind it; 0 to begin. */
const struct front_end *front_ends_within(const struct front_ends *ends, size_t *at, uint64_t first,
                                          uint64_t sectors);

/* What ends: "backing", "partition 1", "ext4"; "its ext4" of one in a partition. Returns out. */
const char *front_end_name(char out[FRONT_END_NAME_BYTES], const struct front_end *end);

#endif
