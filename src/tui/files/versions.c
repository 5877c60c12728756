/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the two versions of a file, looking for keys meanwhile, and collecting lines: what both ways of
 * comparing stand on.
 */
#include "tui/files/versions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tui_diff_free(struct tui_diff *diff)
{
    free(diff->text);
    free(diff->line);
    memset(diff, 0, sizeof *diff);
}

int tui_diff_add(struct tui_diff *diff, const void *bytes, size_t n_bytes, struct cow_error *err)
{
    if (n_bytes > diff->capacity - diff->bytes) {
        size_t capacity = 2 * diff->capacity + n_bytes;
        char *text = realloc(diff->text, capacity);
        if (!text)
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        diff->text = text;
        diff->capacity = capacity;
    }
    memcpy(diff->text + diff->bytes, bytes, n_bytes);
    diff->bytes += n_bytes;
    return 0;
}

int tui_diff_addf(struct tui_diff *diff, struct cow_error *err, const char *format, ...)
{
    char text[2 * COW_MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tui_diff_add(diff, text, strlen(text), err);
}

int tui_versions_look(struct tui_versions *versions, uint64_t done, uint64_t total, struct cow_error *err)
{
    bool stop = tui_app_look_in(&versions->waiting, "comparing", done, total);

    return stop ? cow_error_set(err, COW_CANCELLED, "stopped: nothing was compared") : 0;
}

int tui_versions_read(struct tui_versions *versions, enum cow_version side, uint64_t offset, void *buffer,
                      size_t n_bytes, struct cow_error *err)
{
    size_t n_read = 0;
    int status = 0;

    if (versions->reader[side] && offset < versions->size_bytes[side])
        status = cow_fs_reader_read(versions->reader[side], offset, buffer, n_bytes, &n_read, err);
    if (status == 0)
        memset((char *)buffer + n_read, 0, n_bytes - n_read);
    return status;
}
