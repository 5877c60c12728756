/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is asked of a backing file, each question once, with one status: a file that is not there is COW_IO,
 * one that is missing where a v3 needs one COW_UNSUPPORTED, and one that does not fit COW_REFUSED
 * (COW_INVALID is said of images). Every function answers 0, or that status with words in err. What helps
 * differs from change to change: the callers that know better say so in `help`.
 */
#ifndef CORE_IMAGE_BACKING_RULES_H
#define CORE_IMAGE_BACKING_RULES_H

#include "core/image/image.h"

enum {
    /* Whose first sector's bits fill a page: a guest's first write makes the kernel loop
     * (share/doc/format.md). */
    BACKING_HANGS_BYTES = 32768,
};

/* The image's own backing file can be read. help: NULL: "name it with -b FILE". */
int backing_rule_found(const struct cow_image *img, const char *help, struct cow_error *err);

/* It has the date that the image's header has of it; another one may be another content. */
int backing_rule_date_is_headers(const struct cow_image *img, const char *help, struct cow_error *err);

/* A header can hold this date: *out. path: whose it is, for the words. */
int backing_rule_date_fits(uint32_t *out, int64_t mtime, const char *path, struct cow_error *err);

/* A header can hold this path. */
int backing_rule_path_fits(const char *path, struct cow_error *err);

/* A disk of so many bytes is possible, and no guest hangs on it. path: whose they are. */
int backing_rule_size_fits(uint64_t size_bytes, const char *path, struct cow_error *err);

/* It is no COW file itself, in any variant: a kernel would show its header to the guest as data. */
int backing_rule_is_no_cow(const struct cow_io *io, const struct host_file *file, const char *path,
                           struct cow_error *err);

#endif
