/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The layers as one disk: runs with their origin, and densities. The bits say which layer has a sector,
 * SEEK_DATA says whether there is anything to read.
 *
 * Order: first the bits of the image itself cut the disk into dirty and clean stretches, then the layers
 * below answer for the clean ones. Hazards: layers may have sectors of different sizes, and a file may have a
 * hole that begins within a sector; such a sector lies in pieces, and has a place in a file only if they
 * follow each other there. Only a sector that lies in holes as a whole is one.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/image/image.h"

static const struct {
    const char *name;
    const char *text;
} origins[COW_ORIGINS] = {
#define ORIGIN_ROW(id, name, text) [COW_ORIGIN_##id] = {name, text},
    COW_ORIGIN_LIST(ORIGIN_ROW)
#undef ORIGIN_ROW
};

const char *cow_origin_name(enum cow_origin origin)
{
    return origins[origin].name;
}

const char *cow_origin_text(enum cow_origin origin)
{
    return origins[origin].text;
}

bool cow_origin_dirty(enum cow_origin origin)
{
    return origin == COW_ORIGIN_COW || origin == COW_ORIGIN_HOLE || origin == COW_ORIGIN_REDUNDANT ||
           origin == COW_ORIGIN_ZERO || origin == COW_ORIGIN_CHANGED;
}

bool cow_origin_is_hole(enum cow_origin origin)
{
    return origin == COW_ORIGIN_HOLE || origin == COW_ORIGIN_BACKING_HOLE ||
           origin == COW_ORIGIN_BEYOND_BACKING;
}

/* What whole sectors from `first` on have in common. */
struct stretch_of_sectors {
    enum chain_kind kind;
    uint64_t end; /* sector */
    size_t layer;
    int64_t host_offset;
};

/* A sector that lies in pieces: it has data if a piece has, and a place only if all of it lies in one. */
static int split_sector(struct cow_image *img, size_t layer, uint64_t sector, struct stretch_of_sectors *out,
                        struct cow_error *err)
{
    const uint64_t begin = sector * img->header.sector_bytes, end = begin + img->header.sector_bytes;
    struct chain_extent piece;
    for (uint64_t at = begin; at < end; at = piece.end) {
        int status = chain_extent_at(img->chain, layer, at, end, &piece, err);
        if (status != 0) {
            return status;
        }
        if (at == begin) {
            *out = (struct stretch_of_sectors){piece.kind, sector + 1, piece.layer, piece.host_offset};
        } else if (piece.kind != CHAIN_NOTHING) {
            const bool follows = piece.layer == out->layer && out->host_offset != COW_NO_OFFSET &&
                                 piece.host_offset == out->host_offset + (int64_t)(at - begin);
            out->kind = piece.kind > out->kind ? piece.kind : out->kind;
            out->host_offset = follows ? out->host_offset : COW_NO_OFFSET;
        }
    }
    return 0;
}

/* The sectors from `first` on (below `end`) that one extent covers as a whole, or the one that lies in
 * pieces. */
static int sectors_at(struct cow_image *img, size_t layer, uint64_t first, uint64_t end,
                      struct stretch_of_sectors *out, struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    const uint64_t begin = first * sector_bytes, limit = end * sector_bytes;
    struct chain_extent extent;
    int status = layer == 0 ? layer_extent_at(&img->chain->layer[0], begin, limit, &extent, err)
                            : chain_extent_at(img->chain, layer, begin, limit, &extent, err);
    if (status != 0) {
        return status;
    }
    const uint64_t whole = extent.end == limit ? end : extent.end / sector_bytes;
    if (whole == first) {
        return split_sector(img, layer, first, out, err);
    }
    *out = (struct stretch_of_sectors){extent.kind, whole, layer == 0 ? 0 : extent.layer, extent.host_offset};
    return 0;
}

