/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two versions compared byte by byte: the first places that differ.
 */
#ifndef COW_TUI_FILES_DIFF_BYTES_H
#define COW_TUI_FILES_DIFF_BYTES_H

#include "tui/files/versions.h"

/* Byte by byte. */
int tui_diff_bytes(struct tui_diff *diff, struct tui_versions *versions, struct cow_error *err);

#endif
