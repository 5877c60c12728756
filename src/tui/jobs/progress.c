/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The arithmetic of progress. The core may do more than it announced, and it announces nothing for work of no
 * length: a share is cut to the whole, and nothing is divided by zero.
 */
#include "tui/jobs/progress.h"

double tui_progress_share(const struct tui_progress *progress)
{
    if (progress->total == 0) {
        return 0;
    }
    double share = (double)progress->done / (double)progress->total;
    return share > 1 ? 1 : share;
}

int tui_progress_percent(const struct tui_progress *progress)
{
    if (progress->total == 0) {
        return 0;
    }
    int percent = (int)(100.0 * (double)progress->done / (double)progress->total);
    return percent > 100 ? 100 : percent;
}

double tui_progress_rate(const struct tui_progress *progress, double now)
{
    return now > progress->started ? (double)(progress->done - progress->from) / (now - progress->started)
                                   : 0;
}

double tui_progress_seconds_left(const struct tui_progress *progress, double now)
{
    double rate = tui_progress_rate(progress, now);

    if (progress->total == 0 || rate <= 0) {
        return -1;
    }
    return progress->total > progress->done ? (double)(progress->total - progress->done) / rate : 0;
}
