/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Another program, from its start to its end. Between fork and exec only calls are made that may be made
 * there.
 */
#include "front/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cow/text.h"
#include "front/tools.h"

enum { NOT_STARTED = 127, BY_SIGNAL = 128, READ_BYTES = 4096, RUN_POLL_MS = 100 };

struct front_process {
    pid_t pid;
    int output; /* where its lines come from; -1: they have ended */
    bool has_ended;
    int code;
    front_line *on_line;
    void *context;
    char line[COW_MESSAGE_BYTES / 2]; /* what there is of the next one; a longer one is told in pieces */
    size_t n_line;
    char said[COW_MESSAGE_BYTES];
};

/* ---- the child ---- */

/* What it reads: a file without a name that holds that text, or nothing. -1: out of memory. */
static int open_input(const char *text)
{
    int fd = text != NULL ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && text != NULL && (dprintf(fd, "%s", text) < 0 || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void inherit(const struct front_command *command, int input, int output)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    for (size_t i = 0; i < command->n_fds; i++) {
        fcntl(command->fds[i], F_SETFD, 0); /* all others are closed by exec */
    }
}

static _Noreturn void become(const char *path, const struct front_command *command, int input, int output,
                             pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) { /* it died before it could be noticed */
        _exit(NOT_STARTED);
    }
    inherit(command, input, output);
    execv(path, (char *const *)(const void *)command->argv);
    _exit(NOT_STARTED);
}

int front_process_start(struct front_process **out, const struct front_command *command,
                        struct cow_error *err)
{
    const pid_t parent = getpid();
    char path[PATH_MAX];
    int ends[2], status = front_need_tool(path, sizeof path, command->argv[0], err);
    struct front_process *process;

    if (status != 0) {
        return status;
    }
    process = calloc(1, sizeof *process);
    if (process == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        free(process);
        return cow_error_system(err, errno, "starting %s", path);
    }
    process->on_line = command->on_line;
    process->context = command->context;
    const int input = open_input(command->input);
    process->pid = input < 0 ? -1 : fork();
    if (process->pid == 0) {
        become(path, command, input, ends[1], parent);
    }
    const int code = errno;
    close(ends[1]);
    if (input >= 0) {
        close(input);
    }
    process->output = ends[0];
    if (process->pid < 0) {
        process->has_ended = true;
        front_process_free(process);
        return cow_error_system(err, code, "starting %s", path);
    }
    *out = process;
    return 0;
}

/* ---- what it says ---- */

static void tell_line(struct front_process *process)
{
    if (process->n_line == 0) {
        return;
    }
    process->line[process->n_line] = '\0';
    process->n_line = 0;
    cow_escape_message(process->said, sizeof process->said, process->line);
    if (process->on_line != NULL) {
        process->on_line(process->context, process->said);
    }
}

static void take_bytes(struct front_process *process, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr("\n\r\b", bytes[i]) != NULL) { /* also a NUL */
            tell_line(process);
            continue;
        }
        process->line[process->n_line++] = bytes[i];
        if (process->n_line == sizeof process->line - 1) {
            tell_line(process);
        }
    }
}

/* What is there already. False: there will be no more. */
static bool read_output(struct front_process *process)
{
    char bytes[READ_BYTES];
    ssize_t n = read(process->output, bytes, sizeof bytes);

    if (n > 0) {
        take_bytes(process, bytes, (size_t)n);
    }
    if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN))) {
        return true;
    }
    tell_line(process);
    close(process->output);
    process->output = -1;
    return false;
}

static void look_for_end(struct front_process *process, int options)
{
    int how;
    pid_t pid;

    do {
        pid = process->has_ended ? 0 : waitpid(process->pid, &how, options);
    } while (pid < 0 && errno == EINTR);
    if (pid != process->pid) {
        return;
    }
    process->has_ended = true;
    process->code = WIFSIGNALED(how) ? BY_SIGNAL + WTERMSIG(how) : WEXITSTATUS(how);
}

bool front_process_poll(struct front_process *process, int ms)
{
    struct pollfd output = {.fd = process->output, .events = POLLIN};

    while (process->output >= 0 && poll(&output, 1, ms) > 0 && read_output(process)) {
        ms = 0;
    }
    look_for_end(process, process->output < 0 ? 0 : WNOHANG); /* without outputs it is at its end */
    while (process->has_ended && process->output >= 0 && poll(&output, 1, 0) > 0 && read_output(process)) {
        ;
    }
    return !process->has_ended;
}

void front_process_signal(struct front_process *process, int number)
{
    if (!process->has_ended) {
        kill(process->pid, number);
    }
}

int front_process_wait(struct front_process *process)
{
    while (front_process_poll(process, -1)) {
        ;
    }
    return process->code;
}

const char *front_process_said(const struct front_process *process)
{
    return process->said;
}

void front_process_free(struct front_process *process)
{
    if (process == NULL) {
        return;
    }
    front_process_signal(process, SIGKILL);
    look_for_end(process, 0);
    if (process->output >= 0) {
        close(process->output);
    }
    free(process);
}

int front_run(int *code, char said[FRONT_SAID_BYTES], const struct front_command *command,
              bool (*wants_stop)(void *context), struct cow_error *err)
{
    struct front_process *process;
    bool stops = false;
    int status = front_process_start(&process, command, err);

    if (status != 0) {
        return status;
    }
    while (front_process_poll(process, RUN_POLL_MS)) {
        if (!stops && wants_stop != NULL && wants_stop(command->context)) {
            front_process_signal(process, SIGTERM);
            stops = true;
        }
    }
    *code = front_process_wait(process);
    if (said != NULL) {
        snprintf(said, FRONT_SAID_BYTES, "%s", front_process_said(process));
    }
    front_process_free(process);
    return stops ? cow_error_set(err, COW_CANCELLED, "cancelled: %s was stopped", command->argv[0]) : 0;
}
