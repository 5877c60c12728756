/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which 512-byte sectors of a new image on the same disk are dirty. Decided by bits, and by bytes where asked
 * for, a chunk of the disk at a time when first looked at; asked in ascending order by the plan, which
 * counts, and again by the commit, which writes. What it remembers is bounded: on a disk with more to
 * remember, the second pass compares again.
 */
#ifndef CORE_PLAN_SELECTION_H
#define CORE_PLAN_SELECTION_H

#include "core/image/image.h"
#include "cow/env.h"
#include "cow/fs.h"

struct selection;

struct selection_rule {
    bool pages;       /* whole 4 KiB pages of the disk: one dirty sector makes all of them dirty */
    bool compare;     /* a page stays dirty only where what the disk shows differs from the backing file */
    bool look_at_all; /* and also where all is clean: the backing file is another one */
    bool keep;        /* with compare: no clean sector becomes dirty; where one page stays, all dirty sectors
                         that the guest reads in one piece with it do, as they are */
    const struct host_file *backing;  /* to compare with; NULL: zeros */
    const struct cow_fs_scan *joints; /* with pages: those that the guest reads in one piece with a selected
                                         one are selected, too; NULL: each by itself */
    struct cow_fs_scan *unused; /* with compare: what this says is free does not count; NULL: all counts */
    const struct cow_env *env;  /* progress while comparing; may be NULL */
};

/* Nothing is read yet. img, rule->backing and rule->unused are borrowed. *out: selection_close.
 * COW_NO_MEMORY. */
int selection_open(struct selection **out, struct cow_image *img, const struct selection_rule *rule,
                   struct cow_error *err);
void selection_close(struct selection *selection); /* NULL is allowed */

/* The first run of selected sectors at or after `sector` (cut at it if it lies inside one); out->sectors is 0
 * if there is none. A run may end where a chunk ends, and the next begin there. */
int selection_next(struct selection *selection, uint64_t sector, struct cow_dirty_run *out,
                   struct cow_error *err);

/* Who is told of progress from now on: a plan outlives its caller's env, and a commit has its own. NULL:
 * nobody. */
void selection_set_env(struct selection *selection, const struct cow_env *env);

#endif
