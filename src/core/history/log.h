/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log as bytes: a head, then records, each with its length and sum. What a record holds is a byte that
 * says its kind, and numbers of 7 bits a byte, the lowest first. share/doc/format.md has the table.
 */
#ifndef CORE_HISTORY_LOG_H
#define CORE_HISTORY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_MAGIC_BYTES = 8,
    LOG_VERSION = 1,
    LOG_HEAD_BYTES = LOG_MAGIC_BYTES + 4, /* the version, big-endian as all of it */
    LOG_FRAME_BYTES = 8,                  /* before each record: its length, and a CRC of that and of it */
    LOG_RECORD_MOST = 1024 * 1024,
    LOG_RUNS_MOST = 32 * 1024, /* in a record that is written: it stays below that */
    LOG_NUMBER_BYTES = 10,     /* of the longest one */
};

extern const uint8_t log_magic[LOG_MAGIC_BYTES];

enum log_kind {
    LOG_ABOUT = 1,  /* which image; the first one */
    LOG_BITS = 2,   /* runs that are dirty at the beginning; any number of these */
    LOG_KNOWN = 3,  /* that was all of them */
    LOG_CHANGE = 4, /* what has changed */
    LOG_END = 5,    /* the last one */
};

/* ---- making ---- */

struct log_buffer {
    uint8_t *bytes; /* NULL: nothing yet */
    size_t n, room;
    bool failed; /* out of memory */
};

/* Empties it and begins a record. */
void log_begin(struct log_buffer *buffer, enum log_kind kind);
void log_put(struct log_buffer *buffer, uint64_t number);                         /* 7 bits a byte */
void log_put_bytes(struct log_buffer *buffer, const void *bytes, size_t n_bytes); /* with their number */
/* Fills in length and sum: the whole of it is bytes[0..n) then. */
void log_finish(struct log_buffer *buffer);
void log_free(struct log_buffer *buffer); /* empty again, and can be used */

/* ---- reading ---- */

/* What is left of a record. Whoever takes more than there is, or a number that is none, gets 0, and the
 * record is bad from then on. */
struct log_reader {
    const uint8_t *at, *end;
    bool is_bad;
};

/* The next number. One is bad that does not end in the record, or has more than 64 bits. */
uint64_t log_take(struct log_reader *reader);
/* Bytes with their number: they stay where they lie. */
const uint8_t *log_take_bytes(struct log_reader *reader, size_t *n_bytes);
/* [*first, *end) of the next of some runs, behind the one that ended at *end (0 at first), below `limit`. */
void log_take_run(struct log_reader *reader, uint64_t limit, uint64_t *first, uint64_t *end);

/* Whether a frame and the record behind it belong together. */
bool log_is_whole(const uint8_t *frame, const uint8_t *record, size_t n_bytes);

#endif
