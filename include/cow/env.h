/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the core may ask of its caller. The core is mute: it never prints, prompts, draws or exits; whatever
 * it wants to say or ask goes through here. A missing callback means "no" to every question, silence, and "go
 * on".
 */
#ifndef COW_ENV_H
#define COW_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/error.h"

struct cow_progress {
    const char *phase;    /* "copying data"; valid during the call */
    uint64_t done_bytes;  /* of this commit as a whole */
    uint64_t total_bytes; /* an estimate, never 0 */
    bool can_cancel;      /* false past the point where only going on leaves the files consistent */
};

/* A filesystem that shall fill its place on a disk that has another size now, or give up the end of it. The
 * disk is a COW file in the making, or a private one, that nobody else sees: it is held by whoever asks. */
struct cow_fs_job {
    int image_fd; /* the COW file: open for reading and writing, locked (cow_writer_options.held_fd) */
    const char *image_path;   /* of the image, for messages */
    const char *backing_path; /* the file below it; NULL: the one that its header names */
    uint64_t disk_bytes;      /* of the disk as it is served: the larger one of old and new size */
    uint64_t new_disk_bytes; /* what it shall become; where that is smaller, the rest is cut off afterwards */
    unsigned partition;  /* that holds the filesystem, the last one, and is given the new size first; 0: there
                            is  no table */
    unsigned container;  /* the partition that it lies in, which has to grow before it; 0: none */
    bool is_gpt;         /* the table is one that has a backup at the end of the disk */
    uint64_t first_byte; /* where the filesystem begins on the disk */
    uint64_t fs_bytes;   /* what it shall have; 0: all that there is */
};

/* What whoever looks for a fault can hear of a change; more than one are added. */
enum cow_trace {
    COW_TRACE_STEPS = 1,  /* which step runs, and how it ended */
    COW_TRACE_CALLS = 2,  /* each call of the system that changes, flushes or locks a file, and its answer */
    COW_TRACE_DECIDE = 4, /* what was decided, and why */
};

struct cow_env {
    /* Called at least every few MiB of work. Returns true to ask for a stop: honoured only while can_cancel
     * is true, then the operation undoes what it began and returns COW_CANCELLED. */
    bool (*progress)(void *context, const struct cow_progress *progress);
    /* Something worth telling that is not an error; text is one line without control bytes. */
    void (*note)(void *context, const char *text);
    /* Lets e2fsck and resize2fs do that job. The core starts no program. 0; COW_UNSUPPORTED (what is missing,
     * by its package), COW_REFUSED (the filesystem is damaged, in e2fsck's words), COW_CANCELLED, COW_IO.
     * Without this callback nothing that needs it is done. */
    int (*resize_fs)(void *context, const struct cow_fs_job *job, struct cow_error *err);
    /* One line without control bytes, of what `traces` names (enum cow_trace, added). */
    void (*trace)(void *context, enum cow_trace what, const char *text);
    unsigned traces;
    void *context;
};

struct cow_io;

/* A table of system calls for the options of whoever only looks (cow_open_options, cow_check_options): the
 * operating system's, but step(context) is called before a file is opened or read, or asked for its holes. So
 * a caller that has other things to do in between gets its turn often. Where step() answers true the call
 * fails, and what is being done ends soon, with an error: what came of it is to be dropped then, whatever the
 * status says. *out is the caller's (cow_io_free), and must outlive all that was opened with it. Errors:
 * COW_NO_MEMORY. */
int cow_io_stepped(struct cow_io **out, bool (*step)(void *context), void *context, struct cow_error *err);
void cow_io_free(struct cow_io *io); /* of cow_io_stepped; NULL is allowed */

#endif
