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

/* One line names a finder: from here it is declared, and checkup.c calls it, after find_place. First those
 * that go by facts, then those that read the files. Each reports the finding of its name: an interrupted
 * change is none while somebody holds the image (it is under way then), undo data only where it takes enough
 * room to be worth a word; what is about the backing file, but that there is none, only where one is open; of
 * a big-endian format `format` reports instead of what goes by the other fields; data is cut only where a
 * dirty sector's is missing; inflated asks the filesystem what the file takes, and goes through all dirty
 * runs; mixed pages go by the bits alone. */
/* clang-format off */
#define EACH_FACT(FIND)                                                                                      \
    FIND(interrupted) FIND(locked) FIND(undo) FIND(several_names)         /* find_state.c */                 \
    FIND(no_backing) FIND(backing_size) FIND(backing_elsewhere)           /* find_backing.c */               \
    FIND(path_relative) FIND(path_long) FIND(path_control)                /* find_path.c */                  \
    FIND(format) FIND(sector_size) FIND(data_offset) FIND(small_disk)     /* find_header.c */                \
    FIND(tail) FIND(overlap) FIND(cow_format)                                                                \
    FIND(bitmap_cut) FIND(file_long)                                      /* find_layout.c */
#define EACH_READ(FIND)                                                                                      \
    FIND(backing_date) FIND(backing_is_cow)                               /* find_backing.c */               \
    FIND(data_cut) FIND(padding) FIND(inflated)                           /* find_layout.c */                \
    FIND(mixed_pages)                                                     /* find_content.c */
/* clang-format on */

/* All of them. */
#define DECLARE_FACT(name) void find_##name(struct checkup *c);
#define DECLARE_READ(name) int find_##name(struct checkup *c, struct cow_error *err);
EACH_FACT(DECLARE_FACT)
EACH_READ(DECLARE_READ)
#undef DECLARE_FACT
#undef DECLARE_READ

/* ---- find_state.c: what goes on around the image ---- */

/* An image that was never finished: instead of all others. */
void find_unfinished(struct checkup *c);

/* ---- find_candidate.c ---- */

enum candidate_need {
    CANDIDATE_LIKE, /* name, date or UUID fits */
    CANDIDATE_DATE, /* the date does: for where there is a backing file, of another size or date */
    CANDIDATE_UUID, /* the UUID does: there is one, with another filesystem */
};

/* Fills check->candidate: a regular file, in the directory of the image or in the one that the header names,
 * that may be its backing file; what was found before stays. COW_NO_MEMORY. */
int find_candidates(struct checkup *c, enum candidate_need need, struct cow_error *err);

/* ---- find_backing.c ---- */

int find_place(struct checkup *c, struct cow_error *err); /* candidates, before what needs them is reported */
void find_pending_sibling(struct checkup *c);             /* reports nothing: for the next ones */

/* ---- find_header.c: what the header says ---- */

void find_refused(struct checkup *c); /* last: a refusal that nothing else explains */

/* ---- find_disk.c: what lies on the disk ---- */

/* By c->fs, which is open: filesystems that are larger than their place, partitions behind the disk's end,
 * the backup of a GPT, and another filesystem than the backing file has. */
int find_disk(struct checkup *c, struct cow_error *err);

/* ---- find_content.c: bits, and bytes ---- */
/* Redundant and zero sectors, and orphans: one scan, which needs the backing file. */
int find_content(struct checkup *c, struct cow_error *err);

#endif
