/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A shift under way, and what both ways of moving a gap need.
 */
#ifndef CORE_SHIFT_TOOLS_H
#define CORE_SHIFT_TOOLS_H

#include "core/beside/half.h"

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

/* So many bytes are moved before they are flushed, or fewer. */
enum { SHIFT_CHUNK_BYTES = 16 * 1024 * 1024 };

/* Of one piece, where a shift of so many bytes and free_bytes of space allow no more: what is moved lies in
 * the gap, and its old place is given back only when that is durable. */
uint64_t shift_chunk_bytes(uint64_t shift_bytes, uint64_t free_bytes);

/* Copies what is no hole in [begin, end) of the image to `to`, in the same file. The ranges do not overlap. 0
 * or -errno. */
int shift_copy(struct shift *s, uint64_t begin, uint64_t end, uint64_t to);

/* Writes a slot: a further sequence number, and whatever stands in s->half. 0 or -errno. */
int shift_note(struct shift *s);

/* Makes the file long enough for all of its data and the gap. 0 or -errno. */
int shift_lengthen(struct shift *s);

/* Tells of bytes that have been moved: is it to stop? */
bool shift_stops(struct shift *s, uint64_t n_bytes);

#endif
