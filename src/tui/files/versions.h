/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two versions of a guest's file, and the lines that come of comparing them. A version that is not there
 * is an empty one.
 */
#ifndef COW_TUI_FILES_VERSIONS_H
#define COW_TUI_FILES_VERSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"
#include "tui/app/app.h"

/* Lines of raw bytes; whoever shows them escapes them. Each says by its beginning what it is, as diff's do:
 * "+" and "-" for the guest's version and the backing file's, "@" for a place. */
struct tui_diff {
    char *text;
    size_t bytes, capacity;
    size_t *line; /* where each begins; line[lines] is the end */
    size_t lines;
};

void tui_diff_free(struct tui_diff *diff);

/* Both versions; [COW_VERSION_GUEST] and [COW_VERSION_BASE]. */
struct tui_versions {
    struct tui_waiting waiting;
    struct cow_fs_reader *reader[2]; /* NULL: it is not there */
    uint64_t size_bytes[2];
    char label[2][COW_MESSAGE_BYTES]; /* escaped */
};

/* Draws and looks for keys, now and then; COW_CANCELLED if the user wants a stop. */
int tui_versions_look(struct tui_versions *versions, uint64_t done, uint64_t total, struct cow_error *err);

/* Reads all that is asked for, zeros past the end. */
int tui_versions_read(struct tui_versions *versions, enum cow_version side, uint64_t offset, void *buffer,
                      size_t n_bytes, struct cow_error *err);

int tui_diff_add(struct tui_diff *diff, const void *bytes, size_t n_bytes, struct cow_error *err);
int tui_diff_addf(struct tui_diff *diff, struct cow_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
