/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Errors: a status that a program can act on, one phrase that a person can read, and a hint what to do next.
 *
 * Every function of the core that can fail returns 0 or a negative status and takes `struct cow_error *err`
 * last (NULL is allowed). A caller may put words in front of a lower message (cow_error_prefix), never
 * replace it.
 */
#ifndef COW_ERROR_H
#define COW_ERROR_H

#include <stddef.h>

/* name, status, exit code of the command line, what it means. The exit codes are documented in README and man
 * page. */
#define COW_STATUS_LIST(X)                                                                                   \
    X(OK, 0, 0, "done")                                                                                      \
    X(FINDING, -1, 1, "a finding or a difference")                                                           \
    X(USAGE, -2, 2, "wrong use")                                                                             \
    X(IO, -3, 2, "a file cannot be read, written or opened")                                                 \
    X(NO_MEMORY, -4, 2, "out of memory")                                                                     \
    X(REFUSED, -5, 3, "refused for safety")                                                                  \
    X(LOCKED, -6, 4, "locked by a guest or by another cowtui")                                               \
    X(INVALID, -7, 5, "recognised as a COW image, but invalid")                                              \
    X(NOT_COW, -8, 63, "not a COW image")                                                                    \
    X(UNSUPPORTED, -9, 63, "not supported")                                                                  \
    X(CANCELLED, -10, 130, "cancelled: nothing changed, or what was written is incomplete, as told")         \
    X(BROKEN_PIPE, -11, 141, "who read the output is gone")

enum cow_status {
#define COW_STATUS_ENUM(name, status, exit_code, text) COW_##name = (status),
    COW_STATUS_LIST(COW_STATUS_ENUM)
#undef COW_STATUS_ENUM
};

enum { COW_MESSAGE_BYTES = 1024, COW_HINT_BYTES = 512 };

/* What went wrong. Texts hold no control bytes (names from an image are escaped) and no newline; both end in
 * NUL. */
struct cow_error {
    int status;                      /* enum cow_status */
    int sys_errno;                   /* the errno behind it, or 0 */
    char message[COW_MESSAGE_BYTES]; /* what is wrong and where: "root.cow: sector size is 3" */
    char hint[COW_HINT_BYTES];       /* what to do, or "" */
};

/* Fills err with status and the formatted message, clears the hint. Returns status, so that `return
 * cow_error_set(...)` reads well. The arguments may hold bytes from a disk: control bytes and broken UTF-8
 * are escaped in the result. */
int cow_error_set(struct cow_error *err, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": " and the text of sys_errno (positive). Returns COW_IO,
 * COW_NO_MEMORY for ENOMEM, or COW_BROKEN_PIPE for EPIPE. */
int cow_error_system(struct cow_error *err, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "words: " in front of the message. Returns err's status (COW_IO if err is NULL). */
int cow_error_prefix(struct cow_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the hint. Returns err's status (COW_IO if err is NULL). */
int cow_error_hint(struct cow_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The message without "path: " in front of it, for where the path stands already. It is err's. */
const char *cow_error_words(const struct cow_error *err, const char *path);

/* The documented exit code of a status (0 or negative). */
int cow_status_exit_code(int status);

#endif
