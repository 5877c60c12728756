/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is being done just now, told in one place: how far it is, and how long it will take. How to stop it is
 * the footer's.
 */
#ifndef COW_TUI_APP_WORK_H
#define COW_TUI_APP_WORK_H

#include <stdbool.h>

#include "tui/actions/actions.h"
#include <stddef.h>

struct tui_app;

enum { TUI_WORK_BYTES = 160 };

/* "scan 37%, 2 min left", "opening 34%"; what stands still is told, too ("scan stopped at 37%"); "" if there
 * is nothing. Returns whether something goes on. */
bool tui_work_text(const struct tui_app *app, char out[TUI_WORK_BYTES]);

/* Esc: stops what it stops, as told beside the percent. False: there is nothing of that kind. */
bool tui_work_stop(struct tui_app *app);

/* What the footer has to know besides the view's contexts: whether a key stops what goes on. While a page
 * waits for something there are no other keys. */
tui_contexts tui_work_contexts(const struct tui_app *app, tui_contexts contexts);

#endif
