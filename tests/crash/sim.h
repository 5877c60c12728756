/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A simulated machine behind the core's table of calls: a tree of files that lives in memory, a log of
 * everything that would have to reach a disk, and a fault at the n-th call. The log is what power.h makes
 * crash states from.
 *
 * The rules of the disk: a sector of 512 bytes is written as a whole or not at all. What a file's inode says
 * (size, times, mode...) reaches the disk as one, in the order in which it changed. A name does, too, and a
 * rename is one such step. fsync of a file makes its bytes and its inode durable, not its name; fsync of a
 * directory makes its names durable, nothing else. (Real filesystems promise more; the core does not use it.)
 */
#ifndef CRASH_SIM_H
#define CRASH_SIM_H

#include "core/base/io.h"
#include "tree.h"

enum item_kind {
    ITEM_SECTOR, /* new bytes of a sector */
    ITEM_FACTS,  /* a new version of an inode's facts */
    ITEM_ENTRY,  /* names of a directory, all or none */
    ITEM_SYNC,   /* what came before for this inode is durable */
    ITEM_LOSE,   /* fsync failed: bytes that wait are never made durable by a later one */
};

struct item {
    uint32_t mutation; /* which call, counted from 0 */
    uint8_t kind;
    uint8_t inode; /* the directory for ITEM_ENTRY */
    bool truncates;
    union {
        struct {
            uint64_t sector;
            struct page *page; /* as it was then */
        } data;
        struct facts facts;
        struct {
            char name[TREE_NAME_BYTES]; /* "" = unused */
            uint8_t target;             /* NO_INODE: removed */
        } name[2];
    };
};

/* A call that changes something, for telling what happened. */
struct mutation {
    const char *call;
    char name[TREE_NAME_BYTES];
    uint64_t offset;
    uint64_t length;
};

enum fault {
    FAULT_NONE,
    FAULT_ERROR, /* the call does nothing and fails */
    FAULT_LATE,  /* the call does its work and fails */
    FAULT_SHORT, /* a read or write does less than asked for */
};

struct fault_plan {
    enum fault kind;
    int error;               /* positive errno */
    unsigned long at;        /* the call that fails, counted from 1; 0: none */
    bool for_ever;           /* and all that follow */
    bool only_mutations;     /* looking always works */
    bool only_transfers;     /* only reads, writes and copies of bytes fail */
    unsigned long second;    /* one more call that fails, in the same way; 0: none */
    unsigned long skip_sync; /* this fsync, counted from 1, answers 0 and does nothing; 0: none */
};

enum { SIM_FDS = 32, SIM_FIRST_FD = 100 };

struct sim_fd {
    bool used;
    bool locked;
    bool write_locked;
    uint8_t inode;
    int flags;
    char name[TREE_NAME_BYTES];
};

struct sim {
    struct cow_io io; /* the table; its context is this struct */
    struct tree live; /* what a running machine sees */
    struct tree base; /* what was durable when the log began */
    struct item *item;
    size_t n_items, room_items;
    struct mutation *mutation;
    size_t n_mutations, room_mutations;
    struct sim_fd fd[SIM_FDS];
    uint64_t clock_ns;
    bool can_clone;
    uid_t caller;        /* 0 may do everything */
    bool reuses_numbers; /* a number comes back as soon as its file is gone, as on ext4: no power cut then */
    unsigned long calls_max; /* that do not end: the program ends with a word; 0: no limit */
    unsigned long calls;
    struct fault_plan fault;
    unsigned long n_calls; /* that could fail */
    unsigned long n_syncs;
    const char *struck;            /* the call that a fault hit first, or NULL */
    size_t struck_at;              /* the mutations that had been made by then */
    char skipped[TREE_NAME_BYTES]; /* the name whose fsync was left out */
};

/* A machine that has just booted with these files, all of them durable. Takes over *tree. */
void sim_boot(struct sim *sim, struct tree *tree);
/* A machine on which a process was just killed: it has these files (taken over), of which only `durable` is
 * on the disk; item[] of another machine still waits. No number of an inode comes back. */
struct waiting;
void sim_resume(struct sim *sim, struct tree *files, const struct tree *durable, const struct sim *other,
                const struct waiting *waiting, size_t n_waiting);
/* Everything that is there now is durable; the log begins anew. Numbers of inodes may come back. */
void sim_settle(struct sim *sim);
void sim_free(struct sim *sim);
unsigned sim_open_files(const struct sim *sim);
void sim_set_fault(struct sim *sim, const struct fault_plan *fault);

/* The time as files get it: in ticks, as a kernel does. */
struct timespec sim_tick(const struct sim *sim);
/* What a device keeps of a date. */
struct timespec sim_kept_date(const struct tree *tree, const struct inode *inode, struct timespec date);

#endif
