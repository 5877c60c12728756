/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Collecting the ends. What ends where the disk does is no end within it, and what does not say how large it
 * is has none. The image is borrowed for the slice only.
 */
#include "tui/jobs/ends_job.h"

#include <stdio.h>
#include <string.h>

static bool ends_wait(const void *owner)
{
    const struct tui_ends *ends = owner;

    return !tui_job_is_current(&ends->job) && tui_subject_sectors(ends->job.subject) > 0;
}

static void add_end(struct tui_ends *ends, uint64_t byte, enum tui_end_kind kind,
                    const struct cow_volume *volume)
{
    const struct tui_subject *subject = ends->job.subject;
    uint64_t sector_bytes = cow_image_header(subject->image)->sector_bytes;
    uint64_t sector = byte / sector_bytes + (byte % sector_bytes != 0);

    if (byte == 0 || sector >= tui_subject_sectors(subject) || ends->n == TUI_ENDS_MAX)
        return;
    struct tui_end *end = &ends->end[ends->n++];
    *end = (struct tui_end){.sector = sector, .kind = kind, .partition = volume ? volume->partition : 0};
    if (volume)
        snprintf(end->type, sizeof end->type, "%s", volume->type);
}

static int add_volumes(struct tui_ends *ends, struct cow_error *err)
{
    struct cow_fs *fs = NULL;
    size_t n = 0;
    int status = cow_fs_open(&fs, ends->job.subject->image, err);
    const struct cow_volume *volume = status == 0 ? cow_fs_volumes(fs, &n) : NULL;

    for (size_t i = 0; i < n; i++) {
        if (volume[i].partition > 0)
            add_end(ends, volume[i].first_byte + volume[i].listed_bytes, TUI_END_PARTITION, &volume[i]);
        if (volume[i].fs_bytes > 0)
            add_end(ends, volume[i].first_byte + volume[i].fs_bytes, TUI_END_FILESYSTEM, &volume[i]);
    }
    cow_fs_close(fs);
    return status;
}

static void ends_slice(void *owner)
{
    struct tui_ends *ends = owner;
    const struct cow_backing *backing = cow_image_backing(ends->job.subject->image);

    tui_job_begin(&ends->job);
    ends->n = 0;
    if (backing->state == COW_BACKING_FOUND)
        add_end(ends, backing->size_bytes, TUI_END_BACKING, NULL);
    ends->job.state = add_volumes(ends, &ends->job.error) == 0 ? TUI_JOB_DONE : TUI_JOB_FAILED;
}

static void ends_forget(void *owner)
{
    struct tui_ends *ends = owner;

    ends->n = 0;
    ends->job.state = TUI_JOB_OFF;
    ends->job.generation = 0;
}

static const struct tui_job_class ends_class = {
    .waits = ends_wait, .slice = ends_slice, .forget = ends_forget, .is_fiber = false};

void tui_ends_init(struct tui_ends *ends, const struct tui_subject *subject)
{
    memset(ends, 0, sizeof *ends);
    tui_job_init(&ends->job, &ends_class, ends, subject);
}

const struct tui_end *tui_ends_within(const struct tui_ends *ends, size_t *at, uint64_t first,
                                      uint64_t sectors)
{
    while (*at < ends->n) {
        const struct tui_end *end = &ends->end[(*at)++];
        if (end->sector >= first && end->sector - first < sectors)
            return end;
    }
    return NULL;
}
