/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See recover_check.h. All of it is asked twice: when planning, so that nobody is asked for a yes in
 * vain, and under the lock, for between the two others may have acted: a guest, an admin, another
 * cowtui. Where something is not as the change has left it, nothing is touched, and the words say which
 * ways there are.
 */
#include "core/plan/recover_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/image/siblings.h"
#include "core/ledger/state.h"
#include "core/plan/plan_rules.h"
#include "core/plan/undo_check.h"
#include "cow/text.h"

/* The date of a merge is the clock's, or a little ahead of it. */
enum { MERGE_AHEAD_SECONDS = 60 };

static int check_merged_file(const struct cow_image *img, const struct record *record, int fd,
                             const struct stat *facts, struct cow_error *err)
{
    char quoted[COW_HINT_BYTES / 3];
    /* Where its number says nothing: nobody has put an older file there. */
    const bool is_older = facts->st_ino != record->backing_inode &&
                          !same_time(facts->st_mtim, record->backing_old_mtime) &&
                          facts->st_mtim.tv_sec < record->backing_mtime.tv_sec - MERGE_AHEAD_SECONDS;
    if (is_older || !journal_number_fits(record, facts->st_ino, record->backing_inode)) {
        cow_error_set(err, COW_REFUSED, "%s: not the file that the interrupted merge was writing",
                      record->backing_path);
        return cow_error_hint(err, "give that file its name again, then recover");
    }
    int status = state_merged_is_ours(img->io, record, img->real_path, fd);
    if (status != 0) {
        return status < 0 ? cow_error_system(err, -status, "%s", record->backing_path) : 0;
    }
    cow_error_set(err, COW_REFUSED,
                  "%s: was written or dated by somebody since the merge into it was interrupted",
                  record->backing_path);
    return cow_error_hint(err,
                          "the merge would give it a date that says it is all right; if it is (the merge's "
                          "own sectors are written again): touch -d @%" PRId64 " %s, then recover",
                          (int64_t)record->backing_mtime.tv_sec,
                          cow_shell_quote(quoted, sizeof quoted, record->backing_path));
}

int recover_check_backing(const struct cow_image *img, const struct record *record, int fd,
                          enum direction direction, struct cow_error *err)
{
    struct stat facts;
    const bool merges = record_kind_facts(record->kind)->writes_into_backing;
    if (record->extends == 0 ||
        (merges && (direction != FORWARD || journal_view(record, img) == JOURNAL_SEES_NEW))) {
        return 0; /* it is not written */
    }
    int status = img->io->fstat(img->io->context, fd, &facts);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", record->backing_path);
    }
    uint64_t size_bytes = (uint64_t)facts.st_size;
    if (size_bytes != record->backing_old_bytes && size_bytes != record->backing_new_bytes) {
        cow_error_set(err, COW_REFUSED,
                      "%s: has %" PRIu64 " bytes, not %" PRIu64 " or %" PRIu64
                      " as the interrupted change knows it",
                      record->backing_path, size_bytes, record->backing_old_bytes, record->backing_new_bytes);
        return cow_error_hint(err, "give it one of these sizes again (truncate), then recover");
    }
    if (merges) {
        return check_merged_file(img, record, fd, &facts, err);
    }
    const bool cuts = (direction == FORWARD) == record_kind_facts(record->kind)->goes_back;
    status = state_backing_is_ours(img->io, record, img->real_path, fd, cuts);
    return status < 0    ? cow_error_system(err, -status, "%s", record->backing_path)
           : status == 0 ? state_refuse_backing(record, err)
                         : 0;
}

/* An image that was made while the backing file was half merged, by a guest that was started on it, has the
 * date that the file will keep: a kernel would take it, and its disk would be another one. */
static int check_made_meanwhile(const struct cow_image *img, const struct record *record,
                                const struct stat *backing, struct cow_error *err)
{
    struct siblings siblings = {.n = 0};
    int status = siblings_find_on(&siblings, img->io, img, record->backing_path, backing, err);
    for (size_t i = 0; status == 0 && i < siblings.n; i++) {
        if ((int64_t)siblings.sibling[i].mtime == (int64_t)record->backing_mtime.tv_sec) {
            status = cow_error_set(err, COW_REFUSED, "%s: was made on %s while that was half merged",
                                   siblings.sibling[i].path, record->backing_path);
            cow_error_hint(
                err, "what it shows would change: move it to another directory, then recover; it is good "
                     "for what was written into it at most");
        }
    }
    siblings_clear(&siblings);
    return status;
}

