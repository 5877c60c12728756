/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The resize wizard: size, policy, where the data has to move the method, and then the pages of a change:
 * preview, typed yes, progress, what to do next. Leaving is possible on each of them, and means that nothing
 * was written. It decides nothing itself: what a size or a policy would mean is asked of the core's builder,
 * so that the wizard offers nothing that the plan would refuse.
 */
#include "tui/change/wizard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/trace.h"
#include "tui/change/beside.h"
#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"

enum { SIZE_FIELD_Y = 3 };

static const uint64_t largest_bytes = (uint64_t)1 << 43; /* 8 TiB: no kernel takes so much */

static const struct change_words words = {
    "Resize",
    {"3 of 4: preview", "4 of 4: commit", "writing", "result"},
    "",
    {"has ", " now."},
};

/* With the question of the method before it. */
static const struct change_words words_with_method = {
    "Resize",
    {"4 of 5: preview", "5 of 5: commit", "writing", "result"},
    "",
    {"has ", " now."},
};

static uint64_t next_power_of_two(uint64_t size_bytes)
{
    uint64_t power = 512;

    while (power <= size_bytes && power < largest_bytes) {
        power *= 2;
    }
    return power;
}

static void add_preset(struct wizard *w, uint64_t now, const char *label, uint64_t size_bytes)
{
    if (size_bytes <= now || size_bytes >= largest_bytes) {
        return;
    }
    for (int i = 0; i < w->presets; i++) {
        if (w->preset[i].size_bytes == size_bytes) {
            return;
        }
    }
    w->preset[w->presets++] = (struct wizard_preset){label, size_bytes};
}

static void make_presets(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->subject.image)->size_bytes, smallest = wizard_look(app, w);

    add_preset(w, now, "double", now < largest_bytes ? now * 2 : 0);
    add_preset(w, now, "four times", now < largest_bytes ? now * 4 : 0);
    add_preset(w, now, "1 GiB more", now + ((uint64_t)1 << 30));
    add_preset(w, now, "next power of two", next_power_of_two(now));
    add_preset(w, now, "as the backing file is", cow_image_backing(app->subject.image)->size_bytes);
    if (smallest > 0) {
        w->preset[w->presets++] = (struct wizard_preset){"smallest possible", smallest};
    }
}

/* Understands the size field as it stands. */
static void parse_size(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->subject.image)->size_bytes, size = 0;

    memset(&w->size_error, 0, sizeof w->size_error);
    snprintf(w->size_text, sizeof w->size_text, "%s", tui_prompt_text());
    w->size_ok = false;
    if (w->size_text[0] == '\0' || cow_size_parse(&size, w->size_text, now, &w->size_error) != 0) {
        return;
    }
    w->size_bytes = size;
    if (size % 512 != 0) {
        cow_error_set(&w->size_error, COW_USAGE, "a size is a multiple of 512 bytes");
    } else if (size == now) {
        cow_error_set(&w->size_error, COW_USAGE, "that is its size already");
    } else {
        w->size_ok = true;
    }
}

static void turn_wizard_to(struct tui_app *app, struct wizard *w, enum wizard_page page)
{
    change_end(&w->change);
    w->at = page;
    w->page.top = 0;
    if (page == WIZARD_SIZE) {
        tui_prompt_begin(w->size_text, NULL, NULL);
        parse_size(app, w);
    }
}

static int wizard_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    if (tui_app_sectors(app) == 0) {
        return cow_error_set(err, COW_INVALID, "%s cannot be resized: %s", app->name,
                             cow_image_pending(app->subject.image));
    }
    struct wizard *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    w->preset_at = WIZARD_NONE;
    snprintf(w->size_text, sizeof w->size_text, "%s", (const char *)argument);
    make_presets(app, w);
    turn_wizard_to(app, w, WIZARD_SIZE);
    *state = w;
    return 0;
}

static void wizard_close(struct tui_app *app, void *state)
{
    struct wizard *w = state;

    (void)app;
    change_end(&w->change);
    tui_page_free(&w->page);
    free(w);
}

static bool can_choose_fs(const struct wizard *w)
{
    return w->fs.asked && w->fs.possible && !w->fs.needed;
}

static tui_contexts wizard_contexts(struct tui_app *app, void *state)
{
    const struct wizard *w = state;

    (void)app;
    return w->at == WIZARD_SIZE     ? TUI_IN_SIZE
           : w->at == WIZARD_POLICY ? TUI_IN_CHOICE | (can_choose_fs(w) ? TUI_IN_FS : 0U)
           : w->at == WIZARD_METHOD ? TUI_IN_BESIDE
                                    : change_contexts(&w->change);
}

/* Keys for a field. */
static enum tui_result wizard_key(struct tui_app *app, void *state, int key)
{
    struct wizard *w = state;

