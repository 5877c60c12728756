/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The bits are never loaded whole: the summary is 4 bytes for each 64 KiB of bitmap, which is 256 MiB of
 * disk; for 8 TiB that is 128 KiB of memory. A page of which the driver knows that it is empty or full is
 * counted without being read.
 *
 * Pages are loaded on demand into a small cache; the count of each page is kept once known, so that a search
 * steps over empty and full pages without reading them again. So is the count of each eighth of a page: a
 * density whose ends are multiples of that costs no reading, any other at most its two edge pages. Bits past
 * the last sector are masked when a page is loaded: what lies there on disk is not guaranteed to be zero.
 *
 * Only load_page and page_count ask the driver. All that is built on counts and bits (runs, densities, mixed
 * pages, the heatmap) works for any format whose driver fills a page.
 */
#include "core/bits/bitmap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"

enum {
    PAGE_BYTES = FORMAT_PAGE_BYTES,
    PAGE_BITS = FORMAT_PAGE_BITS,
    PAGE_WORDS = PAGE_BYTES / 8,
    CACHED_PAGES = 4,
    PARTS = PAGE_BITS / BITMAP_PART_BITS,
};

#define COUNT_UNKNOWN UINT32_MAX

struct page {
    uint64_t number; /* UINT64_MAX: none */
    uint64_t words[PAGE_WORDS];
};

struct bitmap {
    struct format_disk disk;
    struct format_file file;
    uint64_t bits;
    uint64_t pages;
    uint32_t *counts; /* set bits of each page, or COUNT_UNKNOWN */
    uint32_t *parts;  /* PARTS of each page that is neither empty nor full, once its count is known */
    struct {
        uint64_t first, end; /* pages */
        enum format_bits bits;
    } guess;                     /* the last one of the driver's */
    struct changed_bits changed; /* that are not in the file yet */
    struct page cache[CACHED_PAGES];
};

int bitmap_open(struct bitmap **out, const struct cow_io *io, int fd, uint64_t offset, uint64_t sectors,
                struct cow_error *err)
{
    const struct format_disk disk = {.driver = &format_uml, .mapped_sectors = sectors, .bits_offset = offset};
    const struct format_file file = {io, fd};
    return bitmap_open_disk(out, &disk, &file, err);
}

int bitmap_open_disk(struct bitmap **out, const struct format_disk *disk, const struct format_file *file,
                     struct cow_error *err)
{
    struct bitmap *b = calloc(1, sizeof *b);
    uint64_t pages = arith_div_up(disk->mapped_sectors, PAGE_BITS);
    uint32_t *counts = NULL, *parts = NULL;
    size_t counts_bytes, parts_bytes;
    if (arith_array_bytes(&counts_bytes, arith_max(pages, 1), sizeof *counts) &&
        arith_array_bytes(&parts_bytes, arith_max(pages, 1), PARTS * sizeof *parts)) {
        counts = malloc(counts_bytes);
        /* Not cleared: of most disks only a little is ever touched. */
        parts = malloc(parts_bytes);
    }
    if (b == NULL || counts == NULL || parts == NULL) {
        free(b);
        free(counts);
        free(parts);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    memset(counts, 0xff, counts_bytes);
    b->disk = *disk;
    b->file = *file;
    b->bits = disk->mapped_sectors;
    b->pages = pages;
    b->counts = counts;
    b->parts = parts;
    for (unsigned i = 0; i < CACHED_PAGES; i++) {
        b->cache[i].number = UINT64_MAX;
    }
    *out = b;
    return 0;
}

void bitmap_close(struct bitmap *bitmap)
{
    if (bitmap != NULL) {
        changed_bits_clear(&bitmap->changed);
        free(bitmap->counts);
        free(bitmap->parts);
        free(bitmap);
    }
}

static uint32_t bits_of_page(const struct bitmap *b, uint64_t page)
{
    return (uint32_t)arith_min(PAGE_BITS, b->bits - page * PAGE_BITS);
}

#if defined(__x86_64__)
__attribute__((target("popcnt"))) static uint32_t count_words_fast(const uint64_t *words, size_t n)
{
    uint64_t sum[4] = {0}; /* four counts that do not wait for each other */
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        sum[0] += (uint64_t)__builtin_popcountll(words[i]);
        sum[1] += (uint64_t)__builtin_popcountll(words[i + 1]);
        sum[2] += (uint64_t)__builtin_popcountll(words[i + 2]);
        sum[3] += (uint64_t)__builtin_popcountll(words[i + 3]);
    }
    for (; i < n; i++) {
        sum[0] += (uint64_t)__builtin_popcountll(words[i]);
    }
    return (uint32_t)(sum[0] + sum[1] + sum[2] + sum[3]);
}
#endif

