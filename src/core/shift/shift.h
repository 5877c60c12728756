/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moving the gap of a half-moved image (core/image/half.h) to either end of its data. Each way can be taken
 * from wherever an interruption has left the gap, and in either direction; whoever calls has locked and
 * marked the image, and its position file is whole and durable.
 */
#ifndef CORE_SHIFT_SHIFT_H
#define CORE_SHIFT_SHIFT_H

#include "core/image/half.h"

struct shift {
    const struct cow_io *io;
    int fd;      /* of the image */
    int half_fd; /* of the position file */
    struct half half;
    uint64_t chunk_bytes; /* that are moved at once; 0: as the free space allows */
    /* Told of so many bytes that have been moved; answers whether to stop. NULL: nobody is. */
    bool (*advance)(void *context, uint64_t n_bytes);
    void *context;
};

/* At least so many bytes are moved before they are flushed, where the shift allows it; and at most. */
enum { SHIFT_CHUNK_BYTES = 16 * 1024 * 1024 };

/* Of one piece, where a shift of so many bytes and free_bytes of space allow no more: what is moved lies in
 * the gap, and its old place is given back only when that is durable. */
uint64_t shift_chunk_bytes(uint64_t shift_bytes, uint64_t free_bytes);

/* The gap to the beginning of the data (upper layout), or to its end (lower layout). All data that lies
 * elsewhere then is durable there; the file has to be flushed once more before its header says so. 0, or
 * -errno: -ECANCELED where `advance` wanted to stop, -EUCLEAN where the file is not the old one with one gap
 * (nothing is written then). After an error the state is a half-moved one as before. */
int shift_up(struct shift *s);
int shift_down(struct shift *s);

/* The gap is at the beginning of the data and is going to be filled, or has been and is to be emptied again;
 * durable. 0 or -errno. */
int shift_fill_begins(struct shift *s);
int shift_empty(struct shift *s);

/* Copies what is no hole in [begin, end) of the image to `to`, in the same file; the ranges do not overlap. 0
 * or -errno. */
int shift_copy(struct shift *s, uint64_t begin, uint64_t end, uint64_t to);

/* Writes a slot: a further sequence number, and whatever stands in s->half. 0 or -errno. */
int shift_note(struct shift *s);

#endif
