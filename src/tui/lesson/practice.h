/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The practice disk: a COW file and its backing file in a private directory, and what happens to them in the
 * lesson. What a guest does is written here, in a guest's order; all else is a change of the core, planned
 * and committed as it is for any image.
 */
#ifndef COW_TUI_LESSON_PRACTICE_H
#define COW_TUI_LESSON_PRACTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/cow.h"
#include "front/private.h"

enum { PRACTICE_PATH_BYTES = FRONT_PRIVATE_BYTES + 16, PRACTICE_COMMAND_BYTES = 160 };

/* How many parts the guest's many writes have. */
enum { PRACTICE_WRITES = 24 };

struct practice {
    struct front_private directory;
    char cow[PRACTICE_PATH_BYTES], backing[PRACTICE_PATH_BYTES];
    struct cow_image *image; /* as the files are now; NULL: they are not there, or not whole */
    struct cow_verdict verdict;
    struct cow_usage usage;
    bool is_hasty; /* nobody looks: what the guest does need not be safe, and is seen when it is asked for */
    bool is_stale; /* the files are ahead of the image */
    uint64_t sector;                      /* that is read, and written by the guest; the first of its page */
    char command[PRACTICE_COMMAND_BYTES]; /* of the last plan, as it is typed in that directory; "": none */
    struct {                              /* the last plan's layouts; both known, or neither */
        bool known;
        uint64_t before_bytes, after_bytes; /* of the disk */
        struct cow_layout before, after;
    } growth;
};

/* Makes the directory, and no file yet. Errors: COW_IO; there is nothing to be ended then. */
int practice_make(struct practice *out, struct cow_error *err);

/* Closes the image, and removes the directory with all that was made in it. */
void practice_end(struct practice *practice);

/* Each of the following leaves practice->image open on what the files are then, but for haste. Errors: COW_IO
 * (a full disk, too), COW_NO_MEMORY, and what a plan says; the practice disk is of no use then until it is
 * begun anew. */

/* A new disk: a backing file with some text, and a COW file as a UML kernel makes it, without a change. */
int practice_begin(struct practice *practice, struct cow_error *err);

/* Opens what the files are now, if the image is not that. */
int practice_catch_up(struct practice *practice, struct cow_error *err);

/* The guest writes the page of practice->sector: its bytes, and when they are safe its bits. */
int practice_write_bytes(struct practice *practice, struct cow_error *err);
int practice_write_bits(struct practice *practice, struct cow_error *err);

/* The part-th of the guest's many writes, 0 to PRACTICE_WRITES - 1. */
int practice_write_part(struct practice *practice, int part, struct cow_error *err);

/* The backing file gets the date of the day after, and not a byte of it changes. */
int practice_touch(struct practice *practice, struct cow_error *err);

/* What can be done with an image, for the lesson. */
enum practice_change {
    PRACTICE_RESTAMP,
    PRACTICE_GROW_KEEP,   /* the disk alone, its backing file stays as it is */
    PRACTICE_GROW_EXTEND, /* with its backing file */
    PRACTICE_UNDO,
};

/* Plans a change, keeps of the plan what practice tells, and commits it if is_meant. */
int practice_do(struct practice *practice, enum practice_change change, bool is_meant, struct cow_error *err);

#endif
