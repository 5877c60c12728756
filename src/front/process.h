/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Another program, from its start to its end. It is started by its path, without a shell, in a process group
 * of its own (a Ctrl-C on the terminal is ours alone, and we end things in order), with nothing or a short
 * text to read, and both of its outputs come here, line by line. Should we die, it gets a SIGTERM.
 */
#ifndef FRONT_PROCESS_H
#define FRONT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/error.h"

struct front_process;

/* A line of what a program says, without its end, control bytes escaped; valid during the call. A backspace
 * or a carriage return ends a line, too, as in what draws a bar; empty ones are not told. */
typedef void front_line(void *context, const char *line);

struct front_command {
    const char *const *argv; /* argv[0]: a name, looked for by front_find_tool (front/tools.h), or a path */
    const int *fds;          /* descriptors that the program gets, by the same numbers; ours stay open */
    size_t n_fds;
    const char *input;   /* what it reads: a short text; NULL: nothing */
    front_line *on_line; /* NULL: nobody listens; front_process_said tells the last line in any case */
    void *context;
};

/* Starts it. *out is the caller's: front_process_free. What command points to need not live on, but for the
 * context. Errors: COW_UNSUPPORTED (it is not installed; the hint names the Debian package), COW_IO,
 * COW_NO_MEMORY. */
int front_process_start(struct front_process **out, const struct front_command *command,
                        struct cow_error *err);

/* Hands on what it said, waiting for that up to ms (-1: until there is something). False when it has ended.
 */
bool front_process_poll(struct front_process *process, int ms);

/* Sends a signal, if it is still there. */
void front_process_signal(struct front_process *process, int number);

/* Waits for its end, however long that takes. Its exit code, or 128 + the signal that ended it. */
int front_process_wait(struct front_process *process);

/* The last line it said, "" if nothing. Lives as long as the process. */
const char *front_process_said(const struct front_process *process);

/* A program that is still there is killed. NULL is allowed. */
void front_process_free(struct front_process *process);

/* Runs a program to its end and hands on its lines. wants_stop, asked ten times a second with
 * command->context, may be NULL; where it says yes the program gets a SIGTERM, its end is awaited, and the
 * answer is COW_CANCELLED. *code: its exit code, or 128 + signal. That it is not 0 is no error here; *said,
 * if not NULL, is its last line. */
enum { FRONT_SAID_BYTES = COW_MESSAGE_BYTES };
int front_run(int *code, char said[FRONT_SAID_BYTES], const struct front_command *command,
              bool (*wants_stop)(void *context), struct cow_error *err);

#endif
