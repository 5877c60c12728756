/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one table of what a user can ask for. Key dispatch, `:` commands, completion and Help are read from it,
 * and the footer is held against it, so that none of them can lie about another.
 */
#ifndef COW_TUI_ACTIONS_ACTIONS_H
#define COW_TUI_ACTIONS_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"
#include "tui/actions/views.h"

enum tui_action_id {
    TUI_DO_NOTHING,
    TUI_DO_HELP,
    TUI_DO_UP,
    TUI_DO_DOWN,
    TUI_DO_LEFT,
    TUI_DO_RIGHT,
    TUI_DO_PAGE_UP,
    TUI_DO_PAGE_DOWN,
    TUI_DO_FIRST,
    TUI_DO_LAST,
    TUI_DO_ZOOM_IN,
    TUI_DO_ZOOM_OUT,
    TUI_DO_FIT,
    TUI_DO_HEAT,
    TUI_DO_HILBERT,
    TUI_DO_EXPORT,
    TUI_DO_NEXT_RUN,
    TUI_DO_PREV_RUN,
    TUI_DO_ENTER,
    TUI_DO_BACK,
    TUI_DO_OTHER_BUTTON,
    TUI_DO_BEFORE_TABS, /* behind it those that show a tab, in their order */
#define TAB_ID(ID, ...) TUI_DO_##ID,
    TUI_EACH_TAB(TAB_ID)
#undef TAB_ID
        TUI_DO_NEXT_VIEW,
    TUI_DO_PREV_VIEW,
    TUI_DO_RESIZE,
    TUI_DO_FS,
    TUI_DO_UNDO,
    TUI_DO_RECOVER,
    TUI_DO_CHANGE, /* the one that the row names */
    TUI_DO_SERVE,
    TUI_DO_MOUNT,
    TUI_DO_SCAN,
    TUI_DO_OWNERS,
    TUI_DO_FOLLOW,
    TUI_DO_ORDER,
    TUI_DO_REVERSE,
    TUI_DO_FLAT,
    TUI_DO_FILTER,
    TUI_DO_FIND,
    TUI_DO_NEXT_DIFFERENCE,
    TUI_DO_PREV_DIFFERENCE,
    TUI_DO_CLEAR,
    TUI_DO_DIFF,
    TUI_DO_EXTRACT,
    TUI_DO_EXTRACT_BACKING,
    TUI_DO_EDIT,
    TUI_DO_STAGE,
    TUI_DO_UNSTAGE,
    TUI_DO_WRITE,
    TUI_DO_PLACE,
    TUI_DO_PLACE_MAP,
    TUI_DO_GOTO,
    TUI_DO_NEXT,
    TUI_DO_PREVIOUS,
    TUI_DO_AGAIN,
    TUI_DO_AGAIN_BACK,
    TUI_DO_MARK,
    TUI_DO_TO_MARK,
    TUI_DO_RANGE,
    TUI_DO_OWNER,
    TUI_DO_EXPLAIN,
    TUI_DO_COPY,
    TUI_DO_COPY_DD,
    TUI_DO_WAS_BACK,
    TUI_DO_WAS_FORWARD,
    TUI_DO_FAMILY,
    TUI_DO_BACKING,
    TUI_DO_REFRESH,
    TUI_DO_SET,
    TUI_DO_THEME,
    TUI_DO_REDRAW,
    TUI_DO_TOUR,
    TUI_DO_HOLD,
    TUI_DO_PLAY,
    TUI_DO_FASTER,
    TUI_DO_SLOWER,
    TUI_DO_FAR_LEFT,
    TUI_DO_FAR_RIGHT,
    TUI_DO_WHOSE,
    TUI_DO_PROMPT,
    TUI_DO_LEAVE,
    TUI_DO_QUIT,
};

/* Where an action applies: a view answers with the bits that hold for it at this moment. Each view has one;
 * the others tell more of where one is. */
typedef uint64_t tui_contexts;

enum {
#define VIEW_BIT(ID, ...) TUI_BIT_##ID,
    TUI_EACH_VIEW(VIEW_BIT)
#undef VIEW_BIT
        TUI_VIEWS
};

enum {
#define VIEW_CONTEXT(ID, ...) TUI_IN_##ID = 1 << TUI_BIT_##ID,
    TUI_EACH_VIEW(VIEW_CONTEXT)
#undef VIEW_CONTEXT
#define OR_CONTEXT(ID, ...) | TUI_IN_##ID
        TUI_IN_TABS = 0 TUI_EACH_TAB(OR_CONTEXT),
    TUI_IN_LOOKING = TUI_IN_TABS TUI_EACH_OVER(OR_CONTEXT),
    TUI_IN_OVER = TUI_IN_HELP TUI_EACH_OVER(OR_CONTEXT),
#undef OR_CONTEXT
    TUI_IN_RUNS = TUI_IN_MAP | TUI_IN_BLOCKS | TUI_IN_BYTES,
    TUI_IN_ANY_FINDING = TUI_IN_CHECK | TUI_IN_FINDING,
    TUI_IN_ANY_FILE = TUI_IN_FILES | TUI_IN_FILE,
};

_Static_assert(TUI_VIEWS < 31, "a view's bit is one of an int's");

