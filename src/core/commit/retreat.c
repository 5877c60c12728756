/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See retreat.h.
 */
#include "core/commit/retreat.h"

#include <errno.h>
#include <fcntl.h>

#include "core/commit/settle.h"
#include "core/ledger/state.h"

int retreat_hold(struct commit *c, const char *path)
{
    struct stat facts;
    int fd = io_open_regular(c->io, path, O_RDWR | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd;
    }
    c->out_fd = fd;
    return c->io->lock(c->io->context, fd, IO_LOCK_WRITE);
}

int retreat_backing(struct commit *c, bool back)
{
    return c->record.extends != 0 && c->backing_fd >= 0
               ? settle_backing(c->io, &c->record, c->plan->target.path, c->backing_fd, back)
               : 0;
}

int retreat_remove_copy(struct commit *c)
{
    char temp[PATH_MAX];
    struct stat facts;
    const struct record *r = &c->record;
    if (r->copy_inode == 0 || r->copy_is_foreign) {
        return 0;
    }
    /* Under its own name it is complete; if it is not as the change left it, somebody has used it, or it is
     * somebody else's; and other images may live on it by now. */
    int status = c->io->lstat(c->io->context, r->copy_path, &facts);
    if (status == 0 && journal_number_fits(r, facts.st_ino, r->copy_inode) &&
        journal_copy_is_unwritten(r, &facts)) {
        status = state_copy_has_others(c->plan->img, r, &facts);
        status = status == 0 ? c->io->unlink(c->io->context, r->copy_path) : status > 0 ? 0 : status;
    }
    if (status == 0 || status == -ENOENT) {
        status = settle_remove(c->io, r, side_path(temp, r->copy_path, SIDE_NEW), r->copy_inode);
    }
    return status == 0 ? io_sync_directory(c->io, r->copy_path) : status;
}

int retreat_end_undo(struct commit *c)
{
    char undo[PATH_MAX];
    const int status = c->io->unlink(c->io->context, side_path(undo, c->plan->target.path, SIDE_UNDO));
    return status == 0 || status == -ENOENT ? retreat_remove_copy(c) : status;
}
