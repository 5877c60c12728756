/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See settle.h. A record is only obeyed where the files are those that it names, by inode or by header
 * and length.
 *
 * Why the old image is marked when it becomes the undo file: a guest that opened it a moment before the
 * rename, but had not locked it yet, would go on writing into a file that is not the image any more.
 * With the mark its header is refused, and nobody starts a guest on the undo data by mistake. The
 * record is appended, durably, before the mark: a marked file without it could not be revived.
 *
 * An image with further names (hard links) is replaced only with --force; it is then neither marked nor
 * kept, for those names keep the old disk, and there is no undo. A filesystem without hard links has
 * none either, and the plan says so (probe.c).
 */
#include "core/commit/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/format/variants.h"
#include "core/ledger/record_codec.h"
#include "core/ledger/state.h"

static int restore_range(const struct cow_io *io, int fd, const struct record_saved *saved)
{
    int status =
        saved->held_bytes == 0 ? 0 : io_write(io, fd, saved->bytes, (size_t)saved->held_bytes, saved->offset);
    return status < 0 ? status
                      : io_write_zeros(io, fd, saved->offset + saved->held_bytes,
                                       saved->n_bytes - saved->held_bytes);
}

/* Only the bits above the old ones: a guest may have set one of those since. */
int settle_shared_byte_back(const struct cow_io *io, const struct record *record, int fd)
{
    const uint8_t low = (uint8_t)((1u << record->shared_bits % 8) - 1);
    uint8_t byte;
    if (record->shared_bits == 0) {
        return 0;
    }
    int status = io_read_padded(io, fd, &byte, 1, record->shared_offset);
    if (status == 0) {
        byte = (uint8_t)((byte & low) | (record->shared_byte & (uint8_t)~low));
        status = io_write(io, fd, &byte, 1, record->shared_offset);
    }
    return status;
}

int settle_set_bits(const struct cow_io *io, int fd, uint64_t bitmap_offset, uint64_t first, uint64_t count)
{
    uint8_t piece[4096];
    const uint64_t end = first + count;
    int status = 0;
    for (uint64_t bit = first; bit < end && status == 0;) {
        uint64_t first_byte = bit / 8;
        uint64_t stop = arith_min(end, (first_byte + sizeof piece) * 8);
        size_t n_bytes = (size_t)(arith_div_up(stop, 8) - first_byte);
        uint64_t offset = bitmap_offset + first_byte;
        status = io_read_padded(io, fd, piece, n_bytes, offset);
        for (; bit < stop; bit++) {
            piece[bit / 8 - first_byte] |= (uint8_t)(1u << bit % 8);
        }
        if (status == 0) {
            status = io_write(io, fd, piece, n_bytes, offset);
        }
    }
    return status;
}

int settle_ranges_back(const struct cow_io *io, const struct record *record, int fd)
{
    int status = settle_shared_byte_back(io, record, fd);
    for (size_t i = 0; i < RECORD_SAVED_MAX && status == 0; i++) {
        status = restore_range(io, fd, &record->saved[i]);
    }
    for (size_t i = 0; i < record->n_more && status == 0; i++) {
        status = restore_range(io, fd, &record->more[i]);
    }
    return status;
}

int settle_header_back(const struct cow_io *io, const struct record *record, int fd, bool exact)
{
    /* The header first: from then on nobody reads a bitmap where the saved ranges lie. */
    int status = io_write(io, fd, record->old_sector, sizeof record->old_sector, 0);
    if (status == 0) {
        status = io->fsync(io->context, fd);
    }
    if (status == 0) {
        status = settle_ranges_back(io, record, fd);
    }
    struct stat facts;
    if (status == 0) {
        status = io->fstat(io->context, fd, &facts);
    }
    uint64_t length =
        exact ? record->old_file_bytes : arith_max(record->old_file_bytes, record->old_end_offset);
    if (status == 0 && (uint64_t)facts.st_size > length) {
        status = io->ftruncate(io->context, fd, length);
    }
    if (status == 0 && exact) {
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, record->old_mtime};
        status = io->futimens(io->context, fd, times);
    }
    return status == 0 ? io->fsync(io->context, fd) : status;
}

