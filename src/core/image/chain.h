/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The layers of a disk, top first: the COW file, its backing file, and, where that is a COW itself, what lies
 * below it. Each layer is an open file with its driver. A sector comes from the first layer that has it;
 * where none has, it is zeros. All that reads a disk goes through here, so that offsets in files are computed
 * by drivers alone.
 *
 * A kernel knows two layers and reads the second as raw bytes, whatever is in it. So what changes an image,
 * and what judges what a kernel would do, opens it flat (image_flat): the backing file then is a raw disk in
 * any case.
 */
#ifndef CORE_IMAGE_CHAIN_H
#define CORE_IMAGE_CHAIN_H

#include "core/bits/bitmap.h"
#include "core/format/driver.h"
#include "core/image/backing.h"
#include "core/image/host_file.h"

/* One file of the chain. */
struct layer {
    const struct cow_io *io;
    struct host_file *file; /* belongs to the image, or to the layer above */
    const char *path;       /* for messages; as `file` */
    enum cow_format format; /* of its header; COW_FORMAT_RAW: none */
    struct format_disk disk;
    struct bitmap *bits;         /* NULL: it has every sector */
    struct backing_file backing; /* of a layer below the first that is a COW: where the next one is from */
};

enum { CHAIN_LAYERS_MAX = 16 };

struct chain {
    struct layer layer[CHAIN_LAYERS_MAX];
    size_t n;
    bool cut;                        /* there should be a layer behind the last one, but it cannot be read */
    char problem[COW_MESSAGE_BYTES]; /* why, where it is cut below the first backing file; else "" */
};

/* Puts the layers below the first backing file into the chain, whose first layer is there: `backing` is the
 * second. flat: it is taken for a raw disk, whatever is in it. Files that cannot be followed cut the chain.
 * Errors: COW_NO_MEMORY. */
int chain_build(struct chain *chain, const struct cow_io *io, struct backing_file *backing, bool flat,
                struct cow_error *err);
/* Closes what belongs to the chain; the files of its first two layers are the image's. */
void chain_close(struct chain *chain, const struct cow_io *io);

/* Opens the bits of a layer whose disk is set. Errors: COW_NO_MEMORY. */
int layer_open_bits(struct layer *layer, struct cow_error *err);

/* Reads what one layer has of [offset, offset + n_bytes) of the disk, whatever its bits say; zeros past the
 * end of its file. 0 or -errno. */
int layer_read(struct layer *layer, uint64_t offset, void *buffer, size_t n_bytes);

/* What is the same for a stretch of the disk, as far as holes and layers tell. */
enum chain_kind {
    CHAIN_NOTHING, /* no layer has it: zeros */
    CHAIN_HOLE,    /* a layer has it as a hole of its file: zeros */
    CHAIN_DATA,    /* a layer has it */
    CHAIN_UNKNOWN, /* the layer that would have it is not there */
};

struct chain_extent {
    enum chain_kind kind;
    uint64_t end;        /* byte of the disk */
    size_t layer;        /* which one has it, or would have it */
    int64_t host_offset; /* in that layer's file, contiguous; COW_NO_OFFSET where it has no place there */
};

/* What lies at byte `offset` of the disk as the layers from `first` on show it, up to `limit` (> offset).
 * Errors: COW_IO. */
int chain_extent_at(struct chain *chain, size_t first, uint64_t offset, uint64_t limit,
                    struct chain_extent *out, struct cow_error *err);

/* The same of one layer alone, whatever its bits say. */
int layer_extent_at(struct layer *layer, uint64_t offset, uint64_t limit, struct chain_extent *out,
                    struct cow_error *err);

#endif
