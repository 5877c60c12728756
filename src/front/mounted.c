/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Places where something is mounted. Only root may call umount(2); for others fusermount3 does it, for what
 * they mounted.
 */
#include "front/mounted.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cow/text.h"
#include "front/process.h"
#include "front/tools.h"

/* What a mount answers whose program is gone. */
static bool is_stale(int code)
{
    return code == ENOTCONN || code == ECONNABORTED;
}

bool front_is_mounted(const char *path)
{
    char above[PATH_MAX];
    struct stat here, there;

    if (stat(path, &here) != 0) {
        return is_stale(errno);
    }
    snprintf(above, sizeof above, "%s/..", path);
    return stat(above, &there) == 0 && here.st_dev != there.st_dev;
}

static int check_empty(const char *path, struct cow_error *err)
{
    DIR *names = opendir(path);
    const struct dirent *entry;

    if (names == NULL) {
        return cow_error_system(err, errno, "%s", path);
    }
    do {
        entry = readdir(names);
    } while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    closedir(names);
    return entry != NULL ? cow_error_set(err, COW_USAGE, "%s is not empty", path) : 0;
}

int front_check_mountpoint(const char *path, struct cow_error *err)
{
    char word[COW_HINT_BYTES / 2];
    struct stat facts;

    if (stat(path, &facts) != 0) {
        const int code = errno;
        if (!is_stale(code)) {
            return cow_error_set(err, code == ENOENT ? COW_USAGE : COW_IO, "%s: %s", path, strerror(code));
        }
        cow_error_set(err, COW_IO, "%s: something is mounted there whose program is gone", path);
        return cow_error_hint(err, "take it away: fusermount3 -u %s",
                              cow_shell_quote(word, sizeof word, path));
    }
    if (!S_ISDIR(facts.st_mode)) {
        return cow_error_set(err, COW_USAGE, "%s is not a directory", path);
    }
    if (front_is_mounted(path)) {
        return cow_error_set(err, COW_USAGE, "%s: something is mounted there already", path);
    }
    return check_empty(path, err);
}

static int fusermount(const char *path, bool lazily, struct cow_error *err)
{
    const char *const argv[] = {"fusermount3", "-u", lazily ? "-zq" : "-q", "--", path, NULL};
    const struct front_command command = {.argv = argv};
    char said[FRONT_SAID_BYTES];
    int code, status = front_run(&code, said, &command, NULL, err);

    if (status != 0 || code == 0) {
        return status;
    }
    status =
        cow_error_set(err, COW_IO, "%s cannot be unmounted: %s", path, *said != '\0' ? said : "it is in use");
    if (err != NULL) {
        err->sys_errno = EBUSY;
    }
    return status;
}

int front_unmount(const char *path, struct cow_error *err)
{
    if (geteuid() != 0) {
        return fusermount(path, false, err);
    }
    if (umount2(path, UMOUNT_NOFOLLOW) == 0) {
        return 0;
    }
    const int code = errno;
    cow_error_system(err, code, "%s cannot be unmounted", path);
    return COW_IO;
}

void front_detach(const char *path)
{
    if (geteuid() == 0) {
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    } else {
        fusermount(path, true, NULL);
    }
}
