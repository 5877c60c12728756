/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The resize wizard: size, policy, preview, typed yes, progress, what to do next. This file turns the pages.
 * Leaving is possible on each of them, and means that nothing was written.
 */
#include "tui/wizard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/keys.h"
#include "tui/prompt.h"

enum { FIELD_X = 13, FIELD_COLS = 24, SIZE_FIELD_Y = 3, CONFIRM_ROWS = 2 };

static const uint64_t largest_bytes = (uint64_t)1 << 43; /* 8 TiB: no kernel takes so much */

static uint64_t next_power_of_two(uint64_t size_bytes)
{
    uint64_t power = 512;

    while (power <= size_bytes && power < largest_bytes)
        power *= 2;
    return power;
}

static void add_preset(struct wizard *w, uint64_t now, const char *label, uint64_t size_bytes)
{
    if (size_bytes <= now || size_bytes >= largest_bytes)
        return;
    for (int i = 0; i < w->presets; i++) {
        if (w->preset[i].size_bytes == size_bytes)
            return;
    }
    w->preset[w->presets++] = (struct wizard_preset){label, size_bytes};
}

static void make_presets(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->image)->size_bytes;

    add_preset(w, now, "double", now < largest_bytes ? now * 2 : 0);
    add_preset(w, now, "four times", now < largest_bytes ? now * 4 : 0);
    add_preset(w, now, "1 GiB more", now + ((uint64_t)1 << 30));
    add_preset(w, now, "next power of two", next_power_of_two(now));
    add_preset(w, now, "as the backing file is", cow_image_backing(app->image)->size_bytes);
}

/* Understands the size field as it stands. */
static void parse_size(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->image)->size_bytes, size = 0;

    memset(&w->size_error, 0, sizeof w->size_error);
    snprintf(w->size_text, sizeof w->size_text, "%s", tui_prompt_text());
    w->size_ok = false;
    if (w->size_text[0] == '\0' || cow_size_parse(&size, w->size_text, now, &w->size_error))
        return;
    w->size_bytes = size;
    if (size % 512 != 0)
        cow_error_set(&w->size_error, COW_USAGE, "a size is a multiple of 512 bytes");
    else if (size < now)
        cow_error_set(&w->size_error, COW_UNSUPPORTED, "smaller than it is: shrinking is not supported yet");
    else if (size == now)
        cow_error_set(&w->size_error, COW_USAGE, "that is its size already");
    else
        w->size_ok = true;
}

static void drop_plan(struct wizard *w)
{
    cow_plan_free(w->plan);
    w->plan = NULL;
}

static void turn_to(struct tui_app *app, struct wizard *w, enum wizard_page page)
{
    tui_prompt_stop();
    w->at = page;
    w->page.top = 0;
    if (page == WIZARD_SIZE) {
        tui_prompt_begin(w->size_text, NULL);
        parse_size(app, w);
    }
    if (page == WIZARD_CONFIRM)
        tui_prompt_begin("", NULL);
    if (page == WIZARD_SIZE || page == WIZARD_POLICY)
        drop_plan(w);
}

static int wizard_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    if (tui_app_sectors(app) == 0)
        return cow_error_set(err, COW_INVALID, "an unfinished image cannot be resized");
    struct wizard *w = calloc(1, sizeof *w);
    if (!w)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    w->preset_at = WIZARD_NONE;
    snprintf(w->size_text, sizeof w->size_text, "%s", (const char *)argument);
    make_presets(app, w);
    turn_to(app, w, WIZARD_SIZE);
    *state = w;
    return 0;
}

static void wizard_close(struct tui_app *app, void *state)
{
    struct wizard *w = state;

    (void)app;
    tui_prompt_stop();
    drop_plan(w);
    tui_page_free(&w->page);
    free(w);
}

static unsigned wizard_contexts(struct tui_app *app, void *state)
{
    static const unsigned contexts[] = {
        [WIZARD_SIZE] = TUI_IN_SIZE,
        [WIZARD_POLICY] = TUI_IN_CHOICE,
        [WIZARD_PREVIEW] = TUI_IN_PREVIEW,
        [WIZARD_CONFIRM] = TUI_IN_CONFIRM,
        [WIZARD_RUNNING] = 0,
        [WIZARD_RESULT] = TUI_IN_RESULT,
    };

    (void)app;
    return contexts[((const struct wizard *)state)->at];
}

/* Keys for a field: all that the table has no use for. */
static enum tui_result wizard_key(struct tui_app *app, void *state, int key)
{
    struct wizard *w = state;

