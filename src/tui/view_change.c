/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Changes that need no decision but yes: undo, giving undo up, recover. Each is a plan of the core, shown in
 * the pages that all changes share.
 */
#include <stdlib.h>

#include "tui/change.h"

struct kind {
    struct change_words words;
    int (*plan)(struct cow_plan **out, struct cow_image *img, struct cow_error *err);
};

static const struct kind kinds[] = {
    [TUI_CHANGE_UNDO] = {{"Undo",
                          {NULL, "what it does", "writing", "result"},
                          "the last change is taken back, byte for byte.",
                          {"is what it was before the change: ", "."}},
                         cow_plan_undo},
    [TUI_CHANGE_DISCARD_UNDO] = {{"Discard undo",
                                  {NULL, "what it does", "writing", "result"},
                                  "what is kept for undo is removed; the image stays as it is.",
                                  {"stays as it is, with ", "; its undo data is gone."}},
                                 cow_plan_discard_undo},
    [TUI_CHANGE_RECOVER] = {{"Recover",
                             {NULL, "what it does", "writing", "result"},
                             "its interrupted change is finished or taken back; the steps say which.",
                             {"is whole again: ", "."}},
                            cow_plan_recover},
};

static int change_view_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    const struct kind *kind = &kinds[*(const enum tui_change_kind *)argument];
    struct cow_plan *plan = NULL;
    struct change *change = calloc(1, sizeof *change);

    if (!change)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    int status = kind->plan(&plan, app->image, err);
    if (status) {
        free(change);
        return status;
    }
    change_begin(app, change, &kind->words, plan);
    *state = change;
    return 0;
}

static void change_view_close(struct tui_app *app, void *state)
{
    (void)app;
    change_end(state);
    free(state);
}

static unsigned change_view_contexts(struct tui_app *app, void *state)
{
    (void)app;
    return change_contexts(state);
}

static enum tui_result change_view_key(struct tui_app *app, void *state, int key)
{
    (void)app;
    return change_key(state, key);
}

static enum tui_result change_view_act(struct tui_app *app, void *state, enum tui_action_id action,
                                       const char *argument)
{
    (void)argument;
    return change_act(app, state, action);
}

static void change_view_draw(struct tui_app *app, void *state, struct tui_canvas *canvas,
                             struct tui_rect area)
{
    change_draw(app, state, canvas, area);
}

const struct tui_view_class tui_view_change = {
    .title = "Change",
    .open = change_view_open,
    .contexts = change_view_contexts,
    .key = change_view_key,
    .act = change_view_act,
    .draw = change_view_draw,
    .close = change_view_close,
};
