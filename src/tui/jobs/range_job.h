/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much of a range of the disk is redundant: in the COW, and equal to what the backing file has. A job,
 * for what the COW holds of the range is read.
 */
#ifndef COW_TUI_JOBS_RANGE_JOB_H
#define COW_TUI_JOBS_RANGE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/scan.h"
#include "tui/jobs/job.h"
#include "tui/jobs/scan_job.h"

struct tui_range {
    struct tui_job job; /* done: redundant_sectors is all of it; stopped: of this range it is not counted */
    const struct tui_scan *scan;
    struct cow_scan *reader;
    uint64_t first, end; /* sectors [first, end); empty: none is named */
    uint64_t at;         /* all before it was counted */
    uint64_t redundant_sectors;
};

/* Off, no range named. */
void tui_range_init(struct tui_range *range, const struct tui_subject *subject, const struct tui_scan *scan);

/* Names the range that is shown. It is counted where a scan is on, from its beginning if it is another one
 * than before. */
void tui_range_show(struct tui_range *range, uint64_t first, uint64_t end);

/* Whether the redundant sectors of that range are known. */
bool tui_range_known(const struct tui_range *range);

#endif
