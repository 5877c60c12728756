/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Records in files: finding the one beside an image, and telling what the image is, seen from it: the
 * old one, the new one, or neither.
 *
 * The header decides (its CRC), and the inode number; where that is another one (a directory that was
 * restored, a filesystem that makes them up), length, date and the filesystem's UUID must be the
 * recorded ones. Device numbers are not looked at, for they change over a reboot. Where a filesystem
 * cannot be told (FUSE, network), inode numbers prove nothing.
 *
 * A record lies where others may write, and names files that are to be written, cut and removed. So
 * whose it is comes first (beside/side.h), then whether it is about this image (claim.c), then whether
 * its numbers can be true (record_check.c); journal_check.c asks all of that.
 */
#include "core/ledger/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/format/variants.h"
#include "core/ledger/record_codec.h"

/* As journal_read. peek: whoever it belongs to, for looking only. */
static int read_beside(struct record *out, bool *found, const struct cow_image *img, const char *what,
                       struct stat *facts, bool peek, struct cow_error *err)
{
    char path[PATH_MAX];
    struct host_file file;
    struct cow_error local = {.status = 0};
    *found = false;
    struct cow_error whose = {.status = 0};
    struct stat there;
    if (img->io->lstat(img->io->context, side_path(path, img->real_path, what), &there) == 0 &&
        S_ISREG(there.st_mode) && /* what cannot even be read is somebody's, too */
        side_check_owner(img->io, path, &there, &img->cow.facts, img->path, &whose) != 0 && !peek) {
        cow_error_set(err, whose.status, "%s", whose.message);
        return cow_error_hint(err, "%s", whose.hint);
    }
    int status = host_file_open(img->io, &file, path, O_RDONLY | O_NOFOLLOW, &local);
    if (status != 0 && local.sys_errno == ENOENT) {
        return 0;
    }
    if (status != 0) {
        const bool foreign = whose.status != 0;
        cow_error_set(err, foreign ? whose.status : status, "%s", foreign ? whose.message : local.message);
        return cow_error_hint(
            err, "%s", foreign ? whose.hint : "it is not obeyed; whoever put it there has to take it away");
    }
    uint64_t offset;
    status = peek ? 0 : side_check_owner(img->io, path, &file.facts, &img->cow.facts, img->path, err);
    if (status != 0) {
        host_file_close(img->io, &file);
        return status;
    }
    status = record_read(out, &offset, img->io, file.fd, &local);
    host_file_close(img->io, &file);
    if (status != 0) {
        cow_error_set(err, status, "%s: %s", path, local.message);
        return cow_error_hint(
            err, "it was not written by this program, or not completely; nothing is done with it");
    }
    out->owner = file.facts.st_uid;
    status = record_resolve(out, img->real_path, err);
    if (status != 0) {
        record_clear(out);
        return status;
    }
    if (facts != NULL) {
        *facts = file.facts;
    }
    *found = true;
    return 0;
}

const char *record_kind_journal(unsigned kind)
{
    return record_kind_facts(kind)->shifts ? SIDE_MOVE : SIDE_JOURNAL;
}

/* As journal_read; of a journal, whichever there is. Each kind of a change has its own name for it. */
static int read_of_kind(struct record *out, bool *found, const struct cow_image *img, const char *what,
                        struct stat *facts, bool peek, struct cow_error *err)
{
    char path[PATH_MAX];
    struct stat there;
    if (strcmp(what, SIDE_JOURNAL) == 0) {
        const int moves =
            img->io->lstat(img->io->context, side_path(path, img->real_path, SIDE_MOVE), &there);
        what = moves == 0 ? SIDE_MOVE : what;
        if (moves < 0 && moves != -ENOENT) { /* nobody knows that there is none */
            *found = false;
            return cow_error_system(err, -moves, "%s", path);
        }
    }
    int status = read_beside(out, found, img, what, facts, peek, err);
    if (status == 0 && *found && strcmp(what, SIDE_UNDO) != 0 &&
        strcmp(what, record_kind_journal(out->kind)) != 0) {
        record_clear(out);
        *found = false;
        cow_error_set(err, COW_INVALID, "%s: a record of another kind of change than its name says",
                      side_path(path, img->real_path, what));
        return cow_error_hint(err, "it was not written by this program; nothing is done with it");
    }
    return status;
}

