/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checked arithmetic and numbers in byte strings.
 */
#include "core/base/arith.h"
#include "core/base/bytes.h"

#include <inttypes.h>
#include <string.h>

#include "support.h"

/* Where sizes go wrong: around 0, powers of two, and the ends of the signed and unsigned range. */
static const uint64_t edges[] = {0,
                                 1,
                                 2,
                                 3,
                                 511,
                                 512,
                                 513,
                                 4095,
                                 4096,
                                 UINT32_MAX - 1ull,
                                 UINT32_MAX,
                                 UINT32_MAX + 1ull,
                                 INT64_MAX - 1ull,
                                 INT64_MAX,
                                 INT64_MAX + 1ull,
                                 UINT64_MAX - 512,
                                 UINT64_MAX - 1,
                                 UINT64_MAX};
enum { EDGES = sizeof edges / sizeof edges[0] };
static const uint64_t untouched = 0x5a5a5a5a5a5a5a5a;

START_TEST(adds_and_multiplies_exactly_or_not_at_all)
{
    for (unsigned i = 0; i < EDGES; i++) {
        for (unsigned k = 0; k < EDGES; k++) {
            const uint64_t sum = edges[i] + edges[k], product = edges[i] * edges[k]; /* modulo 2^64 */
            uint64_t out = untouched;
            bool fits = arith_add(&out, edges[i], edges[k]);
            must(fits == (edges[i] <= UINT64_MAX - edges[k]), "%" PRIu64 " + %" PRIu64, edges[i], edges[k]);
            must(out == (fits ? sum : untouched), "%" PRIu64 " + %" PRIu64 " gives %" PRIu64, edges[i],
                 edges[k], out);
            out = untouched;
            fits = arith_mul(&out, edges[i], edges[k]);
            must(fits == (edges[k] == 0 || edges[i] <= UINT64_MAX / edges[k]), "%" PRIu64 " * %" PRIu64,
                 edges[i], edges[k]);
            must(out == (fits ? product : untouched), "%" PRIu64 " * %" PRIu64 " gives %" PRIu64, edges[i],
                 edges[k], out);
        }
    }
}
END_TEST

START_TEST(rounds_up_without_overflow)
{
    for (unsigned i = 0; i < EDGES; i++) {
        for (unsigned k = 1; k < EDGES; k++) {
            const uint64_t quotient = edges[i] == 0 ? 0 : (edges[i] - 1) / edges[k] + 1;
            uint64_t out = untouched;
            must(arith_div_up(edges[i], edges[k]) == quotient, "%" PRIu64 " / %" PRIu64, edges[i], edges[k]);
            bool fits = arith_round_up(&out, edges[i], edges[k]);
            must(fits == (quotient <= UINT64_MAX / edges[k]), "round %" PRIu64 " to %" PRIu64, edges[i],
                 edges[k]);
            must(out == (fits ? quotient * edges[k] : untouched),
                 "round %" PRIu64 " to %" PRIu64 " gives %" PRIu64, edges[i], edges[k], out);
        }
    }
}
END_TEST

START_TEST(knows_powers_of_two_and_extremes)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t power = UINT64_C(1) << bit;
        must(arith_is_power_of_two(power), "2^%u", bit);
        must(power <= 2 || !arith_is_power_of_two(power - 1), "2^%u - 1", bit);
        must(power <= 1 || !arith_is_power_of_two(power + 1), "2^%u + 1", bit);
    }
    must(!arith_is_power_of_two(0), "0");
    ck_assert_uint_eq(arith_min(3, UINT64_MAX), 3);
    ck_assert_uint_eq(arith_min(UINT64_MAX, 3), 3);
    ck_assert_uint_eq(arith_max(3, UINT64_MAX), UINT64_MAX);
    ck_assert_uint_eq(arith_max(UINT64_MAX, 3), UINT64_MAX);
}
END_TEST

START_TEST(numbers_in_bytes_have_an_order)
{
    const uint8_t bytes[8] = {0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0xff};
    ck_assert_uint_eq(bytes_get(bytes, 1, true), 0x01);
    ck_assert_uint_eq(bytes_get(bytes, 4, true), 0x01820384);
    ck_assert_uint_eq(bytes_get(bytes, 4, false), 0x84038201);
    ck_assert_uint_eq(bytes_get(bytes, 8, true), 0x01820384058607ff);
    ck_assert_uint_eq(bytes_get(bytes, 8, false), 0xff07860584038201);
    struct rng rng = {1};
    for (unsigned i = 0; i < 1000; i++) {
        unsigned width = 1 + i % 8;
        bool big = rng_below(&rng, 2) != 0;
        uint64_t value = rng_next(&rng) >> (64 - 8 * width);
        uint8_t ours[10], theirs[10];
        memset(ours, 0xee, sizeof ours);
        memset(theirs, 0xee, sizeof theirs);
        bytes_put(ours + 1, width, big, value);
        put_number(theirs + 1, width, big, value);
        must(memcmp(ours, theirs, sizeof ours) == 0, "width %u, big %d, %" PRIx64, width, big, value);
        must(bytes_get(ours + 1, width, big) == value, "width %u, big %d, %" PRIx64 " back", width, big,
             value);
    }
}
END_TEST

START_TEST(all_zero_looks_at_every_byte)
{
    uint8_t bytes[40] = {0};
    must(bytes_all_zero(bytes, sizeof bytes), "zeros");
    must(bytes_all_zero(bytes, 0), "nothing");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 0x80;
        must(!bytes_all_zero(bytes, sizeof bytes), "byte %zu was not seen", i);
        must(bytes_all_zero(bytes, i), "byte %zu lies past the end", i);
        bytes[i] = 0;
    }
}
END_TEST

Suite *arith_suite(void)
{
    Suite *suite = suite_create("arith");
    TCase *tc = tcase_create("arith and bytes");
    tcase_add_test(tc, adds_and_multiplies_exactly_or_not_at_all);
    tcase_add_test(tc, rounds_up_without_overflow);
    tcase_add_test(tc, knows_powers_of_two_and_extremes);
    tcase_add_test(tc, numbers_in_bytes_have_an_order);
    tcase_add_test(tc, all_zero_looks_at_every_byte);
    suite_add_tcase(suite, tc);
    return suite;
}
