/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What becomes of an image's bits while somebody writes to it, kept: a recording follows the image
 * (cow/follow.h) and writes what changes into a log, with the time; a history is such a log, read again,
 * which knows the bits at each moment. The layout of a log is in share/doc/format.md.
 *
 * A log is only ever appended to, by whole records with their length and sum. One that a crash or a full disk
 * has cut off is read up to its last whole record, and says so; one that is still being written is read as
 * far as it has come.
 */
#ifndef COW_HISTORY_H
#define COW_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/disk.h"
#include "cow/env.h"
#include "cow/error.h"
#include "cow/follow.h"
#include "cow/image.h"

/* ---- a set of sectors ---- */

struct cow_sectors;

void cow_sectors_free(struct cow_sectors *set); /* NULL is allowed */
/* How many sectors it has, and in how many runs. */
uint64_t cow_sectors_count(const struct cow_sectors *set);
size_t cow_sectors_runs(const struct cow_sectors *set);
/* The first run at or after `sector`, cut at `sector` if it lies inside one; out->sectors is 0 if there is
 * none. */
void cow_sectors_next(const struct cow_sectors *set, uint64_t sector, struct cow_dirty_run *out);
/* How many of the sectors from `first` on it has. */
uint64_t cow_sectors_in(const struct cow_sectors *set, uint64_t first, uint64_t sectors);

/* ---- recording ---- */

struct cow_recording;

enum { COW_RECORDING_MEMORY_BYTES = 1024 * 1024 * 1024 };

struct cow_recording_options {
    const char *log_path;
    bool force;                /* a log that is there already is replaced */
    const struct cow_env *env; /* its clock; may be NULL */
    int64_t interval_ns;       /* between two looks at the image; 0: a second */
    size_t memory_bytes;       /* for bits that are kept; 0: COW_RECORDING_MEMORY_BYTES. With less it ends */
};

struct cow_recording_facts {
    const struct cow_follow_facts *follow;
    int64_t begun_ns;   /* on the clock of the environment */
    uint64_t changes;   /* records of changes, up to now */
    uint64_t log_bytes; /* written */
};

/* Makes the log, with what is known of the image at its beginning. img is borrowed, read without a lock and
 * never written. *out is the caller's (cow_recording_close). Errors: COW_REFUSED (the log exists, and force
 * is not set or it is no log; it is the image or a file below it), COW_LOCKED (somebody records into it),
 * COW_IO, COW_INVALID (an unfinished or half-moved image), COW_NO_MEMORY. On failure no new file is left. */
int cow_recording_open(struct cow_recording **out, struct cow_image *img,
                       const struct cow_recording_options *options, struct cow_error *err);
/* Ends without a word in the log. NULL is allowed. */
void cow_recording_close(struct cow_recording *recording);

/* As cow_follow_step; what was found is written at the end of each round. Further errors: COW_IO (the log
 * could not be written; it is whole up to its last record), COW_NO_MEMORY. What ends the following is noted
 * in the log. */
int cow_recording_step(struct cow_recording *recording, bool *more, struct cow_error *err);
/* The next step looks at the file, and reads all bits. */
void cow_recording_hurry(struct cow_recording *recording);
/* They are the recording's, and change with each step. */
const struct cow_recording_facts *cow_recording_facts(const struct cow_recording *recording);

/* Notes that it ends here, and brings the log to the disk. To be called once, after steps without an error;
 * cow_recording_close follows. Errors: COW_IO. */
int cow_recording_end(struct cow_recording *recording, struct cow_error *err);

/* ---- reading a log ---- */

struct cow_history;

/* How a recording ended. name is the JSON value. */
#define COW_HISTORY_END_LIST(X)                                                                              \
    X(NONE, "none", "its end is missing: it goes on, or was cut off")                                        \
    X(ENDED, "ended", "it was ended")                                                                        \
    X(GONE, "gone", "the image is gone")                                                                     \
    X(REPLACED, "replaced", "another file has the image's name")                                             \
    X(SHORTER, "shorter", "the image has become shorter")                                                    \
    X(OTHER, "other", "the image could no longer be followed")

enum cow_history_end {
#define COW_HISTORY_END_ENUM(id, name, text) COW_HISTORY_##id,
    COW_HISTORY_END_LIST(COW_HISTORY_END_ENUM)
#undef COW_HISTORY_END_ENUM
        COW_HISTORY_ENDS
};

const char *cow_history_end_name(enum cow_history_end end); /* the JSON value: "replaced"; static */
const char *cow_history_end_text(enum cow_history_end end); /* the sentence above */

struct cow_history_facts {
    const char *image_path;   /* absolute, raw bytes as all paths here; escape them */
    const char *backing_path; /* absolute where it was found; "" none */
    bool backing_named;       /* by whoever recorded; the header's was not used */
    const char *format;       /* "uml-cow-v3" */
    uint64_t size_bytes, sectors;
    uint32_t sector_bytes;
    int64_t begun_ms; /* since 1970; all other times count from there */
    uint64_t interval_ms;
    size_t moments;  /* records of changes: moment 0 is the beginning, the last one the end */
    uint64_t end_ms; /* of the last thing that it tells */
    enum cow_history_end end;
    const char *end_words; /* more about it, safe to show; "" */
    uint64_t whole_bytes;  /* of the file, up to the end of its last whole record */
    uint64_t left_bytes;   /* behind that: cut off, or damaged. 0: none */
};

struct cow_history_moment {
    uint64_t at_ms;
    uint64_t newly_dirty, newly_clean; /* sectors; of moment 0: none */
    uint64_t dirty_sectors;            /* in all */
};

/* Reads a log. Memory follows the number of records and of runs. *out is the caller's (cow_history_close).
 * io: the table of system calls; NULL: the operating system's. Errors: COW_IO, COW_INVALID (no log, another
 * version of it, one that ends before the bits at its beginning are whole, or contradicts itself),
 * COW_NO_MEMORY. */
int cow_history_open(struct cow_history **out, const char *path, const struct cow_io *io,
                     struct cow_error *err);
void cow_history_close(struct cow_history *history); /* NULL is allowed */
/* What the log tells of the image and of itself, as it was read. It is the history's, texts too. */
const struct cow_history_facts *cow_history_facts(const struct cow_history *history);

/* What a moment changed, when, and how much was dirty then. index <= facts->moments. */
void cow_history_moment(const struct cow_history *history, size_t index, struct cow_history_moment *out);
/* The last moment that is no later than so many milliseconds; 0: the beginning, which is in any case. */
size_t cow_history_moment_at(const struct cow_history *history, uint64_t at_ms);

/* Goes to a moment (<= facts->moments), and gives the sectors that were dirty then: they are the history's,
 * and change with the next call. Costs what has changed between the last one and this. Errors: COW_IO (the
 * file is another one now; the history is of no use any more), COW_NO_MEMORY (the same). */
int cow_history_go(struct cow_history *history, size_t moment, const struct cow_sectors **out,
                   struct cow_error *err);

/* The sectors that have become dirty behind the moment `from`, up to `to`, and are dirty at `to`. from <= to
 * <= facts->moments. *out is the caller's (cow_sectors_free). Errors as above. */
int cow_history_between(const struct cow_history *history, size_t from, size_t to, struct cow_sectors **out,
                        struct cow_error *err);

/* Whether an image is the one that the log is of: the same file with the same header, in which is dirty what
 * was dirty at the end of the log. Asks that of it as it is now. COW_REFUSED with words if not; COW_IO,
 * COW_NO_MEMORY. */
int cow_history_check_image(struct cow_history *history, struct cow_image *img, struct cow_error *err);

#endif
