/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A commit under way: the open files, what has been made so far (so that a failure can take it back),
 * progress, and the tools that all steps use.
 */
#ifndef CORE_WRITE_WORK_H
#define CORE_WRITE_WORK_H

#include "core/base/transfer.h"
#include "core/ledger/record.h"
#include "core/plan/plan.h"
#include "core/shift/shift.h"

struct commit {
    const struct cow_plan *plan;
    const struct cow_io *io;
    const struct cow_env *env;
    struct cow_error *err;
    int image_fd;                  /* the old image, locked */
    int backing_fd;                /* locked */
    int out_fd;                    /* the temporary file, locked */
    int input_fd[PLAN_INPUTS_MAX]; /* the plan's further inputs, locked */
    int copy_fd;                   /* the private backing file, under its temporary name */
    mode_t copy_mode;              /* plan_output_mode, less the umask */
    bool out_made;
    bool copy_made;
    bool copy_placed; /* it has its final name */
    bool backing_written;
    bool merging; /* bytes of the backing file are written: even its date cannot be put back any more */
    struct timespec beat; /* when merging last dated the journal; zeros: not yet */
    bool spilled;         /* something was written to a stream or a device, and cannot be taken back */
    bool journal_made;
    bool marked;          /* its data is being moved: it stays half way if that is stopped */
    bool stoppable;       /* ... and so it can be, at this moment */
    struct shift shift;   /* half_fd: the open position file, or -1 */
    bool renamed;         /* the new file (or header) is in place: nothing is taken back any more */
    struct record record; /* once the journal is made, or read */
    bool has_record;
    size_t room_for_more; /* of record.more */
    uint64_t saved_bytes; /* that those ranges hold */
    const char *phase;
    uint64_t done_bytes;
    uint64_t total_bytes;
    uint64_t waiting_from; /* of the file in the making: where what waits to be written to the disk begins, */
    uint64_t waiting_bytes; /* and how much that is (commit_written) */
};

/* Makes a temporary file, empty and locked; one that a crash left behind is replaced, one that another cowtui
 * is writing is not (COW_LOCKED).  mode is for the umask. */
int commit_make_file(struct commit *c, const char *path, mode_t mode, int *fd);

/* Checks that fd's filesystem has room. */
int commit_require_space(struct commit *c, int fd, uint64_t bytes);

/* Whether what was read has still the length that it had. Asked before a new file is called complete. */
int commit_check_sources(struct commit *c);

/* Counts bytes as done and tells the caller. COW_CANCELLED if it wants to stop and that is still possible. */
int commit_advance(struct commit *c, uint64_t bytes);

/* Tells that a piece of a new file, behind all others, has been written. So that the disk is busy while we
 * are, and the fsync in the end has little left to wait for, its writing to the disk begins soon. */
void commit_written(struct commit *c, int fd, uint64_t offset, uint64_t n_bytes);

/* A failed call: COW_IO with words; a full disk is told with what helps. */
int commit_failed(struct commit *c, int status, const char *what, const char *path);

/* Copies length bytes from one open file to another, at most COMMIT_PIECE_BYTES at a time, and advances.
 * Holes of the source stay holes (the target is sparse there already). */
int commit_transfer(struct commit *c, struct host_file *from, uint64_t from_offset, int to_fd,
                    uint64_t to_offset, uint64_t length);

/* The same of [begin, end) of the disk, as it lies in one file of the image, whatever the bits say, into the
 * new file from to_offset on. */
int commit_transfer_disk(struct commit *c, enum cow_file file, uint64_t begin, uint64_t end,
                         uint64_t to_offset);

enum { COMMIT_PIECE_BYTES = 8 * 1024 * 1024, COMMIT_BUFFER_BYTES = TRANSFER_BUFFER_BYTES };

#endif
