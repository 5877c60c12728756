/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The programs of others. A relative part of PATH is not looked in: what is run here may be run by root.
 */
#include "front/tools.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name, *package;
} packages[] = {
    {"nbdkit", "nbdkit"},       {"nbdfuse", "libnbd-bin"},  {"fuse2fs", "fuse2fs"}, {"fusermount3", "fuse3"},
    {"e2fsck", "e2fsprogs"},    {"resize2fs", "e2fsprogs"}, {"sfdisk", "fdisk"},    {"sgdisk", "gdisk"},
    {"qemu-nbd", "qemu-utils"}, {"qemu-img", "qemu-utils"}, {"mount", "mount"},     {"umount", "mount"},
};

const char *front_package_of(const char *name)
{
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
        if (strcmp(packages[i].name, name) == 0) {
            return packages[i].package;
        }
    }
    return NULL;
}

static bool is_program(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && access(path, X_OK) == 0;
}

/* In one of the directories of a list with colons. */
static bool find_in(char *out, size_t out_bytes, const char *list, const char *name)
{
    for (const char *part = list, *end; part != NULL; part = *end != '\0' ? end + 1 : NULL) {
        end = strchrnul(part, ':');
        int n = snprintf(out, out_bytes, "%.*s/%s", (int)(end - part), part, name);
        if (*part == '/' && n > 0 && (size_t)n < out_bytes && is_program(out)) {
            return true;
        }
    }
    *out = '\0';
    return false;
}

bool front_find_tool(char *out, size_t out_bytes, const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/') != NULL) {
        snprintf(out, out_bytes, "%s", is_program(name) ? name : "");
        return *out != '\0';
    }
    return (path != NULL && find_in(out, out_bytes, path, name)) ||
           find_in(out, out_bytes, "/usr/local/sbin:/usr/sbin:/sbin", name);
}

int front_need_tool(char *out, size_t out_bytes, const char *name, struct cow_error *err)
{
    const char *package = front_package_of(name);

    if (front_find_tool(out, out_bytes, name)) {
        return 0;
    }
    cow_error_set(err, COW_UNSUPPORTED, "%s is not installed", name);
    return package != NULL ? cow_error_hint(err, "it is in the Debian package %s", package) : COW_UNSUPPORTED;
}

int front_need_fuse(struct cow_error *err)
{
    char path[PATH_MAX];

    if (access("/dev/fuse", R_OK | W_OK) != 0) {
        cow_error_set(err, COW_UNSUPPORTED, "nothing can be mounted here by a program (FUSE): /dev/fuse: %s",
                      strerror(errno));
        return cow_error_hint(err, "FUSE is a part of the kernel, and of the Debian package fuse3");
    }
    return geteuid() == 0 ? 0 : front_need_tool(path, sizeof path, "fusermount3", err);
}
