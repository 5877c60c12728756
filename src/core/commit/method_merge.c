/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The dirty sectors, written into the backing file. Its date changes, durably, before its first byte does:
 * from then on a kernel refuses every image on it, this one among them, until this one is replaced by an
 * empty image with the new date.
 */
#include <errno.h>

#include "core/base/arith.h"
#include "core/commit/method.h"
#include "core/commit/retreat.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"

enum { CLOCK_GRAIN_NS = 20 * 1000 * 1000 }; /* a kernel dates files by a clock that may be so much behind */

/* Writing dates the file by the clock. That must not be the second of the old date, or a half-merged file
 * could be taken for the old one. The plan has refused a date that lies further ahead. */
static void wait_for_another_second(struct commit *c)
{
    struct timespec now;
    c->io->now(c->io->context, &now);
    for (int i = 0;
         i < 50 && (now.tv_sec <= c->record.backing_old_mtime.tv_sec ||
                    (now.tv_sec == c->record.backing_old_mtime.tv_sec + 1 && now.tv_nsec < CLOCK_GRAIN_NS));
         i++) {
        c->io->pause(c->io->context, 100);
        c->io->now(c->io->context, &now);
    }
}

/* The new date, durable; -EOPNOTSUPP if the filesystem keeps another one. */
static int stamp_backing(struct commit *c)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.backing_mtime};
    struct stat facts;
    int status = c->io->futimens(c->io->context, c->backing_fd, times);
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->backing_fd);
    }
    if (status == 0) {
        status = c->io->fstat(c->io->context, c->backing_fd, &facts);
    }
    return status == 0 && facts.st_mtim.tv_sec != c->record.backing_mtime.tv_sec ? -EOPNOTSUPP : status;
}

/* Before the backing file changes in any way, a durable sign of our own: that it has another date proves
 * nothing, for others can have dated it. The sign is the full length of the new, empty image. */
static int show_sign(struct commit *c)
{
    struct stat facts;
    int status = c->io->fstat(c->io->context, c->out_fd, &facts);
    if (status == 0 && !journal_number_fits(&c->record, facts.st_ino, c->record.new_inode)) {
        status = -ESTALE;
    }
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->out_fd, c->record.new_file_bytes);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->out_fd) : status;
}

/* [begin, end) of the disk, all of it dirty. A hole in the COW means zeros, so it is written, too. */
static int write_range(struct commit *c, uint64_t begin, uint64_t end)
{
    struct cow_image *img = c->plan->img;
    int status = 0;
    for (uint64_t at = begin; at < end && status == 0;) {
        struct io_extent extent;
        status = image_file_extent(img, COW_FILE_COW, at, end, &extent);
        uint64_t piece = status < 0 ? 0 : arith_min(extent.end - at, COMMIT_PIECE_BYTES);
        if (status == 0) { /* what is written now is dated now, and recovery must know that for ours */
            status = settle_merge_beat(c->io, c->plan->target.path, &c->beat);
        }
        if (status == 0 && extent.data) {
            const struct image_place place = image_place(img, COW_FILE_COW, at);
            status = transfer_bytes(c->io, place.file->fd, place.offset, c->backing_fd, at, piece);
        } else if (status == 0) {
            status = io_write_zeros(c->io, c->backing_fd, at, piece);
        }
        at += piece;
        (void)commit_advance(c, piece); /* there is no stopping any more */
    }
    return status;
}

static int write_dirty(struct commit *c)
{
    struct cow_image *img = c->plan->img;
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_error why;
    struct cow_dirty_run run = {0, 0};
    int status = 0;
    do {
        if (cow_image_next_dirty(img, run.first_sector + run.sectors, &run, &why) != 0) {
            return why.sys_errno != 0 ? -why.sys_errno : -EIO;
        }
        if (run.sectors > 0) {
            status = write_range(
                c, run.first_sector * sector_bytes,
                arith_min((run.first_sector + run.sectors) * sector_bytes, img->header.size_bytes));
        }
    } while (status == 0 && run.sectors > 0);
    return status;
}

/* 0 or -errno. */
static int merge_into_backing(struct commit *c)
{
    wait_for_another_second(c);
    int status = show_sign(c);
    if (status != 0) {
        return status;
    }
    c->backing_written = true;
    status = stamp_backing(c);
    if (status == 0) {
        c->merging = true;
        status = write_dirty(c);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->backing_fd);
    }
    return status == 0 ? stamp_backing(c) : status;
}

/* The new date was not had, and nothing else was written. */
static int put_date_back(struct commit *c)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.backing_old_mtime};
    int status = c->io->futimens(c->io->context, c->backing_fd, times);
    return status == 0 ? c->io->fsync(c->io->context, c->backing_fd) : status;
}

int commit_merge_backing(struct commit *c)
{
    int status = commit_require_space(c, c->backing_fd, c->plan->backing.merge_needs_bytes);
    if (status != 0) {
        return status;
    }
    status = merge_into_backing(c);
    if (status < 0 && !c->merging && put_date_back(c) == 0) {
        c->backing_written = false;
    }
    return status < 0 ? commit_failed(c, status, "merging into", c->plan->backing.path) : 0;
}

static int merge_forward(struct commit *c)
{
    char temp[PATH_MAX];
    const char *image = c->plan->target.path;
    if (journal_view(&c->record, c->plan->img) == JOURNAL_SEES_NEW) {
        return 0;
    }
    int status = retreat_hold(c, side_path(temp, image, SIDE_NEW));
    if (status == 0) {
        status = merge_into_backing(c);
    }
    if (status == 0) { /* the true size takes the mark away */
        status = io_write(c->io, c->out_fd, c->record.new_sector, sizeof c->record.new_sector, 0);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->out_fd);
    }
    if (status == 0) {
        status = c->io->rename(c->io->context, temp, image, true);
    }
    return status == 0 ? io_sync_directory(c->io, image) : status;
}

static int merge_back(struct commit *c)
{
    char temp[PATH_MAX];
    int status = settle_remove(c->io, &c->record, side_path(temp, c->plan->target.path, SIDE_NEW),
                               c->record.new_inode);
    return status == 0 ? io_sync_directory(c->io, c->plan->target.path) : status;
}

/* Once the backing file is being written there is no way back. */
static int merge_take_back(struct commit *c)
{
    return c->backing_written ? -EBUSY : merge_back(c);
}

const struct method method_merge = {
    .forward = merge_forward, .back = merge_back, .take_back = merge_take_back, .end = JOURNAL_AND_UNDO_GO};
