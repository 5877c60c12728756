/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ":set" and ":theme": what they change is seen with the next drawing.
 */
#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/prompt.h"

static void apply(struct tui_app *app)
{
    const struct tui_settings *settings = app->settings;
    struct tui_backend *backend = app->backend;

    app->canvas.ascii = settings->ascii;
    backend->ops->look(backend, &settings->theme, (int)settings->color);
    backend->ops->use_mouse(backend, settings->mouse);
    backend->ops->forget(backend);
}

/* Whatever was changed: all that there is, in a line. */
static void say_settings(struct tui_app *app)
{
    char text[TUI_MESSAGE_BYTES];
    const struct tui_setting *row;
    size_t used = 0;

    for (size_t i = 0; (row = tui_setting_row(i)) != NULL && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", i > 0 ? ", " : "", row->name,
                                 tui_setting_value(app->settings, i));
    tui_app_say(app, TUI_DIM, "%s", text);
}

enum tui_result tui_app_do_set(struct tui_app *app, const char *words)
{
    struct cow_error err = {0};

    if (!words || !words[0]) {
        tui_app_push(app, &tui_view_settings, NULL);
        return TUI_REDRAW;
    }
    if (tui_setting_change(app->settings, words, &err)) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    apply(app);
    say_settings(app);
    return TUI_REDRAW;
}

enum tui_result tui_app_do_theme(struct tui_app *app, const char *name)
{
    char words[TUI_PROMPT_BYTES + 8];

    if (!name || !name[0])
        return tui_app_do_set(app, "");
    snprintf(words, sizeof words, "theme=%s", name);
    return tui_app_do_set(app, words);
}
