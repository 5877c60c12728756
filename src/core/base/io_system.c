/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The operating system's calls, behind the table. Linux: OFD locks, copy_file_range, SEEK_DATA, reflinks.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/io.h"

/* The answer of a system call as the table wants it. */
static int answer_or_errno(int result)
{
    return result < 0 ? -errno : result;
}

static int system_open(void *context, const char *path, int flags, mode_t mode)
{
    (void)context;
    return answer_or_errno(open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
}

static int system_close(void *context, int fd)
{
    (void)context;
    return answer_or_errno(close(fd));
}

static ssize_t system_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    (void)context;
    ssize_t n = pread(fd, buffer, n_bytes, (off_t)offset);
    return n < 0 ? -errno : n;
}

static ssize_t system_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    (void)context;
    ssize_t n = pwrite(fd, buffer, n_bytes, (off_t)offset);
    return n < 0 ? -errno : n;
}

static ssize_t system_write(void *context, int fd, const void *buffer, size_t n_bytes)
{
    enum { WAIT_MS = 100, PIECE_BYTES = 64 * 1024 };
    struct pollfd output = {.fd = fd, .events = POLLOUT};
    (void)context;
    int ready = poll(&output, 1, WAIT_MS); /* a signal that comes just before a write would not end it */
    if (ready <= 0) {
        return ready < 0 && errno != EINTR ? -errno : -EAGAIN;
    }
    ssize_t n = write(fd, buffer, n_bytes < PIECE_BYTES ? n_bytes : PIECE_BYTES);
    return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t system_copy_range(void *context, int from_fd, uint64_t from_offset, int to_fd,
                                 uint64_t to_offset, size_t n_bytes)
{
    (void)context;
    off_t from = (off_t)from_offset;
    off_t to = (off_t)to_offset;
    ssize_t n = copy_file_range(from_fd, &from, to_fd, &to, n_bytes, 0);
    return n < 0 ? -errno : n;
}

static int64_t system_seek(void *context, int fd, uint64_t offset, int whence)
{
    (void)context;
    off_t at = lseek(fd, (off_t)offset, whence);
    return at < 0 ? -errno : at;
}

static int system_clone(void *context, int from_fd, int to_fd)
{
    (void)context;
    return answer_or_errno(ioctl(to_fd, FICLONE, from_fd));
}

static int system_fstat(void *context, int fd, struct stat *out)
{
    (void)context;
    uint64_t size_bytes;
    if (fstat(fd, out) < 0) {
        return -errno;
    }
    if (S_ISBLK(out->st_mode)) {
        if (ioctl(fd, BLKGETSIZE64, &size_bytes) < 0) {
            return -errno;
        }
        out->st_size = (off_t)size_bytes;
        out->st_blocks = (blkcnt_t)(size_bytes / 512);
    }
    return 0;
}

static int system_shown_file(void *context, int fd, struct stat *out)
{
    struct loop_info64 loop;
    (void)context;
    if (ioctl(fd, LOOP_GET_STATUS64, &loop) < 0) {
        return 0;
    }
    out->st_dev = (dev_t)loop.lo_device;
    out->st_ino = (ino_t)loop.lo_inode;
    return 1;
}

static int system_stat(void *context, const char *path, struct stat *out)
{
    (void)context;
    return answer_or_errno(stat(path, out));
}

static int system_lstat(void *context, const char *path, struct stat *out)
{
    (void)context;
    return answer_or_errno(lstat(path, out));
}

static int system_resolve(void *context, const char *path, char *out, size_t out_bytes)
{
    (void)context;
    char *resolved = realpath(path, NULL);
    if (resolved == NULL) {
        return -errno;
    }
    size_t n_bytes = strlen(resolved) + 1;
    if (n_bytes <= out_bytes) {
        memcpy(out, resolved, n_bytes);
    }
    free(resolved);
    return n_bytes <= out_bytes ? 0 : -ENAMETOOLONG;
}

static int system_list(void *context, const char *directory,
                       int (*each)(void *each_context, const char *name), void *each_context)
{
    (void)context;
    DIR *open_directory = opendir(directory);
    if (open_directory == NULL) {
        return -errno;
    }
    int status = 0;
    const struct dirent *entry;
    errno = 0;
    while (status == 0 && (entry = readdir(open_directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            status = each(each_context, entry->d_name);
        }
        errno = 0;
    }
    if (status == 0 && errno != 0) {
        status = -errno;
    }
    closedir(open_directory);
    return status;
}

static int system_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    (void)context;
    return answer_or_errno(ftruncate(fd, (off_t)size_bytes));
}

static int system_fsync(void *context, int fd)
{
    (void)context;
    return answer_or_errno(fsync(fd));
}

static int system_datasync(void *context, int fd)
{
    (void)context;
    return answer_or_errno(fdatasync(fd));
}

/* It neither waits nor takes a failure away from the fsync that follows. */
static void system_start_writing(void *context, int fd, uint64_t offset, uint64_t n_bytes)
{
    (void)context;
    (void)sync_file_range(fd, (off_t)offset, (off_t)n_bytes, SYNC_FILE_RANGE_WRITE);
}

static int system_futimens(void *context, int fd, const struct timespec times[2])
{
    (void)context;
    struct timespec both[2] = {times[0], times[1]};
    struct stat facts;
    /* To set one of two dates is done by nobody, and told to nobody, where a filesystem is made with libfuse
     * 2 (exFAT, NTFS). */
    if (both[0].tv_nsec == UTIME_OMIT && fstat(fd, &facts) == 0) {
        both[0] = facts.st_atim;
    }
    return answer_or_errno(futimens(fd, both));
}

static int system_fchown(void *context, int fd, uid_t uid, gid_t gid)
{
    (void)context;
    return answer_or_errno(fchown(fd, uid, gid));
}

static int system_fchmod(void *context, int fd, mode_t mode)
{
    (void)context;
    return answer_or_errno(fchmod(fd, mode));
}

static int system_fsetxattr(void *context, int fd, const char *name, const void *value, size_t n_bytes)
{
    (void)context;
    return answer_or_errno(fsetxattr(fd, name, value, n_bytes, 0));
}

static ssize_t system_flistxattr(void *context, int fd, char *names, size_t n_bytes)
{
    (void)context;
    ssize_t n = flistxattr(fd, names, n_bytes);
    return n < 0 ? -errno : n;
}

static ssize_t system_fgetxattr(void *context, int fd, const char *name, void *value, size_t n_bytes)
{
    (void)context;
    ssize_t n = fgetxattr(fd, name, value, n_bytes);
    return n < 0 ? -errno : n;
}

static int system_link(void *context, const char *from, const char *to)
{
    (void)context;
    return answer_or_errno(link(from, to));
}

/* Without links (FAT, CIFS) the name is taken first, by an empty file, and that is replaced. A kill in
 * between leaves the empty file. */
static int rename_onto_own(const char *from, const char *to)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    int status = answer_or_errno(rename(from, to));
    if (status < 0) {
        unlink(to);
    }
    return status;
}

