/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Doing an action: the view on top is asked first; what it ignores is looked up in the table of what the
 * application itself does. Where several rows share a function, `which` is what they differ in: the tab that
 * is shown, how far tabs are turned, the kind of change that is opened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/change/options.h"
#include "tui/app/app.h"
#include "tui/screen/prompt.h"

static enum tui_result do_help(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_push(app, &tui_view_help, NULL);
    return TUI_REDRAW;
}

static enum tui_result do_family(struct tui_app *app, const char *argument)
{
    (void)argument;
    if (tui_app_top(app)->view_class != &tui_view_family) {
        tui_app_push(app, &tui_view_family, NULL);
    }
    return TUI_REDRAW;
}

static enum tui_result show_tab(struct tui_app *app, enum tui_tab tab, const char *argument)
{
    tui_app_show_tab(app, tab, false);
    if (argument != NULL && tui_tab_class[tab]->again != NULL) {
        tui_tab_class[tab]->again(app);
    }
    return TUI_REDRAW;
}

static enum tui_result do_edit(struct tui_app *app, const char *argument)
{
    return show_tab(app, TUI_TAB_HEADER, argument);
}

static enum tui_result do_owners(struct tui_app *app, const char *argument)
{
    (void)argument;
    app->files.colours = app->tab_now != TUI_TAB_MAP || app->depth > 0 || !app->files.colours;
    bool running = app->files.job.state == TUI_JOB_RUNNING;
    if (app->files.colours ? !tui_files_known(&app->files) && !running : running) {
        tui_files_again(&app->files);
    }
    tui_app_show_tab(app, TUI_TAB_MAP, false);
    return TUI_REDRAW;
}

static enum tui_result do_turn_tabs(struct tui_app *app, int by, const char *argument)
{
    (void)argument;
    tui_app_show_tab(app, (enum tui_tab)((app->tab_now + by) % TUI_TABS), false);
    return TUI_REDRAW;
}

/* Opens a change. An interrupted one has to be recovered before. */
static enum tui_result show_change(struct tui_app *app, const struct tui_change_request *request)
{
    if (app->pending && request->own != TUI_CHANGE_RECOVER) {
        tui_app_offer_recovery(app);
    } else {
        tui_app_push(app, &tui_view_change, request);
    }
    return TUI_REDRAW;
}

static enum tui_result do_change(struct tui_app *app, int change, const char *argument)
{
    const struct tui_change_request request = {.own = (enum tui_change)change,
                                               .argument = argument != NULL ? argument : ""};

    return show_change(app, &request);
}

static enum tui_result do_resize(struct tui_app *app, const char *argument)
{
    if (app->pending) {
        tui_app_offer_recovery(app);
    } else {
        tui_app_push(app, &tui_view_wizard, argument != NULL ? argument : "");
    }
    return TUI_REDRAW;
}

static enum tui_result do_undo(struct tui_app *app, const char *argument)
{
    struct front_words words;
    struct cow_error err = {0};
    char line[TUI_PROMPT_BYTES];

    snprintf(line, sizeof line, "%s", argument != NULL ? argument : "");
    if (front_read_words(&words, front_find_change("undo"), line, &err) != 0) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    return do_change(app, words.discard ? TUI_CHANGE_DISCARD_UNDO : TUI_CHANGE_UNDO, NULL);
}

/* Which way is asked, unless it was said. */
static enum tui_result do_recover(struct tui_app *app, const char *argument)
{
    const struct tui_change_request request = {.change = front_find_change("recover"), .argument = argument};

    if (argument == NULL || argument[0] == '\0') {
        return do_change(app, TUI_CHANGE_RECOVER, NULL);
    }
    tui_app_push(app, &tui_view_change, &request);
    return TUI_REDRAW;
}

static enum tui_result do_serve(struct tui_app *app, const char *argument)
{
    const struct tui_serving_request request = {.is_writing = argument != NULL && argument[0] != '\0'};

    tui_app_push(app, &tui_view_serving, &request);
    return TUI_REDRAW;
}

/* Cuts a last word off, unless nothing stands before it: "" if there is none. */
static const char *cut_last_word(char *text)
{
    char *space = strrchr(text, ' ');

    if (space == NULL || space == text) {
        return "";
    }
    while (space > text && space[-1] == ' ') {
        space--;
    }
    const char *word = space + strspn(space, " ");
    *space = '\0';
    return word;
}

