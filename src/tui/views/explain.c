/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two sentences, and the command. Both are about the run that the first of the sectors lies in, cut to
 * them; where those are of several runs the first sentence counts them, as a cell of the Map does.
 */
#include "tui/views/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "tui/app/app.h"
#include "tui/screen/utf8.h"

enum { NAME_BYTES = 512, TEXT_BYTES = COW_MESSAGE_BYTES };

/* The file that a run's bytes lie in: as it was opened. */
static const char *file_of(const struct tui_app *app, const struct cow_run *run)
{
    struct cow_layer layer;

    if (run->layer == 0) {
        return cow_image_path(app->subject.image);
    }
    if (run->layer == 1) {
        return cow_image_backing(app->subject.image)->path;
    }
    cow_image_layer(app->subject.image, run->layer, &layer);
    return layer.path;
}

/* ---- in two sentences ---- */

/* What is true of the bits, by the origin of the run; both are filled into the sentences below. */
static const char *second_sentence(enum cow_origin origin)
{
    switch (origin) {
    case COW_ORIGIN_BACKING:
    case COW_ORIGIN_BACKING_HOLE:
    case COW_ORIGIN_BEYOND_BACKING:
        return "When the guest writes there, the sector goes into the COW and its bit is set; the backing "
               "file "
               "stays as it is.";
    case COW_ORIGIN_HOLE:
        return "So the COW says zeros there, whatever the backing file has, and takes no room for them.";
    case COW_ORIGIN_REDUNDANT:
        return "The backing file has the very same there, so :compact would drop it.";
    case COW_ORIGIN_ZERO:
        return "They are zeros that were written, which :compact makes a hole.";
    case COW_ORIGIN_CHANGED:
        return "The backing file has something else there, which the guest does not see.";
    case COW_ORIGIN_ORPHAN:
        return "But the COW holds other data there: a crash came between the data and its bit, and the write "
               "is "
               "lost.";
    case COW_ORIGIN_COW:
    case COW_ORIGINS:
        break;
    }
    return "What the backing file has there the guest does not see; s compares the two.";
}

static void put_first_sentence(const struct tui_app *app, char *out, size_t out_bytes,
                               const struct cow_run *run)
{
    char name[NAME_BYTES], where[NAME_BYTES + 64], which[64];
    const char *bit = cow_origin_dirty(run->origin) ? "set" : "clear";
    bool one = run->sectors == 1;
    bool hole = run->origin == COW_ORIGIN_HOLE || run->origin == COW_ORIGIN_BACKING_HOLE;

    if (run->origin == COW_ORIGIN_BEYOND_BACKING) {
        snprintf(where, sizeof where, "and sees zeros: there the backing file has ended");
    } else if (run->host_offset == COW_NO_OFFSET) {
        snprintf(where, sizeof where, "and sees zeros: no file has a place for %s", one ? "it" : "them");
    } else {
        snprintf(where, sizeof where, "from %s at byte %" PRId64 "%s",
                 cow_escape(name, sizeof name, file_of(app, run)), run->host_offset,
                 hole ? ", where that has a hole" : "");
    }
    if (one) {
        snprintf(which, sizeof which, "bit of sector %" PRIu64 " is", run->first_sector);
    } else {
        snprintf(which, sizeof which, "bits of sectors %" PRIu64 "-%" PRIu64 " are", run->first_sector,
                 run->first_sector + run->sectors - 1);
    }
    snprintf(out, out_bytes, "The %s %s, so the guest reads %s %s.", which, bit, one ? "it" : "them", where);
}

/* Of a cell with more than one run: how many of its sectors the COW has. */
static void put_count(char *out, size_t out_bytes, const struct cow_density *density)
{
    snprintf(out, out_bytes,
             "Of these %" PRIu64 " sectors %" PRIu64
             " have their bit set, and the guest reads them from the COW; the "
             "bits of %" PRIu64 " are clear, and it reads those from the backing file.",
             density->sectors, density->dirty_sectors, density->sectors - density->dirty_sectors);
}

