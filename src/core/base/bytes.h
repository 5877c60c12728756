/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Numbers in byte strings, endianness explicit. No casts of disk bytes, no alignment assumed.
 */
#ifndef CORE_BASE_BYTES_H
#define CORE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* width_bytes (1..8) as an unsigned number. */
static inline uint64_t bytes_get(const uint8_t *bytes, unsigned width_bytes, bool big_endian)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width_bytes; i++) {
        value = value << 8 | bytes[big_endian ? i : width_bytes - 1 - i];
    }
    return value;
}

/* The low width_bytes (1..8) of value. */
static inline void bytes_put(uint8_t *bytes, unsigned width_bytes, bool big_endian, uint64_t value)
{
    for (unsigned i = 0; i < width_bytes; i++) {
        bytes[big_endian ? width_bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
    }
}

/* Also of no bytes. */
static inline bool bytes_all_zero(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n_bytes - 1) == 0);
}

#endif
