/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening the two versions, deciding how to compare them, and cutting what comes of it into lines. Text goes
 * to diff(1), which people know how to read; where it is too long for that, is no text, or there is no
 * diff(1), it is compared by bytes, which always works. Nothing is kept of either version but the lines.
 */
#include "front/diff/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "front/diff/diff_bytes.h"
#include "front/diff/diff_text.h"

enum { PROBE_BYTES = 8192, LABEL_PATH_BYTES = 512 };

static const char no_text[] = "this is no text";

const char *front_diff_disk_name(char *out, size_t out_bytes, const char *path)
{
    const char *slash = strrchr(path, '/');

    return cow_escape(out, out_bytes, slash != NULL && slash[1] != '\0' ? slash + 1 : path);
}

void front_diff_paths(const char *path[2], const struct cow_fs_file *file)
{
    path[COW_VERSION_GUEST] = file->kind == COW_FS_KIND_REMOVED ? NULL : file->path;
    path[COW_VERSION_BASE] = file->kind == COW_FS_KIND_NEW ? NULL
                             : file->from != NULL          ? file->from
                                                           : file->path;
}

static int open_version(struct front_versions *versions, enum cow_version side,
                        const struct front_diff_request *request, struct cow_error *err)
{
    const char *path = request->path[side];
    char text[LABEL_PATH_BYTES];

    if (path == NULL) {
        snprintf(versions->label[side], sizeof versions->label[side], "%s: not there", request->disk[side]);
        return 0;
    }
    snprintf(versions->label[side], sizeof versions->label[side], "%s:%s", request->disk[side],
             cow_escape(text, sizeof text, path));
    int status = cow_fs_reader_open(&versions->reader[side], request->fs, request->volume, side, path, err);
    if (status != 0) {
        return status;
    }
    versions->size_bytes[side] = cow_fs_reader_size(versions->reader[side]);
    return 0;
}

/* Why a version is not compared as text: it is too long, or has a NUL at its beginning. *why stays as it is
 * where it can be. */
static int look_for_text(struct front_versions *versions, enum cow_version side, const char **why,
                         struct cow_error *err)
{
    char probe[PROBE_BYTES];
    uint64_t size = versions->size_bytes[side];
    size_t n = size < PROBE_BYTES ? (size_t)size : PROBE_BYTES;
    int status = front_versions_read(versions, side, 0, probe, n, err);

    if (status == 0 && n > 0 && memchr(probe, '\0', n) != NULL) {
        *why = no_text;
    } else if (size > FRONT_DIFF_TEXT_BYTES && *why == NULL) {
        *why = "this is longer than 4 MiB";
    }
    return status;
}

static int compare_versions(struct front_diff *diff, struct front_versions *versions, struct cow_error *err)
{
    const char *why = NULL;
    int status = look_for_text(versions, COW_VERSION_GUEST, &why, err);

    if (status == 0) {
        status = look_for_text(versions, COW_VERSION_BASE, &why, err);
    }
    if (status == 0 && why == NULL) {
        status = front_diff_text(diff, versions, &diff->text, err);
    }
    if (status == 0 && !diff->text) {
        status = front_diff_bytes(diff, versions, why != NULL ? why : "there is no diff(1) here", err);
    }
    if (status != 0 || diff->n_bytes > 0) {
        return status;
    }
    return front_diff_addf(diff, err, "  %s\n",
                           versions->reader[0] != NULL && versions->reader[1] != NULL
                               ? "both versions have the same content"
                               : "this is empty, and on one side only");
}

static int cut_into_lines(struct front_diff *diff, struct cow_error *err)
{
    size_t lines = 0;

    for (size_t i = 0; i < diff->n_bytes; i++) {
        lines += diff->bytes[i] == '\n' || i + 1 == diff->n_bytes;
    }
    diff->line = malloc((lines + 1) * sizeof *diff->line);
    if (diff->line == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < diff->n_bytes; i++) {
        if (i == 0 || diff->bytes[i - 1] == '\n') {
            diff->line[diff->lines++] = i;
        }
    }
    diff->line[diff->lines] = diff->n_bytes;
    return 0;
}

int front_diff_make(struct front_diff *out, const struct front_diff_request *request, struct cow_error *err)
{
    struct front_versions versions = {.wants_stop = request->wants_stop, .context = request->context};
    struct front_diff diff = {.lines = 0};
    int status = open_version(&versions, COW_VERSION_GUEST, request, err);

    if (status == 0) {
        status = open_version(&versions, COW_VERSION_BASE, request, err);
    }
    if (status == 0) {
        status = compare_versions(&diff, &versions, err);
    }
    if (status == 0) {
        status = cut_into_lines(&diff, err);
    }
    cow_fs_reader_close(versions.reader[COW_VERSION_GUEST]);
    cow_fs_reader_close(versions.reader[COW_VERSION_BASE]);
    if (status != 0) {
        front_diff_free(&diff);
    }
    *out = diff;
    return status;
}
