/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Mounting. A program is asked to end by unmounting what it mounted: then the kernel hands it all that is not
 * written yet. Only where that is in use, or its program does not answer, it gets a signal.
 */
#include "front/mount.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/mounted.h"
#include "front/private.h"
#include "front/process.h"
#include "front/tools.h"

enum { POLL_MS = 5, NAME_BYTES = 32 }; /* a mount is there after ten milliseconds or so */

struct front_mount {
    struct front_process *process; /* NULL: the kernel mounted it */
    struct front_private own;      /* what the mount is in, where the caller named nothing */
    char name[NAME_BYTES];         /* of its program */
    char directory[PATH_MAX], path[PATH_MAX + 8];
};

static int new_mount(struct front_mount **out, const char *name, const char *directory, struct cow_error *err)
{
    struct front_mount *mount = calloc(1, sizeof *mount);
    int status = 0;

    if (mount == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    snprintf(mount->name, sizeof mount->name, "%s", name);
    if (directory != NULL) {
        snprintf(mount->directory, sizeof mount->directory, "%s", directory);
        status = front_check_mountpoint(directory, err);
    } else if ((status = front_private_make(&mount->own, err)) == 0) {
        snprintf(mount->directory, sizeof mount->directory, "%s/disk", mount->own.path);
        if (mkdir(mount->directory, 0700) != 0) {
            status = cow_error_system(err, errno, "%s", mount->directory);
        }
    }
    snprintf(mount->path, sizeof mount->path, "%s", mount->directory);
    if (status != 0) {
        front_private_remove(&mount->own);
        free(mount);
        return status;
    }
    *out = mount;
    return 0;
}

static void free_mount(struct front_mount *mount)
{
    front_process_free(mount->process);
    front_private_remove(&mount->own);
    free(mount);
}

/* Why it did not mount, or did not end well, in its own words. */
static int tell_code(const struct front_mount *mount, int code, const char *said, struct cow_error *err)
{
    return cow_error_set(err, COW_IO, "%s ended with %s %d%s%s", mount->name, code > 128 ? "signal" : "code",
                         code > 128 ? code - 128 : code, *said != '\0' ? ": " : "", said);
}

/* Starts the program, and waits until something is mounted. */
static int start(struct front_mount **out, struct front_mount *mount, const char *const *argv,
                 const struct front_mount_options *options, struct cow_error *err)
{
    const struct front_command command = {
        .argv = argv, .on_line = options->on_line, .context = options->context};
    int status = front_process_start(&mount->process, &command, err);
    bool is_running = status == 0;

    while (is_running && !front_is_mounted(mount->directory)) {
        is_running = front_process_poll(mount->process, POLL_MS);
    }
    if (status == 0 && !is_running) {
        status =
            tell_code(mount, front_process_wait(mount->process), front_process_said(mount->process), err);
    }
    if (status != 0) {
        free_mount(mount);
        return status;
    }
    *out = mount;
    return 0;
}

int front_mount_disk(struct front_mount **out, const struct front_server *server,
                     const struct front_mount_options *options, struct cow_error *err)
{
    const char *argv[8] = {"nbdfuse"};
    char path[PATH_MAX];
    size_t n = 1;
    struct front_mount *mount;
    int status = front_need_tool(path, sizeof path, "nbdfuse", err);

    if (status == 0) {
        status = front_need_fuse(err);
    }
    if (status == 0) {
        status = new_mount(&mount, "nbdfuse", options->directory, err);
    }
    if (status != 0) {
        return status;
    }
    snprintf(mount->path, sizeof mount->path, "%s/nbd", mount->directory);
    if (!options->is_writing) {
        argv[n++] = "-r";
    }
    argv[n++] = mount->directory;
    argv[n++] = "--unix";
    argv[n++] = front_server_socket(server);
    return start(out, mount, argv, options, err);
}

static bool is_ext(const char *type)
{
    return strcmp(type, "ext2") == 0 || strcmp(type, "ext3") == 0 || strcmp(type, "ext4") == 0;
}

int front_need_filesystem(const char *type, struct cow_error *err)
{
    char path[PATH_MAX];

    if (is_ext(type) && front_find_tool(path, sizeof path, "fuse2fs")) {
        return front_need_fuse(err);
    }
    if (geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0) {
        return front_need_tool(path, sizeof path, "mount", err);
    }
    if (is_ext(type)) {
        return front_need_tool(path, sizeof path, "fuse2fs", err);
    }
    cow_error_set(err, COW_UNSUPPORTED, "%s is mounted by the kernel only, which root may ask for",
                  *type != '\0' ? type : "what is there");
    return cow_error_hint(err,
                          "mount the disk as a file, without --fs and --partition, and take it from there");
}

/* Through a loop device, which goes with the mount. The words that keep a journal as it is differ. */
static int mount_by_kernel(struct front_mount **out, const char *file, const char *type,
                           const struct front_mount_options *options, struct cow_error *err)
{
    const char *how = options->is_writing          ? "loop"
                      : is_ext(type)               ? "loop,ro,noload"
                      : strcmp(type, "xfs") == 0   ? "loop,ro,norecovery,nouuid"
                      : strcmp(type, "btrfs") == 0 ? "loop,ro,rescue=nologreplay"
                                                   : "loop,ro";
    struct front_mount *mount;
    int code, status = new_mount(&mount, "mount", options->directory, err);
    char said[FRONT_SAID_BYTES];

    if (status != 0) {
        return status;
    }
    const char *const argv[] = {"mount", "-o", how, "--", file, mount->directory, NULL};
    const struct front_command command = {
        .argv = argv, .on_line = options->on_line, .context = options->context};
    status = front_run(&code, said, &command, NULL, err);
    if (status == 0 && code != 0) {
        status = tell_code(mount, code, said, err);
    }
    if (status != 0) {
        free_mount(mount);
        return status;
    }
    *out = mount;
    return 0;
}

int front_mount_filesystem(struct front_mount **out, const char *file, const char *type,
                           const struct front_mount_options *options, struct cow_error *err)
{
    char path[PATH_MAX];
    struct front_mount *mount;
    int status = front_need_filesystem(type, err);

    if (status != 0) {
        return status;
    }
    if (!is_ext(type) || !front_find_tool(path, sizeof path, "fuse2fs")) {
        return mount_by_kernel(out, file, type, options, err);
    }
    if ((status = new_mount(&mount, "fuse2fs", options->directory, err)) != 0) {
        return status;
    }
    const bool is_root = geteuid() == 0; /* else: whoever has the image has all that is in it */
    const char *how = options->is_writing ? (is_root ? "rw" : "rw,fakeroot")
                                          : (is_root ? "ro,norecovery" : "ro,norecovery,fakeroot");
    const char *const argv[] = {"fuse2fs", "-f", "-o", how, file, mount->directory, NULL};
    return start(out, mount, argv, options, err);
}

const char *front_mount_path(const struct front_mount *mount)
{
    return mount->path;
}

bool front_mount_poll(struct front_mount *mount, int ms)
{
    if (mount->process != NULL) {
        return front_process_poll(mount->process, ms);
    }
    usleep(1000 * (useconds_t)ms);
    return front_is_mounted(mount->directory);
}

int front_mount_stop(struct front_mount *mount, struct cow_error *err)
{
    int code = 0, status = 0;

    if (mount == NULL) {
        return 0;
    }
    if (front_is_mounted(mount->directory) && front_unmount(mount->directory, NULL) != 0) {
        if (mount->process != NULL) {
            front_process_signal(mount->process, SIGTERM);
        } else {
            front_detach(mount->directory);
        }
    }
    if (mount->process != NULL) {
        code = front_process_wait(mount->process);
    }
    if (code != 0) {
        status = tell_code(mount, code, front_process_said(mount->process), err);
    }
    free_mount(mount);
    return status;
}