/* What stands behind the directory, from its end. A directory may have blanks in its name, but its last word
 * does not begin like an option. False: it is none that is known. */
static bool read_mount(struct tui_serving_request *request, char *text)
{
    while (strstr(text, " --") != NULL) {
        unsigned partition = 0;
        const char *word = cut_last_word(text);
        bool is_number = sscanf(word, "%u", &partition) == 1 && partition > 0 &&
                         strspn(word, "0123456789") == strlen(word);
        if (is_number && strcmp(cut_last_word(text), "--partition") == 0) {
            request->partition = partition;
        } else if (strcmp(word, "--write") == 0) {
            request->is_writing = true;
        } else if (strcmp(word, "--fs") != 0) {
            return false;
        }
        request->is_filesystem |= is_number || strcmp(word, "--fs") == 0;
    }
    request->directory = text;
    return true;
}

static enum tui_result do_mount(struct tui_app *app, const char *argument)
{
    struct tui_serving_request request = {.is_writing = false};
    struct cow_error err = {0};
    char text[TUI_PROMPT_BYTES];

    if (argument == NULL) {
        return TUI_NOTHING;
    }
    snprintf(text, sizeof text, "%s", argument);
    if (read_mount(&request, text)) {
        tui_app_push(app, &tui_view_serving, &request);
        return TUI_REDRAW;
    }
    cow_error_set(&err, COW_USAGE,
                  "mount takes a directory, and behind it only --write, and --fs or --partition N");
    tui_app_error(app, &err);
    return TUI_REDRAW;
}

/* What is staged where we are goes first. An interrupted change that is one of the findings is no obstacle:
 * its fix is the recovery. */
static enum tui_result do_write(struct tui_app *app, const char *argument)
{
    bool fixes = tui_check_staged(&app->check) > 0, edits = app->edits.path || app->edits.mtime;

    (void)argument;
    if (fixes && (app->tab_now == TUI_TAB_CHECK || !edits)) {
        const struct tui_change_request request = {.own = TUI_CHANGE_REPAIR, .argument = ""};
        tui_app_push(app, &tui_view_change, &request);
        return TUI_REDRAW;
    }
    if (edits) {
        return do_change(app, TUI_CHANGE_EDIT, NULL);
    }
    tui_app_say(app, TUI_DIM, "nothing is staged: in Check f stages a fix, in Header e edits a field");
    return TUI_REDRAW;
}

static enum tui_result do_unstage(struct tui_app *app, const char *argument)
{
    (void)argument;
    if (app->tab_now == TUI_TAB_CHECK) {
        tui_check_unstage(&app->check);
    } else {
        app->edits.path = app->edits.mtime = false;
    }
    tui_app_say(app, TUI_DIM, "nothing is staged any more");
    return TUI_REDRAW;
}

static enum tui_result do_scan(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_scan_toggle(&app->scan);
    tui_app_hear_job(app, &app->scan.job);
    return TUI_REDRAW;
}

static enum tui_result do_follow(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_follow_toggle(&app->follow);
    tui_app_hear_job(app, &app->follow.job);
    return TUI_REDRAW;
}

/* Selects a byte (16M, +1M) or the first one of a sector (s32768). False: that is none, which is told. */
static bool select_position(struct tui_app *app, const char *name, const char *argument)
{
    const uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct cow_error err = {0};
    uint64_t at = 0, sectors = tui_app_sectors(app);
    bool is_sector = argument[0] == 's';

    if (cow_size_parse(&at, argument + is_sector, is_sector ? app->sector : tui_app_byte(app), &err) != 0) {
        cow_error_prefix(&err, "%s", name);
        tui_app_error(app, &err);
        return false;
    }
    if ((is_sector ? at : at / sector_bytes) >= sectors) {
        tui_app_select(app, sectors - 1);
        tui_app_say(app, TUI_WARN, "that is past the end of the disk; this is its last sector");
    } else if (is_sector) {
        tui_app_select_byte(app, at * sector_bytes);
    } else {
        tui_app_select_byte(app, at);
    }
    return true;
}

static enum tui_result do_goto(struct tui_app *app, const char *argument)
{
    if (argument == NULL || tui_app_sectors(app) == 0) {
        return TUI_NOTHING;
    }
    select_position(app, "goto", argument);
    return TUI_REDRAW;
}

