/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing file that was lengthened, to its old length or its new one, with its date.
 *
 * The journal is dated just before, and by a merge each second: that is how its date is known for ours
 * (state_backing.c).
 */
#include <errno.h>
#include <fcntl.h>

#include "core/commit/settle.h"
#include "core/ledger/state.h"

enum { TRIES = 10 };

/* Dates a file by the clock, durably; *date is what it got. 0 or -errno. */
static int date_once(const struct cow_io *io, const char *path, struct timespec *date)
{
    struct stat facts;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    int fd = io_open_regular(io, path, O_WRONLY | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd;
    }
    io->now(io->context, &times[1]);
    int status = io->futimens(io->context, fd, times);
    if (status == 0) {
        status = io->fsync(io->context, fd);
    }
    io->close(io->context, fd);
    *date = times[1];
    return status;
}

static int date_soon(const struct cow_io *io, const char *path)
{
    struct timespec date, after;
    unsigned tries = 0;
    int status;
    do { /* where flushing took long, what follows would not be taken for ours */
        status = date_once(io, path, &date);
        io->now(io->context, &after);
    } while (status == 0 && state_nanoseconds_between(date, after) > STATE_SLOW_NS / 2 && ++tries < TRIES);
    return status;
}

int settle_date_journal(const struct cow_io *io, const char *journal_path)
{
    return date_soon(io, journal_path);
}

int settle_date_position(const struct cow_io *io, const char *image_path)
{
    char path[PATH_MAX];
    return date_soon(io, side_path(path, image_path, SIDE_POSITION));
}

int settle_backing(const struct cow_io *io, const struct record *record, const char *image_path, int fd,
                   bool back)
{
    struct stat facts;
    char journal[PATH_MAX];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, record->backing_mtime};
    const uint64_t wanted = back ? record->backing_old_bytes : record->backing_new_bytes;
    int status = state_backing_is_ours(io, record, image_path, fd, back);
    if (status <= 0) {
        return status < 0 ? status : -EBUSY;
    }
    status = io->fstat(io->context, fd, &facts);
    const bool resizes = status == 0 && (uint64_t)facts.st_size != wanted;
    if (status == 0 && (resizes || !same_time(facts.st_mtim, record->backing_mtime))) {
        status = io->futimens(io->context, fd, times);
    }
    if (resizes && status == 0) {
        /* Before the journal gets another date, and even where the old date seems to be back: where that was
         * not flushed, the disk has the date of the lengthening, which is only known by the journal's. */
        status = io->fsync(io->context, fd);
        if (status == 0) {
            status = settle_date_journal(io, state_journal_path(journal, record, image_path));
        }
        if (status == 0) {
            status = io->ftruncate(io->context, fd, wanted);
        }
        if (status == 0) {
            status = io->futimens(io->context, fd, times);
        }
    }
    return status == 0 ? io->fsync(io->context, fd) : status;
}

int settle_merge_beat(const struct cow_io *io, const char *image_path, struct timespec *last)
{
    char path[PATH_MAX];
    struct timespec now;
    io->now(io->context, &now);
    const int64_t since = state_nanoseconds_between(*last, now);
    return since >= 0 && since < STATE_SECOND_NS
               ? 0
               : date_once(io, side_path(path, image_path, SIDE_JOURNAL), last);
}
