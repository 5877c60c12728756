/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The actions, told: in a footer, the most important ones of where one is; and in Help, all of them. An entry
 * of the footer is shown only where a key really does that action now, so that it cannot promise what the
 * table of actions does not hold.
 */
#include "tui/actions/told.h"

#include <stdio.h>

#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

#define PAGES (TUI_IN_CHOICE | TUI_IN_BESIDE | TUI_IN_PREVIEW)
enum { FOOTER = 64 }; /* entries, and more than can hold at a time */

/* Whether one of an action's keys means it there; another action may have the key first. */
static bool has_key(const struct tui_action *row, tui_contexts contexts)
{
    for (size_t k = 0; k < TUI_ACTION_KEYS && row->key[k] != 0; k++) {
        const struct tui_action *first = tui_action_of_key(row->key[k], contexts);
        if (first != NULL && first->id == row->id) {
            return true;
        }
    }
    return false;
}

/* Puts it where its place is among n others. */
static void insert(const struct tui_footer **shown, size_t n, const struct tui_footer *entry)
{
    for (; n > 0 && shown[n - 1]->place > entry->place; n--) {
        shown[n] = shown[n - 1];
    }
    shown[n] = entry;
}

/* What holds there, from left to right. */
static size_t footer_of(const struct tui_footer *shown[FOOTER], tui_contexts contexts)
{
    const struct tui_action *row;
    size_t n = 0;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        for (size_t k = 0; k < TUI_ACTION_FOOTERS && row->footer[k].words != NULL; k++) {
            const struct tui_footer *entry = &row->footer[k];
            bool holds = (entry->contexts & contexts) != 0 && (entry->unless & contexts) == 0;
            if (holds && n < FOOTER && has_key(row, contexts)) {
                insert(shown, n++, entry);
            }
        }
    }
    return n;
}

static int footer_cells(const struct tui_footer *entry)
{
    return tui_text_cells(entry->keys) + 1 + tui_text_cells(entry->words);
}

void tui_footer_draw(struct tui_canvas *canvas, int y, tui_contexts contexts)
{
    const struct tui_footer *shown[FOOTER];
    size_t n = footer_of(shown, contexts);
    int x = 1, last = n > 0 ? footer_cells(shown[n - 1]) : 0;

    for (size_t i = 0; i < n; i++) {
        int cells = footer_cells(shown[i]);
        int keep = i + 1 < n ? last + 2 : 0;
        if (x + cells + keep > canvas->cols) {
            continue;
        }
        x += tui_text(canvas, x, y, canvas->cols - x, TUI_KEY, shown[i]->keys) + 1;
        x += tui_text(canvas, x, y, canvas->cols - x, TUI_KEY_TEXT, shown[i]->words) + 2;
    }
}

static void put_help(struct tui_page *page, const struct tui_action *action, const char *words)
{
    char keys[TUI_ACTION_KEYS * (TUI_KEY_NAME_BYTES + 1)] = "", name[TUI_KEY_NAME_BYTES];
    size_t used = 0;

    for (size_t k = 0; k < TUI_ACTION_KEYS && action->key[k] != 0; k++) {
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", k > 0 ? "  " : "",
                                 tui_key_name(name, action->key[k]));
    }
    tui_page_line(page);
    tui_page_put(page, 3, TUI_KEY, keys);
    tui_page_wrap(page, 24, 24, TUI_NORMAL, words);
}

/* A section lists what holds there only; of those that fit the first one counts. Behind those that are named
 * here each view has its own, by the table of views. */
static const struct {
    const char *title;
    tui_contexts looking, others;
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
#define VIEW_SECTION(ID, name, title, ...) {title, TUI_IN_##ID, 0},
    TUI_EACH_VIEW(VIEW_SECTION)
#undef VIEW_SECTION
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
        if (looking != 0 ? (looking & ~sections[i].looking) == 0 : (contexts & ~sections[i].others) == 0) {
            return i;
        }
    }
    return looking != 0 ? 0 : SECTIONS;
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
        for (size_t k = 0; row->key[0] != 0 && k < TUI_ACTION_HELPS && row->help[k].words != NULL; k++) {
            tui_contexts contexts = row->help[k].contexts != 0 ? row->help[k].contexts : row->contexts;
            if (section_of(contexts) != section) {
                continue;
            }
            if (!titled) {
                put_section_title(page, section);
            }
            titled = true;
            put_help(page, row, row->help[k].words);
        }
    }
}

void tui_actions_help_in(struct tui_page *page, tui_contexts contexts)
{
    const struct tui_action *row;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        if ((row->contexts & contexts) != 0 && row->key[0] != 0 && row->help[0].words != NULL) {
            put_help(page, row, row->help[0].words);
        }
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
        if (row->command == NULL) {
            continue;
        }
        tui_page_line(page);
        int col = tui_page_putf(page, 3, TUI_KEY, ":%s%s", row->command, tui_argument_words(row->argument));
        if (col >= 24) {
            tui_page_line(page);
        }
        tui_page_wrap(page, 24, 24, TUI_NORMAL, row->help[0].words);
    }
}

void tui_actions_help(struct tui_page *page)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        help_section(page, i);
    }
    help_commands(page);
}
