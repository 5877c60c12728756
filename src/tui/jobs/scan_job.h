/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The scan: a job that compares the image with its backing file, a slice whenever the loop has nothing else
 * to do. What is on the screen comes first, then the rest. It keeps what fits a screen, never something as
 * long as the disk: the counts of the map's cells, the totals, and the first orphans.
 */
#ifndef COW_TUI_JOBS_SCAN_JOB_H
#define COW_TUI_JOBS_SCAN_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/image.h"
#include "cow/scan.h"
#include "tui/jobs/job.h"

enum { TUI_SCAN_GRIDS = 2, TUI_SCAN_ORPHANS = 64, TUI_SCAN_KEPT = 512 };

struct tui_scan_cell {
    uint64_t sectors[COW_ORIGINS];
};

/* The cells of a map at one zoom and place. */
struct tui_scan_grid {
    uint64_t first_sector, cell_sectors;
    uint64_t end;  /* of the part of it that is on the disk */
    uint64_t next; /* the first sector that was not looked into yet */
    size_t cells;
    struct tui_scan_cell *cell;
};

struct tui_scan {
    struct tui_job job;                        /* stopped: it can go on */
    unsigned epoch;                            /* counts up whenever runs may be other ones than before */
    double drawn;                              /* when what it found was shown last */
    struct cow_scan *reader;                   /* of the pass over the disk */
    struct cow_scan *asked;                    /* of single runs that views ask for, wherever they lie */
    uint64_t at;                               /* the whole disk's pass; all before it was looked into */
    struct cow_scan_counts counts;             /* of all before it */
    uint64_t mixed_at;                         /* all mixed pages before it were counted; that comes last */
    struct tui_scan_grid grid[TUI_SCAN_GRIDS]; /* as shown now; the whole disk, for zooming out again */
    size_t orphans;
    struct cow_dirty_run orphan[TUI_SCAN_ORPHANS]; /* ascending */
    struct {                                       /* runs that were asked for last */
        unsigned generation, epoch;                /* of all of them */
        size_t runs, next;                         /* next: where the next one goes, around and around */
        struct cow_run run[TUI_SCAN_KEPT];
    } kept;
    uint64_t looked; /* how many runs were looked for, instead of being there already */
};

/* Off, nothing known. */
void tui_scan_init(struct tui_scan *scan, const struct tui_subject *subject);

/* Starts or goes on, or stops. */
void tui_scan_toggle(struct tui_scan *scan);

/* Whether runs are looked into. */
bool tui_scan_on(const struct tui_scan *scan);

/* Names the cells that are on the screen. Returns false if there is no memory for them. */
bool tui_scan_show(struct tui_scan *scan, uint64_t first_sector, uint64_t cell_sectors, size_t cells);

/* The counts of a cell on the screen, NULL as long as it was not looked into as a whole. */
const struct tui_scan_cell *tui_scan_cell_at(const struct tui_scan *scan, size_t cell);

/* The whole run that a sector lies in, looked into if a scan was asked for. What is in the COW is then cut at
 * whole MiB of the disk, so that this reads no more than that; the places of runs are kept, so that what was
 * asked for a moment ago costs nothing. At or past the end of the disk: sectors is 0.
 */
int tui_scan_run_at(struct tui_scan *scan, uint64_t sector, struct cow_run *out, struct cow_error *err);

/* How many mixed pages a range touches, counted up to `most`; 0 without a scan. */
uint64_t tui_scan_mixed_pages(const struct tui_scan *scan, uint64_t first_sector, uint64_t sectors,
                              uint64_t most);

/* "scan 37%", "" if there was none. */
void tui_scan_text(const struct tui_scan *scan, char *out, size_t out_bytes);

#endif