static int system_rename(void *context, const char *from, const char *to, bool replace)
{
    (void)context;
    if (replace) {
        return answer_or_errno(rename(from, to));
    }
    int status = answer_or_errno(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
    if (status != -EINVAL && status != -ENOSYS && status != -EOPNOTSUPP) {
        return status;
    }
    /* This filesystem cannot (NFS, some FUSE): a link is as good, for it fails where the name exists. */
    status = answer_or_errno(link(from, to));
    if (status == 0) {
        return answer_or_errno(unlink(from));
    }
    return status == -EEXIST ? status : rename_onto_own(from, to);
}

static int system_unlink(void *context, const char *path)
{
    (void)context;
    return answer_or_errno(unlink(path));
}

static struct flock whole_file(enum io_lock lock)
{
    return (struct flock){.l_type = lock == IO_LOCK_WRITE ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
}

static int system_lock(void *context, int fd, enum io_lock lock)
{
    (void)context;
    /* An OFD lock: it conflicts with the POSIX locks of UML, and unlike one it does not vanish when some
     * other descriptor of the same file is closed in this process. */
    struct flock request = whole_file(lock);
    return answer_or_errno(fcntl(fd, F_OFD_SETLK, &request));
}

static int system_lock_holder(void *context, int fd, enum io_lock lock, int64_t *pid)
{
    (void)context;
    struct flock request = whole_file(lock);
    if (fcntl(fd, F_OFD_GETLK, &request) < 0) {
        return -errno;
    }
    if (request.l_type == F_UNLCK) {
        return 0;
    }
    *pid = request.l_pid > 0 ? request.l_pid : 0;
    return 1;
}

static int system_has_writer(void *context, int fd)
{
    (void)context;
    /* A read lease is granted only where nobody has the file open for writing. Whoever opens it while we hold
     * the lease has a signal sent to us, SIGIO if nothing else is said, and that kills. SIGURG is ignored
     * unless somebody asks for it. */
    if (fcntl(fd, F_SETSIG, SIGURG) < 0) {
        return -errno;
    }
    int status = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 ? (errno == EAGAIN ? 1 : -errno) : 0;
    if (status == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
    }
    return status;
}

/* The UUID, from kernels that tell it (6.9 and later). Without that, what statfs makes of it where it makes
 * it of nothing else: elsewhere it is made of device numbers, which change. */
static int system_filesystem_id(void *context, int fd, uint8_t id[IO_FILESYSTEM_ID_BYTES])
{
    struct {
        uint8_t n_bytes;
        uint8_t bytes[16];
    } uuid;
    const unsigned long get_uuid = _IOR(0x15, 0, uuid); /* FS_IOC_GETFSUUID */
    struct statfs facts;
    (void)context;
    memset(id, 0, IO_FILESYSTEM_ID_BYTES);
    if (ioctl(fd, get_uuid, &uuid) == 0 && uuid.n_bytes > 0 && uuid.n_bytes <= sizeof uuid.bytes) {
        id[0] = 1;
        memcpy(id + 1, uuid.bytes, uuid.n_bytes);
        return 0;
    }
    if (fstatfs(fd, &facts) < 0) {
        return -errno;
    }
    if (facts.f_type != EXT4_SUPER_MAGIC && facts.f_type != BTRFS_SUPER_MAGIC) {
        return -EOPNOTSUPP;
    }
    id[0] = 2;
    memcpy(id + 1, &facts.f_fsid, sizeof facts.f_fsid);
    return 0;
}

static int system_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes)
{
    static const int modes[] = {
        [IO_ROOM_INSERT] = FALLOC_FL_INSERT_RANGE,
        [IO_ROOM_COLLAPSE] = FALLOC_FL_COLLAPSE_RANGE,
        [IO_ROOM_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
    };
    (void)context;
    if (offset > INT64_MAX || n_bytes > INT64_MAX) {
        return -EFBIG;
    }
    return fallocate(fd, modes[how], (off_t)offset, (off_t)n_bytes) < 0 ? -errno : 0;
}

/* Does what is said to be possible happen? Clusters of ext4 and extents of a realtime device take other
 * units than the block that statfs tells of. */
static bool trial_insert(int fd, uint64_t offset, uint64_t n_bytes)
{
    const uint8_t sent = 'x';
    uint8_t back = 0;
    struct stat facts;
    return pwrite(fd, &sent, 1, (off_t)offset) == 1 &&
           fallocate(fd, FALLOC_FL_INSERT_RANGE, (off_t)offset, (off_t)n_bytes) == 0 &&
           pread(fd, &back, 1, (off_t)(offset + n_bytes)) == 1 && back == sent && fstat(fd, &facts) == 0 &&
           (uint64_t)facts.st_size == offset + n_bytes + 1 &&
           fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, (off_t)offset, (off_t)n_bytes) == 0 &&
           pread(fd, &back, 1, (off_t)offset) == 1 && back == sent;
}

static int system_can_insert(void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes)
{
    struct statfs facts;
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    (void)context;
    if (offset > INT64_MAX / 2 || n_bytes > INT64_MAX / 2 || length >= sizeof directory ||
        fstatfs(fd, &facts) < 0) {
        return 0;
    }
    /* Of the others that have the call none keeps what a cut-off one leaves to the rules that recovery knows.
     */
    if ((uint32_t)facts.f_type != EXT4_SUPER_MAGIC && (uint32_t)facts.f_type != XFS_SUPER_MAGIC) {
        return 0;
    }
    memcpy(directory, path, length);
    directory[length] = '\0';
    int trial = open(length == 0 ? "." : directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (trial < 0) {
        return 0;
    }
    const bool can = trial_insert(trial, offset, n_bytes);
    close(trial);
    return can;
}

static int system_random(void *context, void *out, size_t n_bytes)
{
    (void)context;
    return getrandom(out, n_bytes, 0) == (ssize_t)n_bytes ? 0 : -EIO;
}

static uid_t system_caller(void *context)
{
    (void)context;
    return geteuid();
}

static void system_pause(void *context, unsigned milliseconds)
{
    const struct timespec wait = {.tv_sec = (time_t)(milliseconds / 1000),
                                  .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    (void)context;
    (void)nanosleep(&wait, NULL); /* one that a signal ends is asked for again */
}

static void system_now(void *context, struct timespec *out)
{
    (void)context;
    clock_gettime(CLOCK_REALTIME, out);
}

static int system_free_bytes(void *context, int fd, uint64_t *out)
{
    (void)context;
    struct statvfs facts;
    if (fstatvfs(fd, &facts) < 0) {
        return -errno;
    }
    *out = (uint64_t)facts.f_bavail * facts.f_frsize;
    return 0;
}

/* Does a file have blocks in common with another one (reflinks, snapshots)? Where the filesystem does not
 * tell, it has not. */
static bool shares_blocks(int fd)
{
    enum { EXTENTS = 64 };
    union {
        struct fiemap map;
        uint64_t room[(sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)) / sizeof(uint64_t)];
    } u;
    const struct fiemap_extent *extent;
    uint64_t begin = 0;
    do {
        memset(&u, 0, sizeof u.map);
        u.map.fm_start = begin;
        u.map.fm_length = FIEMAP_MAX_OFFSET - begin;
        u.map.fm_extent_count = EXTENTS;
        if (ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0 || u.map.fm_mapped_extents == 0) {
            return false;
        }
        for (uint32_t i = 0; i < u.map.fm_mapped_extents; i++) {
            extent = &u.map.fm_extents[i];
            if ((extent->fe_flags & FIEMAP_EXTENT_SHARED) != 0) {
                return true;
            }
            begin = extent->fe_logical + extent->fe_length;
        }
    } while ((extent->fe_flags & FIEMAP_EXTENT_LAST) == 0);
    return false;
}

static int system_writes_elsewhere(void *context, int fd)
{
    enum { NILFS_MAGIC = 0x3434 };
    const uint32_t zfs_magic = 0x2fc12fc1, bcachefs_magic = 0xca451a4e;
    struct statfs facts;
    (void)context;
    if (fstatfs(fd, &facts) < 0) {
        return -errno;
    }
    const uint32_t type = (uint32_t)facts.f_type;
    unsigned flags = 0; /* the call takes a pointer to long, and writes an int */
    if (type == BTRFS_SUPER_MAGIC && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NOCOW_FL) != 0) {
        return shares_blocks(fd); /* chattr +C: once for each block of a snapshot */
    }
    return type == BTRFS_SUPER_MAGIC || type == zfs_magic || type == bcachefs_magic || type == NILFS_MAGIC ||
           shares_blocks(fd);
}

static int system_counts_blocks(void *context, const char *directory)
{
    struct statfs facts;
    (void)context;
    return statfs(directory, &facts) == 0 &&
           ((uint32_t)facts.f_type == EXT4_SUPER_MAGIC || (uint32_t)facts.f_type == XFS_SUPER_MAGIC ||
            (uint32_t)facts.f_type == TMPFS_MAGIC);
}

const struct cow_io io_system = {
    .open = system_open,
    .close = system_close,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .write = system_write,
    .copy_range = system_copy_range,
    .seek = system_seek,
    .clone = system_clone,
    .fstat = system_fstat,
    .shown_file = system_shown_file,
    .stat = system_stat,
    .lstat = system_lstat,
    .resolve = system_resolve,
    .list = system_list,
    .ftruncate = system_ftruncate,
    .fallocate = system_fallocate,
    .can_insert = system_can_insert,
    .fsync = system_fsync,
    .datasync = system_datasync,
    .start_writing = system_start_writing,
    .futimens = system_futimens,
    .fchown = system_fchown,
    .fchmod = system_fchmod,
    .fsetxattr = system_fsetxattr,
    .flistxattr = system_flistxattr,
    .fgetxattr = system_fgetxattr,
    .link = system_link,
    .rename = system_rename,
    .unlink = system_unlink,
    .lock = system_lock,
    .lock_holder = system_lock_holder,
    .has_writer = system_has_writer,
    .filesystem_id = system_filesystem_id,
    .caller = system_caller,
    .random = system_random,
    .now = system_now,
    .pause = system_pause,
    .free_bytes = system_free_bytes,
    .writes_elsewhere = system_writes_elsewhere,
    .counts_blocks = system_counts_blocks,
};
