/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Disks in formats that the core does not know (qcow2): somebody else reads and writes those, and the core
 * asks it through these callbacks. The front end makes them; what they are made of outlives the plan that
 * was built with them.
 *
 * Offsets and lengths are bytes of the disk. Each callback answers 0 or a negative errno, unless it takes an
 * error, and then a status with err filled. None is called by two threads.
 */
#ifndef COW_FOREIGN_H
#define COW_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"

/* What is known of a stretch of the disk without reading it. */
enum cow_foreign_kind {
    COW_FOREIGN_DATA,    /* nothing: it has to be read */
    COW_FOREIGN_ZEROS,   /* it reads as zeros */
    COW_FOREIGN_BACKING, /* it is what the backing file of the new image has there */
};

/* A disk to be read. */
struct cow_foreign_source {
    uint64_t size_bytes;
    const char *title;   /* "qcow2 image" */
    const char *outside; /* a sentence where content of further files is read, else "" */
    unsigned mode;       /* the permission bits that all those files have */
    /* Fills buffer from offset on; offset + n_bytes <= size_bytes. */
    int (*read)(void *context, void *buffer, size_t n_bytes, uint64_t offset);
    /* What lies at offset, as far as it is the same: *end_bytes > offset, and at most limit; offset < limit
     * <= size_bytes. Of a byte it says the same whenever it is asked, and ends are ends of sectors (512). */
    int (*extent)(void *context, uint64_t offset, uint64_t limit, enum cow_foreign_kind *kind,
                  uint64_t *end_bytes);
    /* Is that file (st_dev, st_ino) one of those that the disk is read from? */
    bool (*has_file)(void *context, uint64_t device, uint64_t inode);
    void *context;
};

/* A disk to be written, into a file that the core has made and will give its name. */
struct cow_foreign_sink {
    const char *title; /* "qcow2 image" */
    /* Makes the empty disk of size_bytes in the file at path, which is open as fd and empty; on that raw
     * backing file, or on none (NULL). On failure nothing runs on. */
    int (*begin)(void *context, const char *path, int fd, uint64_t size_bytes, const char *backing_path,
                 struct cow_error *err);
    int (*write)(void *context, const void *bytes, size_t n_bytes, uint64_t offset);
    /* Zeros that hide what a backing file has there. */
    int (*zero)(void *context, uint64_t n_bytes, uint64_t offset);
    /* All of it is in the file afterwards, and nobody else writes it: the core flushes it. */
    int (*finish)(void *context, struct cow_error *err);
    void *context;
};

#endif
