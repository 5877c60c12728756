/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loop: draw, wait for an event, hand it to the prompt, the top view, or the table of actions below.
 */
#include "tui/app/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"
#include "tui/screen/utf8.h"

enum {
    TICKS_PER_LOOK = 10, /* once a second: who holds the image? */
    SLICES_PER_TICK = 5, /* of work in between */
};

static struct tui_view *top_view(struct tui_app *app)
{
    return app->depth > 0 ? &app->stack[app->depth - 1] : &app->tab[app->tab_now];
}

void tui_app_say(struct tui_app *app, enum tui_style style, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(app->message, sizeof app->message, format, arguments);
    va_end(arguments);
    app->message_style = style;
    app->redraw = true;
}

void tui_app_error(struct tui_app *app, const struct cow_error *err)
{
    const char *dash = err->hint[0] ? " - " : "";
    int cells = tui_text_cells(err->message) + tui_text_cells(dash) + tui_text_cells(err->hint);

    if (cells <= app->canvas.cols - 2)
        tui_app_say(app, TUI_BAD, "%s%s%s", err->message, dash, err->hint);
    else
        tui_app_push(app, &tui_view_message, err);
}

void tui_app_push(struct tui_app *app, const struct tui_view_class *view_class, const void *argument)
{
    struct cow_error err = {0};
    void *state = NULL;

    app->redraw = true;
    if (app->depth == TUI_STACK)
        return;
    if (view_class->open(app, &state, argument, &err)) {
        tui_app_error(app, &err);
        return;
    }
    app->stack[app->depth++] = (struct tui_view){view_class, state};
}

static void close_view(struct tui_app *app, struct tui_view *view)
{
    if (view->view_class)
        view->view_class->close(app, view->state);
    *view = (struct tui_view){NULL, NULL};
}

/* Removes a view from the stack wherever it lies: it may have opened a message box before it ended. */
static void pop_view(struct tui_app *app, int index)
{
    close_view(app, &app->stack[index]);
    for (int i = index; i + 1 < app->depth; i++)
        app->stack[i] = app->stack[i + 1];
    app->depth--;
    app->stack[app->depth] = (struct tui_view){NULL, NULL};
    app->redraw = true;
}

void tui_app_show_tab(struct tui_app *app, enum tui_tab tab, bool returns)
{
    while (app->depth > 0)
        pop_view(app, app->depth - 1);
    app->tab_return = returns ? app->tab_now : TUI_NO_TAB;
    app->tab_now = (int)tab;
    app->redraw = true;
}

/* What the application itself does when a view ignores an action. */
static enum tui_result do_help(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_push(app, &tui_view_help, NULL);
    return TUI_REDRAW;
}

static enum tui_result do_header(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_show_tab(app, TUI_TAB_HEADER, false);
    return TUI_REDRAW;
}

static enum tui_result do_map(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_show_tab(app, TUI_TAB_MAP, false);
    return TUI_REDRAW;
}

static enum tui_result do_blocks(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_show_tab(app, TUI_TAB_BLOCKS, false);
    return TUI_REDRAW;
}

/* As with the check below. */
static enum tui_result do_files(struct tui_app *app, const char *argument)
{
    tui_app_show_tab(app, TUI_TAB_FILES, false);
    if (argument)
        tui_files_again(app);
    return TUI_REDRAW;
}

static enum tui_result do_owners(struct tui_app *app, const char *argument)
{
    (void)argument;
    app->files.colours = app->tab_now != TUI_TAB_MAP || app->depth > 0 || !app->files.colours;
    if (app->files.colours ? !tui_files_known(app) && !app->files.running : app->files.running)
        tui_files_again(app);
    tui_app_show_tab(app, TUI_TAB_MAP, false);
    return TUI_REDRAW;
}

/* The key shows what is known; the command looks anew. */
static enum tui_result do_check(struct tui_app *app, const char *argument)
{
    tui_app_show_tab(app, TUI_TAB_CHECK, false);
    if (argument)
        tui_check_again(app);
    return TUI_REDRAW;
}

