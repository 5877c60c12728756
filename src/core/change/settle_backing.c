/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing file that was lengthened, to its old length or its new one, with its date.
 *
 * Is it ours to touch? Lengthening dates it "now", and a kill can come before the old date is back. So the
 * journal is dated just before: a date counts as ours if it is the recorded one, or follows the journal's
 * within the time that one call can take. Any other date, or data behind the old end, is somebody else's
 * work: kernels tell by the date that the content has changed, and so it is left alone.
 *
 * A merge writes for long: it dates the journal again each second, before it goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/change/settle.h"
#include "cow/text.h"

enum {
    SECOND_NS = 1000000000,
    GRAIN_NS = 20 * 1000 * 1000, /* two ticks: the clock that dates files may be so much behind */
    SLOW_NS = 200 * 1000 * 1000, /* from the journal's date to the lengthening */
    MERGE_SLOW_S = 5,            /* from the journal's date to a merge's writing (settle_merge_beat) */
    MERGE_AHEAD_S = 60,          /* its date is the clock's, or a little ahead of it */
    OLD_SLOW_NS = SECOND_NS,     /* version 2 wrote its journal earlier */
    TRIES = 10,
    PIECE_BYTES = 64 * 1024
};

static int64_t nanoseconds_between(struct timespec from, struct timespec to)
{
    if (to.tv_sec - from.tv_sec > 3600 || from.tv_sec - to.tv_sec > 3600) {
        return to.tv_sec > from.tv_sec ? INT64_MAX : INT64_MIN;
    }
    return (int64_t)(to.tv_sec - from.tv_sec) * SECOND_NS + to.tv_nsec - from.tv_nsec;
}

/* Dates the journal by the clock, durably; *date is what it got. 0 or -errno. */
static int date_journal_once(const struct cow_io *io, const char *image_path, struct timespec *date)
{
    char path[PATH_MAX];
    struct stat facts;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    int fd = io_open_regular(io, side_path(path, image_path, SIDE_JOURNAL), O_WRONLY | O_NOFOLLOW, &facts);
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

int settle_date_journal(const struct cow_io *io, const char *image_path)
{
    struct timespec date, after;
    unsigned tries = 0;
    int status;
    do { /* where flushing took long, what follows would not be taken for ours */
        status = date_journal_once(io, image_path, &date);
        io->now(io->context, &after);
    } while (status == 0 && nanoseconds_between(date, after) > SLOW_NS / 2 && ++tries < TRIES);
    return status;
}

/* When the backing file can have been lengthened, by a program that wrote its journal and then copied first.
 */
static int64_t last_moment_of_version_2(const struct cow_io *io, const char *image_path,
                                        struct timespec journal)
{
    char path[PATH_MAX];
    struct stat fresh;
    int64_t later = 0;
    if (io->lstat(io->context, side_path(path, image_path, SIDE_NEW), &fresh) == 0) {
        later = nanoseconds_between(journal, fresh.st_ctim);
    }
    return (later < 0 || later == INT64_MAX ? 0 : later) + OLD_SLOW_NS;
}

/* The date of a lengthening, or a cutting, that was cut off before the old date was back. */
static bool is_date_of_ours(const struct cow_io *io, const struct record *record, const char *image_path,
                            struct timespec date)
{
    char path[PATH_MAX];
    struct stat journal;
    if (io->lstat(io->context, side_path(path, image_path, SIDE_JOURNAL), &journal) < 0) {
        return false;
    }
    const int64_t after = nanoseconds_between(journal.st_mtim, date);
    if (record->kind == RECORD_MERGE) { /* it began about the date that it gives, and was alive just now */
        return nanoseconds_between(record->backing_mtime, date) >= -(int64_t)MERGE_AHEAD_S * SECOND_NS &&
               after <= (int64_t)MERGE_SLOW_S * SECOND_NS;
    }
    const int64_t last =
        record->version < 3 ? last_moment_of_version_2(io, image_path, journal.st_mtim) : SLOW_NS;
    return after >= -GRAIN_NS && after <= last + GRAIN_NS;
}

int settle_is_empty(const struct cow_io *io, int fd, uint64_t begin, uint64_t end)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    int status = piece == NULL ? -ENOMEM : 1;
    while (status == 1 && begin < end) {
        struct io_extent extent;
        int failed = io_extent_at(io, fd, begin, end, &extent);
        uint64_t n = failed < 0 ? 0 : extent.end - begin;
        if (failed == 0 && extent.data) {
            n = arith_min(n, PIECE_BYTES);
            failed = io_read_padded(io, fd, piece, (size_t)n, begin);
            status = failed == 0 && !bytes_all_zero(piece, (size_t)n) ? 0 : status;
        }
        status = failed < 0 ? failed : status;
        begin += n;
    }
    free(piece);
    return status;
}

int settle_backing_is_ours(const struct cow_io *io, const struct record *record, const char *image_path,
                           int fd, bool back)
{
    struct stat facts;
    int status = io->fstat(io->context, fd, &facts);
    if (status < 0) {
        return status;
    }
    const uint64_t size_bytes = (uint64_t)facts.st_size;
    const bool dated = same_time(facts.st_mtim, record->backing_mtime);
    if ((size_bytes != record->backing_old_bytes && size_bytes != record->backing_new_bytes) ||
        (!dated && (!journal_number_fits(record, facts.st_ino, record->backing_inode) ||
                    !is_date_of_ours(io, record, image_path, facts.st_mtim)))) {
        return 0;
    }
    return size_bytes == record->backing_new_bytes && (back || !dated)
               ? settle_is_empty(io, fd, record->backing_old_bytes, size_bytes)
               : 1;
}

int settle_backing(const struct cow_io *io, const struct record *record, const char *image_path, int fd,
                   bool back)
{
    struct stat facts;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, record->backing_mtime};
    const uint64_t wanted = back ? record->backing_old_bytes : record->backing_new_bytes;
    int status = settle_backing_is_ours(io, record, image_path, fd, back);
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
            status = settle_date_journal(io, image_path);
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
    struct timespec now;
    io->now(io->context, &now);
    const int64_t since = nanoseconds_between(*last, now);
    return since >= 0 && since < SECOND_NS ? 0 : date_journal_once(io, image_path, last);
}

int settle_merged_is_ours(const struct cow_io *io, const struct record *record, const char *image_path,
                          int fd)
{
    struct stat facts;
    int status = io->fstat(io->context, fd, &facts);
    return status < 0 ? status
                      : record->version < 3 || /* which did not note how far it was */
                            same_time(facts.st_mtim, record->backing_mtime) ||
                            same_time(facts.st_mtim, record->backing_old_mtime) ||
                            is_date_of_ours(io, record, image_path, facts.st_mtim);
}

int settle_refuse_backing(const struct record *record, struct cow_error *err)
{
    char quoted[COW_HINT_BYTES / 3];
    cow_error_set(
        err, COW_REFUSED,
        "%s: was written, dated or replaced since the change was interrupted: neither its date nor its "
        "length is touched",
        record->backing_path);
    return cow_error_hint(err,
                          "if its content is still the same: touch -d @%" PRId64
                          ".%09ld %s, then recover; if not, put the file of "
                          "then in its place (keep this one), then recover",
                          (int64_t)record->backing_mtime.tv_sec, record->backing_mtime.tv_nsec,
                          cow_shell_quote(quoted, sizeof quoted, record->backing_path));
}
