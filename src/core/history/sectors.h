/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sets of sectors that grow and shrink by runs: of an image with a hundred thousand runs, too, a change costs
 * little.
 */
#ifndef CORE_HISTORY_SECTORS_H
#define CORE_HISTORY_SECTORS_H

#include "cow/history.h"

/* An empty one, the caller's (cow_sectors_free). NULL: out of memory. */
struct cow_sectors *sectors_make(void);

/* Adds, or takes away, [first, end), whatever of it there is already. False: out of memory; the set is broken
 * then, and good for nothing but to be freed. */
bool sectors_add(struct cow_sectors *set, uint64_t first, uint64_t end);
bool sectors_remove(struct cow_sectors *set, uint64_t first, uint64_t end);

#endif
