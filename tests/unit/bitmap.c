/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The streamed bitmap against a naive one, around the edges of its pages (64 KiB of bitmap), with holes,
 * garbage in the padding, and files that end early.
 */
#include "core/bits/bitmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

enum { PAGE_BITS = 65536 * 8 };

/* The naive one: a byte a bit, and for each position the nearest of either kind. */
struct naive {
    uint64_t bits;
    uint8_t *set;
    uint32_t *before;      /* set bits in [0, i) */
    uint32_t *next[2];     /* first bit >= i that is clear / set, or bits */
    uint32_t *previous[2]; /* one more than the last bit < i that is clear / set, or 0 */
};

static void naive_finish(struct naive *n)
{
    n->before = calloc(n->bits + 2, sizeof *n->before);
    for (unsigned kind = 0; kind < 2; kind++) {
        n->next[kind] = calloc(n->bits + 2, sizeof *n->before);
        n->previous[kind] = calloc(n->bits + 2, sizeof *n->before);
        n->next[kind][n->bits] = (uint32_t)n->bits;
        for (uint64_t i = n->bits; i-- > 0;) {
            n->next[kind][i] = n->set[i] == kind ? (uint32_t)i : n->next[kind][i + 1];
        }
        for (uint64_t i = 0; i < n->bits; i++) {
            n->previous[kind][i + 1] = n->set[i] == kind ? (uint32_t)i + 1 : n->previous[kind][i];
        }
    }
    for (uint64_t i = 0; i < n->bits; i++) {
        n->before[i + 1] = n->before[i] + n->set[i];
    }
}

static void naive_free(struct naive *n)
{
    free(n->set);
    free(n->before);
    for (unsigned kind = 0; kind < 2; kind++) {
        free(n->next[kind]);
        free(n->previous[kind]);
    }
}

enum kind { EMPTY, FULL, SPARSE, DENSE, STRIPES, BLOCKS, LAST_OF_PAGES, KINDS };

static bool bit_of(enum kind kind, struct rng *rng, uint64_t i, uint64_t bits)
{
    switch (kind) {
    case FULL:
        return true;
    case SPARSE:
        return rng_below(rng, 50000) == 0;
    case DENSE:
        return rng_below(rng, 50000) != 0;
    case STRIPES:
        return i / 3 % 2 == 0;
    case BLOCKS: /* whole pages, and a bit more at one of their edges */
        return i / PAGE_BITS % 2 == 0 || i % PAGE_BITS == 0;
    case LAST_OF_PAGES:
        return i % PAGE_BITS == PAGE_BITS - 1 || i + 1 == bits;
    case EMPTY:
    case KINDS:
        break;
    }
    return false;
}

/* Writes the bitmap at offset, page by page where a page has bits (so empty ones are holes), garbage behind
 * its end if asked for; cut_bytes > 0 cuts the file inside the bitmap, and the naive one forgets those bits.
 */
static void write_bitmap(const char *path, uint64_t offset, struct naive *n, bool garbage, uint64_t cut_bytes)
{
    uint64_t n_bytes = (n->bits + 7) / 8;
    uint8_t *bytes = calloc(n_bytes + 64, 1);
    must(bytes != NULL, "out of memory");
    if (cut_bytes > 0 && cut_bytes < n_bytes) {
        for (uint64_t i = cut_bytes * 8; i < n->bits; i++) {
            n->set[i] = 0;
        }
    }
    for (uint64_t i = 0; i < n->bits; i++) {
        bytes[i / 8] = (uint8_t)(bytes[i / 8] | n->set[i] << (i % 8));
    }
    file_write(path, "", 0);
    if (garbage) {
        memset(bytes + n_bytes, 0xff, 64);
        for (uint64_t i = n->bits; i % 8 != 0; i++) {
            bytes[i / 8] = (uint8_t)(bytes[i / 8] | 1u << (i % 8));
        }
    }
    for (uint64_t at = 0; at < n_bytes; at += 65536) {
        uint64_t piece = n_bytes - at < 65536 ? n_bytes - at : 65536;
        bool zero = true;
        for (uint64_t i = 0; i < piece; i++) {
            zero = zero && bytes[at + i] == 0;
        }
        if (!zero) {
            file_write_at(path, offset + at, bytes + at, piece);
        }
    }
    if (garbage && offset > 0) {
        uint8_t front[64];
        memset(front, 0xff, sizeof front);
        file_write_at(path, offset < 64 ? 0 : offset - 64, front, offset < 64 ? offset : 64);
        file_write_at(path, offset + n_bytes, bytes + n_bytes, 64);
    }
    if (cut_bytes > 0 && cut_bytes < n_bytes) {
        file_truncate(path, offset + cut_bytes);
    }
    free(bytes);
}

