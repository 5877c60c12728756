/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A view is a struct of functions over a state of its own. Its file ends with that struct. Handlers answer
 * with what must happen; they never draw, and never see a terminal. The application opens views by the names
 * below and includes none of their files: a view may know the application, and not the other way round.
 */
#ifndef COW_TUI_APP_VIEW_H
#define COW_TUI_APP_VIEW_H

#include <stdbool.h>

#include "cow/error.h"
#include "tui/actions/actions.h"
#include "tui/screen/canvas.h"
#include "tui/screen/page.h"

struct tui_app;

enum tui_result {
    TUI_IGNORED, /* not mine: the application may have a use for it */
    TUI_NOTHING,
    TUI_REDRAW,
    TUI_POP, /* this view is finished */
    TUI_QUIT,
};

/* What is to be found, and how. Typing goes from where it began each time; who gives up is back there. */
enum tui_search_step {
    TUI_SEARCH_BEGIN,  /* remember where you are */
    TUI_SEARCH_TYPED,  /* from there on, that place included */
    TUI_SEARCH_CANCEL, /* back to there */
    TUI_SEARCH_NEXT,   /* behind where you are now */
    TUI_SEARCH_PREVIOUS,
};

struct tui_search {
    enum tui_search_step step;
    const char *text;
};

enum tui_found {
    TUI_FOUND,
    TUI_FOUND_NOT,
    TUI_FOUND_LATER,   /* a job looks for it, and says what comes of it */
    TUI_FOUND_NO_TEXT, /* that cannot be looked for here; why was said */
};

struct tui_view_class {
    bool overlay; /* a box over the view beneath */

    /* Makes the state. argument is the opener's; the view keeps nothing of it. */
    int (*open)(struct tui_app *app, void **state, const void *argument, struct cow_error *err);
    /* Which rows of the table of actions hold now: TUI_IN_... bits. */
    tui_contexts (*contexts)(struct tui_app *app, void *state);
    /* A key that is no action here: typed text. NULL: none wanted. */
    enum tui_result (*key)(struct tui_app *app, void *state, int key);
    /* Pasted text, in one line, for a field of the view. NULL, or TUI_IGNORED: there is none just now. */
    enum tui_result (*paste)(struct tui_app *app, void *state, const char *text);
    /* argument is what was typed behind a command, else NULL. */
    enum tui_result (*act)(struct tui_app *app, void *state, enum tui_action_id action, const char *argument);
    void (*draw)(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area);
    /* Selects what is shown in that cell of the canvas, as drawn last. False: nothing is. NULL: never. */
    bool (*click)(struct tui_app *app, void *state, int x, int y);
    bool has_page; /* the state begins with its struct tui_page: in that text is searched for */
    /* Goes to where some text is. NULL: in its page, or there is none to be found. */
    enum tui_found (*search)(struct tui_app *app, void *state, const struct tui_search *search);
    /* Every 100 ms while it is on top; NULL: nothing to do. */
    enum tui_result (*tick)(struct tui_app *app, void *state);
    /* Of a tab: looks anew, where its command asks for it and its key does not. NULL: both only show it. */
    void (*again)(struct tui_app *app);
    void (*close)(struct tui_app *app, void *state);
};

struct tui_view {
    const struct tui_view_class *view_class;
    void *state;
};

/* What tui_view_change shows beside those changes that have a `:` command of their own (front/change). */
enum tui_change {
    TUI_CHANGE_NONE,
    TUI_CHANGE_UNDO,
    TUI_CHANGE_DISCARD_UNDO,
    TUI_CHANGE_RECOVER,
    TUI_CHANGE_REBASE,  /* to the file that is the argument */
    TUI_CHANGE_EXTRACT, /* app->files.extract, to the file that is the argument */
    TUI_CHANGE_PICTURE, /* app->picture, likewise */
    TUI_CHANGE_EDIT,    /* what is staged in Header */
    TUI_CHANGE_REPAIR,  /* what is staged in Check */
};

struct tui_change_request {
    const struct front_change *change; /* of a command; else NULL */
    enum tui_change own;               /* where there is none */
    const char *argument;              /* what was typed behind the command */
};

/* What tui_view_serving shows. */
struct tui_serving_request {
    bool is_writing;
    const char *directory; /* where it is mounted; NULL: it is only served */
    bool is_filesystem;    /* what is mounted is the one on the disk, or in that partition if it is not 0 */
    unsigned partition;
};

/* What the moving actions do to a page that is shown in so many rows; TUI_IGNORED for all others. */
enum tui_result tui_page_act(struct tui_page *page, enum tui_action_id action, int rows);

/* The row of a list to go to: the next one from `at` on, around its end, whose text has that of the search in
 * it; -1 if there is none. text_of may use out, and answers with a text that lives as long. */
enum { TUI_ROW_TEXT_BYTES = 4 * COW_MESSAGE_BYTES };
long tui_list_search(size_t rows, size_t at, const struct tui_search *search,
                     const char *(*text_of)(void *list, size_t row, char out[TUI_ROW_TEXT_BYTES]),
                     void *list);

#define VIEW_CLASS(ID, name, ...) extern const struct tui_view_class tui_view_##name;
TUI_EACH_VIEW(VIEW_CLASS)
#undef VIEW_CLASS

/* The tabs, in their order. */
enum tui_tab {
#define VIEW_TAB(ID, ...) TUI_TAB_##ID,
    TUI_EACH_TAB(VIEW_TAB)
#undef VIEW_TAB
        TUI_TABS
};

extern const struct tui_view_class *const tui_tab_class[TUI_TABS];

/* What a view is called on the screen. */
const char *tui_view_title(const struct tui_view_class *view_class);

#endif
