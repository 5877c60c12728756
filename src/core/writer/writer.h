/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A writer as the files of this room share it. Front ends see cow/writer.h alone.
 */
#ifndef CORE_WRITER_WRITER_H
#define CORE_WRITER_WRITER_H

#include "core/image/image.h"
#include "cow/scan.h"
#include "cow/writer.h"

enum {
    WRITER_SECTOR_BYTES = 512,
    WRITER_PAGE_SECTORS = COW_PAGE_BYTES / WRITER_SECTOR_BYTES,
    WRITER_WINDOW_BYTES = 256 * 1024, /* written at once */
    WRITER_PIECES_MAX =
        2048 /* of bits that wait (changed_bits.h): 8 MiB of memory, for 32 GiB of disk that is written */
};

struct cow_writer {
    const struct cow_io *io;
    struct cow_image *img; /* lent fd: its bits are those that count, written or not */
    int fd;
    bool is_held;            /* by somebody else, who closes it, and dates the image */
    bool has_begun;          /* something may have been written: undo data are void */
    bool data_waits;         /* data was written that no flush has brought to the disk */
    bool bits_wait;          /* the same of bits */
    bool bits_ready;         /* the data of all bits in memory is on the disk */
    size_t pieces_max;       /* of bits in memory; more are written out */
    uint64_t file_bytes;     /* the file is so long */
    uint8_t *window;         /* WRITER_WINDOW_BYTES */
    struct cow_error failed; /* of a flush: status 0 for none */
};

/* ---- durable.c ---- */

/* Before the first write of a session. Errors: COW_IO; the one of a flush that failed. */
int writer_begin(struct cow_writer *writer, struct cow_error *err);
/* Data of the disk into the image, at its place there. [offset, offset + n_bytes) lies within whole sectors
 * of the disk. */
int writer_store(struct cow_writer *writer, uint64_t offset, const void *bytes, size_t n_bytes,
                 struct cow_error *err);
/* The same of zeros, as a hole where that can be had: whole sectors. */
int writer_punch(struct cow_writer *writer, uint64_t offset, uint64_t n_bytes, struct cow_error *err);
/* Whole sectors whose data has been stored, or punched, belong to the image from now on. */
int writer_set_bits(struct cow_writer *writer, uint64_t offset, uint64_t n_bytes, struct cow_error *err);

/* ---- pages.c ---- */

/* Bytes of the disk; what is asked for lies on it. */
int writer_write_pages(struct cow_writer *writer, uint64_t offset, const void *data, size_t n_bytes,
                       struct cow_error *err);
/* Completes the page that begins at `offset` from what the disk shows there. */
int writer_complete_page(struct cow_writer *writer, uint64_t offset, struct cow_error *err);
/* The end of the disk in whole sectors, as bytes. */
uint64_t writer_sectors_end(const struct cow_writer *writer);
/* COW_USAGE for what does not lie on the disk. */
int writer_check_range(const struct cow_writer *writer, uint64_t offset, uint64_t n_bytes,
                       struct cow_error *err);

#endif
