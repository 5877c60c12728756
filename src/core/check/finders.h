/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The finders: a checkup is one image, looked at by one function a finding or group of findings. Each reads
 * `if (bad) report(...)`; severity, meaning and fix stand in the table of cow/check.h.
 *
 * The functions that read files answer 0 or a status with err set; the others cannot fail.
 */
#ifndef CORE_CHECK_FINDERS_H
#define CORE_CHECK_FINDERS_H

#include "core/check/report.h"

/* ---- find_state.c: what goes on around the image ---- */

/* Each reports the finding of its name. An interrupted change is none while somebody holds the image (it is
 * under way then), undo data only where it takes enough room to be worth a word. */
void find_unfinished(struct checkup *c);
void find_interrupted(struct checkup *c);
void find_locked(struct checkup *c);
void find_undo(struct checkup *c);
void find_several_names(struct checkup *c);

/* ---- find_candidate.c ---- */

enum candidate_need {
    CANDIDATE_LIKE, /* name, date or UUID fits */
    CANDIDATE_DATE, /* the date does: for where there is a backing file, of another size or date */
    CANDIDATE_UUID, /* the UUID does: there is one, with another filesystem */
};

/* Fills check->candidate: a regular file, in the directory of the image or in the one that the header names,
 * that may be its backing file; what was found before stays. COW_NO_MEMORY. */
int find_candidates(struct checkup *c, enum candidate_need need, struct cow_error *err);

/* ---- find_backing.c, find_path.c ---- */

int find_place(struct checkup *c, struct cow_error *err); /* candidates, before what needs them is reported */
void find_pending_sibling(struct checkup *c);             /* reports nothing: for the next ones */

/* What is wrong with the backing file, each the finding of its name; find_no_backing reports that it is
 * missing or unusable, find_backing_date that it was modified where superblocks tell of a write. All but the
 * first report nothing where none is open. */
void find_no_backing(struct checkup *c);
void find_backing_size(struct checkup *c);
int find_backing_date(struct checkup *c, struct cow_error *err);
int find_backing_is_cow(struct checkup *c, struct cow_error *err);
void find_backing_elsewhere(struct checkup *c);

/* The path that the header stores, each the finding of its name. */
void find_path_relative(struct checkup *c);
void find_path_long(struct checkup *c);
void find_path_control(struct checkup *c);

/* ---- find_header.c: what the header says ---- */

/* Each reports the finding of its name, by the decoded header and its layout; of a big-endian format
 * find_format reports that instead. */
void find_format(struct checkup *c);
void find_sector_size(struct checkup *c);
void find_data_offset(struct checkup *c);
void find_small_disk(struct checkup *c);
void find_tail(struct checkup *c);
void find_overlap(struct checkup *c);
void find_cow_format(struct checkup *c);
void find_refused(struct checkup *c); /* last: a refusal that nothing else explains */

/* ---- find_layout.c: the file against its layout ---- */

/* Each reports the finding of its name. Data is cut only where a dirty sector's is missing; inflated asks the
 * filesystem what the file takes, and goes through all dirty runs. */
void find_bitmap_cut(struct checkup *c);
int find_data_cut(struct checkup *c, struct cow_error *err);
void find_file_long(struct checkup *c);
int find_padding(struct checkup *c, struct cow_error *err);
int find_inflated(struct checkup *c, struct cow_error *err);

/* ---- find_disk.c: what lies on the disk ---- */

/* By c->fs, which is open: filesystems that are larger than their place, partitions behind the disk's end,
 * the backup of a GPT, and another filesystem than the backing file has. */
int find_disk(struct checkup *c, struct cow_error *err);

/* ---- find_content.c: bits, and bytes ---- */

/* Pages of 4 KiB that are dirty in part: how many, and the first. By the bits alone. */
int find_mixed_pages(struct checkup *c, struct cow_error *err);
/* Redundant and zero sectors, and orphans: one scan, which needs the backing file. */
int find_content(struct checkup *c, struct cow_error *err);

#endif
