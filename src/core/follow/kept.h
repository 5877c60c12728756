/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The bits of one page of a bitmap (64 KiB of it), kept small: an empty page is no memory at all, a full one
 * a few bytes, any other the distances between its runs; where that would be more than the page itself, the
 * page. What there is no room for is known by its number of bits and a sum alone.
 */
#ifndef CORE_FOLLOW_KEPT_H
#define CORE_FOLLOW_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/format/driver.h"

struct kept;

/* The first run at or after bit `from` that is set in a and not in b (NULL: no bits): [*first, *end), both
 * `bits` if there is none. Both are pages: FORMAT_PAGE_BYTES, clear from `bits` on. */
void page_next_run(const uint8_t *a, const uint8_t *b, uint32_t bits, uint32_t from, uint32_t *first,
                   uint32_t *end);

/* How many bits of a page are set. */
uint32_t page_count(const uint8_t *page);

/* Keeps a page. room: how many bytes it may take at most. *out is the caller's (free), NULL for an empty one.
 * 0 or -ENOMEM. */
int kept_make(struct kept **out, const uint8_t *page, uint32_t bits, size_t room);

/* What it takes of memory, its bits and what is around them. NULL: nothing. */
size_t kept_bytes(const struct kept *kept);

/* How many bits are set. */
uint32_t kept_count(const struct kept *kept);

/* Whether its bits are known, one by one, and written to page[FORMAT_PAGE_BYTES]. */
bool kept_unpack(const struct kept *kept, uint8_t *page);

/* Of one whose bits are not known: whether that page has the same sum. */
bool kept_is_same(const struct kept *kept, const uint8_t *page);

#endif
