/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of a plan's text that several pages show, a few lines each; and the line that warns of whoever
 * holds the image. None of them decides what is shown: a page puts them together.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/change/change.h"

enum { LABEL_COL = CHANGE_LABEL_COL, TEXT_COL = CHANGE_TEXT_COL, SIBLINGS_NAMED = 4 };

void change_put_space(struct tui_page *page, bool roomy)
{
    if (roomy) {
        tui_page_line(page);
    }
}

void change_put_holder(struct tui_app *app, struct tui_page *page)
{
    if (!app->holder.held) {
        return;
    }
    tui_page_line(page);
    if (app->holder.pid > 0) {
        tui_page_wrapf(page, LABEL_COL, LABEL_COL + 2, TUI_WARN,
                       "! in use by pid %" PRId64 ": nothing can be written until that one stops",
                       app->holder.pid);
    } else {
        tui_page_wrap(page, LABEL_COL, LABEL_COL + 2, TUI_WARN,
                      "! in use by another program: nothing can be written until that one stops");
    }
}

static void put_told(void *context, const char *label, enum front_tone tone, const char *text)
{
    static const enum tui_style styles[] = {[FRONT_PLAIN] = TUI_NORMAL,
                                            [FRONT_FAINT] = TUI_DIM,
                                            [FRONT_GOOD] = TUI_GOOD,
                                            [FRONT_WARN] = TUI_WARN,
                                            [FRONT_BAD] = TUI_BAD};

    const int blanks = (int)strspn(text, " "); /* of a number under longer ones */

    tui_page_value(context, label, TEXT_COL + blanks, styles[tone], "%s", text + blanks);
}

struct front_rows change_rows(struct tui_page *page)
{
    return (struct front_rows){
        .put = put_told, .context = page, .is_narrow = true, .cols = page->cols - TEXT_COL};
}

void change_put_command(struct tui_page *page, const struct cow_preview *preview)
{
    if (preview->command[0] == '\0') {
        return;
    }
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, "the same:");
    tui_page_wrap(page, LABEL_COL + 10, LABEL_COL + 10, TUI_STRONG, preview->command);
}
