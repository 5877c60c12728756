/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The core keeps a count of each page of bits, so counting the disk once makes most windows cheap; what is
 * kept here is what a window took beyond that. What is on the screen comes first, then the whole disk.
 *
 * A step is one question to the core, about the part of a cell that lies in one page of bits (64 KiB): so a
 * slice ends within the reading of a page of its time, however large the cells are.
 */
#include "tui/jobs/cells_job.h"

#include <stdlib.h>
#include <string.h>

#include "tui/screen/clock.h"

enum { PAGE_SECTORS = 8 * COW_DENSITY_UNIT_SECTORS };

static const double seconds_between_draws = 0.1;

static struct tui_cell_window *window_now(struct tui_cells *cells)
{
    return &cells->window[cells->now];
}

static bool window_waits(const struct tui_cells *cells)
{
    const struct tui_cell_window *window = &cells->window[cells->now];

    return window->counted < window->cells;
}

/* Of the whole disk nobody asks: it runs until it is done. */
static bool cells_wait(const void *owner)
{
    const struct tui_cells *cells = owner;

    return cells->job.state != TUI_JOB_FAILED &&
           (window_waits(cells) || cells->window[cells->now].n_stale > 0);
}

/* The next time that it is shown it is counted anew. */
static void forget_window(struct tui_cell_window *window)
{
    window->cells = window->counted = 0;
    window->n_stale = 0;
}

static void cells_forget(void *owner)
{
    struct tui_cells *cells = owner;

    for (int i = 0; i < TUI_CELL_WINDOWS; i++) {
        forget_window(&cells->window[i]);
    }
    cells->counted = 0;
    cells->usage_known = false;
    cells->job.state = TUI_JOB_OFF;
}

/* The next part of a cell, or what lies behind the end of the disk. */
static int count_part(struct tui_cells *cells, struct cow_error *err)
{
    struct tui_cell_window *window = window_now(cells);
    uint64_t first = window->first_sector + window->counted * window->cell_sectors;
    uint64_t end = first + window->cell_sectors, part_end = (window->at / PAGE_SECTORS + 1) * PAGE_SECTORS;
    struct cow_density part = {0, 0, 0}, *count = &window->count[window->counted];
    bool outside = window->at >= tui_subject_sectors(cells->job.subject);

    part_end = outside || part_end > end ? end : part_end;
    int status =
        outside ? 0
                : cow_image_density(cells->job.subject->image, window->at, part_end - window->at, &part, err);
    if (status != 0) {
        return status;
    }
    if (window->at == first) {
        *count = (struct cow_density){0, 0, 0};
    }
    count->sectors += part.sectors;
    count->dirty_sectors += part.dirty_sectors;
    count->beyond_backing_sectors += part.beyond_backing_sectors;
    window->at = part_end;
    window->counted += part_end == end;
    return 0;
}

/* The next of the cells whose bits have changed, as a whole: all of its other pages are counted already. */
static int count_stale(struct tui_cells *cells, struct cow_error *err)
{
    struct tui_cell_window *window = window_now(cells);
    size_t cell = window->next_stale;

    while (!window->stale[cell]) {
        cell++;
    }
    window->next_stale = cell;
    int status =
        cow_image_density(cells->job.subject->image, window->first_sector + cell * window->cell_sectors,
                          window->cell_sectors, &window->count[cell], err);
    window->stale[cell] = false;
    window->n_stale--;
    return status;
}

/* The next page of bits, or behind the last one the sum of all. */
static int count_page(struct tui_cells *cells, struct cow_error *err)
{
    struct cow_image *image = cells->job.subject->image;
    uint64_t sectors = tui_subject_sectors(cells->job.subject);
    struct cow_density count;

    if (cells->counted < sectors) {
        int status = cow_image_density(image, cells->counted, PAGE_SECTORS, &count, err);
        cells->counted += status == 0 ? PAGE_SECTORS : 0;
        return status;
    }
    int status = cow_image_usage(image, &cells->usage, err);
    cells->usage_known = status == 0;
    cells->job.state = status == 0 ? TUI_JOB_DONE : cells->job.state;
    return status;
}

static bool has_work(const struct tui_cells *cells)
{
    return cells->job.state == TUI_JOB_RUNNING || cells_wait(cells);
}

/* Counts as long as the slice lasts; in a script to the end. */
static void count_some(struct tui_cells *cells)
{
    struct tui_job *job = &cells->job;
    double until = tui_clock() + tui_slice_seconds;
    struct cow_error err = {0};
    int status = 0;

    while (status == 0 && has_work(cells) && (!job->subject->interactive || tui_clock() < until)) {
        status = window_now(cells)->n_stale > 0 ? count_stale(cells, &err)
                 : window_waits(cells)          ? count_part(cells, &err)
                                                : count_page(cells, &err);
        cells->steps++;
    }
    job->progress.done = cells->counted;
    job->progress.total = tui_subject_sectors(job->subject);
    if (status != 0) {
        job->state = TUI_JOB_FAILED;
        job->error = err;
    }
}

static void cells_slice(void *owner)
{
    struct tui_cells *cells = owner;

    count_some(cells);
    if (has_work(cells) && tui_clock() - cells->drawn < seconds_between_draws) {
        return;
    }
    cells->drawn = tui_clock();
    cells->job.news = true;
}

