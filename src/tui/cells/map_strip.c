/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The strip. Its cells are whole units of a density where they hold some of them, and then counting it costs
 * next to nothing, once the whole disk has been counted: until then there is none.
 */
#include "tui/cells/map_strip.h"

#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/cells/map_ends.h"

enum { LABEL_COLS = 6, EDGE_COLS = 2, COARSE = 8 };

void map_strip_free(struct map_strip *strip)
{
    free(strip->cell);
    memset(strip, 0, sizeof *strip);
}

static uint64_t cell_sectors_of(uint64_t sectors, int cols)
{
    uint64_t cell = sectors / (uint64_t)cols + (sectors % (uint64_t)cols != 0);

    if (cell >= (uint64_t)COARSE * COW_DENSITY_UNIT_SECTORS) {
        cell = (cell + COW_DENSITY_UNIT_SECTORS - 1) / COW_DENSITY_UNIT_SECTORS * COW_DENSITY_UNIT_SECTORS;
    }
    return cell;
}

static int count_strip(struct tui_app *app, struct map_strip *strip, int cols)
{
    uint64_t sectors = tui_app_sectors(app), sector = 0;
    int status = 0;

    if (strip->generation == app->subject.generation && strip->followed == app->follow.epoch &&
        strip->cols == cols) {
        return 0;
    }
    map_strip_free(strip);
    strip->cell = calloc((size_t)cols, sizeof *strip->cell);
    if (strip->cell == NULL) {
        return COW_NO_MEMORY;
    }
    strip->cell_sectors = cell_sectors_of(sectors, cols);
    for (int i = 0; i < cols && sector < sectors && status == 0; i++, sector += strip->cell_sectors) {
        status = cow_image_density(app->subject.image, sector, strip->cell_sectors, &strip->cell[i], NULL);
    }
    if (status == 0) {
        strip->generation = app->subject.generation;
        strip->followed = app->follow.epoch;
        strip->cols = cols;
    }
    return status;
}

void map_strip_draw(struct tui_app *app, struct map_strip *strip, struct tui_canvas *canvas, int y,
                    enum front_heat_choice choice, uint64_t first_sector, uint64_t sectors)
{
    int cols = canvas->cols - LABEL_COLS - 2 * EDGE_COLS, x = LABEL_COLS + EDGE_COLS - 1;
    struct front_heat heat;

    if (cols < 1 || !app->cells.usage_known || count_strip(app, strip, cols) != 0) {
        return;
    }
    front_heat_measure(&heat, choice, strip->cell, (size_t)cols);
    tui_text(canvas, 1, y, LABEL_COLS, TUI_LABEL, "disk");
    for (int i = 0; i < cols; i++) {
        unsigned ends = map_ends_in(&app->ends, (uint64_t)i * strip->cell_sectors, strip->cell_sectors);
        struct tui_mark mark =
            ends != 0 ? tui_end_mark(ends) : tui_density_mark(front_heat_of(&heat, &strip->cell[i]));
        tui_put(canvas, x + i, y, mark.glyph, mark.style);
    }
    uint64_t last = first_sector + sectors - 1;
    if (last >= tui_app_sectors(app)) {
        last = tui_app_sectors(app) - 1;
    }
    tui_put(canvas, x + (int)(first_sector / strip->cell_sectors) - 1, y, '[', TUI_CURSOR);
    tui_put(canvas, x + (int)(last / strip->cell_sectors) + 1, y, ']', TUI_CURSOR);
}
