/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counting: how much of each cell of a map is in the COW, and of the whole disk. What was counted is kept, of
 * the windows that were shown last, too, until the image is read anew; what is not counted yet is told as
 * that, so nobody who draws ever waits for a bitmap of gigabytes.
 */
#ifndef COW_TUI_JOBS_CELLS_JOB_H
#define COW_TUI_JOBS_CELLS_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/image.h"
#include "tui/jobs/job.h"

enum { TUI_CELL_WINDOWS = 6 };

/* The cells of a map at one zoom and place. */
struct tui_cell_window {
    uint64_t first_sector, cell_sectors;
    size_t cells;   /* 0: none */
    size_t counted; /* of them, from the first on */
    uint64_t at;    /* the next sector to be counted */
    unsigned shown; /* when it was shown last */
    struct cow_density *count;
    bool *stale;       /* of each: its bits are other ones than when it was counted; NULL: of none */
    size_t n_stale;    /* how many are */
    size_t next_stale; /* none is before it */
};

struct tui_cells {
    struct tui_job job; /* runs while the whole disk is counted; failed: job.error says why */
    unsigned shows;
    int now; /* the window that is on the screen */
    struct tui_cell_window window[TUI_CELL_WINDOWS];
    uint64_t counted; /* all sectors of the disk before it were counted */
    bool usage_known;
    struct cow_usage usage; /* of the whole disk */
    uint64_t steps;         /* that were done so far: each is of one page of bits (64 KiB) at most */
    double drawn;           /* when what was counted was shown last */
};

/* Nothing is known. The subject need not be filled yet. */
void tui_cells_init(struct tui_cells *cells, const struct tui_subject *subject);

/* Frees what is kept. */
void tui_cells_end(struct tui_cells *cells);

/* The image was read anew: begins to count it, as much as a slice does; in a script all. */
void tui_cells_again(struct tui_cells *cells);

/* The bits of these sectors are other ones now. What is on the screen stays as it was counted until it is
 * counted again, which waits as new cells do. */
void tui_cells_changed(struct tui_cells *cells, uint64_t first_sector, uint64_t sectors);

/* So many sectors of the disk are dirty now: for the usage, where it is known already. */
void tui_cells_told(struct tui_cells *cells, uint64_t dirty_sectors);

/* Names the cells that are on the screen, `cells` of them, the first from first_sector on; those that were
 * not counted before are begun with, as many as a slice does; in a script all. Errors: COW_NO_MEMORY, and
 * what the core could not read. */
int tui_cells_show(struct tui_cells *cells, uint64_t first_sector, uint64_t cell_sectors, size_t n_cells,
                   struct cow_error *err);

/* The counts of one of them; behind the end of the disk its sectors are 0. NULL: not counted yet. Until the
 * next tui_cells_show. */
const struct cow_density *tui_cells_at(const struct tui_cells *cells, size_t cell);
/* All of them that were counted, from the first on. */
const struct cow_density *tui_cells_counts(const struct tui_cells *cells, size_t *counted);

#endif
