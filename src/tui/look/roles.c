/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The names of styles and colours, as theme files write them. Whoever adds a style gives it a name here and a
 * look in share/themes/default.theme: a test holds the two and the table against each other.
 */
#include "tui/look/roles.h"

#include <stdlib.h>
#include <string.h>

static const char *const roles[TUI_STYLES] = {
    [TUI_NORMAL] = "normal",
    [TUI_DIM] = "dim",
    [TUI_STRONG] = "strong",
    [TUI_LABEL] = "label",
    [TUI_HEADING] = "heading",
    [TUI_GOOD] = "good",
    [TUI_WARN] = "warning",
    [TUI_BAD] = "problem",
    [TUI_BAR] = "title",
    [TUI_BAR_STRONG] = "title-name",
    [TUI_BAR_ALERT] = "title-alert",
    [TUI_TAB] = "tab",
    [TUI_TAB_ACTIVE] = "tab-active",
    [TUI_FRAME] = "frame",
    [TUI_FRAME_TITLE] = "frame-title",
    [TUI_SCROLL] = "scroll",
    [TUI_KEY] = "key",
    [TUI_KEY_TEXT] = "key-text",
    [TUI_SELECTED] = "selected",
    [TUI_DISABLED] = "disabled",
    [TUI_INPUT] = "input",
    [TUI_BUTTON] = "button",
    [TUI_BUTTON_ACTIVE] = "button-active",
    [TUI_CURSOR] = "cursor",
    [TUI_MAP_CURSOR] = "map-cursor",
    [TUI_MAP_BACKING] = "map-backing",
    [TUI_MAP_BEYOND] = "map-beyond",
    [TUI_MAP_LOW] = "map-low",
    [TUI_MAP_HALF] = "map-half",
    [TUI_MAP_HIGH] = "map-high",
    [TUI_MAP_FULL] = "map-full",
    [TUI_MAP_HOLE] = "map-hole",
    [TUI_MAP_REDUNDANT] = "map-redundant",
    [TUI_MAP_ZERO] = "map-zero",
    [TUI_MAP_CHANGED] = "map-changed",
    [TUI_MAP_ORPHAN] = "map-orphan",
    [TUI_MAP_MIXED] = "map-mixed",
    [TUI_NEW_HOT] = "new-hot",
    [TUI_NEW_WARM] = "new-warm",
    [TUI_NEW_COOL] = "new-cool",
    [TUI_MAP_LIT] = "map-lit",
    [TUI_OWN_FILE] = "owner-file",
    [TUI_OWN_DIRECTORY] = "owner-directory",
    [TUI_OWN_EXTRA] = "owner-extra",
    [TUI_OWN_INODES] = "owner-inodes",
    [TUI_OWN_SUPER] = "owner-super",
    [TUI_OWN_BITMAPS] = "owner-bitmaps",
    [TUI_OWN_JOURNAL] = "owner-journal",
    [TUI_OWN_FREE] = "owner-free",
    [TUI_OWN_OTHER] = "owner-other",
    [TUI_FILE_NEW] = "file-new",
    [TUI_FILE_CONTENT] = "file-content",
    [TUI_FILE_METADATA] = "file-metadata",
    [TUI_FILE_REMOVED] = "file-removed",
    [TUI_FILE_RENAMED] = "file-renamed",
    [TUI_FILE_REPLACED] = "file-replaced",
    [TUI_FILE_SAME] = "file-same",
    [TUI_FILE_BAR] = "file-bar",
    [TUI_OFFSET] = "offset",
    [TUI_DIFF] = "difference",
    [TUI_BYTE_CURSOR] = "byte-cursor",
    [TUI_PART_HEADER] = "part-header",
    [TUI_PART_BITMAP] = "part-bitmap",
    [TUI_PART_DATA] = "part-data",
    [TUI_PART_FREE] = "part-free",
    [TUI_PART_NEW] = "part-new",
};

static const char *const colors[TUI_COLOR_NAMES] = {
    "black",        "red",           "green",       "yellow",         "blue",
    "magenta",      "cyan",          "white",       "bright-black",   "bright-red",
    "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan",
    "bright-white",
};

static bool is_word(const char *name, const char *word, size_t word_bytes)
{
    return strncmp(name, word, word_bytes) == 0 && name[word_bytes] == '\0';
}

const char *tui_role_name(int style)
{
    return roles[style];
}

int tui_role_find(const char *word, size_t word_bytes)
{
    for (int i = 0; i < TUI_STYLES; i++) {
        if (roles[i] != NULL && is_word(roles[i], word, word_bytes)) {
            return i;
        }
    }
    return -1;
}

const char *tui_color_name(int color)
{
    return colors[color];
}

bool tui_color_find(short *color, const char *word, size_t word_bytes)
{
    long number = 0;

    *color = -1;
    if (is_word("default", word, word_bytes)) {
        return true;
    }
    for (short i = 0; i < TUI_COLOR_NAMES; i++) {
        *color = i;
        if (is_word(colors[i], word, word_bytes)) {
            return true;
        }
    }
    for (size_t i = 0; i < word_bytes; i++) {
        if (word[i] < '0' || word[i] > '9' || i >= 3) {
            return false;
        }
        number = number * 10 + (word[i] - '0');
    }
    *color = (short)number;
    return word_bytes > 0 && number < 256;
}

static int square(unsigned a, unsigned b)
{
    int by = (int)a - (int)b;

    return by * by;
}

short tui_color_near(short color)
{
    unsigned rgb = tui_palette_rgb(color);
    int least = -1;
    short best = 0;

    for (short i = 0; i < TUI_COLOR_NAMES; i++) {
        unsigned other = tui_palette_rgb(i);
        int distance = square(rgb >> 16, other >> 16) + square(rgb >> 8 & 255, other >> 8 & 255) +
                       square(rgb & 255, other & 255);
        if (least < 0 || distance < least) {
            least = distance;
            best = i;
        }
    }
    return color < TUI_COLOR_NAMES ? color : best;
}
