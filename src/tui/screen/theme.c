/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The themes. Blue means calm, orange means attention: a pair that people who cannot tell red from green see,
 * too. The map's ramp also grows in brightness, and every state has its own glyph besides.
 */
#include "tui/screen/style.h"

#include <string.h>

#define B TUI_BOLD
#define F TUI_FAINT
#define R TUI_REVERSE
#define U TUI_UNDERLINE

/* fg256, bg256, attr256, fg16, bg16, attr16, attr_mono; made for a dark terminal, readable on a light one */
static const struct tui_look look_default[TUI_STYLES] = {
    [TUI_NORMAL] = {-1, -1, 0, -1, -1, 0, 0},
    [TUI_DIM] = {245, -1, 0, -1, -1, F, 0},
    [TUI_STRONG] = {-1, -1, B, -1, -1, B, B},
    [TUI_LABEL] = {110, -1, 0, 6, -1, 0, 0},
    [TUI_HEADING] = {75, -1, B, 12, -1, B, B},
    [TUI_GOOD] = {75, -1, B, 12, -1, B, B},
    [TUI_WARN] = {221, -1, 0, 11, -1, 0, U},
    [TUI_BAD] = {209, -1, B, 9, -1, B, B},
    [TUI_BAR] = {252, 24, 0, 15, 4, 0, R},
    [TUI_BAR_STRONG] = {231, 24, B, 15, 4, B, R | B},
    [TUI_BAR_ALERT] = {221, 24, B, 11, 4, B, R | B},
    [TUI_TAB] = {245, -1, 0, -1, -1, 0, 0},
    [TUI_TAB_ACTIVE] = {231, 25, B, 15, 4, B, R | B},
    [TUI_FRAME] = {66, -1, 0, 6, -1, 0, 0},
    [TUI_FRAME_TITLE] = {153, -1, 0, 14, -1, 0, 0},
    [TUI_SCROLL] = {75, -1, B, 12, -1, B, B},
    [TUI_KEY] = {75, -1, B, 12, -1, B, B},
    [TUI_KEY_TEXT] = {245, -1, 0, -1, -1, 0, 0},
    [TUI_SELECTED] = {231, 25, 0, 15, 4, 0, R},
    [TUI_DISABLED] = {241, -1, 0, -1, -1, F, F},
    [TUI_INPUT] = {231, 237, B, 15, -1, U | B, U},
    [TUI_BUTTON] = {252, 238, 0, 15, -1, 0, 0},
    [TUI_BUTTON_ACTIVE] = {231, 25, B, 15, 4, B, R | B},
    [TUI_CURSOR] = {231, -1, B, 15, -1, B, B},
    [TUI_MAP_CURSOR] = {16, 231, B, 0, 7, 0, R | B},
    [TUI_MAP_BACKING] = {60, -1, 0, 4, -1, 0, 0},
    [TUI_MAP_BEYOND] = {97, -1, 0, 5, -1, 0, 0},
    [TUI_MAP_LOW] = {137, -1, 0, 3, -1, 0, 0},
    [TUI_MAP_HALF] = {173, -1, 0, 3, -1, 0, 0},
    [TUI_MAP_HIGH] = {208, -1, 0, 11, -1, 0, B},
    [TUI_MAP_FULL] = {215, -1, B, 11, -1, B, B},
    [TUI_MAP_HOLE] = {138, -1, 0, 3, -1, 0, 0},
    [TUI_MAP_REDUNDANT] = {80, -1, 0, 14, -1, 0, F},
    [TUI_MAP_ZERO] = {250, -1, 0, 7, -1, 0, 0},
    [TUI_MAP_CHANGED] = {215, -1, B, 11, -1, B, B},
    [TUI_MAP_ORPHAN] = {16, 209, B, 15, 1, B, R | B},
    [TUI_MAP_MIXED] = {183, -1, B, 13, -1, B, U},
    [TUI_NEW_HOT] = {16, 229, B, 0, 7, B, R | B},
    [TUI_NEW_WARM] = {229, 238, B, 15, -1, B, R},
    [TUI_NEW_COOL] = {186, -1, 0, 7, -1, 0, U},
    [TUI_MAP_LIT] = {16, 183, B, 0, 5, B, R | B},
    [TUI_OWN_FILE] = {215, -1, B, 11, -1, B, B},
    [TUI_OWN_DIRECTORY] = {75, -1, B, 12, -1, B, B},
    [TUI_OWN_EXTRA] = {183, -1, 0, 13, -1, 0, 0},
    [TUI_OWN_INODES] = {80, -1, 0, 14, -1, 0, 0},
    [TUI_OWN_SUPER] = {231, -1, B, 15, -1, B, B},
    [TUI_OWN_BITMAPS] = {72, -1, 0, 6, -1, 0, 0},
    [TUI_OWN_JOURNAL] = {209, -1, 0, 9, -1, 0, 0},
    [TUI_OWN_FREE] = {245, -1, 0, 7, -1, F, F},
    [TUI_OWN_OTHER] = {16, 180, 0, 0, 3, 0, R},
    [TUI_FILE_NEW] = {75, -1, B, 12, -1, B, B},
    [TUI_FILE_CONTENT] = {215, -1, B, 11, -1, B, B},
    [TUI_FILE_METADATA] = {80, -1, 0, 14, -1, 0, 0},
    [TUI_FILE_REMOVED] = {209, -1, B, 9, -1, B, B},
    [TUI_FILE_RENAMED] = {183, -1, 0, 13, -1, 0, 0},
    [TUI_FILE_REPLACED] = {221, -1, B, 11, -1, 0, U},
    [TUI_FILE_SAME] = {245, -1, 0, -1, -1, F, F},
    [TUI_FILE_BAR] = {173, -1, 0, 3, -1, 0, 0},
    [TUI_OFFSET] = {66, -1, 0, 6, -1, 0, 0},
    [TUI_DIFF] = {215, -1, B, 11, -1, B, B},
    [TUI_BYTE_CURSOR] = {16, 153, B, 0, 7, 0, R | B},
    [TUI_PART_HEADER] = {231, 60, B, 15, 5, B, R},
    [TUI_PART_BITMAP] = {231, 31, B, 15, 6, B, R | B},
    [TUI_PART_DATA] = {223, 130, 0, 0, 3, 0, R},
    [TUI_PART_FREE] = {243, -1, 0, -1, -1, F, 0},
    [TUI_PART_NEW] = {75, -1, 0, 12, -1, 0, 0},
};

