/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An open log, as the files of this room share it: where its records lie, and how they are read.
 */
#ifndef CORE_HISTORY_READING_H
#define CORE_HISTORY_READING_H

#include "core/base/io.h"
#include "core/history/log.h"
#include "core/history/mark.h"
#include "cow/history.h"

/* A record of changes. */
struct moment {
    struct cow_history_moment told;
    uint64_t offset; /* of its frame */
};

struct cow_history {
    const struct cow_io *io;
    char *path;
    int fd;
    struct cow_history_facts facts;
    struct log_mark mark;
    char *image_path, *backing_path, *format, *end_words;
    struct moment *moment;
    size_t n, room; /* n: facts.moments + 1, as soon as the beginning is known */
    size_t now;     /* which moment `bits` is of */
    struct cow_sectors *bits;
};

/* Reading on from a place; a piece of the file is kept. */
struct window {
    uint8_t *bytes; /* malloc's */
    uint64_t offset;
    size_t n_bytes;
};

/* Says so. Returns COW_NO_MEMORY. */
int history_no_memory(struct cow_error *err);

/* Errors: COW_NO_MEMORY. window->bytes is to be freed. */
int history_window_open(struct window *window, struct cow_error *err);

/* The record whose frame is at a place. *whole: there is one; then it is what the reader has, as long as the
 * window stays there, and *end is where the next one's frame is. Errors: COW_IO. */
int history_read_record(const struct cow_history *h, struct window *window, uint64_t offset, bool *whole,
                        struct log_reader *reader, uint64_t *end, struct cow_error *err);

/* Adds the runs that come next in a record to bits, or takes them away. checks: the record is bad where it
 * takes something for changed that is so already. *sectors: in them. 0 or COW_NO_MEMORY, without words. */
int history_apply_runs(struct cow_sectors *bits, struct log_reader *reader, uint64_t limit, bool sets,
                       bool checks, uint64_t *sectors);

#endif
