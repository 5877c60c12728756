/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking into the bytes. It is a thing of its own that one asks for: run by run, in any order, two buffers,
 * nothing in proportion to the disk. A piece of the disk is read from both sides at once (the COW, and what
 * lies below it), and compared sector by sector. What is a hole on the side that would have to be read is not
 * read: a dirty hole over a hole below is redundant without a look, a clean sector over a hole of the COW
 * cannot be an orphan. The scanned origins, a sector each:
 *
 *   redundant  bit 1  equal to what lies below; wins over hole and zero
 *   hole       bit 1  a hole, and below is something else
 *   zero       bit 1  written zeros, and below is something else
 *   changed    bit 1  anything else
 *   orphan     bit 0  the COW has other bytes than what lies below, not only zeros: a crash lost the bit
 *
 * Mixed pages are found by bits alone, at the edges of dirty runs.
 */
#include "cow/scan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/image/image.h"

enum {
    PIECE_BYTES = 1024 * 1024, /* read at once, where a run is long */
    LEAST_BYTES = 64 * 1024,   /* ... and where it is short: there may be others near */
};

struct cow_scan {
    struct cow_image *img;
    struct cow_run raw;    /* the run, by bits and holes, that the last answer was part of */
    uint64_t read_bytes;   /* so far, of the COW */
    uint64_t first_sector; /* what the buffers hold */
    uint64_t sectors;
    uint8_t *cow;
    uint8_t *backing;
};

