/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps of a change of several images that are about what they share. As steps.h has them.
 */
#ifndef CORE_COMMIT_STEP_FAMILY_H
#define CORE_COMMIT_STEP_FAMILY_H

#include "core/commit/steps.h"

int commit_family_lock(struct commit *c);
int commit_family_space(struct commit *c);
int commit_family_journal(struct commit *c);
int commit_family_backing(struct commit *c);
int commit_family_commit(struct commit *c);
int commit_family_end(struct commit *c);
int commit_family_forget(struct commit *c);

/* No step: the backing file as it was, and the journal gone, once the members are what they were. False: it
 * is still there, and recovery has to go on. */
bool family_take_back(struct commit *c);

#endif
