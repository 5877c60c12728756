/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a record is in memory: whose files its names are, where they are now.
 */
#include "core/ledger/record.h"

#include <stdlib.h>
#include <string.h>

void record_clear(struct record *record)
{
    for (size_t i = 0; i < RECORD_SAVED_MAX; i++) {
        free(record->saved[i].bytes);
        record->saved[i].bytes = NULL;
    }
    for (size_t i = 0; i < record->n_more; i++) {
        free(record->more[i].bytes);
    }
    free(record->more);
    record->more = NULL;
    record->n_more = 0;
}

/* The length of "/a/b/" in a path. */
static size_t record_directory_length(const char *file_path)
{
    const char *slash = strrchr(file_path, '/');
    return slash == NULL ? 0 : (size_t)(slash - file_path) + 1;
}

static void make_relative(char file_path[PATH_MAX], const char *image_path)
{
    const size_t length = record_directory_length(image_path);
    if (length > 0 && record_directory_length(file_path) == length &&
        memcmp(file_path, image_path, length) == 0) {
        memmove(file_path, file_path + length, strlen(file_path + length) + 1);
    }
}

void record_name_beside(struct record *record)
{
    make_relative(record->backing_path, record->image_path);
    make_relative(record->copy_path, record->image_path);
    make_relative(record->family_path, record->image_path);
}

static bool make_absolute(char file_path[PATH_MAX], const char *image_path)
{
    const size_t length = record_directory_length(image_path), rest = strlen(file_path) + 1;
    if (file_path[0] == '\0' || file_path[0] == '/') {
        return true;
    }
    if (length + rest > PATH_MAX) {
        return false;
    }
    memmove(file_path + length, file_path, rest);
    memcpy(file_path, image_path, length);
    return true;
}

static bool is_elsewhere(const char *file_path, const char *image_path)
{
    const size_t length = record_directory_length(image_path);
    return record_directory_length(file_path) != length || memcmp(file_path, image_path, length) != 0;
}

int record_resolve(struct record *record, const char *image_real_path, struct cow_error *err)
{
    if (!make_absolute(record->backing_path, image_real_path) ||
        !make_absolute(record->copy_path, image_real_path) ||
        !make_absolute(record->family_path, image_real_path)) {
        return cow_error_set(err, COW_INVALID, "%s: the paths beside it are too long", image_real_path);
    }
    record->backing_elsewhere = is_elsewhere(record->backing_path, image_real_path);
    record->copy_elsewhere = is_elsewhere(record->copy_path, image_real_path);
    return 0;
}

void record_settle_here(struct record *record, const char *image_real_path)
{
    memset(record->image_path, 0, sizeof record->image_path);
    memcpy(record->image_path, image_real_path, strnlen(image_real_path, sizeof record->image_path - 1));
    record->version = RECORD_VERSION;
}
