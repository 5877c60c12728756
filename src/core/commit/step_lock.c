/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Locks, and the check that the files are still those that the plan was made from: device, inode, size,
 * date. Minutes may have gone by since the plan, and a lock does not follow a rename. A guest's lock is
 * never overridden; only a merge into a new file goes on without one, if forced.
 *
 * All locks are OFD locks: they conflict with the POSIX locks of a UML guest, and unlike those they do
 * not vanish when another descriptor of the same file is closed. A guest that was started with the c
 * flag takes none; a lease (for a moment, where the filesystem has them and the file is ours) tells
 * that somebody has the image open for writing.
 *
 * What could have become true meanwhile is asked again here: a journal of this image, changes of other
 * images on the backing file, something in the way. Where dates are coarse, header and bits are
 * compared, too: a write in the same moment as the plan shows in nothing else.
 *
 * The date of each file that will be written is set to the date that it has: who may write a file need
 * not own it, and then a date cannot be put back; that has to be known before the first write. Both
 * files are fsynced: what a guest wrote may be in the page cache only, for its flush does nothing in
 * UML.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/commit/steps.h"
#include "core/ledger/pending.h"
#include "core/plan/plan_rules.h"

/* open: what the file is by now that the plan looked at. overlayfs gives a file other numbers when it is
 * first opened for writing, and is copied up. */
static bool unchanged(const struct stat *now, const struct stat *then, const struct stat *open)
{
    return (same_file(now, then) || same_file(now, open)) && now->st_size == then->st_size &&
           now->st_mtim.tv_sec == then->st_mtim.tv_sec && now->st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

struct held_file {
    const char *path;
    const char *shown; /* as the user knows it */
    const char *what;
    enum hold how;
    const struct stat *then; /* what the plan saw */
    int then_fd;             /* the file of the plan is open as this; -1: it is not */
};

/* Who may write a file need not own it, and then its date could not be kept: better known before anything is
 * written. */
static int probe_date(struct commit *c, int fd, const struct held_file *held)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, held->then->st_mtim};
    int status = c->io->futimens(c->io->context, fd, times);
    if (status == -EPERM || status == -EACCES) {
        cow_error_set(c->err, COW_IO, "%s: the %s belongs to somebody else: its date could not be kept",
                      held->shown, held->what);
        return cow_error_hint(c->err,
                              "run it as the owner, or write a new file with -o FILE and --policy copy");
    }
    return status < 0 ? commit_failed(c, status, "dating", held->shown) : 0;
}

/* Opens, locks, and compares with what the plan saw. */
static int hold(struct commit *c, int *fd, const struct held_file *held)
{
    const bool writing = held->how == HOLD_WRITE;
    const bool without_lock = c->plan->holds.are_optional;
    struct host_file file;
    const int flags = writing ? O_RDWR : O_RDONLY;
    int status = S_ISBLK(held->then->st_mode) ? host_file_open_disk(c->io, &file, held->path, flags, c->err)
                                              : host_file_open(c->io, &file, held->path, flags, c->err);
    if (status != 0) {
        return cow_error_prefix(c->err, "the %s", held->what);
    }
    *fd = file.fd;
    const enum io_lock lock = writing ? IO_LOCK_WRITE : IO_LOCK_READ;
    if (without_lock) {
        (void)c->io->lock(c->io->context, file.fd, lock);
    } else {
        status = host_file_lock(c->io, file.fd, lock, held->shown, held->what, c->err);
        if (status != 0) {
            return status;
        }
    }
    struct stat now, open = *held->then;
    status = c->io->fstat(c->io->context, file.fd, &now);
    if (status == 0 && held->then_fd >= 0 && !same_file(&now, &open)) {
        status = c->io->fstat(c->io->context, held->then_fd, &open);
    }
    if (status < 0) {
        return commit_failed(c, status, "looking at", held->shown);
    }
    if (!unchanged(&now, held->then, &open) && !without_lock) {
        cow_error_set(c->err, COW_REFUSED, "%s: the %s has changed since it was looked at", held->shown,
                      held->what);
        return cow_error_hint(c->err, "look again: the plan was made from what it was before");
    }
    /* What a guest wrote may still be in the page cache only: its flush does nothing in UML. */
    status = c->io->fsync(c->io->context, file.fd);
    if (status < 0) {
        return commit_failed(c, status, "flushing", held->shown);
    }
    return writing ? probe_date(c, file.fd, held) : 0;
}

/* Somebody writes the backing file itself: a guest that runs on it as a raw disk, a loop device. */
static int refuse_backing_writer(struct commit *c)
{
    const struct backing_file *backing = &c->plan->img->backing;
    if (backing->facts.state != COW_BACKING_FOUND ||
        !same_file(&backing->file.facts, &c->plan->backing.facts) ||
        !host_file_has_silent_writer(c->io, &backing->file)) { /* a lock tells more, by another message */
        return 0;
    }
    cow_error_set(c->err, COW_LOCKED, "%s: the backing file is open for writing in another process",
                  c->plan->backing.path);
    return cow_error_hint(c->err, "a guest that runs on it as a raw disk, or a loop device: end that first");
}

/* A write in the same moment as the one before has the same date, as far as the filesystem tells moments
 * apart: seconds on some, ticks of a clock on others. */
