/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory, seen from both sides. The library's allocations go through wrappers (the linker's --wrap), which
 * count them, can fail the n-th one, and tell what was not given back. The tests' own come from here and
 * never fail: there is nothing to test in them.
 */
#ifndef CRASH_MEMORY_H
#define CRASH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *memory_get(size_t n_bytes);
void *memory_get_zeroed(size_t n_bytes);
void *memory_resize(void *block, size_t n_bytes);
void memory_free(void *block);
/* Ends the program with words: a test that cannot be set up proves nothing. */
void memory_require(bool condition, const char *what);

/* Watches the library from here on. fail_at: the allocation that fails, counted from 1 (0: none); for_ever:
 * and all that follow. */
void memory_watch(unsigned long fail_at, bool for_ever);
/* Ends the watch; answers how many allocations there were. *lost: how many were not given back. */
unsigned long memory_unwatch(size_t *lost);

#endif
