/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Changes that need no decision but yes. Each is a row: how it calls itself, and which builder of the core
 * makes its plan; the pages are those that all changes share. A builder that has to compare bytes first is
 * stopped by Esc like a commit. What it finds wrong is an error, and then no page is opened at all. Only
 * where a recovery can go both ways, which one is asked first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/picture/map.h"
#include "front/trace.h"
#include "tui/change/change.h"
#include "tui/change/recover_choice.h"
#include "tui/screen/clock.h"

struct change_view {
    struct change change;
    enum tui_change_kind kind;
    struct recover_choice ways; /* of a recovery */
    bool choosing;
};

typedef int plan_function(struct cow_plan **out, struct tui_app *app, const char *argument,
                          const struct cow_env *env, struct cow_error *err);

static int plan_undo(struct cow_plan **out, struct tui_app *app, const char *argument,
                     const struct cow_env *env, struct cow_error *err)
{
    (void)argument;
    (void)env;
    return cow_plan_undo(out, app->subject.image, err);
}

static int plan_discard_undo(struct cow_plan **out, struct tui_app *app, const char *argument,
                             const struct cow_env *env, struct cow_error *err)
{
    (void)argument;
    (void)env;
    return cow_plan_discard_undo(out, app->subject.image, err);
}

static int plan_recover(struct cow_plan **out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    (void)argument;
    (void)env;
    return cow_plan_recover(out, app->subject.image, err);
}

static int plan_pages(struct cow_plan **out, struct tui_app *app, const char *argument,
                      const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.complete_pages = true, .env = env};

    (void)argument;
    return cow_plan_rewrite(out, app->subject.image, &options, err);
}

static int plan_compact(struct cow_plan **out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.compact = true,
                                                .unused = strcmp(argument, "unused") == 0,
                                                .larger = strcmp(argument, "larger") == 0,
                                                .env = env};

    return cow_plan_rewrite(out, app->subject.image, &options, err);
}

/* Cuts a last word off, if it is that one and something stands before it. */
static bool take_word(char *text, const char *word)
{
    size_t bytes = strlen(text), n = strlen(word);

    if (bytes < n + 2 || strcmp(text + bytes - n, word) != 0 || text[bytes - n - 1] != ' ')
        return false;
    bytes -= n;
    while (bytes > 0 && text[bytes - 1] == ' ')
        bytes--;
    text[bytes] = '\0';
    return true;
}

static int plan_rebase(struct cow_plan **out, struct tui_app *app, const char *argument,
                       const struct cow_env *env, struct cow_error *err)
{
    struct cow_rewrite_options options = {.env = env};
    char *path = strdup(argument);

    if (!path)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    options.restamp = take_word(path, "restamp");
    options.safe = take_word(path, "safe");
    options.backing_path = path;
    int status = cow_plan_rewrite(out, app->subject.image, &options, err);
    free(path);
    return status;
}

static int plan_restamp(struct cow_plan **out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.restamp = true, .env = env};

    (void)argument;
    return cow_plan_rewrite(out, app->subject.image, &options, err);
}

static int plan_convert(struct cow_plan **out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.convert = true, .output_path = argument, .env = env};

    return cow_plan_rewrite(out, app->subject.image, &options, err);
}

static int plan_merge(struct cow_plan **out, struct tui_app *app, const char *argument,
                      const struct cow_env *env, struct cow_error *err)
{
    const struct cow_merge_options options = {.output_path = argument};

    (void)env;
    return cow_plan_merge(out, app->subject.image, &options, err);
}

static int plan_merge_in_place(struct cow_plan **out, struct tui_app *app, const char *argument,
                               const struct cow_env *env, struct cow_error *err)
{
    const struct cow_merge_options options = {.in_place = true};

    (void)argument;
    (void)env;
    return cow_plan_merge(out, app->subject.image, &options, err);
}

static int plan_extract(struct cow_plan **out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct tui_file_name *name = &app->files.extract;
    const struct cow_extract_options options = {
        .volume = name->volume, .version = name->side, .path = name->path, .output_path = argument};

    (void)env;
    return cow_plan_extract(out, app->subject.image, &options, err);
}

static int plan_picture(struct cow_plan **out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct cow_save_options options = {.what = front_picture_title(app->picture.kind),
                                             .bytes = app->picture.bytes.data,
                                             .n_bytes = app->picture.bytes.n,
                                             .output_path = argument};

    (void)env;
    return cow_plan_save(out, app->subject.image, &options, err);
}