    if (w->at == WIZARD_CHANGE) {
        return change_key(&w->change, key);
    }
    if (w->at != WIZARD_SIZE) {
        return TUI_IGNORED;
    }
    if (key == 'q') { /* no size has a q in it */
        return TUI_POP;
    }
    if (tui_prompt_key(key) != TUI_PROMPT_EDITING) {
        return TUI_POP;
    }
    w->preset_at = WIZARD_NONE;
    parse_size(app, w);
    return TUI_REDRAW;
}

static enum tui_result wizard_paste(struct tui_app *app, void *state, const char *text)
{
    struct wizard *w = state;

    if (w->at == WIZARD_CHANGE) {
        return change_paste(app, &w->change);
    }
    if (w->at != WIZARD_SIZE) {
        return TUI_IGNORED;
    }
    tui_prompt_paste(text);
    w->preset_at = WIZARD_NONE;
    parse_size(app, w);
    return TUI_REDRAW;
}

static void choose_preset(struct tui_app *app, struct wizard *w, int step)
{
    char text[COW_SIZE_TEXT_BYTES];

    if (w->presets == 0) {
        return;
    }
    if (w->preset_at == WIZARD_NONE) {
        w->preset_at = step > 0 ? 0 : w->presets - 1;
    } else {
        w->preset_at = (w->preset_at + step + w->presets) % w->presets;
    }
    tui_prompt_set(cow_size_argument(text, w->preset[w->preset_at].size_bytes));
    parse_size(app, w);
}

static void choose_policy(struct tui_app *app, struct wizard *w, int step)
{
    for (int i = w->choice_at + step; i >= 0 && i < w->choices; i += step) {
        if (w->choice[i].possible) {
            w->choice_at = i;
            wizard_ask_fs(app, w);
            return;
        }
    }
}

/* A smaller size goes no further than this page if something that matters would be lost. It takes a look at
 * all that the COW holds there. */
static bool nothing_is_lost(struct tui_app *app, struct wizard *w)
{
    struct cow_plan *plan = NULL;

    tui_app_say(app, TUI_DIM, "looking at what lies past the new end...");
    tui_app_draw(app);
    app->message[0] = '\0';
    const struct cow_resize_options options = wizard_options(app, w, COW_POLICY_COPY);
    w->size_ok = cow_plan_resize(&plan, app->subject.image, &options, &w->size_error) == 0 ||
                 wizard_shrinks_fs(app, w, &w->size_error);
    cow_plan_free(plan);
    return w->size_ok;
}

static void ask_policy(struct tui_app *app, struct wizard *w)
{
    w->fs.needed = w->fs.possible = false;
    if (wizard_shrinks(app, w) && !nothing_is_lost(app, w)) {
        return;
    }
    w->choices = (int)cow_resize_choices(w->choice, app->subject.image, w->size_bytes, wizard_fs_of(app, w));
    w->choice_at = WIZARD_NONE;
    for (int i = w->choices - 1; i >= 0; i--) {
        if (w->choice[i].possible) {
            w->choice_at = i;
        }
    }
    wizard_ask_fs(app, w);
    turn_wizard_to(app, w, WIZARD_POLICY);
}

/* "policy copy or keep: Back; ..." */
static void tell_alternatives(const struct wizard *w, char *out, size_t out_bytes)
{
    size_t used = 0;

    out[0] = '\0';
    for (int i = 0; i < w->choices && used < out_bytes; i++) {
        if (i != w->choice_at && w->choice[i].possible) {
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used == 0 ? "policy " : " or ",
                                     wizard_choice_name(&w->choice[i]));
        }
    }
    if (used > 0 && used < out_bytes) {
        snprintf(out + used, out_bytes - used, ": go Back and choose it");
    }
}

static void make_plan(struct tui_app *app, struct wizard *w)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {0};
    struct cow_env env = {0};

    const struct cow_policy_choice *choice = &w->choice[w->choice_at];
    struct cow_resize_options options = wizard_options(app, w, choice->policy);
    options.in_place = w->methods > 0 && w->method[w->method_at].in_place;
    struct tui_waiting planning;
    front_trace(&env);
    options.env = &env;
    tui_app_begin_waiting(app, &planning);
    int status = choice->family ? cow_plan_resize_family(&plan, app->subject.image, &options, NULL, &err)
                                : cow_plan_resize(&plan, app->subject.image, &options, &err);
    if (tui_app_end_waiting(app, status, &err) != 0) {
        cow_plan_free(plan);
        tui_app_error(app, &err);
        return;
    }
    w->at = WIZARD_CHANGE;
    tell_alternatives(w, w->change.instead, sizeof w->change.instead);
    change_begin(app, &w->change, w->methods > 0 ? &words_with_method : &words, plan);
}

