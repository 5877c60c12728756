/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See recover_check.h.
 */
#include "core/plan/recover_check.h"
#include "core/base/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/image/siblings.h"
#include "core/ledger/state.h"
#include "core/plan/plan_rules.h"
#include "core/plan/undo_check.h"
#include "cow/text.h"

/* The date of a merge is the clock's, or a little ahead of it. */
enum { MERGE_AHEAD_SECONDS = 60 };

static bool undoes(const struct record *record)
{
    return record->kind == RECORD_UNDO_COPY || record->kind == RECORD_UNDO_IN_PLACE;
}

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
    const bool merges = record->kind == RECORD_MERGE;
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
    const bool cuts = (direction == FORWARD) == undoes(record);
    status = state_backing_is_ours(img->io, record, img->real_path, fd, cuts);
    return status < 0    ? cow_error_system(err, -status, "%s", record->backing_path)
           : status == 0 ? state_refuse_backing(record, err)
                         : 0;
}

/* An image that was made while the backing file was half merged, by a guest that was started on it, has the
 * date that the file will keep: a kernel would take it, and its disk would be another one. */
static int check_made_meanwhile(const struct cow_plan *plan, const struct record *record,
                                const struct stat *backing, struct cow_error *err)
{
    struct siblings siblings = {.n = 0};
    int status = siblings_find_on(&siblings, plan->io, plan->img, record->backing_path, backing, err);
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

int recover_check_way(const struct cow_plan *plan, const struct record *record, enum direction direction,
                      struct cow_error *err)
{
    const bool needs_undo = direction == FORWARD || undoes(record);
    const bool has_new = record->kind == RECORD_COPY || record->kind == RECORD_MERGE;
    int status = has_new ? plan_check_way_of(plan, SIDE_NEW, err) : 0;
    if (status == 0 && needs_undo) {
        status = plan_check_way_of(plan, SIDE_UNDO, err);
    }
    return status == 0 && direction == FORWARD && record->kind == RECORD_COPY
               ? plan_check_way_of(plan, SIDE_OLD, err)
               : status;
}

int recover_check_others(const struct cow_plan *plan, const struct record *record, enum direction direction,
                         const struct stat *backing, struct cow_error *err)
{
    const enum journal_view view = journal_view(record, plan->img);
    if (direction != FORWARD) {
        return 0;
    }
    if (record->kind == RECORD_MERGE && view == JOURNAL_SEES_OLD) {
        return check_made_meanwhile(plan, record, backing, err);
    }
    return undoes(record) && view == JOURNAL_SEES_NEW ? undo_check_base(plan->img, record, err) : 0;
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
    if (record->kind != RECORD_MERGE || journal_view(record, img) != JOURNAL_SEES_OLD) {
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
            side_path(journal, img->real_path, SIDE_JOURNAL),
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

/* Of a file that the change only read. One that the header alone names has its date there, by the second. */
static bool is_as_read(const struct cow_image *img, const struct record *record,
                       const struct cow_header *header, const struct backing_file *backing)
{
    struct stat then = {.st_size = 0};
    const bool found = backing->facts.state == COW_BACKING_FOUND;
    const bool is_old_one = record->backing_path[0] != '\0' &&
                            (!found || (io_stat_disk(img->io, record->backing_path, &then) == 0 &&
                                        same_file(&then, &backing->file.facts)));
    return is_old_one ? journal_number_fits(record, then.st_ino, record->backing_inode) &&
                            (uint64_t)then.st_size == record->backing_old_bytes &&
                            same_time(then.st_mtim, record->backing_old_mtime)
                      : found && backing->facts.mtime == (int64_t)header->mtime;
}

/* The private backing file, in a directory that was moved, is not where the header says. */
static bool is_the_copy(const struct cow_image *img, const struct record *record,
                        const struct backing_file *backing)
{
    struct stat copy;
    return backing->facts.state == COW_BACKING_FOUND &&
           img->io->stat(img->io->context, record->copy_path, &copy) == 0 &&
           same_file(&copy, &backing->file.facts);
}

int recover_base_fits(const struct cow_image *img, const struct record *record,
                      const uint8_t bytes[COW_HEADER_BYTES_MAX])
{
    struct cow_header header;
    struct backing_file backing;
    const bool copies = record->copy_inode != 0;
    if (record->extends != 0 || /* that one is held, and looked at, itself */
        cow_header_decode(&header, bytes, COW_HEADER_BYTES_MAX, record->new_file_bytes, UINT64_MAX, NULL) !=
            0 ||
        header.backing_path[0] == '\0') {
        return 1;
    }
    const struct cow_backing *now = &img->backing.facts;
    if (backing_open(&backing, img->io, &header, img->real_path, &img->cow.facts,
                     now->named && !copies ? now->path : NULL, NULL) != 0) {
        return -ENOMEM;
    }
    const bool fits =
        copies ? is_the_copy(img, record, &backing) : is_as_read(img, record, &header, &backing);
    backing_close(img->io, &backing);
    return fits;
}

/* The questions below answer 1, 0, or -errno: what cannot be looked at is no "no", for a wrong direction
 * could not be taken back.
 */

/* Is the new image of a copy complete under its temporary name? The true size is written last of all. */
static int new_file_complete(const struct cow_io *io, const struct record *record, const char *image_path,
                             uint8_t header[COW_HEADER_BYTES_MAX])
{
    char path[PATH_MAX];
    struct stat facts;
    int fd = io_open_regular(io, side_path(path, image_path, SIDE_NEW), O_RDONLY | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    int status = io_read_padded(io, fd, header, COW_HEADER_BYTES_MAX, 0);
    const bool is =
        journal_is_file(record, io, fd, &facts, record->new_inode, record->new_file_bytes, record->new_mtime);
    io->close(io->context, fd);
    return status < 0 ? status : is && crc_ieee(header, COW_V3_HEADER_BYTES) == record->new_header_crc;
}

/* Is the private backing file, where there is to be one, there under its own name, as the change has left it?
 * It gets that name last of all. */
static int copy_complete(const struct cow_io *io, const struct record *record)
{
    struct stat facts;
    if (record->copy_inode == 0) {
        return 1;
    }
    int status = io->lstat(io->context, record->copy_path, &facts);
    if (status < 0) {
        return status == -ENOENT ? 0 : status;
    }
    return journal_number_fits(record, facts.st_ino, record->copy_inode) &&
           (uint64_t)facts.st_size == record->backing_new_bytes &&
           same_time(facts.st_mtim, record->backing_mtime);
}

static int undo_file_there(const struct cow_image *img, const struct record *record)
{
    char undo[PATH_MAX];
    return record->kind == RECORD_UNDO_IN_PLACE
               ? 1
               : state_has_undo(img->io, record, side_path(undo, img->real_path, SIDE_UNDO));
}

/* Is there a whole new image that can take the old one's place? Until then the old one has all of the disk;
 * afterwards what the new one leaves out, because the backing file has it, must be there. */
static int new_image_is_good(struct decision *out, const struct cow_image *img, const struct record *record)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    int yes = copy_complete(img->io, record);
    yes = yes == 1 ? new_file_complete(img->io, record, img->real_path, header) : yes;
    if (yes == 1) {
        yes = recover_base_fits(img, record, header);
        out->base_changed = yes == 0;
    }
    return yes;
}

static bool has_old_date(const struct cow_io *io, const struct record *record)
{
    struct stat facts;
    return io->stat(io->context, record->backing_path, &facts) == 0 &&
           same_time(facts.st_mtim, record->backing_old_mtime);
}

int recover_choose_direction(struct decision *out, const struct cow_plan *plan, const struct record *record)
{
    const struct cow_image *img = plan->img;
    const enum journal_view view = journal_view(record, img);
    int yes = 0;
    *out = (struct decision){.direction = NOWHERE};
    if (view == JOURNAL_SEES_STRANGE) {
        return 0;
    }
    switch ((enum record_kind)record->kind) {
    case RECORD_COPY:
        yes = view == JOURNAL_SEES_NEW;
        if (!yes && journal_unwritten(record, &img->cow.facts, false)) {
            yes = new_image_is_good(out, img, record);
        }
        break;
    case RECORD_IN_PLACE:
        yes = view == JOURNAL_SEES_NEW;
        break;
    case RECORD_MERGE:
        yes = view == JOURNAL_SEES_NEW ? 1 : state_merge_has_begun(img->io, record, img->real_path);
        out->base_changed = yes == 0 && !has_old_date(img->io, record);
        break;
    case RECORD_UNDO_COPY:
    case RECORD_UNDO_IN_PLACE:
        /* A guest that has written to the new image since wins over the wish to go back; and without the old
         * image there is nothing to go back to. */
        yes = view == JOURNAL_SEES_OLD;
        if (!yes && journal_unwritten(record, &img->cow.facts, true)) {
            yes = undo_file_there(img, record);
        }
        break;
    }
    if (yes < 0) {
        return yes;
    }
    out->direction = yes ? FORWARD : BACK;
    return 0;
}
