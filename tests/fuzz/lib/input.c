/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Choices, read from an input byte by byte: an input that is cut still means something.
 */
#include <string.h>

#include "fuzzer.h"

uint64_t input_number(struct input *in, unsigned n_bytes)
{
    uint8_t bytes[8] = {0};
    uint64_t number = 0;
    input_bytes(in, bytes, n_bytes);
    for (unsigned n = 0; n < n_bytes; n++) {
        number |= (uint64_t)bytes[n] << 8 * n;
    }
    return number;
}

uint64_t input_below(struct input *in, uint64_t n)
{
    const unsigned n_bytes = n <= 0x100 ? 1 : n <= 0x10000 ? 2 : n <= 0x100000000 ? 4 : 8;
    return n == 0 ? 0 : input_number(in, n_bytes) % n;
}

bool input_flag(struct input *in)
{
    return input_below(in, 2) != 0;
}

void input_bytes(struct input *in, void *out, size_t n_bytes)
{
    const size_t there = n_bytes < in->left ? n_bytes : in->left;
    memset(out, 0, n_bytes);
    if (there > 0) {
        memcpy(out, in->at, there);
    }
    in->at += there;
    in->left -= there;
}

void noise(uint64_t seed, uint8_t *out, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes; at++) {
        if (at % 8 == 0) { /* splitmix64 (Steele, Lea, Flood 2014) */
            seed += UINT64_C(0x9e3779b97f4a7c15);
        }
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        out[at] = (uint8_t)((z ^ z >> 31) >> 8 * (at % 8));
    }
}

/* Length of the character that begins there, 0 if it is a broken or a control one. */
static size_t character(const uint8_t *at)
{
    const uint8_t first = at[0];
    const size_t n = first < 0x80   ? 1
                     : first < 0xc2 ? 0
                     : first < 0xe0 ? 2
                     : first < 0xf0 ? 3
                     : first < 0xf5 ? 4
                                    : 0;
    if (n == 0 || (n == 1 && (first < 0x20 || first == 0x7f))) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return first == 0xc2 && at[1] < 0xa0 ? 0 : n;
}

bool is_terminal_safe(const char *text)
{
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0';) {
        const size_t n = character(at);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

void error_is_whole(int status, const struct cow_error *err)
{
    MUST(status <= 0);
    if (status != 0) {
        MUST(err->status == status && err->message[0] != '\0');
        MUST(memchr(err->message, '\0', sizeof err->message) != NULL && is_terminal_safe(err->message));
        MUST(memchr(err->hint, '\0', sizeof err->hint) != NULL && is_terminal_safe(err->hint));
    }
}
