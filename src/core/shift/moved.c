/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes are moved, a piece at a time, from the end to the beginning (up), or the other way (down). A piece is
 * no longer than the gap, so its target lies in the gap, which is empty: source and target never overlap, and
 * whatever a crash leaves of a copy is in the gap, where nobody looks.
 *
 * Order, for each piece: its data to the target; fsync; a slot with the new position; fsync of that; only
 * then is the source given back. Without the second fsync the source could be gone while the slot says that
 * it still counts. What a lost punch has left in the gap is punched again before anything is moved.
 *
 * Everything that is allocated is moved, whatever the bits say; holes stay holes, and long ones are stepped
 * over. A gap that lies in a hole may be said to lie anywhere in it; but what is copied must lie in the gap
 * that the last slot tells of, so after a long hole a slot comes first.
 */
#include <errno.h>

#include "core/base/arith.h"
#include "core/base/transfer.h"
#include "core/shift/ways.h"

enum { WINDOW_BYTES = 1024 * 1024 };

/* Is there any data in [begin, end)? 1, 0 or -errno; *first: where. */
static int has_data(const struct shift *s, uint64_t begin, uint64_t end, uint64_t *first)
{
    struct io_extent extent;
    const int status = io_extent_at(s->io, s->fd, begin, end, &extent);
    if (status < 0) {
        return status;
    }
    *first = extent.data ? begin : extent.end;
    return extent.data || extent.end < end;
}

/* The last window before `end` with data in it: [*begin, *end) ; equal where there is none from `floor` on.
 * The steps are doubled while there is nothing, then halved. */
static int last_window(const struct shift *s, uint64_t floor, uint64_t *begin, uint64_t *end)
{
    uint64_t step = WINDOW_BYTES, first;
    int has = 0;
    *begin = *end;
    while (*end > floor && has == 0) {
        *begin = *end - arith_min(step, *end - floor);
        has = has_data(s, *begin, *end, &first);
        *end = has == 0 ? *begin : *end;
        step *= 2;
    }
    while (has > 0 && *end - *begin > WINDOW_BYTES) {
        const uint64_t middle = *begin + (*end - *begin) / 2 / HALF_SLOT_BYTES * HALF_SLOT_BYTES;
        has = has_data(s, middle, *end, &first);
        *begin = has > 0 ? middle : *begin;
        *end = has == 0 ? middle : *end;
        has = has == 0 ? 1 : has;
    }
    return has < 0 ? has : 0;
}

/* Where the last data before `end` ends; `floor` where there is none. */
static int last_data(const struct shift *s, uint64_t floor, uint64_t end, uint64_t *out)
{
    uint64_t begin, at;
    int status = last_window(s, floor, &begin, &end);
    *out = begin;
    for (at = begin; status == 0 && at < end;) {
        struct io_extent extent;
        status = io_extent_at(s->io, s->fd, at, end, &extent);
        *out = status == 0 && extent.data ? extent.end : *out;
        at = extent.end;
    }
    return status;
}

/* The data of [begin, end), where it is no hole, to `to`. */
static int copy_data(struct shift *s, uint64_t begin, uint64_t end, uint64_t to, uint64_t *copied)
{
    int status = 0;
    *copied = 0;
    for (uint64_t at = begin; at < end && status == 0;) {
        struct io_extent extent;
        status = io_data_at(s->io, s->fd, at, end, &extent);
        if (status == 0 && extent.data) {
            status = transfer_bytes(s->io, s->fd, at, s->fd, to + (at - begin), extent.end - at);
            *copied += extent.end - at;
        }
        at = status == 0 ? extent.end : at;
    }
    return status;
}

int shift_copy(struct shift *s, uint64_t begin, uint64_t end, uint64_t to)
{
    uint64_t copied;
    return copy_data(s, begin, end, to, &copied);
}

/* What was given back is to be had only when that is durable: then once more. */
static int copy_piece(struct shift *s, uint64_t begin, uint64_t end, uint64_t to, uint64_t *copied)
{
    int status = copy_data(s, begin, end, to, copied);
    if (status == -ENOSPC) {
        status = s->io->fsync(s->io->context, s->fd);
        status = status == 0 ? copy_data(s, begin, end, to, copied) : status;
    }
    return status == 0 ? s->io->fsync(s->io->context, s->fd) : status;
}

static int note_gap(struct shift *s, uint64_t gap)
{
    s->half.gap = gap;
    return shift_note(s);
}