int cow_scan_open(struct cow_scan **out, struct cow_image *img, struct cow_error *err)
{
    uint8_t nothing;
    int status = image_require_layout(img, err);
    if (status == 0) { /* says what is wrong with the backing file, if it is */
        status = cow_image_read_file(img, COW_FILE_BACKING, 0, &nothing, 1, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_scan *scan = calloc(1, sizeof *scan);
    if (scan != NULL) {
        scan->img = img;
        scan->cow = malloc(PIECE_BYTES);
        scan->backing = malloc(PIECE_BYTES);
    }
    if (scan == NULL || scan->cow == NULL || scan->backing == NULL) {
        cow_scan_close(scan);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *out = scan;
    return 0;
}

void cow_scan_close(struct cow_scan *scan)
{
    if (scan != NULL) {
        free(scan->cow);
        free(scan->backing);
        free(scan);
    }
}

/* Bytes of a sector that lie on the disk: the last one can be shorter. */
static size_t sector_length(const struct cow_image *img, uint64_t sector)
{
    const uint64_t begin = sector * img->header.sector_bytes;
    return (size_t)arith_min(img->header.sector_bytes, img->header.size_bytes - begin);
}

/* Reads both sides of [first, first + sectors). */
static int load_piece(struct cow_scan *scan, uint64_t first, uint64_t sectors, struct cow_error *err)
{
    struct cow_image *img = scan->img;
    const uint64_t begin = first * img->header.sector_bytes;
    const size_t n_bytes =
        (size_t)(arith_min((first + sectors) * img->header.sector_bytes, img->header.size_bytes) - begin);
    if (scan->sectors > 0 && first >= scan->first_sector &&
        first + sectors <= scan->first_sector + scan->sectors) {
        return 0;
    }
    scan->sectors = 0;
    int status = cow_image_read_file(img, COW_FILE_COW, begin, scan->cow, n_bytes, err);
    if (status == 0) {
        status = cow_image_read_file(img, COW_FILE_BACKING, begin, scan->backing, n_bytes, err);
    }
    if (status == 0) {
        scan->first_sector = first;
        scan->sectors = sectors;
        scan->read_bytes += n_bytes;
    }
    return status;
}

static enum cow_origin compare_sector(const struct cow_scan *scan, const struct cow_run *raw, uint64_t sector)
{
    const size_t at = (size_t)((sector - scan->first_sector) * scan->img->header.sector_bytes);
    const size_t n_bytes = sector_length(scan->img, sector);
    const bool same = memcmp(scan->cow + at, scan->backing + at, n_bytes) == 0;
    if (cow_origin_dirty(raw->origin)) {
        return same                                      ? COW_ORIGIN_REDUNDANT
               : raw->origin == COW_ORIGIN_HOLE          ? COW_ORIGIN_HOLE
               : bytes_all_zero(scan->cow + at, n_bytes) ? COW_ORIGIN_ZERO
                                                         : COW_ORIGIN_CHANGED;
    }
    return same || bytes_all_zero(scan->cow + at, n_bytes) ? raw->origin : COW_ORIGIN_ORPHAN;
}

static int extent_of_file(struct cow_image *img, enum cow_file which, uint64_t begin, uint64_t limit,
                          struct chain_extent *out, struct cow_error *err)
{
    int status = which == COW_FILE_COW ? layer_extent_at(&img->chain->layer[0], begin, limit, out, err)
                                       : chain_extent_at(img->chain, 1, begin, limit, out, err);
    return status == 0 ? 0 : cow_error_prefix(err, "%s: looking for holes", img->path);
}

int cow_image_data_at(struct cow_image *img, enum cow_file file, uint64_t offset_bytes, uint64_t limit_bytes,
                      bool *data, uint64_t *end_bytes, struct cow_error *err)
{
    struct chain_extent extent;
    int status = image_require_layout(img, err);
    if (status == 0) {
        status = extent_of_file(img, file, offset_bytes, limit_bytes, &extent, err);
    }
    if (status == 0) {
        *data = extent.kind == CHAIN_DATA || extent.kind == CHAIN_UNKNOWN;
        *end_bytes = extent.end;
    }
    return status;
}

/* Whether a side of [sector, end) begins with a hole of whole sectors, and how many. */
static int hole_length(struct cow_image *img, enum cow_file which, uint64_t sector, uint64_t end,
                       uint64_t *sectors, struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    const uint64_t begin = sector * sector_bytes, limit = end * sector_bytes;
    struct chain_extent extent;
    int status = extent_of_file(img, which, begin, limit, &extent, err);
    if (status != 0) {
        return status;
    }
    const bool hole = extent.kind == CHAIN_HOLE || extent.kind == CHAIN_NOTHING;
    *sectors = !hole ? 0 : extent.end == limit ? end - sector : extent.end / sector_bytes - sector;
    return 0;
}

int image_hole(struct cow_image *img, uint64_t sector, uint64_t *sectors, struct cow_error *err)
{
    uint64_t below = 0;
    *sectors = 0;
    if (sector >= img->layout.sectors || img->chain->cut) {
        return 0;
    }
    int status = hole_length(img, COW_FILE_COW, sector, img->layout.sectors, sectors, err);
    if (status == 0 && *sectors > 0) {
        status = hole_length(img, COW_FILE_BACKING, sector, sector + *sectors, &below, err);
    }
    *sectors = arith_min(*sectors, below);
    return status;
}

/* Holes on the side that would have to be read answer without reading. *answered tells. */
static int answer_by_holes(struct cow_scan *scan, uint64_t sector, struct cow_run *out, bool *answered,
                           struct cow_error *err)
{
    const uint64_t end = scan->raw.first_sector + scan->raw.sectors;
    const bool dirty = cow_origin_dirty(scan->raw.origin);
    uint64_t sectors = 0;
    int status = 0;
    *answered = false;
    if (!dirty || scan->raw.origin == COW_ORIGIN_HOLE) {
        status = hole_length(scan->img, dirty ? COW_FILE_BACKING : COW_FILE_COW, sector, end, &sectors, err);
    }
    if (status == 0 && sectors > 0) {
        *answered = true;
        out->sectors = sectors;
        out->origin = dirty ? COW_ORIGIN_REDUNDANT : scan->raw.origin;
    }
    return status;
}

/* Reads what is needed, and compares on until the origin is another one. */
static int answer_by_bytes(struct cow_scan *scan, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    const struct cow_image *img = scan->img;
    const uint64_t run_end = scan->raw.first_sector + scan->raw.sectors;
    if (sector < scan->first_sector || sector >= scan->first_sector + scan->sectors) {
        const uint64_t most = PIECE_BYTES / img->header.sector_bytes;
        const uint64_t least = arith_max(LEAST_BYTES / img->header.sector_bytes, 1);
        uint64_t sectors = arith_min(arith_max(run_end - sector, least), most);
        int status = load_piece(scan, sector, arith_min(sectors, img->layout.sectors - sector), err);
        if (status != 0) {
            return status;
        }
    }
    const uint64_t end = arith_min(run_end, scan->first_sector + scan->sectors);
    uint64_t at = sector + 1;
    out->origin = compare_sector(scan, &scan->raw, sector);
    while (at < end && compare_sector(scan, &scan->raw, at) == out->origin) {
        at++;
    }
    out->sectors = at - sector;
    return 0;
}

int cow_scan_run(struct cow_scan *scan, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    struct cow_run run;
    if (scan->raw.sectors == 0 || sector < scan->raw.first_sector ||
        sector >= scan->raw.first_sector + scan->raw.sectors) {
        int status = cow_image_next_run(scan->img, sector, &run, err);
        if (status != 0) {
            return status;
        }
        scan->raw = run;
    }
    run = scan->raw;
    if (run.sectors > 0) {
        bool answered;
        run.host_offset += run.host_offset == COW_NO_OFFSET
                               ? 0
                               : (int64_t)((sector - run.first_sector) * scan->img->header.sector_bytes);
        run.first_sector = sector;
        int status = answer_by_holes(scan, sector, &run, &answered, err);
        if (status == 0 && !answered) {
            status = answer_by_bytes(scan, sector, &run, err);
        }
        if (status != 0) {
            return status;
        }
    }
    *out = run;
    return 0;
}

int image_count_mixed(struct cow_image *img, uint64_t *out, struct cow_dirty_run *first,
                      struct cow_error *err)
{
    const uint64_t page = COW_PAGE_BYTES / img->header.sector_bytes; /* 0, 1: none can be mixed */
    uint64_t sector = img->layout.sectors;
    int status = image_require_layout(img, err);
    *out = 0;
    if (status == 0 && page > 1) {
        status = bitmap_count_mixed(img->bitmap, (unsigned)page, out, &sector, err);
    }
    if (status == 0 && first != NULL) {
        *first = *out == 0 ? (struct cow_dirty_run){img->layout.sectors, 0}
                           : (struct cow_dirty_run){sector, arith_min(page, img->layout.sectors - sector)};
    }
    return status;
}

int cow_image_count_mixed(struct cow_image *img, uint64_t *pages, struct cow_error *err)
{
    return image_count_mixed(img, pages, NULL, err);
}

int image_tell_compared(const struct cow_env *env, uint64_t done_bytes, uint64_t total_bytes,
                        struct cow_error *err)
{
    const struct cow_progress progress = {.phase = "comparing with the backing file",
                                          .done_bytes = arith_min(done_bytes, total_bytes),
                                          .total_bytes = total_bytes,
                                          .can_cancel = true};
    return env != NULL && env->progress != NULL && env->progress(env->context, &progress)
               ? cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed")
               : 0;
}

int cow_image_scan(struct cow_image *img, const struct cow_env *env, struct cow_scan_counts *out,
                   struct cow_error *err)
{
    struct cow_scan_counts counts = {.mixed_pages = 0};
    struct cow_scan *scan;
    struct cow_run run = {.sectors = 0};
    struct cow_usage usage;
    uint64_t told_bytes = 0;
    int status = cow_image_usage(img, &usage, err);
    if (status == 0) {
        status = cow_scan_open(&scan, img, err);
    }
    if (status != 0) {
        return status;
    }
    do {
        status = cow_scan_run(scan, run.first_sector + run.sectors, &run, err);
        if (status == 0 && run.sectors > 0) {
            counts.sectors[run.origin] += run.sectors;
        }
        if (status == 0 && scan->read_bytes - told_bytes >= PIECE_BYTES) {
            status = image_tell_compared(env, scan->read_bytes, arith_max(usage.allocated_bytes, 1), err);
            told_bytes = scan->read_bytes;
        }
    } while (status == 0 && run.sectors > 0);
    cow_scan_close(scan);
    if (status == 0) {
        status = image_count_mixed(img, &counts.mixed_pages, NULL, err);
    }
    if (status == 0) {
        *out = counts;
    }
    return status;
}

int cow_image_next_mixed(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err)
{
    return cow_image_next_mixed_in(img, sector, UINT64_MAX, out, err);
}

/* The runs' edges are the only places where a page can be mixed. */
int cow_image_next_mixed_in(struct cow_image *img, uint64_t sector, uint64_t limit, struct cow_dirty_run *out,
                            struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    const uint64_t page =
        img->header.sector_bytes < COW_PAGE_BYTES ? COW_PAGE_BYTES / img->header.sector_bytes : 1;
    const uint64_t end = img->layout.sectors;
    if (sector >= end) { /* the end can lie inside a page */
        *out = (struct cow_dirty_run){end, 0};
        return 0;
    }
    struct cow_dirty_run run = {.first_sector = sector / page * page, .sectors = 0};
    do {
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, err);
        if (status != 0) {
            return status;
        }
        const uint64_t run_end = run.first_sector + run.sectors;
        const uint64_t first_page = run.first_sector / page * page, last_page = run_end / page * page;
        const bool first_mixed =
            run.first_sector != first_page || run_end < arith_min(first_page + page, end);
        if (run.sectors > 0 && (first_mixed || (run_end != last_page && run_end < end))) {
            const uint64_t first = first_mixed ? first_page : last_page;
            *out = (struct cow_dirty_run){first, arith_min(page, end - first)};
            return 0;
        }
    } while (run.sectors > 0 && run.first_sector + run.sectors < limit);
    *out = (struct cow_dirty_run){end, 0};
    return 0;
}
