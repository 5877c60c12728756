/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The wizard's own pages, as text. The field for the size is drawn over a row of the page that is always the
 * same one, so what stands above it takes its lines whether there is something to say or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/change/beside.h"
#include "tui/change/wizard.h"
#include "tui/screen/utf8.h"

enum { ECHO_COL = 36, PRESET_COL = 29 };

/* "128 MiB (134217728 bytes), 64.0 MiB more" */
static void echo_size(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->subject.image)->size_bytes;
    char size[COW_SIZE_TEXT_BYTES], by[COW_SIZE_TEXT_BYTES];
    bool shrinks = wizard_shrinks(app, w);

    cow_size_text(by, shrinks ? now - w->size_bytes : w->size_bytes - now);
    if (w->size_ok) {
        tui_page_putf(&w->page, 3, shrinks ? TUI_WARN : TUI_GOOD, "= %s, %" PRIu64 " bytes: %s %s than now",
                      cow_size_text(size, w->size_bytes), w->size_bytes, by, shrinks ? "less" : "more");
    } else if (w->size_error.message[0] != '\0') {
        tui_page_wrap(&w->page, 3, 3, TUI_WARN, w->size_error.message);
        if (w->size_error.hint[0] != '\0') {
            tui_page_line(&w->page);
        }
        tui_page_wrap(&w->page, 3, 3, TUI_NORMAL, w->size_error.hint);
    } else {
        tui_page_put(&w->page, 3, TUI_DIM,
                     "128M or 1.5G is the new size, +64M is that much more; K M G T are 1024s");
    }
}

/* Without what is behind the last semicolon, where all of it does not fit. */
static void put_wizard_facts(const struct wizard *w, struct tui_page *page)
{
    const char *last = strrchr(w->facts, ';');
    bool fits = tui_text_cells(w->facts) + 1 <= page->cols;

    tui_page_putf(page, 1, TUI_NORMAL, "%.*s",
                  (int)(fits || last == NULL ? strlen(w->facts) : (size_t)(last - w->facts)), w->facts);
}

/* Below the presets: why there is no smaller size to choose, or what would make room for one. */
static void put_smallest(const struct wizard *w, struct tui_page *page)
{
    if (w->smallest[0] == '\0') {
        return;
    }
    tui_page_line(page);
    if (w->at_smallest) {
        tui_page_put(page, 5, TUI_DISABLED, "smallest possible");
    }
    tui_page_wrap(page, w->at_smallest ? 24 : 5, w->at_smallest ? 24 : 5,
                  w->at_smallest ? TUI_DISABLED : TUI_DIM, w->smallest);
}

/* How far it can grow before its data has to move; "" where any growth writes it anew. */
static const char *tell_room(struct tui_app *app, char *out, size_t out_bytes)
{
    uint64_t now = cow_image_header(app->subject.image)->size_bytes,
             room = cow_image_can_grow_to(app->subject.image);
    char size[COW_SIZE_TEXT_BYTES];

    out[0] = '\0';
    if (room > now) {
        snprintf(out, out_bytes, "Up to %s its data stays where it is. ", cow_size_text(size, room));
    } else if (room > 0) {
        snprintf(out, out_bytes, "Its data has to move for that. ");
    }
    return out;
}

