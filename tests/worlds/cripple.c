/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A filesystem that passes everything on to a directory, but for what it is told not to have:
 *
 *     cripple DIRECTORY MOUNTPOINT -o LACKS[,LACKS...]
 *
 *     nolink            no hard links                      EPERM
 *     norename2         no flags of renameat2              EINVAL
 *     nodirsync         no fsync of a directory            EINVAL
 *     nolocks           no locks                           ENOLCK
 *     nochmod, nochown  no other modes (all the same, as on FAT), no other owners    EPERM
 *     noxattr           no extended attributes             EOPNOTSUPP
 *     nocopyrange=WHY   no copy_file_range                 WHY: EPERM, EIO, ETXTBSY, EOPNOTSUPP
 *     coarsedates=N     dates in steps of N seconds
 *     newinodes         inode numbers that a new mount, and a name that was forgotten, give anew
 *     smallnames=N      names of at most N bytes           ENAMETOOLONG
 */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct lacks {
    int link, rename2, dirsync, locks, chmod, chown, xattr, newinodes;
    char *copyrange;
    int coarsedates;
    int smallnames;
} lacks;

static char root[PATH_MAX];

#define LACK(text, member)                                                                                   \
    {                                                                                                        \
        text, offsetof(struct lacks, member), 1                                                              \
    }
static const struct fuse_opt options[] = {LACK("nolink", link),
                                          LACK("norename2", rename2),
                                          LACK("nodirsync", dirsync),
                                          LACK("nolocks", locks),
                                          LACK("nochmod", chmod),
                                          LACK("nochown", chown),
                                          LACK("noxattr", xattr),
                                          LACK("newinodes", newinodes),
                                          LACK("nocopyrange=%s", copyrange),
                                          LACK("coarsedates=%d", coarsedates),
                                          LACK("smallnames=%d", smallnames),
                                          FUSE_OPT_END};

static int answer(long result)
{
    return result < 0 ? -errno : (int)result;
}

