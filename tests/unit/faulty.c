/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of calls that fails on demand.
 */
#include "faulty.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int unsynced_index(const struct faulty *f, const struct stat *facts)
{
    for (unsigned i = 0; i < f->n_unsynced; i++) {
        if (f->unsynced[i].device == facts->st_dev && f->unsynced[i].inode == facts->st_ino) {
            return (int)i;
        }
    }
    return -1;
}

static void note_change(struct faulty *f, const struct stat *facts)
{
    if (unsynced_index(f, facts) < 0) {
        must(f->n_unsynced < 16, "too many files");
        f->unsynced[f->n_unsynced].device = facts->st_dev;
        f->unsynced[f->n_unsynced++].inode = facts->st_ino;
    }
}

static void note_change_of(struct faulty *f, int fd)
{
    struct stat facts;
    if (fstat(fd, &facts) == 0) {
        note_change(f, &facts);
    }
}

static bool forget_change(struct faulty *f, const struct stat *facts)
{
    int i = unsynced_index(f, facts);
    if (i >= 0) {
        f->unsynced[i] = f->unsynced[--f->n_unsynced];
    }
    return i >= 0;
}

static void note_sync(struct faulty *f, int fd)
{
    struct stat facts;
    if (fstat(fd, &facts) == 0 && forget_change(f, &facts)) {
        f->renamed_in = f->renamed_in == facts.st_ino ? 0 : f->renamed_in;
    }
}

/* The directory of path has changed; answers its inode, or 0. */
static ino_t note_directory(struct faulty *f, const char *path)
{
    char directory[512];
    struct stat facts;
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    if (stat(slash == NULL ? "." : directory, &facts) != 0) {
        return 0;
    }
    note_change(f, &facts);
    return facts.st_ino;
}

/* Counts a mutating call; true: it is to fail. *late: after its work is done. */
static bool strikes(struct faulty *f, const char *name, bool *late)
{
    f->calls++;
    *late = false;
    bool now = f->kind != FAULT_NONE && (f->calls == f->at || (f->kind == FAULT_CRASH && f->calls > f->at));
    if (now && f->struck == NULL) {
        f->struck = name;
    }
    *late = now && f->kind == FAULT_LATE;
    return now && f->kind != FAULT_SHORT;
}

/* One mutating call on a descriptor: struck, or passed on and remembered. */
#define MUTATE(f, fd, name, call)                                                                            \
    do {                                                                                                     \
        bool late_;                                                                                          \
        bool struck_ = strikes((f), (name), &late_);                                                         \
        if (struck_ && !late_) {                                                                             \
            return -(f)->error;                                                                              \
        }                                                                                                    \
        int status_ = (call);                                                                                \
        note_change_of((f), (fd));                                                                           \
        return struck_ ? -(f)->error : status_;                                                              \
    } while (0)

static int faulty_open(void *context, const char *path, int flags, mode_t mode)
{
    struct faulty *f = context;
    if ((flags & O_CREAT) != 0) {
        bool late;
        if (strikes(f, "open", &late)) { /* late makes no sense here: nobody would know the file is theirs */
            return -f->error;
        }
        note_directory(f, path);
    }
    return io_system.open(NULL, path, flags, mode);
}

/* Is this the write that makes a new image one: a v3 header with a size instead of the mark? */
static bool is_true_size(const void *buffer, size_t n_bytes, uint64_t offset)
{
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    return offset == 0 && n_bytes >= 20 && memcmp(buffer, shapes[COW_FORMAT_V3].magic, 8) == 0 &&
           memcmp((const uint8_t *)buffer + 12, mark, 8) != 0;
}

static ssize_t faulty_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    struct faulty *f = context;
    bool late;
    if (strikes(f, "pwrite", &late)) {
        if (late) { /* of one sector nothing is torn off */
            (void)io_system.pwrite(NULL, fd, buffer, n_bytes <= 512 ? n_bytes : n_bytes / 2, offset);
        }
        return -f->error;
    }
    struct stat facts;
    f->sizes_unsynced +=
        is_true_size(buffer, n_bytes, offset) && fstat(fd, &facts) == 0 && unsynced_index(f, &facts) >= 0;
    note_change_of(f, fd);
    bool cut = f->kind == FAULT_SHORT && f->calls >= f->at && n_bytes > 1;
    return io_system.pwrite(NULL, fd, buffer, cut ? n_bytes / 2 : n_bytes, offset);
}

static ssize_t faulty_copy_range(void *context, int from_fd, uint64_t from, int to_fd, uint64_t to,
                                 size_t n_bytes)
{
    struct faulty *f = context;
    bool late;
    if (strikes(f, "copy_range", &late)) {
        if (late) {
            (void)io_system.copy_range(NULL, from_fd, from, to_fd, to, n_bytes / 2);
        }
        return -f->error;
    }
    note_change_of(f, to_fd);
    bool cut = f->kind == FAULT_SHORT && f->calls >= f->at && n_bytes > 1;
    return io_system.copy_range(NULL, from_fd, from, to_fd, to, cut ? n_bytes / 2 : n_bytes);
}

