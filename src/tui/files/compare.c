/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening the two versions, deciding how to compare them, and cutting what comes of it into lines. Text goes
 * to diff(1), which people know how to read; where it is too long for that, is no text, or there is no
 * diff(1), it is compared by bytes, which always works. Nothing is kept of either version but the lines.
 */
#include "tui/files/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/files/diff_bytes.h"
#include "tui/files/diff_text.h"
#include "tui/screen/clock.h"

enum { PROBE_BYTES = 8192, LABEL_PATH_BYTES = 512 };

static int open_version(struct tui_versions *versions, enum cow_version side, const struct cow_fs_file *file,
                        struct cow_error *err)
{
    struct tui_app *app = versions->waiting.app;
    bool guest = side == COW_VERSION_GUEST;
    const char *path = !guest && file->from ? file->from : file->path;
    char text[LABEL_PATH_BYTES];

    if (file->kind == (guest ? COW_FS_KIND_REMOVED : COW_FS_KIND_NEW)) {
        snprintf(versions->label[side], sizeof versions->label[side], "%s: not there",
                 guest ? app->name : app->backing_name);
        return 0;
    }
    snprintf(versions->label[side], sizeof versions->label[side], "%s:%s",
             guest ? app->name : app->backing_name, cow_escape(text, sizeof text, path));
    int status = cow_fs_reader_open(&versions->reader[side], app->files.fs, file->volume, side, path, err);
    if (status)
        return status;
    versions->size_bytes[side] = cow_fs_reader_size(versions->reader[side]);
    return 0;
}

/* Whether a version is text that can be compared as such: short enough, and without a NUL at its beginning.
 */
static int is_text(struct tui_versions *versions, enum cow_version side, bool *out, struct cow_error *err)
{
    char probe[PROBE_BYTES];
    uint64_t size = versions->size_bytes[side];
    size_t n = size < PROBE_BYTES ? (size_t)size : PROBE_BYTES;
    int status = tui_versions_read(versions, side, 0, probe, n, err);

    *out = status == 0 && size <= TUI_DIFF_TEXT_BYTES && (n == 0 || !memchr(probe, '\0', n));
    return status;
}

static int compare_versions(struct tui_diff *diff, struct tui_versions *versions, struct cow_error *err)
{
    bool guest_is_text, backing_is_text = false, ran = false;
    int status = is_text(versions, COW_VERSION_GUEST, &guest_is_text, err);

    if (status == 0)
        status = is_text(versions, COW_VERSION_BASE, &backing_is_text, err);
    if (status == 0 && guest_is_text && backing_is_text)
        status = tui_diff_text(diff, versions, &ran, err);
    if (status == 0 && !ran)
        status = tui_diff_bytes(diff, versions, err);
    if (status == 0 && diff->bytes == 0)
        status = tui_diff_addf(diff, err, "  both versions have the same content\n");
    return status;
}

static int cut_into_lines(struct tui_diff *diff, struct cow_error *err)
{
    size_t lines = 0;

    for (size_t i = 0; i < diff->bytes; i++)
        lines += diff->text[i] == '\n' || i + 1 == diff->bytes;
    diff->line = malloc((lines + 1) * sizeof *diff->line);
    if (!diff->line)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < diff->bytes; i++) {
        if (i == 0 || diff->text[i - 1] == '\n')
            diff->line[diff->lines++] = i;
    }
    diff->line[diff->lines] = diff->bytes;
    return 0;
}

int tui_diff_make(struct tui_diff *out, struct tui_app *app, const struct cow_fs_file *file,
                  struct cow_error *err)
{
    struct tui_versions versions = {.waiting = {app, tui_clock(), false}};
    struct tui_diff diff = {0};
    int status = open_version(&versions, COW_VERSION_GUEST, file, err);

    if (status == 0)
        status = open_version(&versions, COW_VERSION_BASE, file, err);
    if (status == 0)
        status = compare_versions(&diff, &versions, err);
    if (status == 0)
        status = cut_into_lines(&diff, err);
    cow_fs_reader_close(versions.reader[COW_VERSION_GUEST]);
    cow_fs_reader_close(versions.reader[COW_VERSION_BASE]);
    if (status)
        tui_diff_free(&diff);
    *out = diff;
    return status;
}
