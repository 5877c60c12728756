/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two questions about the image that jobs and views ask alike. A run is looked for from the one before
 * it, for the core walks forward, and a sector may lie in the middle of its run.
 */
#include "tui/jobs/subject.h"

uint64_t tui_subject_sectors(const struct tui_subject *subject)
{
    return cow_image_header(subject->image)->unfinished ? 0 : cow_image_layout(subject->image)->sectors;
}

int tui_subject_run_at(const struct tui_subject *subject, uint64_t sector, struct cow_run *out,
                       struct cow_error *err)
{
    struct cow_run before;
    int status = cow_image_prev_run(subject->image, sector + 1, &before, err);

    if (status != 0) {
        return status;
    }
    return cow_image_next_run(subject->image, before.sectors != 0 ? before.first_sector : sector, out, err);
}
