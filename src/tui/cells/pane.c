/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pane: lines of words, and below them some bytes of both sides. Asking for all of it costs two short
 * reads and a walk through the changed files, and showing it many bytes: so while a key is held it stays what
 * it was, and follows when no key has come for a moment, or four times a second. Else it is asked for anew
 * with each drawing, so it cannot be old.
 */
#include "tui/cells/pane.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/cells/map_ends.h"
#include "tui/screen/clock.h"
#include "tui/screen/page.h"

enum {
    PANE_COLS = 38,
    VALUE_COL = 8,
    HEX_ROWS = 4,
    HEX_BYTES = 8, /* a row */
    TEXT_BYTES = 1024,
};

/* How long a key counts as just typed, and how long the pane may be of another place. */
static const double key_seconds = 0.05, late_seconds = 0.25;

int pane_cols(const struct tui_canvas *canvas)
{
    return canvas->cols >= TUI_PANE_FROM_COLS ? PANE_COLS : 0;
}

struct tui_rect pane_cut(const struct tui_canvas *canvas, struct tui_rect area)
{
    area.cols -= pane_cols(canvas);
    return area;
}

const char *pane_file_name(const struct tui_app *app, unsigned layer, char *out, size_t out_bytes)
{
    struct cow_layer facts;

    if (layer <= 1) {
        return layer == 0 ? app->name : app->backing_name;
    }
    cow_image_layer(app->subject.image, layer, &facts);
    const char *slash = strrchr(facts.path, '/');
    return cow_escape(out, out_bytes, slash != NULL ? slash + 1 : facts.path);
}

static void put_place(struct tui_app *app, struct tui_page *page, uint64_t first, uint64_t sectors)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct cow_density density = {0, 0, 0};
    char at[COW_SIZE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];

    cow_size_text(at, first * sector_bytes);
    tui_page_line(page);
    if (sectors == 1) {
        tui_page_putf(page, 0, TUI_HEADING, "sector %" PRIu64, first);
    } else {
        tui_page_putf(page, 0, TUI_HEADING, "sectors %" PRIu64 "-%" PRIu64, first, first + sectors - 1);
    }
    tui_page_value(page, "at", VALUE_COL, TUI_NORMAL, "%s, %s long", at,
                   cow_size_text(size, sectors * sector_bytes));
    if (cow_image_density(app->subject.image, first, sectors, &density, NULL) != 0) {
        return;
    }
    if (sectors == 1) {
        tui_page_value(page, "bit", VALUE_COL, TUI_NORMAL, "%s",
                       density.dirty_sectors != 0 ? "set: in the COW" : "clear");
    } else {
        tui_page_value(page, "bits", VALUE_COL, TUI_NORMAL, "%" PRIu64 " of %" PRIu64 " set",
                       density.dirty_sectors, density.sectors);
    }
}

/* The file that the selected sector's bytes lie in, and where. */
static void put_source(struct tui_app *app, struct tui_page *page, const struct cow_run *run)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct tui_mark mark = tui_origin_mark(run->origin);
    char name[256];

    tui_page_line(page);
    tui_page_putf(page, 0, TUI_HEADING, "sector %" PRIu64, app->sector);
    tui_page_value(page, "from", VALUE_COL + 2, TUI_NORMAL, "%s", cow_origin_name(run->origin));
    tui_page_put_char(page, VALUE_COL, mark.style, mark.glyph);
    if (run->host_offset == COW_NO_OFFSET) {
        return;
    }
    tui_page_value(page, "file", VALUE_COL, TUI_NORMAL, "%s",
                   pane_file_name(app, run->layer, name, sizeof name));
    tui_page_value(page, "byte", VALUE_COL, TUI_NORMAL, "%" PRIu64,
                   (uint64_t)run->host_offset + (app->sector - run->first_sector) * sector_bytes);
}

/* The 4 KiB page that a guest's kernel reads the sector in. */
static void put_page_state(struct tui_app *app, struct tui_page *page)
{
    uint64_t in_page = COW_PAGE_BYTES / cow_image_header(app->subject.image)->sector_bytes;
    struct cow_density density = {0, 0, 0};

    if (in_page < 2 || cow_image_density(app->subject.image, app->sector / in_page * in_page, in_page,
                                         &density, NULL) != 0) {
        return;
    }
    bool mixed = density.dirty_sectors > 0 && density.dirty_sectors < density.sectors;
    if (mixed) {
        tui_page_value(page, "page", VALUE_COL, TUI_WARN, "mixed: %" PRIu64 " of %" PRIu64 " in the COW",
                       density.dirty_sectors, density.sectors);
    } else {
        tui_page_value(page, "page", VALUE_COL, TUI_NORMAL, "%s",
                       density.dirty_sectors != 0 ? "all in the COW" : "none of it in the COW");
    }
}

