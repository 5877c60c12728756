/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every change of the image has in common on the screen: a plan is shown, agreed to by the typed word
 * yes, carried out with progress, and its result told. The resize wizard ends in these pages; all other
 * changes are nothing but them. What only makes a new file needs no yes. change.c turns the pages,
 * change_preview.c and change_pages.c fill them from change_layouts.c and change_parts.c, change_run.c
 * commits: the one place of the screen that writes itself, and that only after the yes.
 */
#ifndef COW_TUI_CHANGE_CHANGE_H
#define COW_TUI_CHANGE_CHANGE_H

#include "front/change/changes.h"
#include "front/told/told.h"
#include "tui/app/app.h"
#include "tui/screen/page.h"

enum change_page { CHANGE_PREVIEW, CHANGE_CONFIRM, CHANGE_RUNNING, CHANGE_RESULT, CHANGE_PAGES };

enum change_button { CHANGE_BACK, CHANGE_COMMIT };

enum { CHANGE_SHORT = 64, CHANGE_SENTENCE = 1024, CHANGE_ROOMY_ROWS = 22 };

/* Where labels and their values stand on all pages of a plan. */
enum { CHANGE_LABEL_COL = 1, CHANGE_TEXT_COL = 9 };

/* How a kind of change calls itself. */
struct change_words {
    const char *title;
    const char *page[CHANGE_PAGES]; /* behind the title; without one for CHANGE_PREVIEW the confirm page tells
                                       all that there is to tell */
    const char *about;              /* the confirm page's first sentence then */
    const char *done[2];            /* said of the image when it is done, before and behind its size; without
                                       the second the size is not told */
};

struct change {
    const struct change_words *words;
    enum change_page at;
    struct tui_page page;
    int page_rows; /* as drawn last */

    struct cow_plan *plan;
    struct front_planned *planned; /* what it needs beside it, the holder's; NULL: nothing */
    enum change_button button;
    char instead[CHANGE_SENTENCE]; /* other ways to the same end; "" if none */

    char phase[CHANGE_SHORT];
    char said[CHANGE_SENTENCE];   /* by the program that is at work, last; "" none is, or it is silent */
    struct tui_progress progress; /* in bytes */
    bool can_cancel, stopping;
    bool moves;   /* data, within the file */
    double drawn; /* when, on tui_clock() */

    bool succeeded; /* the result page's */
    struct cow_error error;
    bool can_undo;                /* here, by its key */
    size_t images;                /* that were changed as one; 0: one alone */
    char target[CHANGE_SENTENCE]; /* the new file, where the image stays as it is; else "" */
    char content[CHANGE_SENTENCE];
    char next_step[CHANGE_SENTENCE], undo[CHANGE_SENTENCE], notes[CHANGE_SENTENCE];
};

/* Goes to the first page of a change that begins. Takes the plan; change->instead may be set already. */
void change_begin(struct tui_app *app, struct change *change, const struct change_words *words,
                  struct cow_plan *plan);

/* Gives up what it holds; it may begin again. */
void change_end(struct change *change);

/* The view's handlers, all of them for the view that holds the change: which actions hold; a key, for the
 * field of the confirmation alone; a paste into that, which is no yes; an action; and the page with its
 * frame. */
tui_contexts change_contexts(const struct change *change);
enum tui_result change_key(struct change *change, int key);
enum tui_result change_paste(struct tui_app *app, const struct change *change);
enum tui_result change_act(struct tui_app *app, struct change *change, enum tui_action_id action);
void change_draw(struct tui_app *app, struct change *change, struct tui_canvas *canvas, struct tui_rect area);

/* Whether that action leads to what was before the first page: the holder's matter, so it asks before
 * change_act(). */
bool change_goes_back(const struct change *change, enum tui_action_id action);

/* Whether the plan would change anything. */
bool change_has_work(const struct change *change);

/* A field to type into, with its label; the prompt is drawn in it. */
void change_draw_field(struct tui_canvas *canvas, int x, int y, const char *label);

/* Fill change->page. */
void change_fill_preview(struct tui_app *app, struct change *change);
void change_fill_confirm(struct tui_app *app, struct change *change);
void change_fill_running(struct tui_app *app, struct change *change);
void change_fill_result(struct tui_app *app, struct change *change);

/* Whether the plan changes nothing that exists, but makes a new file. */
bool change_makes_file(const struct change *change);

/* Parts of a plan's text that several pages show. change_put_layouts() shows nothing where there are not two
 * of them. */
void change_put_layouts(struct tui_page *page, const struct cow_preview *preview, bool roomy, bool numbers);
/* Rows of what both front ends tell go there. */
struct front_rows change_rows(struct tui_page *page);
/* The command that does the same, where there is one. */
void change_put_command(struct tui_page *page, const struct cow_preview *preview);

/* A blank line, which is a luxury of large screens. */
void change_put_space(struct tui_page *page, bool roomy);

/* A line that warns of who holds the image; nothing if nobody does. */
void change_put_holder(struct tui_app *app, struct tui_page *page);

/* Commits the plan, with progress, and opens the image anew. Ends at CHANGE_RESULT either way; the plan is
 * freed. */
void change_commit(struct tui_app *app, struct change *change);

#endif