static const struct tui_look look_light[TUI_STYLES] = {
    [TUI_NORMAL] = {-1, -1, 0, -1, -1, 0, 0},
    [TUI_DIM] = {242, -1, 0, -1, -1, 0, 0},
    [TUI_STRONG] = {-1, -1, B, -1, -1, B, B},
    [TUI_LABEL] = {24, -1, 0, 4, -1, 0, 0},
    [TUI_HEADING] = {25, -1, B, 4, -1, B, B},
    [TUI_GOOD] = {25, -1, B, 4, -1, B, B},
    [TUI_WARN] = {130, -1, 0, 1, -1, 0, U},
    [TUI_BAD] = {166, -1, B, 1, -1, B, B},
    [TUI_BAR] = {231, 25, 0, 15, 4, 0, R},
    [TUI_BAR_STRONG] = {231, 25, B, 15, 4, B, R | B},
    [TUI_BAR_ALERT] = {222, 25, B, 11, 4, B, R | B},
    [TUI_TAB] = {242, -1, 0, -1, -1, 0, 0},
    [TUI_TAB_ACTIVE] = {231, 31, B, 15, 4, B, R | B},
    [TUI_FRAME] = {109, -1, 0, 6, -1, 0, 0},
    [TUI_FRAME_TITLE] = {24, -1, 0, 4, -1, 0, 0},
    [TUI_SCROLL] = {25, -1, B, 4, -1, B, B},
    [TUI_KEY] = {25, -1, B, 4, -1, B, B},
    [TUI_KEY_TEXT] = {240, -1, 0, -1, -1, 0, 0},
    [TUI_SELECTED] = {16, 153, 0, 15, 4, 0, R},
    [TUI_DISABLED] = {248, -1, 0, -1, -1, F, F},
    [TUI_INPUT] = {16, 254, B, -1, -1, U | B, U},
    [TUI_BUTTON] = {238, 253, 0, -1, -1, 0, 0},
    [TUI_BUTTON_ACTIVE] = {231, 25, B, 15, 4, B, R | B},
    [TUI_CURSOR] = {16, -1, B, -1, -1, B, B},
    [TUI_MAP_CURSOR] = {231, 16, B, 15, 0, 0, R | B},
    [TUI_MAP_BACKING] = {146, -1, 0, 4, -1, 0, 0},
    [TUI_MAP_BEYOND] = {97, -1, 0, 5, -1, 0, 0},
    [TUI_MAP_LOW] = {179, -1, 0, 3, -1, 0, 0},
    [TUI_MAP_HALF] = {172, -1, 0, 3, -1, 0, 0},
    [TUI_MAP_HIGH] = {166, -1, 0, 1, -1, 0, B},
    [TUI_MAP_FULL] = {130, -1, B, 1, -1, B, B},
    [TUI_MAP_HOLE] = {138, -1, 0, 3, -1, 0, 0},
    [TUI_MAP_REDUNDANT] = {30, -1, 0, 6, -1, 0, F},
    [TUI_MAP_ZERO] = {242, -1, 0, 0, -1, 0, 0},
    [TUI_MAP_CHANGED] = {130, -1, B, 1, -1, B, B},
    [TUI_MAP_ORPHAN] = {231, 166, B, 15, 1, B, R | B},
    [TUI_MAP_MIXED] = {91, -1, B, 5, -1, B, U},
    [TUI_NEW_HOT] = {231, 21, B, 15, 4, B, R | B},
    [TUI_NEW_WARM] = {21, 189, B, 4, -1, B, R},
    [TUI_NEW_COOL] = {62, -1, 0, 4, -1, 0, U},
    [TUI_MAP_LIT] = {231, 91, B, 15, 5, B, R | B},
    [TUI_OWN_FILE] = {130, -1, B, 1, -1, B, B},
    [TUI_OWN_DIRECTORY] = {25, -1, B, 4, -1, B, B},
    [TUI_OWN_EXTRA] = {91, -1, 0, 5, -1, 0, 0},
    [TUI_OWN_INODES] = {30, -1, 0, 6, -1, 0, 0},
    [TUI_OWN_SUPER] = {16, -1, B, 0, -1, B, B},
    [TUI_OWN_BITMAPS] = {65, -1, 0, 2, -1, 0, 0},
    [TUI_OWN_JOURNAL] = {166, -1, 0, 1, -1, 0, 0},
    [TUI_OWN_FREE] = {246, -1, 0, 8, -1, 0, F},
    [TUI_OWN_OTHER] = {16, 180, 0, 0, 3, 0, R},
    [TUI_FILE_NEW] = {25, -1, B, 4, -1, B, B},
    [TUI_FILE_CONTENT] = {130, -1, B, 1, -1, B, B},
    [TUI_FILE_METADATA] = {30, -1, 0, 6, -1, 0, 0},
    [TUI_FILE_REMOVED] = {166, -1, B, 1, -1, B, B},
    [TUI_FILE_RENAMED] = {91, -1, 0, 5, -1, 0, 0},
    [TUI_FILE_REPLACED] = {136, -1, B, 3, -1, 0, U},
    [TUI_FILE_SAME] = {246, -1, 0, 8, -1, 0, F},
    [TUI_FILE_BAR] = {172, -1, 0, 3, -1, 0, 0},
    [TUI_OFFSET] = {66, -1, 0, 6, -1, 0, 0},
    [TUI_DIFF] = {130, -1, B, 1, -1, B, B},
    [TUI_BYTE_CURSOR] = {231, 25, B, 15, 4, 0, R | B},
    [TUI_PART_HEADER] = {231, 60, B, 15, 5, B, R},
    [TUI_PART_BITMAP] = {231, 31, B, 15, 6, B, R | B},
    [TUI_PART_DATA] = {16, 214, 0, 0, 3, 0, R},
    [TUI_PART_FREE] = {246, -1, 0, -1, -1, F, 0},
    [TUI_PART_NEW] = {31, -1, 0, 4, -1, 0, 0},
};

