/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What recovery asks before it goes on: is what it would write, or rely on, still what the interrupted change
 * has left? All of these answer 0, or a status with words in err; nothing is written.
 */
#ifndef CORE_PLAN_RECOVER_CHECK_H
#define CORE_PLAN_RECOVER_CHECK_H

#include "core/ledger/direction.h"

/* The files that a merge cannot be recovered without. */
int recover_check_merge_files(const struct cow_image *img, const struct record *record,
                              struct cow_error *err);

/* What going on in this direction relies on, outside the image: the base that an undo leads back to, the
 * other images of a merge. backing: the facts of record->backing_path, where it is to be written. */
int recover_check_others(const struct cow_image *img, const struct record *record, enum direction direction,
                         const struct stat *backing, struct cow_error *err);

/* A backing file that is to be written, and that somebody has resized, written or replaced since, is not the
 * record's business. fd is open for reading at least. */
int recover_check_backing(const struct cow_image *img, const struct record *record, int fd,
                          enum direction direction, struct cow_error *err);

/* The names beside the image that recovery in this direction takes or frees must not be somebody else's. */
int recover_check_way(const struct cow_image *img, const struct record *record, enum direction direction,
                      struct cow_error *err);

#endif
