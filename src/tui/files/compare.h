/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two versions of a guest's file, compared as text: by diff(1) where both are text of moderate length,
 * else byte by byte, the first places that differ. A version that is not there is an empty one.
 */
#ifndef COW_TUI_FILES_COMPARE_H
#define COW_TUI_FILES_COMPARE_H

#include "tui/files/versions.h"

/* Compares. It looks for keys all the while; a stop is COW_CANCELLED. *out is the caller's (tui_diff_free);
 * on failure it is empty. */
int tui_diff_make(struct tui_diff *out, struct tui_app *app, const struct cow_fs_file *file,
                  struct cow_error *err);

#endif
