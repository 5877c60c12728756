/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two passes over the same disk: one over the cells on the screen, one over everything for the totals. Where
 * they meet, a run is read once and counts for both; so a map of the whole disk costs one pass.
 *
 * The scan borrows the application's image, unlike the other jobs, because views ask it about single runs all
 * the time; so it has to forget before that image is closed. A stop keeps all that was found, for a disk of
 * terabytes is not begun twice; an end forgets it when it is asked for again, for the files may have changed.
 */
#include "tui/jobs/scan_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/screen/clock.h"

enum { PIECE_BYTES = 1024 * 1024, SCRIPT_SLICES = 8, PAGES_MOST = 4096, MIXED_STEP_SECTORS = 1024 * 1024 };

static const double seconds_between_draws = 0.1;

bool tui_scan_on(const struct tui_scan *scan)
{
    return scan->reader != NULL;
}

static bool grid_waits(const struct tui_scan_grid *grid)
{
    return grid->cells > 0 && grid->next < grid->end;
}

/* When all is done another place or zoom of the map still wants its cells. */
static bool scan_waits(const void *owner)
{
    const struct tui_scan *scan = owner;

    return scan->job.state == TUI_JOB_DONE && grid_waits(&scan->grid[0]);
}

static void scan_forget(void *owner)
{
    struct tui_scan *scan = owner;

    cow_scan_close(scan->reader);
    cow_scan_close(scan->asked);
    for (int i = 0; i < TUI_SCAN_GRIDS; i++) {
        free(scan->grid[i].cell);
    }
    *scan = (struct tui_scan){.job = scan->job, .epoch = scan->epoch + 1};
    scan->job.state = TUI_JOB_OFF;
}

static void rewind_grid(struct tui_scan_grid *grid)
{
    grid->next = grid->first_sector;
    if (grid->cells > 0) {
        memset(grid->cell, 0, grid->cells * sizeof *grid->cell);
    }
}

/* From the beginning: the files may have changed since. */
static void start_scan(struct tui_scan *scan)
{
    memset(&scan->counts, 0, sizeof scan->counts);
    scan->at = scan->mixed_at = 0;
    scan->orphans = 0;
    scan->epoch++;
    for (int i = 0; i < TUI_SCAN_GRIDS; i++) {
        rewind_grid(&scan->grid[i]);
    }
}

static void tell_progress(struct tui_scan *scan)
{
    scan->job.progress.done = scan->at;
    scan->job.progress.total = tui_subject_sectors(scan->job.subject);
}

void tui_scan_toggle(struct tui_scan *scan)
{
    struct tui_job *job = &scan->job;

    job->news = true;
    if (tui_subject_sectors(job->subject) == 0) {
        tui_job_say(job, TUI_WARN, "there is nothing to scan in an unfinished image");
        return;
    }
    if (job->state == TUI_JOB_RUNNING) {
        job->state = TUI_JOB_STOPPED;
        tui_job_say(job, TUI_DIM, "the scan has stopped; s goes on");
        return;
    }
    if (job->state != TUI_JOB_STOPPED) {
        scan_forget(scan); /* what it had read is no longer to be relied on */
        if (cow_scan_open(&scan->reader, job->subject->image, &job->error) != 0 ||
            cow_scan_open(&scan->asked, job->subject->image, &job->error) != 0) {
            scan_forget(scan);
            job->complains = true;
            return;
        }
        start_scan(scan);
    }
    tui_job_begin(job);
    job->progress.from = scan->at;
    tell_progress(scan);
}

static bool same_place(const struct tui_scan_grid *grid, uint64_t first_sector, uint64_t cell_sectors,
                       size_t cells)
{
    return grid->cells == cells && grid->first_sector == first_sector && grid->cell_sectors == cell_sectors;
}

