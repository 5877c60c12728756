/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What can be done with one of the guest's files, wherever it is shown: in the list of Files, or explained.
 */
#ifndef COW_TUI_FILES_FILE_ACT_H
#define COW_TUI_FILES_FILE_ACT_H

#include "cow/fs.h"
#include "tui/app/view.h"

/* What the file allows: TUI_IN_... bits; 0 for NULL. */
tui_contexts tui_file_contexts(const struct cow_fs_file *file);

/* Does it; TUI_IGNORED for all other actions. file may be NULL: then it says so. */
enum tui_result tui_file_act(struct tui_app *app, const struct cow_fs_file *file, enum tui_action_id action);

/* Goes to the first of all that is in a directory (so many bytes of path), to Blocks or, lighting all of it,
 * to the Map; TUI_IGNORED for other actions. */
enum tui_result tui_directory_act(struct tui_app *app, int volume, const char *path, size_t n_bytes,
                                  enum tui_action_id action);

#endif
