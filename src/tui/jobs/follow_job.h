/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Following: the image's bits are read again as somebody writes to it, and what is new is kept for the eye:
 * what has become dirty just now and fades, how much a second, all since it began, and whose that is, as soon
 * as the filesystem has been read anew. It is on from F to F, over a reading anew of the image, too.
 */
#ifndef COW_TUI_JOBS_FOLLOW_JOB_H
#define COW_TUI_JOBS_FOLLOW_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/follow.h"
#include "tui/jobs/cells_job.h"
#include "tui/jobs/files_job.h"
#include "tui/jobs/job.h"
#include "tui/jobs/scan_job.h"

enum {
    TUI_FOLLOW_SECONDS = 60, /* of history */
    TUI_GLOWS = 3,           /* how bright what is new is: 3 just now, 2, 1, and 0 no longer */
};

/* Sectors that have become dirty. */
struct tui_fresh {
    uint64_t first, end;
    double at; /* on the job's clock */
};

struct tui_fresh_list {
    struct tui_fresh *run;
    size_t n, room;
    bool is_cut; /* there were more than are kept: what is told of them is less than there is */
};

/* What of the new sectors an owner has. */
struct tui_fresh_share {
    int volume;
    enum cow_fs_class fs_class;
    char *path; /* raw bytes, ours; NULL: of no file */
    uint64_t n_bytes;
};

struct tui_follow {
    struct tui_job job; /* failed: job.error says why it has ended */
    struct tui_cells *cells;
    struct tui_scan *scan;
    struct tui_files *files;
    bool on;
    struct cow_follow *follow; /* NULL: off, or it begins with the next slice */
    struct cow_env env;
    int64_t script_ns;    /* the clock of a script: it goes by ticks */
    double begun;         /* when all bits were known */
    double changed;       /* when something was new last */
    unsigned epoch;       /* counts up with each change */
    uint64_t new_sectors; /* since it began */
    uint64_t new_bytes;
    struct tui_fresh_list glowing;       /* by time; what has faded is forgotten */
    struct tui_fresh_list fresh;         /* all of them, by place */
    uint64_t second[TUI_FOLLOW_SECONDS]; /* bytes that were new in each, a ring */
    uint64_t seconds;                    /* that have passed: the present one is seconds % of the ring */
    struct {
        unsigned files_epoch; /* of the reading that it is of; 0: none */
        bool known;
        size_t run; /* the next one to be asked for */
        uint64_t at;
        struct tui_fresh_share *share; /* by volume and path */
        size_t n, room;
        unsigned answer; /* counts up when it is another one */
    } tally;
    double renewed, renewing; /* when the filesystem was read anew last, and how long that took */
};

/* Off, with nothing known. All are borrowed: cells and scan are told what has changed, files reads the
 * filesystem anew and is asked whose it is. */
void tui_follow_init(struct tui_follow *follow, const struct tui_subject *subject, struct tui_cells *cells,
                     struct tui_scan *scan, struct tui_files *files);

/* Begins, or ends. */
void tui_follow_toggle(struct tui_follow *follow);

/* A tenth of a second has passed: what fades, and the history, may look different now. */
void tui_follow_tick(struct tui_follow *follow);

/* How bright sectors are that became dirty then: TUI_GLOWS to 1, or 0. */
int tui_follow_glow(const struct tui_follow *follow, const struct tui_fresh *fresh);

/* The brightest of [first, end). */
int tui_follow_glow_in(const struct tui_follow *follow, uint64_t first, uint64_t end);

/* Newly dirty bytes a second, of the last few. */
uint64_t tui_follow_rate(const struct tui_follow *follow);

/* Seconds since the bits were known. */
double tui_follow_seconds(const struct tui_follow *follow);

/* How many bytes were new in that second, 0 the present one, up to TUI_FOLLOW_SECONDS - 1 before it. */
uint64_t tui_follow_second(const struct tui_follow *follow, unsigned ago);

/* How much of what is new belongs to the file of that path (so many raw bytes), or (below) to all that is in
 * that directory and itself; path NULL: to the volume. 0 as long as nobody knows. */
uint64_t tui_follow_share(const struct tui_follow *follow, int volume, const char *path, size_t n_bytes,
                          bool below);

/* The same of what belongs to no file: of that class. */
uint64_t tui_follow_class_share(const struct tui_follow *follow, int volume, enum cow_fs_class fs_class);

#endif
