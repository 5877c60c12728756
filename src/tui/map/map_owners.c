/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counting a cell's owners. Only what is in the COW is looked at, and no more than so many stretches of a
 * cell: on a huge disk that is a sample, from the cell's beginning.
 */
#include "tui/map/map_owners.h"

#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"

enum { STRETCHES = 64, NO_OWNER = TUI_OWNERS, OWNER_MASK = 0x3f, LIT = 0x80 };

/* A walk along what is in the COW, in bytes of the disk. */
struct walk {
    struct tui_app *app;
    uint64_t sector_bytes;
    uint64_t run_first, run_end; /* the run that is in hand; no bytes: none was looked for yet */
    bool ended;                  /* there is none any more */
};

void tui_owners_free(struct tui_owners *owners)
{
    free(owners->cell);
    memset(owners, 0, sizeof *owners);
}

/* Takes the first run that ends behind `at` in hand. */
static int find_run(struct walk *walk, uint64_t at, struct cow_error *err)
{
    struct cow_dirty_run run = {0, 0};

    if (walk->ended || walk->run_end > at) {
        return 0;
    }
    int status = cow_image_next_dirty(walk->app->subject.image, at / walk->sector_bytes, &run, err);
    if (status != 0) {
        return status;
    }
    walk->ended = run.sectors == 0;
    walk->run_first = run.first_sector * walk->sector_bytes;
    walk->run_end = walk->run_first + run.sectors * walk->sector_bytes;
    return 0;
}

/* Counts what is in the COW from one byte to another. */
static int count_owners(struct walk *walk, uint64_t from, uint64_t to, uint64_t bytes[TUI_OWNERS],
                        struct cow_error *err)
{
    for (int i = 0; i < STRETCHES && from < to; i++) {
        struct cow_fs_owner owner;
        int status = find_run(walk, from, err);
        if (status != 0 || walk->ended || walk->run_first >= to) {
            return status;
        }
        if (from < walk->run_first) {
            from = walk->run_first;
        }
        status = cow_fs_class_at(walk->app->files.scan, from, &owner, err);
        if (status != 0) {
            return status;
        }
        uint64_t end = owner.first_byte + owner.length_bytes;
        if (end > walk->run_end) {
            end = walk->run_end;
        }
        if (end > to) {
            end = to;
        }
        if (end <= from) {
            end = from + 1;
        }
        bytes[tui_owner_of(owner.fs_class)] += end - from;
        from = end;
    }
    return 0;
}

static uint8_t most_of_cell(const uint64_t bytes[TUI_OWNERS])
{
    int found = 0;

    for (int o = 1; o < TUI_OWNERS; o++) {
        if (bytes[o] > bytes[found]) {
            found = o;
        }
    }
    return (uint8_t)(bytes[found] > 0 ? found : NO_OWNER);
}

static int fill_owners(struct tui_app *app, struct tui_owners *owners, uint64_t first, uint64_t cell_bytes,
                       struct cow_error *err)
{
    struct walk walk = {.app = app, .sector_bytes = cow_image_header(app->subject.image)->sector_bytes};

    for (size_t i = 0; i < owners->cells; i++) {
        uint64_t bytes[TUI_OWNERS] = {0};
        int status = count_owners(&walk, first + i * cell_bytes, first + (i + 1) * cell_bytes, bytes, err);
        if (status != 0) {
            return status;
        }
        owners->cell[i] = most_of_cell(bytes);
    }
    return 0;
}

/* Walks the pieces of the file, or (NULL) of all in the directory that is lit, a cell at least at a time. */
static int fill_lit(struct tui_app *app, struct tui_owners *owners, const struct cow_fs_file *file,
                    uint64_t first, uint64_t cell_bytes, struct cow_error *err)
{
    uint64_t at = first, end = first + owners->cells * cell_bytes;
    struct cow_fs_owner piece;

    while (at < end) {
        int status = file != NULL ? cow_fs_file_next(app->files.scan, file, at, &piece, err)
                                  : tui_files_next_below(&app->files, &app->files.lit, at, end, &piece, err);
        if (status != 0) {
            return status;
        }
        if (piece.length_bytes == 0 || piece.first_byte >= end) {
            break;
        }
        uint64_t from = piece.first_byte > at ? piece.first_byte : at;
        uint64_t to = piece.first_byte + piece.length_bytes;
        if (to > end) {
            to = end;
        }
        size_t cell = (size_t)((from - first) / cell_bytes);
        do {
            owners->cell[cell++] |= LIT;
        } while (first + cell * cell_bytes < to);
        at = first + cell * cell_bytes;
    }
    return 0;
}

static bool is_filled(const struct tui_app *app, const struct tui_owners *owners, uint64_t first_sector,
                      uint64_t cell_sectors, size_t cells)
{
    return owners->cells == cells && owners->filled.epoch == app->files.epoch &&
           owners->filled.first_sector == first_sector && owners->filled.cell_sectors == cell_sectors &&
           owners->filled.colours == app->files.colours && owners->filled.lit == app->files.lit_number;
}

static int make_room(struct tui_owners *owners, size_t cells, struct cow_error *err)
{
    owners->cells = 0;
    if (cells > owners->capacity) {
        uint8_t *cell = realloc(owners->cell, cells);
        if (cell == NULL) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        owners->cell = cell;
        owners->capacity = cells;
    }
    memset(owners->cell, NO_OWNER, cells);
    owners->cells = cells;
    return 0;
}

int tui_owners_show(struct tui_app *app, struct tui_owners *owners, uint64_t first_sector,
                    uint64_t cell_sectors, size_t cells, struct cow_error *err)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    const struct cow_fs_file *file = tui_files_find(&app->files, &app->files.lit);
    bool is_lit = file != NULL || (app->files.lit.path != NULL && app->files.lit.below);

    if (!tui_files_known(&app->files) || (!app->files.colours && !is_lit)) {
        owners->cells = 0;
        return 0;
    }
    if (is_filled(app, owners, first_sector, cell_sectors, cells)) {
        return 0;
    }
    int status = make_room(owners, cells, err);
    if (status == 0 && app->files.colours) {
        status = fill_owners(app, owners, first_sector * sector_bytes, cell_sectors * sector_bytes, err);
    }
    if (status == 0 && is_lit) {
        status = fill_lit(app, owners, file, first_sector * sector_bytes, cell_sectors * sector_bytes, err);
    }
    if (status != 0) {
        owners->cells = 0;
        return status;
    }
    owners->filled.epoch = app->files.epoch;
    owners->filled.first_sector = first_sector;
    owners->filled.cell_sectors = cell_sectors;
    owners->filled.colours = app->files.colours;
    owners->filled.lit = app->files.lit_number;
    return 0;
}

bool tui_owners_mark(const struct tui_owners *owners, size_t cell, struct tui_mark *out)
{
    if (cell >= owners->cells) {
        return false;
    }
    if ((owners->cell[cell] & LIT) != 0) {
        *out = tui_lit_mark();
        return true;
    }
    unsigned owner = owners->cell[cell] & OWNER_MASK;
    if (owner == NO_OWNER) {
        return false;
    }
    *out = tui_owner_mark((enum tui_owner)owner);
    return true;
}