static enum tui_result explain(struct tui_app *app, struct cow_run *run, uint64_t first_sector,
                               uint64_t sectors)
{
    struct cow_error text = {0};
    struct cow_density density = {0, 0, 0};

    if (sectors > 1 && cow_image_density(app->subject.image, first_sector, sectors, &density, NULL) == 0 &&
        density.dirty_sectors > 0 && density.dirty_sectors < density.sectors) {
        put_count(text.message, sizeof text.message, &density);
        snprintf(text.hint, sizeof text.hint, "%s",
                 "Enter shows them run by run in Blocks, with the file and the byte of each.");
    } else {
        put_first_sentence(app, text.message, sizeof text.message, run);
        snprintf(text.hint, sizeof text.hint, "%s", second_sentence(run->origin));
    }
    tui_app_push(app, &tui_view_explained, &text);
    return TUI_REDRAW;
}

/* ---- to take along ---- */

/* It is shown as well, whole: for terminals that do not take it, and for who wants to see what it is. */
static enum tui_result copy(struct tui_app *app, const char *text)
{
    struct cow_error shown = {0};

    app->backend->ops->copy(app->backend, text);
    if (tui_text_cells(text) > app->canvas.cols - 2) {
        snprintf(shown.message, sizeof shown.message, "%s", text);
        snprintf(shown.hint, sizeof shown.hint, "It was copied, if the terminal takes that (OSC 52).");
        tui_app_push(app, &tui_view_explained, &shown);
        return TUI_REDRAW;
    }
    tui_app_say(app, TUI_NORMAL, "%s", text);
    return TUI_REDRAW;
}

static enum tui_result copy_dd(struct tui_app *app, const struct cow_run *run)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    char name[NAME_BYTES], text[NAME_BYTES + 128];
    uint64_t end = run->first_sector + run->sectors, first = run->first_sector;
    uint64_t bytes = (end - first) * header->sector_bytes;
    if (end * header->sector_bytes > header->size_bytes) {
        bytes = header->size_bytes - first * header->sector_bytes;
    }
    if (run->host_offset == COW_NO_OFFSET) {
        tui_app_say(app, TUI_WARN, "there is no file to read that from: it is zeros");
        return TUI_REDRAW;
    }
    snprintf(text, sizeof text,
             "dd if=%s bs=64K iflag=skip_bytes,count_bytes skip=%" PRId64 " count=%" PRIu64,
             cow_shell_quote(name, sizeof name, file_of(app, run)), run->host_offset, bytes);
    return copy(app, text);
}

enum tui_result tui_explain_act(struct tui_app *app, enum tui_action_id action, uint64_t first_sector,
                                uint64_t sectors)
{
    const uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct cow_error err = {0};
    struct cow_run run;
    char text[32];

    if (action != TUI_DO_COPY && action != TUI_DO_COPY_DD && action != TUI_DO_EXPLAIN) {
        return TUI_IGNORED;
    }
    if (action == TUI_DO_COPY) {
        snprintf(text, sizeof text, "%" PRIu64,
                 first_sector == app->sector ? tui_app_byte(app) : first_sector * sector_bytes);
        return copy(app, text);
    }
    if (tui_scan_run_at(&app->scan, first_sector, &run, &err) != 0) {
        tui_app_error(app, &err);
        return TUI_REDRAW;
    }
    if (run.first_sector < first_sector) { /* the part of it that was asked for */
        uint64_t by = first_sector - run.first_sector;
        run.host_offset += run.host_offset == COW_NO_OFFSET ? 0 : (int64_t)(by * sector_bytes);
        run.first_sector += by;
        run.sectors -= by;
    }
    if (run.sectors > sectors) {
        run.sectors = sectors;
    }
    return action == TUI_DO_EXPLAIN ? explain(app, &run, first_sector, sectors) : copy_dd(app, &run);
}
