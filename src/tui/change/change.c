/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Turning the pages of a change: plan, typed yes, progress, result. Leaving is possible on each of them, and
 * means that nothing was written.
 *
 * A yes has to be meant. Keys that were on their way before its page was seen are dropped (asks_yes), a paste
 * is none, and what a filesystem cannot keep of the preview's promises is tried out before the question, not
 * after it: a page that says less than the one before it has to be read again. A script's keys all count, for
 * it means each of them.
 */
#include "tui/change/change.h"

#include <stdio.h>
#include <string.h>

#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"

enum { FIELD_COLS = 24 };

bool change_has_work(const struct change *change)
{
    size_t n_steps = 0;

    if (change->plan != NULL) {
        cow_plan_steps(change->plan, &n_steps);
    }
    return n_steps > 0;
}

bool change_makes_file(const struct change *change)
{
    return change->plan != NULL && front_makes_file(change->plan);
}

static bool has_preview(const struct change *change)
{
    return change->words->page[CHANGE_PREVIEW] != NULL;
}

/* Keys that were on their way before a page was seen agree to nothing on it. */
static void turn_change_to(struct tui_app *app, struct change *change, enum change_page page)
{
    tui_prompt_stop();
    change->at = page;
    change->page.top = 0;
    if (page == CHANGE_CONFIRM) {
        tui_prompt_begin("", NULL, NULL);
    }
    app->asks_yes |= page == CHANGE_CONFIRM || change_makes_file(change);
}

/* Before the word is asked for: does the filesystem keep what the preview promises? False: it is said, and
 * the page tells what is left of them. */
static bool keeps_its_promises(struct tui_app *app, struct change *change)
{
    const struct cow_preview *preview = cow_plan_preview(change->plan);
    const char *undo = preview->undo_text;
    size_t notes = preview->notes;
    struct cow_error err = {0};

    if (cow_plan_probe(change->plan, &err) != 0) {
        tui_app_say(app, TUI_WARN, "%s", err.message);
        return false;
    }
    if (preview->notes == notes && preview->undo_text == undo) {
        return true;
    }
    tui_app_say(app, TUI_WARN, "this filesystem keeps less than was said: look again");
    return false;
}

void change_begin(struct tui_app *app, struct change *change, const struct change_words *words,
                  struct cow_plan *plan)
{
    cow_plan_free(change->plan);
    change->words = words;
    change->plan = plan;
    if (!has_preview(change)) {
        keeps_its_promises(app, change);
    }
    change->button = change_has_work(change) ? CHANGE_COMMIT : CHANGE_BACK;
    turn_change_to(app, change, has_preview(change) ? CHANGE_PREVIEW : CHANGE_CONFIRM);
    app->redraw = true;
}

void change_end(struct change *change)
{
    tui_prompt_stop();
    cow_plan_free(change->plan);
    change->plan = NULL;
    tui_page_free(&change->page);
}

tui_contexts change_contexts(const struct change *change)
{
    switch (change->at) {
    case CHANGE_PREVIEW:
        return TUI_IN_PREVIEW;
    case CHANGE_CONFIRM:
        return TUI_IN_CONFIRM | (has_preview(change) ? TUI_IN_SECOND : 0U);
    case CHANGE_RESULT:
        return TUI_IN_RESULT;
    case CHANGE_RUNNING:
    case CHANGE_PAGES:
        break;
    }
    return 0;
}

/* Keys for the field. */
enum tui_result change_key(struct change *change, int key)
{
    if (change->at != CHANGE_CONFIRM) {
        return TUI_IGNORED;
    }
    return tui_prompt_key(key) == TUI_PROMPT_EDITING ? TUI_REDRAW : TUI_POP;
}

/* The one field is for the word yes, and that is a promise to have read the page. */
enum tui_result change_paste(struct tui_app *app, const struct change *change)
{
    if (change->at != CHANGE_CONFIRM) {
        return TUI_IGNORED;
    }
    tui_app_say(app, TUI_WARN, "a pasted yes is none: type the word");
    return TUI_REDRAW;
}

bool change_goes_back(const struct change *change, enum tui_action_id action)
{
    return change->at == CHANGE_PREVIEW &&
           (action == TUI_DO_BACK || (action == TUI_DO_ENTER && change->button == CHANGE_BACK));
}

