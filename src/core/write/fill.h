/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps that fill a new file, which nobody but its maker sees until it is complete.
 */
#ifndef CORE_WRITE_FILL_H
#define CORE_WRITE_FILL_H

#include "core/write/work.h"

/* Each answers 0 or a status with err set, and records in c what it made. */
int commit_begin_image(struct commit *c); /* step_image.c */
int commit_write_bitmap(struct commit *c);
int commit_copy_data(struct commit *c);
int commit_finish_image(struct commit *c);
int commit_resize_fs(struct commit *c); /* step_fs.c */
int commit_cut_image(struct commit *c);
int commit_write_selection(struct commit *c); /* step_selection.c */
int commit_begin_raw(struct commit *c);       /* step_raw.c */
int commit_compose(struct commit *c);
int commit_finish_raw(struct commit *c);
int commit_write_file(struct commit *c);
int commit_write_stream(struct commit *c); /* step_through.c */
int commit_write_device(struct commit *c);
int commit_begin_foreign(struct commit *c); /* step_foreign.c */
int commit_write_foreign(struct commit *c);
int commit_finish_foreign(struct commit *c);

#endif
