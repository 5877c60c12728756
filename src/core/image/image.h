/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The open image as the rooms of the core share it. Front ends see only cow/image.h.
 */
#ifndef CORE_IMAGE_IMAGE_H
#define CORE_IMAGE_IMAGE_H

#include "core/image/chain.h"
#include "cow/env.h"
#include "cow/image.h"

struct cow_image {
    const struct cow_io *io;
    char *path;               /* as named */
    char *real_path;          /* resolved, absolute */
    char *named_backing;      /* by the caller, or NULL */
    bool no_backing;          /* ... who wants none opened */
    bool is_lent;             /* the descriptor of cow is somebody else's */
    uint64_t lent_size_bytes; /* ... and of the disk, where its header bears the mark; else 0 */
    bool is_half;             /* its data is being moved: what it was is read through the position file */
    bool is_moving;           /* ... by somebody, at this moment: it cannot be read until that is done */
    struct host_file cow;     /* layer 0 of the chain */
    struct timespec seen_at;  /* when it was opened, or refreshed */
    uint8_t raw[COW_HEADER_BYTES_MAX];
    size_t raw_bytes;
    struct cow_header header;
    struct cow_layout layout;
    struct backing_file backing; /* layer 1 */
    struct bitmap *bitmap;       /* of layer 0; NULL for an unfinished image */
    struct chain *chain;         /* all layers; none for an unfinished image */
    struct cow_image
        *flat; /* the same image with its backing file as a raw disk, where that is a COW; else NULL */
    const struct cow_image *whole; /* of a flat one: the same with all layers, which it belongs to */
    uint8_t *scratch;              /* SCRATCH_BYTES, made when first needed */
};

enum { SCRATCH_BYTES = 256 * 1024 };

/* What a verdict is made of. */
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
    bool backing_is_cow; /* the kernel reads it as raw bytes */
    bool switches;       /* the caller named a backing that is not the stored one */
    bool beside_image;   /* a relative path that was found beside the image only */
};

/* What a stock kernel would say of these header bytes with this backing file, by its checks in its order. It
 * serves images that are not written yet, too: that is how the preview of a change knows. out->brief is
 * static. */
void verdict_of(struct cow_verdict *out, const struct verdict_facts *facts);

/* The image as a kernel reads it: its backing file is a raw disk, even if it is a COW itself. What changes an
 * image, and what judges it for a kernel, uses this one. It belongs to img, and is img itself but for a COW
 * on a COW. */
struct cow_image *image_flat(struct cow_image *img);

/* Is it one of the files below the backing file, through all layers, or below a disk that somebody else
 * reads? A flat image answers as the whole one: that a kernel does not read a file is no reason to lose it.
 */
bool image_has_below(const struct cow_image *img, const struct stat *facts);

/* The permission bits that all files have which the image is read from: of a flat one, two. */
mode_t image_common_mode(const struct cow_image *img);

/* Opens a raw disk as an image of one layer, whatever is in the file: so whatever reads an image reads raw
 * disks. *out is the caller's, cow_image_close. Its header has no format but COW_FORMAT_RAW. Errors: COW_IO,
 * COW_INVALID (an empty file, or 8 TiB and more), COW_NO_MEMORY. */
int image_open_raw(struct cow_image **out, const char *path, const struct cow_io *io, struct cow_error *err);
/* The same of a disk that somebody else reads, out of that file (and perhaps others): which file it is, whose
 * permissions and date it has, and that it is locked, goes by the file; what is on the disk by source. */
int image_open_foreign(struct cow_image **out, const char *path, const struct cow_foreign_source *source,
                       const struct cow_io *io, struct cow_error *err);

/* COW_LOCKED where another process has the image open for writing and holds no lock: a guest that was started
 * with its `c` flag. As far as that can be told. */
int image_refuse_silent_writer(struct cow_image *img, struct cow_error *err);

/* Opens an image as the open file fd, which stays the caller's, and must stay open for as long as the image;
 * path names it, and may lead to another file, or nowhere. marked_size_bytes: of the disk, where a header
 * that bears the mark hides it; the layout comes from the header with that size, and nothing else is derived
 * from the mark; 0: a marked image is an unfinished one. Such an image is not refreshed, and is its own flat
 * one. Else as cow_image_open. */
int image_open_lent(struct cow_image **out, int fd, const char *path, uint64_t marked_size_bytes,
                    const struct cow_open_options *opt, struct cow_error *err);

/* COW_INVALID with the reason if the image is unfinished and so has no layout. */
int image_require_layout(const struct cow_image *img, struct cow_error *err);

/* How many mixed pages (cow_image_next_mixed) there are, and the first one: no sectors if there is none; may
 * be NULL. A word of the bitmap at a time: it costs the same whatever the bits are. */
int image_count_mixed(struct cow_image *img, uint64_t *pages, struct cow_dirty_run *first,
                      struct cow_error *err);

/* From `sector` on, how many sectors no file has data for, so that they are zeros whatever the bits say; 0 as
 * well where there is no image, or no backing file, that could tell. */
int image_hole(struct cow_image *img, uint64_t sector, uint64_t *sectors, struct cow_error *err);

/* Tells how far a comparison with the backing file is. env may be NULL. COW_CANCELLED if it is to end. */
int image_tell_compared(const struct cow_env *env, uint64_t done_bytes, uint64_t total_bytes,
                        struct cow_error *err);

/* ---- one of the two files of a flat image, for what copies and counts by extents; bytes are those of the
 * disk ---- */

/* What one file has at `offset`, whatever the bitmap says, up to `limit` (> offset): data, or a hole. 0 or
 * -errno. */
int image_file_extent(struct cow_image *img, enum cow_file file, uint64_t offset, uint64_t limit,
                      struct io_extent *out);

/* A place in one of the files. */
struct image_place {
    struct host_file *file;
    uint64_t offset;
    uint64_t n_bytes; /* that lie there in one piece; UINT64_MAX: all that follows */
};

/* Where byte `offset` of the disk lies in one file; what follows lies behind it, as far as that goes: in a
 * half-moved image there is a gap. Whatever the bitmap says, and also past the file's end. */
struct image_place image_place(struct cow_image *img, enum cow_file file, uint64_t offset);

/* The first bytes of the backing file, as they lie there: how many, or -errno. */
ssize_t image_read_backing_file(struct cow_image *img, void *buffer, size_t n_bytes);

#endif
