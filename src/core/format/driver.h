/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A driver knows one family of disk formats: whether a file is of it, which sectors the file has, and where
 * they lie. All that looks at a disk asks a chain of layers (core/image/chain.h), and a layer asks its
 * driver; nobody above the image computes an offset. A further format is a file in this room, and a row in
 * drivers.c.
 *
 * What a driver does not do: it opens nothing, keeps nothing between two calls but its struct format_disk,
 * and never writes. Files are read through struct format_file.
 */
#ifndef CORE_FORMAT_DRIVER_H
#define CORE_FORMAT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/io.h"
#include "cow/header.h"
#include "cow/layout.h"

/* The file that a driver reads. */
struct format_file {
    const struct cow_io *io;
    int fd;
};

/* What is known of a file before its driver is: its first bytes, and how long it is. */
struct format_source {
    const uint8_t *bytes; /* up to COW_HEADER_BYTES_MAX */
    size_t n_bytes;
    uint64_t file_bytes;
    uint64_t backing_bytes; /* of the backing file, to break ties; UINT64_MAX: not known */
};

struct format_driver;

/* A disk as its driver has decoded it. Plain numbers; it can be copied. */
struct format_disk {
    const struct format_driver *driver;
    uint64_t size_bytes;
    uint32_t sector_bytes;
    uint64_t sectors;        /* the last one may be partial */
    uint64_t mapped_sectors; /* that have a bit; those behind them are never in the file */
    uint64_t bits_offset;    /* where the bits begin; the driver's own business, as is the next one */
    uint64_t data_offset;    /* where sector 0 lies */
    uint64_t gap_sector;     /* from here on, in a half-moved image, sectors lie gap_bytes further on */
    uint64_t gap_bytes;      /* 0: there is no gap */
};

/* Bits come in pages of this size: bit n of a page is bit n % 8 of byte n / 8, set where the file has the
 * sector. */
enum { FORMAT_PAGE_BYTES = 64 * 1024, FORMAT_PAGE_BITS = FORMAT_PAGE_BYTES * 8 };

/* What is known of the bits of some pages without reading them. */
enum format_bits { FORMAT_BITS_MIXED, FORMAT_BITS_CLEAR, FORMAT_BITS_SET };

enum format_place_kind {
    FORMAT_PLACE_NOWHERE, /* not in this file: the layer below has it */
    FORMAT_PLACE_ZEROS,   /* zeros, without a place in the file */
    FORMAT_PLACE_FILE,    /* at an offset of the file, one sector behind the other */
};

struct format_place {
    enum format_place_kind kind;
    uint64_t offset;  /* of the first sector, FORMAT_PLACE_FILE only */
    uint64_t sectors; /* that lie like this, at least 1 */
};

struct format_driver {
    const char *name;  /* of what has no header with a name of its own (enum cow_format) */
    const char *title; /* the same for people */
    /* Has every sector, so that nothing lies below it, and no bits have to be asked for. */
    bool flat;

    /* Is the file of this family? By its first bytes; that it decodes is not promised. */
    bool (*probe)(const struct format_source *source);

    /* Decodes. header: in host order; the fields that the format lacks are 0, and an unfinished one leaves
     * *out alone. Errors: COW_NOT_COW, COW_UNSUPPORTED, COW_INVALID; outputs are unchanged then. */
    int (*decode)(struct format_disk *out, struct cow_header *header, const struct format_source *source,
                  struct cow_error *err);

    /* What is known of the bits from `page` on, and for how many pages (at least 1) that holds. 0 or -errno.
     */
    int (*guess_bits)(const struct format_disk *disk, const struct format_file *file, uint64_t page,
                      enum format_bits *out, uint64_t *pages);

    /* The bits of one page, the first n_bytes of it; what lies past the last sector may be anything. 0 or
     * -errno. */
    int (*fill_bits)(const struct format_disk *disk, const struct format_file *file, uint64_t page,
                     uint8_t *bytes, size_t n_bytes);

    /* Where `sector` lies. In a format whose bits lie apart from its data it is answered whatever the bit
     * says: there the place of a sector that is not in the file is where it would be. 0 or -errno. */
    int (*place)(const struct format_disk *disk, const struct format_file *file, uint64_t sector,
                 struct format_place *out);
};

/* All variants of UML's COW, and QEMU's old ones: the table of variants.c. */
extern const struct format_driver format_uml;
/* What its driver knows of an image with this header and layout, which need not be those in the file. */
void format_uml_disk(struct format_disk *out, const struct cow_header *header,
                     const struct cow_layout *layout);
/* A raw disk: any file at all. */
extern const struct format_driver format_raw;

/* The driver of a file: the first that takes it for its own, the raw one if nobody else does. */
const struct format_driver *format_driver_of(const struct format_source *source);

#endif
