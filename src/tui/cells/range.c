/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counting a range. Bits cost next to nothing, whatever its length; what is redundant is known only by
 * comparing bytes, so a long range takes it from a scan of the whole disk, and one in between is not
 * compared.
 */
#include "tui/cells/range.h"

#include <inttypes.h>
#include <stdio.h>

#include "tui/app/app.h"

enum { COMPARED_BYTES_MOST = 8 * 1024 * 1024, TEXT_BYTES = 256 };

void range_toggle(struct tui_app *app)
{
    app->range.on = !app->range.on;
    app->range.anchor = app->sector;
    app->range.anchor_byte = app->sector_byte;
    app->redraw = true;
}

/* Redundant sectors of a range that is not too long to look into. */
static int compare_range(struct tui_app *app, struct range_totals *totals)
{
    uint64_t sector = totals->of.first;
    struct cow_dirty_run dirty = {0, 0};

    while (sector < totals->of.end) {
        struct cow_run run;
        int status = cow_image_next_dirty(app->subject.image, sector, &dirty, NULL);
        if (status || dirty.sectors == 0 || dirty.first_sector >= totals->of.end)
            return status;
        status = cow_scan_run(app->scan.reader, dirty.first_sector, &run, NULL);
        if (status || run.sectors == 0)
            return status;
        uint64_t end = run.first_sector + run.sectors;
        if (end > totals->of.end)
            end = totals->of.end;
        if (run.origin == COW_ORIGIN_REDUNDANT)
            totals->redundant_sectors += end - run.first_sector;
        sector = end;
    }
    return 0;
}

static void count_redundant(struct tui_app *app, struct range_totals *totals)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;

    totals->compared = false;
    totals->redundant_sectors = 0;
    if (!tui_scan_on(&app->scan))
        return;
    if (totals->of.first == 0 && totals->of.end == tui_app_sectors(app) && app->scan.at >= totals->of.end) {
        totals->redundant_sectors = app->scan.counts.sectors[COW_ORIGIN_REDUNDANT];
        totals->compared = true;
    } else if (totals->dirty_sectors <= COMPARED_BYTES_MOST / sector_bytes) {
        totals->compared = compare_range(app, totals) == 0;
    }
}

static bool is_counted(const struct tui_app *app, const struct range_totals *totals, struct range_ends range)
{
    return totals->generation == app->subject.generation && totals->epoch == app->scan.epoch &&
           totals->looked_into == app->scan.at && totals->of.first == range.first &&
           totals->of.end == range.end;
}

static bool count_range(struct tui_app *app, struct range_totals *totals, struct range_ends range)
{
    struct cow_density density = {0, 0, 0};

    if (is_counted(app, totals, range))
        return true;
    totals->generation = 0;
    if (cow_image_density(app->subject.image, range.first, range.end - range.first, &density, NULL))
        return false;
    totals->of = range;
    totals->dirty_sectors = density.dirty_sectors;
    count_redundant(app, totals);
    totals->looked_into = app->scan.at;
    totals->epoch = app->scan.epoch;
    totals->generation = app->subject.generation;
    return true;
}

void range_draw(struct tui_app *app, struct range_totals *totals, struct tui_canvas *canvas, int y,
                struct range_ends range)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    char size[COW_SIZE_TEXT_BYTES], in_cow[COW_SIZE_TEXT_BYTES], redundant[64] = "";

    if (!count_range(app, totals, range))
        return;
    cow_size_text(size, (range.end - range.first) * sector_bytes);
    cow_size_text(in_cow, totals->dirty_sectors * sector_bytes);
    if (totals->compared)
        snprintf(redundant, sizeof redundant, ", %" PRIu64 " redundant", totals->redundant_sectors);
    else if (!tui_scan_on(&app->scan))
        snprintf(redundant, sizeof redundant, "; s compares");
    int x = 1 + tui_textf(canvas, 1, y, canvas->cols - 2, TUI_STRONG, "range %" PRIu64 "-%" PRIu64 ", %s",
                          range.first, range.end - 1, size);
    tui_textf(canvas, x, y, canvas->cols - 1 - x, TUI_NORMAL,
              canvas->cols < 80 ? ": %" PRIu64 " dirty, %s%s" : ": %" PRIu64 " in the COW, %s%s",
              totals->dirty_sectors, in_cow, redundant);
}
