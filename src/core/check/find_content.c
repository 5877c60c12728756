/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bits, and bytes: mixed pages by the bitmap alone; what is redundant, zero or lost by one scan of all data.
 *
 * What compacting would gain is counted in whole pages, for so it works: a page stays dirty as a whole if any
 * of its sectors differs from the backing file, or one of a page that a guest reads together with it. Sectors
 * that equal it but share their page with others are not worth a finding.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/base/arith.h"
#include "core/check/finders.h"
#include "cow/fs.h"
#include "cow/ops.h"
#include "cow/scan.h"
#include "cow/text.h"

int find_mixed_pages(struct checkup *c, struct cow_error *err)
{
    struct cow_dirty_run first = {0, 0};
    char offset[COW_SIZE_TEXT_BYTES];
    uint64_t pages = 0;
    int status = image_count_mixed(c->img, &pages, &first, err);
    if (status == 0 && pages > 0) {
        struct cow_finding *finding = report(
            c, COW_FINDING_MIXED_PAGES,
            "%" PRIu64 " page%s of 4 KiB mix%s sectors of the COW and of the backing file, the first at "
            "%s (sector %" PRIu64 ")",
            pages, plural(pages), pages == 1 ? "es" : "",
            cow_size_text(offset, first.first_sector * c->img->header.sector_bytes), first.first_sector);
        finding->first_sector = first.first_sector;
        finding->sectors = first.sectors;
    }
    return status;
}

/* ---- the scan ---- */

struct amount {
    uint64_t sectors;
    uint64_t allocated;         /* of them no holes: what they cost */
    struct cow_dirty_run first; /* the first run of them */
};

struct content {
    uint64_t page_sectors;
    uint64_t redundant, zero; /* all of them */
    struct amount orphans;
    struct amount droppable; /* redundant, in pages that nothing else keeps */
    struct amount punchable; /* zero, in pages that are zeros as a whole */
    /* the page that is being gone through */
    uint64_t page_first;
    uint64_t page_redundant, page_allocated, page_zero;
    bool page_differs, page_other;
    /* pages that are read together, of which the last one went by */
    const struct cow_fs_scan *joints; /* NULL: each by itself */
    uint64_t sector_bytes;
    uint64_t unit_first, unit_redundant, unit_allocated;
    bool unit_differs;
};

static void add(struct amount *amount, struct cow_dirty_run place, uint64_t sectors, uint64_t allocated)
{
    if (amount->sectors == 0 && sectors > 0) {
        amount->first = place;
    }
    amount->sectors += sectors;
    amount->allocated += allocated;
}

static bool is_scanned_joint(const struct content *t, uint64_t sector)
{
    return t->joints != NULL && cow_fs_read_at_once(t->joints, sector * t->sector_bytes);
}

static void end_unit(struct content *t, uint64_t end)
{
    if (!t->unit_differs) {
        add(&t->droppable, (struct cow_dirty_run){t->unit_first, end - t->unit_first}, t->unit_redundant,
            t->unit_allocated);
    }
    t->unit_first = end;
    t->unit_redundant = t->unit_allocated = 0;
    t->unit_differs = false;
}

/* Do the pages up to `end`, which went by at once, hang together? */
static bool in_one_piece(const struct content *t, uint64_t end)
{
    uint64_t at = end - arith_min(end, t->page_sectors);
    at = arith_div_up(at, t->page_sectors) * t->page_sectors;
    while (at > t->page_first && is_scanned_joint(t, at)) {
        at -= t->page_sectors;
    }
    return at <= t->page_first;
}

static void end_page(struct content *t, uint64_t end)
{
    const struct cow_dirty_run place = {t->page_first, end - t->page_first};
    t->unit_redundant += t->page_redundant;
    t->unit_allocated += t->page_allocated;
    t->unit_differs = t->unit_differs || t->page_differs;
    if (t->joints != NULL && !in_one_piece(t, end)) { /* none of these is redundant: see add_run */
        end_unit(t, t->page_first);
        t->unit_first = end - t->page_sectors;
        t->unit_differs = t->page_differs;
    }
    if (!is_scanned_joint(t, end)) {
        end_unit(t, end);
    }
    if (!t->page_other) {
        add(&t->punchable, place, t->page_zero, t->page_zero);
    }
    t->page_first = end;
    t->page_redundant = t->page_allocated = t->page_zero = 0;
    t->page_differs = t->page_other = false;
}

/* Pages [first, end) that are holes on both sides: what is dirty in them is redundant, and costs nothing.
 * Only the bits are counted, so that a bitmap of noise costs what its size does. Their units: the one that is
 * open when they begin, those that begin and end among them, and the one that goes on behind them. */
