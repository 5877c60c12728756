/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bits that were set and are not in the file yet, in pieces of 4 KiB of the bitmap (16 MiB of disk with
 * sectors of 512 bytes). What it takes follows the number of pieces; whoever sets bits writes them out when
 * there are many.
 */
#ifndef CORE_BITS_CHANGED_BITS_H
#define CORE_BITS_CHANGED_BITS_H

#include <stddef.h>
#include <stdint.h>

enum { CHANGED_PIECE_BYTES = 4096, CHANGED_PIECE_BITS = CHANGED_PIECE_BYTES * 8 };

struct changed_piece {
    uint64_t number;                    /* it begins at bit number * CHANGED_PIECE_BITS */
    uint8_t bytes[CHANGED_PIECE_BYTES]; /* as in the file: bit n % 8 of byte n / 8; what was set, and nothing
                                           else */
};

struct changed_bits {
    struct changed_piece **piece; /* by number */
    size_t n, room;
};

/* Sets [first, first + count). 0 or -ENOMEM: then a part of them may be set. */
int changed_bits_set(struct changed_bits *changed, uint64_t first, uint64_t count);

/* Adds those that lie in bytes[n_bytes], which begin at bit `first`, a multiple of CHANGED_PIECE_BITS. */
void changed_bits_lay(const struct changed_bits *changed, uint64_t first, uint8_t *bytes, size_t n_bytes);

/* Forgets all pieces, and frees them; it can be used again. */
void changed_bits_clear(struct changed_bits *changed);

#endif
