/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The actions, told: in a footer, the most important ones of where one is; and in Help, all of them. The
 * footer's entries stand in the order in which they are shown, which is each place's own. An entry is shown
 * only where a key really does that action now, so that it cannot promise what the table of actions does not
 * hold.
 */
#include "tui/actions/told.h"

#include <stdio.h>

#include "tui/actions/actions.h"
#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

#define PAGES (TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_PREVIEW)
#define OVER                                                                                                 \
    (TUI_IN_BYTES | TUI_IN_HELP | TUI_IN_FINDING | TUI_IN_FILE | TUI_IN_DIFF | TUI_IN_FAMILY | TUI_IN_OWNER)

static const struct footer_entry {
    tui_contexts contexts;
    enum tui_action_id id;
    const char *keys, *words;
} footer[] = {
    {TUI_IN_LOOKING, TUI_DO_HELP, "?", "Help"},
    {TUI_IN_WORK, TUI_DO_SCAN, "s", "Stop"},
    {TUI_IN_WAITING, TUI_DO_LEAVE, "Esc", "Stop: nothing is changed"},
    {TUI_IN_SIZE, TUI_DO_ENTER, "Enter", "Next"},
    {TUI_IN_CONFIRM, TUI_DO_ENTER, "Enter", "Write, if it says yes"},
    {TUI_IN_SIZE | TUI_IN_CHOICE, TUI_DO_DOWN, "Up Down", "Choose"},
    {TUI_IN_BESIDE, TUI_DO_RIGHT, "Left Right", "Choose"},
    {TUI_IN_MAP, TUI_DO_ZOOM_IN, "+/-", "Zoom"},
    {TUI_IN_RUNS, TUI_DO_NEXT_RUN, "] [", "Runs"},
    {TUI_IN_MAP, TUI_DO_ENTER, "Enter", "Blocks"},
    {TUI_IN_BLOCKS, TUI_DO_ENTER, "Enter", "Bytes"},
    {TUI_IN_BYTES, TUI_DO_NEXT_DIFFERENCE, "} {", "Differences"},
    {TUI_IN_BYTES, TUI_DO_FIND, "/", "Find"},
    {TUI_IN_FILES, TUI_DO_ENTER, "Enter", "Open"},
    {TUI_IN_FILES, TUI_DO_FILTER, "/", "Filter"},
    {TUI_IN_CLEARABLE, TUI_DO_CLEAR, "Esc", "Clear"},
    {TUI_IN_CONTENT, TUI_DO_DIFF, "d", "Diff"},
    {TUI_IN_CONTENT, TUI_DO_EXTRACT, "x", "Extract"},
    {TUI_IN_FILES, TUI_DO_ORDER, "o", "Order"},
    {TUI_IN_CHECK, TUI_DO_ENTER, "Enter", "Explain"},
    {TUI_IN_FIXABLE, TUI_DO_STAGE, "f", "Fix"},
    {TUI_IN_PLACE, TUI_DO_PLACE, "b", "Blocks"},
    {TUI_IN_PLACE, TUI_DO_PLACE_MAP, "m", "Map"},
    {TUI_IN_HEADER, TUI_DO_EDIT, "e", "Edit"},
    {TUI_IN_HEADER, TUI_DO_FAMILY, "f", "Family"},
    {TUI_IN_STAGED, TUI_DO_WRITE, "W", "Write"},
    {TUI_IN_STAGED, TUI_DO_UNSTAGE, "u", "Unstage"},
    {TUI_IN_CHOICE | TUI_IN_BESIDE, TUI_DO_ENTER, "Enter", "Next"},
    {TUI_IN_PREVIEW, TUI_DO_OTHER_BUTTON, "Left Right", "Button"},
    {TUI_IN_PREVIEW, TUI_DO_ENTER, "Enter", "Press it"},
    {TUI_IN_PREVIEW, TUI_DO_DOWN, "Up Down", "Scroll"},
    {TUI_IN_RESULT, TUI_DO_ENTER, "Enter", "Go on"},
    {TUI_IN_FS, TUI_DO_FS, "f", "Filesystem"},
    {TUI_IN_OFFER, TUI_DO_ENTER, "Enter", "Recover: shows the plan first"},
    {TUI_IN_CHOICE | TUI_IN_BESIDE, TUI_DO_BACK, "b", "Back"},
    {TUI_IN_SECOND, TUI_DO_BACK, "S-Tab", "Back"},
    {TUI_IN_RUNS, TUI_DO_SCAN, "s", "Scan"},
    {TUI_IN_HEADER | TUI_IN_BLOCKS | TUI_IN_FILES | TUI_IN_CHECK, TUI_DO_NEXT_VIEW, "Tab", "View"},
    {TUI_IN_LOOKING, TUI_DO_RESIZE, "r", "Resize"},
    {TUI_IN_LOOKING, TUI_DO_PROMPT, ":", "Command"},
    {TUI_IN_MAP, TUI_DO_FOLLOW, "F", "Follow"},
    {TUI_IN_MAP, TUI_DO_OWNERS, "c", "Owners"},
    {TUI_IN_MAP, TUI_DO_HEAT, "%", "Heat"},
    {TUI_IN_MAP, TUI_DO_HILBERT, "H", "Hilbert"},
    {TUI_IN_LOOKING, TUI_DO_UNDO, "u", "Undo"},
    {TUI_IN_LIST, TUI_DO_ENTER, "Enter", "Open"},
    {TUI_IN_LIST, TUI_DO_DOWN, "Up Down", "Choose"},
    {TUI_IN_LIST, TUI_DO_REFRESH, "R", "Read anew"},
    {TUI_IN_LIST, TUI_DO_HELP, "?", "Help"},
    {TUI_IN_LIST, TUI_DO_LEAVE, "q", "Quit"},
    {TUI_IN_LESSON, TUI_DO_HELP, "?", "Help"},
    {TUI_IN_LESSON, TUI_DO_ENTER, "Enter", "Next"},
    {TUI_IN_LESSON, TUI_DO_BACK, "Backspace", "Back"},
    {TUI_IN_LESSON, TUI_DO_AGAIN, "r", "Again"},
    {TUI_IN_LESSON, TUI_DO_HOLD, "p", "Hold"},
    {TUI_IN_LESSON, TUI_DO_LEAVE, "q", "Leave"},
    {TUI_IN_REPLAY, TUI_DO_HELP, "?", "Help"},
    {TUI_IN_REPLAY, TUI_DO_RIGHT, "Left Right", "Step"},
    {TUI_IN_REPLAY, TUI_DO_PLAY, "Space", "Play"},
    {TUI_IN_REPLAY, TUI_DO_MARK, "m", "Mark"},
    {TUI_IN_REPLAY, TUI_DO_WHOSE, "o", "Whose"},
    {TUI_IN_REPLAY, TUI_DO_FIRST, "g G", "Ends"},
    {TUI_IN_REPLAY, TUI_DO_FASTER, "+/-", "Speed"},
    {TUI_IN_REPLAY, TUI_DO_LEAVE, "q", "Leave"},
    {TUI_IN_TABS, TUI_DO_LEAVE, "q", "Quit"}, /* but where the next one holds */
    {TUI_IN_CHOSEN, TUI_DO_LEAVE, "q", "List"},
    {OVER, TUI_DO_LEAVE, "q", "Back"},
    {TUI_IN_FIELD | PAGES, TUI_DO_LEAVE, "Esc", "Leave: nothing is written"},
    {TUI_IN_OFFER, TUI_DO_LEAVE, "q", "Look only"},
    {TUI_IN_SERVING, TUI_DO_LEAVE, "q", "End it"},
};

