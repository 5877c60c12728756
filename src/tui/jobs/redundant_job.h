/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much of each changed file is redundant: in the COW, and equal to what the backing file has. A job that
 * reads what the COW holds, once; so it runs only where the bytes are compared anyhow, and Files is shown.
 */
#ifndef COW_TUI_JOBS_REDUNDANT_JOB_H
#define COW_TUI_JOBS_REDUNDANT_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/scan.h"
#include "tui/jobs/files_job.h"
#include "tui/jobs/scan_job.h"

struct tui_redundant_file;

struct tui_redundant {
    struct tui_job job; /* of files->epoch as it was when it began */
    const struct tui_files *files;
    const struct tui_scan *scan;
    unsigned epoch;  /* of the files that this is of */
    unsigned answer; /* counts up whenever there is another one */
    struct cow_scan *reader;
    uint64_t at;                      /* all before it was counted */
    size_t n;                         /* changed files */
    struct tui_redundant_file *index; /* [n], by volume and inode */
    uint64_t *bytes;                  /* [n], in the order of cow_fs_files */
};

/* Off, nothing known. */
void tui_redundant_init(struct tui_redundant *redundant, const struct tui_subject *subject,
                        const struct tui_files *files, const struct tui_scan *scan);

/* Whether it is known of the files as they are known now. */
bool tui_redundant_known(const struct tui_redundant *redundant);

/* Of a file of theirs; 0 where it is not known. */
uint64_t tui_redundant_bytes(const struct tui_redundant *redundant, const struct cow_fs_file *file);

#endif
