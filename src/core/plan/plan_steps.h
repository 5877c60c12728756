/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steps and sentences that all plans share that make a new image by copy.
 */
#ifndef CORE_PLAN_PLAN_STEPS_H
#define CORE_PLAN_PLAN_STEPS_H

#include "core/plan/plan.h"

/* What was counted of the new image (footprint.h), into the preview. */
void plan_show_image(struct cow_plan *plan);

/* Locks, and a check for image_bytes of free space. */
void plan_steps_begin(struct cow_plan *plan, uint64_t image_bytes);

/* A new image, marked unfinished, and a journal if one is kept. */
void plan_steps_new_image(struct cow_plan *plan);

/* Attributes, true size. */
void plan_steps_finish_image(struct cow_plan *plan);

/* Its place: the old image's, which is kept for undo, or that of a new file. */
void plan_steps_place(struct cow_plan *plan, const char *output_path);

/* The way back of what only makes a file: it is removed, or there is none where it replaces another one. */
const char *plan_file_undo(struct cow_plan *plan, const char *output_path);

/* How to go back from it, a sentence of the plan's. */
const char *plan_undo_text(struct cow_plan *plan, const char *output_path, uint64_t allocated_bytes);

/* Notes that hold for whatever changes an image: in use, another format, undo data given up, links. */
void plan_note_format(struct cow_plan *plan);
void plan_note_undo_given_up(struct cow_plan *plan);
void plan_note_links(struct cow_plan *plan, const char *output_path);

#endif