bool tui_scan_show(struct tui_scan *scan, uint64_t first_sector, uint64_t cell_sectors, size_t cells)
{
    struct tui_scan_grid *grid = scan->grid, other = grid[0];
    uint64_t sectors = tui_subject_sectors(scan->job.subject);

    if (same_place(&grid[0], first_sector, cell_sectors, cells)) {
        return true;
    }
    /* The map of the whole disk is the dearest one, and is come back to: it is kept. */
    if (same_place(&grid[1], first_sector, cell_sectors, cells) ||
        (grid[0].cells > 0 && grid[0].first_sector == 0 && grid[0].end == sectors)) {
        grid[0] = grid[1];
        grid[1] = other;
        if (same_place(&grid[0], first_sector, cell_sectors, cells)) {
            return true;
        }
    }
    if (cells > grid[0].cells || grid[0].cell == NULL) {
        struct tui_scan_cell *cell = realloc(grid[0].cell, cells * sizeof *cell);
        if (cell == NULL) {
            grid[0].cells = 0;
            return false;
        }
        grid[0].cell = cell;
    }
    grid[0].cells = cells;
    grid[0].first_sector = first_sector;
    grid[0].cell_sectors = cell_sectors;
    grid[0].end = first_sector + cell_sectors * cells;
    if (grid[0].end > sectors) {
        grid[0].end = sectors;
    }
    rewind_grid(&grid[0]);
    return true;
}

const struct tui_scan_cell *tui_scan_cell_at(const struct tui_scan *scan, size_t cell)
{
    const struct tui_scan_grid *grid = &scan->grid[0];

    if (cell >= grid->cells) {
        return NULL;
    }
    uint64_t end = grid->first_sector + (cell + 1) * grid->cell_sectors;
    return grid->next >= (end < grid->end ? end : grid->end) ? &grid->cell[cell] : NULL;
}

/* Counts a run that begins at grid->next for its cells. */
static void count_cells(struct tui_scan_grid *grid, const struct cow_run *run)
{
    uint64_t end = run->first_sector + run->sectors;

    if (end > grid->end) {
        end = grid->end;
    }
    while (grid->next < end) {
        uint64_t cell = (grid->next - grid->first_sector) / grid->cell_sectors;
        uint64_t cell_end = grid->first_sector + (cell + 1) * grid->cell_sectors;
        uint64_t part = (cell_end < end ? cell_end : end) - grid->next;
        grid->cell[cell].sectors[run->origin] += part;
        grid->next += part;
    }
}

static void keep_orphan(struct tui_scan *scan, const struct cow_run *run)
{
    struct cow_dirty_run *last = scan->orphans > 0 ? &scan->orphan[scan->orphans - 1] : NULL;

    scan->epoch++;
    if (last != NULL && last->first_sector + last->sectors == run->first_sector) {
        last->sectors += run->sectors;
    } else if (scan->orphans < TUI_SCAN_ORPHANS) {
        scan->orphan[scan->orphans++] = (struct cow_dirty_run){run->first_sector, run->sectors};
    }
}

/* Looks into the next run. Returns how many sectors it has, 0 when all have been looked into. */
static int scan_next_run(struct tui_scan *scan, uint64_t *sectors, struct cow_error *err)
{
    bool on_screen = grid_waits(&scan->grid[0]);
    uint64_t sector = on_screen ? scan->grid[0].next : scan->at;
    struct cow_run run;
    int status = cow_scan_run(scan->reader, sector, &run, err);

    *sectors = status != 0 ? 0 : run.sectors;
    if (*sectors == 0) {
        return status;
    }
    if (on_screen) {
        count_cells(&scan->grid[0], &run);
    }
    if (sector == scan->at) {
        scan->counts.sectors[run.origin] += run.sectors;
        scan->at += run.sectors;
        if (run.origin == COW_ORIGIN_ORPHAN) {
            keep_orphan(scan, &run);
        }
    }
    return 0;
}

/* Counts mixed pages, by bits only, in a part of the disk: where there are none at all, their absence is not
 * found in one step. A script's slices do not depend on how fast the machine is. */
static int next_pages(struct tui_scan *scan, bool *more, struct cow_error *err)
{
    bool interactive = scan->job.subject->interactive;
    uint64_t sectors = tui_subject_sectors(scan->job.subject);
    double until = tui_clock() + tui_slice_seconds;
    struct cow_dirty_run page;

    for (int i = 0; (interactive ? tui_clock() < until : i < PAGES_MOST) && scan->mixed_at < sectors; i++) {
        uint64_t limit = interactive ? scan->mixed_at + MIXED_STEP_SECTORS : sectors;
        int status = cow_image_next_mixed_in(scan->job.subject->image, scan->mixed_at, limit, &page, err);
        if (status != 0) {
            return status;
        }
        scan->counts.mixed_pages += page.sectors > 0;
        scan->mixed_at = page.sectors > 0 ? page.first_sector + page.sectors : limit;
    }
    *more = scan->mixed_at < sectors;
    return 0;
}