static int count_dirty_holes(struct content *t, struct bitmap *bitmap, uint64_t first, uint64_t end,
                             struct cow_error *err)
{
    uint64_t opened = first, closed = end, sectors[3];
    while (opened < end && is_scanned_joint(t, opened)) {
        opened += t->page_sectors;
    }
    while (closed > opened && is_scanned_joint(t, closed)) {
        closed -= t->page_sectors;
    }
    int status = bitmap_count(bitmap, first, opened - first, &sectors[0], err);
    status = status == 0 ? bitmap_count(bitmap, opened, closed - opened, &sectors[1], err) : status;
    status = status == 0 ? bitmap_count(bitmap, closed, end - closed, &sectors[2], err) : status;
    if (status != 0) {
        return status;
    }
    t->redundant += sectors[0] + sectors[1] + sectors[2];
    t->unit_redundant += sectors[0];
    if (opened < end || !is_scanned_joint(t, end)) {
        end_unit(t, opened);
        t->droppable.sectors += sectors[1];
        t->unit_first = closed;
        t->unit_redundant = sectors[2];
    }
    t->page_first = end;
    return 0;
}

/* `sectors` of one origin within a page. */
static void add_to_page(struct content *t, enum cow_origin origin, bool hole, uint64_t sectors)
{
    t->page_redundant += origin == COW_ORIGIN_REDUNDANT ? sectors : 0;
    t->page_allocated += origin == COW_ORIGIN_REDUNDANT && !hole ? sectors : 0;
    t->page_zero += origin == COW_ORIGIN_ZERO ? sectors : 0;
    t->page_differs = t->page_differs || (cow_origin_dirty(origin) && origin != COW_ORIGIN_REDUNDANT);
    t->page_other = t->page_other || (origin != COW_ORIGIN_ZERO && origin != COW_ORIGIN_HOLE);
}

/* A run by pages: the rest of the one it begins in, whole ones at once (unless it matters what each of them
 * hangs together with), and what is left. Runs come in ascending order without gaps. */
static void add_run(struct content *t, const struct cow_run *run, bool hole)
{
    const uint64_t end = run->first_sector + run->sectors;
    uint64_t at = run->first_sector;
    t->redundant += run->origin == COW_ORIGIN_REDUNDANT ? run->sectors : 0;
    t->zero += run->origin == COW_ORIGIN_ZERO ? run->sectors : 0;
    if (run->origin == COW_ORIGIN_ORPHAN) {
        add(&t->orphans, (struct cow_dirty_run){at, run->sectors}, run->sectors, run->sectors);
    }
    while (at < end) {
        const uint64_t page_end = t->page_first + t->page_sectors;
        const uint64_t whole_end = end / t->page_sectors * t->page_sectors;
        const bool at_once = at == t->page_first && whole_end > at &&
                             (t->joints == NULL || run->origin != COW_ORIGIN_REDUNDANT);
        const uint64_t stop = at_once ? whole_end : arith_min(page_end, end);
        add_to_page(t, run->origin, hole, stop - at);
        if (stop >= page_end) {
            end_page(t, stop);
        }
        at = stop;
    }
}

/* What is redundant is that as a hole, too, and costs nothing then: its run is cut where that changes. */
static int add_run_by_holes(struct checkup *c, struct content *t, struct cow_run run, struct cow_error *err)
{
    struct cow_run raw = {.origin = COW_ORIGIN_COW};
    int status = 0;
    while (status == 0 && run.sectors > 0) {
        struct cow_run part = run;
        if (run.origin == COW_ORIGIN_REDUNDANT) {
            status = cow_image_next_run(c->img, run.first_sector, &raw, err);
            part.sectors = arith_min(run.sectors, raw.sectors);
        }
        if (status == 0) {
            add_run(t, &part, raw.origin == COW_ORIGIN_HOLE);
            run.first_sector += part.sectors;
            run.sectors -= part.sectors;
        }
    }
    return status;
}

/* Where bits change more often than pages, and neither file has data: *run becomes the pages that were added
 * at once. Not before the first that can be dropped is known, which is pointed at. */
static int skip_holes(struct checkup *c, struct content *t, struct cow_run *run, struct cow_error *err)
{
    const uint64_t first = run->first_sector + run->sectors;
    uint64_t sectors = 0;
    if (run->sectors >= t->page_sectors || first != t->page_first || t->droppable.sectors == 0) {
        return 0;
    }
    int status = image_hole(c->img, first, &sectors, err);
    sectors -= sectors % t->page_sectors;
    if (status == 0 && sectors > 0) {
        *run = (struct cow_run){.first_sector = first, .sectors = sectors};
        status = count_dirty_holes(t, c->img->bitmap, first, first + sectors, err);
    }
    return status;
}