/* The real name of a path, or NULL with errno. */
static const char *real(char out[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    if (lacks.smallnames > 0 && slash != NULL && strlen(slash + 1) > (size_t)lacks.smallnames) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (snprintf(out, PATH_MAX, "%s%s", root, path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return out;
}

/* `name` is the real name of `path` in what follows. */
#define REAL(name, path)                                                                                     \
    char name##_bytes[PATH_MAX];                                                                             \
    const char *name = real(name##_bytes, path);                                                             \
    if (name == NULL)                                                                                        \
    return -errno

static int handle(const struct fuse_file_info *fi)
{
    return (int)fi->fh;
}

static void coarsen(struct timespec *t)
{
    if (lacks.coarsedates > 0 && t->tv_nsec != UTIME_OMIT && t->tv_nsec != UTIME_NOW) {
        t->tv_sec -= t->tv_sec % lacks.coarsedates;
        t->tv_nsec = 0;
    }
}

static int do_getattr(const char *path, struct stat *out, struct fuse_file_info *fi)
{
    REAL(name, path);
    int status = answer(fi != NULL ? fstat(handle(fi), out) : lstat(name, out));
    coarsen(&out->st_mtim);
    coarsen(&out->st_ctim);
    coarsen(&out->st_atim);
    if (lacks.chmod != 0) {
        out->st_mode = (out->st_mode & S_IFMT) | 0755;
    }
    return status;
}

static int do_readlink(const char *path, char *out, size_t n_bytes)
{
    REAL(name, path);
    ssize_t n = readlink(name, out, n_bytes - 1);
    if (n < 0) {
        return -errno;
    }
    out[n] = '\0';
    return 0;
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
    (void)offset, (void)fi, (void)flags;
    REAL(name, path);
    DIR *directory = opendir(name);
    if (directory == NULL) {
        return -errno;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        struct stat facts = {.st_ino = entry->d_ino, .st_mode = (mode_t)entry->d_type << 12};
        if (fill(buffer, entry->d_name, &facts, 0, (enum fuse_fill_dir_flags)0) != 0) {
            break;
        }
    }
    closedir(directory);
    return 0;
}

static int do_mkdir(const char *path, mode_t mode)
{
    REAL(name, path);
    return answer(mkdir(name, mode));
}

static int do_unlink(const char *path)
{
    REAL(name, path);
    return answer(unlink(name));
}

static int do_rmdir(const char *path)
{
    REAL(name, path);
    return answer(rmdir(name));
}

static int do_symlink(const char *target, const char *path)
{
    REAL(name, path);
    return answer(symlink(target, name));
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
    REAL(old, from);
    REAL(new, to);
    if (flags != 0 && lacks.rename2 != 0) {
        return -EINVAL;
    }
    return answer(renameat2(AT_FDCWD, old, AT_FDCWD, new, flags));
}

static int do_link(const char *from, const char *to)
{
    REAL(old, from);
    REAL(new, to);
    return lacks.link != 0 ? -EPERM : answer(link(old, new));
}

static int do_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    (void)fi;
    REAL(name, path);
    return lacks.chmod != 0 ? -EPERM : answer(chmod(name, mode));
}

static int do_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
    (void)fi;
    REAL(name, path);
    return lacks.chown != 0 ? -EPERM : answer(lchown(name, uid, gid));
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
    REAL(name, path);
    return answer(fi != NULL ? ftruncate(handle(fi), size) : truncate(name, size));
}

static int do_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *fi)
{
    (void)fi;
    REAL(name, path);
    struct timespec kept[2] = {times[0], times[1]};
    coarsen(&kept[0]);
    coarsen(&kept[1]);
    return answer(utimensat(AT_FDCWD, name, kept, AT_SYMLINK_NOFOLLOW));
}

static int opened(struct fuse_file_info *fi, int fd)
{
    if (fd < 0) {
        return -errno;
    }
    fi->fh = (uint64_t)fd;
    return 0;
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    REAL(name, path);
    return opened(fi, open(name, (fi->flags & ~O_APPEND) | O_CREAT, mode));
}

static int do_open(const char *path, struct fuse_file_info *fi)
{
    REAL(name, path);
    return opened(fi, open(name, fi->flags & ~O_APPEND));
}

static int do_read(const char *path, char *out, size_t n_bytes, off_t offset, struct fuse_file_info *fi)
{
    (void)path;
    return answer(pread(handle(fi), out, n_bytes, offset));
}

static int do_write(const char *path, const char *bytes, size_t n_bytes, off_t offset,
                    struct fuse_file_info *fi)
{
    (void)path;
    return answer(pwrite(handle(fi), bytes, n_bytes, offset));
}

static int do_statfs(const char *path, struct statvfs *out)
{
    REAL(name, path);
    int status = answer(statvfs(name, out));
    if (lacks.smallnames > 0) {
        out->f_namemax = (unsigned long)lacks.smallnames;
    }
    return status;
}

static int do_release(const char *path, struct fuse_file_info *fi)
{
    (void)path;
    close(handle(fi));
    return 0;
}

static int do_fsync(const char *path, int only_data, struct fuse_file_info *fi)
{
    (void)path;
    return answer(only_data != 0 ? fdatasync(handle(fi)) : fsync(handle(fi)));
}

static int do_fsyncdir(const char *path, int only_data, struct fuse_file_info *fi)
{
    (void)only_data, (void)fi;
    REAL(name, path);
    int fd = lacks.dirsync != 0 ? (errno = EINVAL, -1) : open(name, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return -errno;
    }
    int status = answer(fsync(fd));
    close(fd);
    return status;
}

static int do_setxattr(const char *path, const char *name, const char *value, size_t n_bytes, int flags)
{
    REAL(file, path);
    return lacks.xattr != 0 ? -EOPNOTSUPP : answer(lsetxattr(file, name, value, n_bytes, flags));
}

static int do_getxattr(const char *path, const char *name, char *value, size_t n_bytes)
{
    REAL(file, path);
    return lacks.xattr != 0 ? -EOPNOTSUPP : answer(lgetxattr(file, name, value, n_bytes));
}

static int do_listxattr(const char *path, char *names, size_t n_bytes)
{
    REAL(file, path);
    return lacks.xattr != 0 ? -EOPNOTSUPP : answer(llistxattr(file, names, n_bytes));
}

/* Locks of the kernel's own would be enough; what is passed on here also conflicts with those who open the
 * files without this filesystem between. */
static int do_lock(const char *path, struct fuse_file_info *fi, int command, struct flock *lock)
{
    (void)path;
    if (lacks.locks != 0) {
        return -ENOLCK;
    }
    lock->l_pid = 0; /* an OFD lock of this very opening */
    return answer(fcntl(handle(fi),
                        command == F_GETLK    ? F_OFD_GETLK
                        : command == F_SETLKW ? F_OFD_SETLKW
                                              : F_OFD_SETLK,
                        lock));
}

static ssize_t do_copy_file_range(const char *from, struct fuse_file_info *from_fi, off_t from_offset,
                                  const char *to, struct fuse_file_info *to_fi, off_t to_offset,
                                  size_t n_bytes, int flags)
{
    (void)from, (void)to, (void)flags;
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EPERM", EPERM}, {"EIO", EIO}, {"ETXTBSY", ETXTBSY}, {"EOPNOTSUPP", EOPNOTSUPP}};
    for (size_t i = 0; lacks.copyrange != NULL && i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(lacks.copyrange, errors[i].name) == 0) {
            return -errors[i].number;
        }
    }
    ssize_t n = copy_file_range(handle(from_fi), &from_offset, handle(to_fi), &to_offset, n_bytes, 0);
    return n < 0 ? -errno : n;
}

