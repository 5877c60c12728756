/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Other programs (src/front): their lines, their ends, what they get of ours, and what stays of private
 * directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/mounted.h"
#include "front/private.h"
#include "front/process.h"
#include "front/server.h"
#include "front/tools.h"
#include "support.h"

static void add_line(void *context, const char *line)
{
    char *all = context;

    strcat(strcat(all, line), "|");
}

/* A line of shell, for the test alone: the product starts none. */
static int shell(char *lines, const char *line, const int *fds, size_t n_fds)
{
    const char *const argv[] = {"/bin/sh", "-c", line, NULL};
    const struct front_command command = {
        .argv = argv, .fds = fds, .n_fds = n_fds, .on_line = add_line, .context = lines};
    int code = -1;

    *lines = '\0';
    ck_assert_int_eq(front_run(&code, NULL, &command, NULL, NULL), 0);
    return code;
}

START_TEST(what_a_program_says_comes_line_by_line)
{
    char lines[4096];

    ck_assert_int_eq(shell(lines, "printf 'a\\n\\nb\\rc\\bd\\033[1m\\n'; printf 'e\\nlast' >&2", NULL, 0), 0);
    ck_assert_str_eq(lines, "a|b|c|d\\x1b[1m|e|last|");
    ck_assert_int_eq(shell(lines, "head -c 1500 /dev/zero | tr '\\0' x", NULL, 0), 0);
    ck_assert_uint_eq(strlen(lines), 1500 + 3); /* a long one comes in pieces */
}
END_TEST

START_TEST(how_it_ended_is_told)
{
    const char *const argv[] = {"/bin/sh", "-c", "echo first; echo the reason; exit 7", NULL};
    const struct front_command command = {.argv = argv};
    char lines[4096], said[FRONT_SAID_BYTES];
    int code;

    ck_assert_int_eq(shell(lines, "exit 7", NULL, 0), 7);
    ck_assert_int_eq(shell(lines, "kill -9 $$", NULL, 0), 128 + SIGKILL);
    ck_assert_int_eq(front_run(&code, said, &command, NULL, NULL), 0);
    ck_assert_int_eq(code, 7);
    ck_assert_str_eq(said, "the reason");
}
END_TEST

static bool always(void *context)
{
    (void)context;
    return true;
}

START_TEST(a_wish_to_stop_ends_it)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    const struct front_command command = {.argv = argv};
    struct cow_error err;
    int code;

    ck_assert_int_eq(front_run(&code, NULL, &command, always, &err), COW_CANCELLED);
    ck_assert_int_eq(code, 128 + SIGTERM);
}
END_TEST

/* It gets the descriptors that it is meant to have, nothing to read, and no signals that we block or ignore.
 */
START_TEST(it_inherits_what_it_is_given)
{
    char lines[4096], line[256];
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC), given = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGUSR2, SIG_IGN);
    snprintf(line, sizeof line,
             "[ -e /proc/self/fd/%d ] && echo given; [ -e /proc/self/fd/%d ] || echo no other; cat", given,
             other);
    ck_assert_int_eq(shell(lines, line, &given, 1), 0);
    ck_assert_str_eq(lines, "given|no other|");
    ck_assert_int_eq(fcntl(given, F_GETFD), FD_CLOEXEC); /* ours as before */
    ck_assert_int_eq(shell(lines, "kill -USR1 $$; echo lives", NULL, 0), 128 + SIGUSR1);
    ck_assert_int_eq(shell(lines, "kill -USR2 $$; echo lives", NULL, 0), 128 + SIGUSR2);
    signal(SIGUSR2, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    close(other);
    close(given);
}
END_TEST

/* A process that starts another and is killed takes it along: what that one held open is closed then. */
START_TEST(it_does_not_outlive_us)
{
    int ends[2];
    char byte;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
        const char *const argv[] = {"sleep", "1000", NULL};
        const struct front_command command = {.argv = argv, .fds = &ends[1], .n_fds = 1};
        struct front_process *process;
        if (front_process_start(&process, &command, NULL) == 0) {
            front_process_poll(process, 300);
        }
        raise(SIGKILL);
    }
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}
END_TEST

START_TEST(what_is_not_there_is_named_with_its_package)
{
    char path[PATH_MAX], old[PATH_MAX], here[PATH_MAX], relative[2 * PATH_MAX];
    struct cow_error err;

    snprintf(old, sizeof old, "%s", getenv("PATH"));
    ck_assert(front_find_tool(path, sizeof path, "sh"));
    ck_assert_int_eq(path[0], '/');
    setenv("PATH", "/nonexistent", 1);
    ck_assert_int_eq(front_need_tool(path, sizeof path, "nbdfuse", &err), COW_UNSUPPORTED);
    ck_assert_str_eq(err.message, "nbdfuse is not installed");
    ck_assert_str_eq(err.hint, "it is in the Debian package libnbd-bin");
    ck_assert_ptr_null(front_package_of("unheard-of"));
    /* Nothing is run from a relative part of PATH, nor what is no program. */
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir("/bin"), 0);
    snprintf(relative, sizeof relative, ".:..:../bin::/etc/passwd");
    setenv("PATH", relative, 1);
    ck_assert(!front_find_tool(path, sizeof path, "cat"));
    ck_assert_str_eq(path, "");
    ck_assert_int_eq(chdir(here), 0);
    setenv("PATH", old, 1);
    ck_assert(!front_find_tool(path, sizeof path, "/etc/passwd"));
    ck_assert(!front_find_tool(path, sizeof path, "/etc"));
}
END_TEST