int recover_check_way(const struct cow_image *img, const struct record *record, enum direction direction,
                      struct cow_error *err)
{
    const bool needs_undo = direction == FORWARD || record_kind_facts(record->kind)->goes_back;
    const struct record_kind_facts *kind = record_kind_facts(record->kind);
    const char *const works_with = kind->makes_file || (kind->marks && !kind->shifts) ? SIDE_NEW
                                   : kind->shifts                                     ? SIDE_POSITION
                                                                                      : NULL;
    int status = works_with != NULL ? plan_check_way_of(img, img->real_path, works_with, err) : 0;
    if (status == 0 && needs_undo) {
        status = plan_check_way_of(img, img->real_path, SIDE_UNDO, err);
    }
    return status == 0 && direction == FORWARD && kind->makes_file && kind->undone_by != RECORD_NONE
               ? plan_check_way_of(img, img->real_path, SIDE_OLD, err)
               : status;
}

int recover_check_others(const struct cow_image *img, const struct record *record, enum direction direction,
                         const struct stat *backing, struct cow_error *err)
{
    const enum journal_view view = journal_view(record, img);
    if (direction != FORWARD) {
        return 0;
    }
    if (record_kind_facts(record->kind)->writes_into_backing && view == JOURNAL_SEES_OLD) {
        return check_made_meanwhile(img, record, backing, err);
    }
    return record_kind_facts(record->kind)->goes_back && view == JOURNAL_SEES_NEW
               ? undo_check_base(img, record, err)
               : 0;
}

/* The header that the empty image will have is the record's first sector and what lies behind it already: is
 * that the one whose sum the record has? 1 (also where there is no such file), 0 or -errno. */
static int has_merged_header(const struct cow_image *img, const struct record *record, const char *path)
{
    uint8_t header[COW_V3_HEADER_BYTES];
    struct stat facts;
    int fd = io_open_regular(img->io, path, O_RDONLY | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd == -ENOENT ? 1 : fd;
    }
    int status = io_read_padded(img->io, fd, header, sizeof header, 0);
    img->io->close(img->io->context, fd);
    memcpy(header, record->new_sector, sizeof record->new_sector);
    return status < 0 ? status : crc_ieee(header, sizeof header) == record->new_header_crc;
}

int recover_check_merge_files(const struct cow_image *img, const struct record *record, struct cow_error *err)
{
    char temp[PATH_MAX], journal[PATH_MAX], image[COW_HINT_BYTES / 2];
    struct stat backing, facts;
    if (!record_kind_facts(record->kind)->writes_into_backing ||
        journal_view(record, img) != JOURNAL_SEES_OLD) {
        return 0;
    }
    int status = img->io->stat(img->io->context, record->backing_path, &backing);
    if (status < 0) {
        cow_error_system(err, -status, "%s: the backing file that was to be merged into: %s", img->path,
                         record->backing_path);
        return cow_error_hint(err, "give it its name again, then recover");
    }
    status = img->io->lstat(img->io->context, side_path(temp, img->real_path, SIDE_NEW), &facts);
    if (status == -ENOENT && !same_time(backing.st_mtim, record->backing_old_mtime)) {
        cow_error_set(err, COW_REFUSED, "%s: the empty image that was to take its place is gone: %s",
                      img->path, temp);
        return cow_error_hint(
            err, "the image still shows the whole disk: remove %s, then cowtui rebase --restamp %s",
            side_journal_path(journal, img->io, img->real_path),
            cow_shell_quote(image, sizeof image, img->path));
    }
    status = has_merged_header(img, record, side_path(temp, img->real_path, SIDE_NEW));
    if (status < 0) {
        return cow_error_system(err, -status, "%s", temp);
    }
    if (status == 0) {
        cow_error_set(err, COW_INVALID, "%s: is not the empty image that the journal tells of", temp);
        return cow_error_hint(err,
                              "it was not written by this program, or for another image; nothing is done "
                              "with it");
    }
    return 0;
}
