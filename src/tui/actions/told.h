/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a user is told of the table of actions: a footer, and Help.
 */
#ifndef COW_TUI_ACTIONS_TOLD_H
#define COW_TUI_ACTIONS_TOLD_H

#include "tui/actions/actions.h"
#include "tui/screen/canvas.h"
#include "tui/screen/page.h"

/* One line of keys for those contexts; what does not fit is left out, the last one (how to leave) never. */
void tui_footer_draw(struct tui_canvas *canvas, int y, tui_contexts contexts);

/* The keys that mean something in those contexts. */
void tui_actions_help_in(struct tui_page *page, tui_contexts contexts);

/* Help's text: keys by context, and commands. */
void tui_actions_help(struct tui_page *page);

#endif
