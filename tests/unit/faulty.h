/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A table of calls that fails on demand, and knows what has not been flushed.
 */
#ifndef TESTS_UNIT_FAULTY_H
#define TESTS_UNIT_FAULTY_H

#include "core/base/io.h"
#include "support.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_ERROR, /* that call fails, and has done nothing */
    FAULT_LATE,  /* that call does its work and fails all the same */
    FAULT_SHORT, /* that write writes half */
    FAULT_CRASH, /* that call and all that follow fail, as if the process had ended */
};

struct faulty {
    struct cow_io io; /* hand this out */
    enum fault_kind kind;
    int error;          /* positive */
    uint64_t at;        /* which mutating call, from 1 */
    uint64_t calls;     /* mutating calls so far */
    const char *struck; /* the name of the call that was struck, or NULL */
    bool real_sync;     /* fsync is passed on; otherwise it only counts, for speed */
    /* files with changes that no fsync has made durable yet */
    struct {
        dev_t device;
        ino_t inode;
    } unsynced[16];
    unsigned n_unsynced;
    ino_t renamed_in; /* the directory of the last rename, until it is flushed; else 0 */
    unsigned
        renames_unsynced;    /* renames of a file that had such changes, or before the last one was durable */
    unsigned sizes_unsynced; /* true sizes written to a header before what it speaks of was durable */
};

void faulty_init(struct faulty *f, enum fault_kind kind, int error, uint64_t at);

#endif
