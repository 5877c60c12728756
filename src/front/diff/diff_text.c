/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Comparing text: by diff(1). Both versions go into files of mode 0600 that lose their names at once, so that
 * whatever happens nothing of them stays; diff gets them as descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/diff/diff_text.h"
#include "front/tools.h"

extern char **environ;

enum { CHUNK_BYTES = 64 * 1024, POLL_MS = 50, FIRST_FD = 200, TROUBLE = 2 };

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return 0;
}

/* A version as an open file without a name; *fd is the caller's. */
static int write_version(int *fd, struct front_versions *versions, enum cow_version side,
                         struct cow_error *err)
{
    const char *directory = getenv("TMPDIR");
    char name[COW_MESSAGE_BYTES], buffer[CHUNK_BYTES];
    uint64_t size = versions->size_bytes[side];

    snprintf(name, sizeof name, "%.*s/cowtui-diff.XXXXXX", (int)sizeof name - 32,
             directory != NULL && directory[0] != '\0' ? directory : "/tmp");
    *fd = mkostemp(name, O_CLOEXEC);
    if (*fd < 0) {
        return cow_error_system(err, errno, "%s", name);
    }
    unlink(name);
    for (uint64_t at = 0; at < size; at += CHUNK_BYTES) {
        size_t n = size - at < CHUNK_BYTES ? (size_t)(size - at) : CHUNK_BYTES;
        int status = front_versions_look(versions, at, size, err);
        if (status == 0) {
            status = front_versions_read(versions, side, at, buffer, n, err);
        }
        if (status == 0 && write_all(*fd, buffer, n) != 0) {
            status = cow_error_system(err, errno, "%s", name);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* Starts diff over the two files, its output into a pipe. Returns an errno; ENOENT: there is no diff. */
static int start_diff(pid_t *pid, struct front_versions *versions, const int file[2], int output)
{
    char program[PATH_MAX], old_path[32], new_path[32];
    char *arguments[] = {"diff",
                         "-a",
                         "-u",
                         "--label",
                         versions->label[COW_VERSION_BASE],
                         "--label",
                         versions->label[COW_VERSION_GUEST],
                         old_path,
                         new_path,
                         NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t usual;

    if (!front_find_tool(program, sizeof program, "diff")) {
        return ENOENT;
    }
    snprintf(old_path, sizeof old_path, "/dev/fd/%d", FIRST_FD + COW_VERSION_BASE);
    snprintf(new_path, sizeof new_path, "/dev/fd/%d", FIRST_FD + COW_VERSION_GUEST);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigfillset(&usual);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    sigemptyset(&usual);
    posix_spawnattr_setsigmask(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    for (int side = 0; side < 2; side++) {
        posix_spawn_file_actions_adddup2(&actions, file[side], FIRST_FD + side);
    }
    int problem = posix_spawnp(pid, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

/* Reads what diff says, until it has said all. */
static int read_output(struct front_diff *diff, struct front_versions *versions, int fd,
                       struct cow_error *err)
{
    char buffer[CHUNK_BYTES];

    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int n_ready = poll(&ready, 1, POLL_MS);
        if (n_ready <= 0) { /* it is at work */
            int stop = front_versions_look(versions, 0, 0, err);
            if (stop != 0) {
                return stop;
            }
            continue;
        }
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return cow_error_system(err, errno, "diff");
        }
        int status = n > 0 ? front_diff_add(diff, buffer, (size_t)n, err) : 0;
        if (status != 0) {
            return status;
        }
    }
}

static int wait_for(pid_t pid)
{
    int code = 0;

    while (waitpid(pid, &code, 0) < 0 && errno == EINTR) {
        ;
    }
    return code;
}

static int run_diff(struct front_diff *diff, struct front_versions *versions, const int file[2], bool *ran,
                    struct cow_error *err)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return cow_error_system(err, errno, "pipe");
    }
    int problem = start_diff(&pid, versions, file, ends[1]);
    close(ends[1]);
    if (problem != 0) {
        close(ends[0]);
        return 0; /* there is no diff here: the bytes will do */
    }
    int status = read_output(diff, versions, ends[0], err);
    close(ends[0]);
    if (status != 0) {
        kill(pid, SIGKILL);
    }
    int code = wait_for(pid);
    *ran = status == 0 && WIFEXITED(code) && WEXITSTATUS(code) < TROUBLE;
    if (!*ran) {
        diff->n_bytes = 0;
    }
    return status;
}

int front_diff_text(struct front_diff *diff, struct front_versions *versions, bool *ran,
                    struct cow_error *err)
{
    int file[2] = {-1, -1};
    int status = write_version(&file[COW_VERSION_GUEST], versions, COW_VERSION_GUEST, err);

    if (status == 0) {
        status = write_version(&file[COW_VERSION_BASE], versions, COW_VERSION_BASE, err);
    }
    if (status == 0) {
        status = run_diff(diff, versions, file, ran, err);
    }
    for (int side = 0; side < 2; side++) {
        if (file[side] >= 0) {
            close(file[side]);
        }
    }
    return status;
}
