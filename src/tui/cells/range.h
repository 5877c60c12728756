/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The range of Map and Blocks: from where v was pressed to the cursor, and what it holds.
 */
#ifndef COW_TUI_CELLS_RANGE_H
#define COW_TUI_CELLS_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tui/screen/canvas.h"

struct tui_app;

/* In sectors, [first, end). */
struct range_ends {
    uint64_t first, end;
};

/* What a range holds, kept until it is another one. */
struct range_totals {
    unsigned generation; /* of the image */
    struct range_ends of;
    uint64_t dirty_sectors, redundant_sectors;
};

/* Begins a range at the selection, or ends it. */
void range_toggle(struct tui_app *app);

/* Draws the totals of a range in one line. The sectors of what is redundant are told where a scan is on, as
 * soon as they are counted. */
void range_draw(struct tui_app *app, struct range_totals *totals, struct tui_canvas *canvas, int y,
                struct range_ends range);

#endif
