/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovering an image whose data was being moved: both ways are open then, and which one is taken is the
 * user's to say, with the costs of both before the eyes.
 */
#ifndef COW_TUI_CHANGE_RECOVER_CHOICE_H
#define COW_TUI_CHANGE_RECOVER_CHOICE_H

#include "cow/ops.h"
#include "tui/app/app.h"
#include "tui/change/beside.h"

enum { RECOVER_CHOICE_TEXT = 256 };

struct recover_choice {
    bool asked; /* there are two ways */
    struct tui_page page;
    int page_rows; /* as drawn last */
    int chosen, shorter;
    uint64_t moves_bytes[BESIDE_WAYS]; /* that there are left to move: forward, back */
    char does[BESIDE_WAYS][RECOVER_CHOICE_TEXT];
};

/* Fills it and answers whether there is a choice at all. plan: that of the way which is taken if none is
 * named. */
bool recover_choice_ask(struct recover_choice *choice, struct tui_app *app, const struct cow_plan *plan);

/* The way that is selected at this moment. */
enum cow_recover_way recover_choice_way(const struct recover_choice *choice);

/* Selects the other way, or scrolls; TUI_IGNORED for what is neither. Drawing fills the page anew. */
enum tui_result recover_choice_act(struct recover_choice *choice, enum tui_action_id action);
void recover_choice_draw(struct recover_choice *choice, struct tui_app *app, struct tui_canvas *canvas,
                         struct tui_rect area);

#endif
