/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The changes that need no decision but yes. Those with a `:` command are rows of what both front ends offer
 * (front/change), and become rows of the table of actions here; the others are asked for by the program
 * itself (enum tui_change).
 */
#include "tui/change/changes.h"

#include <stdlib.h>
#include <string.h>

#include "front/change/options.h"
#include "front/picture/map.h"
#include "front/told/told.h"

static int plan_undo(struct front_planned *out, struct tui_app *app, const char *argument,
                     const struct cow_env *env, struct cow_error *err)
{
    (void)argument;
    (void)env;
    return cow_plan_undo(&out->plan, app->subject.image, err);
}

static int plan_discard_undo(struct front_planned *out, struct tui_app *app, const char *argument,
                             const struct cow_env *env, struct cow_error *err)
{
    (void)argument;
    (void)env;
    return cow_plan_discard_undo(&out->plan, app->subject.image, err);
}

static int plan_recover(struct front_planned *out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    (void)argument;
    (void)env;
    return cow_plan_recover(&out->plan, app->subject.image, err);
}

/* argument: a path, whatever it is called. */
static int plan_rebase(struct front_planned *out, struct tui_app *app, const char *argument,
                       const struct cow_env *env, struct cow_error *err)
{
    const struct front_words words = {.to = argument};

    return front_plan_change(out, front_find_change("rebase"), app->subject.image, &words, env, err);
}

static int plan_extract(struct front_planned *out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct tui_file_name *name = &app->files.extract;
    const struct cow_extract_options options = {
        .volume = name->volume, .version = name->side, .path = name->path, .output_path = argument};

    (void)env;
    return cow_plan_extract(&out->plan, app->subject.image, &options, err);
}

static int plan_picture(struct front_planned *out, struct tui_app *app, const char *argument,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct cow_save_options options = {.what = front_picture_title(app->picture.kind),
                                             .bytes = app->picture.bytes.data,
                                             .n_bytes = app->picture.bytes.n,
                                             .output_path = argument};

    (void)env;
    return cow_plan_save(&out->plan, app->subject.image, &options, err);
}

static int plan_edit(struct front_planned *out, struct tui_app *app, const char *argument,
                     const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.backing_path = app->edits.path ? app->edits.new_path : NULL,
                                                .set_mtime = app->edits.mtime,
                                                .mtime = app->edits.new_mtime,
                                                .env = env};

    (void)argument;
    return cow_plan_rewrite(&out->plan, app->subject.image, &options, err);
}

static int plan_repair(struct front_planned *out, struct tui_app *app, const char *argument,
                       const struct cow_env *env, struct cow_error *err)
{
    const struct cow_check *check = &app->check.result;
    bool chosen[COW_FINDINGS] = {false};

    (void)argument;
    (void)env;
    for (size_t i = 0; i < check->findings; i++) {
        chosen[i] = app->check.staged[check->finding[i].code];
    }
    return cow_plan_repair(&out->plan, app->subject.image, check, chosen, err);
}

static const struct change_words undo_words = {"Undo",
                                               {NULL, "what it does", "writing", "result"},
                                               "the last change is taken back, byte for byte.",
                                               {"is what it was before the change: ", "."}};
static const struct change_words discard_words = {
    "Discard undo",
    {NULL, "what it does", "writing", "result"},
    "what is kept for undo is removed; the image stays as it is.",
    {"stays as it is, with ", "; its undo data is gone."}};
static const struct change_words recover_words = {
    "Recover",
    {NULL, "what it does", "writing", "result"},
    "its interrupted change is finished or taken back; the steps say which.",
    {"is whole again: ", "."}};

