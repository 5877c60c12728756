/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The family of a backing file: every COW file on it, found by their headers in directories that are named,
 * for a backing file does not know who stands on it. Looking takes no lock and writes nothing.
 */
#ifndef COW_FAMILY_H
#define COW_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"
#include "cow/image.h"

struct cow_family_options {
    const char *const *place; /* where to look, too: directories, or image files; may be NULL for none */
    size_t n_places;
    const struct cow_io *io; /* NULL: the operating system's */
};

/* One image. Texts belong to the family; "" where there is nothing to say. */
struct cow_family_member {
    const char *path;     /* absolute: its directory with links resolved, and its name there */
    bool size_known;      /* not of one with the mark of an unfinished change, nor of a broken one */
    uint64_t size_bytes;  /* of its disk */
    uint64_t dirty_bytes; /* ... of which so much is in the image */
    struct cow_holder holder;
    const char *pending;        /* what an interrupted change left, as cow_image_pending has it */
    const char *problem;        /* why it cannot be read as an image; then there is no verdict */
    struct cow_verdict verdict; /* what a stock kernel would say */
};

struct cow_family {
    const char *backing_path; /* as the caller named it */
    uint64_t size_bytes;
    int64_t mtime;
    struct cow_family_member *member; /* by path; a file with several names is one member */
    size_t members;
    struct cow_error
        *trouble; /* places that could not be read, or are no image on this file: there may be more */
    size_t troubles;
};

/* Finds the images on a backing file (a regular file, or a block device): in its own directory, and in each
 * place of opt, which may be NULL. A header names the file if it leads to the same device and inode, from the
 * working directory or from the image's own; one with the mark of an unfinished change counts, and a broken
 * one that a kernel would take for a COW. Files that the caller may not read are passed over. *out is the
 * caller's: cow_family_free. A place that cannot be read is no error but a trouble of the family. Errors:
 * COW_IO (the backing file cannot be read), COW_NO_MEMORY; *out is unchanged then. */
int cow_family_find(struct cow_family **out, const char *backing_path, const struct cow_family_options *opt,
                    struct cow_error *err);
void cow_family_free(struct cow_family *family); /* NULL is allowed */

#endif
