/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the methods' ways on and back have in common (method.h). Each stops at the first call that fails, and
 * leaves the journal to whoever called: as long as it is there, recovery can go on.
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

/* The end of an undo in the image's own file: the undo data go, and the private backing file that the change
 * had made. 0 or -errno. */
int retreat_end_undo(struct commit *c);

#endif