static enum cow_origin origin_of(const struct stretch_of_sectors *found)
{
    static const enum cow_origin below[] = {[CHAIN_NOTHING] = COW_ORIGIN_BEYOND_BACKING,
                                            [CHAIN_HOLE] = COW_ORIGIN_BACKING_HOLE,
                                            [CHAIN_DATA] = COW_ORIGIN_BACKING,
                                            [CHAIN_UNKNOWN] = COW_ORIGIN_BACKING};
    return found->layer > 0 || found->kind == CHAIN_NOTHING ? below[found->kind]
           : found->kind == CHAIN_HOLE                      ? COW_ORIGIN_HOLE
                                                            : COW_ORIGIN_COW;
}

/* Does what was found behind a run go on with it, in its file, too? */
static bool continues(const struct cow_run *run, const struct stretch_of_sectors *next, uint64_t sector_bytes)
{
    const bool same = origin_of(next) == run->origin && next->layer == run->layer;
    return same && (run->host_offset == COW_NO_OFFSET
                        ? next->host_offset == COW_NO_OFFSET
                        : next->host_offset == run->host_offset + (int64_t)(run->sectors * sector_bytes));
}

/* The run that begins at `first`, below `end`: all of it dirty (layer 0), or clean (layer 1). */
static int run_of(struct cow_image *img, struct cow_run *run, size_t layer, uint64_t first, uint64_t end,
                  struct cow_error *err)
{
    struct stretch_of_sectors found;
    int status = sectors_at(img, layer, first, end, &found, err);
    if (status != 0) {
        return status;
    }
    *run = (struct cow_run){.first_sector = first,
                            .sectors = found.end - first,
                            .origin = origin_of(&found),
                            .host_offset = found.host_offset,
                            .layer = (unsigned)found.layer};
    while (status == 0 && found.end < end) {
        status = sectors_at(img, layer, found.end, end, &found, err);
        if (status != 0 || !continues(run, &found, img->header.sector_bytes)) {
            break;
        }
        run->sectors = found.end - first;
    }
    return status;
}

int cow_image_extent(struct cow_image *img, uint64_t offset_bytes, struct cow_extent *out,
                     struct cow_error *err)
{
    enum { RUNS_MAX = 64 }; /* looked at for one answer */
    const uint64_t size_bytes = img->header.size_bytes;
    uint64_t end = offset_bytes;
    int status = 0;
    *out = (struct cow_extent){.n_bytes = 0};
    for (unsigned i = 0; status == 0 && end < size_bytes && i < RUNS_MAX; i++) {
        struct cow_run run;
        status = cow_image_next_run(img, end / img->header.sector_bytes, &run, err);
        const bool is_hole = status == 0 && cow_origin_is_hole(run.origin);
        if (status != 0 || (i > 0 && is_hole != out->is_hole)) {
            break;
        }
        out->is_hole = is_hole;
        end = arith_min((run.first_sector + run.sectors) * img->header.sector_bytes, size_bytes);
    }
    out->n_bytes = end > offset_bytes ? end - offset_bytes : 0;
    return status;
}

int cow_image_next_run(struct cow_image *img, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    if (sector >= img->layout.sectors) {
        *out = (struct cow_run){.first_sector = img->layout.sectors, .host_offset = COW_NO_OFFSET};
        return 0;
    }
    bool dirty = true;
    uint64_t end = img->layout.sectors;
    if (img->chain->layer[0].bits != NULL) {
        status = bitmap_get(img->bitmap, sector, &dirty, err);
        status = status == 0 ? bitmap_find(img->bitmap, sector, !dirty, &end, err) : status;
    }
    if (status != 0) {
        return cow_error_prefix(err, "%s", img->path);
    }
    /* The sectors without a bit (v1, v2) are clean; bitmap_find answers "none" with the number of bits. */
    if (!dirty && end >= img->layout.mapped_sectors) {
        end = img->layout.sectors;
    }
    return run_of(img, out, dirty ? 0 : 1, sector, end, err);
}

