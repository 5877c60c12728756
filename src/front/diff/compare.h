/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two versions of a guest's file, compared as text: by diff(1) where both are text of moderate length,
 * else byte by byte, the first places that differ. A version that is not there is an empty one.
 */
#ifndef FRONT_DIFF_COMPARE_H
#define FRONT_DIFF_COMPARE_H

#include "front/diff/versions.h"

/* Which versions; [COW_VERSION_GUEST] and [COW_VERSION_BASE]. All is borrowed. */
struct front_diff_request {
    struct cow_fs *fs;
    int volume;
    const char *path[2];         /* raw bytes; NULL: there is none on that side */
    const char *disk[2];         /* what the image and its backing file are called in front of it, escaped */
    front_diff_look *wants_stop; /* may be NULL */
    void *context;
};

/* Compares. Errors: those of cow_fs_reader_open, COW_IO, COW_NO_MEMORY; a stop is COW_CANCELLED. *out is the
 * caller's (front_diff_free); on failure it is empty. */
int front_diff_make(struct front_diff *out, const struct front_diff_request *request, struct cow_error *err);

/* The last part of a path, escaped: what a file is called in front of a guest's path. Returns out. */
const char *front_diff_disk_name(char *out, size_t out_bytes, const char *path);

/* The paths of the two versions of a file that a scan has found: what a new or removed one has on one side
 * only, and a renamed one by another name. */
void front_diff_paths(const char *path[2], const struct cow_fs_file *file);

#endif