/* Over a long hole. What was punched behind it must be durable before the gap is elsewhere. */
static int step_over(struct shift *s, uint64_t gap)
{
    int status = s->io->fsync(s->io->context, s->fd);
    return status == 0 ? note_gap(s, gap) : status;
}

static uint64_t choose_chunk(const struct shift *s)
{
    uint64_t free_bytes;
    if (s->chunk_bytes != 0) {
        return s->chunk_bytes;
    }
    if (s->io->free_bytes(s->io->context, s->fd, &free_bytes) < 0) {
        free_bytes = 0;
    }
    return shift_chunk_bytes(s->half.shift_bytes, free_bytes);
}

/* What an interrupted piece, or a lost punch, has left in the gap. */
static int clean_gap(struct shift *s)
{
    int status = shift_lengthen(s);
    return status == 0 ? io_punch(s->io, s->fd, s->half.gap, s->half.shift_bytes) : status;
}

/* One piece that ends at `end`, the end of the last data below the gap. */
static int move_up(struct shift *s, uint64_t end, uint64_t chunk)
{
    const uint64_t shift = s->half.shift_bytes, floor = s->half.data_offset;
    const uint64_t begin = floor + (end - 1 - floor) / chunk * chunk;
    uint64_t copied;
    int status = begin + shift < s->half.gap ? step_over(s, end) : 0;
    if (status == 0) {
        status = copy_piece(s, begin, end, begin + shift, &copied);
    }
    if (status == 0) {
        status = note_gap(s, begin);
    }
    if (status == 0) {
        status = io_punch(s->io, s->fd, begin, end - begin);
    }
    return status == 0 && shift_stops(s, copied) ? -ECANCELED : status;
}

int moved_up(struct shift *s)
{
    const uint64_t floor = s->half.data_offset;
    const uint64_t chunk = choose_chunk(s);
    uint64_t end;
    int status = clean_gap(s);
    if (status == 0 && shift_stops(s, 0)) {
        status = -ECANCELED;
    }
    while (status == 0 && s->half.gap > floor) {
        status = last_data(s, floor, s->half.gap, &end);
        if (status == 0 && end <= floor) {
            status = step_over(s, floor);
        } else if (status == 0) {
            end = floor + arith_div_up(end - floor, HALF_SLOT_BYTES) * HALF_SLOT_BYTES;
            status = move_up(s, end, chunk);
        }
    }
    return status;
}

/* The first data at or behind `begin`; `end` where there is none. */
static int first_data(const struct shift *s, uint64_t begin, uint64_t end, uint64_t *out)
{
    *out = end;
    int has = begin < end ? has_data(s, begin, end, out) : 0;
    *out = has == 0 ? end : *out;
    return has < 0 ? has : 0;
}

/* One piece that begins at `begin`, in places of the lower layout. */
static int move_down(struct shift *s, uint64_t begin, uint64_t chunk)
{
    const uint64_t shift = s->half.shift_bytes, floor = s->half.data_offset;
    const uint64_t end = arith_min(floor + ((begin - floor) / chunk + 1) * chunk, half_end(&s->half));
    uint64_t copied;
    int status = end > s->half.gap + shift ? step_over(s, begin) : 0;
    if (status == 0) {
        status = copy_piece(s, begin + shift, end + shift, begin, &copied);
    }
    if (status == 0) {
        status = note_gap(s, end);
    }
    if (status == 0) {
        status = io_punch(s->io, s->fd, begin + shift, end - begin);
    }
    return status == 0 && shift_stops(s, copied) ? -ECANCELED : status;
}

int moved_down(struct shift *s)
{
    const uint64_t end = half_end(&s->half), shift = s->half.shift_bytes;
    const uint64_t chunk = choose_chunk(s);
    uint64_t first;
    int status = clean_gap(s);
    if (status == 0 && shift_stops(s, 0)) {
        status = -ECANCELED;
    }
    while (status == 0 && s->half.gap < end) {
        status = first_data(s, s->half.gap + shift, end + shift, &first);
        if (status == 0 && first >= end + shift) {
            status = step_over(s, end);
        } else if (status == 0) {
            const uint64_t at = first - shift;
            const uint64_t from = at - (at - s->half.data_offset) % HALF_SLOT_BYTES;
            status = move_down(s, from, chunk);
        }
    }
    return status;
}
