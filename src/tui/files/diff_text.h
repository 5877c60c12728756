/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two versions compared by diff(1), which this starts: line by line.
 */
#ifndef COW_TUI_FILES_DIFF_TEXT_H
#define COW_TUI_FILES_DIFF_TEXT_H

#include "tui/files/versions.h"

enum { TUI_DIFF_TEXT_BYTES = 4 * 1024 * 1024 }; /* the longest version that is compared as text */

/* By diff(1); *ran is false where there is none that runs. */
int tui_diff_text(struct tui_diff *diff, struct tui_versions *versions, bool *ran, struct cow_error *err);

#endif
