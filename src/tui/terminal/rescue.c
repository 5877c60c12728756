/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The handler calls only what signal-safety(7) allows. All it needs is prepared while nothing is wrong, in
 * the one variable of this file: a handler has no other way to know.
 */
#include "tui/terminal/rescue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_BYTES = 65536, FAREWELL_BYTES = 256 };

static const int fatal[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,  SIGILL,    SIGSYS,  SIGTRAP, SIGQUIT,
                            SIGXCPU, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO};
enum { FATAL = sizeof fatal / sizeof fatal[0] };

static struct {
    volatile sig_atomic_t on_screen;
    struct termios mode;
    char farewell[FAREWELL_BYTES];
    size_t farewell_bytes;
    struct sigaction before[FATAL];
    stack_t stack_before;
    void *stack;
} rescue;

/* The signal's old action is put back and gets it: the default one dumps core, a sanitizer's reports. */
static void on_fatal(int number)
{
    int saved = errno;

    if (rescue.on_screen != 0) {
        rescue.on_screen = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &rescue.mode);
        ssize_t written = write(STDOUT_FILENO, rescue.farewell, rescue.farewell_bytes);
        (void)written; /* there is nothing left to try */
    }
    for (size_t i = 0; i < FATAL; i++) {
        if (fatal[i] == number) {
            sigaction(number, &rescue.before[i], NULL);
        }
    }
    errno = saved;
    raise(number); /* it is blocked until we return */
}

/* A stack that has overflown has no room for a handler. Without memory for another one it stays so. */
static void make_stack(void)
{
    stack_t stack = {.ss_size = STACK_BYTES};

    rescue.stack = stack.ss_sp = malloc(STACK_BYTES);
    if (rescue.stack != NULL && sigaltstack(&stack, &rescue.stack_before) != 0) {
        free(rescue.stack);
        rescue.stack = NULL;
    }
}

void tui_rescue_arm(const struct termios *mode, const char *farewell, size_t farewell_bytes)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_fatal;
    action.sa_flags = SA_ONSTACK;
    sigfillset(&action.sa_mask); /* SIGTTOU among them: tcsetattr() works from the background, too */
    rescue.mode = *mode;
    rescue.farewell_bytes = farewell_bytes <= FAREWELL_BYTES ? farewell_bytes : 0;
    memcpy(rescue.farewell, farewell, rescue.farewell_bytes);
    make_stack();
    for (size_t i = 0; i < FATAL; i++) {
        sigaction(fatal[i], NULL, &rescue.before[i]);
        if (rescue.before[i].sa_handler != SIG_IGN) {
            sigaction(fatal[i], &action, NULL);
        }
    }
}

void tui_rescue_on_screen(bool on)
{
    rescue.on_screen = on;
}

void tui_rescue_disarm(void)
{
    rescue.on_screen = 0;
    for (size_t i = 0; i < FATAL; i++) {
        sigaction(fatal[i], &rescue.before[i], NULL);
    }
    if (rescue.stack != NULL) {
        sigaltstack(&rescue.stack_before, NULL);
    }
    free(rescue.stack);
    rescue.stack = NULL;
}