int journal_read(struct record *out, bool *found, const struct cow_image *img, const char *what,
                 struct stat *facts, struct cow_error *err)
{
    return read_of_kind(out, found, img, what, facts, false, err);
}

int journal_peek(struct record *out, bool *found, const struct cow_image *img, struct cow_error *refusal,
                 struct cow_error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    *refusal = (struct cow_error){.status = 0};
    int status = read_of_kind(out, found, img, SIDE_JOURNAL, &facts, true, err);
    if (status == 0 && *found) {
        (void)side_check_owner(img->io, side_journal_path(path, img->io, img->real_path), &facts,
                               &img->cow.facts, img->path, refusal);
    }
    return status;
}

static bool header_is(const struct cow_image *img, uint32_t n_bytes, uint32_t crc)
{
    return n_bytes <= img->raw_bytes && crc_ieee(img->raw, n_bytes) == crc;
}

void journal_mark_sector(uint8_t out[RECORD_SECTOR_BYTES], const struct record *record,
                         const uint8_t sector[RECORD_SECTOR_BYTES])
{
    memcpy(out, sector, RECORD_SECTOR_BYTES);
    bytes_put(out + record->size_field_offset, 8, true, SIZE_UNFINISHED);
    half_mark(out + HALF_MARK_OFFSET, record->half_id);
}

/* Its data is being moved, or written over: the first sector bears mark and id, or is what a torn write has
 * left of that. */
static bool is_half(const struct record *record, const struct cow_image *img)
{
    uint8_t marked[RECORD_SECTOR_BYTES];
    if (!record_kind_facts(record->kind)->marks || img->raw_bytes < RECORD_SECTOR_BYTES) {
        return false;
    }
    journal_mark_sector(marked, record, record->old_sector);
    for (size_t i = 0; i < RECORD_SECTOR_BYTES; i++) {
        if (img->raw[i] != marked[i] && img->raw[i] != record->old_sector[i] &&
            img->raw[i] != record->new_sector[i]) {
            return false;
        }
    }
    return true;
}

/* A disk that tears a sector leaves the first one part old, part new. With the old one put back, the header
 * is the old one again. */
static bool header_is_torn(const struct record *record, const struct cow_image *img)
{
    uint8_t old[COW_HEADER_BYTES_MAX];
    if (!record_kind_facts(record->kind)->keeps_file || record_kind_facts(record->kind)->marks ||
        img->raw_bytes < RECORD_SECTOR_BYTES || record->old_header_bytes > img->raw_bytes) {
        return false;
    }
    for (size_t i = 0; i < RECORD_SECTOR_BYTES; i++) {
        if (img->raw[i] != record->old_sector[i] && img->raw[i] != record->new_sector[i]) {
            return false;
        }
    }
    memcpy(old, img->raw, img->raw_bytes);
    memcpy(old, record->old_sector, RECORD_SECTOR_BYTES);
    return crc_ieee(old, record->old_header_bytes) == record->old_header_crc;
}

static bool has_new_header(const struct record *record, const struct cow_image *img)
{
    return header_is(img, COW_V3_HEADER_BYTES, record->new_header_crc);
}

static bool has_old_header(const struct record *record, const struct cow_image *img)
{
    return header_is(img, record->old_header_bytes, record->old_header_crc) || header_is_torn(record, img);
}