/* Those that are no views' begin behind them. */
#define TUI_IN_STATE(n)  (UINT64_C(1) << (32 + (n)))
#define TUI_IN_SIZE      TUI_IN_STATE(0)  /* the wizard asks for a size */
#define TUI_IN_CHOICE    TUI_IN_STATE(1)  /* the wizard asks to choose */
#define TUI_IN_BESIDE    TUI_IN_STATE(2)  /* the same, and the choices stand side by side */
#define TUI_IN_FS        TUI_IN_STATE(3)  /* the filesystem may grow with the disk, or not */
#define TUI_IN_PREVIEW   TUI_IN_STATE(4)  /* a change asks to read and agree */
#define TUI_IN_CONFIRM   TUI_IN_STATE(5)  /* a change asks for the typed yes */
#define TUI_IN_RESULT    TUI_IN_STATE(6)  /* a change is done; also a message box */
#define TUI_IN_SECOND    TUI_IN_STATE(7)  /* there is a page before this one */
#define TUI_IN_OFFER     TUI_IN_STATE(8)  /* a pending change may be recovered */
#define TUI_IN_FIXABLE   TUI_IN_STATE(9)  /* the selected finding can be mended */
#define TUI_IN_PLACE     TUI_IN_STATE(10) /* the selected finding or file is somewhere on the disk */
#define TUI_IN_STAGED    TUI_IN_STATE(11) /* something that is shown here waits to be written */
#define TUI_IN_CONTENT   TUI_IN_STATE(12) /* the selected file has content */
#define TUI_IN_CLEARABLE TUI_IN_STATE(13) /* a filter, or a file's cells lit on the map */
#define TUI_IN_WORK      TUI_IN_STATE(14) /* what goes on is stopped by the key that began it */
#define TUI_IN_WAITING   TUI_IN_STATE(15) /* a page is being made, and nothing but a stop is heard */
#define TUI_IN_LIST      TUI_IN_STATE(16) /* there is no image yet: the list to choose one from */
#define TUI_IN_CHOSEN    TUI_IN_STATE(17) /* leaving the image goes back to that list */
#define TUI_IN_LESSON    TUI_IN_STATE(18) /* the tour */
#define TUI_IN_REPLAY    TUI_IN_STATE(19) /* a log, replayed */
#define TUI_ANYWHERE     UINT64_MAX
#define TUI_IN_FIELD     (TUI_IN_SIZE | TUI_IN_CONFIRM) /* typed text goes first */
#define TUI_IN_ASKING                                                                                        \
    (TUI_IN_FIELD | TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_PREVIEW | TUI_IN_RESULT | TUI_IN_OFFER)

enum tui_argument_kind {
    TUI_NO_ARGUMENT,
    TUI_POSITION,
    TUI_NEXT_KIND,
    TUI_SOME_POSITION,
    TUI_SIZE,
    TUI_FILE,
    TUI_CHANGE_OPTIONS, /* those of the change */
    TUI_CHANGE_FILE,    /* the same, and a file */
    TUI_OTHER_BACKING,
    TUI_SERVE_WORD,
    TUI_DIRECTORY,
    TUI_SETTING,
    TUI_THEME
};

enum { TUI_ACTION_KEYS = 3, TUI_ACTION_HELPS = 4, TUI_ACTION_FOOTERS = 10 };

struct front_change;

struct tui_action {
    enum tui_action_id id;
    tui_contexts contexts;
    int key[TUI_ACTION_KEYS]; /* the first ones; 0: none more */
    const char *command;      /* its name after ':', or NULL */
    enum tui_argument_kind argument;
    struct {                   /* what it does, the first ones; NULL: no more */
        tui_contexts contexts; /* where it does that; 0: wherever the row holds */
        const char *words;
    } help[TUI_ACTION_HELPS];
    struct tui_footer {
        int place;             /* in the footer, from the left; each one's own */
        tui_contexts contexts; /* where it stands there */
        const char *keys, *words;
        tui_contexts unless; /* where it does not, all the same */
    } footer[TUI_ACTION_FOOTERS];
    const struct front_change *change; /* of TUI_DO_CHANGE */
};

/* Those rows of the table that are changes, which both front ends have (front/change): made by tui/change.
 * NULL behind the last. */
const struct tui_action *tui_change_action(size_t index);

/* The index-th row of the table, NULL behind the last. */
const struct tui_action *tui_action_row(size_t index);

/* What Help says behind a command's name: " [SIZE]", "" for none. */
const char *tui_argument_words(enum tui_argument_kind kind);

/* The action of a key where those contexts hold, NULL if there is none; and its id, or TUI_DO_NOTHING. */
const struct tui_action *tui_action_of_key(int key, tui_contexts contexts);
enum tui_action_id tui_action_id_of_key(int key, tui_contexts contexts);

/* The action of a command line "name argument". An unambiguous beginning of a name is enough, and a place
 * alone ("16M") means goto. Sets *argument to what follows the name ("" if nothing does). Errors: COW_USAGE
 * (unknown, ambiguous, argument missing or not wanted). */
int tui_action_of_command(const struct tui_action **out, const char **argument, const char *line,
                          struct cow_error *err);

/* The index-th command name, NULL behind the last: for completion. */
const char *tui_command_name(size_t index);

/* The index-th word that may follow where the line, of a command's name and more, has come to; NULL behind
 * the last: for completion. */
const char *tui_command_word(const char *line, size_t index);

/* Whether that command takes a file, and where in the line its name begins. */
bool tui_command_file(const char *line, size_t *begin);

#endif
