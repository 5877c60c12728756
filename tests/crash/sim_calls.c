/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The calls of a simulated machine. Every one goes through sim_gate, where faults strike; every change of the
 * tree is written to the log by the function that makes it.
 */
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "sim_log.h"

/* ---- opening ---- */

static int take_descriptor(struct sim *sim, uint8_t inode, int flags, const char *name)
{
    int at = 0;
    while (sim->fd[at].used) {
        memory_require(++at < SIM_FDS, "too many open files");
    }
    sim->fd[at] = (struct sim_fd){.used = true, .inode = inode, .flags = flags};
    memccpy(sim->fd[at].name, name, '\0', sizeof sim->fd[at].name - 1);
    return at + SIM_FIRST_FD;
}

/* Where a path leads. A link is an absolute path, and only the last part of a path is one. */
static uint8_t find_file(const struct sim *sim, const char *path)
{
    uint8_t at = tree_find(&sim->live, path);
    for (unsigned i = 0; at != NO_INODE && sim->live.inode[at].kind == INODE_LINK; i++) {
        char target[2 * TREE_NAME_BYTES] = "";
        const struct inode *link = &sim->live.inode[at];
        inode_read(link, 0, target, sizeof target - 1);
        at = i < 8 ? tree_find(&sim->live, target) : NO_INODE;
    }
    return at;
}

enum { MAY_READ = 4, MAY_WRITE = 2 };

/* Groups have no members here. */
static bool may(const struct sim *sim, uint8_t at, unsigned wanted)
{
    const struct facts *facts = &sim->live.inode[at].facts;
    const unsigned bits = facts->uid == sim->caller ? facts->mode >> 6 : facts->mode;
    return sim->caller == 0 || (bits & wanted) == wanted;
}

static bool owns(const struct sim *sim, uint8_t at)
{
    return sim->caller == 0 || sim->live.inode[at].facts.uid == sim->caller;
}

/* A name in a directory may be made, or taken from `inode` (NO_INODE: there is none). */
static bool may_name(const struct sim *sim, uint8_t directory, uint8_t inode)
{
    const bool sticky = (sim->live.inode[directory].facts.mode & 01000) != 0;
    return may(sim, directory, MAY_WRITE) &&
           (!sticky || inode == NO_INODE || owns(sim, inode) || owns(sim, directory));
}

static void give_up_numbers(struct sim *sim)
{
    for (unsigned i = 0; i < TREE_INODES; i++) {
        bool open = false;
        for (unsigned fd = 0; fd < SIM_FDS; fd++) {
            open |= sim->fd[fd].used && sim->fd[fd].inode == i;
        }
        sim->live.inode[i].gone =
            sim->live.inode[i].kind == INODE_FILE && !open && tree_links(&sim->live, (uint8_t)i) == 0;
    }
}

/* What is there is opened. 0 or why not. */
static int may_open(const struct sim *sim, uint8_t inode, int flags)
{
    const int access = flags & O_ACCMODE;
    const enum inode_kind kind = sim->live.inode[inode].kind;
    if (kind == INODE_LINK) {
        return -ELOOP;
    }
    if (kind == INODE_DIRECTORY ? access != O_RDONLY : (flags & O_DIRECTORY) != 0) {
        return kind == INODE_DIRECTORY ? -EISDIR : -ENOTDIR;
    }
    return may(sim, inode,
               access == O_RDONLY   ? MAY_READ
               : access == O_WRONLY ? MAY_WRITE
                                    : MAY_READ | MAY_WRITE)
               ? 0
               : -EACCES;
}

