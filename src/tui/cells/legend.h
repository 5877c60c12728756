/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each state looks like: one table for the map, the blocks, their legends and Help.
 */
#ifndef COW_TUI_CELLS_LEGEND_H
#define COW_TUI_CELLS_LEGEND_H

#include "cow/fs.h"
#include "cow/image.h"
#include "front/picture/heat.h"
#include "tui/jobs/ends_job.h"
#include "tui/screen/canvas.h"
#include "tui/screen/page.h"

struct tui_mark {
    uint32_t glyph;
    enum tui_style style;
};

/* A cell of the map, and a run of the Blocks view; an origin that is none is a '?'. */
struct tui_mark tui_density_mark(enum front_density density);
struct tui_mark tui_origin_mark(enum cow_origin origin);

/* A cell of the map after a scan: sectors[] of its origins. What a crash lost shows in any case; else what
 * most of its dirty sectors are; where those are changed, by density. */
struct tui_mark tui_scanned_mark(enum front_density density, const uint64_t sectors[COW_ORIGINS]);

/* The note of a run, or a cell, that touches pages which are dirty in part. */
struct tui_mark tui_mixed_mark(void);

/* What a cell is to the guest, in groups of classes that have a letter of their own. */
enum tui_owner {
    TUI_OWNER_FILE,
    TUI_OWNER_DIRECTORY,
    TUI_OWNER_EXTRA,
    TUI_OWNER_INODES,
    TUI_OWNER_SUPER,
    TUI_OWNER_BITMAPS,
    TUI_OWNER_JOURNAL,
    TUI_OWNER_FREE,
    TUI_OWNER_OTHER,
    TUI_OWNERS
};

/* The group that a class is in, and the letter and colour of a group. */
enum tui_owner tui_owner_of(enum cow_fs_class fs_class);
struct tui_mark tui_owner_mark(enum tui_owner owner);

/* A cell that holds something of the file that was chosen. */
struct tui_mark tui_lit_mark(void);

/* What became dirty while the image is followed, from 3 (just now) to 1. */
struct tui_mark tui_new_mark(int glow);

/* Where something ends: of those kinds (1 << kind, not 0) the strongest. */
struct tui_mark tui_end_mark(unsigned ends);

/* What has happened to a file. */
struct tui_mark tui_kind_mark(enum cow_fs_kind kind);

/* The map's legend in one line, with the kinds of end that are shown (1 << kind), and with what a scan tells
 * if there was one; the cells used. */
int tui_legend_draw(struct tui_canvas *canvas, int x, int y, int max_cols, const struct front_heat *heat,
                    unsigned ends, bool scanned);

/* The legend in one line for the map by owners, and for one with a file (its path is raw bytes), or all
 * below a directory, lit. */
int tui_legend_owners(struct tui_canvas *canvas, int x, int y, int max_cols);
int tui_legend_lit(struct tui_canvas *canvas, int x, int y, int max_cols, const char *path, bool below);

/* All legends, a line a state. */
void tui_legend_help(struct tui_page *page);

#endif
