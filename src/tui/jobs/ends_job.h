/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where filesystems, partitions and the backing file end within the disk: a job of one slice, for the
 * superblocks have to be read.
 */
#ifndef COW_TUI_JOBS_ENDS_JOB_H
#define COW_TUI_JOBS_ENDS_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"
#include "tui/jobs/job.h"

/* From the weak to the strong: where several end in one cell, it has the mark of the last. */
enum tui_end_kind { TUI_END_PARTITION, TUI_END_FILESYSTEM, TUI_END_BACKING, TUI_END_KINDS };

struct tui_end {
    uint64_t sector; /* the first one behind it; it is on the disk */
    enum tui_end_kind kind;
    unsigned partition;               /* 0: the whole disk */
    char type[COW_VOLUME_TEXT_BYTES]; /* of a filesystem, as libblkid names it */
};

enum { TUI_ENDS_MAX = 2 * COW_VOLUMES_MAX + 1 };

struct tui_ends {
    struct tui_job job; /* failed: only the backing file's end is known */
    size_t n;
    struct tui_end end[TUI_ENDS_MAX];
};

/* Off, nothing known. */
void tui_ends_init(struct tui_ends *ends, const struct tui_subject *subject);

/* The next end from `at` on within [first, first + sectors); NULL: none. *at moves behind it; 0 to begin. */
const struct tui_end *tui_ends_within(const struct tui_ends *ends, size_t *at, uint64_t first,
                                      uint64_t sectors);

#endif
