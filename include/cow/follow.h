/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Following an image that somebody writes to: its bits are read again as they change, and what differs from
 * before is handed out as changes, each with the moment at which it was found. No lock is taken, nothing is
 * written, and a bitmap that is just being written is read as it is: what is missed then comes with the next
 * round. What is written into sectors that are dirty already changes no bit, and so is not seen.
 *
 * A round reads what may have changed: it begins where the file's date, length or room says so, and once in a
 * while without a reason, for a file that is mapped into memory may be written to under its old date. What is
 * kept in memory of the bits follows the number of runs, and not the size of the disk, with a bound.
 */
#ifndef COW_FOLLOW_H
#define COW_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/env.h"
#include "cow/error.h"
#include "cow/image.h"

struct cow_follow;

/* Sectors that have become dirty, or clean. Those of one reading (64 KiB of the bitmap) come in ascending
 * order, dirty ones first; the next reading's are elsewhere. */
struct cow_follow_change {
    int64_t at_ns; /* when it was found, on the clock of the environment */
    uint64_t first_sector, sectors;
    uint64_t changed_sectors; /* of them: all, but where the bits before were more than memory is for */
    bool dirty;               /* they are dirty now; false: clean, which no guest does */
};

enum { COW_FOLLOW_MEMORY_BYTES = 64 * 1024 * 1024 };

struct cow_follow_options {
    void (*changed)(void *context, const struct cow_follow_change *change);
    void *context;
    const struct cow_env *env; /* its clock; may be NULL */
    int64_t interval_ns;       /* between two looks at the file; 0: a second */
    size_t memory_bytes;       /* for bits that are kept; 0: COW_FOLLOW_MEMORY_BYTES */
    bool tells_first;          /* what is dirty at the beginning is handed out, too, until facts->known */
};

struct cow_follow_facts {
    bool known;             /* all bits were read once: from now on there are changes */
    bool is_busy;           /* a step has something to do at once */
    uint64_t dirty_sectors; /* as read last */
    uint64_t newly_dirty;   /* sectors, since all were known */
    uint64_t newly_clean;   /* the same */
    uint64_t looks;         /* at the file */
    uint64_t rounds;        /* over all bits */
    uint64_t read_bytes;    /* of the bitmap */
    uint64_t page, pages;   /* how far the last round is; pages of 64 KiB of the bitmap */
    int64_t next_look_ns;   /* on the clock: before that, a step has nothing to do */
    size_t kept_bytes;      /* of memory for bits */
};

/* Begins to follow an open image, which stays the caller's and must live as long. Nothing is read yet. *out
 * is the caller's (cow_follow_close). Errors: COW_INVALID (an unfinished or half-moved image), COW_NO_MEMORY.
 */
int cow_follow_open(struct cow_follow **out, struct cow_image *img, const struct cow_follow_options *options,
                    struct cow_error *err);
void cow_follow_close(struct cow_follow *follow); /* NULL is allowed */

/* Does a piece of what is to be done now: a look at the file, or the reading of one page of its bits. *more:
 * there is a further piece to be done at once; else nothing is before facts->next_look_ns. Errors end the
 * following: COW_IO (the file is gone, another one has its name, it was cut, its header is another one: the
 * message says which; or it cannot be read), COW_NO_MEMORY. */
int cow_follow_step(struct cow_follow *follow, bool *more, struct cow_error *err);

/* The next step looks at the file, and reads all bits, whatever the clock says. */
void cow_follow_hurry(struct cow_follow *follow);

/* They are the follower's, and change with each step. */
const struct cow_follow_facts *cow_follow_facts(const struct cow_follow *follow);

#endif
