/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A simulated machine behind the core's table of calls: a tree of files that lives in memory, a log of
 * everything that would have to reach a disk, and a fault at the n-th call. The log is what power.h makes
 * crash states from.
 *
 * The rules of the disk: a sector of 512 bytes is written as a whole or not at all. What a file's inode says
 * (size, times, mode...) reaches the disk as one, in the order in which it changed. A name does, too, and a
 * rename is one such step. fsync of a file makes its bytes and its inode durable, not its name; fsync of a
 * directory makes its names durable, nothing else. fdatasync is fsync of a file without its date. (Real
 * filesystems promise more; the core does not use it.)
 *
 * Room within a file. A page that is punched reaches the disk as a hole by itself, in any order, until fsync
 * of the file; what of a page is cut at its edges is zeros that are written. Inserting and collapsing
 * (shift.h) move page after page, and the disk may show any step. What an inode's journal says of it comes in
 * order: a shift begins on the disk only if all facts and holes before it are there, and facts, holes and
 * shifts after it come only if it is whole. Bytes that are written after a shift which the disk does not have
 * (whole) need no journal if they go to a block that was the file's before: they may arrive any time,
 * wherever that block lies then. Those of a new block do not arrive. An error in the middle (FAULT_SPLIT) and
 * a kill in the middle (power.h, `splits`) leave a step to the running machine, too.
 *
 * A disk with a capacity counts the pages of its files. With room_comes_late, what was punched, cut off or
 * removed is free only once that is durable: by fsync of the file, or of the directory that had its name.
 *
 * Kinder than real ones: a longer length shows what lies past the end (after a shift that was cut off) up to
 * the byte; Linux would clear the rest of the last block.
 */
#ifndef CRASH_SIM_H
#define CRASH_SIM_H

#include "core/base/io.h"
#include "shift.h"
#include "tree.h"

enum item_kind {
    ITEM_SECTOR, /* new bytes of a sector */
    ITEM_FACTS,  /* a new version of an inode's facts */
    ITEM_ENTRY,  /* names of a directory, all or none */
    ITEM_HOLE,   /* a page is not allocated any more */
    ITEM_SHIFT,  /* pages move, step by step */
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
            uint64_t block;    /* that holds it */
            struct page *page; /* as it was then */
        } data;
        uint64_t hole; /* where the page was, in bytes */
        struct shift shift;
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
    FAULT_SPLIT, /* fallocate does a part of its work, and fails */
};

struct fault_plan {
    enum fault kind;
    int error;               /* positive errno */
    unsigned long at;        /* the call that fails, counted from 1; 0: none */
    bool for_ever;           /* and all that follow */
    bool only_mutations;     /* looking always works */
    bool only_transfers;     /* only reads, writes and copies of bytes fail */
    bool only_room;          /* only fallocate fails */
    uint64_t split;          /* of FAULT_SPLIT: another number, another part */
    unsigned long second;    /* one more call that fails, in the same way; 0: none */
    unsigned long skip_sync; /* this fsync, counted from 1, answers 0 and does nothing; 0: none */
};

enum { SIM_FDS = 64, SIM_FIRST_FD = 100 };

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
    /* What the machine can, and has; the caller's to set after sim_boot or sim_resume. */
    bool can_clone;
    bool can_insert;            /* and collapse; else -EOPNOTSUPP */
    bool no_punch;              /* a hole cannot be made: -EOPNOTSUPP */
    uint32_t block_bytes;       /* what is inserted and collapsed; a multiple of PAGE_BYTES; 0: that */
    enum size_order size_order; /* of inserting and collapsing */
    uint64_t capacity_bytes;    /* of each device; 0: there is room for everything */
    bool room_comes_late;
    struct timespec synced_mtime[TREE_INODES]; /* the date on the disk, where is_synced; else base has it */
    bool is_synced[TREE_INODES];
    /* For room_comes_late: of the files that were flushed (or whose directory was, after their last name had
     * gone), what is allocated on the disk; of the others base says it. */
    bool is_flushed[TREE_INODES];
    struct inode flushed[TREE_INODES];
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
 * on the disk; the rest, in this order, still waits. No number of an inode comes back. */
void sim_resume(struct sim *sim, struct tree *files, const struct tree *durable, const struct item *waiting,
                size_t n_waiting);
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