static uint32_t count_words(const uint64_t *words, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("popcnt")) {
        return count_words_fast(words, n);
    }
#endif
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (uint32_t)__builtin_popcountll(words[i]);
    }
    return sum;
}

/* Bit n of the file is bit n%8 of byte n/8, so words are little endian on every host. */
static uint64_t word_to_host(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static void count_page(struct bitmap *b, const struct page *page)
{
    const uint64_t number = page->number;
    b->counts[number] = 0;
    for (unsigned i = 0; i < PARTS; i++) {
        const uint32_t count = count_words(page->words + i * (PAGE_WORDS / PARTS), PAGE_WORDS / PARTS);
        b->parts[number * PARTS + i] = count;
        b->counts[number] += count;
    }
}

static int load_page(struct bitmap *b, uint64_t number, struct page **out, struct cow_error *err)
{
    struct page *page = &b->cache[number % CACHED_PAGES];
    if (page->number != number) {
        size_t n_bytes = (bits_of_page(b, number) + 7) / 8;
        page->number = UINT64_MAX;
        int status = b->disk.driver->fill_bits(&b->disk, &b->file, number, (uint8_t *)page->words, n_bytes);
        if (status < 0) {
            return cow_error_system(err, -status, "reading the bitmap");
        }
        changed_bits_lay(&b->changed, number * PAGE_BITS, (uint8_t *)page->words, n_bytes);
        memset((uint8_t *)page->words + n_bytes, 0, PAGE_BYTES - n_bytes);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
            for (unsigned i = 0; i < PAGE_WORDS; i++) {
                page->words[i] = word_to_host(page->words[i]);
            }
        }
        unsigned last_bits = bits_of_page(b, number) % 64;
        if (last_bits != 0) {
            page->words[bits_of_page(b, number) / 64] &= (UINT64_C(1) << last_bits) - 1;
        }
        page->number = number;
        count_page(b, page);
    }
    *out = page;
    return 0;
}

/* What the driver knows of a page without reading it. */
static int guess_page(struct bitmap *b, uint64_t number, enum format_bits *out, struct cow_error *err)
{
    if (number < b->guess.first || number >= b->guess.end) {
        uint64_t pages;
        int status = b->disk.driver->guess_bits(&b->disk, &b->file, number, &b->guess.bits, &pages);
        if (status < 0) {
            return cow_error_system(err, -status, "looking for holes in the bitmap");
        }
        b->guess.first = number;
        b->guess.end = number + arith_min(pages, b->pages - number);
    }
    *out = b->guess.bits;
    return 0;
}

/* The count of one page; reads it only where its driver cannot tell without. */
static int page_count(struct bitmap *b, uint64_t number, uint32_t *out, struct cow_error *err)
{
    if (b->counts[number] == COUNT_UNKNOWN) {
        enum format_bits guess = FORMAT_BITS_MIXED;
        struct page *page;
        int status = guess_page(b, number, &guess, err);
        if (status == 0 && guess != FORMAT_BITS_MIXED) {
            b->counts[number] = guess == FORMAT_BITS_SET ? bits_of_page(b, number) : 0;
        } else if (status == 0) {
            status = load_page(b, number, &page, err);
        }
        if (status != 0) {
            return status;
        }
    }
    *out = b->counts[number];
    return 0;
}

/* Set bits in [first, last) of one page. */
static uint32_t count_in_page(const struct page *page, uint32_t first, uint32_t last)
{
    uint32_t first_word = first / 64, last_word = last / 64;
    uint64_t head = ~UINT64_C(0) << (first % 64);
    uint64_t tail = last % 64 == 0 ? 0 : (UINT64_C(1) << (last % 64)) - 1;
    if (first_word == last_word) {
        return (uint32_t)__builtin_popcountll(page->words[first_word] & head & tail);
    }
    uint32_t sum = (uint32_t)__builtin_popcountll(page->words[first_word] & head);
    sum += count_words(page->words + first_word + 1, last_word - first_word - 1);
    return tail == 0 ? sum : sum + (uint32_t)__builtin_popcountll(page->words[last_word] & tail);
}