#undef B
#undef F
#undef R
#undef U

static const struct tui_theme themes[] = {
    {"default", "blue and orange, for dark terminals", 0x10151c, 0xc9d1d9, look_default},
    {"light", "blue and brown, for light terminals", 0xfafafa, 0x24292f, look_light},
};

const struct tui_theme *tui_theme_find(const char *name)
{
    for (size_t i = 0; i < sizeof themes / sizeof themes[0]; i++) {
        if (!name || strcmp(name, themes[i].name) == 0)
            return &themes[i];
    }
    return NULL;
}

const char *tui_theme_names(void)
{
    return "default, light";
}

unsigned tui_palette_rgb(int color)
{
    static const unsigned base[16] = {0x1c1c1c, 0xd75f5f, 0x5faf5f, 0xd7af5f, 0x5f87d7, 0xaf87d7,
                                      0x5fafaf, 0xbcbcbc, 0x6c6c6c, 0xff8787, 0x87d787, 0xffd787,
                                      0x87afff, 0xd7afff, 0x87d7d7, 0xffffff};

    if (color < 16)
        return base[color < 0 ? 0 : color];
    if (color < 232) {
        unsigned n = (unsigned)color - 16;
        unsigned part[3] = {n / 36, n / 6 % 6, n % 6};
        unsigned rgb = 0;
        for (int i = 0; i < 3; i++)
            rgb = rgb << 8 | (part[i] ? part[i] * 40 + 55 : 0);
        return rgb;
    }
    unsigned gray = (unsigned)(color - 232) * 10 + 8;
    return gray << 16 | gray << 8 | gray;
}