static void check_at(struct bitmap *b, const struct naive *n, uint64_t at)
{
    struct cow_error err = {.status = 0};
    uint64_t out = 1;
    bool bit = true;
    const uint64_t inside = at < n->bits ? at : n->bits;
    must_succeed(bitmap_get(b, at, &bit, &err), err);
    must(bit == (at < n->bits && n->set[at]), "bit %" PRIu64 " of %" PRIu64 " is %d", at, n->bits, bit);
    for (unsigned kind = 0; kind < 2; kind++) {
        must_succeed(bitmap_find(b, at, kind != 0, &out, &err), err);
        must(out == n->next[kind][inside], "find(%" PRIu64 ", %u) of %" PRIu64 ": %" PRIu64 ", not %u", at,
             kind, n->bits, out, n->next[kind][inside]);
    }
    must_succeed(bitmap_find_back(b, at, true, &out, &err), err);
    must(out == n->previous[1][inside], "find_back(%" PRIu64 ", 1) of %" PRIu64 ": %" PRIu64 ", not %u", at,
         n->bits, out, n->previous[1][inside]);
    if (at <= n->bits) {
        must_succeed(bitmap_find_back(b, at, false, &out, &err), err);
        must(out == n->previous[0][at], "find_back(%" PRIu64 ", 0) of %" PRIu64 ": %" PRIu64 ", not %u", at,
             n->bits, out, n->previous[0][at]);
    }
}

static void check_count(struct bitmap *b, const struct naive *n, uint64_t first, uint64_t count)
{
    struct cow_error err = {.status = 0};
    uint64_t out = 1;
    uint64_t begin = first < n->bits ? first : n->bits;
    uint64_t end = count > n->bits - begin ? n->bits : begin + count;
    must_succeed(bitmap_count(b, first, count, &out, &err), err);
    must(out == n->before[end] - n->before[begin],
         "count(%" PRIu64 ", %" PRIu64 ") of %" PRIu64 ": %" PRIu64 ", not %u", first, count, n->bits, out,
         n->before[end] - n->before[begin]);
}

static const uint64_t bit_counts[] = {0,
                                      1,
                                      7,
                                      8,
                                      9,
                                      63,
                                      64,
                                      65,
                                      127,
                                      PAGE_BITS - 1,
                                      PAGE_BITS,
                                      PAGE_BITS + 1,
                                      PAGE_BITS + 64,
                                      2 * PAGE_BITS,
                                      5 * PAGE_BITS + 77};
enum { BIT_COUNTS = sizeof bit_counts / sizeof bit_counts[0] };

static void check_everywhere(const char *path, uint64_t offset, const struct naive *n, struct rng *rng)
{
    struct bitmap *b;
    struct cow_error err = {.status = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, "open");
    must_succeed(bitmap_open(&b, &io_system, fd, offset, n->bits, &err), err);
    /* Before anything is known of a page, and after. */
    for (unsigned round = 0; round < 200; round++) {
        uint64_t at = round % 2 == 0 ? rng_below(rng, n->bits + 3)
                                     : rng_below(rng, 8) * PAGE_BITS + rng_below(rng, 140);
        at = round % 2 == 0 || at < 70 ? at : at - 70;
        at = at > n->bits + 100 ? n->bits : at;
        check_at(b, n, at);
        check_count(b, n, at, round % 3 == 0 ? UINT64_MAX : rng_below(rng, n->bits + 2));
    }
    check_count(b, n, 0, n->bits);
    check_count(b, n, 0, UINT64_MAX);
    check_count(b, n, UINT64_MAX, UINT64_MAX);
    for (uint64_t at = n->bits < 70 ? 0 : n->bits - 70; at <= n->bits + 70; at++) {
        check_at(b, n, at);
    }
    for (uint64_t at = 0; at < n->bits && at < 70; at++) {
        check_at(b, n, at);
        check_count(b, n, at, 70 - at);
    }
    bitmap_close(b);
    close(fd);
}

START_TEST(agrees_with_a_naive_one)
{
    static const uint64_t offsets[] = {280, 0, 4128, 65536, 8191};
    struct rng rng = {20 + (uint64_t)_i};
    char *path = test_path("bitmap");
    for (int kind = 0; kind < KINDS; kind++) {
        for (unsigned variant = 0; variant < 3; variant++) { /* plain, garbage, cut off */
            struct naive n = {.bits = bit_counts[_i]};
            if (n.bits > PAGE_BITS + 1 && variant != (unsigned)kind % 3) {
                continue; /* large ones take their time */
            }
            const uint64_t offset = offsets[((unsigned)kind + variant) % 5];
            const uint64_t n_bytes = (n.bits + 7) / 8;
            n.set = calloc(n.bits + 1, 1);
            for (uint64_t i = 0; i < n.bits; i++) {
                n.set[i] = bit_of((enum kind)kind, &rng, i, n.bits);
            }
            write_bitmap(path, offset, &n, variant == 1, variant == 2 ? 1 + rng_below(&rng, n_bytes + 1) : 0);
            naive_finish(&n);
            check_everywhere(path, offset, &n, &rng);
            naive_free(&n);
        }
    }
    free(path);
}
END_TEST

