/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a commit does to files: its calls on the way to the system, or to the simulated disk, are noted.
 */
#ifndef TESTS_PROMISE_WATCH_H
#define TESTS_PROMISE_WATCH_H

#include <limits.h>

#include "core/base/io.h"

enum { WATCH_FILES_MAX = 48 };

struct watched {
    char path[PATH_MAX];
    bool was_there, is_there;
    bool written;              /* bytes, or length */
    bool cloned;               /* by reflink: its blocks are another file\'s, too */
    bool follow;               /* what the link leads to */
    struct stat before, after; /* before: at the first touch; after: at the end */
};

struct watch {
    struct cow_io io; /* what the commit is given */
    const struct cow_io *inner;
    struct watched file[WATCH_FILES_MAX];
    size_t files;
    bool full; /* more were touched */
    uint64_t data_offset;
    uint64_t data_bytes,
        bitmap_bytes;       /* that were written to a file that was made, behind and before that offset */
    char counted[PATH_MAX]; /* ... of this name, when it was made */
};

/* One at a time. Bytes are counted that go to the file that is made as `counted`, at data_offset and behind,
 * and between bitmap_offset and there. */
void watch_begin(struct watch *watch, const struct cow_io *inner, const char *counted, uint64_t bitmap_offset,
                 uint64_t data_offset);
/* Fills in what there is now. */
void watch_end(struct watch *watch);

#endif
