/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is looked at: the image as it is open now. The application fills it, and it is all that the jobs know
 * of the application: they see when the image has become another one by its generation.
 */
#ifndef COW_TUI_JOBS_SUBJECT_H
#define COW_TUI_JOBS_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/image.h"

struct tui_subject {
    const char *image_path;
    struct cow_open_options open; /* over the file that the user named, the header's, or none */
    struct cow_image *image;
    unsigned generation; /* counts up whenever the image was read anew: what is kept of it is old */
    bool interactive;    /* a person sits there: slices of work go by the clock, and not by what they do */
};

/* The number of sectors of the disk; 0 for an unfinished image: nothing can be walked then. */
uint64_t tui_subject_sectors(const struct tui_subject *subject);

/* Finds the whole run that a sector lies in. Returns 0 or a negative status. */
int tui_subject_run_at(const struct tui_subject *subject, uint64_t sector, struct cow_run *out,
                       struct cow_error *err);

#endif