/* A table of calls that counts what is read. */
struct counter {
    uint64_t read_bytes;
    uint64_t seeks;
};

static ssize_t counting_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct counter *counter = context;
    ssize_t n = io_system.pread(NULL, fd, buffer, n_bytes, offset);
    counter->read_bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

static int64_t counting_seek(void *context, int fd, uint64_t offset, int whence)
{
    struct counter *counter = context;
    counter->seeks++;
    return io_system.seek(NULL, fd, offset, whence);
}

START_TEST(holes_are_not_read)
{
    /* 16 Gibit: 2 GiB of bitmap that is one hole, but for a bit in the middle and one at the end. */
    const uint64_t bits = UINT64_C(16) << 30;
    char *path = test_path("sparse");
    file_write_at(path, 4096 + bits / 16, "\x10", 1);
    file_write_at(path, 4096 + bits / 8 - 1, "\x80", 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct counter counter = {0};
    struct cow_io io = io_system;
    struct cow_error err = {.status = 0};
    struct bitmap *b;
    uint64_t out = 0;
    io.context = &counter;
    io.pread = counting_pread;
    io.seek = counting_seek;
    must_succeed(bitmap_open(&b, &io, fd, 4096, bits, &err), err);
    must_succeed(bitmap_count(b, 0, bits, &out, &err), err);
    ck_assert_uint_eq(out, 2);
    must_succeed(bitmap_find(b, 0, true, &out, &err), err);
    ck_assert_uint_eq(out, bits / 2 + 4);
    must_succeed(bitmap_find(b, out + 1, true, &out, &err), err);
    ck_assert_uint_eq(out, bits - 1);
    must_succeed(bitmap_find_back(b, bits - 1, true, &out, &err), err);
    ck_assert_uint_eq(out, bits / 2 + 5);
    must_succeed(bitmap_find_back(b, out - 1, true, &out, &err), err);
    ck_assert_uint_eq(out, 0);
    must(counter.read_bytes <= 20 * 65536, "%" PRIu64 " bytes were read", counter.read_bytes);
    must(counter.seeks < 100, "%" PRIu64 " seeks", counter.seeks);
    bitmap_close(b);
    close(fd);
    free(path);
}
END_TEST

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    (void)fd;
    (void)buffer;
    (void)n_bytes;
    (void)offset;
    --*(int *)context;
    return *(int *)context < 0 ? -EIO : io_system.pread(NULL, fd, buffer, n_bytes, offset);
}

START_TEST(a_read_error_is_told_and_not_remembered)
{
    char *path = test_path("bitmap");
    uint8_t bytes[4096];
    memset(bytes, 0xa5, sizeof bytes);
    file_write(path, bytes, sizeof bytes);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int left = 0;
    struct cow_io io = io_system;
    struct cow_error err = {.status = 0};
    struct bitmap *b;
    uint64_t out = 77;
    bool bit = false;
    io.context = &left;
    io.pread = failing_pread;
    must_succeed(bitmap_open(&b, &io, fd, 0, sizeof bytes * 8, &err), err);
    must_fail(bitmap_count(b, 0, 100, &out, &err), COW_IO, err);
    ck_assert_uint_eq(out, 77);
    ck_assert_int_eq(err.sys_errno, EIO);
    must_fail(bitmap_find(b, 0, true, &out, &err), COW_IO, err);
    must_fail(bitmap_find_back(b, 9, true, &out, &err), COW_IO, err);
    must_fail(bitmap_get(b, 0, &bit, &err), COW_IO, err);
    left = 1000;
    must_succeed(bitmap_count(b, 0, sizeof bytes * 8, &out, &err), err);
    ck_assert_uint_eq(out, sizeof bytes * 4);
    bitmap_close(b);
    close(fd);
    free(path);
}
END_TEST

Suite *bitmap_suite(void)
{
    Suite *suite = suite_create("bitmap");
    TCase *tc = tcase_create("bitmap");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, agrees_with_a_naive_one, 0, BIT_COUNTS);
    tcase_add_test(tc, holes_are_not_read);
    tcase_add_test(tc, a_read_error_is_told_and_not_remembered);
    suite_add_tcase(suite, tc);
    return suite;
}