enum journal_view journal_header_view(const struct record *record, const struct cow_image *img)
{
    return has_new_header(record, img)   ? JOURNAL_SEES_NEW
           : has_old_header(record, img) ? JOURNAL_SEES_OLD
           : is_half(record, img)        ? JOURNAL_SEES_HALF
                                         : JOURNAL_SEES_STRANGE;
}

static bool knows_filesystem(const struct record *record)
{
    static const uint8_t unknown[IO_FILESYSTEM_ID_BYTES];
    return memcmp(record->filesystem, unknown, sizeof unknown) != 0;
}

bool journal_number_fits(const struct record *record, uint64_t is, uint64_t was)
{
    return is == was || (record->version >= 3 && !knows_filesystem(record));
}

/* Two filesystems that are known to be others. */
static bool is_other_filesystem(const struct record *record, const struct cow_io *io, int fd)
{
    uint8_t id[IO_FILESYSTEM_ID_BYTES];
    return knows_filesystem(record) && io->filesystem_id(io->context, fd, id) == 0 &&
           id[0] == record->filesystem[0] && memcmp(id, record->filesystem, sizeof id) != 0;
}

bool journal_is_file(const struct record *record, const struct cow_io *io, int fd, const struct stat *facts,
                     uint64_t inode, uint64_t n_bytes, struct timespec date)
{
    return facts->st_ino == inode ||
           (record->version >= 3 && (uint64_t)facts->st_size == n_bytes && same_time(facts->st_mtim, date) &&
            !is_other_filesystem(record, io, fd));
}

/* By header, where numbers say nothing, the header decides alone: while it is changed the date is neither the
 * old one nor the new one, and what is put back lies outside the layout. */
static bool is_in_between(const struct record *record, const struct stat *facts)
{
    const uint64_t size = (uint64_t)facts->st_size;
    return record_kind_facts(record->kind)->keeps_file &&
           journal_number_fits(record, facts->st_ino, record->old_inode) &&
           size >= arith_min(record->old_file_bytes, record->new_file_bytes) &&
           size <= arith_max(record->old_file_bytes, record->new_file_bytes);
}

/* Both headers may be the same: then the file decides, and first of all its inode number. */
enum journal_view journal_view(const struct record *record, const struct cow_image *img)
{
    const struct stat *facts = &img->cow.facts;
    const bool new = has_new_header(record, img), old = has_old_header(record, img);
    if (!new && !old && is_half(record, img)) { /* by its id: whatever file it is now */
        return JOURNAL_SEES_HALF;
    }
    if (new && facts->st_ino == record->new_inode) {
        return JOURNAL_SEES_NEW;
    }
    if (old && facts->st_ino == record->old_inode) {
        return JOURNAL_SEES_OLD;
    }
    if (new &&journal_is_file(record, img->io, img->cow.fd, facts, record->new_inode, record->new_file_bytes,
                              record->new_mtime)) {
        return JOURNAL_SEES_NEW;
    }
    if (old && journal_is_file(record, img->io, img->cow.fd, facts, record->old_inode, record->old_file_bytes,
                               record->old_mtime)) {
        return JOURNAL_SEES_OLD;
    }
    return !is_in_between(record, facts) ? JOURNAL_SEES_STRANGE
           : new                         ? JOURNAL_SEES_NEW
           : old                         ? JOURNAL_SEES_OLD
                                         : JOURNAL_SEES_STRANGE;
}

bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool journal_unwritten(const struct record *record, const struct stat *facts, bool as_new)
{
    return (uint64_t)facts->st_size == (as_new ? record->new_file_bytes : record->old_file_bytes) &&
           same_time(facts->st_mtim, as_new ? record->new_mtime : record->old_mtime);
}

bool journal_copy_is_unwritten(const struct record *record, const struct stat *facts)
{
    return !journal_number_fits(record, facts->st_ino, record->copy_inode) ||
           ((uint64_t)facts->st_size == record->backing_new_bytes &&
            same_time(facts->st_mtim, record->backing_mtime));
}
