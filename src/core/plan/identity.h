/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Is it the same filesystem? Asked of another backing file, by the UUIDs of what lies on it.
 */
#ifndef CORE_PLAN_IDENTITY_H
#define CORE_PLAN_IDENTITY_H

#include "core/plan/plan.h"

/* A note, if the file at that path holds another filesystem than the guest knows: than the image's own copy
 * of the superblock says, or the present backing file, if it is there. What cannot be read says nothing.
 * Errors: COW_NO_MEMORY. */
int identity_note(struct cow_plan *plan, const char *backing_path, bool safe, struct cow_error *err);

#endif
