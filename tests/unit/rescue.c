/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A program that dies on a terminal, in a child: what the terminal got, its settings afterwards, and the
 * signal that ended the child. Under a sanitizer, which has handlers of its own for some, the child ends with
 * its report.
 */
#include "tui/terminal/rescue.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"
#include "tui/jobs/fiber.h"

static const char farewell[] = "(farewell)";

/* Needs more stack than there is. */
static int overflow(volatile char *above, int depth)
{
    volatile char here[4096];

    here[0] = (char)(above[0] + 1);
    return depth == 0 ? 0 : overflow(here, depth - 1) + here[0];
}

static void raw_mode(void)
{
    struct termios mode;

    tcgetattr(STDIN_FILENO, &mode);
    tui_rescue_arm(&mode, farewell, strlen(farewell));
    cfmakeraw(&mode);
    tcsetattr(STDIN_FILENO, TCSANOW, &mode);
    tui_rescue_on_screen(true);
}

static void die_by_overflow(void)
{
    volatile char first[1] = {0};

    raw_mode();
    overflow(first, 1 << 30);
}

enum { FIBER_BYTES = 8 * 1024 * 1024, FAR_BYTES = 60 * 1024 };

static int overflow_by_far(volatile char *above, int depth)
{
    volatile char here[FAR_BYTES];

    here[0] = (char)(above[0] + 1);
    return depth == 0 ? 0 : overflow_by_far(here, depth - 1) + here[0];
}

/* The same on a fiber's stack, by steps that are larger than a page. All that was free below the stack is
 * memory that may be written to, and the steps have an end: where the stack is not guarded by more than a
 * page, this ends well. */
static void overflow_fiber(void *argument)
{
    volatile char first[1] = {0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *top = (char *)((uintptr_t)first / page * page);

    (void)argument;
    for (char *at = top - 2 * FIBER_BYTES; at < top; at += page) {
        mmap(at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    }
    overflow_by_far(first, (FIBER_BYTES + 8 * FAR_BYTES) / FAR_BYTES);
}

static void die_by_overflow_of_fiber(void)
{
    struct tui_fiber *fiber = NULL;
    struct cow_error err = {0};

    raw_mode();
    if (tui_fiber_new(&fiber, overflow_fiber, NULL, &err) == 0) {
        tui_fiber_enter(fiber);
    }
}

static void die_by_abort(void)
{
    raw_mode();
    abort();
}

static void die_by_quit(void)
{
    raw_mode();
    raise(SIGQUIT);
}

static void die_while_suspended(void)
{
    raw_mode();
    tui_rescue_on_screen(false);
    raise(SIGQUIT);
}

static void die_afterwards(void)
{
    raw_mode();
    tui_rescue_disarm();
    struct sigaction action;
    sigaction(SIGQUIT, NULL, &action);
    if (action.sa_handler == SIG_DFL) {
        raise(SIGQUIT);
    }
}

static void ignore(void)
{
    signal(SIGUSR1, SIG_IGN);
    raw_mode();
    raise(SIGUSR1);
    tui_rescue_disarm();
    raise(SIGQUIT);
}

static const struct death {
    void (*die)(void);
    int number;
    bool restored;
} deaths[] = {
    {die_by_overflow, SIGSEGV, true}, {die_by_overflow_of_fiber, SIGSEGV, true},
    {die_by_abort, SIGABRT, true},    {die_by_quit, SIGQUIT, true},
    {ignore, SIGQUIT, false},         {die_while_suspended, SIGQUIT, false},
    {die_afterwards, SIGQUIT, false},
};

START_TEST(the_terminal_is_given_back)
{
    const struct death *death = &deaths[_i];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    must(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "no terminal");
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    must(slave >= 0, "no terminal");
    pid_t child = fork();
    if (child == 0) {
        dup2(slave, STDIN_FILENO);
        dup2(slave, STDOUT_FILENO);
        signal(SIGQUIT, SIG_DFL); /* what runs in the background may have been told not to hear it */
        death->die();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    char said[256] = "";
    struct pollfd input = {master, POLLIN, 0};
    if (poll(&input, 1, 0) > 0) {
        ssize_t n = read(master, said, sizeof said - 1);
        said[n > 0 ? n : 0] = '\0';
    }
    struct termios mode;
    tcgetattr(slave, &mode);
    close(slave);
    close(master);
    bool signalled = WIFSIGNALED(status) && WTERMSIG(status) == death->number;
    must(signalled || (WIFEXITED(status) && WEXITSTATUS(status) == 99), "%d: ended with %x", _i,
         (unsigned)status);
    must(strcmp(said, death->restored ? farewell : "") == 0, "%d: \"%s\"", _i, said);
    must(((mode.c_lflag & ICANON) != 0) == death->restored, "%d: the settings", _i);
}
END_TEST

Suite *rescue_suite(void)
{
    Suite *suite = suite_create("rescue");
    TCase *tc = tcase_create("death");
    tcase_add_loop_test(tc, the_terminal_is_given_back, 0, sizeof deaths / sizeof deaths[0]);
    suite_add_tcase(suite, tc);
    return suite;
}
