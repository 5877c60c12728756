/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where an output goes, and with which permission bits.
 */
#ifndef CORE_PLAN_PLAN_OUTPUT_H
#define CORE_PLAN_PLAN_OUTPUT_H

#include "core/plan/plan.h"

/* Names. Each answers a string of the plan's, or sets err. */
/* Where a file that shall appear as path is made: ".NAME.cowtui-new" beside it. */
const char *plan_temp_path(struct cow_plan *plan, const char *path);
/* path as an absolute one, with the links of its directory resolved. NULL with err if the directory is not
 * there. */
const char *plan_absolute_path(struct cow_plan *plan, const char *path, struct cow_error *err);

/* Where an output that was named path goes: the name that the file will have, or NULL with err. A link to a
 * file is followed, with a note: that file is replaced. Refused is one that exists (unless force), that is no
 * regular file, a link that leads nowhere, and any of the files of img and any input of the plan under any
 * name. *exists tells whether there is something to replace. */
const char *plan_choose_output(struct cow_plan *plan, const char *path, bool force, bool *exists,
                               struct cow_error *err);

/* The permission bits of a new file that holds what is in the inputs: those that all of them have. The umask
 * is still to be taken off (by making the file with them). */
mode_t plan_output_mode(const struct cow_plan *plan);

#endif
