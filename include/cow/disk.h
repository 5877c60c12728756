/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk of an open image, whatever its files are: layers, runs with their origin, densities, and reads.
 * All that looks at a disk asks here, and computes no offset of its own.
 */
#ifndef COW_DISK_H
#define COW_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"

struct cow_image;

/* A file that the disk is made of. */
struct cow_layer {
    const char *path;    /* as it was opened; belongs to the image */
    const char *format;  /* "uml-cow-v3", "raw" */
    const char *title;   /* the same for people */
    uint64_t size_bytes; /* of its disk; behind that it gives zeros */
};

/* How many files lie on each other: the image, its backing file, and more where that is a COW itself; 0 for
 * an unfinished image. A backing file that is not there is none. */
size_t cow_image_layers(const struct cow_image *img);
/* Layer 0 is the image. index < cow_image_layers. */
void cow_image_layer(const struct cow_image *img, size_t index, struct cow_layer *out);
/* Why what lies below a backing file that is a COW cannot be read, or "". The image's own backing file is not
 * meant: cow_image_backing tells of that. */
const char *cow_image_cut_text(const struct cow_image *img);

/* Where a run's bytes come from. The last four are told by a scan only (cow/scan.h), which reads the bytes.
 * name is the JSON value; the meaning of each is in README and format.md. */
#define COW_ORIGIN_LIST(X)                                                                                   \
    X(BACKING, "backing", "read from the backing file")                                                      \
    X(BACKING_HOLE, "backing-hole", "the backing file has a hole there: zeros")                              \
    X(BEYOND_BACKING, "beyond-backing", "past the end of the backing file: zeros")                           \
    X(HOLE, "hole", "in the COW, as a hole: zeros, costs nothing")                                           \
    X(COW, "cow", "in the COW")                                                                              \
    X(REDUNDANT, "redundant", "in the COW, but equal to what the backing file gives")                        \
    X(ZERO, "zero", "in the COW, as written zeros")                                                          \
    X(CHANGED, "changed", "in the COW, and different from the backing file")                                 \
    X(ORPHAN, "orphan",                                                                                      \
      "read from the backing file, though the COW holds other data: a write that a crash lost")

enum cow_origin {
#define COW_ORIGIN_ENUM(id, name, text) COW_ORIGIN_##id,
    COW_ORIGIN_LIST(COW_ORIGIN_ENUM)
#undef COW_ORIGIN_ENUM
        COW_ORIGINS
};

const char *cow_origin_name(enum cow_origin origin); /* "backing-hole" */
const char *cow_origin_text(enum cow_origin origin); /* the sentence above */
bool cow_origin_dirty(enum cow_origin origin);       /* is the bit set? */
bool cow_origin_is_hole(enum cow_origin origin);     /* zeros, for no file has data there? */

enum { COW_NO_OFFSET = -1 };

struct cow_run {
    uint64_t first_sector;
    uint64_t sectors; /* 0: there is none (the end of the disk) */
    enum cow_origin origin;
    int64_t host_offset; /* of the first sector, in the file of the layer; those behind it follow each other
                            there without a gap. COW_NO_OFFSET where no file has a place for it */
    unsigned layer; /* whose file that is: 0 the COW, 1 its backing file, more where that is a COW itself */
};

/* The run that begins at `sector` and reaches as far as the origin is the same. At or past the end of the
 * disk: out->sectors is 0. A backing file that is not there counts as data (nothing is known about its
 * holes). */
int cow_image_next_run(struct cow_image *img, uint64_t sector, struct cow_run *out, struct cow_error *err);

/* What runs that follow each other have in common, for who copies a disk. */
struct cow_extent {
    uint64_t n_bytes; /* 0: the end of the disk */
    bool is_hole;     /* it reads as zeros, and no file has data there */
};

/* The extent at a byte of the disk, as far as it is the same; what is made of very many runs may be told in
 * parts. Errors: those of cow_image_next_run. */
int cow_image_extent(struct cow_image *img, uint64_t offset_bytes, struct cow_extent *out,
                     struct cow_error *err);

/* The run that ends just before `sector`, from its beginning. sector 0: out->sectors is 0. */
int cow_image_prev_run(struct cow_image *img, uint64_t sector, struct cow_run *out, struct cow_error *err);

struct cow_dirty_run {
    uint64_t first_sector;
    uint64_t sectors; /* 0: there is none */
};

/* Bits only, fast over any distance: the first run of dirty sectors at or after `sector` (cut at `sector` if
 * it lies inside one), or the last run that begins before `sector`. */
int cow_image_next_dirty(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err);
int cow_image_prev_dirty(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err);

struct cow_density {
    uint64_t sectors;                /* of the range that lie on the disk */
    uint64_t dirty_sectors;          /* of them in the COW */
    uint64_t beyond_backing_sectors; /* of them past the end of the backing file */
};

/* What a range holds, for one cell of a heatmap. Cost: at most two bitmap pages, whatever the range; nothing
 * where it begins and ends at multiples of this number of sectors and has been counted before
 * (cow_image_usage counts all). */
enum { COW_DENSITY_UNIT_SECTORS = 64 * 1024 };
int cow_image_density(struct cow_image *img, uint64_t first_sector, uint64_t sectors, struct cow_density *out,
                      struct cow_error *err);

/* Reads n_bytes of the composed disk (what the guest sees) at offset_bytes. Errors: COW_USAGE past the end of
 * the disk; COW_IO if a clean sector is asked for and its backing file is not there. */
int cow_image_read(struct cow_image *img, uint64_t offset_bytes, void *buffer, size_t n_bytes,
                   struct cow_error *err);

/* One of the two files of an image, whatever the bitmap says. Whose version of the disk is meant (the
 * guest's, or that of the backing file) is another question: enum cow_version in cow/fs.h. */
enum cow_file { COW_FILE_COW, COW_FILE_BACKING };

/* Reads what one file has for that range of the disk, whatever the bitmap says; zeros past the file's end. */
int cow_image_read_file(struct cow_image *img, enum cow_file file, uint64_t offset_bytes, void *buffer,
                        size_t n_bytes, struct cow_error *err);

/* Whether one file has data at a byte of the disk, whatever the bitmap says, and up to which byte (at most
 * limit, > offset_bytes) that is the same: holes need not be read, for they give zeros. What is not there
 * counts as data: reading it says why. Errors: COW_IO, COW_INVALID (an unfinished image). */
int cow_image_data_at(struct cow_image *img, enum cow_file file, uint64_t offset_bytes, uint64_t limit_bytes,
                      bool *data, uint64_t *end_bytes, struct cow_error *err);

#endif