/* Where there is one way only, or the data stays where it is, the question is not asked. */
static void ask_method(struct tui_app *app, struct wizard *w)
{
    if (w->choice_at == WIZARD_NONE) {
        tui_app_say(app, TUI_WARN, "none of the ways is possible; see why above");
        return;
    }
    const struct cow_policy_choice *choice = &w->choice[w->choice_at];
    const struct cow_resize_options options = wizard_options(app, w, choice->policy);
    w->methods = cow_resize_method_choices(w->method, app->subject.image, &options, choice->family);
    w->method_at = w->methods > 0 && !w->method[0].possible;
    if (w->methods > 0) {
        turn_wizard_to(app, w, WIZARD_METHOD);
    } else {
        make_plan(app, w);
    }
}

static enum tui_result enter_wizard(struct tui_app *app, struct wizard *w)
{
    if (w->at == WIZARD_METHOD) {
        make_plan(app, w);
    } else if (w->at == WIZARD_POLICY) {
        ask_method(app, w);
    } else if (w->size_ok) {
        ask_policy(app, w);
    } else if (w->size_error.status == COW_REFUSED) {
        tui_app_say(app, TUI_WARN, "not possible; see why above");
    } else if (w->size_error.message[0] != '\0') {
        tui_app_say(app, TUI_WARN, "%s", w->size_error.message);
    } else {
        tui_app_say(app, TUI_WARN, "type a size, or choose one with Up and Down");
    }
    return TUI_REDRAW;
}

static enum tui_result go_back(struct tui_app *app, struct wizard *w)
{
    if (w->at == WIZARD_SIZE) {
        return TUI_NOTHING;
    }
    bool to_method = w->at == WIZARD_CHANGE && w->methods > 0;
    turn_wizard_to(app, w, w->at == WIZARD_POLICY ? WIZARD_SIZE : to_method ? WIZARD_METHOD : WIZARD_POLICY);
    return TUI_REDRAW;
}

/* Up and Down choose where there is something to choose, and scroll elsewhere. */
static enum tui_result move_wizard(struct tui_app *app, struct wizard *w, int step)
{
    if (w->at == WIZARD_SIZE) {
        choose_preset(app, w, step);
    } else if (w->at == WIZARD_POLICY && w->choice_at != WIZARD_NONE) {
        choose_policy(app, w, step);
    } else {
        return tui_page_scroll(&w->page, step, w->page_rows) ? TUI_REDRAW : TUI_NOTHING;
    }
    return TUI_REDRAW;
}

static enum tui_result wizard_act(struct tui_app *app, void *state, enum tui_action_id action,
                                  const char *argument)
{
    struct wizard *w = state;
    enum tui_result result = TUI_IGNORED;

    (void)argument;
    if (w->at == WIZARD_METHOD) {
        result = beside_act(&w->method_at,
                            (const bool[BESIDE_WAYS]){w->method[0].possible, w->method[1].possible}, action);
    }
    if (result != TUI_IGNORED) {
        return result;
    }
    if (w->at == WIZARD_CHANGE) {
        return change_goes_back(&w->change, action) ? go_back(app, w) : change_act(app, &w->change, action);
    }
    switch (action) {
    case TUI_DO_ENTER:
        return enter_wizard(app, w);
    case TUI_DO_BACK:
        return go_back(app, w);
    case TUI_DO_FS:
        w->fs.alone = !w->fs.alone;
        return TUI_REDRAW;
    case TUI_DO_UP:
        return move_wizard(app, w, -1);
    case TUI_DO_DOWN:
        return move_wizard(app, w, 1);
    case TUI_DO_LEAVE:
        return TUI_POP;
    default:
        return tui_page_act(&w->page, action, w->page_rows);
    }
}

static void wizard_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct wizard *w = state;

    if (w->at == WIZARD_CHANGE) {
        change_draw(app, &w->change, canvas, area);
        return;
    }
    static const struct {
        const char *title;
        void (*fill)(struct tui_app *app, struct wizard *w);
    } pages[] = {
        [WIZARD_SIZE] = {"Resize \u2500 1 of 4: size", wizard_fill_size},
        [WIZARD_POLICY] = {"Resize \u2500 2 of 4: backing file", wizard_fill_policy},
        [WIZARD_METHOD] = {"Resize \u2500 3 of 5: method", wizard_fill_method},
    };
    bool asks_size = w->at == WIZARD_SIZE;
    struct tui_rect inside = tui_frame(canvas, area, pages[w->at].title);
    tui_page_begin(&w->page, inside.cols - 1);
    w->page_rows = inside.rows;
    pages[w->at].fill(app, w);
    tui_page_draw(&w->page, canvas, inside, area.x + area.cols - 1);
    if (asks_size && w->page.top <= SIZE_FIELD_Y) {
        change_draw_field(canvas, inside.x + 1, inside.y + SIZE_FIELD_Y - w->page.top, "New size");
    }
}

const struct tui_view_class tui_view_wizard = {
    .open = wizard_open,
    .contexts = wizard_contexts,
    .key = wizard_key,
    .paste = wizard_paste,
    .act = wizard_act,
    .draw = wizard_draw,
    .close = wizard_close,
};
