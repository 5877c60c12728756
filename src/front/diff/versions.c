/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the two versions of a file, asking meanwhile whether to go on, and collecting lines: what both ways
 * of comparing stand on.
 */
#include "front/diff/versions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void front_diff_free(struct front_diff *diff)
{
    free(diff->bytes);
    free(diff->line);
    memset(diff, 0, sizeof *diff);
}

int front_diff_add(struct front_diff *diff, const void *bytes, size_t n_bytes, struct cow_error *err)
{
    if (n_bytes > diff->capacity - diff->n_bytes) {
        size_t capacity = 2 * diff->capacity + n_bytes;
        char *larger = realloc(diff->bytes, capacity);
        if (larger == NULL) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        diff->bytes = larger;
        diff->capacity = capacity;
    }
    memcpy(diff->bytes + diff->n_bytes, bytes, n_bytes);
    diff->n_bytes += n_bytes;
    return 0;
}

int front_diff_addf(struct front_diff *diff, struct cow_error *err, const char *format, ...)
{
    char text[2 * COW_MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return front_diff_add(diff, text, strlen(text), err);
}

int front_versions_look(struct front_versions *versions, uint64_t done, uint64_t total, struct cow_error *err)
{
    bool stop = versions->wants_stop != NULL && versions->wants_stop(versions->context, done, total);

    return stop ? cow_error_set(err, COW_CANCELLED, "stopped: nothing was compared") : 0;
}

int front_versions_read(struct front_versions *versions, enum cow_version side, uint64_t offset, void *buffer,
                        size_t n_bytes, struct cow_error *err)
{
    size_t n_read = 0;
    int status = 0;

    if (versions->reader[side] != NULL && offset < versions->size_bytes[side]) {
        status = cow_fs_reader_read(versions->reader[side], offset, buffer, n_bytes, &n_read, err);
    }
    if (status == 0) {
        memset((char *)buffer + n_read, 0, n_bytes - n_read);
    }
    return status;
}
