/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is selected on Map, Blocks or Bytes, for who wants to know more of it or to take it along: where its
 * bytes come from, in two sentences, and the dd command that reads them.
 */
#ifndef COW_TUI_VIEWS_EXPLAIN_H
#define COW_TUI_VIEWS_EXPLAIN_H

#include <stdint.h>

#include "tui/app/view.h"

/* Copies the offset (TUI_DO_COPY) or the dd command (TUI_DO_COPY_DD) of the sectors, or explains them
 * (TUI_DO_EXPLAIN); TUI_IGNORED for all other actions. */
enum tui_result tui_explain_act(struct tui_app *app, enum tui_action_id action, uint64_t first_sector,
                                uint64_t sectors);

#endif