static enum tui_result enter_change(struct tui_app *app, struct change *change)
{
    switch (change->at) {
    case CHANGE_PREVIEW:
        if (change_makes_file(change)) {
            change_commit(app, change);
        } else if (keeps_its_promises(app, change)) {
            turn_change_to(app, change, CHANGE_CONFIRM);
        }
        return TUI_REDRAW;
    case CHANGE_CONFIRM:
        if (strcmp(tui_prompt_text(), "yes") == 0) {
            change_commit(app, change);
        } else {
            tui_app_say(app, TUI_WARN, "that is not the word yes: nothing is written");
        }
        return TUI_REDRAW;
    case CHANGE_RESULT:
        return TUI_POP;
    case CHANGE_RUNNING:
    case CHANGE_PAGES:
        break;
    }
    return TUI_NOTHING;
}

static enum tui_result choose_button(struct change *change, enum change_button button)
{
    change->button = button == CHANGE_COMMIT && change_has_work(change) ? CHANGE_COMMIT : CHANGE_BACK;
    return TUI_REDRAW;
}

enum tui_result change_act(struct tui_app *app, struct change *change, enum tui_action_id action)
{
    switch (action) {
    case TUI_DO_ENTER:
        return enter_change(app, change);
    case TUI_DO_BACK:
        if (change->at != CHANGE_CONFIRM || !has_preview(change)) {
            return TUI_NOTHING;
        }
        turn_change_to(app, change, CHANGE_PREVIEW);
        return TUI_REDRAW;
    case TUI_DO_OTHER_BUTTON:
        return choose_button(change, change->button == CHANGE_BACK ? CHANGE_COMMIT : CHANGE_BACK);
    case TUI_DO_LEFT:
        return choose_button(change, CHANGE_BACK);
    case TUI_DO_RIGHT:
        return choose_button(change, CHANGE_COMMIT);
    case TUI_DO_LEAVE:
        return TUI_POP;
    default:
        return tui_page_act(&change->page, action, change->page_rows);
    }
}

static void draw_buttons(const struct change *change, struct tui_canvas *canvas, int x, int y)
{
    bool back = change->button == CHANGE_BACK;

    x +=
        tui_text(canvas, x, y, 12, back ? TUI_BUTTON_ACTIVE : TUI_BUTTON, back ? "[> Back <]" : "[  Back  ]");
    canvas->cursor_x = x - 7;
    canvas->cursor_y = y;
    if (!change_has_work(change)) {
        return;
    }
    x += 2;
    if (!back) {
        canvas->cursor_x = x + 3;
    }
    const char *commit = change_makes_file(change) ? "Write it" : "Commit...";
    tui_textf(canvas, x, y, 20, back ? TUI_BUTTON : TUI_BUTTON_ACTIVE, back ? "[  %s  ]" : "[> %s <]",
              commit);
}

void change_draw_field(struct tui_canvas *canvas, int x, int y, const char *label)
{
    x += 1 + tui_text(canvas, x, y, canvas->cols - x, TUI_STRONG, label);
    tui_fill(canvas, (struct tui_rect){x, y, FIELD_COLS, 1}, ' ', TUI_INPUT);
    tui_put(canvas, x, y, '[', TUI_DIM);
    tui_put(canvas, x + FIELD_COLS - 1, y, ']', TUI_DIM);
    tui_prompt_draw(canvas, x + 1, y, FIELD_COLS - 2, TUI_INPUT, "");
}

void change_draw(struct tui_app *app, struct change *change, struct tui_canvas *canvas, struct tui_rect area)
{
    static const struct {
        void (*fill)(struct tui_app *app, struct change *change);
        int bottom_rows; /* below the page */
    } pages[CHANGE_PAGES] = {
        [CHANGE_PREVIEW] = {change_fill_preview, 2},
        [CHANGE_CONFIRM] = {change_fill_confirm, 2},
        [CHANGE_RUNNING] = {change_fill_running, 0},
        [CHANGE_RESULT] = {change_fill_result, 0},
    };
    char title[CHANGE_SHORT];

    snprintf(title, sizeof title, "%s \u2500 %s", change->words->title, change->words->page[change->at]);
    struct tui_rect inside = tui_frame(canvas, area, title);
    int bottom = inside.y + inside.rows - 1;
    inside.rows -= pages[change->at].bottom_rows;
    tui_page_begin(&change->page, inside.cols - 1);
    change->page_rows = inside.rows;
    pages[change->at].fill(app, change);
    tui_page_draw(&change->page, canvas, inside, area.x + area.cols - 1);
    if (change->at == CHANGE_PREVIEW) {
        draw_buttons(change, canvas, inside.x + 1, bottom);
    }
    if (change->at == CHANGE_CONFIRM) {
        change_draw_field(canvas, inside.x + 1, bottom, "Type yes to write:");
    }
}
