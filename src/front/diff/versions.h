/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two versions of a guest's file, and the lines that come of comparing them. A version that is not there
 * is an empty one.
 */
#ifndef FRONT_DIFF_VERSIONS_H
#define FRONT_DIFF_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"

/* Lines of raw bytes; whoever shows them escapes them. Each says by its beginning what it is, as diff's do:
 * "+" and "-" for the guest's version and the backing file's, "@" for a place, a blank for words of ours. */
struct front_diff {
    bool text; /* it is diff(1)'s answer, which patch(1) can read */
    char *bytes;
    size_t n_bytes, capacity;
    size_t *line; /* where each begins; line[lines] is the end */
    size_t lines;
};

/* Frees what is in it, and leaves it all zero: empty. */
void front_diff_free(struct front_diff *diff);

/* Whether to stop; total is 0 where nobody knows how much there is to do. */
typedef bool front_diff_look(void *context, uint64_t done, uint64_t total);

/* Both versions; [COW_VERSION_GUEST] and [COW_VERSION_BASE]. */
struct front_versions {
    front_diff_look *wants_stop; /* asked now and then; may be NULL */
    void *context;
    struct cow_fs_reader *reader[2]; /* NULL: it is not there */
    uint64_t size_bytes[2];
    char label[2][COW_MESSAGE_BYTES]; /* escaped */
};

/* Asks whether to go on; COW_CANCELLED if not. */
int front_versions_look(struct front_versions *versions, uint64_t done, uint64_t total,
                        struct cow_error *err);

/* Reads all that is asked for, zeros past the end. */
int front_versions_read(struct front_versions *versions, enum cow_version side, uint64_t offset, void *buffer,
                        size_t n_bytes, struct cow_error *err);

/* Adds bytes, or text, behind what is there; where lines begin is found out at the end (compare.c). Text is
 * cut to 2 * COW_MESSAGE_BYTES. COW_NO_MEMORY; *diff is as before then. */
int front_diff_add(struct front_diff *diff, const void *bytes, size_t n_bytes, struct cow_error *err);
int front_diff_addf(struct front_diff *diff, struct cow_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