static const struct tui_job_class cells_class = {
    .waits = cells_wait, .slice = cells_slice, .forget = cells_forget};

void tui_cells_init(struct tui_cells *cells, const struct tui_subject *subject)
{
    memset(cells, 0, sizeof *cells);
    tui_job_init(&cells->job, &cells_class, cells, subject);
}

void tui_cells_end(struct tui_cells *cells)
{
    cells_forget(cells);
    for (int i = 0; i < TUI_CELL_WINDOWS; i++) {
        free(cells->window[i].count);
        free(cells->window[i].stale);
        cells->window[i].count = NULL;
        cells->window[i].stale = NULL;
    }
}

void tui_cells_again(struct tui_cells *cells)
{
    cells_forget(cells);
    if (tui_subject_sectors(cells->job.subject) == 0) {
        return;
    }
    tui_job_begin(&cells->job);
    cells->drawn = tui_clock();
    count_some(cells);
}

/* Notes the cells of [first, end) that were counted. */
static bool note_stale(struct tui_cell_window *window, uint64_t first, uint64_t end)
{
    if (window->stale == NULL) {
        window->stale = calloc(window->cells, sizeof *window->stale);
    }
    if (window->stale == NULL) {
        return false;
    }
    size_t cell =
        first > window->first_sector ? (size_t)((first - window->first_sector) / window->cell_sectors) : 0;
    if (window->n_stale == 0 || cell < window->next_stale) {
        window->next_stale = cell;
    }
    for (; cell < window->counted && window->first_sector + cell * window->cell_sectors < end; cell++) {
        window->n_stale += !window->stale[cell];
        window->stale[cell] = true;
    }
    return true;
}

void tui_cells_changed(struct tui_cells *cells, uint64_t first_sector, uint64_t sectors)
{
    for (int i = 0; i < TUI_CELL_WINDOWS; i++) {
        struct tui_cell_window *window = &cells->window[i];
        uint64_t end = window->first_sector + window->cells * window->cell_sectors;
        if (window->cells == 0 || first_sector >= end || first_sector + sectors <= window->first_sector) {
            continue;
        }
        if (i != cells->now || !note_stale(window, first_sector, first_sector + sectors)) {
            forget_window(window);
        } else if (window->counted < window->cells) { /* a cell may be counted in part */
            window->at = window->first_sector + window->counted * window->cell_sectors;
        }
    }
}

void tui_cells_told(struct tui_cells *cells, uint64_t dirty_sectors)
{
    const struct cow_header *header = cow_image_header(cells->job.subject->image);
    uint64_t sectors = tui_subject_sectors(cells->job.subject);
    struct cow_density last = {0, 0, 0};

    if (!cells->usage_known || cells->usage.dirty_sectors == dirty_sectors ||
        cow_image_density(cells->job.subject->image, sectors - 1, 1, &last, NULL) != 0) {
        return;
    }
    cells->usage.dirty_sectors = dirty_sectors;
    cells->usage.dirty_bytes = dirty_sectors * header->sector_bytes;
    if (last.dirty_sectors > 0) {
        cells->usage.dirty_bytes -= sectors * header->sector_bytes - header->size_bytes;
    }
    cells->job.news = true;
}

/* The window at that zoom and place, or the one that was not shown for longest. */
static int find_window(const struct tui_cells *cells, uint64_t first_sector, uint64_t cell_sectors,
                       size_t n_cells)
{
    int oldest = 0;

    for (int i = 0; i < TUI_CELL_WINDOWS; i++) {
        const struct tui_cell_window *window = &cells->window[i];
        if (window->cells == n_cells && window->first_sector == first_sector &&
            window->cell_sectors == cell_sectors) {
            return i;
        }
        if (window->shown < cells->window[oldest].shown) {
            oldest = i;
        }
    }
    return oldest;
}

int tui_cells_show(struct tui_cells *cells, uint64_t first_sector, uint64_t cell_sectors, size_t n_cells,
                   struct cow_error *err)
{
    cells->now = find_window(cells, first_sector, cell_sectors, n_cells);
    struct tui_cell_window *window = window_now(cells);

    window->shown = ++cells->shows;
    if (window->cells != n_cells || window->first_sector != first_sector ||
        window->cell_sectors != cell_sectors) {
        struct cow_density *count = realloc(window->count, n_cells * sizeof *count);
        free(window->stale);
        window->stale = NULL;
        forget_window(window);
        if (count == NULL) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        *window = (struct tui_cell_window){.first_sector = first_sector,
                                           .cell_sectors = cell_sectors,
                                           .cells = n_cells,
                                           .at = first_sector,
                                           .shown = cells->shows,
                                           .count = count};
    }
    if (cells_wait(cells)) {
        count_some(cells);
    }
    if (cells->job.state != TUI_JOB_FAILED) {
        return 0;
    }
    if (err != NULL) {
        *err = cells->job.error;
    }
    return cells->job.error.status;
}

const struct cow_density *tui_cells_at(const struct tui_cells *cells, size_t cell)
{
    const struct tui_cell_window *window = &cells->window[cells->now];

    return cell < window->counted ? &window->count[cell] : NULL;
}

const struct cow_density *tui_cells_counts(const struct tui_cells *cells, size_t *counted)
{
    *counted = cells->window[cells->now].counted;
    return cells->window[cells->now].count;
}
