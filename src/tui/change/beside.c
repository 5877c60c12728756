/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See beside.h.
 */
#include "tui/change/beside.h"

#include <stdio.h>

enum { LABEL_COL = 1, FIRST_COL = 9, GAP_COLS = 2, NAME_BYTES = 96 };

/* Where a way's columns begin, and how many they are. */
static struct tui_column column_of(const struct tui_page *page, int way, enum tui_style style,
                                   const char *text)
{
    int cols = (page->cols - FIRST_COL - GAP_COLS) / BESIDE_WAYS;

    return (struct tui_column){FIRST_COL + way * (cols + GAP_COLS), cols, style, text != NULL ? text : ""};
}

static void put_name(struct tui_page *page, int at, const struct beside_way *way, bool chosen)
{
    struct tui_column column = column_of(page, at, TUI_NORMAL, "");
    enum tui_style style = chosen ? TUI_SELECTED : way->possible ? TUI_STRONG : TUI_DISABLED;

    int col = tui_page_putf(page, column.col, style, chosen ? "\u25b8 %s " : "  %s ", way->name);
    if (way->recommended) {
        tui_page_put(page, col + 1, TUI_GOOD, "recommended");
    }
}

static void put_obstacles(struct tui_page *page, const struct beside_way way[BESIDE_WAYS])
{
    struct tui_column column[BESIDE_WAYS];
    char text[BESIDE_WAYS][NAME_BYTES + 256];
    bool any = false;

    for (int i = 0; i < BESIDE_WAYS; i++) {
        text[i][0] = '\0';
        if (!way[i].possible) {
            snprintf(text[i], sizeof text[i], "not possible here: %s", way[i].obstacle);
        }
        any |= !way[i].possible;
        column[i] = column_of(page, i, TUI_WARN, text[i]);
    }
    if (any) {
        tui_page_columns(page, column, BESIDE_WAYS);
    }
}

void beside_put(struct tui_page *page, const char *const *label, const struct beside_way way[BESIDE_WAYS],
                int chosen)
{
    tui_page_line(page);
    for (int i = 0; i < BESIDE_WAYS; i++) {
        put_name(page, i, &way[i], i == chosen);
    }
    put_obstacles(page, way);
    for (int row = 0; row < BESIDE_ROWS && label[row] != NULL; row++) {
        struct tui_column column[BESIDE_WAYS + 1] = {
            {LABEL_COL, FIRST_COL - LABEL_COL - 1, TUI_LABEL, label[row]}};
        for (int i = 0; i < BESIDE_WAYS; i++) {
            column[i + 1] = column_of(page, i, way[i].possible ? TUI_NORMAL : TUI_DISABLED, way[i].text[row]);
        }
        tui_page_columns(page, column, BESIDE_WAYS + 1);
    }
}

enum tui_result beside_act(int *chosen, const bool possible[BESIDE_WAYS], enum tui_action_id action)
{
    bool forward = action == TUI_DO_RIGHT || action == TUI_DO_DOWN;

    if (!forward && action != TUI_DO_LEFT && action != TUI_DO_UP) {
        return TUI_IGNORED;
    }
    int to = forward ? 1 : 0;
    if (to == *chosen || !possible[to]) {
        return TUI_NOTHING;
    }
    *chosen = to;
    return TUI_REDRAW;
}
