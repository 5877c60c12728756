/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A sorted array of pieces. They are few, and mostly the last ones are asked for again.
 */
#include "core/bits/changed_bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/grow.h"

/* The first piece whose number is not below `number`. */
static size_t find_piece(const struct changed_bits *changed, uint64_t number)
{
    size_t low = 0, high = changed->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (changed->piece[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The piece of that number, made if it is not there. NULL: out of memory. */
static struct changed_piece *need_piece(struct changed_bits *changed, uint64_t number)
{
    const size_t at = find_piece(changed, number);
    if (at < changed->n && changed->piece[at]->number == number) {
        return changed->piece[at];
    }
    void *grown = grow_array(changed->piece, changed->n, &changed->room, sizeof *changed->piece);
    struct changed_piece *piece = grown == NULL ? NULL : calloc(1, sizeof *piece);
    if (grown != NULL) {
        changed->piece = grown;
    }
    if (piece != NULL) {
        piece->number = number;
        memmove(changed->piece + at + 1, changed->piece + at, (changed->n - at) * sizeof *changed->piece);
        changed->piece[at] = piece;
        changed->n++;
    }
    return piece;
}

/* Sets the bits [first, end) of one piece. */
static void set_in_piece(struct changed_piece *piece, unsigned first, unsigned end)
{
    while (first < end && first % 8 != 0) {
        piece->bytes[first / 8] |= (uint8_t)(1u << first % 8);
        first++;
    }
    memset(piece->bytes + first / 8, 0xff, (end - first) / 8);
    first += (end - first) / 8 * 8;
    for (; first < end; first++) {
        piece->bytes[first / 8] |= (uint8_t)(1u << first % 8);
    }
}

int changed_bits_set(struct changed_bits *changed, uint64_t first, uint64_t count)
{
    const uint64_t end = first + count;
    while (first < end) {
        const uint64_t number = first / CHANGED_PIECE_BITS, begin = number * CHANGED_PIECE_BITS;
        const uint64_t stop = arith_min(end, begin + CHANGED_PIECE_BITS);
        struct changed_piece *piece = need_piece(changed, number);
        if (piece == NULL) {
            return -ENOMEM;
        }
        set_in_piece(piece, (unsigned)(first - begin), (unsigned)(stop - begin));
        first = stop;
    }
    return 0;
}

void changed_bits_lay(const struct changed_bits *changed, uint64_t first, uint8_t *bytes, size_t n_bytes)
{
    const uint64_t number = first / CHANGED_PIECE_BITS;
    for (size_t i = find_piece(changed, number); i < changed->n; i++) {
        const struct changed_piece *piece = changed->piece[i];
        const uint64_t begin = (piece->number - number) * CHANGED_PIECE_BYTES;
        if (begin >= n_bytes) {
            break;
        }
        const size_t n = (size_t)arith_min(CHANGED_PIECE_BYTES, n_bytes - begin);
        for (size_t at = 0; at < n; at++) {
            bytes[begin + at] |= piece->bytes[at];
        }
    }
}

void changed_bits_clear(struct changed_bits *changed)
{
    for (size_t i = 0; i < changed->n; i++) {
        free(changed->piece[i]);
    }
    free(changed->piece);
    *changed = (struct changed_bits){.n = 0};
}