/* Opens the old image for writing; -ENOENT if path is not there or is another file. */
static int open_old_image(const struct cow_io *io, const struct record *record, const char *path)
{
    struct stat facts;
    int fd = io_open_regular(io, path, O_RDWR | O_NOFOLLOW, &facts);
    int status = fd < 0 ? fd : state_is_old_image(io, record, fd);
    if (fd >= 0 && status < 0) {
        io->close(io->context, fd);
    }
    return status < 0 ? status : fd;
}

/* Owner and mode, where there are such and the caller may set them. */
static int own(const struct cow_io *io, int fd, uid_t uid, gid_t gid, mode_t mode)
{
    struct stat facts;
    int status = io->fstat(io->context, fd, &facts);
    gid = gid == (gid_t)-1 ? facts.st_gid : gid;
    if (status == 0 && (facts.st_uid != uid || facts.st_gid != gid)) {
        status = io->fchown(io->context, fd, uid, gid);
        status = status == -EPERM ? 0 : status;
    }
    if (status == 0 && (facts.st_mode & 07777) != mode) {
        status = io->fchmod(io->context, fd, mode);
    }
    return status == -EPERM || status == -EOPNOTSUPP || status == -ENOSYS ? 0 : status;
}

/* What it says is obeyed, so nobody else may write it; it belongs to whoever makes it.
 *
 * Record first, durable, then the mark: a marked file without its record could not be revived. */
static int stamp_old_image(const struct cow_io *io, const struct record *record, int fd)
{
    uint8_t *bytes, mark[8];
    size_t n_bytes;
    if (record_encode(&bytes, &n_bytes, record, NULL) != 0) {
        return -ENOMEM;
    }
    bytes_put(mark, sizeof mark, true, SIZE_UNFINISHED);
    /* Behind all that the layout shows, even where the file was shorter: until it is marked it must read as
     * it did. */
    const uint64_t behind = arith_max(record->old_file_bytes, record->old_end_offset);
    int status = own(io, fd, io->caller(io->context), (gid_t)-1, 0600);
    if (status == 0) {
        status = io->ftruncate(io->context, fd, behind);
    }
    if (status == 0) {
        status = io_write(io, fd, bytes, n_bytes, behind);
    }
    if (status == 0) {
        status = io->fsync(io->context, fd);
    }
    if (status == 0) {
        status = io_write(io, fd, mark, sizeof mark, record->size_field_offset);
    }
    if (status == 0) {
        status = io->fsync(io->context, fd);
    }
    free(bytes);
    return status;
}

/* Does the old image have a name besides those that are ours? Asked when it is marked: between a crash and
 * the recovery a careful admin makes a link first of all. 1, 0 or -errno. */
static int has_other_names(const struct cow_io *io, int fd, const char *path, const char *undo)
{
    struct stat facts, other;
    int status = io->fstat(io->context, fd, &facts);
    const bool both = status == 0 && strcmp(path, undo) != 0 && io->lstat(io->context, undo, &other) == 0 &&
                      same_file(&facts, &other);
    return status < 0 ? status : facts.st_nlink > (both ? 2u : 1u);
}

int settle_link_old(const struct cow_io *io, const char *image_path, int fd)
{
    enum { OUR_NAMES = 2 };
    char old[PATH_MAX];
    struct stat facts;
    side_path(old, image_path, SIDE_OLD);
    int status = io->link(io->context, image_path, old);
    if (status == -EEXIST) { /* nothing refers to it: there was no journal */
        io->unlink(io->context, old);
        status = io->link(io->context, image_path, old);
    }
    if (status < 0) {
        return status;
    }
    status = io->fstat(io->context, fd, &facts);
    return status < 0 ? status : facts.st_nlink > OUR_NAMES ? io->unlink(io->context, old) : 0;
}

int settle_keep_undo(const struct cow_io *io, const struct record *record, const char *image_path,
                     const char *from, bool counted)
{
    char path[PATH_MAX], undo[PATH_MAX];
    struct record as_done = *record;
    as_done.kind = RECORD_COPY;
    side_path(path, image_path, from);
    side_path(undo, image_path, SIDE_UNDO);
    int fd = open_old_image(io, record, path);
    if (fd == -ENOENT) {
        return 0;
    }
    if (fd < 0) {
        return fd;
    }
    int linked = counted ? 0 : has_other_names(io, fd, path, undo);
    if (linked != 0) { /* somebody's backup: it stays as it is, and there is nothing to undo with */
        io->close(io->context, fd);
        return linked < 0 ? linked : strcmp(path, undo) != 0 ? io->unlink(io->context, path) : 0;
    }
    int status = stamp_old_image(io, &as_done, fd);
    io->close(io->context, fd);
    if (status == 0 && strcmp(path, undo) != 0) {
        status = io->rename(io->context, path, undo, true);
    }
    /* Before the journal goes: else a crash could leave the old image under a name that nobody looks for. */
    return status == 0 ? io_sync_directory(io, undo) : status;
}