/* The same of [first, stop), both ends of parts of one page. */
static uint64_t count_parts(const struct bitmap *b, uint64_t first, uint64_t stop)
{
    uint64_t sum = 0;
    for (uint64_t part = first / BITMAP_PART_BITS; part * BITMAP_PART_BITS < stop; part++) {
        sum += b->parts[part];
    }
    return sum;
}

int bitmap_count(struct bitmap *b, uint64_t first, uint64_t count, uint64_t *out, struct cow_error *err)
{
    uint64_t sum = 0;
    uint64_t end = first >= b->bits ? first : first + arith_min(count, b->bits - first);
    while (first < end) {
        uint64_t number = first / PAGE_BITS;
        uint64_t page_end = arith_min((number + 1) * PAGE_BITS, b->bits);
        uint64_t stop = arith_min(end, page_end);
        uint32_t whole = 0;
        int status = page_count(b, number, &whole, err);
        if (status == 0 && (whole == 0 || whole == bits_of_page(b, number))) {
            sum += whole == 0 ? 0 : stop - first;
        } else if (status == 0 && first % PAGE_BITS == 0 && stop == page_end) {
            sum += whole;
        } else if (status == 0 && first % BITMAP_PART_BITS == 0 &&
                   (stop % BITMAP_PART_BITS == 0 || stop == page_end)) {
            sum += count_parts(b, first, stop);
        } else if (status == 0) {
            struct page *page;
            status = load_page(b, number, &page, err);
            if (status == 0) {
                sum +=
                    count_in_page(page, (uint32_t)(first % PAGE_BITS), (uint32_t)(stop - number * PAGE_BITS));
            }
        }
        if (status != 0) {
            return status;
        }
        first = stop;
    }
    *out = sum;
    return 0;
}

int bitmap_get(struct bitmap *b, uint64_t sector, bool *out, struct cow_error *err)
{
    *out = false;
    if (sector >= b->bits) {
        return 0;
    }
    uint32_t count = 0;
    int status = page_count(b, sector / PAGE_BITS, &count, err);
    if (status != 0 || count == 0 || count == bits_of_page(b, sector / PAGE_BITS)) {
        *out = count != 0;
        return status;
    }
    struct page *page;
    status = load_page(b, sector / PAGE_BITS, &page, err);
    if (status == 0) {
        *out = page->words[sector % PAGE_BITS / 64] >> (sector % 64) & 1;
    }
    return status;
}

/* Whether a page of this count can hold a bit that is `set`. */
static bool page_may_hold(const struct bitmap *b, uint64_t number, uint32_t count, bool set)
{
    return set ? count > 0 : count < bits_of_page(b, number);
}

/* The first bit in [from, bits) of a page that is `set`, or `bits`. */
static uint32_t find_in_page(const struct page *page, uint32_t from, uint32_t bits, bool set)
{
    uint64_t flip = set ? 0 : ~UINT64_C(0);
    uint64_t mask = ~UINT64_C(0) << (from % 64);
    for (uint32_t word = from / 64; word < (bits + 63) / 64; word++, mask = ~UINT64_C(0)) {
        uint64_t value = (page->words[word] ^ flip) & mask;
        if (value != 0) {
            uint32_t at = word * 64 + (uint32_t)__builtin_ctzll(value);
            return at < bits ? at : bits;
        }
    }
    return bits;
}

int bitmap_find(struct bitmap *b, uint64_t sector, bool set, uint64_t *out, struct cow_error *err)
{
    while (sector < b->bits) {
        uint64_t number = sector / PAGE_BITS;
        uint32_t count = 0;
        int status = page_count(b, number, &count, err);
        if (status == 0 && page_may_hold(b, number, count, set)) {
            struct page *page;
            status = load_page(b, number, &page, err);
            if (status == 0) {
                uint32_t bits = bits_of_page(b, number);
                uint32_t at = find_in_page(page, (uint32_t)(sector % PAGE_BITS), bits, set);
                if (at < bits) {
                    *out = number * PAGE_BITS + at;
                    return 0;
                }
            }
        }
        if (status != 0) {
            return status;
        }
        sector = (number + 1) * PAGE_BITS;
    }
    *out = b->bits;
    return 0;
}

