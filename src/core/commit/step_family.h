/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps of a change of several images that are about what they share. As steps.h has them.
 */
#ifndef CORE_COMMIT_STEP_FAMILY_H
#define CORE_COMMIT_STEP_FAMILY_H

#include "core/commit/steps.h"

/* The locks, as commit_lock takes them. COW_REFUSED where the images on the backing file, or the record to go
 * by, are no longer those that the plan was made from. Then room, on each filesystem for what all members
 * there need together. */
int commit_family_lock(struct commit *c);
int commit_family_space(struct commit *c);

/* Puts the journal beside the backing file, where there must be none yet; until commit_family_commit a
 * recovery goes back. */
int commit_family_journal(struct commit *c);

/* The journal says from now on that the change is done: the one write at which all members go over. Nothing
 * is taken back after it, also not where it fails and may yet be there. */
int commit_family_commit(struct commit *c);

/* Gives the backing file the length, and the date, that the way the plan goes leaves it with. COW_REFUSED
 * where it is not as the record has it. */
int commit_family_backing(struct commit *c);

/* The end of the journal: after a change that is done it becomes the undo record, else it is removed. The
 * directory is flushed; before that, in a recovery, those of all members. */
int commit_family_end(struct commit *c);

/* Removes the undo record; none is as good. COW_REFUSED where another change of all was begun meanwhile. */
int commit_family_forget(struct commit *c);

/* No step: the backing file as it was, and the journal gone, once the members are what they were. False: it
 * is still there, and recovery has to go on. */
bool family_take_back(struct commit *c);

#endif
