/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every new file goes through, whatever is in it: room, a temporary name, attributes, its final name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "core/base/bytes.h"
#include "core/change/steps.h"
#include "core/format/variants.h"
#include "cow/text.h"

int commit_check_space(struct commit *c)
{
    const char *path = c->plan->target_path;
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
    uint64_t needed = c->plan->preview.needs_free_bytes;
    if (c->plan->copy_path != NULL) { /* that is checked, where it has to be, when the copy is made */
        needed -= (uint64_t)c->plan->backing_facts.st_blocks * 512;
    }
    int status = commit_require_space(c, fd, needed);
    c->io->close(c->io->context, fd);
    return status;
}

static int keep_xattr(struct commit *c, const char *name)
{
    ssize_t n = fgetxattr(c->image_fd, name, NULL, 0);
    if (n < 0) {
        return -errno;
    }
    void *value = malloc((size_t)n + 1);
    if (value == NULL) {
        return -ENOMEM;
    }
    n = fgetxattr(c->image_fd, name, value, (size_t)n);
    int status = n < 0 ? -errno : c->io->fsetxattr(c->io->context, c->out_fd, name, value, (size_t)n);
    free(value);
    return status;
}

/* ACLs are extended attributes, too. */
static int keep_xattrs(struct commit *c)
{
    ssize_t n = flistxattr(c->image_fd, NULL, 0);
    if (n <= 0) {
        return n == 0 || errno == ENOTSUP
                   ? 0
                   : commit_failed(c, -errno, "reading the attributes of", "the image");
    }
    char *names = malloc((size_t)n);
    if (names == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    n = flistxattr(c->image_fd, names, (size_t)n);
    int status = n < 0 ? -errno : 0;
    const char *name = names;
    for (; status == 0 && name < names + n; name += strlen(name) + 1) {
        status = keep_xattr(c, name);
        if (status < 0 && c->plan->force) {
            status = 0;
        }
    }
    if (status < 0) {
        status = commit_failed(c, status, "keeping the extended attributes of", c->plan->target_path);
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
    if (status == 0 && (new.st_uid != old->st_uid || new.st_gid != old->st_gid)) {
        status = c->io->fchown(c->io->context, c->out_fd, old->st_uid, old->st_gid);
    }
    if (status < 0 && !c->plan->force) {
        commit_failed(c, status, "keeping the owner of", c->plan->target_path);
        return cow_error_hint(c->err, "run it as the owner; --force goes on and makes it yours");
    }
    status = c->io->fchmod(c->io->context, c->out_fd, old->st_mode & 07777);
    if (status < 0) {
        return commit_failed(c, status, "keeping the mode of", c->plan->target_path);
    }
    return keep_xattrs(c);
}

/* --force replaces a file, but not one that a guest is running on. */
static int refuse_output_in_use(struct commit *c)
{
    struct host_file file;
    int64_t pid = 0;
    if (!c->plan->replace || c->plan->hold_image == HOLD_WRITE || /* the image itself: that lock is ours */
        host_file_open(c->io, &file, c->plan->target_path, O_RDONLY, NULL) != 0) {
        return 0;
    }
    int held = c->io->lock_holder(c->io->context, file.fd, IO_LOCK_WRITE, &pid);
    host_file_close(c->io, &file);
    if (held > 0) {
        return cow_error_set(c->err, COW_LOCKED, "%s: in use by pid %" PRId64 "; it is not replaced",
                             c->plan->target_path, pid);
    }
    return 0;
}

int commit_rename(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    int in_use = refuse_output_in_use(c);
    if (in_use != 0) {
        return in_use;
    }
    int status = c->io->rename(c->io->context, plan->temp_path, plan->target_path, plan->replace);
    if (status == -EEXIST) {
        return cow_error_set(c->err, COW_REFUSED, "%s: exists by now; it is not replaced", plan->target_path);
    }
    if (status < 0) {
        return commit_failed(c, status, "renaming to", plan->target_path);
    }
    c->renamed = true;
    status = io_sync_directory(c->io, plan->target_path);
    if (status < 0) {
        commit_failed(c, status, "flushing the directory of", plan->target_path);
        return cow_error_hint(
            c->err, "the new file is in place and complete, but a power cut could bring the old one back");
    }
    return 0;
}

int commit_mark_old(struct commit *c)
{
    const struct span size = variants[c->plan->img->header.format].size;
    uint8_t mark[8];
    bytes_put(mark, sizeof mark, true, SIZE_UNFINISHED);
    int status = io_write(c->io, c->image_fd, mark, sizeof mark, size.offset_bytes);
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    if (status < 0 && c->env != NULL && c->env->note != NULL) {
        /* The change is done; the old file has no name any more. Only a guest that opened it a moment ago
         * could see it. */
        c->env->note(c->env->context, "the old file, which has no name any more, could not be marked");
    }
    return 0;
}
