/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The map's state, and what its files share: view_map.c moves, the others draw parts of it.
 */
#ifndef COW_TUI_VIEWS_MAP_VIEW_H
#define COW_TUI_VIEWS_MAP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/picture/curve.h"
#include "front/picture/heat.h"
#include "tui/cells/map_strip.h"
#include "tui/cells/range.h"
#include "tui/map/map_owners.h"

struct tui_app;

struct map_view {
    uint64_t cell_sectors; /* 0: not drawn yet */
    uint64_t fit_sectors;  /* a cell's at which the whole disk fits */
    uint64_t top_row;
    int cols, rows; /* of cells, as drawn last */
    int x, y;       /* where the first one lies on the canvas */
    bool fitted;    /* stays fitted when the window changes */
    bool curved;    /* the cells of the window lie along a curve, not in rows */
    struct front_curve curve;
    enum front_heat_choice heat_choice;
    struct front_heat heat; /* of what is counted */
    struct tui_owners owners;
    struct map_strip strip;
    struct range_totals range;
};

/* What a scan has found in the cell under the cursor: "changed 88, redundant 2, mixed pages 1"; false, and
 * "", as long as that is not known. */
bool map_found_text(struct tui_app *app, const struct map_view *view, char *out, size_t out_bytes);

/* Draws what the map shows as a picture, and shows what writing it to that file does (:export). */
enum tui_result map_export(struct tui_app *app, const struct map_view *view, const char *path);

/* The cell under the cursor, in one line. */
void map_draw_inspector(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas, int y);

#endif