/* Of what is asked one after the other only the last stays open. */
static enum tui_result do_owner(struct tui_app *app, const char *argument)
{
    bool is_another = tui_app_top(app)->view_class == &tui_view_owner;

    if (tui_app_sectors(app) == 0) {
        return TUI_NOTHING;
    }
    if (argument != NULL && argument[0] != '\0' && !select_position(app, "owner", argument)) {
        return TUI_REDRAW;
    }
    tui_app_push(app, &tui_view_owner, NULL);
    return is_another ? TUI_POP : TUI_REDRAW;
}

static enum tui_result do_refresh(struct tui_app *app, const char *argument)
{
    struct cow_error err = {0};

    (void)argument;
    if (tui_app_reopen(app, &err) != 0) {
        tui_app_error(app, &err);
    } else {
        tui_app_say(app, TUI_DIM, "read anew");
    }
    return TUI_REDRAW;
}

/* As leaving, and starting again with -b. What was staged for another backing file may not fit this one. */
static enum tui_result do_backing(struct tui_app *app, const char *argument)
{
    struct cow_error err = {0};

    if (tui_app_name_backing(app, argument != NULL && argument[0] != '\0' ? argument : NULL, &err) != 0) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    tui_check_unstage(&app->check);
    tui_app_say_backing(app);
    return TUI_REDRAW;
}

static enum tui_result do_find(struct tui_app *app, const char *argument)
{
    (void)argument;
    return tui_app_ask_text(app);
}

static enum tui_result do_places(struct tui_app *app, int back, const char *argument)
{
    (void)argument;
    if (!tui_places_go(app, back != 0)) {
        tui_app_say(app, TUI_DIM,
                    back != 0 ? "you were nowhere before" : "there is nothing to go forward to");
    }
    return TUI_REDRAW;
}

static enum tui_result do_redraw(struct tui_app *app, const char *argument)
{
    (void)argument;
    app->backend->ops->forget(app->backend);
    return TUI_REDRAW;
}

static enum tui_result do_tour(struct tui_app *app, const char *argument)
{
    struct cow_error err = {0};
    int stop_signal = 0;

    (void)argument;
    if (app->give_lesson(app->backend, app->canvas.ascii, &stop_signal, &err) != 0) {
        tui_app_error(app, &err);
    }
    app->stop_signal = stop_signal;
    return stop_signal != 0 ? TUI_QUIT : TUI_REDRAW;
}

/* The map does it; elsewhere there is nothing to be drawn. */
static enum tui_result do_export(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_say(app, TUI_WARN, "what is drawn is the map: 2 shows it");
    return TUI_REDRAW;
}

static enum tui_result do_prompt(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_ask_command(app);
    return TUI_REDRAW;
}

/* Whether leaving is fine: the first time it is not where something staged would be forgotten. */
static bool may_leave(struct tui_app *app)
{
    bool staged = tui_check_staged(&app->check) > 0 || app->edits.path || app->edits.mtime;

    if (!staged || app->warned) {
        return true;
    }
    app->warned = true;
    tui_app_say(app, TUI_WARN, "what is staged is not written: W shows what it does, q again leaves");
    return false;
}

static enum tui_result do_leave(struct tui_app *app, const char *argument)
{
    (void)argument;
    if (app->depth > 0) {
        return TUI_POP;
    }
    if (app->tab_return == TUI_NO_TAB) {
        if (!may_leave(app)) {
            return TUI_REDRAW;
        }
        app->to_list = app->chosen;
        return TUI_QUIT;
    }
    tui_app_show_tab(app, (enum tui_tab)app->tab_return, false);
    return TUI_REDRAW;
}

static enum tui_result do_quit(struct tui_app *app, const char *argument)
{
    (void)app;
    (void)argument;
    return TUI_QUIT;
}