static bool may_have_been_written_unseen(const struct cow_image *img)
{
    enum { COARSE_SECONDS = 2, TICK_NS = 20 * 1000 * 1000 };
    const struct timespec *date = &img->cow.facts.st_mtim;
    const int64_t seconds = (int64_t)img->seen_at.tv_sec - (int64_t)date->tv_sec;
    if (date->tv_nsec == 0) {
        return seconds <= COARSE_SECONDS;
    }
    return seconds <= 1 && seconds * 1000000000 + img->seen_at.tv_nsec - date->tv_nsec <= TICK_NS;
}

/* The bits as the plan saw them, as far as it did, and as they are in the file. */
static int compare_bits(struct commit *c, bool *same)
{
    const struct cow_image *img = c->plan->img;
    const uint64_t bits = img->layout.mapped_sectors;
    struct bitmap *now = NULL;
    int status = bitmap_open(&now, c->io, c->image_fd, img->layout.bitmap_offset, bits, c->err);
    *same = true;
    for (uint64_t at = 0; status == 0 && *same && at < bits;) {
        uint64_t set_then, set_now, clear_then = 0, clear_now = 0;
        status = bitmap_find(img->bitmap, at, true, &set_then, c->err);
        if (status == 0) {
            status = bitmap_find(now, at, true, &set_now, c->err);
        }
        if (status == 0) {
            status = bitmap_find(img->bitmap, set_then, false, &clear_then, c->err);
        }
        if (status == 0) {
            status = bitmap_find(now, set_now, false, &clear_now, c->err);
        }
        *same = status != 0 || (set_then == set_now && clear_then == clear_now);
        at = clear_then;
    }
    if (now != NULL) {
        bitmap_close(now);
    }
    return status;
}

/* Length and date say that it is unchanged; where they cannot be trusted, its header and its bits are
 * compared. */
static int refuse_unseen_write(struct commit *c)
{
    const struct cow_image *img = c->plan->img;
    uint8_t header[COW_HEADER_BYTES_MAX];
    bool same = true;
    if (c->plan->holds.are_optional || c->plan->own_image != NULL || img->bitmap == NULL ||
        !may_have_been_written_unseen(img)) {
        return 0;
    }
    int status = io_read_padded(c->io, c->image_fd, header, sizeof header, 0);
    if (status < 0) {
        return commit_failed(c, status, "reading", img->path);
    }
    same = memcmp(header, img->raw, img->raw_bytes) == 0;
    status = same ? compare_bits(c, &same) : 0;
    if (status != 0 || same) {
        return status;
    }
    cow_error_set(c->err, COW_REFUSED, "%s: the image has changed since it was looked at", img->path);
    return cow_error_hint(c->err, "look again: the plan was made from what it was before");
}

int commit_lock(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    int status = plan->holds.image != HOLD_NOT && !plan->holds.are_optional
                     ? image_refuse_silent_writer(plan->img, c->err)
                     : 0;
    if (status == 0 && plan->holds.backing == HOLD_WRITE) {
        status = refuse_backing_writer(c);
    }
    if (status == 0 && plan->holds.image != HOLD_NOT) {
        const struct held_file image = {plan->img->real_path, plan->img->path,       "image",
                                        plan->holds.image,    &plan->img->cow.facts, plan->img->cow.fd};
        status = hold(c, &c->image_fd, &image);
        status = status == 0 ? refuse_unseen_write(c) : status;
    }
    if (status == 0 && plan->holds.backing != HOLD_NOT) {
        const struct host_file *seen = plan->img != NULL ? &plan->img->backing.file : NULL;
        const bool is_open = seen != NULL && seen->fd >= 0 && same_file(&seen->facts, &plan->backing.facts);
        const struct held_file backing = {plan->backing.path,  plan->backing.path,   "backing file",
                                          plan->holds.backing, &plan->backing.facts, is_open ? seen->fd : -1};
        status = hold(c, &c->backing_fd, &backing);
    }
    /* Another change of the image itself may have been cut off since: what it left is not ours to remove. */
    if (status == 0 && plan->holds.image == HOLD_WRITE && plan->purpose != PLAN_RECOVERS) {
        status = pending_check(plan->img, c->err);
    }
    /* Since the plan was made another image can have come to this backing file, or its change have been cut
     * off.
     */
    if (status == 0 && plan->holds.backing == HOLD_WRITE && plan->purpose != PLAN_RECOVERS &&
        plan->family == NULL) { /* those are held by us: step_family.c */
        status = plan_check_siblings(plan, c->err);
    }
    if (status == 0 && plan->backing.is_trusted && plan->backing.path != NULL) {
        status = pending_check_on(plan->img, plan->backing.path, &plan->backing.facts, c->err);
    }
    for (size_t i = 0; i < plan->n_inputs && status == 0; i++) {
        const struct plan_input *input = &plan->input[i];
        const struct held_file other = {input->path, input->path,        input->what,
                                        HOLD_READ,   &input->file.facts, input->file.fd};
        status = hold(c, &c->input_fd[i], &other);
        if (status == 0 && plan->backing.is_trusted) {
            status = pending_check_on(plan->img, input->path, &input->file.facts, c->err);
        }
    }
    return status == 0 ? plan_check_way(plan, c->err) : status;
}