static void name_in(char *out, const char *directory, const char *name)
{
    snprintf(out, PATH_MAX, "%.200s/%s", directory, name);
}

/* What is left of a crash goes with the next one that is made; what is held, another's, or no directory
 * stays. */
START_TEST(private_directories_are_swept)
{
    char base[] = "/tmp/fXXXXXX", left[PATH_MAX], held[PATH_MAX], link[PATH_MAX], name[PATH_MAX];
    struct front_private first, second;
    struct stat facts;
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(base));
    unsetenv("XDG_RUNTIME_DIR");
    setenv("TMPDIR", base, 1);
    name_in(left, base, "cowtui-nbd-AAAAAA");
    name_in(held, base, "cowtui-nbd-BBBBBB");
    name_in(link, base, "cowtui-nbd-CCCCCC");
    ck_assert_int_eq(mkdir(left, 0700) | mkdir(held, 0700) | symlink("/etc", link), 0);
    name_in(name, left, "held");
    fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    close(fd);
    name_in(name, left, "disk");
    ck_assert_int_eq(mkdir(name, 0700), 0);
    name_in(name, held, "held");
    fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(front_private_make(&first, NULL), 0);
    ck_assert_int_eq(stat(first.path, &facts), 0);
    ck_assert_uint_eq(facts.st_mode & 0777, 0700);
    ck_assert_int_eq(access(left, F_OK), -1);
    ck_assert_int_eq(access(held, F_OK) | access(link, F_OK), 0);
    ck_assert_int_eq(front_private_make(&second, NULL), 0);
    ck_assert_int_eq(access(first.path, F_OK), 0);
    close(fd);
    snprintf(name, sizeof name, "%.80s", first.path);
    front_private_remove(&first);
    ck_assert_int_eq(access(name, F_OK), -1);
    front_private_remove(&first); /* nothing any more */
    front_private_remove(&second);
    ck_assert_int_eq(front_private_make(&first, NULL), 0);
    ck_assert_int_eq(access(held, F_OK), -1); /* nobody holds it now */
    front_private_remove(&first);
    ck_assert_int_eq(unlink(link) | rmdir(base), 0);
    unsetenv("TMPDIR");
}
END_TEST

START_TEST(places_for_sockets_and_mounts_are_looked_at)
{
    char base[] = "/tmp/fXXXXXX", name[PATH_MAX];
    struct cow_error err;

    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(front_check_mountpoint(base, &err), 0);
    ck_assert(!front_is_mounted(base));
    ck_assert(front_is_mounted("/proc"));
    ck_assert_int_eq(front_check_mountpoint("/proc", &err), COW_USAGE);
    name_in(name, base, "nowhere");
    ck_assert_int_eq(front_check_mountpoint(name, &err), COW_USAGE);
    ck_assert_int_eq(front_check_socket(name, &err), 0);
    ck_assert_int_eq(mkdir(name, 0700), 0);
    ck_assert_int_eq(front_check_mountpoint(base, &err), COW_USAGE);
    ck_assert_int_eq(front_check_socket(name, &err), COW_USAGE);
    ck_assert_int_eq(rmdir(name) | rmdir(base), 0);
    ck_assert_int_eq(front_check_socket(name, &err), COW_IO);
    memset(name, 'x', 108);
    name[108] = '\0';
    ck_assert_int_eq(front_check_socket(name, &err), COW_USAGE);
    name[107] = '\0';
    ck_assert_int_eq(front_check_socket(name, &err), 0);
}
END_TEST

Suite *front_suite(void)
{
    Suite *suite = suite_create("front");
    TCase *tests = tcase_create("programs");

    tcase_add_test(tests, what_a_program_says_comes_line_by_line);
    tcase_add_test(tests, how_it_ended_is_told);
    tcase_add_test(tests, a_wish_to_stop_ends_it);
    tcase_add_test(tests, it_inherits_what_it_is_given);
    tcase_add_test(tests, it_does_not_outlive_us);
    tcase_add_test(tests, what_is_not_there_is_named_with_its_package);
    tcase_add_test(tests, private_directories_are_swept);
    tcase_add_test(tests, places_for_sockets_and_mounts_are_looked_at);
    suite_add_tcase(suite, tests);
    return suite;
}