static const struct {
    enum tui_action_id id;
    enum tui_result (*does)(struct tui_app *app, const char *argument);
    enum tui_result (*does_one)(struct tui_app *app, int which, const char *argument);
    int which;
} own_actions[] = {
    {TUI_DO_HELP, .does = do_help},
    {TUI_DO_FAMILY, .does = do_family},
    {TUI_DO_EDIT, .does = do_edit},
    {TUI_DO_OWNERS, .does = do_owners},
    {TUI_DO_EXPORT, .does = do_export},
    {TUI_DO_NEXT_VIEW, .does_one = do_turn_tabs, .which = 1},
    {TUI_DO_PREV_VIEW, .does_one = do_turn_tabs, .which = TUI_TABS - 1},
    {TUI_DO_RESIZE, .does = do_resize},
    {TUI_DO_UNDO, .does = do_undo},
    {TUI_DO_RECOVER, .does = do_recover},
    {TUI_DO_SERVE, .does = do_serve},
    {TUI_DO_MOUNT, .does = do_mount},
    {TUI_DO_SCAN, .does = do_scan},
    {TUI_DO_FOLLOW, .does = do_follow},
    {TUI_DO_WRITE, .does = do_write},
    {TUI_DO_UNSTAGE, .does = do_unstage},
    {TUI_DO_FIND, .does = do_find},
    {TUI_DO_WAS_BACK, .does_one = do_places, .which = 1},
    {TUI_DO_WAS_FORWARD, .does_one = do_places, .which = 0},
    {TUI_DO_GOTO, .does = do_goto},
    {TUI_DO_NEXT, .does_one = tui_app_do_next, .which = false},
    {TUI_DO_PREVIOUS, .does_one = tui_app_do_next, .which = true},
    {TUI_DO_AGAIN, .does_one = tui_app_do_again, .which = false},
    {TUI_DO_AGAIN_BACK, .does_one = tui_app_do_again, .which = true},
    {TUI_DO_MARK, .does_one = tui_app_do_letter, .which = TUI_LETTER_SETS},
    {TUI_DO_TO_MARK, .does_one = tui_app_do_letter, .which = TUI_LETTER_GOES},
    {TUI_DO_OWNER, .does = do_owner},
    {TUI_DO_REFRESH, .does = do_refresh},
    {TUI_DO_BACKING, .does = do_backing},
    {TUI_DO_SET, .does = tui_app_do_set},
    {TUI_DO_THEME, .does = tui_app_do_theme},
    {TUI_DO_REDRAW, .does = do_redraw},
    {TUI_DO_TOUR, .does = do_tour},
    {TUI_DO_PROMPT, .does = do_prompt},
    {TUI_DO_LEAVE, .does = do_leave},
    {TUI_DO_QUIT, .does = do_quit},
};

/* What no view has a use for. A tab's action is called as the tab is, and a change's row says which one. */
static enum tui_result do_own(struct tui_app *app, const struct tui_action *action, const char *argument)
{
    const struct tui_change_request request = {.change = action->change,
                                               .argument = argument != NULL ? argument : ""};
    int tab = (int)action->id - TUI_DO_BEFORE_TABS - 1;

    if (action->change != NULL) {
        return show_change(app, &request);
    }
    if (tab >= 0 && tab < TUI_TABS) {
        return show_tab(app, (enum tui_tab)tab, argument);
    }
    for (size_t i = 0; i < sizeof own_actions / sizeof own_actions[0]; i++) {
        if (own_actions[i].id == action->id) {
            return own_actions[i].does != NULL ? own_actions[i].does(app, argument)
                                               : own_actions[i].does_one(app, own_actions[i].which, argument);
        }
    }
    return TUI_IGNORED;
}

void tui_app_perform(struct tui_app *app, const struct tui_action *action, const char *argument)
{
    struct tui_view view = *tui_app_top(app);
    const struct tui_place before = tui_places_now(app);
    enum tui_result result = view.view_class->act(app, view.state, action->id, argument);

    if (result == TUI_IGNORED) {
        result = do_own(app, action, argument);
    }
    tui_app_finish(app, &view, result);
    tui_places_acted(app, &before, action->id, argument != NULL);
}

void tui_app_run_command(struct tui_app *app, const char *line)
{
    char copy[TUI_PROMPT_BYTES];
    struct cow_error err = {0};
    const struct tui_action *action;
    const char *argument;

    snprintf(copy, sizeof copy, "%s", line);
    size_t n = strlen(copy);
    while (n > 0 && copy[n - 1] == ' ') {
        copy[--n] = '\0';
    }
    if (n == 0) {
        return;
    }
    if (tui_action_of_command(&action, &argument, copy, &err) != 0) {
        tui_app_error(app, &err);
        return;
    }
    char *path = tui_command_file(copy, &n) ? tui_prompt_expand(argument) : NULL;
    tui_app_perform(app, action, path != NULL ? path : argument);
    free(path);
}
