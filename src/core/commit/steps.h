/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps that hold, place and change files; commit.c walks them, and those of core/write in between.
 */
#ifndef CORE_COMMIT_STEPS_H
#define CORE_COMMIT_STEPS_H

#include "core/write/fill.h"

/* The steps. Each answers 0 or a status with err set, and records in c what it made. */
int commit_lock(struct commit *c);            /* step_lock.c */
int commit_check_space(struct commit *c);     /* step_file.c */
int commit_copy_backing(struct commit *c);    /* step_backing.c */
int commit_extend_backing(struct commit *c);  /* step_backing.c */
int commit_merge_backing(struct commit *c);   /* method_merge.c */
int commit_keep_attributes(struct commit *c); /* step_file.c */
int commit_rename(struct commit *c);
int commit_journal(struct commit *c); /* step_journal.c */
int commit_keep_undo(struct commit *c);
int commit_end_journal(struct commit *c);
int commit_prepare(struct commit *c); /* method_header.c */
int commit_write_header(struct commit *c);
int commit_mark(struct commit *c); /* step_shift.c */
int commit_shift(struct commit *c);
int commit_fill(struct commit *c);
int commit_clear_up(struct commit *c);
int commit_take_over(struct commit *c); /* method_content.c */
/* No step: into the record what take-over will write over; and one range of the image. 0 or a status, or
 * -errno. */
int commit_save_content(struct commit *c);
int commit_save_range(struct commit *c, struct record_saved *saved, uint64_t offset, uint64_t n_bytes);
/* No step: whether the record that was read is the one that the plan was made from, whose words were shown,
 * and whose files are held. COW_REFUSED. */
int commit_check_record(struct commit *c);
int commit_recover(struct commit *c);      /* step_recover.c */
int commit_undo(struct commit *c);         /* the same way as recovery goes */
int commit_discard_undo(struct commit *c); /* removes that of one image */

/* The private backing file, empty, under its temporary name; made once. */
int commit_make_copy(struct commit *c);

#endif
