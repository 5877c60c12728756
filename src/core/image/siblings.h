/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The other COW files on a backing file: those that stand in its directory or in the image's and name it. A
 * kernel wants size and date of a backing file to be what each of them says, so whoever changes it must know
 * them.
 */
#ifndef CORE_IMAGE_SIBLINGS_H
#define CORE_IMAGE_SIBLINGS_H

#include "core/image/image.h"

struct sibling {
    char *path;
    uint32_t mtime;           /* of the backing file, as its header has it */
    struct cow_holder holder; /* who has it locked, or open for writing without a lock */
    bool pending;             /* a change of it was interrupted: a journal, or the mark */
    bool pending_is_strange;  /* ... says a journal that is not obeyed */
    bool invalid;             /* its header is none, but a kernel would read it (siblings_add alone) */
    bool is_link;             /* the path is a symbolic link, or leads through one */
    dev_t device;             /* of the file: several names can be one */
    ino_t inode;
};

struct siblings {
    struct sibling *sibling;
    size_t n;
    bool incomplete; /* a directory could not be read: there may be more */
    int failure;     /* -errno of something that can be tried again; else 0 */
};

/* Those of the image's backing file, without the image itself under any name, by name. A directory or a file
 * that cannot be read is passed over. *out: siblings_clear. COW_NO_MEMORY. An image without a backing file
 * has none. */
int siblings_find(struct siblings *out, const struct cow_image *img, struct cow_error *err);
/* The same of another file: the images on it, but for img (NULL: all), in its directory and in img's. */
int siblings_find_on(struct siblings *out, const struct cow_io *io, const struct cow_image *img,
                     const char *path, const struct stat *facts, struct cow_error *err);
/* Adds those in one more place, a directory or an image file, to what was found (or is all zero), by name; a
 * broken one is found, too. A file that is none adds nothing. facts: of the backing file. COW_IO where the
 * place cannot be read, COW_NO_MEMORY; what was found stays. */
int siblings_add(struct siblings *found, const struct cow_io *io, const struct stat *facts, const char *place,
                 struct cow_error *err);
void siblings_clear(struct siblings *siblings); /* there are none then */

/* The first of which a change was interrupted, or NULL. */
const struct sibling *siblings_pending(const struct siblings *siblings);

/* The first that is held by somebody, or NULL. */
const struct sibling *siblings_held(const struct siblings *siblings);

#endif
