/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of actions, and what keys and commands make of it. A row is an action where it has the same keys;
 * an action has a second row only where other keys mean it, in a field mostly, whose own keys go first. What
 * an action is for may differ from place to place: then the row's help says it for each.
 *
 * Order matters twice: the first row that fits a key wins (u forgets what is staged before it means undo),
 * and Help lists in this order. The footer has an order of its own, and a table (told.c).
 */
#include "tui/actions/actions.h"

#include <string.h>

#include "cow/text.h"
#include "front/change/options.h"
#include "tui/look/settings.h"
#include "tui/screen/keys.h"

/* A row ends where all that follows is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define UP    TUI_KEY_UP
#define DOWN  TUI_KEY_DOWN
#define LEFT  TUI_KEY_LEFT
#define RIGHT TUI_KEY_RIGHT
#define ENTER TUI_KEY_ENTER
#define ESC   TUI_KEY_ESC
#define MOVES                                                                                                \
    (TUI_IN_LOOKING | TUI_IN_HELP | TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_PREVIEW | TUI_IN_RESULT |         \
     TUI_IN_OFFER | TUI_IN_SERVING | TUI_IN_LIST)
#define SIDES (TUI_IN_MAP | TUI_IN_BYTES | TUI_IN_DIFF | TUI_IN_BESIDE | TUI_IN_PREVIEW)
#define PAGES (TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_PREVIEW)

/* Of one meaning wherever the row holds, or of several. */
#define HELP(words) .help = {{0, words}}
#define HELPS(...)  .help = {__VA_ARGS__}
/* Of an action that another row tells of. */
#define UNTOLD    .help = {{0, NULL}}
#define FOOT(...) .footer = {__VA_ARGS__}
/* A tab, by its key or its name. */
#define TAB_ROW(ID, name, title, number, words)                                                              \
    {TUI_DO_##ID, TUI_IN_LOOKING, {number}, .command = #name, HELP(title ": " words)},

/* clang-format off */
/* Before the changes. */
static const struct tui_action rows_before[] = {
    {TUI_DO_HELP, TUI_IN_LOOKING, {'?', TUI_KEY_F1}, .command = "help", HELP("this help, with the legend"),
     FOOT({10, TUI_IN_LOOKING, "?", "Help"})},
    {TUI_DO_HELP, TUI_IN_LIST, {'?', TUI_KEY_F1}, HELP("this help"),
     FOOT({490, TUI_IN_LIST, "?", "Help"})},
    {TUI_DO_HELP, TUI_IN_ASKING | TUI_IN_SERVING, {TUI_KEY_F1}, UNTOLD},

    {TUI_DO_UP, MOVES, {UP, 'k', TUI_CTRL('p')}, HELP("up")},
    {TUI_DO_UP, TUI_IN_FIELD, {UP}, UNTOLD},
    {TUI_DO_DOWN, MOVES, {DOWN, 'j', TUI_CTRL('n')}, HELP("down"),
     FOOT({60, TUI_IN_SIZE | TUI_IN_CHOICE, "Up Down", "Choose"},
          {310, TUI_IN_PREVIEW, "Up Down", "Scroll"},
          {470, TUI_IN_LIST, "Up Down", "Choose"})},
    {TUI_DO_DOWN, TUI_IN_FIELD, {DOWN}, UNTOLD},
    {TUI_DO_LEFT, SIDES, {LEFT, 'h'}, HELP("left")},
    {TUI_DO_RIGHT, SIDES, {RIGHT, 'l'}, HELP("right"),
     FOOT({70, TUI_IN_BESIDE, "Left Right", "Choose"})},
    {TUI_DO_PAGE_UP, MOVES, {TUI_KEY_PGUP, TUI_CTRL('b')}, HELP("a screen up")},
    {TUI_DO_PAGE_UP, TUI_IN_CONFIRM, {TUI_KEY_PGUP}, UNTOLD},
    {TUI_DO_PAGE_DOWN, MOVES, {TUI_KEY_PGDN, TUI_CTRL('f'), ' '}, HELP("a screen down")},
    {TUI_DO_PAGE_DOWN, TUI_IN_CONFIRM, {TUI_KEY_PGDN}, UNTOLD},
    {TUI_DO_FIRST, MOVES, {'g', TUI_KEY_HOME}, HELP("to the beginning")},
    {TUI_DO_LAST, MOVES, {'G', TUI_KEY_END}, HELP("to the end")},

    {TUI_DO_ENTER, TUI_IN_LIST, {ENTER}, HELP("open the image"),
     FOOT({460, TUI_IN_LIST, "Enter", "Open"})},
    {TUI_DO_REFRESH, TUI_IN_LIST, {'r', 'R', TUI_KEY_F5}, HELP("read the directory anew"),
     FOOT({480, TUI_IN_LIST, "R", "Read anew"})},
    {TUI_DO_LEAVE, TUI_IN_LIST, {'q'}, HELP("leave the program; in an image q comes back here"),
     FOOT({500, TUI_IN_LIST, "q", "Quit"})},

    {TUI_DO_ENTER, TUI_IN_LESSON, {ENTER, ' ', RIGHT}, HELP("the next screen; where a picture moves, its end"),
     FOOT({520, TUI_IN_LESSON, "Enter", "Next"})},
    {TUI_DO_BACK, TUI_IN_LESSON, {TUI_KEY_BACKSPACE, LEFT}, HELP("the screen before, with its disk as it was"),
     FOOT({530, TUI_IN_LESSON, "Backspace", "Back"})},
    {TUI_DO_AGAIN, TUI_IN_LESSON, {'r'}, HELP("this screen again, from its beginning"),
     FOOT({540, TUI_IN_LESSON, "r", "Again"})},
    {TUI_DO_HOLD, TUI_IN_LESSON, {'p'},
     HELP("hold the picture that moves, or let it go on; at its end: no picture moves any more, or again"),
     FOOT({550, TUI_IN_LESSON, "p", "Hold"})},
    {TUI_DO_HELP, TUI_IN_LESSON, {'?', TUI_KEY_F1}, HELP("this help"),
     FOOT({510, TUI_IN_LESSON, "?", "Help"})},
    {TUI_DO_LEAVE, TUI_IN_LESSON, {'q', ESC}, HELP("leave the tour; its practice disk goes"),
     FOOT({560, TUI_IN_LESSON, "q", "Leave"})},

    {TUI_DO_LEFT, TUI_IN_REPLAY, {LEFT}, HELP("to the change before")},
    {TUI_DO_RIGHT, TUI_IN_REPLAY, {RIGHT}, HELP("to the next change"),
     FOOT({650, TUI_IN_REPLAY, "Left Right", "Step"})},
    {TUI_DO_FAR_LEFT, TUI_IN_REPLAY, {'h'}, HELP("ten changes back")},
    {TUI_DO_FAR_RIGHT, TUI_IN_REPLAY, {'l'}, HELP("ten changes on")},
    {TUI_DO_PAGE_UP, TUI_IN_REPLAY, {TUI_KEY_PGUP, TUI_CTRL('b')}, HELP("a tenth of the time back")},
    {TUI_DO_PAGE_DOWN, TUI_IN_REPLAY, {TUI_KEY_PGDN, TUI_CTRL('f')}, HELP("a tenth of the time on")},
    {TUI_DO_FIRST, TUI_IN_REPLAY, {'g', TUI_KEY_HOME}, HELP("to the beginning"),
     FOOT({690, TUI_IN_REPLAY, "g G", "Ends"})},
    {TUI_DO_LAST, TUI_IN_REPLAY, {'G', TUI_KEY_END}, HELP("to the end")},
    {TUI_DO_PLAY, TUI_IN_REPLAY, {' '}, HELP("let the time run, or hold it"),
     FOOT({660, TUI_IN_REPLAY, "Space", "Play"})},
    {TUI_DO_FASTER, TUI_IN_REPLAY, {'+', '='}, HELP("let it run twice as fast"),
     FOOT({700, TUI_IN_REPLAY, "+/-", "Speed"})},
    {TUI_DO_SLOWER, TUI_IN_REPLAY, {'-'}, HELP("half as fast, down to the time that it took")},
    {TUI_DO_MARK, TUI_IN_REPLAY, {'m'}, HELP("mark this moment: what was written from there to the cursor is told"),
     FOOT({670, TUI_IN_REPLAY, "m", "Mark"})},
    {TUI_DO_TO_MARK, TUI_IN_REPLAY, {'\''}, HELP("to the mark")},
    {TUI_DO_WHOSE, TUI_IN_REPLAY, {'o', ENTER},
     HELP("whose that is: reads the image's filesystem, where it is still the image that was recorded"),
     FOOT({680, TUI_IN_REPLAY, "o", "Whose"})},
    {TUI_DO_UP, TUI_IN_REPLAY, {UP, 'k'}, HELP("the list up")},
    {TUI_DO_DOWN, TUI_IN_REPLAY, {DOWN, 'j'}, HELP("the list down")},
    {TUI_DO_HELP, TUI_IN_REPLAY, {'?', TUI_KEY_F1}, HELP("this help"),
     FOOT({640, TUI_IN_REPLAY, "?", "Help"})},
    {TUI_DO_LEAVE, TUI_IN_REPLAY, {'q', ESC}, HELP("leave the replay"),
     FOOT({710, TUI_IN_REPLAY, "q", "Leave"})},

    {TUI_DO_ZOOM_IN, TUI_IN_MAP, {'+', '='}, .command = "zoom-in", HELP("zoom in around the cursor"),
     FOOT({80, TUI_IN_MAP, "+/-", "Zoom"})},
    {TUI_DO_ZOOM_OUT, TUI_IN_MAP, {'-'}, .command = "zoom-out", HELP("zoom out")},
    {TUI_DO_FIT, TUI_IN_MAP, {'0'}, .command = "fit", HELP("zoom out to the whole disk")},
    {TUI_DO_HEAT, TUI_IN_MAP, {'%'}, .command = "heat",
     HELP("heat by quarters of a cell, or logarithmic; by itself it is so where the fullest cell is low"),
     FOOT({430, TUI_IN_MAP, "%", "Heat"})},
    {TUI_DO_HILBERT, TUI_IN_MAP, {'H'}, .command = "hilbert",
     HELP("cells along a Hilbert curve, where what is near on the disk is near here; or in rows"),
     FOOT({440, TUI_IN_MAP, "H", "Hilbert"})},
    {TUI_DO_EXPORT, TUI_IN_MAP, .command = "export", .argument = TUI_FILE,
     HELP("draw what the map shows as a picture: FILE ends in .svg or .png")},
    {TUI_DO_NEXT_RUN, TUI_IN_RUNS, {']'}, .command = "next-run", HELP("next run in the COW"),
     FOOT({90, TUI_IN_RUNS, "] [", "Runs"})},
    {TUI_DO_PREV_RUN, TUI_IN_RUNS, {'['}, .command = "previous-run", HELP("previous run in the COW")},
    {TUI_DO_MARK, TUI_IN_RUNS, {'m'}, HELP("with a letter: mark the byte under the cursor")},
    {TUI_DO_TO_MARK, TUI_IN_RUNS, {'\''}, HELP("with a letter: to the byte that it marks")},
    {TUI_DO_RANGE, TUI_IN_RUNS, {'v'}, .command = "range",
     HELP("a range from here to the cursor, with what it holds; again: no longer")},
    {TUI_DO_NEXT_DIFFERENCE, TUI_IN_BYTES, {'}'},
     HELP("next place where COW and backing file differ"),
     FOOT({120, TUI_IN_BYTES, "} {", "Differences"})},
    {TUI_DO_PREV_DIFFERENCE, TUI_IN_BYTES, {'{'},
     HELP("previous place where they differ")},
    {TUI_DO_EXPLAIN, TUI_IN_RUNS, {'e'}, HELP("where these bytes come from, in two sentences")},
    {TUI_DO_COPY, TUI_IN_RUNS, {'y'}, HELP("copy the selected byte's offset, where the terminal takes it")},
    {TUI_DO_COPY_DD, TUI_IN_RUNS, {'Y'}, HELP("copy the dd command that reads what is selected")},
    {TUI_DO_ENTER, TUI_IN_ASKING | TUI_IN_MAP | TUI_IN_BLOCKS | TUI_IN_FILES | TUI_IN_CHECK, {ENTER},
     HELPS({TUI_IN_MAP, "the run here in Blocks"},
           {TUI_IN_BLOCKS, "bytes of both sides, differences lit"},
           {TUI_IN_FILES, "into a directory; or all that is known of a file"},
           {TUI_IN_CHECK, "what the finding means"}),
     FOOT({40, TUI_IN_SIZE, "Enter", "Next"},
          {50, TUI_IN_CONFIRM, "Enter", "Write, if it says yes"},
          {100, TUI_IN_MAP, "Enter", "Blocks"},
          {110, TUI_IN_BLOCKS, "Enter", "Bytes"},
          {140, TUI_IN_FILES, "Enter", "Open"},
          {200, TUI_IN_CHECK, "Enter", "Explain"},
          {280, TUI_IN_CHOICE | TUI_IN_BESIDE, "Enter", "Next"},
          {300, TUI_IN_PREVIEW, "Enter", "Press it"},
          {320, TUI_IN_RESULT, "Enter", "Go on"},
          {340, TUI_IN_OFFER, "Enter", "Recover: shows the plan first"})},

    {TUI_DO_RIGHT, TUI_IN_FILES, {RIGHT, 'l'}, HELP("the same")},
    {TUI_DO_LEFT, TUI_IN_FILES, {LEFT, 'h', TUI_KEY_BACKSPACE}, HELP("to the one above")},
    {TUI_DO_FILTER, TUI_IN_FILES, {'/'}, HELP("all files with some text in their path"),
     FOOT({150, TUI_IN_FILES, "/", "Filter"})},
    {TUI_DO_FIND, (TUI_IN_LOOKING & ~TUI_IN_FILES) | TUI_IN_HELP, {'/'},
     HELPS({(TUI_IN_LOOKING & ~(TUI_IN_FILES | TUI_IN_RUNS)) | TUI_IN_HELP, "find some text, as you type"},
           {TUI_IN_BYTES, "find bytes on either side: text, 0x4f4f, or de ad be ef"},
           {TUI_IN_MAP, "find what is in the COW by its owner: a part of its path, or what it is"},
           {TUI_IN_BLOCKS, "find what is in the COW by its owner"}),
     FOOT({130, TUI_IN_BYTES, "/", "Find"})},
    {TUI_DO_AGAIN, TUI_IN_LOOKING | TUI_IN_HELP, {'n'}, HELP("the next of what was asked for last")},
    {TUI_DO_AGAIN_BACK, TUI_IN_LOOKING | TUI_IN_HELP, {'N'}, HELP("the one before")},
    {TUI_DO_CLEAR, TUI_IN_FILES | TUI_IN_MAP, {ESC},
     HELPS({TUI_IN_FILES, "without the filter"}, {TUI_IN_MAP, "no file's cells lit any more"}),
     FOOT({160, TUI_IN_CLEARABLE, "Esc", "Clear"})},
    {TUI_DO_DIFF, TUI_IN_ANY_FILE, {'d'}, HELP("the file's two versions, compared"),
     FOOT({170, TUI_IN_CONTENT, "d", "Diff"})},
    {TUI_DO_EXTRACT, TUI_IN_ANY_FILE, {'x'}, HELP("write it to a file here, as the guest has it"),
     FOOT({180, TUI_IN_CONTENT, "x", "Extract"})},
    {TUI_DO_EXTRACT_BACKING, TUI_IN_ANY_FILE, {'X'}, HELP("... as the backing file has it")},
    {TUI_DO_ORDER, TUI_IN_FILES, {'o'}, HELP("by changed bytes, name, size or kind, in turn"),
     FOOT({190, TUI_IN_FILES, "o", "Order"})},
    {TUI_DO_REVERSE, TUI_IN_FILES, {'O'}, HELP("the other way round")},
    {TUI_DO_FLAT, TUI_IN_FILES, {'t'}, HELP("all changed files in one list, or as a tree again")},

    {TUI_DO_STAGE, TUI_IN_ANY_FINDING, {'f'}, HELP("stage the finding's fix, or no longer"),
     FOOT({210, TUI_IN_FIXABLE, "f", "Fix"})},
    {TUI_DO_PLACE, TUI_IN_ANY_FINDING | TUI_IN_ANY_FILE, {'b'},
     HELPS({TUI_IN_ANY_FINDING, "its place in Blocks"}, {TUI_IN_ANY_FILE, "the file's first run in Blocks"}),
     FOOT({220, TUI_IN_PLACE, "b", "Blocks"})},
    {TUI_DO_PLACE, TUI_IN_FINDING, {ENTER}, UNTOLD},
    {TUI_DO_PLACE_MAP, TUI_IN_ANY_FINDING | TUI_IN_ANY_FILE, {'m'},
     HELPS({TUI_IN_ANY_FINDING, "its place on the Map"}, {TUI_IN_ANY_FILE, "the cells of the file, or of all in the directory, lit on the Map"}),
     FOOT({230, TUI_IN_PLACE, "m", "Map"})},

    {TUI_DO_EDIT, TUI_IN_HEADER, {'e'}, .command = "edit", HELP("edit the field (backing path, mtime)"),
     FOOT({240, TUI_IN_HEADER, "e", "Edit"})},
    {TUI_DO_FAMILY, TUI_IN_HEADER, {'f'}, .command = "family", HELP("all images on the backing file"),
     FOOT({250, TUI_IN_HEADER, "f", "Family"})},
    {TUI_DO_WRITE, TUI_IN_HEADER | TUI_IN_ANY_FINDING, {'W'}, .command = "write",
     HELP("write what is staged in Header or Check: shows first what that does"),
     FOOT({260, TUI_IN_STAGED, "W", "Write"})},
    {TUI_DO_UNSTAGE, TUI_IN_STAGED, {'u'}, .command = "unstage", HELP("with something staged: forget it"),
     FOOT({270, TUI_IN_STAGED, "u", "Unstage"})},

    {TUI_DO_OTHER_BUTTON, TUI_IN_PREVIEW, {TUI_KEY_TAB}, UNTOLD,
     FOOT({290, TUI_IN_PREVIEW, "Left Right", "Button"})},
    {TUI_DO_BACK, PAGES, {'b', TUI_KEY_BACKTAB}, HELP("back to the page before"),
     FOOT({350, TUI_IN_CHOICE | TUI_IN_BESIDE, "b", "Back"})},
    {TUI_DO_BACK, TUI_IN_SECOND, {TUI_KEY_BACKTAB}, UNTOLD,
     FOOT({360, TUI_IN_SECOND, "S-Tab", "Back"})},

    {TUI_DO_FS, TUI_IN_FS, {'f'}, HELP("the filesystem goes with the disk, or the disk alone"),
     FOOT({330, TUI_IN_FS, "f", "Filesystem"})},

    TUI_EACH_TAB(TAB_ROW)
    {TUI_DO_SCAN, TUI_IN_RUNS | TUI_IN_CHECK | TUI_IN_FILES, {'s'}, .command = "scan",
     HELPS({TUI_IN_RUNS, "compare with the backing file: what is redundant, zero, changed, orphan; again: stop"},
           {TUI_IN_CHECK, "stop comparing the bytes, or check anew"},
           {TUI_IN_FILES, "stop reading the filesystem, or read anew"}),
     FOOT({20, TUI_IN_WORK, "s", "Stop"},
          {370, TUI_IN_RUNS, "s", "Scan", TUI_IN_WORK})},
    {TUI_DO_FOLLOW, TUI_IN_LOOKING, {'F'},
     HELP("follow what a guest writes: what becomes dirty glows, how much a second, to which files; again: no longer"),
     FOOT({410, TUI_IN_MAP, "F", "Follow"})},
    {TUI_DO_OWNERS, TUI_IN_MAP, {'c'}, .command = "owners",
     HELP("colour what is in the COW by what it is to the guest; again: no longer"),
     FOOT({420, TUI_IN_MAP, "c", "Owners"})},
    {TUI_DO_NEXT_VIEW, TUI_IN_TABS, {TUI_KEY_TAB}, HELP("next view"),
     FOOT({380, TUI_IN_TABS, "Tab", "View", TUI_IN_MAP})},
    {TUI_DO_PREV_VIEW, TUI_IN_TABS, {TUI_KEY_BACKTAB}, HELP("previous view")},

    {TUI_DO_RESIZE, TUI_IN_LOOKING, {'r'}, .command = "resize", .argument = TUI_SIZE,
     HELP("the resize wizard; nothing is written before its last yes"),
     FOOT({390, TUI_IN_LOOKING, "r", "Resize"})},
    {TUI_DO_RECOVER, TUI_IN_LOOKING, .command = "recover", .argument = TUI_CHANGE_OPTIONS,
     HELP("finish an interrupted change or take it back: shows first which")},
};

/* Behind the changes. */
static const struct tui_action rows_after[] = {
    {TUI_DO_SERVE, TUI_IN_LOOKING, .command = "serve", .argument = TUI_SERVE_WORD,
     HELP("let other programs read the disk on a socket, or write to it, as long as its page is open")},
    {TUI_DO_MOUNT, TUI_IN_LOOKING, .command = "mount", .argument = TUI_DIRECTORY,
     HELP("the same in a directory: the disk as a file, or a filesystem on it")},
    {TUI_DO_GOTO, TUI_IN_LOOKING, .command = "goto", .argument = TUI_POSITION,
     HELP("go to a byte (16M, +1M) or a sector (s32768); :16M does, too")},
    {TUI_DO_NEXT, TUI_IN_LOOKING, .command = "next", .argument = TUI_NEXT_KIND,
     HELP("the next place that is changed, redundant, mixed, a finding of Check, or another owner's")},
    {TUI_DO_PREVIOUS, TUI_IN_LOOKING, .command = "previous", .argument = TUI_NEXT_KIND, HELP("the one before of that kind")},
    {TUI_DO_WAS_BACK, TUI_IN_LOOKING, {'<'}, HELP("back to where you were")},
    {TUI_DO_WAS_FORWARD, TUI_IN_LOOKING, {'>'}, HELP("forward again")},
    {TUI_DO_OWNER, TUI_IN_LOOKING, .command = "owner", .argument = TUI_SOME_POSITION,
     HELP("whose that byte is, or the selected one")},
    {TUI_DO_BACKING, TUI_IN_LOOKING, .command = "backing", .argument = TUI_OTHER_BACKING,
     HELP("look through another backing file as long as this goes on, as with -b; alone: the header's again")},
    {TUI_DO_REFRESH, TUI_IN_LOOKING, {'R', TUI_KEY_F5}, .command = "refresh", HELP("read the image anew")},
    {TUI_DO_SET, TUI_IN_LOOKING, .command = "set", .argument = TUI_SETTING,
     HELP("how the screen looks, and whether it hears the mouse: alone shows what there is")},
    {TUI_DO_THEME, TUI_IN_LOOKING, .command = "theme", .argument = TUI_THEME, HELP("other colours")},
    {TUI_DO_TOUR, TUI_IN_LOOKING, .command = "tour",
     HELP("a lesson of ten screens, on a practice disk of its own; then back here")},
    {TUI_DO_REDRAW, TUI_ANYWHERE, {TUI_CTRL('l')}, .command = "redraw", HELP("draw the screen anew")},
    {TUI_DO_PROMPT, TUI_IN_LOOKING, {':'}, HELP("type a command (Tab completes, Up recalls)"),
     FOOT({400, TUI_IN_LOOKING, ":", "Command"})},
    {TUI_DO_UNDO, TUI_IN_LOOKING, {'u'}, .command = "undo", .argument = TUI_CHANGE_OPTIONS,
     HELP("take back the last change: shows first what that does; :undo --discard gives that up"),
     FOOT({450, TUI_IN_LOOKING, "u", "Undo"})},
    {TUI_DO_LEAVE, TUI_IN_TABS, {'q'}, HELP("leave; on the first level the program"),
     FOOT({570, TUI_IN_TABS, "q", "Quit", TUI_IN_CHOSEN},
          {580, TUI_IN_CHOSEN, "q", "List"})},
    {TUI_DO_LEAVE, PAGES | TUI_IN_OVER | TUI_IN_RESULT | TUI_IN_OFFER | TUI_IN_SERVING, {ESC, 'q'},
     HELPS({PAGES, "leave the wizard: nothing is written"}),
     FOOT({590, TUI_IN_OVER, "q", "Back"},
          {600, TUI_IN_FIELD | PAGES, "Esc", "Leave: nothing is written"},
          {610, TUI_IN_OFFER, "q", "Look only"},
          {620, TUI_IN_SERVING, "q", "End it"})},
    {TUI_DO_LEAVE, TUI_IN_FIELD, {ESC}, UNTOLD},
    {TUI_DO_LEAVE, TUI_IN_WAITING, {ESC, 'q'}, UNTOLD,
     FOOT({30, TUI_IN_WAITING, "Esc", "Stop: nothing is changed"})},
    {TUI_DO_QUIT, TUI_IN_LOOKING, .command = "quit", HELP("leave the program")},
};
/* clang-format on */

enum {
    BEFORE = sizeof rows_before / sizeof rows_before[0],
    AFTER = sizeof rows_after / sizeof rows_after[0]
};

static const char *const argument_words[] = {
    [TUI_NO_ARGUMENT] = "",
    [TUI_POSITION] = " POSITION",
    [TUI_NEXT_KIND] = " KIND",
    [TUI_SOME_POSITION] = " [POSITION]",
    [TUI_SIZE] = " [SIZE]",
    [TUI_FILE] = " FILE",
    [TUI_CHANGE_OPTIONS] = " [OPTION]...",
    [TUI_CHANGE_FILE] = " FILE [OPTION]...",
    [TUI_OTHER_BACKING] = " [PATH]",
    [TUI_SERVE_WORD] = " [--write]",
    [TUI_DIRECTORY] = " DIR [--write] [--fs|--partition N]",
    [TUI_SETTING] = " [SETTING]",
    [TUI_THEME] = " [NAME]",
};

const struct tui_action *tui_action_row(size_t index)
{
    const struct tui_action *row;
    size_t changes = 0;

    if (index < BEFORE) {
        return &rows_before[index];
    }
    for (index -= BEFORE; (row = tui_change_action(changes)) != NULL; changes++) {
        if (changes == index) {
            return row;
        }
    }
    return index - changes < AFTER ? &rows_after[index - changes] : NULL;
}

const char *tui_argument_words(enum tui_argument_kind kind)
{
    return argument_words[kind];
}

const struct tui_action *tui_action_of_key(int key, tui_contexts contexts)
{
    const struct tui_action *row;

    for (size_t i = 0; key != TUI_KEY_NONE && (row = tui_action_row(i)) != NULL; i++) {
        for (size_t k = 0; (row->contexts & contexts) != 0 && k < TUI_ACTION_KEYS; k++) {
            if (row->key[k] == key) {
                return row;
            }
        }
    }
    return NULL;
}

enum tui_action_id tui_action_id_of_key(int key, tui_contexts contexts)
{
    const struct tui_action *row = tui_action_of_key(key, contexts);

    return row != NULL ? row->id : TUI_DO_NOTHING;
}

const char *tui_command_name(size_t index)
{
    const struct tui_action *row;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        if (row->command != NULL && index-- == 0) {
            return row->command;
        }
    }
    return NULL;
}

