/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files say of a change: nothing is decided by what ought to be there. Each answer is 1, 0 or
 * -errno, for what cannot be looked at is no "no".
 */
#include "core/ledger/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/image/siblings.h"
#include "core/ledger/record_check.h"

enum { PIECE_BYTES = 64 * 1024 };

int state_is_empty(const struct cow_io *io, int fd, uint64_t begin, uint64_t end)
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

/* Nothing but zeros in [begin, end) of the image, but for what the change itself has written over: going back
 * writes that as it was. 1, 0 or -errno. */
static int is_empty_but_saved(const struct cow_io *io, const struct record *record, int fd, uint64_t begin,
                              uint64_t end)
{
    int status = 1;
    for (size_t i = 0; i < RECORD_SAVED_MAX && status == 1; i++) {
        const struct record_saved *saved = &record->saved[i];
        const bool shared = i == 0 && record->shared_bits != 0;
        const uint64_t first = shared ? record->shared_offset : saved->offset;
        if (saved->n_bytes > 0 || shared) {
            status = state_is_empty(io, fd, begin, arith_min(first, end));
            begin = arith_max(begin, saved->offset + saved->n_bytes);
        }
    }
    return status == 1 ? state_is_empty(io, fd, begin, end) : status;
}

int state_cuts_data(const struct cow_io *io, const struct record *record, int fd)
{
    struct stat facts;
    int status = io->fstat(io->context, fd, &facts);
    const uint64_t end = arith_min((uint64_t)facts.st_size, record->old_end_offset);
    if (status < 0 || record->old_file_bytes >= end) {
        return status;
    }
    status = is_empty_but_saved(io, record, fd, record->old_file_bytes, end);
    return status < 0 ? status : status == 0;
}

int state_open_half(struct half *out, const struct cow_image *img, int flags)
{
    uint8_t id[HALF_ID_BYTES];
    return half_is_marked(id, img->raw, img->raw_bytes)
               ? half_open_beside(out, img->io, img->real_path, &img->cow.facts, img->path, id, flags)
               : -ENODATA;
}

int state_count_left(struct shift_left *out, const struct half *half, const struct cow_io *io, int fd)
{
    *out = (struct shift_left){.up_bytes = 0};
    if (half->inserts != 0) {
        return 0;
    }
    struct io_allocated up, down;
    int status = io_count_data(io, fd, half->data_offset, half->gap, &up);
    if (status == 0) {
        status = io_count_data(io, fd, half_place(half, half->gap, half->gap),
                               half_place(half, half->gap, half_end(half)), &down);
    }
    if (status == 0) {
        *out = (struct shift_left){.up_bytes = up.n_bytes, .down_bytes = down.n_bytes};
    }
    return status;
}

int state_shift_left(struct shift_left *out, const struct cow_image *img)
{
    struct half half;
    *out = (struct shift_left){.up_bytes = 0};
    int fd = state_open_half(&half, img, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    img->io->close(img->io->context, fd);
    int status = state_count_left(out, &half, img->io, img->cow.fd);
    half_clear(&half);
    return status;
}

/* An inode number alone proves little: it is given to the next file when the first is gone. */
int state_is_old_image(const struct cow_io *io, const struct record *record, int fd)
{
    struct stat facts;
    uint8_t header[COW_HEADER_BYTES_MAX];
    int status = io->fstat(io->context, fd, &facts);
    if (status == 0) {
        status = io_read_padded(io, fd, header, sizeof header, 0);
    }
    if (status < 0) {
        return status;
    }
    if (facts.st_ino != record->old_inode && record->version < 3) { /* else the header decides */
        return -ENOENT;
    }
    status = state_cuts_data(io, record, fd);
    if (status != 0) {
        return status < 0 ? status : -ENOENT;
    }
    bytes_put(header + record->size_field_offset, 8, true, record->old_size_field); /* sane: record_check.c */
    return crc_ieee(header, record->old_header_bytes) == record->old_header_crc &&
                   record_fits_old_header(record, header, sizeof header)
               ? 0
               : -ENOENT;
}

int state_has_undo(const struct cow_io *io, const struct record *record, const char *undo_path)
{
    struct stat facts;
    int fd = io_open_regular(io, undo_path, O_RDONLY | O_NOFOLLOW, &facts);
    int status = fd < 0 ? fd : state_is_old_image(io, record, fd);
    if (fd >= 0) {
        io->close(io->context, fd);
    }
    return status == -ENOENT ? 0 : status < 0 ? status : 1;
}

int state_copy_has_others(const struct cow_image *img, const struct record *record, const struct stat *facts)
{
    struct siblings siblings;
    const struct backing_file *own = &img->backing;
    if (!record_kind_facts(record->kind)->keeps_file && img->cow.facts.st_nlink > 1 && own->file.fd >= 0 &&
        same_file(&own->file.facts, facts)) {
        return 1; /* the image's other names stay on it, wherever they lie */
    }
    if (siblings_find_on(&siblings, img->io, img, record->copy_path, facts, NULL) != 0) {
        return -ENOMEM;
    }
    const int has = siblings.failure != 0 ? siblings.failure : siblings.n > 0 || siblings.incomplete;
    siblings_clear(&siblings);
    return has;
}

int state_merge_has_begun(const struct cow_io *io, const struct record *record, const char *image_path)
{
    char temp[PATH_MAX];
    struct stat facts;
    int status = io->stat(io->context, record->backing_path, &facts);
    if (status < 0 || same_time(facts.st_mtim, record->backing_old_mtime)) {
        return status; /* the date changes first of all */
    }
    status = io->lstat(io->context, side_path(temp, image_path, SIDE_NEW), &facts);
    return status < 0 ? status
                      : journal_number_fits(record, facts.st_ino, record->new_inode) &&
                            (uint64_t)facts.st_size == record->new_file_bytes;
}
