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
    TUI_DO_NEXT_RUN,
    TUI_DO_PREV_RUN,
    TUI_DO_ENTER,
    TUI_DO_BACK,
    TUI_DO_OTHER_BUTTON,
    TUI_DO_HEADER,
    TUI_DO_MAP,
    TUI_DO_BLOCKS,
    TUI_DO_FILES,
    TUI_DO_CHECK,
    TUI_DO_NEXT_VIEW,
    TUI_DO_PREV_VIEW,
    TUI_DO_RESIZE,
    TUI_DO_FS,
    TUI_DO_UNDO,
    TUI_DO_RECOVER,
    TUI_DO_PAGES,
    TUI_DO_COMPACT,
    TUI_DO_REBASE,
    TUI_DO_RESTAMP,
    TUI_DO_CONVERT,
    TUI_DO_MERGE,
    TUI_DO_MERGE_IN_PLACE,
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

/* Where an action applies: a view answers with the bits that hold for it at this moment. */
enum {
    TUI_IN_HEADER = 1 << 0,
    TUI_IN_MAP = 1 << 1,
    TUI_IN_BLOCKS = 1 << 2,
    TUI_IN_BYTES = 1 << 3,
    TUI_IN_HELP = 1 << 4,
    TUI_IN_SIZE = 1 << 5,    /* the wizard asks for a size */
    TUI_IN_CHOICE = 1 << 6,  /* the wizard asks to choose */
    TUI_IN_PREVIEW = 1 << 7, /* a change asks to read and agree */
    TUI_IN_CONFIRM = 1 << 8, /* a change asks for the typed yes */
    TUI_IN_RESULT = 1 << 9,  /* a change is done; also a message box */
    TUI_IN_SECOND = 1 << 10, /* there is a page before this one */
    TUI_IN_OFFER = 1 << 11,  /* a pending change may be recovered */
    TUI_IN_CHECK = 1 << 12,
    TUI_IN_FINDING = 1 << 13, /* one of Check's, explained */
    TUI_IN_FIXABLE = 1 << 14, /* the selected finding can be mended */
    TUI_IN_PLACE = 1 << 15,   /* the selected finding or file is somewhere on the disk */
    TUI_IN_STAGED = 1 << 16,  /* something that is shown here waits to be written */
    TUI_IN_FILES = 1 << 17,
    TUI_IN_FILE = 1 << 18,      /* one of the guest's, explained */
    TUI_IN_CONTENT = 1 << 19,   /* the selected file has content */
    TUI_IN_DIFF = 1 << 20,      /* the two versions of a file, compared */
    TUI_IN_CLEARABLE = 1 << 21, /* a filter, or a file's cells lit on the map */
    TUI_IN_FAMILY = 1 << 22,    /* the images on the backing file */
    TUI_IN_BESIDE = 1 << 23,    /* as TUI_IN_CHOICE, and the choices stand side by side */
    TUI_IN_FS = 1 << 24,        /* the filesystem may grow with the disk, or not */
    TUI_IN_SERVING = 1 << 25,   /* the disk is used by other programs */
    TUI_IN_WORK = 1 << 27,      /* what goes on is stopped by the key that began it */
    TUI_IN_WAITING = 1 << 28,   /* a page is being made, and nothing but a stop is heard */
    TUI_IN_LIST = 1 << 30,      /* there is no image yet: the list to choose one from */
    TUI_IN_CHOSEN = 1 << 29,    /* leaving the image goes back to that list */
    TUI_IN_OWNER = 1 << 26,     /* whose a byte is */
    TUI_IN_TABS = TUI_IN_HEADER | TUI_IN_MAP | TUI_IN_BLOCKS | TUI_IN_FILES | TUI_IN_CHECK,
    TUI_IN_RUNS = TUI_IN_MAP | TUI_IN_BLOCKS | TUI_IN_BYTES,
    TUI_IN_ANY_FINDING = TUI_IN_CHECK | TUI_IN_FINDING,
    TUI_IN_ANY_FILE = TUI_IN_FILES | TUI_IN_FILE,
    TUI_IN_LOOKING = TUI_IN_TABS | TUI_IN_BYTES | TUI_IN_FINDING | TUI_IN_FILE | TUI_IN_DIFF | TUI_IN_FAMILY |
                     TUI_IN_OWNER,
    TUI_IN_FIELD = TUI_IN_SIZE | TUI_IN_CONFIRM, /* typed text goes first */
    TUI_IN_WIZARD =
        TUI_IN_FIELD | TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_PREVIEW | TUI_IN_RESULT | TUI_IN_OFFER,
};

/* Any number of them, added. */
typedef uint64_t tui_contexts;

/* The lesson, and the replay of a log. Bits that no int has, so they are no enumerators. */
#define TUI_IN_LESSON (UINT64_C(1) << 31)
#define TUI_IN_REPLAY (UINT64_C(1) << 32)

enum tui_argument_kind {
    TUI_NO_ARGUMENT,
    TUI_POSITION,
    TUI_NEXT_KIND,
    TUI_SOME_POSITION,
    TUI_SIZE,
    TUI_DISCARD,
    TUI_COMPACT_WORD,
    TUI_FILE,
    TUI_BACKING,
    TUI_OTHER_BACKING,
    TUI_SERVE_WORD,
    TUI_DIRECTORY,
    TUI_SETTING,
    TUI_THEME
};

enum { TUI_ACTION_KEYS = 3, TUI_ACTION_HELPS = 4 };

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
};

/* The index-th row of the table, NULL behind the last. */
const struct tui_action *tui_action_row(size_t index);

/* What Help says behind a command's name: " [SIZE]", "" for none. */
const char *tui_argument_words(enum tui_argument_kind kind);

/* The action of a key where those contexts hold; TUI_DO_NOTHING if there is none. */
enum tui_action_id tui_action_of_key(int key, tui_contexts contexts);

/* The action of a command line "name argument". An unambiguous beginning of a name is enough, and a place
 * alone ("16M") means goto. Sets *argument to what follows the name ("" if nothing does). Errors: COW_USAGE
 * (unknown, ambiguous, argument missing or not wanted). */
int tui_action_of_command(enum tui_action_id *out, const char **argument, const char *line,
                          struct cow_error *err);

/* The index-th command name, NULL behind the last: for completion. */
const char *tui_command_name(size_t index);

/* The index-th word that may follow where the line, of a command's name and more, has come to; NULL behind
 * the last: for completion. */
const char *tui_command_word(const char *line, size_t index);

/* Whether that command takes a file, and where in the line its name begins. */
bool tui_command_file(const char *line, size_t *begin);

#endif
