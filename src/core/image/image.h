/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The open image as the rooms of the core share it. Front ends see only cow/image.h.
 */
#ifndef CORE_IMAGE_IMAGE_H
#define CORE_IMAGE_IMAGE_H

#include <sys/stat.h>

#include "core/base/io.h"
#include "core/image/bitmap.h"
#include "cow/image.h"

/* An open file of the host. */
struct host_file {
    int fd; /* -1: none */
    struct stat facts;
    struct io_extent extent; /* the last one asked for */
};

struct backing_file {
    struct host_file file;
    struct cow_backing facts; /* what front ends see; its strings are the members below */
    char *path;
    char problem[COW_MESSAGE_BYTES];
};

struct cow_image {
    const struct cow_io *io;
    char *path;          /* as named */
    char *real_path;     /* resolved, absolute */
    char *named_backing; /* by the caller, or NULL */
    bool no_backing;     /* ... who wants none opened */
    struct host_file cow;
    struct timespec seen_at; /* when it was opened, or refreshed */
    uint8_t raw[COW_HEADER_BYTES_MAX];
    size_t raw_bytes;
    struct cow_header header;
    struct cow_layout layout;
    struct backing_file backing;
    struct bitmap *bitmap; /* NULL for an unfinished image */
    uint8_t *scratch;      /* SCRATCH_BYTES, made when first needed */
};

enum { SCRATCH_BYTES = 256 * 1024 };

/* Opens a regular file without blocking on FIFOs; facts are its fstat. Errors name what (a path, or words).
 */
int host_file_open(const struct cow_io *io, struct host_file *out, const char *path, int flags,
                   struct cow_error *err);
/* The same for what holds a disk: a block device is as good. Its size is that of the device. */
int host_file_open_disk(const struct cow_io *io, struct host_file *out, const char *path, int flags,
                        struct cow_error *err);
void host_file_close(const struct cow_io *io, struct host_file *file);

/* The extent of the file at `offset` (asked once for each extent), cut to `limit`. */
int host_file_extent(const struct cow_io *io, struct host_file *file, uint64_t offset, uint64_t limit,
                     struct io_extent *out);

/* One file, under whatever name; one block device, by whatever node. */
bool same_file(const struct stat *a, const struct stat *b);

/* Finds and opens the backing file of a header; never fails but for COW_NO_MEMORY, facts.state tells the
 * rest. */
int backing_open(struct backing_file *out, const struct cow_io *io, const struct cow_header *header,
                 const char *image_real_path, const struct stat *image_facts, const char *named,
                 struct cow_error *err);
/* The same where none is to be looked for. */
int backing_ignore(struct backing_file *out, const struct cow_header *header, struct cow_error *err);
void backing_close(const struct cow_io *io, struct backing_file *backing);

/* What a stock kernel would say of these header bytes with this backing file. It serves images that are not
 * written yet, too: that is how the preview of a change knows. */
struct verdict_facts {
    const uint8_t *bytes;
    size_t n_bytes;
    const struct cow_header *header; /* what we make of the same bytes */
    const char *image_path;          /* for the advice */
    const char *boot_path;           /* by which the image will be given to a kernel */
    const char *backing_path;        /* for the words: as the kernel would name it */
    bool backing_unknown;            /* it is not to be looked at; then the next three do not count */
    int backing_errno;               /* of a stat of the backing file; then the next two do not count */
    uint64_t backing_bytes;
    int64_t backing_mtime;
    bool switches;     /* the caller named a backing that is not the stored one */
    bool beside_image; /* a relative path that was found beside the image only */
};
void verdict_of(struct cow_verdict *out, const struct verdict_facts *facts);

/* COW_INVALID with the reason if the image is unfinished and so has no layout. */
int image_require_layout(const struct cow_image *img, struct cow_error *err);

/* How many mixed pages (cow_image_next_mixed) there are, and the first one: no sectors if there is none; may
 * be NULL. A word of the bitmap at a time: it costs the same whatever the bits are. */
int image_count_mixed(struct cow_image *img, uint64_t *pages, struct cow_dirty_run *first,
                      struct cow_error *err);

/* From `sector` on, how many sectors no file has data for, so that they are zeros whatever the bits say; 0 as
 * well where there is no image, or no backing file, that could tell. */
int image_hole(struct cow_image *img, uint64_t sector, uint64_t *sectors, struct cow_error *err);

#endif
