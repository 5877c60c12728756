/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By copy: a new file is made beside the image, whole and durable, and takes its name by a rename.
 * Until then the old image has all of the disk; afterwards it may become the undo file. The steps that
 * fill the new file are those of core/write, the rename is in step_file.c.
 *
 * The steps, and what a crash in the middle of each leaves:
 *
 * - lock, check-space, begin-image: a file with a mark that nobody looks for; the next change replaces
 *   it.
 * - journal: it comes after begin-image because it names the new file's inode. From here on recovery
 *   goes back, until the new image is complete.
 * - copy-backing, write-bitmap, copy-data (or write-data), keep-attributes: the old image.
 * - finish-image: fsync, then the true size by one write of the first sector, the date, fsync. The new
 *   image is complete once it has its true size under its temporary name, with its private backing file
 *   complete under that one's name; then recovery goes forward, unless the old image was written
 *   meanwhile (ledger/direction.c).
 * - extend-backing: the same. A stock kernel refuses the old image now, for the sizes differ; nothing
 *   is lost.
 * - rename: the old image or the new one. The old one has got a second name first (settle_link_old).
 * - keep-undo, end-journal: the new image; recovery goes forward.
 *
 * Why the backing file is lengthened before the rename, even with a journal: lengthening can fail (a
 * limit, a full disk, a filesystem that has no files of that size). Before the rename such a failure
 * changes nothing. After it the new image would stand on a backing file that cannot be had, and going
 * back would mean to exchange the images once more.
 *
 * Undo lets the old image, which is the undo file, take its name again: its true size, length, owner,
 * mode and date are put back and flushed; then the backing file is cut; then it is renamed; at last the
 * private backing file goes, if nobody else lives on it.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/commit/method.h"
#include "core/commit/retreat.h"
#include "core/commit/settle.h"

/* A crash may have left what was written in the page cache only, and the date unset. */
static int flush_new_file(struct commit *c)
{
    char path[PATH_MAX];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.new_mtime};
    int status = retreat_hold(c, side_path(path, c->plan->target.path, SIDE_NEW));
    if (status == 0) {
        status = c->io->futimens(c->io->context, c->out_fd, times);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->out_fd) : status;
}

static int copy_forward(struct commit *c)
{
    char temp[PATH_MAX], old[PATH_MAX];
    bool counted = false;
    const char *image = c->plan->target.path;
    int status = retreat_backing(c, false);
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD) {
        status = flush_new_file(c);
    }
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD) {
        side_path(old, image, SIDE_OLD);
        settle_remove(c->io, &c->record, old, c->record.old_inode);
        if (c->record.keeps_undo != 0) {
            (void)settle_link_old(c->io, image, c->image_fd); /* without hard links there is no undo */
            counted = true;
        }
        status = c->io->rename(c->io->context, side_path(temp, image, SIDE_NEW), image, true);
        if (status == 0) {
            status = io_sync_directory(c->io, image);
        }
    }
    return status == 0 && c->record.keeps_undo != 0
               ? settle_keep_undo(c->io, &c->record, image, SIDE_OLD, counted)
               : status;
}

/* Everything that was made, but for the journal. The image is the old one still. */
static int copy_back(struct commit *c)
{
    char path[PATH_MAX];
    const char *image = c->plan->target.path;
    int status = retreat_backing(c, true);
    if (status == 0) {
        status = settle_remove(c->io, &c->record, side_path(path, image, SIDE_NEW), c->record.new_inode);
    }
    if (status == 0) {
        status = settle_remove(c->io, &c->record, side_path(path, image, SIDE_OLD), c->record.old_inode);
    }
    /* The new image must be gone for good before its backing file goes: recovery would put it in place,
     * complete as it is. */
    if (status == 0) {
        status = io_sync_directory(c->io, image);
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

static bool copy_is_placed(struct commit *c)
{
    struct stat facts;
    return c->io->lstat(c->io->context, c->plan->target.path, &facts) < 0 ||
           facts.st_ino == c->record.new_inode;
}

/* The way back that the user asked for: the old image, which was kept as the undo file, gets its name again.
 */
static int undo_copy_forward(struct commit *c)
{
    char undo[PATH_MAX];
    const char *image = c->plan->target.path;
    const struct record *r = &c->record;
    side_path(undo, image, SIDE_UNDO);
    int status = retreat_hold(c, undo);
    if (status == 0) {
        status = settle_revive_undo(c->io, r, undo);
    }
    const bool there = status != -ENOENT;
    if (!there && journal_view(r, c->plan->img) == JOURNAL_SEES_OLD) {
        status = 0; /* it has its old name already */
    }
    if (status == 0) {
        status = retreat_backing(c, true);
    }
    if (status == 0 && there) {
        status = c->io->rename(c->io->context, undo, image, true);
    }
    if (status == 0) {
        status = io_sync_directory(c->io, image);
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

/* An undo that was interrupted, and then somebody used the new image: it stays, with a backing file of its
 * size, and so does what undoes it. */
static int undo_copy_back(struct commit *c)
{
    int status = retreat_backing(c, false);
    return status == 0 ? settle_keep_undo(c->io, &c->record, c->plan->target.path, SIDE_UNDO, false) : status;
}

const struct method method_copy = {.forward = copy_forward,
                                   .back = copy_back,
                                   .take_back = copy_back,
                                   .is_placed = copy_is_placed,
                                   .end = JOURNAL_GOES};

const struct method method_undo_copy = {
    .forward = undo_copy_forward, .back = undo_copy_back, .end = JOURNAL_GOES};
