/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The composed disk, read and written while it is served: what a guest's kernel does, for a server of block
 * devices and for programs that work on a disk. Data is written first, and its bits when it is durable: after
 * a crash each sector is what the last flush promised, or what was written since, and never anything else
 * (where the data lies at a multiple of 512 bytes; else a sector may be a part of both). Only a v3 with
 * sectors of 512 bytes is written. There is no undo. One writer belongs to one thread at a time.
 */
#ifndef COW_WRITER_H
#define COW_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/disk.h"
#include "cow/env.h"
#include "cow/error.h"

struct cow_io;
struct cow_writer;

struct cow_writer_options {
    const char *backing_path; /* use this backing file instead of the stored one; NULL: the stored one */
    const struct cow_io *io;  /* the table of system calls; NULL: the operating system's */
    int held_fd; /* the image, open for reading and writing, locked by whoever hands it over: its lock counts
                    as the writer's own, and the journal and the mark of a change that is under way do not
                    refuse. It stays the caller's. -1: the image is opened by its path, and locked */
    uint64_t held_size_bytes; /* of the disk, where the header of held_fd bears the mark; else 0 */
};

/* Opens an image to be written: the locks are taken (COW for writing, backing file for reading), and all that
 * refuses other changes refuses this one: a pending change, another user's record, a date of the backing file
 * that is not the header's. path names the image in messages (and is opened where held_fd is -1). Nothing is
 * written yet. *out is the caller's: cow_writer_close. Errors: COW_LOCKED, COW_REFUSED, COW_UNSUPPORTED
 * (another variant: `convert` helps), COW_INVALID, COW_NOT_COW, COW_IO, COW_NO_MEMORY. */
int cow_writer_open(struct cow_writer **out, const char *path, const struct cow_writer_options *opt,
                    struct cow_error *err);

/* Gives everything back, and writes nothing: what was not flushed may be lost. NULL is allowed. */
void cow_writer_close(struct cow_writer *writer);

/* Of the disk, as the guest sees it; a writer does not change it. */
uint64_t cow_writer_size_bytes(const struct cow_writer *writer);

/* Offsets and lengths are bytes of the disk, of any alignment. Errors: COW_USAGE past its end; COW_IO with
 * sys_errno (ENOSPC: the disk is full; what was flushed is there). After an error of a flush the writer
 * answers each further write and flush with that error: what the page cache has is not to be trusted any
 * more. */
int cow_writer_read(struct cow_writer *writer, uint64_t offset, void *buffer, size_t n_bytes,
                    struct cow_error *err);
int cow_writer_write(struct cow_writer *writer, uint64_t offset, const void *data, size_t n_bytes,
                     struct cow_error *err);
/* Zeros: nothing is written where the disk shows zeros already; elsewhere whole pages of 4 KiB become a hole
 * with its bits set, and zeros are written at the edges, and where no hole can be made. */
int cow_writer_zero(struct cow_writer *writer, uint64_t offset, uint64_t n_bytes, struct cow_error *err);
/* What the disk holds there is of no use any more: whole pages read as zeros from now on, parts of pages stay
 * as they are. */
int cow_writer_trim(struct cow_writer *writer, uint64_t offset, uint64_t n_bytes, struct cow_error *err);
/* All that was answered before is on the disk when this answers 0: data, then bits; and what was read, too,
 * though a guest wrote it. */
int cow_writer_flush(struct cow_writer *writer, struct cow_error *err);

/* As cow_image_extent: with what was written. */
int cow_writer_extent(struct cow_writer *writer, uint64_t offset, struct cow_extent *out,
                      struct cow_error *err);

/* The end of a session: completes the pages that were left mixed, and what a guest reads in one piece with
 * them (as `cowtui pages` does), in place and in the writer's order, and flushes, even where that fails. A
 * crash before it leaves a disk that reads the same; `check` tells what is missing. Costs as much as there is
 * dirty, and a look at the filesystem where its blocks are smaller than 4 KiB. The writer can go on
 * afterwards. env may be NULL; a stop is honoured (COW_CANCELLED). Errors: as of a write, or a flush. */
int cow_writer_finish(struct cow_writer *writer, const struct cow_env *env, struct cow_error *err);

#endif
