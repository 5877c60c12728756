/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where one was: a list of places, and one in it. Going back from a place that is none of them adds it at the
 * end, so that going forward ends where going back began.
 */
#include <string.h>

#include "tui/app/app.h"

struct tui_place tui_places_now(const struct tui_app *app)
{
    struct tui_place place = {.tab = app->tab_now, .byte = tui_app_byte(app)};

    for (int i = 0; i < app->depth; i++) {
        place.bytes |= app->stack[i].view_class == &tui_view_bytes;
    }
    return place;
}

static bool is_same(const struct tui_place *a, const struct tui_place *b)
{
    return a->tab == b->tab && a->bytes == b->bytes && a->byte == b->byte;
}

static void add_place(struct tui_places *places, const struct tui_place *place)
{
    if (places->n > 0 && is_same(&places->place[places->n - 1], place)) {
        return;
    }
    if (places->n == TUI_PLACES) {
        memmove(places->place, places->place + 1, (TUI_PLACES - 1) * sizeof places->place[0]);
        places->n--;
    }
    places->place[places->n++] = *place;
}

void tui_places_leave(struct tui_app *app, const struct tui_place *left)
{
    struct tui_places *places = &app->places;
    const struct tui_place now = tui_places_now(app);

    if (is_same(left, &now)) {
        return;
    }
    if (places->at < places->n) {
        places->n = places->at;
    }
    add_place(places, left);
    places->at = places->n;
}

static bool is_step(enum tui_action_id action)
{
    static const enum tui_action_id steps[] = {
        TUI_DO_UP,      TUI_DO_DOWN,     TUI_DO_LEFT, TUI_DO_RIGHT,    TUI_DO_PAGE_UP,     TUI_DO_PAGE_DOWN,
        TUI_DO_ZOOM_IN, TUI_DO_ZOOM_OUT, TUI_DO_FIT,  TUI_DO_WAS_BACK, TUI_DO_WAS_FORWARD,
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i] == action) {
            return true;
        }
    }
    return false;
}

void tui_places_acted(struct tui_app *app, const struct tui_place *before, enum tui_action_id action,
                      bool is_command)
{
    bool goes_on = action == app->places.last && !is_command;

    app->places.last = action;
    if (!is_step(action) && !goes_on) {
        tui_places_leave(app, before);
    }
}

bool tui_places_go(struct tui_app *app, bool back)
{
    struct tui_places *places = &app->places;
    const struct tui_place now = tui_places_now(app);
    int to = places->at + (back ? -1 : 1);

    if (to < 0 || to >= places->n) {
        return false;
    }
    if (places->at == places->n) {
        add_place(places, &now);
        to = places->n - 2;
    } else {
        places->place[places->at] = now; /* one may have walked a little there */
    }
    if (to < 0) {
        return false;
    }
    const struct tui_place *place = &places->place[to];
    places->at = to;
    tui_app_show_tab(app, (enum tui_tab)place->tab, false);
    tui_app_select_byte(app, place->byte);
    if (place->bytes && tui_app_sectors(app) > 0) {
        tui_app_push(app, &tui_view_bytes, NULL);
    }
    return true;
}
