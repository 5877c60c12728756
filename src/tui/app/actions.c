/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of actions and what is made from it. Order matters twice: the first row that fits a key wins, and
 * footer and Help list in this order.
 */
#include "tui/app/actions.h"

#include <stdio.h>
#include <string.h>

#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

#define UP    TUI_KEY_UP
#define DOWN  TUI_KEY_DOWN
#define LEFT  TUI_KEY_LEFT
#define RIGHT TUI_KEY_RIGHT
#define CHECK (TUI_IN_CHECK | TUI_IN_FINDING)
#define FILES (TUI_IN_FILES | TUI_IN_FILE)
#define MOVES (TUI_IN_LOOKING | TUI_IN_HELP | TUI_IN_CHOICE | TUI_IN_PREVIEW | TUI_IN_RESULT | TUI_IN_OFFER)
#define SIDES (TUI_IN_MAP | TUI_IN_BYTES | TUI_IN_DIFF | TUI_IN_PREVIEW)
#define RUNS  (TUI_IN_MAP | TUI_IN_BLOCKS | TUI_IN_BYTES)
#define FREE  (TUI_IN_LOOKING | TUI_IN_HELP)
#define NONE  TUI_NO_ARGUMENT

static const struct tui_action table[] = {
    {TUI_DO_HELP, TUI_IN_LOOKING, {'?', TUI_KEY_F1}, "help", NONE, "?", "Help", "this help, with the legend"},
    {TUI_DO_HELP, TUI_IN_WIZARD, {TUI_KEY_F1}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_ENTER, TUI_IN_SIZE, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Next", NULL},
    {TUI_DO_ENTER, TUI_IN_CONFIRM, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Write, if it says yes", NULL},
    {TUI_DO_UP, MOVES, {UP, 'k', TUI_CTRL('p')}, NULL, NONE, NULL, NULL, "up"},
    {TUI_DO_DOWN, MOVES, {DOWN, 'j', TUI_CTRL('n')}, NULL, NONE, NULL, NULL, "down"},
    {TUI_DO_UP, TUI_IN_FIELD, {UP}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_DOWN, TUI_IN_SIZE, {DOWN}, NULL, NONE, "Up Down", "Choose", NULL},
    {TUI_DO_DOWN, TUI_IN_CONFIRM, {DOWN}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_PAGE_UP, TUI_IN_CONFIRM, {TUI_KEY_PGUP}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_PAGE_DOWN, TUI_IN_CONFIRM, {TUI_KEY_PGDN}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_DOWN, TUI_IN_CHOICE, {0}, NULL, NONE, "Up Down", "Choose", NULL},
    {TUI_DO_LEFT, SIDES, {LEFT, 'h'}, NULL, NONE, NULL, NULL, "left"},
    {TUI_DO_RIGHT, SIDES, {RIGHT, 'l'}, NULL, NONE, NULL, NULL, "right"},
    {TUI_DO_PAGE_UP, MOVES, {TUI_KEY_PGUP, TUI_CTRL('b')}, NULL, NONE, NULL, NULL, "a screen up"},
    {TUI_DO_PAGE_DOWN, MOVES, {TUI_KEY_PGDN, TUI_CTRL('f'), ' '}, NULL, NONE, NULL, NULL, "a screen down"},
    {TUI_DO_FIRST, MOVES, {'g', TUI_KEY_HOME}, NULL, NONE, NULL, NULL, "to the beginning"},
    {TUI_DO_LAST, MOVES, {'G', TUI_KEY_END}, NULL, NONE, NULL, NULL, "to the end"},
    {TUI_DO_ZOOM_IN, TUI_IN_MAP, {'+', '='}, "zoom-in", NONE, "+/-", "Zoom", "zoom in around the cursor"},
    {TUI_DO_ZOOM_OUT, TUI_IN_MAP, {'-'}, "zoom-out", NONE, NULL, NULL, "zoom out"},
    {TUI_DO_FIT, TUI_IN_MAP, {'0'}, "fit", NONE, NULL, NULL, "zoom out to the whole disk"},
    {TUI_DO_NEXT_RUN, RUNS, {']'}, "next-run", NONE, "] [", "Runs", "next run in the COW"},
    {TUI_DO_PREV_RUN, RUNS, {'['}, "previous-run", NONE, NULL, NULL, "previous run in the COW"},
    {TUI_DO_ENTER, TUI_IN_MAP, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Blocks", "the run here in Blocks"},
    {TUI_DO_ENTER,
     TUI_IN_BLOCKS,
     {TUI_KEY_ENTER},
     NULL,
     NONE,
     "Enter",
     "Bytes",
     "bytes of both sides, differences lit"},
    {TUI_DO_ENTER,
     TUI_IN_FILES,
     {TUI_KEY_ENTER},
     NULL,
     NONE,
     "Enter",
     "Open",
     "into a directory; or all that is known of a file"},
    {TUI_DO_RIGHT, TUI_IN_FILES, {RIGHT, 'l'}, NULL, NONE, NULL, NULL, "the same"},
    {TUI_DO_LEFT, TUI_IN_FILES, {LEFT, 'h', TUI_KEY_BACKSPACE}, NULL, NONE, NULL, NULL, "to the one above"},
    {TUI_DO_FILTER, TUI_IN_FILES, {'/'}, NULL, NONE, "/", "Filter", "all files with some text in their path"},
    {TUI_DO_CLEAR, TUI_IN_CLEARABLE, {TUI_KEY_ESC}, NULL, NONE, "Esc", "Clear", NULL},
    {TUI_DO_CLEAR, TUI_IN_FILES, {TUI_KEY_ESC}, NULL, NONE, NULL, NULL, "without the filter"},
    {TUI_DO_CLEAR, TUI_IN_MAP, {TUI_KEY_ESC}, NULL, NONE, NULL, NULL, "no file's cells lit any more"},
    {TUI_DO_DIFF, TUI_IN_CONTENT, {'d'}, NULL, NONE, "d", "Diff", NULL},
    {TUI_DO_EXTRACT, TUI_IN_CONTENT, {'x'}, NULL, NONE, "x", "Extract", NULL},
    {TUI_DO_DIFF, FILES, {'d'}, NULL, NONE, NULL, NULL, "the file's two versions, compared"},
    {TUI_DO_EXTRACT, FILES, {'x'}, NULL, NONE, NULL, NULL, "write it to a file here, as the guest has it"},
    {TUI_DO_EXTRACT_BACKING, FILES, {'X'}, NULL, NONE, NULL, NULL, "... as the backing file has it"},
    {TUI_DO_ORDER,
     TUI_IN_FILES,
     {'o'},
     NULL,
     NONE,
     "o",
     "Order",
     "by changed bytes, name, size or kind, in turn"},
    {TUI_DO_BY_NAME, TUI_IN_FILES, {'n'}, NULL, NONE, NULL, NULL, "by name"},
    {TUI_DO_ENTER, TUI_IN_CHECK, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Explain", "what the finding means"},
    {TUI_DO_STAGE, TUI_IN_FIXABLE, {'f'}, NULL, NONE, "f", "Fix", NULL},
    {TUI_DO_STAGE, CHECK, {'f'}, NULL, NONE, NULL, NULL, "stage the finding's fix, or no longer"},
    {TUI_DO_PLACE, TUI_IN_PLACE, {'b'}, NULL, NONE, "b", "Blocks", NULL},
    {TUI_DO_PLACE_MAP, TUI_IN_PLACE, {'m'}, NULL, NONE, "m", "Map", NULL},
    {TUI_DO_PLACE, TUI_IN_FINDING, {'b', TUI_KEY_ENTER}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_PLACE, CHECK, {'b'}, NULL, NONE, NULL, NULL, "its place in Blocks"},
    {TUI_DO_PLACE_MAP, CHECK, {'m'}, NULL, NONE, NULL, NULL, "its place on the Map"},
    {TUI_DO_PLACE, FILES, {'b'}, NULL, NONE, NULL, NULL, "the file's first run in Blocks"},
    {TUI_DO_PLACE_MAP, FILES, {'m'}, NULL, NONE, NULL, NULL, "the file's cells lit on the Map"},
    {TUI_DO_EDIT, TUI_IN_HEADER, {'e'}, "edit", NONE, "e", "Edit", "edit the field (backing path, mtime)"},
    {TUI_DO_WRITE, TUI_IN_STAGED, {'W'}, NULL, NONE, "W", "Write", NULL},
    {TUI_DO_WRITE,
     TUI_IN_HEADER | CHECK,
     {'W'},
     "write",
     NONE,
     NULL,
     NULL,
     "write what is staged in Header or Check: shows first what that does"},
    {TUI_DO_UNSTAGE,
     TUI_IN_STAGED,
     {'u'},
     "unstage",
     NONE,
     "u",
     "Unstage",
     "with something staged: forget it"},
    {TUI_DO_ENTER, TUI_IN_CHOICE, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Next", NULL},
    {TUI_DO_OTHER_BUTTON, TUI_IN_PREVIEW, {TUI_KEY_TAB}, NULL, NONE, "Left Right", "Button", NULL},
    {TUI_DO_ENTER, TUI_IN_PREVIEW, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Press it", NULL},
    {TUI_DO_DOWN, TUI_IN_PREVIEW, {0}, NULL, NONE, "Up Down", "Scroll", NULL},
    {TUI_DO_ENTER, TUI_IN_RESULT, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Go on", NULL},
    {TUI_DO_ENTER, TUI_IN_OFFER, {TUI_KEY_ENTER}, NULL, NONE, "Enter", "Recover: shows the plan first", NULL},
    {TUI_DO_BACK,
     TUI_IN_CHOICE | TUI_IN_PREVIEW,
     {'b', TUI_KEY_BACKTAB},
     NULL,
     NONE,
     NULL,
     NULL,
     "back to the page before"},
    {TUI_DO_BACK, TUI_IN_CHOICE, {0}, NULL, NONE, "b", "Back", NULL},
    {TUI_DO_BACK, TUI_IN_SECOND, {TUI_KEY_BACKTAB}, NULL, NONE, "S-Tab", "Back", NULL},
    {TUI_DO_HEADER, TUI_IN_LOOKING, {'1'}, "header", NONE, NULL, NULL, "Header: fields, layout, verdict"},
    {TUI_DO_MAP, TUI_IN_LOOKING, {'2'}, "map", NONE, NULL, NULL, "Map: which sectors are in the COW"},
    {TUI_DO_BLOCKS,
     TUI_IN_LOOKING,
     {'3'},
     "blocks",
     NONE,
     NULL,
     NULL,
     "Blocks: runs and where their bytes come from"},
    {TUI_DO_FILES, TUI_IN_LOOKING, {'4'}, "files", NONE, NULL, NULL, "Files: what the guest has changed"},
    {TUI_DO_CHECK, TUI_IN_LOOKING, {'5'}, "check", NONE, NULL, NULL, "Check: what is wrong, and its fixes"},
    {TUI_DO_SCAN,
     TUI_IN_MAP | TUI_IN_BLOCKS | TUI_IN_BYTES,
     {'s'},
     "scan",
     NONE,
     "s",
     "Scan",
     "compare with the backing file: what is redundant, zero, changed, orphan; again: stop"},
    {TUI_DO_SCAN, TUI_IN_CHECK, {'s'}, NULL, NONE, NULL, NULL, "stop comparing the bytes, or check anew"},
    {TUI_DO_SCAN, TUI_IN_FILES, {'s'}, NULL, NONE, NULL, NULL, "stop reading the filesystem, or read anew"},
    {TUI_DO_OWNERS,
     TUI_IN_MAP,
     {'c'},
     "owners",
     NONE,
     NULL,
     NULL,
     "colour what is in the COW by what it is to the guest; again: no longer"},
    {TUI_DO_NEXT_VIEW, TUI_IN_TABS, {TUI_KEY_TAB}, NULL, NONE, NULL, NULL, "next view"},
    {TUI_DO_PREV_VIEW, TUI_IN_TABS, {TUI_KEY_BACKTAB}, NULL, NONE, NULL, NULL, "previous view"},
    {TUI_DO_NEXT_VIEW,
     TUI_IN_HEADER | TUI_IN_BLOCKS | TUI_IN_FILES | TUI_IN_CHECK,
     {0},
     NULL,
     NONE,
     "Tab",
     "View",
     NULL},
    {TUI_DO_RESIZE,
     TUI_IN_LOOKING,
     {'r'},
     "resize",
     TUI_SIZE,
     "r",
     "Resize",
     "the resize wizard; nothing is written before its last yes"},
    {TUI_DO_RECOVER,
     TUI_IN_LOOKING,
     {0},
     "recover",
     NONE,
     NULL,
     NULL,
     "finish an interrupted change or take it back: shows first which"},
    {TUI_DO_PAGES,
     TUI_IN_LOOKING,
     {0},
     "pages",
     NONE,
     NULL,
     NULL,
     "complete mixed 4 KiB pages from the backing file"},
    {TUI_DO_COMPACT,
     TUI_IN_LOOKING,
     {0},
     "compact",
     TUI_COMPACT_WORD,
     NULL,
     NULL,
     "drop what is equal to the backing file, and give zeros back; unused: also what the guest has free; "
     "larger: "
     "complete all mixed pages, whatever it costs"},
    {TUI_DO_REBASE,
     TUI_IN_LOOKING,
     {0},
     "rebase",
     TUI_BACKING,
     NULL,
     NULL,
     "name another backing file; restamp takes over its date, safe keeps what it shows"},
    {TUI_DO_RESTAMP, TUI_IN_LOOKING, {0}, "restamp", NONE, NULL, NULL, "take over the backing file's date"},
    {TUI_DO_CONVERT, TUI_IN_LOOKING, {0}, "convert", TUI_FILE, NULL, NULL, "a new image as v3"},
    {TUI_DO_MERGE, TUI_IN_LOOKING, {0}, "merge", TUI_FILE, NULL, NULL, "what the guest sees, as a raw file"},
    {TUI_DO_MERGE_IN_PLACE,
     TUI_IN_LOOKING,
     {0},
     "merge-in-place",
     NONE,
     NULL,
     NULL,
     "write what the guest sees into the backing file: cannot be undone"},
    {TUI_DO_GOTO,
     TUI_IN_LOOKING,
     {0},
     "goto",
     TUI_POSITION,
     NULL,
     NULL,
     "go to a byte (16M, +1M) or a sector (s32768)"},
    {TUI_DO_BACKING,
     TUI_IN_LOOKING,
     {0},
     "backing",
     TUI_OTHER_BACKING,
     NULL,
     NULL,
     "look through another backing file as long as this goes on, as with -b; alone: the header's again"},
    {TUI_DO_REFRESH, TUI_IN_LOOKING, {'R', TUI_KEY_F5}, "refresh", NONE, NULL, NULL, "read the image anew"},
    {TUI_DO_REDRAW, ~0U, {TUI_CTRL('l')}, "redraw", NONE, NULL, NULL, "draw the screen anew"},
    {TUI_DO_PROMPT,
     TUI_IN_LOOKING,
     {':'},
     NULL,
     NONE,
     ":",
     "Command",
     "type a command (Tab completes, Up recalls)"},
    {TUI_DO_OWNERS, TUI_IN_MAP, {'c'}, NULL, NONE, "c", "Owners", NULL},
    {TUI_DO_UNDO,
     TUI_IN_LOOKING,
     {'u'},
     "undo",
     TUI_DISCARD,
     "u",
     "Undo",
     "take back the last change: shows first what that does; :undo discard gives that up"},
    {TUI_DO_LEAVE, TUI_IN_TABS, {'q'}, NULL, NONE, "q", "Quit", "leave; on the first level the program"},
    {TUI_DO_LEAVE,
     TUI_IN_BYTES | TUI_IN_HELP | TUI_IN_FINDING | TUI_IN_FILE | TUI_IN_DIFF,
     {'q', TUI_KEY_ESC},
     NULL,
     NONE,
     "q",
     "Back",
     NULL},
    {TUI_DO_LEAVE, TUI_IN_FIELD, {TUI_KEY_ESC}, NULL, NONE, "Esc", "Leave: nothing is written", NULL},
    {TUI_DO_LEAVE,
     TUI_IN_CHOICE | TUI_IN_PREVIEW,
     {TUI_KEY_ESC, 'q'},
     NULL,
     NONE,
     "Esc",
     "Leave: nothing is written",
     "leave the wizard: nothing is written"},
    {TUI_DO_LEAVE, TUI_IN_RESULT, {TUI_KEY_ESC, 'q'}, NULL, NONE, NULL, NULL, NULL},
    {TUI_DO_LEAVE, TUI_IN_OFFER, {'q', TUI_KEY_ESC}, NULL, NONE, "q", "Look only", NULL},
    {TUI_DO_QUIT, TUI_IN_LOOKING, {0}, "quit", NONE, NULL, NULL, "leave the program"},
};

enum { ROWS = sizeof table / sizeof table[0] };

static const char *const argument_words[] = {
    [TUI_NO_ARGUMENT] = "",
    [TUI_POSITION] = " POSITION",
    [TUI_SIZE] = " [SIZE]",
    [TUI_DISCARD] = " [discard]",
    [TUI_COMPACT_WORD] = " [unused|larger]",
    [TUI_FILE] = " FILE",
    [TUI_BACKING] = " PATH [restamp|safe]",
    [TUI_OTHER_BACKING] = " [PATH]",
};

enum tui_action_id tui_action_of_key(int key, unsigned contexts)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!(table[i].contexts & contexts))
            continue;
        for (size_t k = 0; k < TUI_ACTION_KEYS; k++) {
            if (table[i].key[k] == key && key != TUI_KEY_NONE)
                return table[i].id;
        }
    }
    return TUI_DO_NOTHING;
}

const char *tui_command_name(size_t index)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (table[i].command && index-- == 0)
            return table[i].command;
    }
    return NULL;
}

/* Finds a command by name or by the beginning of just one name. */
static const struct tui_action *find_command(const char *name, size_t bytes, int *matches)
{
    const struct tui_action *found = NULL;

    *matches = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (!table[i].command || strncmp(table[i].command, name, bytes) != 0)
            continue;
        (*matches)++;
        found = &table[i];
        if (table[i].command[bytes] == '\0') {
            *matches = 1;
            break;
        }
    }
    return found;
}

int tui_action_of_command(enum tui_action_id *out, const char **argument, const char *line,
                          struct cow_error *err)
{
    int matches;

    line += strspn(line, " :"); /* a second colon is a slip, not a command */
    size_t bytes = strcspn(line, " ");
    const char *rest = line + bytes + strspn(line + bytes, " ");
    const struct tui_action *action = find_command(line, bytes, &matches);
    if (bytes == 0 || matches == 0) {
        cow_error_set(err, COW_USAGE, "no such command: %.*s", (int)bytes, line);
        return cow_error_hint(err, "Tab lists the commands");
    }
    if (matches > 1)
        return cow_error_set(err, COW_USAGE, "\"%.*s\" may mean several commands", (int)bytes, line);
    if (action->argument == TUI_POSITION && rest[0] == '\0') {
        cow_error_set(err, COW_USAGE, "%s: where to?", action->command);
        return cow_error_hint(err, "a byte (16M) or a sector (s32768)");
    }
    if ((action->argument == TUI_FILE || action->argument == TUI_BACKING) && rest[0] == '\0') {
        cow_error_set(err, COW_USAGE, "%s: which file?", action->command);
        return cow_error_hint(err, ":%s%s", action->command, argument_words[action->argument]);
    }
    if (action->argument == TUI_DISCARD && rest[0] != '\0' && strcmp(rest, "discard") != 0)
        return cow_error_set(err, COW_USAGE, "%s takes no argument but discard", action->command);
    if (action->argument == TUI_COMPACT_WORD && rest[0] != '\0' && strcmp(rest, "unused") != 0 &&
        strcmp(rest, "larger") != 0)
        return cow_error_set(err, COW_USAGE, "%s takes no argument but unused or larger", action->command);
    if (action->argument == TUI_NO_ARGUMENT && rest[0] != '\0')
        return cow_error_set(err, COW_USAGE, "%s takes no argument", action->command);
    *out = action->id;
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
           (action->argument == TUI_FILE || action->argument == TUI_BACKING ||
            action->argument == TUI_OTHER_BACKING);
}

static int footer_cells(const struct tui_action *action)
{
    return tui_text_cells(action->footer_key) + 1 + tui_text_cells(action->footer);
}

void tui_footer_draw(struct tui_canvas *canvas, int y, unsigned contexts)
{
    const struct tui_action *shown[ROWS];
    int n = 0, x = 1, last = 0;

    for (size_t i = 0; i < ROWS; i++) {
        if ((table[i].contexts & contexts) && table[i].footer_key &&
            (table[i].key[0] == 0 || tui_action_of_key(table[i].key[0], contexts) == table[i].id))
            shown[n++] = &table[i];
    }
    if (n > 0)
        last = footer_cells(shown[n - 1]);
    for (int i = 0; i < n; i++) {
        int cells = footer_cells(shown[i]);
        int keep = i < n - 1 ? last + 2 : 0;
        if (x + cells + keep > canvas->cols)
            continue;
        x += tui_text(canvas, x, y, canvas->cols - x, TUI_KEY, shown[i]->footer_key) + 1;
        x += tui_text(canvas, x, y, canvas->cols - x, TUI_KEY_TEXT, shown[i]->footer) + 2;
    }
}

static void help_keys(struct tui_page *page, const struct tui_action *action)
{
    char keys[TUI_ACTION_KEYS * (TUI_KEY_NAME_BYTES + 1)] = "", name[TUI_KEY_NAME_BYTES];
    size_t used = 0;

    for (size_t k = 0; k < TUI_ACTION_KEYS && action->key[k] != 0; k++)
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", k > 0 ? "  " : "",
                                 tui_key_name(name, action->key[k]));
    tui_page_line(page);
    tui_page_put(page, 3, TUI_KEY, keys);
    tui_page_wrap(page, 24, 24, TUI_NORMAL, action->help);
}

