/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Filling struct cow_error. Whatever is formatted here may hold bytes from a disk, so the result is escaped
 * once, at this door, and nobody further up has to think of it.
 */
#include "cow/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"

/* Cut at whole characters, with "...", where it does not fit. */
static void format_escaped(char *out, size_t out_bytes, const char *format, va_list arguments)
{
    char plain[COW_MESSAGE_BYTES + 4096];
    vsnprintf(plain, sizeof plain, format, arguments);
    cow_escape_message(out, out_bytes, plain);
}

int cow_error_set(struct cow_error *err, int status, const char *format, ...)
{
    if (err != NULL) {
        err->status = status;
        err->sys_errno = 0;
        err->hint[0] = '\0';
        va_list arguments;
        va_start(arguments, format);
        format_escaped(err->message, sizeof err->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

int cow_error_system(struct cow_error *err, int sys_errno, const char *format, ...)
{
    int status = sys_errno == ENOMEM ? COW_NO_MEMORY : sys_errno == EPIPE ? COW_BROKEN_PIPE : COW_IO;
    if (err != NULL) {
        const char *reason = strerror(sys_errno);
        size_t room = sizeof err->message - strlen(reason) - strlen(": ");
        va_list arguments;
        va_start(arguments, format);
        format_escaped(err->message, room, format, arguments);
        va_end(arguments);
        size_t used = strlen(err->message);
        snprintf(err->message + used, sizeof err->message - used, ": %s", reason);
        err->status = status;
        err->sys_errno = sys_errno;
        err->hint[0] = '\0';
    }
    return status;
}

int cow_error_prefix(struct cow_error *err, const char *format, ...)
{
    if (err == NULL) {
        return COW_IO;
    }
    char lower[COW_MESSAGE_BYTES];
    memcpy(lower, err->message, sizeof lower);
    va_list arguments;
    va_start(arguments, format);
    format_escaped(err->message, sizeof err->message / 2, format, arguments);
    va_end(arguments);
    size_t used = strlen(err->message);
    memcpy(err->message + used, ": ", 2);
    used += 2;
    cow_escape_message(err->message + used, sizeof err->message - used, lower);
    return err->status;
}

int cow_error_hint(struct cow_error *err, const char *format, ...)
{
    if (err == NULL) {
        return COW_IO;
    }
    va_list arguments;
    va_start(arguments, format);
    format_escaped(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
    return err->status;
}

const char *cow_error_words(const struct cow_error *err, const char *path)
{
    char shown[COW_MESSAGE_BYTES];
    const size_t length = strlen(cow_escape_message(shown, sizeof shown, path));
    const bool told =
        strncmp(err->message, shown, length) == 0 && strncmp(err->message + length, ": ", 2) == 0;
    return told ? err->message + length + 2 : err->message;
}

int cow_status_exit_code(int status)
{
    switch (status) {
#define EXIT_CODE_CASE(name, number, exit_code, text)                                                        \
    case number:                                                                                             \
        return exit_code;
        COW_STATUS_LIST(EXIT_CODE_CASE)
#undef EXIT_CODE_CASE
    default:
        return 2;
    }
}