static int sim_open(void *context, const char *path, int flags, mode_t mode)
{
    struct sim *sim = context;
    const char *name = "";
    uint8_t directory = tree_find_directory(&sim->live, path, &name);
    uint8_t inode = (flags & (O_NOFOLLOW | O_EXCL)) != 0 ? tree_find(&sim->live, path) : find_file(sim, path);
    const bool makes = (flags & O_CREAT) != 0 && inode == NO_INODE;
    int fault = sim_gate(sim, makes ? "open (new)" : "open", makes, false);
    if (fault < 0) {
        return fault;
    }
    if (directory == NO_INODE || (inode == NO_INODE && !makes)) {
        return -ENOENT;
    }
    if (!makes && (flags & O_EXCL) != 0) {
        return -EEXIST;
    }
    int status = makes ? (may_name(sim, directory, NO_INODE) ? 0 : -EACCES) : may_open(sim, inode, flags);
    if (status < 0) {
        return status;
    }
    if (makes) {
        sim_log_call(sim, "create", name, 0, 0);
        if (sim->reuses_numbers) {
            give_up_numbers(sim);
        }
        inode = tree_make(&sim->live, INODE_FILE, mode);
        sim->live.inode[inode].device = sim->live.inode[directory].device;
        sim->live.inode[inode].facts.uid = sim->caller;
        sim_touch(sim, &sim->live.inode[inode]);
        sim_log_facts(sim, inode, false);
        sim_log_entry(sim, directory, name, inode, NULL);
    }
    return take_descriptor(sim, inode, flags, name);
}

static int sim_close(void *context, int fd)
{
    sim_descriptor(context, fd)->used = false;
    return 0;
}

/* ---- bytes ---- */

static size_t shorter(int fault, size_t n_bytes)
{
    return fault == FAULT_SHORT && n_bytes > 1 ? (n_bytes + 1) / 2 : n_bytes;
}

static ssize_t sim_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct sim *sim = context;
    const struct inode *inode = &sim->live.inode[sim_descriptor(sim, fd)->inode];
    int fault = sim_gate(sim, "pread", false, true);
    if (fault < 0) {
        return fault;
    }
    uint64_t left = inode->facts.size_bytes > offset ? inode->facts.size_bytes - offset : 0;
    size_t n = shorter(fault, left < n_bytes ? (size_t)left : n_bytes);
    inode_read(inode, offset, buffer, n);
    return (ssize_t)n;
}

/* A write dates the file when it begins. */
static void grow(struct sim *sim, uint8_t inode, uint64_t end)
{
    struct inode *i = &sim->live.inode[inode];
    i->facts.size_bytes = i->facts.size_bytes > end ? i->facts.size_bytes : end;
    sim_touch(sim, i);
    sim_log_facts(sim, inode, false);
    sim->clock_ns += sim->live.device[i->device].write_ms * UINT64_C(1000000);
}

static ssize_t sim_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    struct sim *sim = context;
    const struct sim_fd *d = sim_descriptor(sim, fd);
    memory_require((d->flags & O_ACCMODE) != O_RDONLY, "a write to a descriptor that is for reading");
    int fault = sim_gate(sim, "pwrite", true, true);
    if (fault < 0) {
        return fault;
    }
    const size_t wanted = shorter(fault, n_bytes);
    n_bytes = sim_fits(sim, d->inode, offset, wanted);
    if (n_bytes == 0 && wanted > 0) {
        return -ENOSPC;
    }
    sim_log_call(sim, "pwrite", d->name, offset, n_bytes);
    inode_write(&sim->live.inode[d->inode], offset, buffer, n_bytes);
    sim_log_sectors(sim, d->inode, offset, n_bytes);
    grow(sim, d->inode, offset + n_bytes);
    return fault == FAULT_LATE ? -sim->fault.error : (ssize_t)n_bytes;
}

static ssize_t sim_copy_range(void *context, int from_fd, uint64_t from, int to_fd, uint64_t to,
                              size_t n_bytes)
{
    struct sim *sim = context;
    uint8_t buffer[PAGE_BYTES];
    const struct inode *source = &sim->live.inode[sim_descriptor(sim, from_fd)->inode];
    const struct sim_fd *d = sim_descriptor(sim, to_fd);
    int fault = sim_gate(sim, "copy_file_range", true, true);
    if (fault < 0) {
        return fault;
    }
    uint64_t left = source->facts.size_bytes > from ? source->facts.size_bytes - from : 0;
    n_bytes = shorter(fault, left < n_bytes ? (size_t)left : n_bytes);
    if (n_bytes == 0) {
        return 0;
    }
    n_bytes = sim_fits(sim, d->inode, to, n_bytes);
    if (n_bytes == 0) {
        return -ENOSPC;
    }
    sim_log_call(sim, "copy_range", d->name, to, n_bytes);
    for (size_t done = 0; done < n_bytes;) {
        size_t piece = n_bytes - done < sizeof buffer ? n_bytes - done : sizeof buffer;
        inode_read(source, from + done, buffer, piece);
        inode_write(&sim->live.inode[d->inode], to + done, buffer, piece);
        done += piece;
    }
    sim_log_sectors(sim, d->inode, to, n_bytes);
    grow(sim, d->inode, to + n_bytes);
    return fault == FAULT_LATE ? -sim->fault.error : (ssize_t)n_bytes;
}

