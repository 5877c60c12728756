/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See tools.h. A slot holds a position and no data: where source and target do not overlap, a piece can be
 * moved again as often as one likes, so it is enough to know up to where all of it is durable.
 */
#include "core/shift/tools.h"

#include "core/base/arith.h"

uint64_t shift_chunk_bytes(uint64_t shift_bytes, uint64_t free_bytes)
{
    enum { LEAST_BYTES = 64 * 1024, PART = 4 };
    const uint64_t fits = arith_max(free_bytes / PART / LEAST_BYTES * LEAST_BYTES, LEAST_BYTES);
    const uint64_t chunk = arith_min(shift_bytes, arith_min(fits, SHIFT_CHUNK_BYTES));
    return chunk / HALF_SLOT_BYTES * HALF_SLOT_BYTES; /* a shift has as many at least */
}

int shift_note(struct shift *s)
{
    uint8_t slot[HALF_SLOT_BYTES];
    s->half.sequence++;
    half_encode_slot(slot, &s->half);
    int status = io_write(s->io, s->half_fd, slot, sizeof slot, half_slot_offset(&s->half));
    return status == 0 ? s->io->fsync(s->io->context, s->half_fd) : status;
}

bool shift_stops(struct shift *s, uint64_t n_bytes)
{
    return s->advance != NULL && s->advance(s->context, n_bytes);
}

/* At least so long: what lies past the end is the gap, or what a size that has not arrived yet hides. */
int shift_lengthen(struct shift *s)
{
    struct stat facts;
    const uint64_t wanted = half_end(&s->half) + s->half.shift_bytes;
    int status = s->io->fstat(s->io->context, s->fd, &facts);
    return status == 0 && (uint64_t)facts.st_size < wanted ? s->io->ftruncate(s->io->context, s->fd, wanted)
                                                           : status;
}
