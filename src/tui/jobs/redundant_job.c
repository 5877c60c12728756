/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A walk along what is in the COW: each piece has an owner, and the scan says of its sectors whether they are
 * redundant. Which file an owner is, a sorted array tells; owners that are no changed files do not count.
 */
#include "tui/jobs/redundant_job.h"

#include <stdlib.h>
#include <string.h>

#include "tui/screen/clock.h"

enum { SCRIPT_STEPS = 2 };

static const double redundant_slice_seconds = 0.01;

struct tui_redundant_file {
    int volume;
    uint64_t inode;
    size_t file; /* its place among the changed ones */
};

static int by_inode(const void *left, const void *right)
{
    const struct tui_redundant_file *a = left, *b = right;

    if (a->volume != b->volume) {
        return a->volume < b->volume ? -1 : 1;
    }
    return (a->inode > b->inode) - (a->inode < b->inode);
}

bool tui_redundant_known(const struct tui_redundant *redundant)
{
    return redundant->job.state == TUI_JOB_DONE && tui_job_is_current(&redundant->job) &&
           tui_files_known(redundant->files) && redundant->epoch == redundant->files->epoch;
}

static bool redundant_waits(const void *owner)
{
    const struct tui_redundant *redundant = owner;
    bool is_of_these = tui_job_is_current(&redundant->job) && redundant->epoch == redundant->files->epoch;

    return tui_scan_on(redundant->scan) && tui_files_known(redundant->files) && !is_of_these;
}

static void redundant_forget(void *owner)
{
    struct tui_redundant *redundant = owner;

    cow_scan_close(redundant->reader);
    free(redundant->index);
    free(redundant->bytes);
    redundant->reader = NULL;
    redundant->index = NULL;
    redundant->bytes = NULL;
    redundant->n = 0;
    redundant->answer++;
    redundant->job.state = TUI_JOB_OFF;
    redundant->job.generation = 0;
}

static int begin_redundant(struct tui_redundant *redundant, struct cow_error *err)
{
    size_t n;
    const struct cow_fs_file *file = cow_fs_files(redundant->files->scan, &n);

    redundant_forget(redundant);
    tui_job_begin(&redundant->job);
    redundant->epoch = redundant->files->epoch;
    redundant->at = 0;
    redundant->index = calloc(n + 1, sizeof *redundant->index);
    redundant->bytes = calloc(n + 1, sizeof *redundant->bytes);
    if (redundant->index == NULL || redundant->bytes == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        if (file[i].kind != COW_FS_KIND_REMOVED) { /* its inode may be another one's now */
            redundant->index[redundant->n++] = (struct tui_redundant_file){file[i].volume, file[i].inode, i};
        }
    }
    qsort(redundant->index, redundant->n, sizeof *redundant->index, by_inode);
    return cow_scan_open(&redundant->reader, redundant->job.subject->image, err);
}

static void count_redundant(struct tui_redundant *redundant, const struct cow_fs_owner *owner,
                            uint64_t n_bytes)
{
    const struct tui_redundant_file wanted = {.volume = owner->volume, .inode = owner->inode};
    const struct tui_redundant_file *found =
        owner->inode == 0 || !cow_fs_class_of_file(owner->fs_class)
            ? NULL
            : bsearch(&wanted, redundant->index, redundant->n, sizeof wanted, by_inode);

    if (found != NULL) {
        redundant->bytes[found->file] += n_bytes;
    }
}

/* The next stretch that is one owner's, and of one origin. */
static int step_redundant(struct tui_redundant *redundant, struct cow_error *err)
{
    struct cow_image *image = redundant->job.subject->image;
    const uint64_t sector_bytes = cow_image_header(image)->sector_bytes;
    struct cow_dirty_run dirty;
    struct cow_fs_owner owner;
    struct cow_run run;
    int status = cow_image_next_dirty(image, redundant->at / sector_bytes, &dirty, err);

    if (status == 0 && dirty.sectors == 0) {
        redundant->job.state = TUI_JOB_DONE;
        redundant->answer++;
    }
    if (status != 0 || dirty.sectors == 0) {
        return status;
    }
    if (redundant->at < dirty.first_sector * sector_bytes) {
        redundant->at = dirty.first_sector * sector_bytes;
    }
    status = cow_fs_class_at(redundant->files->scan, redundant->at, &owner, err);
    if (status == 0) {
        status = cow_scan_run(redundant->reader, redundant->at / sector_bytes, &run, err);
    }
    if (status != 0) {
        return status;
    }
    uint64_t end = (dirty.first_sector + dirty.sectors) * sector_bytes,
             of_owner = owner.first_byte + owner.length_bytes;
    uint64_t of_run = (run.first_sector + run.sectors) * sector_bytes;
    end = of_owner < end ? of_owner : end;
    end = of_run < end ? of_run : end;
    if (end <= redundant->at) {
        end = redundant->at + sector_bytes;
    }
    if (run.origin == COW_ORIGIN_REDUNDANT) {
        count_redundant(redundant, &owner, end - redundant->at);
    }
    redundant->at = end;
    return 0;
}

static void redundant_slice(void *owner)
{
    struct tui_redundant *redundant = owner;
    struct tui_job *job = &redundant->job;
    struct cow_error err = {0};
    double until = tui_clock() + redundant_slice_seconds;
    int before = tui_job_percent(job), status = 0;

    if (job->state != TUI_JOB_RUNNING) {
        status = begin_redundant(redundant, &err);
    }
    if (!tui_job_is_current(job) || !tui_files_known(redundant->files) ||
        redundant->epoch != redundant->files->epoch) {
        job->state = TUI_JOB_OFF; /* it begins again when those are known */
    }
    if (job->stop && job->state == TUI_JOB_RUNNING) {
        job->state = TUI_JOB_STOPPED; /* until the files are read anew, or a scan begins */
    }
    for (int i = 0; job->state == TUI_JOB_RUNNING && status == 0 &&
                    (job->subject->interactive ? tui_clock() < until : i < SCRIPT_STEPS);
         i++) {
        status = step_redundant(redundant, &err);
    }
    if (status != 0) {
        job->state = TUI_JOB_FAILED;
        job->error = err;
        job->complains = true;
    }
    job->progress.done = redundant->at;
    job->progress.total = cow_image_header(job->subject->image)->size_bytes;
    job->news |= job->state != TUI_JOB_RUNNING || tui_job_percent(job) != before;
    if (job->state != TUI_JOB_RUNNING) {
        cow_scan_close(redundant->reader);
        redundant->reader = NULL;
    }
}

uint64_t tui_redundant_bytes(const struct tui_redundant *redundant, const struct cow_fs_file *file)
{
    size_t n;

    return tui_redundant_known(redundant) ? redundant->bytes[file - cow_fs_files(redundant->files->scan, &n)]
                                          : 0;
}

static const struct tui_job_class redundant_class = {
    .waits = redundant_waits, .slice = redundant_slice, .forget = redundant_forget};

void tui_redundant_init(struct tui_redundant *redundant, const struct tui_subject *subject,
                        const struct tui_files *files, const struct tui_scan *scan)
{
    memset(redundant, 0, sizeof *redundant);
    redundant->files = files;
    redundant->scan = scan;
    tui_job_init(&redundant->job, &redundant_class, redundant, subject);
}
