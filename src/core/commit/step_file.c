/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every new file goes through, whatever is in it: room, attributes, its final name.
 *
 * The rename refuses to replace a file that has appeared in the meantime, unless --force was given for
 * one that was there. The directory is flushed after it: "done", and the old disk back after a power
 * cut, would be a lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"
#include "cow/text.h"

int commit_check_space(struct commit *c)
{
    const char *path = c->plan->target.path;
    char directory[PATH_MAX];
    size_t length = (size_t)(strrchr(path, '/') - path);
    if (length >= sizeof directory) {
        return commit_failed(c, -ENAMETOOLONG, "opening", path);
    }
    memcpy(directory, path, length);
    directory[length] = '\0';
    int fd = c->io->open(c->io->context, length == 0 ? "/" : directory, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        return commit_failed(c, fd, "opening", length == 0 ? "/" : directory);
    }
    uint64_t needed =
        c->plan->preview.needs_free_bytes - c->plan->backing.merge_needs_bytes; /* those are elsewhere */
    if (c->plan->backing.copy_path != NULL) { /* that is checked, where it has to be, when the copy is made */
        needed -= (uint64_t)c->plan->backing.facts.st_blocks * 512;
    }
    int status = commit_require_space(c, fd, needed);
    c->io->close(c->io->context, fd);
    return status;
}

static int keep_xattr(struct commit *c, const char *name)
{
    ssize_t n = c->io->fgetxattr(c->io->context, c->image_fd, name, NULL, 0);
    if (n < 0) {
        return (int)n;
    }
    void *value = malloc((size_t)n + 1);
    if (value == NULL) {
        return -ENOMEM;
    }
    n = c->io->fgetxattr(c->io->context, c->image_fd, name, value, (size_t)n);
    int status = n < 0 ? (int)n : c->io->fsetxattr(c->io->context, c->out_fd, name, value, (size_t)n);
    free(value);
    return status;
}

/* ACLs are extended attributes, too. */
static int keep_xattrs(struct commit *c)
{
    ssize_t n = c->io->flistxattr(c->io->context, c->image_fd, NULL, 0);
    if (n <= 0) {
        return n == 0 || n == -ENOTSUP ? 0
                                       : commit_failed(c, (int)n, "reading the attributes of", "the image");
    }
    char *names = malloc((size_t)n);
    if (names == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    n = c->io->flistxattr(c->io->context, c->image_fd, names, (size_t)n);
    int status = n < 0 ? (int)n : 0;
    const char *name = names;
    for (; status == 0 && name < names + n; name += strlen(name) + 1) {
        status = keep_xattr(c, name);
        if (c->plan->force &&
            (status == -EPERM || status == -EACCES || status == -ENOTSUP || status == -EINVAL)) {
            status = 0; /* this filesystem, or this user, cannot have it */
        }
    }
    if (status < 0) {
        status = commit_failed(c, status, "keeping the extended attributes of", c->plan->target.path);
        cow_error_hint(c->err, "--force goes on without them");
    }
    free(names);
    return status;
}

int commit_keep_attributes(struct commit *c)
{
    const struct stat *old = &c->plan->img->cow.facts;
    struct stat new;
    int status = c->io->fstat(c->io->context, c->out_fd, &new);
    if (status < 0) {
        return commit_failed(c, status, "looking at", c->plan->target.temp_path);
    }
    if (new.st_uid != old->st_uid || new.st_gid != old->st_gid) {
        status = c->io->fchown(c->io->context, c->out_fd, old->st_uid, old->st_gid);
    }
    /* A new file may as well be the caller's; one that takes the old one's place may not. */
    if (status < 0 && (status != -EPERM || (plan_is_journaled(c->plan) && !c->plan->force))) {
        commit_failed(c, status, "keeping the owner of", c->plan->target.path);
        return cow_error_hint(c->err, "run it as the owner, or write a new file with -o FILE");
    }
    const bool differs = (new.st_mode & 07777) != (old->st_mode & 07777);
    status = differs ? c->io->fchmod(c->io->context, c->out_fd, old->st_mode & 07777) : 0;
    if (status < 0 && !(c->plan->force && (status == -EPERM || status == -EOPNOTSUPP || status == -ENOSYS))) {
        commit_failed(c, status, "keeping the mode of", c->plan->target.path);
        return cow_error_hint(c->err, "--force goes on without it, or write a new file with -o FILE");
    }
    return keep_xattrs(c);
}

/* The old image keeps a second name, by which it becomes the undo file. A filesystem without hard links has
 * no undo. */
static int link_old(struct commit *c)
{
    char path[PATH_MAX];
    side_path(path, c->plan->target.path, SIDE_OLD);
    int status = settle_link_old(c->io, c->plan->target.path, c->image_fd);
    if (status == -EPERM || status == -EOPNOTSUPP || status == -EMLINK || status == -ENOSYS) {
        if (c->env != NULL && c->env->note != NULL) {
            c->env->note(c->env->context,
                         "this filesystem has no hard links: there will be nothing to undo with");
        }
        return 0;
    }
    return status < 0 ? commit_failed(c, status, "linking", path) : 0;
}

/* --force replaces a file, but not one that a guest is running on. */
static int refuse_output_in_use(struct commit *c)
{
    struct host_file file;
    int64_t pid = 0;
    if (!c->plan->target.replaces ||
        c->plan->holds.image == HOLD_WRITE || /* the image itself: that lock is ours */
        host_file_open(c->io, &file, c->plan->target.path, O_RDONLY, NULL) != 0) {
        return 0;
    }
    int held = c->io->lock_holder(c->io->context, file.fd, IO_LOCK_WRITE, &pid);
    host_file_close(c->io, &file);
    if (held > 0) {
        return cow_error_set(c->err, COW_LOCKED, "%s: in use by pid %" PRId64 "; it is not replaced",
                             c->plan->target.path, pid);
    }
    return 0;
}

int commit_rename(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    int status = refuse_output_in_use(c);
    if (status == 0 && plan->keep_undo) {
        status = link_old(c);
    }
    if (status != 0) {
        return status;
    }
    status = c->io->rename(c->io->context, plan->target.temp_path, plan->target.path, plan->target.replaces);
    if (status == -EEXIST) {
        return cow_error_set(c->err, COW_REFUSED, "%s: exists by now; it is not replaced", plan->target.path);
    }
    if (status < 0) {
        return commit_failed(c, status, "renaming to", plan->target.path);
    }
    c->renamed = true;
    status = io_sync_directory(c->io, plan->target.path);
    if (status < 0) {
        commit_failed(c, status, "flushing the directory of", plan->target.path);
        return cow_error_hint(
            c->err, "the new file is in place and complete, but a power cut could bring the old one back");
    }
    return 0;
}