/* A run of less than a page ends with its page, so that there is a place to go on from by holes. Orphans are
 * pointed at by whole runs, and have data. */
static void cut_at_page(const struct content *t, struct cow_run *run)
{
    const uint64_t page_end = t->page_first + t->page_sectors;
    if (run->sectors < t->page_sectors && run->first_sector < page_end && run->origin != COW_ORIGIN_ORPHAN) {
        run->sectors = arith_min(run->sectors, page_end - run->first_sector);
    }
}

static int scan_content(struct checkup *c, struct content *t, struct cow_error *err)
{
    const uint64_t sector_bytes = c->img->header.sector_bytes,
                   total_bytes = arith_max(c->usage.dirty_bytes, 1);
    uint64_t done_bytes = 0, passed_bytes = 0;
    struct cow_run run = {.sectors = 0};
    struct cow_scan *scan;
    int status = cow_scan_open(&scan, c->img, err);
    if (status != 0) {
        return status;
    }
    do {
        status = skip_holes(c, t, &run, err);
        status = status == 0 ? cow_scan_run(scan, run.first_sector + run.sectors, &run, err) : status;
        if (status == 0) {
            cut_at_page(t, &run);
            status = add_run_by_holes(c, t, run, err);
            passed_bytes += run.sectors * sector_bytes;
            done_bytes += cow_origin_dirty(run.origin) ? run.sectors * sector_bytes : 0;
        }
        if (status == 0 && passed_bytes >= 1024 * 1024) { /* clean sectors that have data are read, too */
            passed_bytes = 0;
            status = image_tell_compared(c->env, done_bytes, total_bytes, err);
        }
    } while (status == 0 && run.sectors > 0);
    cow_scan_close(scan);
    if (status == 0 && t->page_first < c->img->layout.sectors) {
        end_page(t, c->img->layout.sectors);
    }
    return status;
}

static void point_at(struct cow_finding *finding, const struct amount *amount)
{
    finding->first_sector = amount->first.first_sector;
    finding->sectors = amount->first.sectors;
}

static void report_orphans(struct checkup *c, const struct amount *orphans)
{
    char size[COW_SIZE_TEXT_BYTES];
    if (orphans->sectors > 0) {
        point_at(report(c, COW_FINDING_ORPHANS,
                        "%" PRIu64 " clean sector%s other data in the COW (%s), from sector %" PRIu64
                        " on: writes that a crash lost",
                        orphans->sectors, orphans->sectors == 1 ? " has" : "s have",
                        cow_size_text(size, orphans->sectors * c->img->header.sector_bytes),
                        orphans->first.first_sector),
                 orphans);
    }
}

/* What compacting would add, and make of the file: the plan itself is asked, for pages that a guest reads
 * together with dirty ones cannot be counted without it. Its bytes are read again, so only where there are
 * such. "" where nothing can be planned now (another date of the backing file...), and nothing is added. */
static int what_is_added(char *out, size_t out_bytes, struct checkup *c, struct cow_error *err)
{
    const struct cow_rewrite_options options = {.compact = true, .env = c->env};
    char size[COW_SIZE_TEXT_BYTES], before[COW_SIZE_TEXT_BYTES];
    struct cow_plan *plan;
    struct cow_error why;
    out[0] = '\0';
    int status = cow_plan_rewrite(&plan, c->img, &options, &why);
    if (status == COW_CANCELLED || status == COW_NO_MEMORY) {
        *err = why;
        return status;
    }
    if (status != 0) {
        return 0;
    }
    const struct cow_preview *p = cow_plan_preview(plan);
    if (p->has_after_allocated) {
        size_t used = 0;
        if (p->added_sectors > 0) {
            used =
                (size_t)snprintf(out, out_bytes, ", and adds %" PRIu64 " that are read together with others",
                                 p->added_sectors);
        }
        snprintf(out + used, out_bytes - used, ": the file takes %s%s then, now %s",
                 p->space_is_about ? "about " : "", cow_size_text(size, p->after_allocated_bytes),
                 cow_size_text(before, p->before_allocated_bytes));
    }
    cow_plan_free(plan);
    return 0;
}

