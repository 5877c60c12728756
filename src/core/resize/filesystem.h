/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: the filesystem is given another size with the disk.
 */
#ifndef CORE_RESIZE_FILESYSTEM_H
#define CORE_RESIZE_FILESYSTEM_H

#include "core/plan/plan.h"

#define FILESYSTEM_NEXT "boot the guest: its filesystem has the new size"

/* Which filesystem it is, and what it shall have: fills plan->filesystem from plan->fs. COW_UNSUPPORTED where
 * it is no ext filesystem, or lies where no tool could give it the new room (what does so in the guest is
 * told); COW_REFUSED where it was not unmounted cleanly, has errors, or does not fit the new size. */
int filesystem_choose(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err);

/* A disk that becomes smaller is made with its old size. COW_INVALID where no layout serves both. */
int filesystem_lay_out(struct cow_plan *plan, struct cow_error *err);

/* What its programs write, about; 0 where it stays. plan->preview.after_size_bytes is known. */
uint64_t filesystem_written_bytes(const struct cow_plan *plan);

/* The room that they need for it, at most: the image, what they write it on before, and their copy of the
 * disk where it is not served to them. 0 where it stays. */
uint64_t filesystem_needs_bytes(const struct cow_plan *plan);

/* What that adds to the preview, once the rest of it is described. */
void filesystem_describe(struct cow_plan *plan);

/* The steps, behind those that write the data of the new image. */
void filesystem_list_steps(struct cow_plan *plan);

#endif
