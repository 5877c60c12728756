/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The line at the bottom of the screen while it has the keys: a command behind a ':', or the answer to a
 * question. What becomes of a command line is not decided here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"

void tui_app_ask_command(struct tui_app *app)
{
    tui_prompt_begin("", tui_command_name, tui_command_file);
    tui_prompt_offer(tui_command_word);
    app->prompting = true;
    app->question = NULL;
}

void tui_app_ask(struct tui_app *app, const char *question, const char *initial,
                 void (*answer)(struct tui_app *app, const char *text))
{
    tui_prompt_begin(initial, NULL, NULL);
    app->prompting = true;
    app->question = question;
    app->offered = NULL;
    app->answer = answer;
    app->typed = NULL;
    app->given_up = NULL;
    app->redraw = true;
}

void tui_app_ask_file(struct tui_app *app, const char *question, const char *initial,
                      void (*answer)(struct tui_app *app, const char *text))
{
    tui_app_ask(app, question, initial, answer);
    tui_prompt_begin(initial, NULL, tui_prompt_whole);
    snprintf(app->offered_text, sizeof app->offered_text, "%s", initial);
    app->offered = app->offered_text;
}

/* What was offered is a name as it stands, whatever it begins with. */
static void answer_question(struct tui_app *app, const char *text)
{
    char *path = app->offered != NULL && strcmp(text, app->offered) != 0 ? tui_prompt_expand(text) : NULL;

    app->answer(app, path != NULL ? path : text);
    free(path);
}

void tui_app_ask_paste(struct tui_app *app, const char *text)
{
    tui_prompt_paste(text);
    app->redraw = true;
    if (app->question != NULL && app->typed != NULL) {
        app->typed(app, tui_prompt_text());
    }
}

const char *tui_app_ask_key(struct tui_app *app, int key)
{
    bool empty = tui_prompt_text()[0] == '\0';
    if (app->question != NULL &&
        (key == TUI_KEY_UP || key == TUI_KEY_DOWN)) { /* the history is of commands */
        return NULL;
    }
    enum tui_prompt_state state = empty && app->question == NULL && key == TUI_KEY_BACKSPACE
                                      ? tui_prompt_key(TUI_KEY_ESC)
                                      : tui_prompt_key(key);

    app->redraw = true;
    if (state == TUI_PROMPT_EDITING) {
        if (app->question != NULL && app->typed != NULL) {
            app->typed(app, tui_prompt_text());
        }
        return NULL;
    }
    app->prompting = false;
    if (state != TUI_PROMPT_ACCEPTED) {
        if (app->question != NULL && app->given_up != NULL) {
            app->given_up(app);
        }
        return NULL;
    }
    if (app->question == NULL) {
        return tui_prompt_text();
    }
    answer_question(app, tui_prompt_text());
    return NULL;
}
