/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of plans share: images to plan for, and what is asked of each plan. None of them writes.
 */
#ifndef TESTS_UNIT_PLANNING_H
#define TESTS_UNIT_PLANNING_H

#include "core/base/io.h"
#include "support.h"

#define TIB         (UINT64_C(1) << 40)
#define FAR_RESERVE (UINT64_C(1) << 30) /* more than any of the images here could grow to in place */

enum { OLD_SIZE = 400 * 512, NEW_SIZE = 700 * 512 };

/* OLD_SIZE, sectors of 512, and a backing file as long. */
struct model_spec usual_of(enum cow_format format);
struct model *model_of(enum cow_format format);
/* NULL: with the backing file that is stored. */
struct cow_image *open_named(const char *path, const char *backing);
/* To NEW_SIZE. */
struct cow_resize_options grow(enum cow_policy policy);

/* ---- steps and preview ---- */

/* Their names, in this order, joined by spaces. */
void check_steps(const struct cow_plan *plan, const char *wanted);
/* All are there, and none has what a terminal obeys. */
void check_texts(const struct cow_preview *p);

#endif
