/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See kept.h. Distances are numbers of 7 bits a byte, the lowest first: from the page's beginning to the
 * first run, along it, to the next one, and so on.
 */
#include "core/follow/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = FORMAT_PAGE_BYTES / 8, DISTANCE_BYTES = 3 }; /* of the longest one: 2^19 bits */

enum form { FORM_FULL, FORM_RUNS, FORM_PAGE, FORM_SUM };

struct kept {
    uint32_t count, bits;
    uint32_t n_bytes;
    enum form form;
    uint8_t bytes[];
};

/* Eight bytes as they lie there: bit n of the page is bit n % 64 of word n / 64. */
static uint64_t word_at(const uint8_t *page, size_t word)
{
    uint64_t value;
    memcpy(&value, page + word * 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/* The first bit at or after `from` where (a and not b) is `set`, or `bits`. */
static uint32_t find_bit(const uint8_t *a, const uint8_t *b, uint32_t bits, uint32_t from, bool set)
{
    uint64_t mask = ~UINT64_C(0) << from % 64;
    for (size_t word = from / 64; word * 64 < bits; word++, mask = ~UINT64_C(0)) {
        uint64_t value = word_at(a, word) & ~(b != NULL ? word_at(b, word) : 0);
        value = (set ? value : ~value) & mask;
        if (value != 0) {
            const uint32_t at = (uint32_t)word * 64 + (uint32_t)__builtin_ctzll(value);
            return at < bits ? at : bits;
        }
    }
    return bits;
}

void page_next_run(const uint8_t *a, const uint8_t *b, uint32_t bits, uint32_t from, uint32_t *first,
                   uint32_t *end)
{
    *first = from < bits ? find_bit(a, b, bits, from, true) : bits;
    *end = *first < bits ? find_bit(a, b, bits, *first, false) : bits;
}

uint32_t page_count(const uint8_t *page)
{
    uint32_t sum = 0;
    for (size_t word = 0; word < WORDS; word++) {
        sum += (uint32_t)__builtin_popcountll(word_at(page, word));
    }
    return sum;
}

static uint64_t sum_of(const uint8_t *page)
{
    uint64_t sum = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t word = 0; word < WORDS; word++) {
        sum = (sum ^ word_at(page, word)) * UINT64_C(0xff51afd7ed558ccd);
        sum ^= sum >> 32;
    }
    return sum;
}

static size_t put_distance(uint8_t *out, uint32_t distance)
{
    size_t n = 0;
    for (; distance >= 0x80; distance >>= 7) {
        out[n++] = (uint8_t)(distance | 0x80);
    }
    out[n++] = (uint8_t)distance;
    return n;
}

/* How many bytes the runs take in out[FORMAT_PAGE_BYTES], or that much where they are no shorter. */
static size_t pack_runs(uint8_t *out, const uint8_t *page, uint32_t bits)
{
    size_t used = 0;
    uint32_t at = 0, first, end;
    for (page_next_run(page, NULL, bits, 0, &first, &end); first < bits;
         page_next_run(page, NULL, bits, end, &first, &end)) {
        if (used + 2 * DISTANCE_BYTES > FORMAT_PAGE_BYTES) {
            return FORMAT_PAGE_BYTES;
        }
        used += put_distance(out + used, first - at);
        used += put_distance(out + used, end - first);
        at = end;
    }
    return used;
}

static int keep(struct kept **out, enum form form, const void *bytes, size_t n_bytes, uint32_t count,
                uint32_t bits)
{
    struct kept *kept = malloc(sizeof *kept + n_bytes);
    if (kept == NULL) {
        return -ENOMEM;
    }
    *kept = (struct kept){.count = count, .bits = bits, .n_bytes = (uint32_t)n_bytes, .form = form};
    if (n_bytes > 0) {
        memcpy(kept->bytes, bytes, n_bytes);
    }
    *out = kept;
    return 0;
}

int kept_make(struct kept **out, const uint8_t *page, uint32_t bits, size_t room)
{
    const uint32_t count = page_count(page);
    if (count == 0) {
        *out = NULL;
        return 0;
    }
    if (count == bits) {
        return keep(out, FORM_FULL, NULL, 0, count, bits);
    }
    uint8_t *packed = malloc(FORMAT_PAGE_BYTES);
    if (packed == NULL) {
        return -ENOMEM;
    }
    const size_t n_bytes = pack_runs(packed, page, bits);
    const bool is_page = n_bytes >= FORMAT_PAGE_BYTES;
    int status;
    if (sizeof(struct kept) + n_bytes > room) {
        const uint64_t sum = sum_of(page);
        status = keep(out, FORM_SUM, &sum, sizeof sum, count, bits);
    } else {
        status = keep(out, is_page ? FORM_PAGE : FORM_RUNS, is_page ? page : packed, n_bytes, count, bits);
    }
    free(packed);
    return status;
}

size_t kept_bytes(const struct kept *kept)
{
    return kept != NULL ? sizeof *kept + kept->n_bytes : 0;
}

uint32_t kept_count(const struct kept *kept)
{
    return kept != NULL ? kept->count : 0;
}

static uint32_t take_distance(const uint8_t *bytes, size_t *at)
{
    uint32_t distance = 0;
    unsigned shift = 0;
    for (; (bytes[*at] & 0x80) != 0; shift += 7) {
        distance |= (uint32_t)(bytes[(*at)++] & 0x7f) << shift;
    }
    return distance | (uint32_t)bytes[(*at)++] << shift;
}

static void set_run(uint8_t *page, uint32_t first, uint32_t end)
{
    for (; first < end && first % 8 != 0; first++) {
        page[first / 8] = (uint8_t)(page[first / 8] | 1u << first % 8);
    }
    if (end / 8 > first / 8) {
        memset(page + first / 8, 0xff, end / 8 - first / 8);
        first = end / 8 * 8;
    }
    for (; first < end; first++) {
        page[first / 8] = (uint8_t)(page[first / 8] | 1u << first % 8);
    }
}

bool kept_unpack(const struct kept *kept, uint8_t *page)
{
    if (kept != NULL && kept->form == FORM_PAGE) {
        memcpy(page, kept->bytes, FORMAT_PAGE_BYTES);
        return true;
    }
    memset(page, 0, FORMAT_PAGE_BYTES);
    if (kept == NULL) {
        return true;
    }
    if (kept->form == FORM_FULL) {
        set_run(page, 0, kept->bits);
    }
    uint32_t bit = 0;
    for (size_t at = 0; kept->form == FORM_RUNS && at < kept->n_bytes;) {
        const uint32_t first = bit + take_distance(kept->bytes, &at);
        bit = first + take_distance(kept->bytes, &at);
        set_run(page, first, bit);
    }
    return kept->form != FORM_SUM;
}

bool kept_is_same(const struct kept *kept, const uint8_t *page)
{
    uint64_t sum;
    memcpy(&sum, kept->bytes, sizeof sum);
    return sum == sum_of(page);
}
