/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two versions of a guest's file, compared as text: by diff(1) where both are text of moderate length,
 * else byte by byte, the first places that differ. A version that is not there is an empty one.
 */
#ifndef COW_TUI_VIEWS_DIFF_H
#define COW_TUI_VIEWS_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"

struct tui_app;

enum { TUI_DIFF_TEXT_BYTES = 4 * 1024 * 1024 }; /* the longest version that is compared as text */

/* Lines of raw bytes; whoever shows them escapes them. Each says by its beginning what it is, as diff's do:
 * "+" and "-" for the guest's version and the backing file's, "@" for a place. */
struct tui_diff {
    char *text;
    size_t bytes, capacity;
    size_t *line; /* where each begins; line[lines] is the end */
    size_t lines;
};

/* Compares. It looks for keys all the while; a stop is COW_CANCELLED. *out is the caller's (tui_diff_free);
 * on failure it is empty. */
int tui_diff_make(struct tui_diff *out, struct tui_app *app, const struct cow_fs_file *file,
                  struct cow_error *err);
void tui_diff_free(struct tui_diff *diff);

/* ---- inside ---- */

/* Both versions; [COW_VERSION_GUEST] and [COW_VERSION_BASE]. */
struct tui_versions {
    struct tui_app *app;
    double looked;
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

/* By diff(1); *ran is false where there is none that runs. */
int tui_diff_text(struct tui_diff *diff, struct tui_versions *versions, bool *ran, struct cow_error *err);

/* Byte by byte. */
int tui_diff_bytes(struct tui_diff *diff, struct tui_versions *versions, struct cow_error *err);

#endif
