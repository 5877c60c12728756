/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One row a variant: where each field lies, in which byte order, and by which rule bitmap and data follow.
 * Decoding, layout, the mark of an unfinished change and the header view all read this table; no offset
 * stands anywhere else.
 */
#ifndef CORE_FORMAT_VARIANTS_H
#define CORE_FORMAT_VARIANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/header.h"

struct span {
    uint16_t offset_bytes;
    uint16_t width_bytes; /* 0: the variant has no such field */
};

enum geometry {
    GEOMETRY_TRUNCATED, /* v1, v2: floor(N / 8) bitmap bytes, data rounded up to the sector size */
    GEOMETRY_ALIGNED,   /* v3: ceil(N / 8), bitmap and data rounded up to the alignment */
    GEOMETRY_QEMU,      /* ceil(floor(size / 512) / 8), data rounded up to 512 */
};

struct variant {
    const char *name;
    const char *title;
    uint8_t magic[16]; /* with the version behind it */
    uint8_t magic_bytes;
    uint8_t version;
    bool big_endian;
    enum geometry geometry;
    struct span version_field; /* for showing */
    struct span path;
    struct span mtime;
    struct span size;
    struct span sector;
    struct span alignment;
    struct span cow_format;
    uint16_t header_bytes;
};

extern const struct variant variants[COW_FORMATS];

/* The largest disk that is taken seriously: the kernel's offsets go negative from here on. */
#define SIZE_LIMIT_BYTES (UINT64_C(8) << 40)

/* The size field of an image whose change was interrupted. No kernel opens it. */
#define SIZE_UNFINISHED UINT64_MAX

#endif
