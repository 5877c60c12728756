/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checked arithmetic on sizes. Each answers false, and leaves *out alone, where the exact result does not
 * fit.
 */
#ifndef CORE_BASE_ARITH_H
#define CORE_BASE_ARITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a + b. */
static inline bool arith_add(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *out = sum;
    return true;
}

/* a * b. */
static inline bool arith_mul(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *out = product;
    return true;
}

/* The number of units that hold n: ceil(n / unit). unit > 0. */
static inline uint64_t arith_div_up(uint64_t n, uint64_t unit)
{
    return n / unit + (n % unit != 0);
}

/* n rounded up to a multiple of unit (any unit > 0, not only powers of two: the kernel takes any alignment).
 */
static inline bool arith_round_up(uint64_t *out, uint64_t n, uint64_t unit)
{
    return arith_mul(out, arith_div_up(n, unit), unit);
}

/* The bytes of an array of n members, as memory counts them: a disk's numbers have 64 bits, a size_t may
 * have 32. member_bytes > 0. */
static inline bool arith_array_bytes(size_t *out, uint64_t n, size_t member_bytes)
{
    if (n > SIZE_MAX / member_bytes) {
        return false;
    }
    *out = (size_t)n * member_bytes;
    return true;
}

/* 0 is none. */
static inline bool arith_is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* The smaller one. */
static inline uint64_t arith_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The larger one. */
static inline uint64_t arith_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* a - b, or 0 where b is larger. */
static inline uint64_t arith_sub_floor(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

#endif