/* Finds a command by name or by the beginning of just one name. */
static const struct tui_action *find_command(const char *name, size_t bytes, int *matches)
{
    const struct tui_action *row, *found = NULL;

    *matches = 0;
    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        if (row->command == NULL || strncmp(row->command, name, bytes) != 0) {
            continue;
        }
        (*matches)++;
        found = row;
        if (row->command[bytes] == '\0') {
            *matches = 1;
            break;
        }
    }
    return found;
}

/* The one that was meant, most likely. */
static int hint_command(const char *name, size_t bytes, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = name, .typed_bytes = bytes};
    const char *command;

    for (size_t i = 0; (command = tui_command_name(i)) != NULL; i++) {
        cow_nearest_offer(&nearest, command);
    }
    return nearest.word != NULL
               ? cow_error_hint(err, "did you mean :%s? Tab lists the commands", nearest.word)
               : cow_error_hint(err, "Tab lists the commands");
}

/* "16M", "+1M", "s32768": no command is called so, and where to go is all that it can mean. */
static bool is_position(const char *line)
{
    line += *line == '+' || *line == '-' || *line == 's';
    return *line >= '0' && *line <= '9';
}

/* The row whose command that is; there is one. */
static const struct tui_action *row_of(enum tui_action_id id)
{
    const struct tui_action *row;
    size_t i = 0;

    while ((row = tui_action_row(i)) != NULL && (row->id != id || row->command == NULL)) {
        i++;
    }
    return row;
}