int bitmap_next_run(struct bitmap *b, uint64_t sector, uint64_t *first, uint64_t *end, struct cow_error *err)
{
    /* Where runs are short, nearly all of them lie in the page that was asked for before. */
    const uint64_t number = sector / PAGE_BITS;
    const struct page *page = &b->cache[number % CACHED_PAGES];
    if (sector < b->bits && page->number == number) {
        const uint32_t bits = bits_of_page(b, number);
        const uint32_t begin = find_in_page(page, (uint32_t)(sector % PAGE_BITS), bits, true);
        const uint32_t stop = begin < bits ? find_in_page(page, begin, bits, false) : bits;
        if (stop < bits) {
            *first = number * PAGE_BITS + begin;
            *end = number * PAGE_BITS + stop;
            return 0;
        }
    }
    int status = bitmap_find(b, sector, true, first, err);
    return status == 0 ? bitmap_find(b, *first, false, end, err) : status;
}

/* ---- units of bits, a word at a time ---- */

/* Of a word's units those that have some, not all, of their bits: a bit each, the unit's lowest. */
static uint64_t mixed_units(uint64_t word, unsigned unit)
{
    uint64_t any = word, all = word;
    for (unsigned width = unit / 2; width > 0; width /= 2) {
        any |= any >> width;
        all &= all >> width;
    }
    return any & ~all & (~UINT64_C(0) / ((UINT64_C(1) << unit) - 1));
}

/* The bits that a cut unit at the end lacks are like its last one. */
static uint64_t completed(uint64_t word, unsigned bits, unsigned unit)
{
    const bool last = word >> (bits - 1) & 1;
    const uint64_t missing = ((UINT64_C(1) << (unit - bits % unit)) - 1) << bits;
    return last && bits % unit != 0 ? word | missing : word;
}

static uint64_t count_mixed_in_page(const struct page *page, uint32_t bits, unsigned unit, uint64_t *first)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < bits; at += 64) {
        const uint64_t word = page->words[at / 64];
        const uint64_t mixed = mixed_units(bits - at < 64 ? completed(word, bits - at, unit) : word, unit);
        if (mixed != 0 && sum == 0) {
            *first = at + (uint64_t)__builtin_ctzll(mixed);
        }
        sum += (uint64_t)__builtin_popcountll(mixed);
    }
    return sum;
}

int bitmap_count_mixed(struct bitmap *b, unsigned unit, uint64_t *out, uint64_t *first, struct cow_error *err)
{
    uint64_t sum = 0;
    *first = b->bits;
    for (uint64_t number = 0; number < b->pages; number++) {
        const uint32_t bits = bits_of_page(b, number);
        uint32_t count = 0;
        uint64_t at = 0;
        struct page *page;
        int status = page_count(b, number, &count, err);
        if (status == 0 && count > 0 && count < bits) {
            status = load_page(b, number, &page, err);
            const uint64_t mixed = status == 0 ? count_mixed_in_page(page, bits, unit, &at) : 0;
            *first = sum == 0 && mixed > 0 ? number * PAGE_BITS + at : *first;
            sum += mixed;
        }
        if (status != 0) {
            return status;
        }
    }
    *out = sum;
    return 0;
}

/* One more than the last bit in [0, end) of a page that is `set`, or 0. */
static uint32_t find_back_in_page(const struct page *page, uint32_t end, bool set)
{
    uint64_t flip = set ? 0 : ~UINT64_C(0);
    while (end > 0) {
        uint32_t word = (end - 1) / 64;
        uint32_t used = end - word * 64; /* 1..64 */
        uint64_t mask = ~UINT64_C(0) >> (64 - used);
        uint64_t value = (page->words[word] ^ flip) & mask;
        if (value != 0) {
            return word * 64 + 64 - (uint32_t)__builtin_clzll(value);
        }
        end = word * 64;
    }
    return 0;
}

