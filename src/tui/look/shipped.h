/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The themes of share/themes, as text in the program, so that none of them can be missing.
 */
#ifndef COW_TUI_LOOK_SHIPPED_H
#define COW_TUI_LOOK_SHIPPED_H

#include <stddef.h>

/* The text of that theme; NULL if the program has none. */
const char *tui_shipped_theme(const char *name);

/* The name of the index-th one, NULL behind the last. */
const char *tui_shipped_name(size_t index);

#endif
