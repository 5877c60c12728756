/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The map as a picture: its window and zoom, its order, its scale of heat, and what a scan has found. What is
 * drawn is what was counted; nothing is counted here.
 */
#include <stdlib.h>

#include "front/picture/map.h"
#include "tui/app/app.h"
#include "tui/map/map_view.h"

/* What the scan knows of the window's cells; NULL: nothing. The caller's (free), what it points to is the
 * scan's. */
static const uint64_t **found_in(const struct tui_app *app, size_t cells, struct cow_error *err)
{
    const uint64_t **found = calloc(cells, sizeof *found);

    for (size_t i = 0; found != NULL && i < cells; i++) {
        const struct tui_scan_cell *scanned = tui_scan_cell_at(&app->scan, i);
        found[i] = scanned != NULL ? scanned->sectors : NULL;
    }
    if (found == NULL) {
        cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    return found;
}

static int draw_window(struct tui_app *app, const struct map_view *view, struct cow_error *err)
{
    const size_t cells = (size_t)view->cols * (size_t)view->rows;
    size_t counted;
    struct front_map map = {.image = app->subject.image,
                            .first_sector = view->top_row * (uint64_t)view->cols * view->cell_sectors,
                            .cell_sectors = view->cell_sectors,
                            .cols = view->cols,
                            .rows = view->rows,
                            .is_curved = view->curved,
                            .heat_choice = view->heat_choice,
                            .count = tui_cells_counts(&app->cells, &counted),
                            .ends = &app->ends.known};
    const uint64_t **found = NULL;
    int status = 0;

    if (counted < cells) {
        cow_error_set(err, COW_REFUSED, "the cells of the map are being counted");
        return cow_error_hint(err, "ask again when all of them are there");
    }
    if (tui_scan_on(&app->scan)) {
        found = found_in(app, cells, err);
        status = found != NULL ? 0 : COW_NO_MEMORY;
    }
    map.found = found;
    if (status == 0) {
        free(app->picture.bytes.data);
        app->picture.bytes = (struct drawing_bytes){.data = NULL};
        status = front_map_picture(&app->picture.bytes, &map, app->picture.kind, err);
    }
    free(found);
    return status;
}

enum tui_result map_export(struct tui_app *app, const struct map_view *view, const char *path)
{
    const struct tui_change_request request = {.own = TUI_CHANGE_PICTURE, .argument = path};
    struct cow_error err = {0};

    if (front_picture_kind_of(&app->picture.kind, path, &err) != 0 || draw_window(app, view, &err) != 0) {
        tui_app_error(app, &err);
    } else {
        tui_app_push(app, &tui_view_change, &request);
    }
    return TUI_REDRAW;
}
