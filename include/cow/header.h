/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The header of a COW image in host order. The facts of each variant are in share/doc/format.md; they stand
 * in the code once, in src/core/format/variants.c.
 */
#ifndef COW_HEADER_H
#define COW_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"

enum cow_format {
    COW_FORMAT_V1,
    COW_FORMAT_V1_64,
    COW_FORMAT_V1_BE,
    COW_FORMAT_V1_BE_64,
    COW_FORMAT_V2,
    COW_FORMAT_V2_64,
    COW_FORMAT_V2_LONG,
    COW_FORMAT_V3,
    COW_FORMAT_V3_64,
    COW_FORMAT_QEMU,
    COW_FORMAT_QEMU_I386,
    COW_FORMATS,                 /* how many */
    COW_FORMAT_RAW = COW_FORMATS /* no COW at all: a raw disk (cow/disk.h), without a header */
};

enum {
    COW_PATH_BYTES = 4096,       /* the longest path field of any variant */
    COW_HEADER_BYTES_MAX = 4136, /* no variant's header fields reach further */
};

struct cow_header {
    enum cow_format format;
    unsigned version;      /* 1, 2, 3 (QEMU: 2) */
    bool big_endian;       /* byte order of the fields */
    bool unfinished;       /* the size field is 2^64-1: an interrupted change; size_bytes is 0 then */
    uint64_t size_bytes;   /* of the virtual disk */
    uint32_t sector_bytes; /* a power of two, 512..65536 */
    uint32_t alignment;    /* v3: of bitmap and data; 0 for all others */
    uint32_t cow_format;   /* v3: 0; 0 for all others */
    uint32_t mtime;        /* of the backing file when the image was made, unsigned seconds */
    char backing_path[COW_PATH_BYTES + 1]; /* as stored, ends in NUL; "" = none (QEMU only) */
};

/* The JSON and command line name: "uml-cow-v3", "qemu-cow-i386"... */
const char *cow_format_name(enum cow_format format);

/* For people: "UML COW v3", "UML COW v2 (64-bit host)", "QEMU COW (i386)"... */
const char *cow_format_title(enum cow_format format);

/* Recognises and decodes a header: n_bytes (up to COW_HEADER_BYTES_MAX) from the start of a file of
 * file_bytes. backing_bytes is the size of the backing file if the caller knows it, else UINT64_MAX: it only
 * breaks ties between variants that cannot be told apart by the header alone. Every field of *out is in range
 * on success. Errors: COW_NOT_COW without a known magic; COW_UNSUPPORTED for an unknown version; COW_INVALID
 * for a field out of range, which the message names, and for a header that is cut off. *out is unchanged on
 * failure. */
int cow_header_decode(struct cow_header *out, const uint8_t *bytes, size_t n_bytes, uint64_t file_bytes,
                      uint64_t backing_bytes, struct cow_error *err);

/* Encodes a v3 header (the only variant ever written) into bytes[COW_V3_HEADER_BYTES]; the path field is
 * padded with NULs. unfinished writes the mark instead of the size. Errors: COW_INVALID if a field does not
 * fit. */
enum { COW_V3_HEADER_BYTES = 4128 };
int cow_header_encode(uint8_t *bytes, const struct cow_header *header, struct cow_error *err);

/* A field of the header as it lies in the file, for showing raw bytes beside decoded values. */
struct cow_field {
    const char *name; /* "magic", "version", "size", "mtime", "sector size", "alignment", "cow format",
                         "backing path" */
    uint32_t offset_bytes;
    uint32_t width_bytes;
};

enum { COW_FIELDS_MAX = 10 };

/* Lists the fields of a variant in file order into out[COW_FIELDS_MAX]; returns how many. */
size_t cow_format_fields(struct cow_field *out, enum cow_format format);

#endif