static off_t do_lseek(const char *path, off_t offset, int whence, struct fuse_file_info *fi)
{
    (void)path;
    off_t at = lseek(handle(fi), offset, whence);
    return at < 0 ? -errno : at;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->use_ino = lacks.newinodes == 0;
    config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = do_init,
    .getattr = do_getattr,
    .readlink = do_readlink,
    .readdir = do_readdir,
    .mkdir = do_mkdir,
    .unlink = do_unlink,
    .rmdir = do_rmdir,
    .symlink = do_symlink,
    .rename = do_rename,
    .link = do_link,
    .chmod = do_chmod,
    .chown = do_chown,
    .truncate = do_truncate,
    .utimens = do_utimens,
    .create = do_create,
    .open = do_open,
    .read = do_read,
    .write = do_write,
    .statfs = do_statfs,
    .release = do_release,
    .fsync = do_fsync,
    .fsyncdir = do_fsyncdir,
    .setxattr = do_setxattr,
    .getxattr = do_getxattr,
    .listxattr = do_listxattr,
    .lock = do_lock,
    .copy_file_range = do_copy_file_range,
    .lseek = do_lseek,
};

/* The first word that is no option is the directory. */
static int take(void *data, const char *argument, int key, struct fuse_args *out)
{
    (void)data, (void)out;
    if (key == FUSE_OPT_KEY_NONOPT && root[0] == '\0') {
        return realpath(argument, root) != NULL ? 0 : -1;
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct fuse_args arguments = FUSE_ARGS_INIT(argc, argv);
    if (fuse_opt_parse(&arguments, &lacks, options, take) < 0 || root[0] == '\0') {
        fprintf(stderr, "usage: cripple DIRECTORY MOUNTPOINT [-o LACKS,...]\n");
        return 2;
    }
    umask(0);
    int code = fuse_main(arguments.argc, arguments.argv, &operations, NULL);
    fuse_opt_free_args(&arguments);
    return code;
}
