/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a new image will write and take on the disk, counted before it is made by the rules by which the
 * commit writes it (step_image.c, step_selection.c): holes of the sources stay holes, and where zeros are
 * punched, blocks of zeros become some. A preview that says less, or more than a block a run too much, is a
 * broken promise; the tests compare each with what happened.
 */
#ifndef CORE_PLAN_FOOTPRINT_H
#define CORE_PLAN_FOOTPRINT_H

#include "core/plan/plan.h"

struct footprint {
    uint64_t block_bytes; /* of the filesystem: what a write into a hole takes at least */
    uint64_t blocks;
    uint64_t runs;
    uint64_t next_block; /* the first that was not looked at */
};

/* A write into [begin, end) of a file; writes come in ascending order. */
void footprint_add(struct footprint *footprint, uint64_t begin, uint64_t end);

/* A block of the filesystem of a file or directory with these facts; of that on which the plan's target lies,
 * or would. */
uint64_t footprint_block_of(const struct stat *facts);
uint64_t footprint_block_bytes(const struct cow_plan *plan);

/* What some bytes take in whole blocks. */
uint64_t footprint_round(uint64_t n_bytes, uint64_t block_bytes);

/* What a filesystem may need to note where so many bytes are, in so many runs. */
uint64_t footprint_map_bytes(uint64_t n_bytes, uint64_t runs);

/* What the record of a plan's change takes as a journal, or as undo data: its fields, paths, and saved bytes.
 */
uint64_t footprint_record_bytes(const struct cow_plan *plan, uint64_t block_bytes);

/* How much of a header is written: all, or its first block where the rest is zeros. */
size_t header_written_bytes(const uint8_t bytes[COW_V3_HEADER_BYTES]);

/* What the data of an image takes on the disk now: all but what lies before its data. */
int footprint_of_old_data(uint64_t *out, struct cow_image *img, struct cow_error *err);

/* What the change needs, into the preview; at_most: or less. Whether that can be told exactly depends on the
 * target's filesystem. */
void footprint_needs(struct cow_plan *plan, uint64_t n_bytes, bool at_most);

/* Counts the new image of a plan whose layout and selection are known, into plan->result.counted: one walk
 * over the selection, which compares what has to be, and reads what is selected where zeros are punched; env
 * is told then. COW_IO, COW_CANCELLED, COW_NO_MEMORY. */
int footprint_of_image(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err);

#endif