static int plan_edit(struct cow_plan **out, struct tui_app *app, const char *argument,
                     const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.backing_path = app->edits.path ? app->edits.new_path : NULL,
                                                .set_mtime = app->edits.mtime,
                                                .mtime = app->edits.new_mtime,
                                                .env = env};

    (void)argument;
    return cow_plan_rewrite(out, app->subject.image, &options, err);
}

static int plan_repair(struct cow_plan **out, struct tui_app *app, const char *argument,
                       const struct cow_env *env, struct cow_error *err)
{
    const struct cow_check *check = &app->check.result;
    bool chosen[COW_FINDINGS] = {false};

    (void)argument;
    (void)env;
    for (size_t i = 0; i < check->findings; i++)
        chosen[i] = app->check.staged[check->finding[i].code];
    return cow_plan_repair(out, app->subject.image, check, chosen, err);
}

#define ONE_PAGE                                                                                             \
    {                                                                                                        \
        NULL, "what it does", "writing", "result"                                                            \
    }
#define TWO_PAGES                                                                                            \
    {                                                                                                        \
        "1 of 2: preview", "2 of 2: commit", "writing", "result"                                             \
    }
#define NEW_FILE                                                                                             \
    {                                                                                                        \
        "preview", "", "writing", "result"                                                                   \
    }

static const struct kind {
    struct change_words words;
    plan_function *plan;
} change_kinds[] = {
    [TUI_CHANGE_UNDO] = {{"Undo",
                          ONE_PAGE,
                          "the last change is taken back, byte for byte.",
                          {"is what it was before the change: ", "."}},
                         plan_undo},
    [TUI_CHANGE_DISCARD_UNDO] = {{"Discard undo",
                                  ONE_PAGE,
                                  "what is kept for undo is removed; the image stays as it is.",
                                  {"stays as it is, with ", "; its undo data is gone."}},
                                 plan_discard_undo},
    [TUI_CHANGE_RECOVER] = {{"Recover",
                             ONE_PAGE,
                             "its interrupted change is finished or taken back; the steps say which.",
                             {"is whole again: ", "."}},
                            plan_recover},
    [TUI_CHANGE_PAGES] = {{"Complete pages", TWO_PAGES, "", {"has no mixed pages any more.", NULL}},
                          plan_pages},
    [TUI_CHANGE_COMPACT] = {{"Compact", TWO_PAGES, "", {"is compact now.", NULL}}, plan_compact},
    [TUI_CHANGE_REBASE] = {{"Rebase", TWO_PAGES, "", {"names another backing file now.", NULL}}, plan_rebase},
    [TUI_CHANGE_RESTAMP] = {{"Restamp", TWO_PAGES, "", {"has the date of its backing file now.", NULL}},
                            plan_restamp},
    [TUI_CHANGE_CONVERT] = {{"Convert", NEW_FILE, "", {"", NULL}}, plan_convert},
    [TUI_CHANGE_MERGE] = {{"Merge", NEW_FILE, "", {"", NULL}}, plan_merge},
    [TUI_CHANGE_MERGE_IN_PLACE] = {{"Merge into the backing file",
                                    TWO_PAGES,
                                    "",
                                    {"is empty now: its backing file holds what the guest sees.", NULL}},
                                   plan_merge_in_place},
    [TUI_CHANGE_EXTRACT] = {{"Extract", NEW_FILE, "", {"", NULL}}, plan_extract},
    [TUI_CHANGE_PICTURE] = {{"Picture", NEW_FILE, "", {"", NULL}}, plan_picture},
    [TUI_CHANGE_EDIT] = {{"Edit", TWO_PAGES, "", {"has the header that you typed.", NULL}}, plan_edit},
    [TUI_CHANGE_REPAIR] = {{"Repair", TWO_PAGES, "", {"is mended as chosen.", NULL}}, plan_repair},
};

/* Behind the question which way it shall go. */
static const struct change_words second_of_recovery = {"Recover",
                                                       {NULL, "2 of 2: what it does", "writing", "result"},
                                                       "its interrupted change goes that way.",
                                                       {"is whole again: ", "."}};