/* Those with two pages, and what is said of the image behind them. */
static const struct {
    int (*plan)(struct front_planned *out, struct tui_app *app, const char *argument,
                const struct cow_env *env, struct cow_error *err);
    const struct change_words *words; /* NULL: they are made of these */
    const char *title, *done;
} own[] = {
    [TUI_CHANGE_UNDO] = {plan_undo, &undo_words, NULL, NULL},
    [TUI_CHANGE_DISCARD_UNDO] = {plan_discard_undo, &discard_words, NULL, NULL},
    [TUI_CHANGE_RECOVER] = {plan_recover, &recover_words, NULL, NULL},
    [TUI_CHANGE_REBASE] = {plan_rebase, NULL, "Rebase", "names another backing file now."},
    [TUI_CHANGE_EXTRACT] = {plan_extract, NULL, "Extract", NULL},
    [TUI_CHANGE_PICTURE] = {plan_picture, NULL, "Picture", NULL},
    [TUI_CHANGE_EDIT] = {plan_edit, NULL, "Edit", "has the header that you typed."},
    [TUI_CHANGE_REPAIR] = {plan_repair, NULL, "Repair", "is mended as chosen."},
};

/* What is typed behind the command, as words. */
static int plan_command(struct front_planned *out, struct tui_app *app,
                        const struct tui_change_request *request, const struct cow_env *env,
                        struct cow_error *err)
{
    struct front_words words;
    char *line = strdup(request->argument);
    int status;

    if (line == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = front_read_words(&words, request->change, line, err);
    if (status == 0) {
        status = front_plan_change(out, request->change, app->subject.image, &words, env, err);
    }
    free(line);
    return status;
}

int changes_plan(struct front_planned *out, struct tui_app *app, const struct tui_change_request *request,
                 const struct cow_env *env, struct cow_error *err)
{
    *out = (struct front_planned){.plan = NULL};
    return request->change != NULL ? plan_command(out, app, request, env, err)
                                   : own[request->own].plan(out, app, request->argument, env, err);
}

/* And not nothing at all, which does not change what exists either. */
static bool makes_file(const struct cow_plan *plan)
{
    return front_makes_file(plan) && cow_plan_preview(plan)->method != COW_METHOD_NONE;
}

/* A new file is made without a question, and there is nothing to be said of the image then. */
static const struct change_words *fill_words(struct change_words *out, const char *title, const char *done,
                                             bool makes_file)
{
    *out = (struct change_words){.title = title,
                                 .page = {"1 of 2: preview", "2 of 2: commit", "writing", "result"},
                                 .about = "",
                                 .done = {done != NULL ? done : "", NULL}};
    if (makes_file) {
        out->page[CHANGE_PREVIEW] = "preview";
        out->page[CHANGE_CONFIRM] = "";
        out->done[0] = "";
    }
    return out;
}

const struct change_words *changes_words(struct change_words *room, const struct tui_change_request *request,
                                         const struct cow_plan *plan)
{
    if (cow_plan_preview(plan)->operation == COW_OPERATION_RECOVER) { /* a repair may be nothing else */
        return &recover_words;
    }
    if (request->change != NULL) {
        return fill_words(room, request->change->title, request->change->done, makes_file(plan));
    }
    if (own[request->own].words != NULL) {
        return own[request->own].words;
    }
    return fill_words(room, own[request->own].title, own[request->own].done, makes_file(plan));
}

enum { ROWS_MAX = 32 };

const struct tui_action *tui_change_action(size_t index)
{
    static struct tui_action rows[ROWS_MAX];
    const struct front_change *change = front_changes;

    for (; change->name != NULL; change++) {
        if (change->title != NULL && index-- == 0) {
            break;
        }
    }
    size_t at = (size_t)(change - front_changes);
    if (change->name == NULL || at >= ROWS_MAX) {
        return NULL;
    }
    rows[at] = (struct tui_action){.id = TUI_DO_CHANGE,
                                   .contexts = TUI_IN_LOOKING,
                                   .command = change->name,
                                   .argument = change->operand != NULL ? TUI_CHANGE_FILE
                                               : change->bit != 0      ? TUI_CHANGE_OPTIONS
                                                                       : TUI_NO_ARGUMENT,
                                   .help = {{0, change->help}},
                                   .change = change};
    return &rows[at];
}
