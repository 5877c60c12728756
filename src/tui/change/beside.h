/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two ways to the same end, side by side: what each does and costs, in rows, so that eyes can compare.
 */
#ifndef COW_TUI_CHANGE_BESIDE_H
#define COW_TUI_CHANGE_BESIDE_H

#include <stdbool.h>

#include "tui/actions/actions.h"
#include "tui/app/view.h"
#include "tui/screen/page.h"

enum { BESIDE_WAYS = 2, BESIDE_ROWS = 8 };

struct beside_way {
    const char *name;
    bool possible, recommended;
    const char *obstacle;          /* why it is not possible */
    const char *text[BESIDE_ROWS]; /* under the labels; NULL: nothing to say */
};

/* Puts them on a page; label ends with a NULL. Where it is not possible a way says why, in all its columns.
 */
void beside_put(struct tui_page *page, const char *const *label, const struct beside_way way[BESIDE_WAYS],
                int chosen);

/* Left, right, up and down choose among the possible ones; TUI_IGNORED for all other actions. */
enum tui_result beside_act(int *chosen, const bool possible[BESIDE_WAYS], enum tui_action_id action);

#endif
