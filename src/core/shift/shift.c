/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which way a gap goes, and by whom. See shift.h.
 */
#include "core/shift/shift.h"

#include "core/shift/ways.h"

int shift_up(struct shift *s)
{
    if (s->half.phase == HALF_FILLED) {
        return 0;
    }
    return s->half.inserts != 0 ? inserted_up(s) : moved_up(s);
}

int shift_down(struct shift *s)
{
    int status = s->half.phase == HALF_FILLED ? shift_empty(s) : 0;
    if (status == 0) {
        status = s->half.inserts != 0 ? inserted_down(s) : moved_down(s);
    }
    return status;
}

int shift_fill_begins(struct shift *s)
{
    if (s->half.inserts == 0 && s->half.phase == HALF_SHIFTING && s->half.gap == s->half.data_offset) {
        return 0; /* what moves bytes empties the gap before it begins, whatever lies in it */
    }
    s->half.phase = HALF_FILLED;
    s->half.gap = s->half.data_offset;
    return shift_note(s);
}

int shift_empty(struct shift *s)
{
    int status = io_punch(s->io, s->fd, s->half.data_offset, s->half.shift_bytes);
    if (status == 0 && s->half.inserts != 0) { /* what moves bytes empties it once more before it begins */
        status = s->io->fsync(s->io->context, s->fd);
    }
    s->half.phase = HALF_SHIFTING;
    s->half.gap = s->half.data_offset;
    return status == 0 ? shift_note(s) : status;
}
