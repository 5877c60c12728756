/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counting a range. Bits cost next to nothing, whatever its length; what is redundant is known only by
 * comparing bytes, which a job does (jobs/range_job.h).
 */
#include "tui/cells/range.h"

#include <inttypes.h>
#include <stdio.h>

#include "tui/app/app.h"

void range_toggle(struct tui_app *app)
{
    app->range.on = !app->range.on;
    tui_range_show(&app->counted, 0, 0);
    app->range.anchor = app->sector;
    app->range.anchor_byte = app->sector_byte;
    app->redraw = true;
}

/* Of the whole disk a scan has told; of a part of it a job does. */
static bool count_redundant(struct tui_app *app, struct range_totals *totals, struct range_ends range)
{
    if (!tui_scan_on(&app->scan)) {
        return false;
    }
    if (range.first == 0 && range.end == tui_app_sectors(app) && app->scan.at >= range.end) {
        totals->redundant_sectors = app->scan.counts.sectors[COW_ORIGIN_REDUNDANT];
        return true;
    }
    tui_range_show(&app->counted, range.first, range.end);
    totals->redundant_sectors = app->counted.redundant_sectors;
    return tui_range_known(&app->counted);
}

static bool is_counted(const struct tui_app *app, const struct range_totals *totals, struct range_ends range)
{
    return totals->generation == app->subject.generation && totals->of.first == range.first &&
           totals->of.end == range.end;
}

static bool count_range(struct tui_app *app, struct range_totals *totals, struct range_ends range)
{
    struct cow_density density = {0, 0, 0};

    if (is_counted(app, totals, range)) {
        return true;
    }
    totals->generation = 0;
    if (cow_image_density(app->subject.image, range.first, range.end - range.first, &density, NULL) != 0) {
        return false;
    }
    totals->of = range;
    totals->dirty_sectors = density.dirty_sectors;
    totals->generation = app->subject.generation;
    return true;
}

void range_draw(struct tui_app *app, struct range_totals *totals, struct tui_canvas *canvas, int y,
                struct range_ends range)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    char size[COW_SIZE_TEXT_BYTES], in_cow[COW_SIZE_TEXT_BYTES], redundant[64] = "";

    if (!count_range(app, totals, range)) {
        return;
    }
    cow_size_text(size, (range.end - range.first) * sector_bytes);
    cow_size_text(in_cow, totals->dirty_sectors * sector_bytes);
    if (count_redundant(app, totals, range)) {
        snprintf(redundant, sizeof redundant, ", %" PRIu64 " redundant", totals->redundant_sectors);
    } else if (!tui_scan_on(&app->scan)) {
        snprintf(redundant, sizeof redundant, "; s compares");
    } else if (app->counted.job.state == TUI_JOB_STOPPED) {
        snprintf(redundant, sizeof redundant, "; comparing was stopped");
    }
    int x = 1 + tui_textf(canvas, 1, y, canvas->cols - 2, TUI_STRONG, "range %" PRIu64 "-%" PRIu64 ", %s",
                          range.first, range.end - 1, size);
    tui_textf(canvas, x, y, canvas->cols - 1 - x, TUI_NORMAL,
              canvas->cols < 80 ? ": %" PRIu64 " dirty, %s%s" : ": %" PRIu64 " in the COW, %s%s",
              totals->dirty_sectors, in_cow, redundant);
}