int tui_action_of_command(const struct tui_action **out, const char **argument, const char *line,
                          struct cow_error *err)
{
    int matches;

    line += strspn(line, " :"); /* a second colon is a slip, not a command */
    if (is_position(line)) {
        *out = row_of(TUI_DO_GOTO);
        *argument = line;
        return 0;
    }
    size_t bytes = strcspn(line, " ");
    const char *rest = line + bytes + strspn(line + bytes, " ");
    const struct tui_action *action = find_command(line, bytes, &matches);
    if (bytes == 0 || matches == 0) {
        cow_error_set(err, COW_USAGE, "no such command: %.*s", (int)bytes, line);
        return hint_command(line, bytes, err);
    }
    if (matches > 1) {
        return cow_error_set(err, COW_USAGE, "\"%.*s\" may mean several commands", (int)bytes, line);
    }
    if (action->argument == TUI_POSITION && rest[0] == '\0') {
        cow_error_set(err, COW_USAGE, "%s: where to?", action->command);
        return cow_error_hint(err, "a byte (16M) or a sector (s32768)");
    }
    if (action->argument == TUI_NEXT_KIND && rest[0] == '\0') {
        cow_error_set(err, COW_USAGE, "%s: which kind?", action->command);
        return cow_error_hint(err, "changed, redundant, mixed, finding or owner");
    }
    if (action->argument == TUI_FILE && rest[0] == '\0') {
        cow_error_set(err, COW_USAGE, "%s: which file?", action->command);
        return cow_error_hint(err, ":%s%s", action->command, argument_words[action->argument]);
    }
    if (action->argument == TUI_DIRECTORY && rest[0] == '\0') {
        cow_error_set(err, COW_USAGE, "%s: which directory?", action->command);
        return cow_error_hint(err, ":%s%s", action->command, argument_words[action->argument]);
    }
    if (action->argument == TUI_SERVE_WORD && rest[0] != '\0' && strcmp(rest, "--write") != 0) {
        return cow_error_set(err, COW_USAGE, "%s takes no argument but --write", action->command);
    }
    if (action->argument == TUI_NO_ARGUMENT && rest[0] != '\0') {
        return cow_error_set(err, COW_USAGE, "%s takes no argument", action->command);
    }
    *out = action;
    *argument = rest;
    return 0;
}