static void tell_result(struct tui_scan *scan)
{
    const uint64_t *sectors = scan->counts.sectors;

    tui_job_say(&scan->job, TUI_NORMAL,
                "scanned: %" PRIu64 " changed, %" PRIu64 " redundant, %" PRIu64 " zero, %" PRIu64
                " orphan; mixed pages %" PRIu64,
                sectors[COW_ORIGIN_CHANGED], sectors[COW_ORIGIN_REDUNDANT],
                sectors[COW_ORIGIN_ZERO] + sectors[COW_ORIGIN_HOLE], sectors[COW_ORIGIN_ORPHAN],
                scan->counts.mixed_pages);
}

/* Looks into runs as long as the slice lasts; *sectors is 0 when all have been looked into. A script's slices
 * do not depend on how fast the machine is. */
static int walk_runs(struct tui_scan *scan, uint64_t *sectors, struct cow_error *err)
{
    bool interactive = scan->job.subject->interactive;
    double until = tui_clock() + tui_slice_seconds;
    uint64_t walked = 0, most = tui_subject_sectors(scan->job.subject) / SCRIPT_SLICES + 1;
    int status = 0;

    *sectors = 1;
    while (status == 0 && *sectors > 0 && tui_job_waits(&scan->job, true) &&
           (interactive ? tui_clock() < until : walked < most)) {
        status = scan_next_run(scan, sectors, err);
        walked += *sectors;
    }
    return status;
}

static void scan_slice(void *owner)
{
    struct tui_scan *scan = owner;
    struct tui_job *job = &scan->job;
    uint64_t sectors;
    struct cow_error err = {0};
    bool more = true;
    int status = walk_runs(scan, &sectors, &err);

    if (status == 0 && sectors == 0 && job->state == TUI_JOB_RUNNING) {
        status = next_pages(scan, &more, &err);
        if (status == 0 && !more) {
            job->state = TUI_JOB_DONE;
            tell_result(scan);
        }
    }
    tell_progress(scan);
    if (status != 0) {
        job->state = TUI_JOB_STOPPED;
        cow_error_prefix(&err, "the scan has stopped");
        job->error = err;
        job->complains = true;
    }
    if (job->subject->interactive && tui_job_waits(job, true) &&
        tui_clock() - scan->drawn < seconds_between_draws) {
        return;
    }
    scan->drawn = tui_clock();
    job->news = true;
}

static const struct tui_job_class scan_class = {
    .waits = scan_waits, .slice = scan_slice, .forget = scan_forget};

void tui_scan_init(struct tui_scan *scan, const struct tui_subject *subject)
{
    memset(scan, 0, sizeof *scan);
    tui_job_init(&scan->job, &scan_class, scan, subject);
}

/* Cuts a clean run where the known orphans begin and end. */
static void cut_at_orphans(const struct tui_scan *scan, uint64_t sector, struct cow_run *run)
{
    uint64_t first = run->first_sector, end = first + run->sectors;

    for (size_t i = 0; i < scan->orphans; i++) {
        uint64_t from = scan->orphan[i].first_sector, to = from + scan->orphan[i].sectors;
        if (to <= sector && to > first) {
            first = to;
        }
        if (from > sector && from < end) {
            end = from;
        }
        if (from <= sector && sector < to) {
            run->origin = COW_ORIGIN_ORPHAN;
            first = from > first ? from : first;
            end = to < end ? to : end;
        }
    }
    if (run->host_offset != COW_NO_OFFSET) {
        run->host_offset +=
            (int64_t)((first - run->first_sector) * cow_image_header(scan->job.subject->image)->sector_bytes);
    }
    run->first_sector = first;
    run->sectors = end - first;
}