enum { FOOTER = sizeof footer / sizeof footer[0] };

/* Whether one of an action's keys means it there; another action may have the key first. */
static bool has_key(enum tui_action_id id, tui_contexts contexts)
{
    const struct tui_action *row;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        for (size_t k = 0; row->id == id && k < TUI_ACTION_KEYS; k++) {
            if (row->key[k] != 0 && tui_action_of_key(row->key[k], contexts) == id)
                return true;
        }
    }
    return false;
}

static int footer_cells(const struct footer_entry *entry)
{
    return tui_text_cells(entry->keys) + 1 + tui_text_cells(entry->words);
}

void tui_footer_draw(struct tui_canvas *canvas, int y, tui_contexts contexts)
{
    const struct footer_entry *shown[FOOTER];
    int n = 0, x = 1, last = 0;

    for (size_t i = 0; i < FOOTER; i++) {
        bool told = n > 1 && shown[1]->id == footer[i].id && (contexts & TUI_IN_WORK);
        bool goes_elsewhere = (contexts & TUI_IN_CHOSEN) && footer[i].contexts == TUI_IN_TABS;
        if ((footer[i].contexts & contexts) && !told && !goes_elsewhere && has_key(footer[i].id, contexts))
            shown[n++] = &footer[i];
    }
    if (n > 0)
        last = footer_cells(shown[n - 1]);
    for (int i = 0; i < n; i++) {
        int cells = footer_cells(shown[i]);
        int keep = i < n - 1 ? last + 2 : 0;
        if (x + cells + keep > canvas->cols)
            continue;
        x += tui_text(canvas, x, y, canvas->cols - x, TUI_KEY, shown[i]->keys) + 1;
        x += tui_text(canvas, x, y, canvas->cols - x, TUI_KEY_TEXT, shown[i]->words) + 2;
    }
}

