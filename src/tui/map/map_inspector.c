/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The line below the map: the cell under the cursor, in words.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/cells/map_ends.h"
#include "tui/map/map_view.h"
#include "tui/screen/utf8.h"

enum { MIXED_MOST = 1000, RUN_COLS = 16, OWNER_COLS = 10, OWNER_TEXT = 1024, WIDE_COLS = 100 };

/* "sectors 32768-32863 @ 16.0 MiB   90 of 96 in the COW", or for a single one "sector 8770 @ 4.28 MiB".
 * brief: without what is in the COW. */
static void cell_text(struct tui_app *app, const struct map_view *view, bool brief, char *out,
                      size_t out_bytes)
{
    struct cow_density density = {0, 0, 0};
    char at[COW_SIZE_TEXT_BYTES];
    uint64_t first = app->sector / view->cell_sectors * view->cell_sectors;

    out[0] = '\0';
    if (cow_image_density(app->subject.image, first, view->cell_sectors, &density, NULL) != 0 ||
        density.sectors == 0) {
        return;
    }
    cow_size_text(at, first * cow_image_header(app->subject.image)->sector_bytes);
    if (density.sectors == 1) {
        snprintf(out, out_bytes, "sector %" PRIu64 " @ %s", first, at);
    } else if (brief) {
        snprintf(out, out_bytes, "sectors %" PRIu64 "-%" PRIu64 " @ %s", first, first + density.sectors - 1,
                 at);
    } else {
        snprintf(out, out_bytes,
                 "sectors %" PRIu64 "-%" PRIu64 " @ %s   %" PRIu64 " of %" PRIu64 " in the COW", first,
                 first + density.sectors - 1, at, density.dirty_sectors, density.sectors);
    }
}

static size_t put_count(char *out, size_t out_bytes, size_t used, const char *name, uint64_t n, bool capped)
{
    if (n == 0 || used >= out_bytes) {
        return used;
    }
    return used + (size_t)snprintf(out + used, out_bytes - used, "%s%s %" PRIu64 "%s", used != 0 ? ", " : "",
                                   name, n, capped ? "+" : "");
}

bool map_found_text(struct tui_app *app, const struct map_view *view, char *out, size_t out_bytes)
{
    uint64_t cell = app->sector / view->cell_sectors;
    const struct tui_scan_cell *scanned =
        tui_scan_cell_at(&app->scan, (size_t)(cell - view->top_row * (uint64_t)view->cols));

    out[0] = '\0';
    if (scanned == NULL) {
        return false;
    }
    uint64_t mixed =
        tui_scan_mixed_pages(&app->scan, cell * view->cell_sectors, view->cell_sectors, MIXED_MOST);
    size_t used = 0;
    used = put_count(out, out_bytes, used, "orphan", scanned->sectors[COW_ORIGIN_ORPHAN], false);
    used = put_count(out, out_bytes, used, "changed", scanned->sectors[COW_ORIGIN_CHANGED], false);
    used = put_count(out, out_bytes, used, "redundant", scanned->sectors[COW_ORIGIN_REDUNDANT], false);
    used = put_count(out, out_bytes, used, "zero",
                     scanned->sectors[COW_ORIGIN_ZERO] + scanned->sectors[COW_ORIGIN_HOLE], false);
    used = put_count(out, out_bytes, used, "mixed pages", mixed, mixed == MIXED_MOST);
    return used > 0;
}

/* What naming the selected sector's owner takes; 0: it is not known. */
static int owner_cells(struct tui_app *app)
{
    char owner[OWNER_TEXT];

    tui_files_owner_text(&app->files, app->sector, OWNER_TEXT, owner, sizeof owner, NULL);
    return tui_text_cells(owner);
}

/* The run that the selected sector lies in, and whose the sector is; the run's range only where it fits, too.
 */
static void draw_map_run(struct tui_app *app, struct tui_canvas *canvas, int x, int y, int end)
{
    struct cow_run run;
    char text[160], owner[OWNER_TEXT];

    if (tui_scan_run_at(&app->scan, app->sector, &run, NULL) != 0 || run.sectors == 0) {
        return;
    }
    struct tui_mark mark = tui_origin_mark(run.origin);
    x += 1 + tui_put(canvas, x, y, mark.glyph, mark.style);
    x += tui_text(canvas, x, y, end - x, TUI_NORMAL, cow_origin_name(run.origin));
    if (run.sectors == 1) {
        snprintf(text, sizeof text, ": sector %" PRIu64, run.first_sector);
    } else {
        snprintf(text, sizeof text, ": sectors %" PRIu64 "-%" PRIu64, run.first_sector,
                 run.first_sector + run.sectors - 1);
    }
    int owner_cols = owner_cells(app);
    if (x + (int)strlen(text) + (owner_cols > 0 ? 3 + owner_cols : 0) <= end) {
        x += tui_text(canvas, x, y, end - x, TUI_NORMAL, text);
    }
    if (owner_cols == 0 || x + 3 + OWNER_COLS > end) {
        return;
    }
    tui_files_owner_text(&app->files, app->sector, end - x - 3, owner, sizeof owner, NULL);
    tui_text(canvas, x + 3, y, end - x - 3, TUI_LABEL, owner);
}

/* The cell in brief, and what ends in it. */
static bool draw_map_end(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas, int y)
{
    char text[OWNER_TEXT];
    uint64_t first = app->sector / view->cell_sectors * view->cell_sectors;
    unsigned kinds = map_ends_in(&app->ends, first, view->cell_sectors);
    int x = 1, end = canvas->cols - 1;

    if (kinds == 0) {
        return false;
    }
    struct tui_mark mark = tui_end_mark(kinds);
    cell_text(app, view, canvas->cols < WIDE_COLS, text, sizeof text);
    x += 3 + tui_text(canvas, x, y, end - x, TUI_STRONG, text);
    x += 1 + tui_put(canvas, x, y, mark.glyph, mark.style);
    map_end_text(&app->ends, cow_image_header(app->subject.image)->sector_bytes, first, view->cell_sectors,
                 text, sizeof text);
    tui_text(canvas, x, y, end - x, TUI_NORMAL, text);
    return true;
}

/* The cell under the cursor: what a scan has found in it, or else, and where there is room, the run. */
void map_draw_inspector(struct tui_app *app, const struct map_view *view, struct tui_canvas *canvas, int y)
{
    char text[160], scanned[160];
    int x = 1, end = canvas->cols - 1;

    if (draw_map_end(app, view, canvas, y)) {
        return;
    }
    bool known = map_found_text(app, view, scanned, sizeof scanned);
    cell_text(app, view, false, text, sizeof text);
    if (known ? x + (int)strlen(text) + 3 + (int)strlen(scanned) > end
              : owner_cells(app) > 0 && x + (int)strlen(text) + RUN_COLS + owner_cells(app) > end) {
        cell_text(app, view, true, text, sizeof text);
    }
    x += 3 + tui_text(canvas, x, y, end - x, TUI_STRONG, text);
    if (known) {
        x += 3 + tui_text(canvas, x, y, end - x, TUI_NORMAL, scanned);
    }
    if (!known || x + RUN_COLS <= end) {
        draw_map_run(app, canvas, x, y, end);
    }
}