/* Finds the part of a dirty run that the sector lies in: walks the MiB that it lies in from its beginning. */
static int look_into(const struct tui_scan *scan, uint64_t sector, struct cow_run *run, struct cow_error *err)
{
    uint64_t piece = PIECE_BYTES / cow_image_header(scan->job.subject->image)->sector_bytes;
    uint64_t from = sector / piece * piece, to = from + piece;
    uint64_t end = run->first_sector + run->sectors;
    struct cow_run found = {.sectors = 0}, next;

    if (from < run->first_sector) {
        from = run->first_sector;
    }
    if (to > end) {
        to = end;
    }
    for (uint64_t at = from; at < to; at += next.sectors) {
        int status = cow_scan_run(scan->asked, at, &next, err);
        if (status != 0) {
            return status;
        }
        if (next.sectors == 0) {
            break;
        }
        if (next.sectors > to - at) {
            next.sectors = to - at;
        }
        if (found.sectors > 0 && found.origin == next.origin) {
            found.sectors += next.sectors; /* cut by the reader only */
        } else if (found.sectors > 0 && found.first_sector + found.sectors > sector) {
            break;
        } else {
            found = next;
        }
    }
    *run = found;
    return 0;
}

/* The kept run that the sector lies in, or NULL. */
static const struct cow_run *kept_run(struct tui_scan *scan, uint64_t sector)
{
    unsigned generation = scan->job.subject->generation;

    if (scan->kept.generation != generation || scan->kept.epoch != scan->epoch) {
        scan->kept.generation = generation;
        scan->kept.epoch = scan->epoch;
        scan->kept.runs = scan->kept.next = 0;
    }
    for (size_t i = 0; i < scan->kept.runs; i++) {
        const struct cow_run *run = &scan->kept.run[i];
        if (sector >= run->first_sector && sector - run->first_sector < run->sectors) {
            return run;
        }
    }
    return NULL;
}

static void keep_run(struct tui_scan *scan, const struct cow_run *run)
{
    scan->kept.run[scan->kept.next] = *run;
    scan->kept.next = (scan->kept.next + 1) % TUI_SCAN_KEPT;
    if (scan->kept.runs < TUI_SCAN_KEPT) {
        scan->kept.runs++;
    }
}

int tui_scan_run_at(struct tui_scan *scan, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    const struct cow_run *kept = kept_run(scan, sector);
    struct cow_run run = {.sectors = 0};
    int status = 0;

    if (kept != NULL) {
        *out = *kept;
        return 0;
    }
    scan->looked++;
    if (sector < tui_subject_sectors(scan->job.subject)) {
        status = tui_subject_run_at(scan->job.subject, sector, &run, err);
    }
    if (status == 0 && run.sectors > 0 && tui_scan_on(scan)) {
        if (cow_origin_dirty(run.origin)) {
            status = look_into(scan, sector, &run, err);
        } else {
            cut_at_orphans(scan, sector, &run);
        }
    }
    if (status == 0 && run.sectors > 0) {
        keep_run(scan, &run);
    }
    if (status == 0) {
        *out = run;
    }
    return status;
}

uint64_t tui_scan_mixed_pages(const struct tui_scan *scan, uint64_t first_sector, uint64_t sectors,
                              uint64_t most)
{
    uint64_t pages = 0, end = first_sector + sectors, sector = first_sector;
    struct cow_dirty_run page;

    while (tui_scan_on(scan) && pages < most && sector < end &&
           cow_image_next_mixed_in(scan->job.subject->image, sector, end, &page, NULL) == 0 &&
           page.sectors > 0 && page.first_sector < end) {
        pages++;
        sector = page.first_sector + page.sectors;
    }
    return pages;
}

void tui_scan_text(const struct tui_scan *scan, char *out, size_t out_bytes)
{
    out[0] = '\0';
    if (scan->job.state == TUI_JOB_RUNNING) {
        snprintf(out, out_bytes, "scan %d%%", tui_job_percent(&scan->job));
    } else if (scan->job.state == TUI_JOB_STOPPED) {
        snprintf(out, out_bytes, "scan stopped at %d%%", tui_job_percent(&scan->job));
    } else if (scan->job.state == TUI_JOB_DONE) {
        snprintf(out, out_bytes, "scanned");
    }
}
