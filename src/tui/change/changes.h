/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a change that needs no decision is made of: its plan, and its words.
 */
#ifndef COW_TUI_CHANGE_CHANGES_H
#define COW_TUI_CHANGE_CHANGES_H

#include "front/change/changes.h"
#include "tui/app/app.h"
#include "tui/change/change.h"

/* Makes the plan that is asked for. *out is the caller's in any case: front_end_change(). Errors: the
 * builder's; COW_USAGE where what was typed behind the command means nothing. */
int changes_plan(struct front_planned *out, struct tui_app *app, const struct tui_change_request *request,
                 const struct cow_env *env, struct cow_error *err);

/* What is said of it on its pages, with the plan made. room is used where the words are put together. */
const struct change_words *changes_words(struct change_words *room, const struct tui_change_request *request,
                                         const struct cow_plan *plan);

#endif