static int64_t sim_seek(void *context, int fd, uint64_t offset, int whence)
{
    struct sim *sim = context;
    const struct inode *inode = &sim->live.inode[sim_descriptor(sim, fd)->inode];
    int fault = sim_gate(sim, "lseek", false, false);
    if (fault < 0) {
        return fault;
    }
    if (offset >= inode->facts.size_bytes) {
        return -ENXIO;
    }
    uint64_t at = inode_next(inode, offset, whence == SEEK_DATA);
    if (at >= inode->facts.size_bytes) {
        return whence == SEEK_DATA ? -ENXIO : (int64_t)inode->facts.size_bytes;
    }
    return (int64_t)at;
}

static int sim_clone(void *context, int from_fd, int to_fd)
{
    struct sim *sim = context;
    const struct sim_fd *d = sim_descriptor(sim, to_fd);
    const struct inode *from = &sim->live.inode[sim_descriptor(sim, from_fd)->inode];
    struct inode *to = &sim->live.inode[d->inode];
    int fault = sim_gate(sim, "clone", true, false);
    if (fault < 0) {
        return fault;
    }
    if (!sim->can_clone) {
        return -EOPNOTSUPP;
    }
    sim_log_call(sim, "clone", d->name, 0, from->facts.size_bytes);
    inode_share(to, from);
    for (uint64_t at = inode_next(to, 0, true); at < from->facts.size_bytes; at = inode_next(to, at, true)) {
        sim_log_sectors(sim, d->inode, at, PAGE_BYTES);
        at += PAGE_BYTES;
    }
    grow(sim, d->inode, from->facts.size_bytes);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

/* ---- facts ---- */

static void fill_stat(const struct sim *sim, uint8_t at, struct stat *out)
{
    const struct inode *inode = &sim->live.inode[at];
    const mode_t kind = inode->kind == INODE_DIRECTORY ? S_IFDIR
                        : inode->kind == INODE_LINK    ? S_IFLNK
                                                       : S_IFREG;
    *out = (struct stat){.st_dev = (dev_t)(1 + inode->device),
                         .st_ino = inode->number,
                         .st_mode = kind | inode->facts.mode,
                         .st_nlink = tree_links(&sim->live, at),
                         .st_uid = inode->facts.uid,
                         .st_gid = inode->facts.gid,
                         .st_size = (off_t)inode->facts.size_bytes,
                         .st_blksize = PAGE_BYTES,
                         .st_blocks = (blkcnt_t)(inode_allocated_bytes(inode) / 512),
                         .st_mtim = inode->facts.mtime};
}

static int sim_fstat(void *context, int fd, struct stat *out)
{
    struct sim *sim = context;
    int fault = sim_gate(sim, "fstat", false, false);
    if (fault == 0) {
        fill_stat(sim, sim_descriptor(sim, fd)->inode, out);
    }
    return fault < 0 ? fault : 0;
}

static int stat_file(struct sim *sim, uint8_t inode, struct stat *out)
{
    int fault = sim_gate(sim, "stat", false, false);
    if (fault < 0 || inode == NO_INODE) {
        return fault < 0 ? fault : -ENOENT;
    }
    fill_stat(sim, inode, out);
    return 0;
}

static int sim_stat(void *context, const char *path, struct stat *out)
{
    return stat_file(context, find_file(context, path), out);
}

static int sim_lstat(void *context, const char *path, struct stat *out)
{
    const struct sim *sim = context;
    return stat_file(context, tree_find(&sim->live, path), out);
}

static int sim_resolve(void *context, const char *path, char *out, size_t out_bytes)
{
    struct sim *sim = context;
    int fault = sim_gate(sim, "realpath", false, false);
    const uint8_t at = find_file(sim, path);
    char there[2 * TREE_NAME_BYTES];
    if (fault < 0 || at == NO_INODE) {
        return fault < 0 ? fault : -ENOENT;
    }
    if (tree_find(&sim->live, path) != at) { /* a link: whatever name it leads to */
        for (unsigned i = 0; i < sim->live.n_entries; i++) {
            if (sim->live.entry[i].target == at) {
                tree_path_of(&sim->live, &sim->live.entry[i], there);
                path = there;
                break;
            }
        }
    }
    size_t length = strlen(path);
    length -= length > 1 && path[length - 1] == '/';
    return (size_t)snprintf(out, out_bytes, "%.*s", (int)length, path) < out_bytes ? 0 : -ENAMETOOLONG;
}

static int sim_list(void *context, const char *directory, int (*each)(void *each_context, const char *name),
                    void *each_context)
{
    struct sim *sim = context;
    uint8_t inode = tree_find(&sim->live, directory);
    int fault = sim_gate(sim, "readdir", false, false);
    if (fault < 0 || inode == NO_INODE) {
        return fault < 0 ? fault : -ENOENT;
    }
    for (unsigned i = 0; i < sim->live.n_entries; i++) {
        const struct entry *entry = &sim->live.entry[i];
        int status = entry->directory == inode ? each(each_context, entry->name) : 0;
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int sim_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    struct sim *sim = context;
    const struct sim_fd *d = sim_descriptor(sim, fd);
    struct inode *inode = &sim->live.inode[d->inode];
    int fault = sim_gate(sim, "ftruncate", true, false);
    if (fault < 0) {
        return fault;
    }
    sim_log_call(sim, "ftruncate", d->name, size_bytes, 0);
    inode_cut(inode, size_bytes);
    inode->has_past = false;
    inode->facts.size_bytes = size_bytes;
    sim_touch(sim, inode);
    sim_log_facts(sim, d->inode, true);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

/* Has the file got bytes or another length since it was last flushed? */
static bool content_waits(const struct sim *sim, uint8_t inode)
{
    for (size_t i = sim->n_items; i > 0; i--) {
        const struct item *item = &sim->item[i - 1];
        if (item->inode == inode &&
            (item->kind == ITEM_SECTOR || item->kind == ITEM_HOLE || item->kind == ITEM_SHIFT ||
             item->kind == ITEM_SYNC || item->truncates)) {
            return item->kind != ITEM_SYNC;
        }
    }
    return false;
}

/* fdatasync: the date that the disk has stays, and the one that the file has still waits. */
static void log_datasync(struct sim *sim, uint8_t inode)
{
    const struct timespec now = sim->live.inode[inode].facts.mtime;
    struct item *item = sim_log_item(sim, ITEM_FACTS, inode);
    item->facts = sim->live.inode[inode].facts;
    item->facts.mtime = sim->is_synced[inode] ? sim->synced_mtime[inode] : sim->base.inode[inode].facts.mtime;
    sim_log_item(sim, ITEM_SYNC, inode);
    item = sim_log_item(sim, ITEM_FACTS, inode);
    item->facts = sim->live.inode[inode].facts;
    item->facts.mtime = now;
}

static void log_fsync(struct sim *sim, uint8_t inode)
{
    sim->synced_mtime[inode] = sim->live.inode[inode].facts.mtime;
    sim->is_synced[inode] = true;
    sim_log_item(sim, ITEM_SYNC, inode);
}

static int flush(struct sim *sim, int fd, bool data_only)
{
    const struct sim_fd *d = sim_descriptor(sim, fd);
    const bool directory = sim->live.inode[d->inode].kind == INODE_DIRECTORY;
    const char *name = d->name;
    int fault = sim_gate(sim, directory ? "fsync (directory)" : "fsync", true, false);
    sim_log_call(sim, fault == FAULT_NONE ? "fsync" : "fsync (failed)", name, 0, 0);
    if (fault == FAULT_NONE && directory &&
        sim->live.device[sim->live.inode[d->inode].device].no_directory_sync) {
        return -EINVAL;
    }
    const uint64_t takes_ns = content_waits(sim, d->inode) ? SIM_FLUSH_NS : 0; /* to fail, too */
    if (fault < 0) {
        sim->clock_ns += takes_ns;
        sim_log_item(sim, ITEM_LOSE, d->inode);
        return fault;
    }
    if (++sim->n_syncs == sim->fault.skip_sync) {
        memccpy(sim->skipped, name, '\0', sizeof sim->skipped - 1);
        return 0;
    }
    sim->clock_ns += takes_ns;
    (data_only ? log_datasync : log_fsync)(sim, d->inode);
    sim_room_flushed(sim, d->inode);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

static int sim_fsync(void *context, int fd)
{
    return flush(context, fd, false);
}

static int sim_datasync(void *context, int fd)
{
    return flush(context, fd, true);
}

/* What changes facts only. */
static int set_facts(struct sim *sim, const char *call, int fd, const struct facts *facts)
{
    const struct sim_fd *d = sim_descriptor(sim, fd);
    int fault = sim_gate(sim, call, true, false);
    if (fault < 0) {
        return fault;
    }
    if (strcmp(call, "fsetxattr") == 0 ? !may(sim, d->inode, MAY_WRITE) : !owns(sim, d->inode)) {
        return -EPERM;
    }
    sim_log_call(sim, call, d->name, 0, 0);
    sim->live.inode[d->inode].facts = *facts;
    sim_log_facts(sim, d->inode, false);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

static struct facts facts_of(struct sim *sim, int fd)
{
    return sim->live.inode[sim_descriptor(sim, fd)->inode].facts;
}

static int sim_futimens(void *context, int fd, const struct timespec times[2])
{
    struct facts facts = facts_of(context, fd);
    if (times[1].tv_nsec != UTIME_OMIT) {
        struct sim *sim = context;
        const struct inode *inode = &sim->live.inode[sim_descriptor(sim, fd)->inode];
        const struct timespec date = times[1].tv_nsec == UTIME_NOW ? sim_tick(sim) : times[1];
        facts.mtime = sim_kept_date(&sim->live, inode, date);
    }
    return set_facts(context, "futimens", fd, &facts);
}

static int sim_fchown(void *context, int fd, uid_t uid, gid_t gid)
{
    const struct sim *sim = context;
    struct facts facts = facts_of(context, fd);
    if (sim->caller != 0 && uid != facts.uid) {
        return -EPERM; /* nobody gives files away */
    }
    facts.uid = uid;
    facts.gid = gid;
    return set_facts(context, "fchown", fd, &facts);
}

static int sim_fchmod(void *context, int fd, mode_t mode)
{
    struct facts facts = facts_of(context, fd);
    facts.mode = mode;
    return set_facts(context, "fchmod", fd, &facts);
}

static int sim_fsetxattr(void *context, int fd, const char *name, const void *value, size_t n_bytes)
{
    struct facts facts = facts_of(context, fd);
    memory_require(strlen(name) < sizeof facts.xattr_name && n_bytes <= sizeof facts.xattr_value, "xattr");
    memcpy(facts.xattr_name, name, strlen(name) + 1);
    memcpy(facts.xattr_value, value, n_bytes);
    facts.xattr_bytes = (uint32_t)n_bytes;
    return set_facts(context, "fsetxattr", fd, &facts);
}

static ssize_t give(const void *what, size_t length, void *buffer, size_t n_bytes)
{
    if (n_bytes > 0) {
        if (length > n_bytes) {
            return -ERANGE;
        }
        memcpy(buffer, what, length);
    }
    return (ssize_t)length;
}

static ssize_t sim_flistxattr(void *context, int fd, char *names, size_t n_bytes)
{
    struct facts facts = facts_of(context, fd);
    int fault = sim_gate(context, "flistxattr", false, false);
    size_t length = strlen(facts.xattr_name);
    return fault < 0 ? fault : give(facts.xattr_name, length == 0 ? 0 : length + 1, names, n_bytes);
}

static ssize_t sim_fgetxattr(void *context, int fd, const char *name, void *value, size_t n_bytes)
{
    struct facts facts = facts_of(context, fd);
    int fault = sim_gate(context, "fgetxattr", false, false);
    if (fault < 0 || strcmp(name, facts.xattr_name) != 0) {
        return fault < 0 ? fault : -ENODATA;
    }
    return give(facts.xattr_value, facts.xattr_bytes, value, n_bytes);
}

/* ---- names ---- */

static int sim_link(void *context, const char *from, const char *to)
{
    struct sim *sim = context;
    const char *name = "";
    uint8_t inode = tree_find(&sim->live, from);
    uint8_t directory = tree_find_directory(&sim->live, to, &name);
    int fault = sim_gate(sim, "link", true, false);
    if (fault < 0) {
        return fault;
    }
    if (inode == NO_INODE || directory == NO_INODE) {
        return -ENOENT;
    }
    if (tree_find(&sim->live, to) != NO_INODE) {
        return -EEXIST;
    }
    if (sim->live.inode[inode].device != sim->live.inode[directory].device) {
        return -EXDEV;
    }
    if (sim->live.device[sim->live.inode[inode].device].no_links) {
        return -EPERM;
    }
    if (!may_name(sim, directory, NO_INODE)) {
        return -EACCES;
    }
    sim_log_call(sim, "link", name, 0, 0);
    sim_log_entry(sim, directory, name, inode, NULL);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

static int sim_rename(void *context, const char *from, const char *to, bool replace)
{
    struct sim *sim = context;
    const char *old_name = "", *name = "";
    uint8_t inode = tree_find(&sim->live, from);
    uint8_t old_directory = tree_find_directory(&sim->live, from, &old_name);
    uint8_t directory = tree_find_directory(&sim->live, to, &name);
    int fault = sim_gate(sim, "rename", true, false);
    if (fault < 0) {
        return fault;
    }
    if (inode == NO_INODE || directory == NO_INODE) {
        return -ENOENT;
    }
    memory_require(directory == old_directory, "a rename across directories");
    const uint8_t there = tree_find(&sim->live, to);
    if (!replace && there != NO_INODE) {
        return -EEXIST;
    }
    if (there != NO_INODE && sim->live.inode[there].kind == INODE_DIRECTORY) {
        return -EISDIR;
    }
    if (!may_name(sim, directory, inode) || !may_name(sim, directory, there)) {
        return -EACCES;
    }
    if (there == inode) {
        return 0; /* two names of one file: both stay, as POSIX has it */
    }
    sim_log_call(sim, "rename to", name, 0, 0);
    sim_log_entry(sim, directory, name, inode, strcmp(old_name, name) != 0 ? old_name : NULL);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

static int sim_unlink(void *context, const char *path)
{
    struct sim *sim = context;
    const char *name = "";
    uint8_t directory = tree_find_directory(&sim->live, path, &name);
    int fault = sim_gate(sim, "unlink", true, false);
    if (fault < 0) {
        return fault;
    }
    const uint8_t inode = tree_find(&sim->live, path);
    if (inode == NO_INODE) {
        return -ENOENT;
    }
    if (sim->live.inode[inode].kind == INODE_DIRECTORY) {
        return -EISDIR;
    }
    if (!may_name(sim, directory, inode)) {
        return -EACCES;
    }
    sim_log_call(sim, "unlink", name, 0, 0);
    sim_log_entry(sim, directory, name, NO_INODE, NULL);
    return fault == FAULT_LATE ? -sim->fault.error : 0;
}

/* ---- locks, time, room ---- */

static bool locked_elsewhere(const struct sim *sim, const struct sim_fd *me, bool write)
{
    for (unsigned i = 0; i < SIM_FDS; i++) {
        const struct sim_fd *other = &sim->fd[i];
        if (other != me && other->used && other->locked && other->inode == me->inode &&
            (write || other->write_locked)) {
            return true;
        }
    }
    return false;
}

static int sim_lock(void *context, int fd, enum io_lock lock)
{
    struct sim *sim = context;
    struct sim_fd *d = sim_descriptor(sim, fd);
    int fault = sim_gate(sim, "lock", false, false);
    if (fault < 0) {
        return fault;
    }
    if (locked_elsewhere(sim, d, lock == IO_LOCK_WRITE)) {
        return -EAGAIN;
    }
    d->locked = true;
    d->write_locked = lock == IO_LOCK_WRITE;
    return 0;
}

static int sim_lock_holder(void *context, int fd, enum io_lock lock, int64_t *pid)
{
    struct sim *sim = context;
    int fault = sim_gate(sim, "lock_holder", false, false);
    *pid = 0;
    return fault < 0 ? fault : locked_elsewhere(sim, sim_descriptor(sim, fd), lock == IO_LOCK_WRITE);
}

static int sim_has_writer(void *context, int fd)
{
    struct sim *sim = context;
    const struct sim_fd *d = sim_descriptor(sim, fd);
    int fault = sim_gate(sim, "has_writer", false, false);
    for (unsigned i = 0; fault == 0 && i < SIM_FDS; i++) {
        if (sim->fd[i].used && sim->fd[i].inode == d->inode && (sim->fd[i].flags & O_ACCMODE) != O_RDONLY) {
            return 1;
        }
    }
    return fault < 0 ? fault : 0;
}

static int sim_filesystem_id(void *context, int fd, uint8_t id[IO_FILESYSTEM_ID_BYTES])
{
    struct sim *sim = context;
    const struct inode *inode = &sim->live.inode[sim_descriptor(sim, fd)->inode];
    memset(id, 1 + sim->live.device[inode->device].other_id, IO_FILESYSTEM_ID_BYTES);
    return 0;
}

static uid_t sim_caller(void *context)
{
    const struct sim *sim = context;
    return sim->caller;
}

static void sim_now(void *context, struct timespec *out)
{
    struct sim *sim = context;
    sim->clock_ns += SIM_CALL_NS;
    *out = (struct timespec){.tv_sec = (time_t)(sim->clock_ns / 1000000000),
                             .tv_nsec = (long)(sim->clock_ns % 1000000000)};
}

static void sim_pause(void *context, unsigned milliseconds)
{
    struct sim *sim = context;
    sim->clock_ns += milliseconds * UINT64_C(1000000);
}

/* No two calls are at the same time, and no machine begins at the time of the one before it. */
static int sim_random(void *context, void *out, size_t n_bytes)
{
    struct sim *sim = context;
    struct rng rng = {sim->clock_ns};
    uint8_t *to = out;
    int fault = sim_gate(sim, "getrandom", false, false);
    for (size_t i = 0; fault == 0 && i < n_bytes; i++) {
        to[i] = (uint8_t)rng_next(&rng);
    }
    return fault < 0 ? fault : 0;
}

/* ---- the table ---- */

const struct cow_io sim_table = {.open = sim_open,
                                 .close = sim_close,
                                 .pread = sim_pread,
                                 .pwrite = sim_pwrite,
                                 .copy_range = sim_copy_range,
                                 .seek = sim_seek,
                                 .clone = sim_clone,
                                 .fstat = sim_fstat,
                                 .stat = sim_stat,
                                 .lstat = sim_lstat,
                                 .resolve = sim_resolve,
                                 .list = sim_list,
                                 .ftruncate = sim_ftruncate,
                                 .fallocate = sim_fallocate,
                                 .can_insert = sim_can_insert,
                                 .fsync = sim_fsync,
                                 .datasync = sim_datasync,
                                 .futimens = sim_futimens,
                                 .fchown = sim_fchown,
                                 .fchmod = sim_fchmod,
                                 .fsetxattr = sim_fsetxattr,
                                 .flistxattr = sim_flistxattr,
                                 .fgetxattr = sim_fgetxattr,
                                 .link = sim_link,
                                 .rename = sim_rename,
                                 .unlink = sim_unlink,
                                 .lock = sim_lock,
                                 .lock_holder = sim_lock_holder,
                                 .has_writer = sim_has_writer,
                                 .filesystem_id = sim_filesystem_id,
                                 .caller = sim_caller,
                                 .random = sim_random,
                                 .now = sim_now,
                                 .pause = sim_pause,
                                 .free_bytes = sim_free_bytes};
