/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ":set" and ":theme": what they change is seen with the next drawing.
 */
#include <stdio.h>

#include "tui/app/app.h"
#include "tui/screen/prompt.h"

enum tui_result tui_app_do_set(struct tui_app *app, const char *words)
{
    struct cow_error err = {0};
    char text[TUI_MESSAGE_BYTES];

    if (words == NULL || words[0] == '\0') {
        tui_app_push(app, &tui_view_settings, NULL);
        return TUI_REDRAW;
    }
    if (tui_setting_change(app->settings, words, &err) != 0) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    tui_settings_apply(app->settings, app->backend, &app->canvas);
    tui_app_say(app, TUI_DIM, "%s", tui_settings_text(app->settings, text, sizeof text));
    return TUI_REDRAW;
}

enum tui_result tui_app_do_theme(struct tui_app *app, const char *name)
{
    char words[TUI_PROMPT_BYTES + 8];

    if (name == NULL || name[0] == '\0') {
        return tui_app_do_set(app, "");
    }
    snprintf(words, sizeof words, "theme=%s", name);
    return tui_app_do_set(app, words);
}
