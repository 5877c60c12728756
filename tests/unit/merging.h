/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of merging into the backing file share: an image and its files as they were, merging it,
 * and judging what is there.
 */
#ifndef TESTS_UNIT_MERGING_H
#define TESTS_UNIT_MERGING_H

#include "changes.h"

/* An image, its files as they were, and another image on the same backing file, or NULL. */
struct merge_scene {
    struct model *model;
    struct witness image, backing, fellow;
    char *sibling;
};

/* sibling: with another, empty image on the backing file. */
struct merge_scene merge_scene_of(const struct model_spec *spec, bool sibling);
/* The directory is empty then. */
void merge_scene_end(struct merge_scene *s);
/* 300 sectors of 512, short runs, garbage. */
struct model_spec merge_spec(enum cow_format format);

/* The options of merging into it. */
extern const struct cow_merge_options into_backing;

int merge_plan(struct cow_plan **out, struct cow_image *img, struct cow_error *err);
/* io: NULL for the real calls. */
int merge(const struct merge_scene *s, const struct cow_io *io, struct cow_error *err);

/* ---- judging ---- */

/* There is a journal. */
bool merge_is_pending(void);
/* No file but those of the scene; the sibling is as it was. */
void check_merge_names(const struct merge_scene *s, const char *where);
/* All is as it was. */
void check_nothing_merged(const struct merge_scene *s, const char *where);
/* Whatever has happened: the image, with the backing file as it is, shows the disk. */
void check_disk(const struct merge_scene *s, const char *where);
/* The backing file is the disk, the image is empty and fits it; nothing else is left. */
void check_merged(const struct merge_scene *s, const char *where);

#endif