static const struct {
    const char *title;
    unsigned looking, others; /* it lists rows that hold there only, or exactly in others */
} sections[] = {
    {"Everywhere (C- is Ctrl, S- is Shift)", 0, 0},
    {"Header", TUI_IN_HEADER, 0},
    {"Map", TUI_IN_MAP, 0},
    {"Blocks", TUI_IN_BLOCKS, 0},
    {"Files", FILES, 0},
    {"Check", CHECK, 0},
    {"Header and Check", TUI_IN_HEADER | CHECK, TUI_IN_STAGED},
    {"Resize wizard", 0, TUI_IN_CHOICE | TUI_IN_PREVIEW},
};

enum { SECTIONS = sizeof sections / sizeof sections[0] };

/* The first one that fits; SECTIONS for what Help does not tell. */
static size_t section_of(const struct tui_action *action)
{
    unsigned looking = action->contexts & TUI_IN_LOOKING;

    for (size_t i = 1; i < SECTIONS; i++) {
        if (looking ? (looking & ~sections[i].looking) == 0
                    : sections[i].others && action->contexts == sections[i].others)
            return i;
    }
    return looking ? 0 : SECTIONS;
}

/* Rows that hold in one place only are listed under its name, the others under "Everywhere". */
static void help_section(struct tui_page *page, size_t section)
{
    bool titled = false;

    for (size_t i = 0; i < ROWS; i++) {
        if (!table[i].help || table[i].key[0] == 0 || section_of(&table[i]) != section)
            continue;
        if (!titled) {
            tui_page_line(page);
            tui_page_line(page);
            tui_page_put(page, 1, TUI_HEADING, sections[section].title);
            titled = true;
        }
        help_keys(page, &table[i]);
    }
}

void tui_actions_help(struct tui_page *page)
{
    for (size_t i = 0; i < SECTIONS; i++)
        help_section(page, i);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "Commands");
    for (size_t i = 0; i < ROWS; i++) {
        if (!table[i].command)
            continue;
        tui_page_line(page);
        int col =
            tui_page_putf(page, 3, TUI_KEY, ":%s%s", table[i].command, argument_words[table[i].argument]);
        if (col >= 24)
            tui_page_line(page);
        tui_page_wrap(page, 24, 24, TUI_NORMAL, table[i].help ? table[i].help : "");
    }
}
