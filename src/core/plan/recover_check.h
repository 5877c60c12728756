/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What recovery asks before it goes on: is what it would write, or rely on, still what the interrupted change
 * has left? All of these answer 0, or a status with words in err; nothing is written.
 */
#ifndef CORE_PLAN_RECOVER_CHECK_H
#define CORE_PLAN_RECOVER_CHECK_H

#include "core/ledger/journal.h"
#include "core/plan/plan.h"

enum direction { FORWARD, BACK, NOWHERE };

/* The files that a merge cannot be recovered without. */
int recover_check_merge_files(const struct cow_image *img, const struct record *record,
                              struct cow_error *err);

/* What going on in this direction relies on, outside the image: the base that an undo leads back to, the
 * other images of a merge. backing: the facts of record->backing_path, where it is to be written. */
int recover_check_others(const struct cow_plan *plan, const struct record *record, enum direction direction,
                         const struct stat *backing, struct cow_error *err);

/* A backing file that is to be written, and that somebody has resized, written or replaced since, is not the
 * record's business. fd is open for reading at least. */
int recover_check_backing(const struct cow_image *img, const struct record *record, int fd,
                          enum direction direction, struct cow_error *err);

/* A new image that is complete, and not in place yet, relies on a backing file. Is that where the image's
 * header says, and, if the change only read it, still as it was read? bytes are the new image's header. 1, 0
 * or -errno. */
int recover_base_fits(const struct cow_image *img, const struct record *record,
                      const uint8_t bytes[COW_HEADER_BYTES_MAX]);

/* The names beside the image that recovery in this direction takes or frees must not be somebody else's. */
int recover_check_way(const struct cow_plan *plan, const struct record *record, enum direction direction,
                      struct cow_error *err);

/* What is to be done, and why. */
struct decision {
    enum direction direction;
    bool base_changed; /* the new image is complete, but what it relies on has changed, or moved; of a merge
                          that is given up: the backing file has another date than before it */
};

/* Which way recovery goes from what the record and the files say. 0 with *out, or -errno. */
int recover_choose_direction(struct decision *out, const struct cow_plan *plan, const struct record *record);

#endif