/* A builder that takes long looks in; the context is a struct tui_waiting. */
static bool on_planning(void *context, const struct cow_progress *progress)
{
    return tui_app_look_in(context, progress->phase, progress->done_bytes, progress->total_bytes);
}

static int change_view_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    const struct tui_change_request *request = argument;
    const struct kind *kind = &change_kinds[request->kind];
    struct tui_waiting planning;
    struct cow_env env = {.progress = on_planning, .context = &planning};
    struct cow_plan *plan = NULL;
    struct change_view *view = calloc(1, sizeof *view);

    if (!view)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    front_trace(&env);
    tui_app_begin_waiting(app, &planning);
    int status = tui_app_end_waiting(app, kind->plan(&plan, app, request->argument, &env, err), err);
    if (status) {
        cow_plan_free(plan);
        free(view);
        return status;
    }
    /* A repair may be nothing but a recovery: that tells all on one page. */
    if (cow_plan_preview(plan)->operation == COW_OPERATION_RECOVER)
        kind = &change_kinds[TUI_CHANGE_RECOVER];
    view->kind = request->kind;
    *state = view;
    if (kind == &change_kinds[TUI_CHANGE_RECOVER] && recover_choice_ask(&view->ways, app, plan)) {
        view->choosing = true;
        cow_plan_free(plan);
    } else {
        change_begin(app, &view->change, &kind->words, plan);
    }
    return 0;
}

/* The way was chosen. */
static enum tui_result begin_recovery(struct tui_app *app, struct change_view *view)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {0};

    if (cow_plan_recover_way(&plan, app->subject.image, recover_choice_way(&view->ways), &err)) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    view->choosing = false;
    change_begin(app, &view->change, &second_of_recovery, plan);
    return TUI_REDRAW;
}

static bool asked_for_way(const struct change_view *view)
{
    return view->ways.asked && view->change.at == CHANGE_CONFIRM && !view->choosing;
}

static void change_view_close(struct tui_app *app, void *state)
{
    struct change_view *view = state;

    (void)app;
    change_end(&view->change);
    tui_page_free(&view->ways.page);
    free(view);
}

static unsigned change_view_contexts(struct tui_app *app, void *state)
{
    const struct change_view *view = state;

    (void)app;
    if (view->choosing)
        return TUI_IN_BESIDE;
    return change_contexts(&view->change) | (asked_for_way(view) ? TUI_IN_SECOND : 0U);
}

static enum tui_result change_view_key(struct tui_app *app, void *state, int key)
{
    struct change_view *view = state;

    if (tui_action_of_key(key, change_view_contexts(app, state)) != TUI_DO_NOTHING)
        return TUI_IGNORED;
    return view->choosing ? TUI_IGNORED : change_key(&view->change, key);
}

static enum tui_result change_view_paste(struct tui_app *app, void *state, const char *text)
{
    const struct change_view *view = state;

    (void)text;
    return view->choosing ? TUI_IGNORED : change_paste(app, &view->change);
}

static enum tui_result change_view_act(struct tui_app *app, void *state, enum tui_action_id action,
                                       const char *argument)
{
    struct change_view *view = state;

    (void)argument;
    if (view->choosing && action == TUI_DO_ENTER)
        return begin_recovery(app, view);
    if (view->choosing)
        return action == TUI_DO_LEAVE || action == TUI_DO_BACK ? TUI_POP
                                                               : recover_choice_act(&view->ways, action);
    if (asked_for_way(view) && action == TUI_DO_BACK) {
        change_end(&view->change);
        view->choosing = true;
        return TUI_REDRAW;
    }
    if (change_goes_back(&view->change, action))
        return TUI_POP;
    enum tui_result result = change_act(app, &view->change, action);
    if (view->kind == TUI_CHANGE_EDIT && view->change.succeeded)
        app->edits.path = app->edits.mtime = false;
    return result;
}

static void change_view_draw(struct tui_app *app, void *state, struct tui_canvas *canvas,
                             struct tui_rect area)
{
    struct change_view *view = state;

    if (view->choosing)
        recover_choice_draw(&view->ways, app, canvas, area);
    else
        change_draw(app, &view->change, canvas, area);
}

const struct tui_view_class tui_view_change = {
    .title = "Change",
    .open = change_view_open,
    .contexts = change_view_contexts,
    .key = change_view_key,
    .paste = change_view_paste,
    .act = change_view_act,
    .draw = change_view_draw,
    .close = change_view_close,
};
