/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was written between two moments of a recording, and whose it is: asked of the image that the log is
 * of, where that is still there, and by the filesystem as it is now. Command line and screen tell the same.
 */
#ifndef FRONT_WRITTEN_H
#define FRONT_WRITTEN_H

#include "cow/fs.h"
#include "cow/history.h"

/* The image of a log, and its filesystem, read. */
struct front_written {
    struct cow_image *image;
    struct cow_fs *fs;
    struct cow_fs_scan *scan;
    const struct cow_volume *volume; /* the filesystem's */
};

/* Opens the image that the log names, with the backing file that it was recorded with; refuses one that is
 * not the same any more; reads its filesystem. env: progress, and a stop; may be NULL. *out is the caller's
 * (front_written_close), all zero on failure. Errors: COW_REFUSED, those of cow_image_open, cow_fs_open and
 * cow_fs_scan. */
int front_written_open(struct front_written *out, struct cow_history *history, const struct cow_env *env,
                       struct cow_error *err);
void front_written_close(struct front_written *written); /* one that is all zero is allowed */

/* Hands each piece of those sectors that has one owner to `each`, in the order of their places, until that
 * answers other than 0, which is the answer then. Errors: those of cow_fs_owner_next. */
int front_written_each(const struct front_written *written, const struct cow_sectors *set,
                       int (*each)(void *context, const struct cow_fs_owner *owner, struct cow_error *err),
                       void *context, struct cow_error *err);

/* What of them an owner has: a file with all that belongs to it, or a class of what belongs to none. */
struct front_share {
    int volume;
    unsigned partition; /* 0: none */
    enum cow_fs_class fs_class;
    uint64_t inode; /* 0: no file's */
    char *path;     /* raw bytes; NULL: none */
    uint64_t n_bytes;
};

struct front_shares {
    struct front_share *share;
    size_t n, room;
};

/* The most first. *out is the caller's (front_shares_free). Errors: COW_NO_MEMORY, and as above; *out is
 * empty then. */
int front_written_shares(struct front_shares *out, const struct front_written *written,
                         const struct cow_sectors *set, struct cow_error *err);
void front_shares_free(struct front_shares *shares); /* what is in it; all zero is empty */

/* What of a log cannot be read, in a sentence; "" where all of it could. Returns out. */
const char *front_log_left_text(char *out, size_t out_bytes, const struct cow_history *history);

#endif