/* The last run of [begin, end), which is all of it dirty or clean. A run is asked for forwards only, and
 * where one ends the next begins, wherever in it one asks; so its beginning is found by halves, however many
 * runs the stretch has. */
static int last_run_of(struct cow_image *img, struct cow_run *out, size_t layer, uint64_t begin, uint64_t end,
                       struct cow_error *err)
{
    uint64_t inside = end - 1; /* of the last run, as far down as is known */
    while (true) {
        struct cow_run run;
        int status = run_of(img, &run, layer, begin, end, err);
        if (status != 0 || run.first_sector + run.sectors == end) {
            *out = status == 0 ? run : *out;
            return status;
        }
        begin = run.first_sector + run.sectors; /* a run begins here */
        while (begin < inside) {
            const uint64_t middle = begin + (inside - begin) / 2;
            status = run_of(img, &run, layer, middle, end, err);
            if (status != 0) {
                return status;
            }
            if (run.first_sector + run.sectors < end) {
                begin = run.first_sector + run.sectors;
                break;
            }
            inside = middle;
        }
    }
}

int cow_image_prev_run(struct cow_image *img, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    sector = arith_min(sector, img->layout.sectors);
    if (sector == 0) {
        *out = (struct cow_run){.host_offset = COW_NO_OFFSET};
        return 0;
    }
    /* Back by bits to where the dirty or clean stretch begins, then to the last of its origins. */
    bool dirty;
    uint64_t begin;
    status = bitmap_get(img->bitmap, sector - 1, &dirty, err);
    if (status == 0) {
        status = bitmap_find_back(img->bitmap, sector - 1, !dirty, &begin, err);
    }
    if (status != 0) {
        return cow_error_prefix(err, "%s", img->path);
    }
    return last_run_of(img, out, dirty ? 0 : 1, begin, sector, err);
}

int cow_image_next_dirty(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err)
{
    uint64_t first, end;
    int status = image_require_layout(img, err);
    if (status == 0) {
        status = bitmap_next_run(img->bitmap, sector, &first, &end, err);
    }
    if (status == 0) {
        bool none = first >= img->layout.mapped_sectors;
        *out = (struct cow_dirty_run){first, none ? 0 : end - first};
    }
    return status;
}

int cow_image_prev_dirty(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err)
{
    uint64_t end, begin;
    int status = image_require_layout(img, err);
    if (status == 0) {
        status =
            bitmap_find_back(img->bitmap, arith_min(sector, img->layout.mapped_sectors), true, &end, err);
    }
    if (status == 0 && end == 0) {
        *out = (struct cow_dirty_run){0, 0};
        return 0;
    }
    if (status == 0) {
        status = bitmap_find_back(img->bitmap, end, false, &begin, err);
    }
    if (status == 0) { /* the run may go on past `sector` */
        status = bitmap_find(img->bitmap, begin, false, &end, err);
    }
    if (status == 0) {
        *out = (struct cow_dirty_run){begin, end - begin};
    }
    return status;
}

int cow_image_density(struct cow_image *img, uint64_t first_sector, uint64_t sectors, struct cow_density *out,
                      struct cow_error *err)
{
    struct cow_density density = {.sectors = 0};
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    const uint64_t end = first_sector >= img->layout.sectors
                             ? first_sector
                             : first_sector + arith_min(sectors, img->layout.sectors - first_sector);
    density.sectors = end - first_sector;
    status = bitmap_count(img->bitmap, first_sector, density.sectors, &density.dirty_sectors, err);
    if (status == 0 && (img->chain->n > 1 || !img->chain->cut)) {
        const uint64_t below_bytes = img->chain->n > 1 ? img->chain->layer[1].disk.size_bytes : 0;
        uint64_t covered = arith_div_up(below_bytes, img->header.sector_bytes);
        density.beyond_backing_sectors = end > covered ? end - arith_max(first_sector, covered) : 0;
    }
    if (status == 0) {
        *out = density;
    }
    return status;
}
