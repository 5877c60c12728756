/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing file: lengthened by a hole, or copied. Its date is put back only because its content
 * stays what it was; kernels go by that date.
 *
 * Lengthening dates it "now", and a kill can come before the old date is back. So the journal is dated,
 * durably, just before (settle_backing.c), and recovery knows a date that follows it at once for ours
 * (ledger/state_backing.c).
 *
 * A private copy is closed to others until it is filled, gets the original's owner, and where that is
 * not the image's owner, who must be able to read it, the original's bits. It has its final name,
 * durably, before a header names it.
 */
#include <errno.h>
#include <sys/stat.h>

#include "core/base/arith.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"
#include "core/ledger/state.h"
#include "core/plan/plan_output.h"

static int set_mtime(struct commit *c, int fd, struct timespec mtime)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    return c->io->futimens(c->io->context, fd, times);
}

int commit_extend_backing(struct commit *c)
{
    const struct timespec mtime = c->plan->backing.facts.st_mtim;
    struct stat now;
    char journal[PATH_MAX];
    int status = settle_date_journal(c->io, state_journal_path(journal, &c->record, c->plan->target.path));
    if (status == 0) {
        status = c->io->fstat(c->io->context, c->backing_fd, &now);
    }
    if (status < 0) {
        return commit_failed(c, status, "preparing to lengthen", c->plan->backing.path);
    }
    if (now.st_size != c->plan->backing.facts.st_size || !same_time(now.st_mtim, mtime)) {
        /* what was copied meanwhile may have taken long: its date would hide that */
        cow_error_set(c->err, COW_REFUSED, "%s: the backing file was written while the image was copied",
                      c->plan->backing.path);
        return cow_error_hint(c->err, "nothing has changed; look who writes it, then try again");
    }
    c->backing_written = true; /* from the first call on, whether it succeeds or not */
    status = c->io->ftruncate(c->io->context, c->backing_fd, c->plan->backing.new_size_bytes);
    if (status == 0) {
        status = set_mtime(c, c->backing_fd, mtime);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->backing_fd);
    }
    return status < 0 ? commit_failed(c, status, "lengthening", c->plan->backing.path) : 0;
}

/* What the disk had of it, by reflink if possible. What the backing file holds past the old end of the disk
 * is left out: the new space is empty. */
static int copy_content(struct commit *c)
{
    struct host_file *source = image_place(c->plan->img, COW_FILE_BACKING, 0).file;
    const uint64_t allocated_bytes = (uint64_t)c->plan->backing.facts.st_blocks * 512;
    const uint64_t disk_end = arith_min(c->plan->img->header.size_bytes, c->plan->backing.new_size_bytes);
    const uint64_t wanted = arith_min((uint64_t)c->plan->backing.facts.st_size, disk_end);
    if (c->io->clone(c->io->context, source->fd, c->copy_fd) == 0) {
        int cut = c->io->ftruncate(c->io->context, c->copy_fd, wanted);
        return cut < 0 ? commit_failed(c, cut, "sizing", c->plan->backing.copy_path)
                       : commit_advance(c, allocated_bytes);
    }
    int status = commit_require_space(c, c->copy_fd, allocated_bytes);
    if (status != 0) {
        return status;
    }
    /* Its length first: what is written at the end of a file gets room ahead on some filesystems (XFS), and
     * keeps it where the file is lengthened afterwards. */
    status = c->io->ftruncate(c->io->context, c->copy_fd, c->plan->backing.new_size_bytes);
    return status < 0 ? commit_failed(c, status, "sizing", c->plan->backing.copy_path)
                      : commit_transfer(c, source, 0, c->copy_fd, 0, wanted);
}

/* A filesystem, or a user, that has no modes to give. */
static bool is_not_to_be_had(int status)
{
    return status == -EPERM || status == -EOPNOTSUPP || status == -ENOSYS;
}

/* The original's owner, where that is possible, and the permission bits that the original and the image have,
 * less the umask; a copy that belongs to the caller, and that he alone may read, is as good. An image's owner
 * who does not own the copy needs what the original let him do: then the image's bits say nothing. */
static int give_owner_and_mode(struct commit *c)
{
    const struct stat *old = &c->plan->backing.facts, *image = &c->plan->img->cow.facts;
    (void)c->io->fchown(c->io->context, c->copy_fd, old->st_uid, old->st_gid);
    struct stat owned;
    int status = c->io->fstat(c->io->context, c->copy_fd, &owned);
    if (status == 0) {
        const mode_t mode = owned.st_uid == image->st_uid ? c->copy_mode : old->st_mode & 0777;
        status = c->io->fchmod(c->io->context, c->copy_fd, mode);
    }
    return is_not_to_be_had(status) ? 0 : status;
}

int commit_make_copy(struct commit *c)
{
    if (c->copy_made) {
        return 0;
    }
    const bool holds_content = c->plan->backing.path != NULL;
    struct stat made;
    const mode_t mode = holds_content ? plan_output_mode(c->plan) : 0666;
    int status = commit_make_file(c, c->plan->backing.copy_temp_path, mode, &c->copy_fd);
    c->copy_made = c->copy_fd >= 0;
    if (status != 0 || !holds_content) {
        return status;
    }
    status = c->io->fstat(c->io->context, c->copy_fd, &made);
    if (status == 0) { /* what the umask has left; until it has its owner it is nobody else's business */
        c->copy_mode = made.st_mode & 0777;
        status = c->io->fchmod(c->io->context, c->copy_fd, 0600);
    }
    return status == 0 || is_not_to_be_had(status)
               ? 0
               : commit_failed(c, status, "making", c->plan->backing.copy_path);
}

int commit_copy_backing(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    int status = commit_make_copy(c);
    if (status == 0 && plan->backing.path != NULL) {
        status = copy_content(c);
    }
    if (status == 0) {
        status = commit_check_sources(c);
    }
    if (status != 0) {
        return status;
    }
    status = c->io->ftruncate(c->io->context, c->copy_fd, plan->backing.new_size_bytes);
    if (status == 0) {
        status = plan->backing.path != NULL ? give_owner_and_mode(c) : 0;
    }
    if (status == 0) {
        status = set_mtime(c, c->copy_fd, plan->backing.copy_mtime);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->copy_fd);
    }
    if (status == 0) {
        status = c->io->rename(c->io->context, plan->backing.copy_temp_path, plan->backing.copy_path, false);
        c->copy_placed = status == 0;
    }
    if (status == 0) {
        status = io_sync_directory(c->io, plan->backing.copy_path);
    }
    return status < 0 ? commit_failed(c, status, "making", plan->backing.copy_path) : 0;
}
