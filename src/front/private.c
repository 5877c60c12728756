/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A private directory. The lock on its file "held" is of the kind that ends with the process that opened it,
 * however that ends; the programs that we start do not get it. Directories of others, and links, are never
 * touched.
 */
#include "front/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "front/mounted.h"

#define DIFFERS "XXXXXX" /* the end of a name, from one to the next */

enum { MINUTE_S = 60, NAME_BYTES = 256 };

static const char *const socket_names[] = {"socket", NULL};
static const struct front_private_kind for_sockets = {"cowtui-nbd-", true, socket_names};

/* Where such directories are: the first that is there, and short enough. */
static const char *base(const struct front_private_kind *kind)
{
    const char *const wanted[] = {kind->is_runtime ? getenv("XDG_RUNTIME_DIR") : NULL, getenv("TMPDIR"),
                                  "/tmp"};
    const size_t longest = FRONT_PRIVATE_BYTES - sizeof "/" DIFFERS - strlen(kind->prefix);

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (wanted[i] != NULL && wanted[i][0] == '/' && strlen(wanted[i]) <= longest &&
            access(wanted[i], W_OK | X_OK) == 0) {
            return wanted[i];
        }
    }
    return "/tmp";
}

static bool is_own_name(const struct front_private_kind *kind, const char *name)
{
    for (const char *const *own = kind->own_names; *own != NULL; own++) {
        size_t bytes = strcspn(*own, "*");
        if (strncmp(name, *own, bytes) == 0 && ((*own)[bytes] == '*' || name[bytes] == '\0')) {
            return true;
        }
    }
    return false;
}

static void clear(const struct front_private_kind *kind, const char *path)
{
    char name[FRONT_PRIVATE_BYTES + NAME_BYTES];
    DIR *names = opendir(path);
    const struct dirent *entry;

    while (names != NULL && (entry = readdir(names)) != NULL) {
        if (!is_own_name(kind, entry->d_name)) {
            continue;
        }
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (names != NULL) {
        closedir(names);
    }
}

/* All that we put into it. What somebody else put there stays, and so does the directory then. */
static void empty(const struct front_private_kind *kind, const char *path)
{
    char name[FRONT_PRIVATE_BYTES + 16];

    snprintf(name, sizeof name, "%s/disk", path);
    if (front_is_mounted(name)) {
        front_detach(name);
    }
    rmdir(name);
    clear(kind, path);
    snprintf(name, sizeof name, "%s/held", path);
    unlink(name);
    rmdir(path);
}

/* Whether a directory is one of ours that nobody holds. One without the file is just being made, unless it is
 * old. */
static bool is_left(const char *path)
{
    char name[FRONT_PRIVATE_BYTES + 16];
    struct stat facts;
    int fd;
    bool left;

    if (lstat(path, &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != geteuid() ||
        (facts.st_mode & 077) != 0) {
        return false;
    }
    snprintf(name, sizeof name, "%s/held", path);
    fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT && time(NULL) - facts.st_mtime > MINUTE_S;
    }
    left = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return left;
}

static void sweep(const struct front_private_kind *kind, const char *where)
{
    char path[FRONT_PRIVATE_BYTES];
    DIR *names = opendir(where);
    const struct dirent *entry;

    while (names != NULL && (entry = readdir(names)) != NULL) {
        if (strncmp(entry->d_name, kind->prefix, strlen(kind->prefix)) != 0 ||
            strlen(entry->d_name) != strlen(kind->prefix) + strlen(DIFFERS)) {
            continue;
        }
        int n = snprintf(path, sizeof path, "%s/%s", where, entry->d_name);
        if (n > 0 && (size_t)n < sizeof path && is_left(path)) {
            empty(kind, path);
        }
    }
    if (names != NULL) {
        closedir(names);
    }
}

int front_private_make_kind(struct front_private *out, const struct front_private_kind *kind,
                            struct cow_error *err)
{
    char name[FRONT_PRIVATE_BYTES + 16];
    const char *where = base(kind);

    sweep(kind, where);
    out->kind = kind;
    snprintf(out->path, sizeof out->path, "%s/%s" DIFFERS, where, kind->prefix);
    if (mkdtemp(out->path) == NULL) {
        int code = errno;
        out->path[0] = '\0';
        return cow_error_system(err, code, "making a directory in %s", where);
    }
    snprintf(name, sizeof name, "%s/held", out->path);
    out->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out->fd < 0 || flock(out->fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        front_private_remove(out);
        return cow_error_system(err, code, "%s", name);
    }
    return 0;
}

int front_private_make(struct front_private *out, struct cow_error *err)
{
    return front_private_make_kind(out, &for_sockets, err);
}

void front_private_clear(const struct front_private *directory)
{
    clear(directory->kind, directory->path);
}

void front_private_remove(struct front_private *directory)
{
    if (directory->path[0] == '\0') {
        return;
    }
    empty(directory->kind, directory->path);
    if (directory->fd >= 0) {
        close(directory->fd);
    }
    directory->path[0] = '\0';
}
