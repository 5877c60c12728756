/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The filesystem moves the gap: FALLOC_FL_INSERT_RANGE brings it from the end of the file to where it is
 * wanted, FALLOC_FL_COLLAPSE_RANGE back. That moves notes of places on the disk and no data, so it takes
 * milliseconds for a file of any size; but it is no single step. A power cut, a kill or an error leaves the
 * gap somewhere in between, and the file's length may be the old one or the new one either way.
 *
 * So nothing is inserted twice: wherever the gap is, it is first brought to the end, then to its place. Where
 * it reaches the end already it is cut off instead, for a range that is collapsed must end before the file
 * does. What an inode's journal says comes in order, so nothing is flushed between the two; but before
 * anything is written because of the new place, for a success that only the page cache knows can be gone
 * after a power cut.
 */
#include <errno.h>

#include "core/base/arith.h"
#include "core/shift/ways.h"

/* The file without its gap, wherever that is. */
static int close_gap(struct shift *s, uint64_t gap)
{
    const uint64_t end = half_end(&s->half);
    if (gap >= end) {
        return s->io->ftruncate(s->io->context, s->fd, end);
    }
    return s->io->fallocate(s->io->context, s->fd, IO_ROOM_COLLAPSE, gap, s->half.shift_bytes);
}

/* Where it is. The length first: what lies past it is not seen. */
static int find(struct shift *s, uint64_t *gap)
{
    int status = shift_lengthen(s);
    return status == 0 ? half_find_gap(gap, &s->half, s->io, s->fd) : status;
}

int inserted_up(struct shift *s)
{
    const uint64_t begin = s->half.data_offset, end = half_end(&s->half);
    uint64_t gap;
    int status = find(s, &gap);
    if (status == 0 && shift_stops(s, 0)) {
        status = -ECANCELED;
    }
    if (status == 0 && gap > begin) {
        status = close_gap(s, gap);
    }
    if (status == 0 && gap > begin && end > begin) {
        status = s->io->fallocate(s->io->context, s->fd, IO_ROOM_INSERT, begin, s->half.shift_bytes);
    }
    return status == 0 ? s->io->fsync(s->io->context, s->fd) : status;
}

int inserted_down(struct shift *s)
{
    const uint64_t end = half_end(&s->half);
    uint64_t gap;
    int status = find(s, &gap);
    if (status == 0 && shift_stops(s, 0)) {
        status = -ECANCELED;
    }
    if (status == 0) {
        status = close_gap(s, gap);
    }
    /* What lies behind the data is given up with the gap. */
    return status == 0 ? s->io->ftruncate(s->io->context, s->fd, end) : status;
}