static const struct cow_fs_file *changed_file(struct tui_app *app)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct cow_fs_owner owner;
    size_t n = 0;

    if (cow_fs_owner_at(app->files.scan, app->sector * sector_bytes, &owner, NULL) != 0 ||
        owner.path == NULL) {
        return NULL;
    }
    const struct cow_fs_file *file = cow_fs_files(app->files.scan, &n);
    for (size_t i = 0; i < n; i++) {
        if (file[i].inode == owner.inode && file[i].volume == owner.volume) {
            return &file[i];
        }
    }
    return NULL;
}

static void put_owner(struct tui_app *app, struct tui_page *page)
{
    char text[TEXT_BYTES];

    if (!tui_files_known(&app->files)) {
        tui_page_value(page, "owner", VALUE_COL, TUI_DIM, "%s",
                       app->files.job.state == TUI_JOB_RUNNING ? "being read" : "not known");
        return;
    }
    tui_files_owner_text(&app->files, app->sector, 2 * (page->cols - VALUE_COL), text, sizeof text, NULL);
    tui_page_value(page, "owner", VALUE_COL, TUI_LABEL, "%s", text[0] != '\0' ? text : "not known");
    const struct cow_fs_file *file = changed_file(app);
    if (file == NULL) {
        return;
    }
    struct tui_mark mark = tui_kind_mark(file->kind);
    tui_page_value(page, "change", VALUE_COL + 2, TUI_NORMAL, "%s", cow_fs_kind_name(file->kind));
    tui_page_put_char(page, VALUE_COL, mark.style, mark.glyph);
}

static void put_ends(struct tui_app *app, struct tui_page *page, uint64_t first, uint64_t sectors)
{
    char text[TEXT_BYTES];

    map_end_text(&app->ends, cow_image_header(app->subject.image)->sector_bytes, first, sectors, text,
                 sizeof text);
    if (text[0] != '\0') {
        struct tui_mark mark = tui_end_mark(map_ends_in(&app->ends, first, sectors));
        tui_page_line(page);
        tui_page_wrap(page, 2, VALUE_COL, TUI_NORMAL, text);
        tui_page_put_char(page, 0, mark.style, mark.glyph);
    }
}

/* ---- bytes ---- */

struct pane_bytes {
    size_t n;
    bool readable[2];
    uint8_t byte[2][HEX_ROWS * HEX_BYTES];
};

static void read_sides(struct tui_app *app, struct pane_bytes *bytes)
{
    static const enum cow_file sides[2] = {COW_FILE_COW, COW_FILE_BACKING};
    uint64_t at = app->sector * cow_image_header(app->subject.image)->sector_bytes;
    uint64_t left = cow_image_header(app->subject.image)->size_bytes - at;

    bytes->n = left < sizeof bytes->byte[0] ? (size_t)left : sizeof bytes->byte[0];
    for (int side = 0; side < 2; side++) {
        bytes->readable[side] =
            cow_image_read_file(app->subject.image, sides[side], at, bytes->byte[side], bytes->n, NULL) == 0;
    }
}

static void draw_hex_row(const struct pane_bytes *bytes, struct tui_canvas *canvas, int x, int y, int side,
                         size_t from)
{
    for (size_t i = from; i < from + HEX_BYTES && i < bytes->n; i++) {
        bool differs = bytes->readable[0] && bytes->readable[1] && bytes->byte[0][i] != bytes->byte[1][i];
        int column = (int)(i - from);
        uint8_t byte = bytes->byte[side][i];
        if (!bytes->readable[side]) {
            tui_text(canvas, x + 3 * column, y, 3, TUI_DISABLED, " ??");
            continue;
        }
        if (differs) { /* not by colour alone */
            tui_put(canvas, x + 3 * column, y, '*', TUI_DIFF);
        }
        tui_textf(canvas, x + 3 * column + 1, y, 2, differs ? TUI_DIFF : TUI_NORMAL, "%02x", byte);
        tui_put(canvas, x + 3 * HEX_BYTES + 1 + column, y, byte >= 0x20 && byte < 0x7f ? byte : 0x00b7,
                differs ? TUI_DIFF : TUI_NORMAL);
    }
}

/* The first bytes of the selected sector, a side below the other; what the area has no lines for is left out.
 */
static void draw_hex(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area, bool live_is_cow)
{
    static const char *const names[2] = {"COW", "backing"};
    struct pane_bytes bytes;
    int y = area.y, rows = area.rows / 2 - 1 < HEX_ROWS ? area.rows / 2 - 1 : HEX_ROWS;

    if (rows < 1) {
        return;
    }
    read_sides(app, &bytes);
    for (int side = 0; side < 2; side++) {
        bool live = (side == 0) == live_is_cow;
        tui_textf(canvas, area.x + 1, y++, area.cols - 1, live ? TUI_STRONG : TUI_DIM, "%s%s", names[side],
                  live ? ": the guest sees this" : "");
        for (int row = 0; row < rows; row++, y++) {
            draw_hex_row(&bytes, canvas, area.x, y, side, (size_t)row * HEX_BYTES);
        }
    }
}