static enum tui_result do_next_view(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_show_tab(app, (enum tui_tab)((app->tab_now + 1) % TUI_TABS), false);
    return TUI_REDRAW;
}

static enum tui_result do_prev_view(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_app_show_tab(app, (enum tui_tab)((app->tab_now + TUI_TABS - 1) % TUI_TABS), false);
    return TUI_REDRAW;
}

void tui_app_offer_recovery(struct tui_app *app)
{
    tui_app_push(app, &tui_view_pending, NULL);
}

/* Opens a change. An interrupted one has to be recovered before. */
static enum tui_result change(struct tui_app *app, enum tui_change_kind kind, const char *argument)
{
    const struct tui_change_request request = {kind, argument ? argument : ""};

    if (app->pending && kind != TUI_CHANGE_RECOVER)
        tui_app_offer_recovery(app);
    else
        tui_app_push(app, &tui_view_change, &request);
    return TUI_REDRAW;
}

static enum tui_result do_resize(struct tui_app *app, const char *argument)
{
    if (app->pending)
        tui_app_offer_recovery(app);
    else
        tui_app_push(app, &tui_view_wizard, argument ? argument : "");
    return TUI_REDRAW;
}

static enum tui_result do_undo(struct tui_app *app, const char *argument)
{
    return change(app, argument && argument[0] ? TUI_CHANGE_DISCARD_UNDO : TUI_CHANGE_UNDO, NULL);
}

static enum tui_result do_recover(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_RECOVER, argument);
}

static enum tui_result do_pages(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_PAGES, argument);
}

static enum tui_result do_compact(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_COMPACT, argument);
}

static enum tui_result do_rebase(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_REBASE, argument);
}

static enum tui_result do_restamp(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_RESTAMP, argument);
}

static enum tui_result do_convert(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_CONVERT, argument);
}

static enum tui_result do_merge(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_MERGE, argument);
}

static enum tui_result do_merge_in_place(struct tui_app *app, const char *argument)
{
    return change(app, TUI_CHANGE_MERGE_IN_PLACE, argument);
}

/* What is staged where we are goes first. An interrupted change that is one of the findings is no obstacle:
 * its fix is the recovery. */
static enum tui_result do_write(struct tui_app *app, const char *argument)
{
    bool fixes = tui_check_staged(app) > 0, edits = app->edits.path || app->edits.mtime;

    (void)argument;
    if (fixes && (app->tab_now == TUI_TAB_CHECK || !edits)) {
        const struct tui_change_request request = {TUI_CHANGE_REPAIR, ""};
        tui_app_push(app, &tui_view_change, &request);
        return TUI_REDRAW;
    }
    if (edits)
        return change(app, TUI_CHANGE_EDIT, NULL);
    tui_app_say(app, TUI_DIM, "nothing is staged: in Check f stages a fix, in Header e edits a field");
    return TUI_REDRAW;
}

static enum tui_result do_unstage(struct tui_app *app, const char *argument)
{
    (void)argument;
    if (app->tab_now == TUI_TAB_CHECK)
        memset(app->check.staged, 0, sizeof app->check.staged);
    else
        app->edits.path = app->edits.mtime = false;
    tui_app_say(app, TUI_DIM, "nothing is staged any more");
    return TUI_REDRAW;
}

static enum tui_result do_scan(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_scan_toggle(app);
    return TUI_REDRAW;
}

static enum tui_result do_goto(struct tui_app *app, const char *argument)
{
    const struct cow_header *header = cow_image_header(app->image);
    struct cow_error err = {0};
    uint64_t at = 0;
    bool sector = argument && argument[0] == 's';
    uint64_t sectors = tui_app_sectors(app);

