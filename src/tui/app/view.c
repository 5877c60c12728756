/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The views, as their table has them.
 */
#include "tui/app/view.h"

#include <stddef.h>

const struct tui_view_class *const tui_tab_class[TUI_TABS] = {
#define TAB_CLASS(ID, name, ...) [TUI_TAB_##ID] = &tui_view_##name,
    TUI_EACH_TAB(TAB_CLASS)
#undef TAB_CLASS
};

static const struct {
    const struct tui_view_class *view_class;
    const char *title;
} titles[] = {
#define VIEW_TITLE(ID, name, title, ...) {&tui_view_##name, title},
    TUI_EACH_VIEW(VIEW_TITLE)
#undef VIEW_TITLE
};

const char *tui_view_title(const struct tui_view_class *view_class)
{
    size_t i = 0;

    while (titles[i].view_class != view_class) {
        i++;
    }
    return titles[i].title;
}