int settle_revive_undo(const struct cow_io *io, const struct record *record, const char *undo_path)
{
    uint8_t field[8];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, record->old_mtime};
    int fd = open_old_image(io, record, undo_path);
    if (fd < 0) {
        return fd;
    }
    bytes_put(field, sizeof field, true, record->old_size_field);
    int status = io_write(io, fd, field, sizeof field, record->size_field_offset);
    if (status == 0) {
        status = io->ftruncate(io->context, fd, record->old_file_bytes);
    }
    if (status == 0 && (record->old_mode & RECORD_MODE_KNOWN) != 0) {
        status = own(io, fd, record->old_uid, record->old_gid, record->old_mode & 07777);
    }
    if (status == 0) {
        status = io->futimens(io->context, fd, times);
    }
    if (status == 0) {
        status = io->fsync(io->context, fd);
    }
    io->close(io->context, fd);
    return status;
}

int settle_remove(const struct cow_io *io, const struct record *record, const char *path, uint64_t inode)
{
    struct stat facts;
    int status = io->lstat(io->context, path, &facts);
    if (status == -ENOENT ||
        (status == 0 && (!S_ISREG(facts.st_mode) || !journal_number_fits(record, facts.st_ino, inode)))) {
        return 0;
    }
    return status < 0 ? status : io->unlink(io->context, path);
}

/* A new file with these bytes, durable, but for its name. 0 or -errno. */
static int write_draft(const struct cow_io *io, const char *draft, const uint8_t *bytes, size_t n_bytes)
{
    int status =
        io->unlink(io->context, draft); /* of a crash; what it is beside is locked, so it is nobody's */
    if (status < 0 && status != -ENOENT) {
        return status;
    }
    int fd = io->open(io->context, draft, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        return fd;
    }
    status = io_write(io, fd, bytes, n_bytes, 0);
    if (status == 0) {
        status = io->fsync(io->context, fd);
    }
    io->close(io->context, fd);
    if (status < 0) {
        io->unlink(io->context, draft);
    }
    return status;
}

int settle_write_family(const struct cow_io *io, const char *backing_path, const uint8_t *bytes,
                        size_t n_bytes, bool *placed)
{
    char draft[PATH_MAX], path[PATH_MAX];
    side_path(draft, backing_path, SIDE_FAMILY_DRAFT);
    side_path(path, backing_path, SIDE_FAMILY);
    int status = write_draft(io, draft, bytes, n_bytes);
    if (status < 0) {
        return status;
    }
    status = io->rename(io->context, draft, path, true);
    /* One that reports a failure may have done its work all the same: then the draft is gone. */
    struct stat facts;
    *placed = status == 0 || io->lstat(io->context, draft, &facts) == -ENOENT;
    if (!*placed) {
        io->unlink(io->context, draft);
    }
    return status == 0 ? io_sync_directory(io, path) : status;
}

int settle_write_journal(const struct cow_io *io, const char *image_path, const char *name,
                         const uint8_t *bytes, size_t n_bytes, bool *placed)
{
    char draft[PATH_MAX], path[PATH_MAX];
    side_path(draft, image_path, SIDE_DRAFT);
    *placed = false;
    int status = write_draft(io, draft, bytes, n_bytes);
    if (status == 0) {
        /* Nobody else makes one, for the image is locked; and where a filesystem cannot rename without
         * replacing, what does it instead (system_rename) would leave an empty journal after a kill. */
        struct stat facts;
        status = io->lstat(io->context, side_path(path, image_path, name), &facts);
        status = status == -ENOENT ? io->rename(io->context, draft, path, true)
                 : status < 0      ? status
                                   : -EEXIST;
    }
    if (status < 0) { /* as settle_write_family */
        *placed = io->unlink(io->context, draft) == -ENOENT;
        return status;
    }
    status = io_sync_directory(io, path);
    *placed = status == 0 || io->unlink(io->context, path) < 0;
    return status;
}
