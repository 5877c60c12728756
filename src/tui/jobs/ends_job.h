/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where filesystems, partitions and the backing file end within the disk: a job of one slice, for the
 * superblocks have to be read.
 */
#ifndef COW_TUI_JOBS_ENDS_JOB_H
#define COW_TUI_JOBS_ENDS_JOB_H

#include "front/picture/ends.h"
#include "tui/jobs/job.h"

struct tui_ends {
    struct tui_job job; /* failed: only the backing file's end is known */
    struct front_ends known;
};

/* Off, nothing known. */
void tui_ends_init(struct tui_ends *ends, const struct tui_subject *subject);

#endif