void wizard_fill_size(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    char room[WIZARD_TEXT];
    uint64_t now = cow_image_header(app->subject.image)->size_bytes;
    char size[COW_SIZE_TEXT_BYTES], argument[COW_SIZE_TEXT_BYTES];

    tui_page_line(page);
    if (w->facts[0] == '\0') {
        tui_page_line(page);
    }
    tui_page_wrapf(page, 1, 1, TUI_NORMAL, "The disk has %s now (%" PRIu64 " bytes). How large shall it be?",
                   cow_size_text(size, now), now);
    if (w->facts[0] != '\0') { /* in one line: the field has its place */
        tui_page_line(page);
        put_wizard_facts(w, page);
    }
    if (app->holder.held) {
        change_put_holder(app, page);
    } else {
        tui_page_line(page);
    }
    tui_page_line(page); /* the field is drawn here */
    tui_page_line(page);
    tui_page_line(page);
    echo_size(app, w);
    tui_page_line(page);
    if (w->page_rows >= CHANGE_ROOMY_ROWS || w->facts[0] == '\0') {
        tui_page_line(page);
    }
    tui_page_put(page, 1, TUI_HEADING, "Or choose");
    for (int i = 0; i < w->presets; i++) {
        bool selected = i == w->preset_at;
        enum tui_style style = selected ? TUI_SELECTED : TUI_NORMAL;
        cow_size_argument(argument, w->preset[i].size_bytes);
        cow_size_text(size, w->preset[i].size_bytes);
        tui_page_line(page);
        for (int x = 2; selected && x < PRESET_COL + 28; x++) {
            tui_page_put_char(page, x, style, ' ');
        }
        tui_page_put(page, 3, style, selected ? "\u25b8" : " ");
        tui_page_put(page, 5, style, w->preset[i].label);
        tui_page_putf(page, PRESET_COL, style, "%12s   %s", argument, size);
    }
    put_smallest(w, page);
    tui_page_line(page);
    tui_page_line(page);
    if ((w->size_ok || w->size_error.status == COW_REFUSED) && wizard_shrinks(app, w)) {
        tui_page_wrap(
            page, 1, 1, TUI_DIM,
            "This is a shrink: the filesystem on the disk is made smaller before, from here where that can "
            "be done, else in the guest. Nothing is cut that the guest would miss: that is looked for "
            "first, and told.");
    } else {
        tui_page_wrapf(page, 1, 1, TUI_DIM,
                       "An ext filesystem can grow with the disk; another one is grown in the guest "
                       "afterwards, with its own tool. %sNothing is written before the last page, and there "
                       "only after a typed yes.",
                       tell_room(app, room, sizeof room));
    }
}

const char *wizard_choice_name(const struct cow_policy_choice *choice)
{
    return choice->family ? "extend for all" : cow_policy_name(choice->policy);
}

static void put_choice(struct tui_page *page, const struct cow_policy_choice *choice, bool selected)
{
    enum tui_style style = selected ? TUI_SELECTED : choice->possible ? TUI_STRONG : TUI_DISABLED;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, style, selected ? " \u25b8 " : "   ");
    int col = tui_page_putf(page, 4, style, "%s ",
                            choice->family ? "extend, all images on it grow together"
                                           : cow_policy_name(choice->policy));
    if (choice->recommended) {
        tui_page_put(page, col + 1, TUI_GOOD, "recommended");
    }
    if (!choice->possible) {
        tui_page_wrapf(page, col + 1, 4, TUI_WARN, "not possible here: %s", choice->obstacle);
    }
    tui_page_line(page);
    tui_page_wrap(page, 4, 4, choice->possible ? TUI_NORMAL : TUI_DISABLED, choice->consequence);
}

void wizard_fill_policy(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    char size[COW_SIZE_TEXT_BYTES];
    int first = 0, last = 0;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrapf(page, 1, 1, TUI_NORMAL, "What shall become of the backing file %s when the disk has %s?",
                   app->backing_name, cow_size_text(size, w->size_bytes));
    wizard_put_fs(app, w, page);
    for (int i = 0; i < w->choices; i++) {
        if (i == w->choice_at) {
            first = page->lines + 1;
        }
        put_choice(page, &w->choice[i], i == w->choice_at);
        if (i == w->choice_at) {
            last = page->lines - 1;
        }
    }
    if (w->choice_at != WIZARD_NONE) {
        tui_page_reveal(page, first, last, w->page_rows);
    }
}

void wizard_fill_method(struct tui_app *app, struct wizard *w)
{
    static const char *const labels[] = {"how", "writes", "time", "needs", "free", "a crash", "undo", NULL};
    struct beside_way way[BESIDE_WAYS];
    char name[BESIDE_WAYS][WIZARD_TEXT], size[COW_SIZE_TEXT_BYTES];
    struct tui_page *page = &w->page;

    tui_page_line(page);
    tui_page_line(page);
    const bool family = w->choice[w->choice_at].family;
    tui_page_wrapf(
        page, 1, 1, TUI_NORMAL,
        "For %s the data %shas to move: the bitmap has no room before it. How shall %s be written?",
        cow_size_text(size, w->size_bytes), family ? "of some of the images " : "",
        family ? "they" : app->name);
    tui_page_line(page);
    for (int i = 0; i < BESIDE_WAYS; i++) {
        const struct cow_method_choice *choice = &w->method[i];
        snprintf(name[i], sizeof name[i], "%s%s", choice->in_place ? "in place: " : "",
                 cow_method_name(choice->method));
        way[i] = (struct beside_way){
            .name = name[i],
            .possible = choice->possible,
            .recommended = choice->recommended,
            .obstacle = choice->obstacle,
            .text = {choice->how, choice->writes, choice->time, choice->needs, choice->free, choice->crash,
                     choice->undo},
        };
    }
    beside_put(page, labels, way, w->method_at);
}