    if (w->at != WIZARD_SIZE && w->at != WIZARD_CONFIRM)
        return TUI_IGNORED;
    if (tui_action_of_key(key, wizard_contexts(app, w)) != TUI_DO_NOTHING)
        return TUI_IGNORED;
    if (w->at == WIZARD_SIZE && key == 'q') /* no size has a q in it */
        return TUI_POP;
    if (tui_prompt_key(key) != TUI_PROMPT_EDITING)
        return TUI_POP;
    if (w->at == WIZARD_SIZE) {
        w->preset_at = WIZARD_NONE;
        parse_size(app, w);
    }
    return TUI_REDRAW;
}

static void choose_preset(struct tui_app *app, struct wizard *w, int step)
{
    char text[COW_SIZE_TEXT_BYTES];

    if (w->presets == 0)
        return;
    if (w->preset_at == WIZARD_NONE)
        w->preset_at = step > 0 ? 0 : w->presets - 1;
    else
        w->preset_at = (w->preset_at + step + w->presets) % w->presets;
    tui_prompt_set(cow_size_argument(text, w->preset[w->preset_at].size_bytes));
    parse_size(app, w);
}

static void choose_policy(struct wizard *w, int step)
{
    for (int i = w->choice_at + step; i >= 0 && i < WIZARD_CHOICES; i += step) {
        if (w->choice[i].possible) {
            w->choice_at = i;
            return;
        }
    }
}

static void ask_policy(struct tui_app *app, struct wizard *w)
{
    cow_resize_choices(w->choice, app->image, w->size_bytes);
    w->choice_at = WIZARD_NONE;
    for (int i = WIZARD_CHOICES - 1; i >= 0; i--) {
        if (w->choice[i].possible)
            w->choice_at = i;
    }
    turn_to(app, w, WIZARD_POLICY);
}

static void make_plan(struct tui_app *app, struct wizard *w)
{
    struct cow_resize_options options = {.size_bytes = w->size_bytes};
    struct cow_error err = {0};

    if (w->choice_at == WIZARD_NONE) {
        tui_app_say(app, TUI_WARN, "none of the ways is possible; see why above");
        return;
    }
    options.policy = w->choice[w->choice_at].policy;
    drop_plan(w);
    if (cow_plan_resize(&w->plan, app->image, &options, &err)) {
        tui_app_error(app, &err);
        return;
    }
    turn_to(app, w, WIZARD_PREVIEW);
    w->button = wizard_has_work(w) ? WIZARD_COMMIT : WIZARD_BACK;
}

static enum tui_result enter(struct tui_app *app, struct wizard *w)
{
    switch (w->at) {
    case WIZARD_SIZE:
        if (w->size_ok)
            ask_policy(app, w);
        else if (w->size_error.message[0])
            tui_app_say(app, TUI_WARN, "%s", w->size_error.message);
        else
            tui_app_say(app, TUI_WARN, "type a size, or choose one with Up and Down");
        return TUI_REDRAW;
    case WIZARD_POLICY:
        make_plan(app, w);
        return TUI_REDRAW;
    case WIZARD_PREVIEW:
        turn_to(app, w, w->button == WIZARD_BACK ? WIZARD_POLICY : WIZARD_CONFIRM);
        return TUI_REDRAW;
    case WIZARD_CONFIRM:
        if (strcmp(tui_prompt_text(), "yes") == 0)
            wizard_commit(app, w);
        else
            tui_app_say(app, TUI_WARN, "that is not the word yes: nothing is written");
        return TUI_REDRAW;
    case WIZARD_RUNNING:
        return TUI_NOTHING;
    case WIZARD_RESULT:
        return TUI_POP;
    }
    return TUI_NOTHING;
}

static enum tui_result go_back(struct tui_app *app, struct wizard *w)
{
    static const enum wizard_page before[] = {
        [WIZARD_SIZE] = WIZARD_SIZE,
        [WIZARD_POLICY] = WIZARD_SIZE,
        [WIZARD_PREVIEW] = WIZARD_POLICY,
        [WIZARD_CONFIRM] = WIZARD_PREVIEW,
    };

    if (w->at == WIZARD_SIZE || w->at >= WIZARD_RUNNING)
        return TUI_NOTHING;
    turn_to(app, w, before[w->at]);
    return TUI_REDRAW;
}

/* Up and Down choose where there is something to choose, and scroll elsewhere. */
static enum tui_result move(struct tui_app *app, struct wizard *w, int step)
{
    if (w->at == WIZARD_SIZE)
        choose_preset(app, w, step);
    else if (w->at == WIZARD_POLICY && w->choice_at != WIZARD_NONE)
        choose_policy(w, step);
    else
        return tui_page_scroll(&w->page, step, w->page_rows) ? TUI_REDRAW : TUI_NOTHING;
    return TUI_REDRAW;
}