static void put_help(struct tui_page *page, const struct tui_action *action, const char *words)
{
    char keys[TUI_ACTION_KEYS * (TUI_KEY_NAME_BYTES + 1)] = "", name[TUI_KEY_NAME_BYTES];
    size_t used = 0;

    for (size_t k = 0; k < TUI_ACTION_KEYS && action->key[k] != 0; k++)
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", k > 0 ? "  " : "",
                                 tui_key_name(name, action->key[k]));
    tui_page_line(page);
    tui_page_put(page, 3, TUI_KEY, keys);
    tui_page_wrap(page, 24, 24, TUI_NORMAL, words);
}

static const struct {
    const char *title;
    tui_contexts looking, others; /* it lists what holds there only, or in others */
} sections[] = {
    {"Everywhere (C- is Ctrl, S- is Shift)", 0, 0},
    {"Header", TUI_IN_HEADER, 0},
    {"Map", TUI_IN_MAP, 0},
    {"Map, Blocks and Bytes", TUI_IN_RUNS, 0},
    {"Blocks", TUI_IN_BLOCKS, 0},
    {"Bytes", TUI_IN_BYTES, 0},
    {"Files", TUI_IN_ANY_FILE, 0},
    {"Check", TUI_IN_ANY_FINDING, 0},
    {"Header and Check", TUI_IN_HEADER | TUI_IN_ANY_FINDING, TUI_IN_STAGED},
    {"Resize wizard", 0, PAGES | TUI_IN_FS},
    {"List of images", 0, TUI_IN_LIST},
    {"Tour", 0, TUI_IN_LESSON},
    {"Replay", 0, TUI_IN_REPLAY},
};

enum { SECTIONS = sizeof sections / sizeof sections[0] };

/* The first one that fits; SECTIONS for what Help does not tell. */
static size_t section_of(tui_contexts contexts)
{
    tui_contexts looking = contexts & TUI_IN_LOOKING;

    for (size_t i = 1; i < SECTIONS; i++) {
        if (looking ? (looking & ~sections[i].looking) == 0 : (contexts & ~sections[i].others) == 0)
            return i;
    }
    return looking ? 0 : SECTIONS;
}

static void put_section_title(struct tui_page *page, size_t section)
{
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, sections[section].title);
}

/* What holds in one place only is listed under its name, the rest under "Everywhere". */
static void help_section(struct tui_page *page, size_t section)
{
    const struct tui_action *row;
    bool titled = false;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        for (size_t k = 0; row->key[0] != 0 && k < TUI_ACTION_HELPS && row->help[k].words; k++) {
            tui_contexts contexts = row->help[k].contexts ? row->help[k].contexts : row->contexts;
            if (section_of(contexts) != section)
                continue;
            if (!titled)
                put_section_title(page, section);
            titled = true;
            put_help(page, row, row->help[k].words);
        }
    }
}

void tui_actions_help_in(struct tui_page *page, tui_contexts contexts)
{
    const struct tui_action *row;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        if ((row->contexts & contexts) && row->key[0] != 0 && row->help[0].words)
            put_help(page, row, row->help[0].words);
    }
}

/* A command's words are the first of its row. */
static void help_commands(struct tui_page *page)
{
    const struct tui_action *row;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "Commands");
    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        if (!row->command)
            continue;
        tui_page_line(page);
        int col = tui_page_putf(page, 3, TUI_KEY, ":%s%s", row->command, tui_argument_words(row->argument));
        if (col >= 24)
            tui_page_line(page);
        tui_page_wrap(page, 24, 24, TUI_NORMAL, row->help[0].words);
    }
}

void tui_actions_help(struct tui_page *page)
{
    for (size_t i = 0; i < SECTIONS; i++)
        help_section(page, i);
    help_commands(page);
}
