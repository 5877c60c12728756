/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The way back from a change that has a journal: the same for a commit that fails and for recovery after a
 * crash. Each stops at the first call that fails, and leaves the journal to whoever called: as long as it is
 * there, recovery can go on.
 */
#ifndef CORE_COMMIT_RETREAT_H
#define CORE_COMMIT_RETREAT_H

#include "core/write/work.h"

/* Opens and locks what is going to take the image's name, before it has it: the lock on the image does not
 * follow a rename. It is held until the commit ends. 0 or -errno, as for all here. */
int retreat_hold(struct commit *c, const char *path);

/* The record's backing file, if it is one that is lengthened, to its old or new size. 0 or -errno, as for all
 * here. */
int retreat_backing(struct commit *c, bool back);

/* The private backing file that the change made, under either name; kept where somebody uses it. */
int retreat_remove_copy(struct commit *c);

/* Everything that a copy made, but for the journal. The image is the old one still. */
int retreat_from_copy(struct commit *c);

/* Everything that a change in place wrote, but for the journal. exact: nobody else can have written since. */
int retreat_in_place(struct commit *c, bool exact);

/* The merge from its beginning on, which does no harm a second time: the image's bits are there until the
 * new, empty image takes its place. */
int merge_forward(struct commit *c);

/* A merge that has not begun: its new image goes, but not the journal. */
int retreat_from_merge(struct commit *c);

#endif