static int report_costs(struct checkup *c, const struct content *t, struct cow_error *err)
{
    const uint64_t sector_bytes = c->img->header.sector_bytes, dirty = c->usage.dirty_sectors;
    char size[COW_SIZE_TEXT_BYTES], allocated[COW_SIZE_TEXT_BYTES], added[200] = "";
    int status =
        t->joints != NULL && t->droppable.sectors > 0 ? what_is_added(added, sizeof added, c, err) : 0;
    if (t->droppable.sectors > 0) {
        point_at(report(c, COW_FINDING_REDUNDANT,
                        "%" PRIu64 " of %" PRIu64
                        " dirty sectors equal the backing file; compacting drops %" PRIu64
                        " of them, whole pages: %s, of which %s take space%s",
                        t->redundant, dirty, t->droppable.sectors,
                        cow_size_text(size, t->droppable.sectors * sector_bytes),
                        cow_size_text(allocated, t->droppable.allocated * sector_bytes), added),
                 &t->droppable);
    }
    if (t->punchable.sectors > 0) {
        point_at(report(c, COW_FINDING_ZEROS,
                        "%" PRIu64 " of %" PRIu64
                        " dirty sectors are written zeros; compacting makes holes of %" PRIu64
                        " of them, whole pages: %s",
                        t->zero, dirty, t->punchable.sectors,
                        cow_size_text(size, t->punchable.sectors * sector_bytes)),
                 &t->punchable);
    }
    return status;
}

/* What a guest reads together, where its filesystem makes that matter: compacting keeps it together. */
static int find_joints(struct checkup *c, struct cow_fs_scan **joints, struct cow_error *err)
{
    const struct cow_fs_scan_options options = {.owners_only = true, .look_around = true, .env = c->env};
    return cow_fs_reads_across(c->fs) ? cow_fs_scan(joints, c->fs, &options, err) : 0;
}

/* Where whole pages are dirty, and a page of a file lies across the border to those that are not. */
static int count_split(struct checkup *c, const struct cow_fs_scan *joints, struct amount *out,
                       struct cow_error *err)
{
    const uint64_t sector_bytes = c->img->header.sector_bytes, sectors = c->img->layout.sectors;
    const uint64_t page_sectors = arith_max(COW_PAGE_BYTES / sector_bytes, 1);
    struct cow_dirty_run run = {.sectors = 0};
    int status = 0;
    do {
        status = cow_image_next_dirty(c->img, run.first_sector + run.sectors, &run, err);
        const uint64_t edge[2] = {run.first_sector, run.first_sector + run.sectors};
        for (unsigned i = 0; status == 0 && run.sectors > 0 && i < 2; i++) {
            if (edge[i] > 0 && edge[i] < sectors && edge[i] % page_sectors == 0 &&
                cow_fs_read_at_once(joints, edge[i] * sector_bytes)) {
                add(out, (struct cow_dirty_run){edge[i], arith_min(page_sectors, sectors - edge[i])}, 1, 0);
            }
        }
    } while (status == 0 && run.sectors > 0);
    return status;
}

/* Pages that are mixed have been told already, and their fix is the same. */
static int find_split_pieces(struct checkup *c, const struct cow_fs_scan *joints, struct cow_error *err)
{
    struct amount split = {.sectors = 0};
    char offset[COW_SIZE_TEXT_BYTES];
    int status =
        joints == NULL || c->found[COW_FINDING_MIXED_PAGES] ? 0 : count_split(c, joints, &split, err);
    if (status == 0 && split.sectors > 0) {
        struct cow_finding *finding =
            report(c, COW_FINDING_MIXED_PAGES,
                   "%" PRIu64
                   " piece%s that the guest reads at once, for a page of a file lies there, mix%s sectors of "
                   "the COW and of the backing file, the first at %s (sector %" PRIu64 ")",
                   split.sectors, plural(split.sectors), split.sectors == 1 ? "es" : "",
                   cow_size_text(offset, split.first.first_sector * c->img->header.sector_bytes),
                   split.first.first_sector);
        finding->first_sector = split.first.first_sector;
        finding->sectors = split.first.sectors;
    }
    return status;
}

int find_content(struct checkup *c, struct cow_error *err)
{
    struct content t = {.page_sectors = arith_max(COW_PAGE_BYTES / c->img->header.sector_bytes, 1),
                        .sector_bytes = c->img->header.sector_bytes};
    struct cow_fs_scan *joints = NULL;
    int status = find_joints(c, &joints, err);
    if (status == 0) {
        t.joints = joints;
        status = find_split_pieces(c, joints, err);
    }
    if (status == 0) {
        status = scan_content(c, &t, err);
    }
    if (status == 0) {
        report_orphans(c, &t.orphans);
        status = report_costs(c, &t, err);
    }
    cow_fs_scan_free(joints);
    return status;
}
