/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The actions that move, on a page. It stands here because a page, which belongs to the screen, knows no
 * actions, and every view that is a page moves alike.
 */
#include "tui/app/view.h"

enum tui_result tui_page_act(struct tui_page *page, enum tui_action_id action, int rows)
{
    static const struct {
        enum tui_action_id id;
        int lines, screens;
    } moves[] = {
        {TUI_DO_UP, -1, 0},       {TUI_DO_DOWN, 1, 0},      {TUI_DO_PAGE_UP, 0, -1},
        {TUI_DO_PAGE_DOWN, 0, 1}, {TUI_DO_FIRST, 0, -9999}, {TUI_DO_LAST, 0, 9999},
    };

    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        if (moves[i].id == action) {
            return tui_page_scroll(page, moves[i].lines + moves[i].screens * rows, rows) ? TUI_REDRAW
                                                                                         : TUI_NOTHING;
        }
    }
    return TUI_IGNORED;
}
