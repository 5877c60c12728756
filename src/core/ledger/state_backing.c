/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing file that was lengthened, or merged into.
 *
 * Is it ours to touch? Lengthening dates it "now", and a kill can come before the old date is back. So the
 * journal is dated just before: a date counts as ours if it is the recorded one, or follows the journal's
 * within the time that one call can take. Any other date, or data behind the old end, is somebody else's
 * work: kernels tell by the date that the content has changed, and so it is left alone.
 *
 * A merge writes for long: it dates the journal again each second, before it goes on.
 */
#include <inttypes.h>

#include "core/ledger/state.h"
#include "cow/text.h"

enum {

    MERGE_SLOW_S = 5,              /* from the journal's date to a merge's writing (settle_merge_beat) */
    MERGE_AHEAD_S = 60,            /* its date is the clock's, or a little ahead of it */
    OLD_SLOW_NS = STATE_SECOND_NS, /* version 2 wrote its journal earlier */
};

int64_t state_nanoseconds_between(struct timespec from, struct timespec to)
{
    if (to.tv_sec - from.tv_sec > 3600 || from.tv_sec - to.tv_sec > 3600) {
        return to.tv_sec > from.tv_sec ? INT64_MAX : INT64_MIN;
    }
    return (int64_t)(to.tv_sec - from.tv_sec) * STATE_SECOND_NS + to.tv_nsec - from.tv_nsec;
}

const char *state_journal_path(char out[PATH_MAX], const struct record *record, const char *image_path)
{
    return record->is_family ? side_path(out, record->backing_path, SIDE_FAMILY)
                             : side_path(out, image_path, record_kind_journal(record->kind));
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
        later = state_nanoseconds_between(journal, fresh.st_ctim);
    }
    return (later < 0 || later == INT64_MAX ? 0 : later) + OLD_SLOW_NS;
}

/* The date of a lengthening, or a cutting, that was cut off before the old date was back. */
static bool is_date_of_ours(const struct cow_io *io, const struct record *record, const char *image_path,
                            struct timespec date)
{
    char path[PATH_MAX];
    struct stat journal;
    if (io->lstat(io->context, state_journal_path(path, record, image_path), &journal) < 0) {
        return false;
    }
    const int64_t after = state_nanoseconds_between(journal.st_mtim, date);
    if (record_kind_facts(record->kind)
            ->writes_into_backing) { /* it began about the date that it gives, and was alive just now */
        return state_nanoseconds_between(record->backing_mtime, date) >=
                   -(int64_t)MERGE_AHEAD_S * STATE_SECOND_NS &&
               after <= (int64_t)MERGE_SLOW_S * STATE_SECOND_NS;
    }
    const int64_t last =
        record->version < 3 ? last_moment_of_version_2(io, image_path, journal.st_mtim) : STATE_SLOW_NS;
    return after >= -STATE_GRAIN_NS && after <= last + STATE_GRAIN_NS;
}

int state_backing_is_ours(const struct cow_io *io, const struct record *record, const char *image_path,
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
               ? state_is_empty(io, fd, record->backing_old_bytes, size_bytes)
               : 1;
}

int state_merged_is_ours(const struct cow_io *io, const struct record *record, const char *image_path, int fd)
{
    struct stat facts;
    int status = io->fstat(io->context, fd, &facts);
    return status < 0 ? status
                      : record->version < 3 || /* which did not note how far it was */
                            same_time(facts.st_mtim, record->backing_mtime) ||
                            same_time(facts.st_mtim, record->backing_old_mtime) ||
                            is_date_of_ours(io, record, image_path, facts.st_mtim);
}

int state_refuse_backing(const struct record *record, struct cow_error *err)
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