    if (!argument || sectors == 0)
        return TUI_NOTHING;
    if (cow_size_parse(&at, sector ? argument + 1 : argument,
                       sector ? app->sector : app->sector * header->sector_bytes, &err)) {
        cow_error_prefix(&err, "goto");
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    if (!sector)
        at /= header->sector_bytes;
    if (at >= sectors) {
        at = sectors - 1;
        tui_app_say(app, TUI_WARN, "that is past the end of the disk; this is its last sector");
    }
    tui_app_select(app, at);
    return TUI_REDRAW;
}

static enum tui_result do_refresh(struct tui_app *app, const char *argument)
{
    struct cow_error err = {0};

    (void)argument;
    if (tui_app_reopen(app, &err))
        tui_app_error(app, &err);
    else
        tui_app_say(app, TUI_DIM, "read anew");
    return TUI_REDRAW;
}

/* As leaving, and starting again with -b. What was staged for another backing file may not fit this one. */
static enum tui_result do_backing(struct tui_app *app, const char *argument)
{
    struct cow_error err = {0};

    if (tui_app_name_backing(app, argument && argument[0] ? argument : NULL, &err)) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    memset(app->check.staged, 0, sizeof app->check.staged);
    tui_app_say_backing(app);
    return TUI_REDRAW;
}

static enum tui_result do_redraw(struct tui_app *app, const char *argument)
{
    (void)argument;
    app->backend->ops->forget(app->backend);
    return TUI_REDRAW;
}

static enum tui_result do_prompt(struct tui_app *app, const char *argument)
{
    (void)argument;
    tui_prompt_begin("", tui_command_name, tui_command_file);
    app->prompting = true;
    app->question = NULL;
    return TUI_REDRAW;
}

void tui_app_ask(struct tui_app *app, const char *question, const char *initial,
                 void (*answer)(struct tui_app *app, const char *text))
{
    tui_prompt_begin(initial, NULL, NULL);
    app->prompting = true;
    app->question = question;
    app->offered = NULL;
    app->answer = answer;
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
    char *path = app->offered && strcmp(text, app->offered) != 0 ? tui_prompt_expand(text) : NULL;

    app->answer(app, path ? path : text);
    free(path);
}

/* Whether leaving is fine: the first time it is not where something staged would be forgotten. */
static bool may_leave(struct tui_app *app)
{
    bool staged = tui_check_staged(app) > 0 || app->edits.path || app->edits.mtime;

    if (!staged || app->warned)
        return true;
    app->warned = true;
    tui_app_say(app, TUI_WARN, "what is staged is not written: W shows what it does, q again leaves");
    return false;
}

static enum tui_result do_leave(struct tui_app *app, const char *argument)
{
    (void)argument;
    if (app->depth > 0)
        return TUI_POP;
    if (app->tab_return == TUI_NO_TAB)
        return may_leave(app) ? TUI_QUIT : TUI_REDRAW;
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
    enum tui_result (*function)(struct tui_app *app, const char *argument);
} own_actions[] = {
    {TUI_DO_HELP, do_help},
    {TUI_DO_HEADER, do_header},
    {TUI_DO_MAP, do_map},
    {TUI_DO_BLOCKS, do_blocks},
    {TUI_DO_FILES, do_files},
    {TUI_DO_CHECK, do_check},
    {TUI_DO_OWNERS, do_owners},
    {TUI_DO_NEXT_VIEW, do_next_view},
    {TUI_DO_PREV_VIEW, do_prev_view},
    {TUI_DO_RESIZE, do_resize},
    {TUI_DO_UNDO, do_undo},
    {TUI_DO_RECOVER, do_recover},
    {TUI_DO_PAGES, do_pages},
    {TUI_DO_COMPACT, do_compact},
    {TUI_DO_REBASE, do_rebase},
    {TUI_DO_RESTAMP, do_restamp},
    {TUI_DO_CONVERT, do_convert},
    {TUI_DO_MERGE, do_merge},
    {TUI_DO_MERGE_IN_PLACE, do_merge_in_place},
    {TUI_DO_SCAN, do_scan},
    {TUI_DO_WRITE, do_write},
    {TUI_DO_UNSTAGE, do_unstage},
    {TUI_DO_EDIT, do_header},
    {TUI_DO_GOTO, do_goto},
    {TUI_DO_REFRESH, do_refresh},
    {TUI_DO_BACKING, do_backing},
    {TUI_DO_REDRAW, do_redraw},
    {TUI_DO_PROMPT, do_prompt},
    {TUI_DO_LEAVE, do_leave},
    {TUI_DO_QUIT, do_quit},
};

static void finish(struct tui_app *app, const struct tui_view_class *view_class, const void *state,
                   enum tui_result result)
{
    if (result == TUI_REDRAW)
        app->redraw = true;
    if (result == TUI_QUIT)
        app->leave = true;
    for (int i = app->depth - 1; result == TUI_POP && i >= 0; i--) {
        if (app->stack[i].view_class == view_class && app->stack[i].state == state) {
            pop_view(app, i);
            break;
        }
    }
}

static void perform(struct tui_app *app, enum tui_action_id action, const char *argument)
{
    struct tui_view view = *top_view(app);
    enum tui_result result = view.view_class->act(app, view.state, action, argument);

    for (size_t i = 0; result == TUI_IGNORED && i < sizeof own_actions / sizeof own_actions[0]; i++) {
        if (own_actions[i].id == action)
            result = own_actions[i].function(app, argument);
    }
    finish(app, view.view_class, view.state, result);
}

static void run_command(struct tui_app *app, const char *line)
{
    char copy[TUI_PROMPT_BYTES];
    struct cow_error err = {0};
    enum tui_action_id action;
    const char *argument;

    snprintf(copy, sizeof copy, "%s", line);
    size_t n = strlen(copy);
    while (n > 0 && copy[n - 1] == ' ')
        copy[--n] = '\0';
    if (n == 0)
        return;
    if (tui_action_of_command(&action, &argument, copy, &err)) {
        tui_app_error(app, &err);
        return;
    }
    char *path = tui_command_file(copy, &n) ? tui_prompt_expand(argument) : NULL;
    perform(app, action, path ? path : argument);
    free(path);
}

static void prompt_key(struct tui_app *app, int key)
{
    bool empty = tui_prompt_text()[0] == '\0';
    if (app->question && (key == TUI_KEY_UP || key == TUI_KEY_DOWN)) /* the history is of commands */
        return;
    enum tui_prompt_state state = empty && !app->question && key == TUI_KEY_BACKSPACE
                                      ? tui_prompt_key(TUI_KEY_ESC)
                                      : tui_prompt_key(key);

    app->redraw = true;
    if (state == TUI_PROMPT_EDITING)
        return;
    app->prompting = false;
    if (state != TUI_PROMPT_ACCEPTED)
        return;
    if (app->question)
        answer_question(app, tui_prompt_text());
    else
        run_command(app, tui_prompt_text());
}

static void handle_key(struct tui_app *app, int key)
{
    if (app->prompting) {
        prompt_key(app, key);
        return;
    }
    if (app->message[0]) {
        app->message[0] = '\0';
        app->redraw = true;
    }
    if (key != 'q')
        app->warned = false;
    struct tui_view view = *top_view(app);
    if (view.view_class->key) {
        enum tui_result result = view.view_class->key(app, view.state, key);
        if (result != TUI_IGNORED) {
            finish(app, view.view_class, view.state, result);
            return;
        }
    }
    enum tui_action_id action = tui_action_of_key(key, view.view_class->contexts(app, view.state));
    if (action != TUI_DO_NOTHING)
        perform(app, action, NULL);
}

/* A paste is text for a field. Nowhere else is it obeyed: who pastes does not always see what. */
static void handle_paste(struct tui_app *app, const char *text)
{
    struct tui_view view = *top_view(app);
    enum tui_result result = TUI_IGNORED;

    if (app->prompting) {
        tui_prompt_paste(text);
        app->redraw = true;
        return;
    }
    if (view.view_class->paste)
        result = view.view_class->paste(app, view.state, text);
    if (result == TUI_IGNORED)
        tui_app_say(app, TUI_WARN, "pasted text is taken where text is asked for, and nowhere else");
    else
        finish(app, view.view_class, view.state, result);
}

static void handle_tick(struct tui_app *app)
{
    struct tui_view view = *top_view(app);

    if (app->ticks++ % TICKS_PER_LOOK == 0)
        tui_app_look_around(app);
    if (view.view_class->tick)
        finish(app, view.view_class, view.state, view.view_class->tick(app, view.state));
}

/* What is the same whether we wait for work or work is going on. */
static void handle_outside(struct tui_app *app, const struct tui_event *event)
{
    if (event->kind == TUI_EVENT_RESIZE || event->kind == TUI_EVENT_REDRAW)
        app->redraw = true;
    if (event->kind == TUI_EVENT_REDRAW)
        app->backend->ops->forget(app->backend);
    if (event->kind == TUI_EVENT_STOP) {
        app->leave = true;
        app->stop_signal = event->signal_number;
    }
}

bool tui_app_pump(struct tui_app *app)
{
    struct tui_event event = {.kind = TUI_EVENT_TICK};
    bool stop = false;

    tui_app_draw(app);
    /* An error of a script is kept there and comes back from the main loop's next(). */
    while (!app->leave && app->backend->ops->next(app->backend, &event, TUI_WAIT_NOT, NULL) == 0 &&
           event.kind != TUI_EVENT_TICK) {
        handle_outside(app, &event);
        stop |= event.kind == TUI_EVENT_KEY &&
                (event.key == TUI_KEY_ESC || event.key == 'q' || event.key == TUI_CTRL('c'));
    }
    return stop || app->leave;
}

/* Work takes the place of waiting: the clock has to go on. */
static void count_slice(struct tui_app *app)
{
    if (++app->slices % SLICES_PER_TICK == 0)
        handle_tick(app);
}

void tui_app_turn(struct tui_app *app)
{
    struct tui_event event = {.kind = TUI_EVENT_TICK};

    do {
        if (app->redraw)
            tui_app_draw(app);
        if (app->backend->ops->next(app->backend, &event, TUI_WAIT_NOT, NULL))
            return; /* as in tui_app_pump() */
        handle_outside(app, &event);
        if (event.kind == TUI_EVENT_KEY)
            handle_key(app, event.key);
        if (event.kind == TUI_EVENT_PASTE)
            handle_paste(app, event.text);
    } while (!app->leave && event.kind != TUI_EVENT_TICK);
    if (!app->leave && tui_scan_waiting(app))
        tui_scan_work(app);
    count_slice(app);
}

static bool work_waits(const struct tui_app *app)
{
    return tui_check_waiting(app) || tui_files_waiting(app) || tui_scan_waiting(app);
}

/* A slice of it. */
static void work(struct tui_app *app)
{
    if (tui_check_waiting(app))
        tui_check_work(app);
    else if (tui_files_waiting(app))
        tui_files_work(app);
    else
        tui_scan_work(app);
    count_slice(app);
}

int tui_app_loop(struct tui_app *app, struct cow_error *err)
{
    app->redraw = true;
    while (!app->leave) {
        struct tui_event event = {.kind = TUI_EVENT_TICK};
        if (app->redraw)
            tui_app_draw(app);
        bool busy = work_waits(app);
        int status = app->backend->ops->next(app->backend, &event, busy ? TUI_WAIT_NOT : TUI_WAIT_EVENT, err);
        if (status)
            return status;
        handle_outside(app, &event);
        if (event.kind == TUI_EVENT_KEY)
            handle_key(app, event.key);
        if (event.kind == TUI_EVENT_PASTE)
            handle_paste(app, event.text);
        if (event.kind == TUI_EVENT_TICK && busy)
            work(app);
        else if (event.kind == TUI_EVENT_TICK)
            handle_tick(app);
    }
    return 0;
}

void tui_app_close_views(struct tui_app *app)
{
    while (app->depth > 0)
        pop_view(app, app->depth - 1);
    for (int i = 0; i < TUI_TABS; i++)
        close_view(app, &app->tab[i]);
}