static enum tui_result wizard_act(struct tui_app *app, void *state, enum tui_action_id action,
                                  const char *argument)
{
    struct wizard *w = state;

    (void)argument;
    switch (action) {
    case TUI_DO_ENTER:
        return enter(app, w);
    case TUI_DO_BACK:
        return go_back(app, w);
    case TUI_DO_UP:
        return move(app, w, -1);
    case TUI_DO_DOWN:
        return move(app, w, 1);
    case TUI_DO_OTHER_BUTTON:
        w->button = w->button == WIZARD_BACK && wizard_has_work(w) ? WIZARD_COMMIT : WIZARD_BACK;
        return TUI_REDRAW;
    case TUI_DO_LEFT:
        w->button = WIZARD_BACK;
        return TUI_REDRAW;
    case TUI_DO_RIGHT:
        w->button = wizard_has_work(w) ? WIZARD_COMMIT : WIZARD_BACK;
        return TUI_REDRAW;
    case TUI_DO_LEAVE:
        return TUI_POP;
    default:
        return tui_page_act(&w->page, action, w->page_rows);
    }
}

static void draw_buttons(const struct wizard *w, struct tui_canvas *canvas, int x, int y)
{
    x += tui_text(canvas, x, y, 12, w->button == WIZARD_BACK ? TUI_BUTTON_ACTIVE : TUI_BUTTON,
                  w->button == WIZARD_BACK ? "[> Back <]" : "[  Back  ]");
    canvas->cursor_x = x - 7;
    canvas->cursor_y = y;
    if (!wizard_has_work(w))
        return;
    x += 2;
    if (w->button == WIZARD_COMMIT)
        canvas->cursor_x = x + 3;
    tui_text(canvas, x, y, 20, w->button == WIZARD_COMMIT ? TUI_BUTTON_ACTIVE : TUI_BUTTON,
             w->button == WIZARD_COMMIT ? "[> Commit... <]" : "[  Commit...  ]");
}

static void draw_field(struct tui_canvas *canvas, int x, int y, const char *label)
{
    x += 1 + tui_text(canvas, x, y, canvas->cols - x, TUI_STRONG, label);
    tui_fill(canvas, (struct tui_rect){x, y, FIELD_COLS, 1}, ' ', TUI_INPUT);
    tui_put(canvas, x, y, '[', TUI_DIM);
    tui_put(canvas, x + FIELD_COLS - 1, y, ']', TUI_DIM);
    tui_prompt_draw(canvas, x + 1, y, FIELD_COLS - 2, TUI_INPUT, "");
}

static void wizard_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    static const struct {
        const char *title;
        void (*fill)(struct tui_app *app, struct wizard *w);
        int bottom_rows; /* below the page */
    } pages[] = {
        [WIZARD_SIZE] = {"1 of 4: size", wizard_fill_size, 0},
        [WIZARD_POLICY] = {"2 of 4: backing file", wizard_fill_policy, 0},
        [WIZARD_PREVIEW] = {"3 of 4: preview", wizard_fill_preview, 2},
        [WIZARD_CONFIRM] = {"4 of 4: commit", wizard_fill_confirm, CONFIRM_ROWS},
        [WIZARD_RUNNING] = {"writing", wizard_fill_running, 0},
        [WIZARD_RESULT] = {"result", wizard_fill_result, 0},
    };
    struct wizard *w = state;
    char title[64];

    snprintf(title, sizeof title, "Resize \u2500 %s", pages[w->at].title);
    struct tui_rect inside = tui_frame(canvas, area, title);
    int bottom = inside.y + inside.rows - 1;
    inside.rows -= pages[w->at].bottom_rows;
    tui_page_begin(&w->page, inside.cols - 1);
    w->page_rows = inside.rows;
    pages[w->at].fill(app, w);
    tui_page_draw(&w->page, canvas, inside, area.x + area.cols - 1);
    if (w->at == WIZARD_SIZE && w->page.top <= SIZE_FIELD_Y)
        draw_field(canvas, inside.x + 1, inside.y + SIZE_FIELD_Y - w->page.top, "New size");
    if (w->at == WIZARD_PREVIEW)
        draw_buttons(w, canvas, inside.x + 1, bottom);
    if (w->at == WIZARD_CONFIRM)
        draw_field(canvas, inside.x + 1, bottom, "Type yes to write:");
}

const struct tui_view_class tui_view_wizard = {
    .title = "Resize",
    .open = wizard_open,
    .contexts = wizard_contexts,
    .key = wizard_key,
    .act = wizard_act,
    .draw = wizard_draw,
    .close = wizard_close,
};
