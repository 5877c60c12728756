/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a cell means. Views name a meaning; only the theme knows colours, so that a view cannot depend on
 * them.
 */
#ifndef COW_TUI_SCREEN_STYLE_H
#define COW_TUI_SCREEN_STYLE_H

#include <stddef.h>

enum tui_style {
    TUI_NORMAL,
    TUI_DIM,
    TUI_STRONG,
    TUI_LABEL,   /* the name of a value */
    TUI_HEADING, /* of a section */
    TUI_GOOD,    /* blue, not green */
    TUI_WARN,
    TUI_BAD,        /* orange, not red */
    TUI_BAR,        /* the title line */
    TUI_BAR_STRONG, /* the image's name in it */
    TUI_BAR_ALERT,  /* "in use by pid N" in it */
    TUI_TAB,
    TUI_TAB_ACTIVE,
    TUI_FRAME,
    TUI_FRAME_TITLE,
    TUI_SCROLL, /* the thumb of a scroll bar */
    TUI_KEY,    /* a key's name in the footer */
    TUI_KEY_TEXT,
    TUI_SELECTED, /* the line the cursor is on */
    TUI_DISABLED,
    TUI_INPUT, /* a field to type into */
    TUI_BUTTON,
    TUI_BUTTON_ACTIVE,
    TUI_CURSOR, /* the brackets round the map's cursor */
    TUI_MAP_CURSOR,
    TUI_MAP_BACKING,
    TUI_MAP_BEYOND,
    TUI_MAP_LOW,  /* 1-24% in the COW */
    TUI_MAP_HALF, /* 25-49% */
    TUI_MAP_HIGH, /* 50-99% */
    TUI_MAP_FULL, /* 100% */
    TUI_MAP_HOLE,
    TUI_MAP_REDUNDANT, /* what a scan tells */
    TUI_MAP_ZERO,
    TUI_MAP_CHANGED,
    TUI_MAP_ORPHAN,
    TUI_MAP_MIXED, /* the note of a mixed page */
    TUI_NEW_HOT,   /* it became dirty just now, a moment ago, and before that */
    TUI_NEW_WARM,
    TUI_NEW_COOL,
    TUI_MAP_LIT,  /* it holds something of the file that was chosen */
    TUI_OWN_FILE, /* what a cell is to the guest */
    TUI_OWN_DIRECTORY,
    TUI_OWN_EXTRA,
    TUI_OWN_INODES,
    TUI_OWN_SUPER,
    TUI_OWN_BITMAPS,
    TUI_OWN_JOURNAL,
    TUI_OWN_FREE,
    TUI_OWN_OTHER,
    TUI_FILE_NEW, /* what has happened to a file */
    TUI_FILE_CONTENT,
    TUI_FILE_METADATA,
    TUI_FILE_REMOVED,
    TUI_FILE_RENAMED,
    TUI_FILE_REPLACED,
    TUI_FILE_SAME,
    TUI_FILE_BAR,
    TUI_OFFSET, /* a byte offset in the margin */
    TUI_DIFF,   /* a byte that differs between COW and backing */
    TUI_BYTE_CURSOR,
    TUI_PART_HEADER, /* the bars of the wizard */
    TUI_PART_BITMAP,
    TUI_PART_DATA,
    TUI_PART_FREE,
    TUI_PART_NEW,
    TUI_STYLES /* how many */
};

enum { TUI_BOLD = 1, TUI_FAINT = 2, TUI_REVERSE = 4, TUI_UNDERLINE = 8 };

/* How a style looks: colours are palette numbers, -1 the terminal's own. */
struct tui_look {
    short fg256, bg256;
    unsigned char attr256;
    short fg16, bg16; /* 8..15 bright; a terminal of 8 colours gets them bold */
    unsigned char attr16;
    unsigned char attr_mono;
};

struct tui_theme {
    const char *name;
    const char *about;
    unsigned paper_rgb, ink_rgb; /* what "the terminal's own" is in a picture */
    const struct tui_look *look; /* [TUI_STYLES] */
};

/* The theme of that name; NULL as a name: the default; NULL as an answer: there is none. */
const struct tui_theme *tui_theme_find(const char *name);

/* The names, for a message: "default, light, contrast". */
const char *tui_theme_names(void);

/* Red, green, blue of a colour of the 256-colour palette as 0xRRGGBB. */
unsigned tui_palette_rgb(int color);

#endif