static int faulty_clone(void *context, int from_fd, int to_fd)
{
    struct faulty *f = context;
    MUTATE(f, to_fd, "clone", io_system.clone(NULL, from_fd, to_fd));
}

static int faulty_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    struct faulty *f = context;
    MUTATE(f, fd, "ftruncate", io_system.ftruncate(NULL, fd, size_bytes));
}

static int faulty_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes)
{
    struct faulty *f = context;
    MUTATE(f, fd, "fallocate", io_system.fallocate(NULL, fd, how, offset, n_bytes));
}

static int faulty_futimens(void *context, int fd, const struct timespec times[2])
{
    struct faulty *f = context;
    struct stat facts;
    bool late;
    bool struck = strikes(f, "futimens", &late);
    if (struck && !late) {
        return -f->error;
    }
    if (fstat(fd, &facts) != 0 || facts.st_mtim.tv_sec != times[1].tv_sec ||
        facts.st_mtim.tv_nsec != times[1].tv_nsec) { /* the date that it has is no change */
        note_change_of(f, fd);
    }
    int status = io_system.futimens(NULL, fd, times);
    return struck ? -f->error : status;
}

static int faulty_fchown(void *context, int fd, uid_t uid, gid_t gid)
{
    struct faulty *f = context;
    MUTATE(f, fd, "fchown", io_system.fchown(NULL, fd, uid, gid));
}

static int faulty_fchmod(void *context, int fd, mode_t mode)
{
    struct faulty *f = context;
    MUTATE(f, fd, "fchmod", io_system.fchmod(NULL, fd, mode));
}

static int faulty_fsetxattr(void *context, int fd, const char *name, const void *value, size_t n_bytes)
{
    struct faulty *f = context;
    MUTATE(f, fd, "fsetxattr", io_system.fsetxattr(NULL, fd, name, value, n_bytes));
}

static int faulty_fsync(void *context, int fd)
{
    struct faulty *f = context;
    bool late;
    if (strikes(f, "fsync", &late)) {
        return -f->error;
    }
    note_sync(f, fd);
    return f->real_sync ? io_system.fsync(NULL, fd) : 0;
}

static int faulty_rename(void *context, const char *from, const char *to, bool replace)
{
    struct faulty *f = context;
    struct stat facts;
    bool late;
    if (strikes(f, "rename", &late)) {
        return -f->error;
    }
    f->renames_unsynced += stat(from, &facts) != 0 || unsynced_index(f, &facts) >= 0 || f->renamed_in != 0;
    f->renamed_in = note_directory(f, to);
    return io_system.rename(NULL, from, to, replace);
}

static int faulty_unlink(void *context, const char *path)
{
    struct faulty *f = context;
    bool late;
    if (strikes(f, "unlink", &late) && !late) {
        return -f->error;
    }
    struct stat facts;
    const bool was_last = lstat(path, &facts) == 0 && facts.st_nlink == 1;
    int status = io_system.unlink(NULL, path);
    if (status == 0) {
        note_directory(f, path);
    }
    if (status == 0 && was_last) { /* a file without a name need not last; its number may come back */
        forget_change(f, &facts);
    }
    return late ? -f->error : status;
}

static int faulty_link(void *context, const char *from, const char *to)
{
    struct faulty *f = context;
    bool late;
    if (strikes(f, "link", &late)) {
        return -f->error;
    }
    note_directory(f, to);
    return io_system.link(NULL, from, to);
}

static int faulty_lock(void *context, int fd, enum io_lock lock)
{
    struct faulty *f = context;
    bool late;
    return strikes(f, "lock", &late) ? -f->error : io_system.lock(NULL, fd, lock);
}

void faulty_init(struct faulty *f, enum fault_kind kind, int error, uint64_t at)
{
    *f = (struct faulty){.io = io_system, .kind = kind, .error = error, .at = at};
    f->io.context = f;
    f->io.open = faulty_open;
    f->io.pwrite = faulty_pwrite;
    f->io.copy_range = faulty_copy_range;
    f->io.clone = faulty_clone;
    f->io.ftruncate = faulty_ftruncate;
    f->io.fsync = faulty_fsync;
    f->io.datasync = NULL;
    f->io.fallocate = faulty_fallocate;
    f->io.futimens = faulty_futimens;
    f->io.fchown = faulty_fchown;
    f->io.fchmod = faulty_fchmod;
    f->io.fsetxattr = faulty_fsetxattr;
    f->io.rename = faulty_rename;
    f->io.link = faulty_link;
    f->io.unlink = faulty_unlink;
    f->io.lock = faulty_lock;
}