static void draw_pane(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect frame,
                      uint64_t first_sector, uint64_t sectors, const char *found)
{
    struct tui_page page = {0};
    struct cow_run run;
    struct tui_rect inside = tui_frame(canvas, frame, "Here");
    tui_page_begin(&page, inside.cols - 2);
    put_place(app, &page, first_sector, sectors);
    if (found[0] != '\0') {
        tui_page_value(&page, "found", VALUE_COL, TUI_NORMAL, "%s", found);
    }
    bool known = tui_scan_run_at(&app->scan, app->sector, &run, NULL) == 0 && run.sectors > 0;
    if (known) {
        put_source(app, &page, &run);
    }
    put_page_state(app, &page);
    put_owner(app, &page);
    put_ends(app, &page, first_sector, sectors);
    inside.x++;
    inside.cols -= 2;
    tui_page_draw(&page, canvas, inside, -1);
    int used = page.lines + 1;
    struct tui_rect rest = {inside.x - 1, inside.y + used, inside.cols + 2, inside.rows - used};
    draw_hex(app, canvas, rest, known && cow_origin_dirty(run.origin));
    tui_page_free(&page);
}

/* ---- while keys come ---- */

static void copy_cells(struct tui_canvas *to, struct tui_rect rect, const struct tui_canvas *from, int x,
                       int y)
{
    for (int row = 0; row < rect.rows; row++) {
        memcpy(to->cell + (size_t)(rect.y + row) * (size_t)to->cols + rect.x,
               from->cell + (size_t)(y + row) * (size_t)from->cols + x,
               (size_t)rect.cols * sizeof *from->cell);
    }
}

/* Whether the pane as it was drawn last stays: it is of another place, and a key has just come. */
static bool stays(struct tui_app *app, struct tui_rect frame, uint64_t first_sector, uint64_t sectors)
{
    double now = tui_clock();
    bool is_same = app->pane.first_sector == first_sector && app->pane.sectors == sectors &&
                   app->pane.sector == app->sector;
    bool is_here = app->pane.generation == app->subject.generation && app->pane.tab == app->tab_now &&
                   app->pane.kept.cols == frame.cols && app->pane.kept.rows == frame.rows;

    if (!app->subject.interactive || is_same || !is_here || now - app->pane.key >= key_seconds) {
        return false;
    }
    if (app->pane.since <= 0) {
        app->pane.since = now;
    }
    return now - app->pane.since < late_seconds;
}

static void keep_pane(struct tui_app *app, const struct tui_canvas *canvas, struct tui_rect frame,
                      uint64_t first_sector, uint64_t sectors)
{
    app->pane.since = 0;
    app->pane.generation = 0;
    if (!app->subject.interactive || tui_canvas_resize(&app->pane.kept, frame.cols, frame.rows) != 0) {
        return;
    }
    copy_cells(&app->pane.kept, (struct tui_rect){0, 0, frame.cols, frame.rows}, canvas, frame.x, frame.y);
    app->pane.generation = app->subject.generation;
    app->pane.tab = app->tab_now;
    app->pane.first_sector = first_sector;
    app->pane.sectors = sectors;
    app->pane.sector = app->sector;
}

bool pane_draw(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area, uint64_t first_sector,
               uint64_t sectors, const char *found)
{
    int cols = pane_cols(canvas);
    struct tui_rect frame = {area.x + area.cols - cols, area.y, cols, area.rows};

    if (cols == 0) {
        return true;
    }
    if (stays(app, frame, first_sector, sectors)) {
        copy_cells(canvas, frame, &app->pane.kept, 0, 0);
        app->pane.waits = true;
        return false;
    }
    draw_pane(app, canvas, frame, first_sector, sectors, found);
    keep_pane(app, canvas, frame, first_sector, sectors);
    return true;
}

void pane_line(struct tui_app *app, struct tui_canvas *canvas, int y)
{
    struct tui_rect line = {0, y, canvas->cols, 1};

    if (pane_cols(canvas) == 0 || !app->subject.interactive) {
        return;
    }
    if (app->pane.waits && app->pane.line.cols == canvas->cols) {
        copy_cells(canvas, line, &app->pane.line, 0, 0);
    } else if (tui_canvas_resize(&app->pane.line, canvas->cols, 1) == 0) {
        copy_cells(&app->pane.line, (struct tui_rect){0, 0, canvas->cols, 1}, canvas, 0, y);
    }
}
