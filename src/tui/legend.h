/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each state looks like: one table for the map, the blocks, their legends and Help.
 */
#ifndef COW_TUI_LEGEND_H
#define COW_TUI_LEGEND_H

#include "cow/image.h"
#include "tui/canvas.h"
#include "tui/page.h"

struct tui_mark {
    uint32_t glyph;
    enum tui_style style;
};

/* A cell of the map. */
enum tui_density {
    TUI_DENSITY_OUTSIDE, /* behind the end of the disk */
    TUI_DENSITY_BACKING,
    TUI_DENSITY_BEYOND,
    TUI_DENSITY_LOW,
    TUI_DENSITY_HALF,
    TUI_DENSITY_HIGH,
    TUI_DENSITY_FULL,
    TUI_DENSITIES
};

enum tui_density tui_density_of(const struct cow_density *density);
struct tui_mark tui_density_mark(enum tui_density density);

struct tui_mark tui_origin_mark(enum cow_origin origin);

/* A cell of the map after a scan: sectors[] of its origins. What a crash lost shows in any case; else what
 * most of its dirty sectors are; where those are changed, by density. */
struct tui_mark tui_scanned_mark(enum tui_density density, const uint64_t sectors[COW_ORIGINS]);

/* The note of a run, or a cell, that touches pages which are dirty in part. */
struct tui_mark tui_mixed_mark(void);

/* The map's legend in one line, with what a scan tells if there was one; the cells used. */
int tui_legend_draw(struct tui_canvas *canvas, int x, int y, int max_cols, bool scanned);

/* Both legends, a line a state. */
void tui_legend_help(struct tui_page *page);

#endif