bool tui_command_file(const char *line, size_t *begin)
{
    int matches;
    const char *name = line + strspn(line, " :");
    size_t bytes = strcspn(name, " ");
    const struct tui_action *action = find_command(name, bytes, &matches);

    *begin = (size_t)(name - line) + bytes;
    *begin += strspn(line + *begin, " ");
    return bytes > 0 && name[bytes] == ' ' && matches == 1 &&
           (action->argument == TUI_FILE || action->argument == TUI_CHANGE_FILE ||
            action->argument == TUI_OTHER_BACKING || action->argument == TUI_DIRECTORY);
}

/* The options of a change, where one begins. */
static const char *option_word(const char *name, const char *rest, size_t index)
{
    const char *last = strrchr(rest, ' ');

    last = last != NULL ? last + 1 : rest;
    return *last == '-' || *last == '\0' ? front_change_option(front_find_change(name), index) : NULL;
}

const char *tui_command_word(const char *line, size_t index)
{
    int matches;
    const char *name = line + strspn(line, " :"), *rest = name + strcspn(name, " ");
    const struct tui_action *action = find_command(name, (size_t)(rest - name), &matches);

    if (matches != 1) {
        return NULL;
    }
    rest += strspn(rest, " ");
    if (action->argument == TUI_CHANGE_OPTIONS || action->argument == TUI_CHANGE_FILE) {
        return option_word(action->command, rest, index);
    }
    if (action->argument != TUI_SETTING && action->argument != TUI_THEME) {
        return NULL;
    }
    if (action->argument == TUI_SETTING) {
        return tui_setting_word(rest, index);
    }
    return rest[0] == '\0' ? tui_setting_word("theme=", index) : NULL;
}
