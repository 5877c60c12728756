/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See watch.h. No memory is allocated: the suites let allocations fail, and count them.
 */
#include "promise/watch.h"

#include <fcntl.h>
#include <string.h>

enum { FDS_MAX = 64 };

static struct watch *now;
static uint64_t bitmap_begin;
static struct {
    int fd;
    bool counted;
    char path[PATH_MAX];
} open_file[FDS_MAX];
static size_t n_open;

static const char *path_of(int fd)
{
    for (size_t i = 0; i < n_open; i++) {
        if (open_file[i].fd == fd) {
            return open_file[i].path;
        }
    }
    return NULL;
}

static void copy_path(char out[PATH_MAX], const char *path)
{
    const size_t length = strnlen(path, PATH_MAX - 1);
    memcpy(out, path, length);
    out[length] = '\0';
}

static struct watched *find(const char *path)
{
    for (size_t i = 0; i < now->files; i++) {
        if (strcmp(now->file[i].path, path) == 0) {
            return &now->file[i];
        }
    }
    if (now->files == WATCH_FILES_MAX) {
        now->full = true;
        return NULL;
    }
    struct watched *file = &now->file[now->files++];
    *file = (struct watched){.was_there = false};
    copy_path(file->path, path);
    file->was_there = now->inner->lstat(now->inner->context, path, &file->before) == 0;
    return file;
}

static void touch(const char *path)
{
    (void)find(path);
}

/* Through an open file: what it is called may be a link. */
static void touch_fd(int fd, bool writes)
{
    const char *path = path_of(fd);
    struct watched *file = path != NULL ? find(path) : NULL;
    if (file != NULL && !file->written) {
        file->written = writes;
        if (file->was_there && S_ISLNK(file->before.st_mode)) {
            file->was_there = now->inner->stat(now->inner->context, path, &file->before) == 0;
            file->follow = true;
        }
    }
}

static void count(int fd, uint64_t offset, uint64_t n_bytes)
{
    bool counted = false;
    for (size_t i = 0; i < n_open; i++) {
        counted = counted || (open_file[i].fd == fd && open_file[i].counted);
    }
    if (counted && offset >= now->data_offset) {
        now->data_bytes += n_bytes;
    } else if (counted && offset >= bitmap_begin) {
        now->bitmap_bytes += n_bytes;
    }
}

static int w_open(void *context, const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) != 0) {
        touch(path);
    }
    int fd = now->inner->open(context, path, flags, mode);
    if (fd >= 0 && n_open < FDS_MAX) {
        open_file[n_open].fd = fd;
        open_file[n_open].counted = (flags & O_ACCMODE) != O_RDONLY && strcmp(path, now->counted) == 0;
        copy_path(open_file[n_open++].path, path);
    }
    return fd;
}

static int w_close(void *context, int fd)
{
    for (size_t i = 0; i < n_open; i++) {
        if (open_file[i].fd == fd) {
            open_file[i] = open_file[--n_open];
            break;
        }
    }
    return now->inner->close(context, fd);
}

static ssize_t w_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    touch_fd(fd, true);
    ssize_t n = now->inner->pwrite(context, fd, buffer, n_bytes, offset);
    count(fd, offset, n > 0 ? (uint64_t)n : 0);
    return n;
}

static ssize_t w_copy_range(void *context, int from_fd, uint64_t from, int to_fd, uint64_t to, size_t n_bytes)
{
    touch_fd(to_fd, true);
    ssize_t n = now->inner->copy_range(context, from_fd, from, to_fd, to, n_bytes);
    count(to_fd, to, n > 0 ? (uint64_t)n : 0);
    return n;
}

static int w_clone(void *context, int from_fd, int to_fd)
{
    touch_fd(to_fd, true);
    const int status = now->inner->clone(context, from_fd, to_fd);
    const char *path = path_of(to_fd);
    struct watched *file = path != NULL ? find(path) : NULL;
    if (file != NULL) {
        file->cloned = status == 0;
    }
    return status;
}

static int w_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    touch_fd(fd, true);
    return now->inner->ftruncate(context, fd, size_bytes);
}

static int w_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes)
{
    touch_fd(fd, true);
    return now->inner->fallocate(context, fd, how, offset, n_bytes);
}

static int w_futimens(void *context, int fd, const struct timespec times[2])
{
    touch_fd(fd, false);
    return now->inner->futimens(context, fd, times);
}

static int w_fchown(void *context, int fd, uid_t uid, gid_t gid)
{
    touch_fd(fd, false);
    return now->inner->fchown(context, fd, uid, gid);
}

static int w_fchmod(void *context, int fd, mode_t mode)
{
    touch_fd(fd, false);
    return now->inner->fchmod(context, fd, mode);
}

static int w_link(void *context, const char *from, const char *to)
{
    touch(to);
    return now->inner->link(context, from, to);
}

static int w_rename(void *context, const char *from, const char *to, bool replace)
{
    touch(from);
    touch(to);
    int status = now->inner->rename(context, from, to, replace);
    struct watched *source = find(from), *target = find(to);
    if (status == 0 && source != NULL && target != NULL) {
        target->cloned = source->cloned;
    }
    for (size_t i = 0; status == 0 && i < n_open; i++) {
        if (strcmp(open_file[i].path, from) == 0) {
            copy_path(open_file[i].path, to);
        }
    }
    return status;
}

static int w_unlink(void *context, const char *path)
{
    touch(path);
    return now->inner->unlink(context, path);
}

void watch_begin(struct watch *watch, const struct cow_io *inner, const char *counted, uint64_t bitmap_offset,
                 uint64_t data_offset)
{
    watch->io = *inner;
    watch->inner = inner;
    watch->files = 0;
    watch->full = false;
    watch->data_offset = data_offset;
    watch->data_bytes = watch->bitmap_bytes = 0;
    copy_path(watch->counted, counted);
    bitmap_begin = bitmap_offset;
    watch->io.open = w_open;
    watch->io.close = w_close;
    watch->io.pwrite = w_pwrite;
    watch->io.copy_range = w_copy_range;
    watch->io.clone = w_clone;
    watch->io.ftruncate = w_ftruncate;
    watch->io.fallocate = w_fallocate;
    watch->io.futimens = w_futimens;
    watch->io.fchown = w_fchown;
    watch->io.fchmod = w_fchmod;
    watch->io.link = w_link;
    watch->io.rename = w_rename;
    watch->io.unlink = w_unlink;
    now = watch;
    n_open = 0;
}

void watch_end(struct watch *watch)
{
    for (size_t i = 0; i < watch->files; i++) {
        struct watched *file = &watch->file[i];
        file->is_there = (file->follow ? watch->inner->stat : watch->inner->lstat)(
                             watch->inner->context, file->path, &file->after) == 0;
    }
}
