/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A program that dies on a terminal, in a child: what the terminal got, its settings afterwards, and the
 * signal that ended the child. Under a sanitizer, which has handlers of its own for some, the child ends with
 * its report.
 */
#include "tui/screen/rescue.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

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
    {die_by_overflow, SIGSEGV, true}, {die_by_abort, SIGABRT, true},         {die_by_quit, SIGQUIT, true},
    {ignore, SIGQUIT, false},         {die_while_suspended, SIGQUIT, false}, {die_afterwards, SIGQUIT, false},
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