int bitmap_find_back(struct bitmap *b, uint64_t sector, bool set, uint64_t *out, struct cow_error *err)
{
    if (sector > b->bits) {
        if (!set) {
            *out = sector; /* past the last bit all is clear */
            return 0;
        }
        sector = b->bits;
    }
    while (sector > 0) {
        uint64_t number = (sector - 1) / PAGE_BITS;
        uint32_t count = 0;
        int status = page_count(b, number, &count, err);
        if (status == 0 && page_may_hold(b, number, count, set)) {
            struct page *page;
            status = load_page(b, number, &page, err);
            if (status == 0) {
                uint32_t at = find_back_in_page(page, (uint32_t)(sector - number * PAGE_BITS), set);
                if (at > 0) {
                    *out = number * PAGE_BITS + at;
                    return 0;
                }
            }
        }
        if (status != 0) {
            return status;
        }
        sector = number * PAGE_BITS;
    }
    *out = 0;
    return 0;
}

/* ---- bits that are set in memory first ---- */

static void set_in_page(struct page *page, uint32_t first, uint32_t end)
{
    while (first < end) {
        const uint32_t stop = (uint32_t)arith_min(end, (first / 64 + 1) * 64), width = stop - first;
        page->words[first / 64] |= (width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1) << first % 64;
        first = stop;
    }
}

int bitmap_set(struct bitmap *b, uint64_t first, uint64_t count, struct cow_error *err)
{
    const uint64_t end = first + count;
    while (first < end) {
        const uint64_t number = first / PAGE_BITS, begin = number * PAGE_BITS;
        const uint64_t stop = arith_min(end, begin + PAGE_BITS);
        struct page *page;
        int status = load_page(b, number, &page, err);
        if (status != 0) {
            return status;
        }
        if (count_in_page(page, (uint32_t)(first - begin), (uint32_t)(stop - begin)) < stop - first) {
            if (changed_bits_set(&b->changed, first, stop - first) < 0) {
                return cow_error_set(err, COW_NO_MEMORY, "out of memory");
            }
            set_in_page(page, (uint32_t)(first - begin), (uint32_t)(stop - begin));
            count_page(b, page);
        }
        first = stop;
    }
    return 0;
}

void bitmap_forget(struct bitmap *b, uint64_t first, uint64_t count)
{
    const uint64_t end = arith_min(b->pages, arith_div_up(first + count, PAGE_BITS));
    b->guess.first = b->guess.end = 0; /* of a hole that may be one no longer */
    for (uint64_t number = first / PAGE_BITS; number < end; number++) {
        b->counts[number] = COUNT_UNKNOWN;
        if (b->cache[number % CACHED_PAGES].number == number) {
            b->cache[number % CACHED_PAGES].number = UINT64_MAX;
        }
    }
}

size_t bitmap_changed(const struct bitmap *b)
{
    return b->changed.n;
}

int bitmap_changed_bytes(struct bitmap *b, size_t index, uint8_t bytes[CHANGED_PIECE_BYTES], uint64_t *offset,
                         size_t *n_bytes, struct cow_error *err)
{
    enum { BLOCK_BYTES = 512 };
    const struct changed_piece *piece = b->changed.piece[index];
    const uint64_t begin = piece->number * CHANGED_PIECE_BYTES;
    const size_t length = (size_t)arith_min(CHANGED_PIECE_BYTES, (b->bits + 7) / 8 - begin);
    size_t first = 0, end = length;
    struct page *page;
    int status = load_page(b, begin / PAGE_BYTES, &page, err);
    if (status != 0) {
        return status;
    }
    while (piece->bytes[first] == 0) { /* a piece has a bit */
        first++;
    }
    while (piece->bytes[end - 1] == 0) {
        end--;
    }
    first = first / BLOCK_BYTES * BLOCK_BYTES;
    end = (size_t)arith_min(length, (end + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES);
    for (size_t at = first; at < end; at += 8) {
        const uint64_t word = word_to_host(page->words[(begin % PAGE_BYTES + at) / 8]);
        memcpy(bytes + at - first, &word, 8);
    }
    *offset = begin + first;
    *n_bytes = end - first;
    return 0;
}

void bitmap_forget_changed(struct bitmap *b)
{
    changed_bits_clear(&b->changed);
}
