/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all steps stand on: progress, failures with words, temporary files, room.
 *
 * A temporary file is made exclusively and then locked. Between the two another cowtui can take it for
 * a left-over of a crash, so it is ours only if its name still leads to it once the lock is had.
 *
 * While a large file is made, what has been written begins to go to the disk, 8 MiB at a time: a hint,
 * which promises nothing, so every fsync stays. Small pieces that lie far from each other wait for the
 * fsync in the end: written early they took longer.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/base/arith.h"
#include "core/plan/plan_rules.h"
#include "core/write/work.h"
#include "cow/text.h"

int commit_advance(struct commit *c, uint64_t bytes)
{
    c->done_bytes += bytes;
    if (c->env == NULL || c->env->progress == NULL) {
        return 0;
    }
    const bool can_cancel = c->stoppable || (!c->backing_written && !c->renamed && !c->marked);
    const struct cow_progress progress = {.phase = c->phase,
                                          .done_bytes = arith_min(c->done_bytes, c->total_bytes),
                                          .total_bytes = c->total_bytes,
                                          .can_cancel = can_cancel};
    if (c->env->progress(c->env->context, &progress) && can_cancel) {
        return cow_error_set(c->err, COW_CANCELLED, c->spilled ? "cancelled" : "cancelled, nothing changed");
    }
    return 0;
}

void commit_written(struct commit *c, int fd, uint64_t offset, uint64_t n_bytes)
{
    c->waiting_from = c->waiting_bytes == 0 ? offset : c->waiting_from;
    c->waiting_bytes += n_bytes;
    if (c->waiting_bytes >= COMMIT_PIECE_BYTES) {
        if (c->io->start_writing != NULL && offset + n_bytes > c->waiting_from) {
            c->io->start_writing(c->io->context, fd, c->waiting_from, offset + n_bytes - c->waiting_from);
        }
        c->waiting_bytes = 0;
    }
}

int commit_failed(struct commit *c, int status, const char *what, const char *path)
{
    int answer = cow_error_system(c->err, -status, "%s %s", what, path);
    if (status == -ENOSPC || status == -EDQUOT) {
        const bool stays_half = c->marked && record_kind_facts(c->record.kind)->shifts;
        cow_error_hint(c->err, stays_half ? "free some space, then go on with \"cowtui recover\""
                                          : "nothing has changed; free some space, or write elsewhere "
                                            "with -o FILE");
    }
    return answer;
}

int commit_require_space(struct commit *c, int fd, uint64_t bytes)
{
    uint64_t free_bytes;
    int status = c->io->free_bytes(c->io->context, fd, &free_bytes);
    if (status < 0) {
        return commit_failed(c, status, "asking for the free space at", c->plan->target.path);
    }
    if (free_bytes < bytes) {
        char needed[COW_SIZE_TEXT_BYTES], there[COW_SIZE_TEXT_BYTES];
        cow_error_set(c->err, COW_IO, "not enough space: %s are needed, %s are free",
                      cow_size_text(needed, bytes), cow_size_text(there, free_bytes));
        return cow_error_hint(c->err,
                              "nothing has changed; free some space, or write elsewhere with -o FILE");
    }
    return 0;
}

/* A temporary file that nobody holds was left by a crash; nobody misses it. */
static int remove_left_over_file(struct commit *c, const char *path)
{
    struct stat facts = {.st_mode = S_IFREG};
    int fd = io_open_regular(c->io, path, O_RDWR | O_NOFOLLOW, &facts);
    if (fd < 0 && !S_ISREG(facts.st_mode)) {
        return cow_error_set(c->err, COW_REFUSED, "%s: in the way, and not a regular file", path);
    }
    if (fd < 0) {
        return commit_failed(c, fd, "opening", path);
    }
    int status = c->io->lock(c->io->context, fd, IO_LOCK_WRITE);
    if (status < 0 && status != -EAGAIN && status != -EACCES && !c->plan->holds.are_optional) {
        status = host_file_no_lock(c->err, status, path);
    } else if (status == -EAGAIN || status == -EACCES) {
        status = cow_error_set(c->err, COW_LOCKED, "%s: another cowtui is writing it", path);
    } else {
        status = c->io->unlink(c->io->context, path);
        status = status < 0 ? commit_failed(c, status, "removing", path) : 0;
    }
    c->io->close(c->io->context, fd);
    return status;
}

/* Between making a file and locking it another cowtui can take it for a left-over: so it is only ours if its
 * name still leads to it once the lock is had. */
static int lock_own(struct commit *c, const char *path, int fd, bool *ours)
{
    struct stat named, opened;
    int status = c->io->lock(c->io->context, fd, IO_LOCK_WRITE);
    *ours = false;
    if (status == -EAGAIN || status == -EACCES) {
        return 0;
    }
    if (status == -ENOLCK &&
        c->plan->holds.are_optional) { /* --force: then other cowtuis are not noticed either */
        status = 0;
    }
    if (status == 0) {
        status = c->io->fstat(c->io->context, fd, &opened);
    }
    if (status < 0) {
        return host_file_no_lock(c->err, status, path);
    }
    *ours = c->io->stat(c->io->context, path, &named) == 0 && same_file(&named, &opened);
    return 0;
}

int commit_make_file(struct commit *c, const char *path, mode_t mode, int *fd)
{
    enum { TRIES = 3 };
    for (int i = 0; i < TRIES; i++) {
        bool ours;
        int made = c->io->open(c->io->context, path, O_RDWR | O_CREAT | O_EXCL, mode);
        int status = made == -EEXIST ? remove_left_over_file(c, path) : 0;
        if (status != 0) {
            return status;
        }
        if (made == -EEXIST) {
            continue;
        }
        if (made < 0) {
            return commit_failed(c, made, "making", path);
        }
        status = lock_own(c, path, made, &ours);
        if (status == 0 && ours) {
            *fd = made;
            return 0;
        }
        c->io->close(c->io->context, made);
        if (status != 0) {
            c->io->unlink(c->io->context, path);
            return status;
        }
    }
    return cow_error_set(c->err, COW_LOCKED, "%s: another cowtui is writing it", path);
}

/* What is read past the end of a file reads as zeros: so a source that was cut meanwhile is an error. */
static int check_source(struct commit *c, const struct host_file *file, const char *path, const char *what)
{
    struct stat now;
    int status = file->fd < 0 ? 0 : c->io->fstat(c->io->context, file->fd, &now);
    if (status < 0) {
        return commit_failed(c, status, "looking at", path);
    }
    if (file->fd >= 0 && now.st_size < file->facts.st_size) {
        cow_error_set(c->err, COW_IO, "%s: the %s got shorter while it was read", path, what);
        return cow_error_hint(c->err, "nothing has changed; look who writes it, then try again");
    }
    return 0;
}

int commit_check_sources(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    const struct cow_image *img = plan->img;
    int status = img == NULL
                     ? 0
                     : check_source(c, &img->cow, img->path, plan->own_image != NULL ? "raw disk" : "image");
    if (status == 0 && img != NULL && !record_kind_facts(plan->method)->writes_into_backing) {
        status = check_source(c, &img->backing.file, img->backing.facts.path, "backing file");
    }
    for (size_t i = 0; i < plan->n_inputs && status == 0; i++) {
        const struct plan_input *input = &plan->input[i];
        status = check_source(c, &input->file, input->path, input->what);
    }
    return status;
}
