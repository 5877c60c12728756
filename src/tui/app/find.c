/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding text: as it is typed behind a '/', and again. What is searched is the view's; where it is a page or
 * a list, what they have in common stands here, and so does the search for owners, which Map and Blocks
 * share.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"

/* The next line of a page, around its end, with the text in it. */
static enum tui_found search_page(struct tui_page *page, const struct tui_search *search)
{
    int line = -1, from = page->found > 0 ? page->found - 1 : page->top;

    switch (search->step) {
    case TUI_SEARCH_BEGIN:
        page->before.top = page->top;
        page->before.found = page->found;
        return TUI_FOUND;
    case TUI_SEARCH_CANCEL:
        page->top = page->before.top;
        page->found = page->before.found;
        return TUI_FOUND;
    case TUI_SEARCH_TYPED:
        page->top = page->before.top;
        page->found = 0;
        line = search->text[0] != '\0' ? tui_page_find(page, search->text, page->before.top, false) : -1;
        break;
    case TUI_SEARCH_NEXT:
        line = tui_page_find(page, search->text, from + 1, false);
        break;
    case TUI_SEARCH_PREVIOUS:
        line = tui_page_find(page, search->text, from - 1, true);
        break;
    }
    if (line < 0) {
        return TUI_FOUND_NOT;
    }
    page->found = line + 1;
    tui_page_reveal(page, line, line, page->rows);
    return TUI_FOUND;
}

long tui_list_search(size_t rows, size_t at, const struct tui_search *search,
                     const char *(*text_of)(void *list, size_t row, char out[TUI_ROW_TEXT_BYTES]), void *list)
{
    char out[TUI_ROW_TEXT_BYTES];
    bool back = search->step == TUI_SEARCH_PREVIOUS, beyond = back || search->step == TUI_SEARCH_NEXT;

    for (size_t i = 0; i < rows && search->text[0] != '\0'; i++) {
        size_t by = i + beyond, row = (back ? at + 2 * rows - by : at + by) % rows;
        if (strcasestr(text_of(list, row, out), search->text) != NULL) {
            return (long)row;
        }
    }
    return -1;
}

enum tui_found tui_app_search_owners(struct tui_app *app, void *state, const struct tui_search *search)
{
    (void)state;
    if (tui_app_sectors(app) == 0) {
        return TUI_FOUND_NOT;
    }
    switch (search->step) {
    case TUI_SEARCH_BEGIN:
        app->search.from = tui_app_byte(app);
        return TUI_FOUND;
    case TUI_SEARCH_CANCEL:
        tui_app_select_byte(app, app->search.from);
        return TUI_FOUND;
    case TUI_SEARCH_TYPED:
        tui_app_select_byte(app, app->search.from);
        tui_find_owner(&app->find, search->text, app->search.from, false, false);
        break;
    case TUI_SEARCH_NEXT:
    case TUI_SEARCH_PREVIOUS:
        tui_find_owner(&app->find, search->text, tui_app_byte(app), search->step == TUI_SEARCH_PREVIOUS,
                       true);
        break;
    }
    return TUI_FOUND_LATER;
}

/* ---- the line behind '/' ---- */

static enum tui_found search(struct tui_app *app, enum tui_search_step step, const char *text)
{
    const struct tui_view *view = tui_app_top(app);
    const struct tui_search what = {step, text};
    enum tui_found found = TUI_FOUND_NO_TEXT;

    if (view->view_class->search != NULL) {
        found = view->view_class->search(app, view->state, &what);
    } else if (view->view_class->has_page) {
        found = search_page(view->state, &what); /* the state begins with it */
    }
    app->redraw = true;
    if (found == TUI_FOUND_LATER) {
        tui_app_hear_job(app, &app->find.job);
    }
    return found;
}

static void say_not_found(struct tui_app *app, const char *text)
{
    char safe[2 * TUI_ASKED_BYTES];

    tui_app_say(app, TUI_WARN, "nothing here has \"%s\" in it", cow_escape(safe, sizeof safe, text));
}

static void text_typed(struct tui_app *app, const char *text)
{
    if (strcmp(text, app->search.typed) == 0) {
        return;
    }
    snprintf(app->search.typed, sizeof app->search.typed, "%s", text);
    tui_job_stop(&app->find.job);
    if (text[0] != '\0') {
        app->search.found = search(app, TUI_SEARCH_TYPED, text);
    } else {
        search(app, TUI_SEARCH_CANCEL, "");
    }
}

static void text_given_up(struct tui_app *app)
{
    tui_job_stop(&app->find.job);
    search(app, TUI_SEARCH_CANCEL, "");
}

static enum tui_result find_again(struct tui_app *app, bool back)
{
    if (search(app, back ? TUI_SEARCH_PREVIOUS : TUI_SEARCH_NEXT, app->asked.what) == TUI_FOUND_NOT) {
        say_not_found(app, app->asked.what);
    }
    return TUI_REDRAW;
}

static void text_answer(struct tui_app *app, const char *text)
{
    if (text[0] == '\0') { /* as last time */
        tui_app_do_again(app, false, NULL);
        return;
    }
    text_typed(app, text);
    tui_places_leave(app, &app->search.place);
    app->asked.again = find_again;
    snprintf(app->asked.what, sizeof app->asked.what, "%s", text);
    if (app->search.found == TUI_FOUND_NOT) {
        say_not_found(app, text);
    }
}

enum tui_result tui_app_ask_text(struct tui_app *app)
{
    app->search.typed[0] = '\0';
    app->search.found = TUI_FOUND;
    app->search.place = tui_places_now(app);
    search(app, TUI_SEARCH_BEGIN, "");
    tui_app_ask(app, "/", "", text_answer);
    app->typed = text_typed;
    app->given_up = text_given_up;
    return TUI_REDRAW;
}

/* ---- what the job has found ---- */

static void say_side(struct tui_app *app)
{
    const struct tui_find *find = &app->find;

    if (find->kind != TUI_FIND_BYTES || find->in_cow == find->in_backing) {
        return;
    }
    tui_app_say(app, TUI_DIM, "found in what the %s has there", find->in_cow ? "COW" : "backing file");
}

void tui_app_end_find(struct tui_app *app)
{
    const struct tui_find *find = &app->find;
    const char *where = find->back ? "before" : "behind";

    if (find->job.state == TUI_JOB_STOPPED) {
        tui_app_say(app, TUI_DIM, "no longer looking");
    } else if (find->job.state == TUI_JOB_DONE && find->found) {
        const struct tui_place left = tui_places_now(app);
        tui_app_select_byte(app, find->found_at);
        if (!app->prompting) {
            tui_places_leave(app, &left);
        }
        say_side(app);
    } else if (find->job.state == TUI_JOB_DONE) {
        tui_app_say(app, TUI_WARN,
                    find->kind == TUI_FIND_DIFFERENCE ? "no difference %s this one"
                    : find->kind == TUI_FIND_OWNER    ? "in the COW there is no such owner %s this place"
                                                      : "no such bytes %s this place; %c looks the other way",
                    where, find->back ? 'n' : 'N');
    }
}
