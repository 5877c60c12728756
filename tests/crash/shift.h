/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An insert or a collapse of a range: how far it has come, and what a file looks like then. A filesystem
 * moves block after block, each move a change of its journal, so at any moment the file is the old one plus
 * one gap of exactly n_bytes. Inserting moves the gap from the file's end to `offset`, collapsing from
 * `offset` to the end (what lies in the range is taken away before). The size is changed in a step of its
 * own, before the first move or behind the last one; until it has grown, or once it has shrunk, blocks lie
 * past the end, and show up when the file is made longer.
 */
#ifndef CRASH_SHIFT_H
#define CRASH_SHIFT_H

#include "rng.h"
#include "tree.h"

/* When a filesystem changes the size of a file into which a range is inserted, or out of which one is taken.
 * (ext4 and XFS: first where it grows, last where it shrinks.) */
enum size_order { SIZE_ANY /* each time the one or the other */, SIZE_FIRST, SIZE_LAST, SIZE_AS_LINUX };

struct shift {
    bool collapse;
    uint64_t offset;
    uint64_t n_bytes;
    uint64_t size_bytes; /* of the file, once it is done */
    uint32_t block_bytes;
    enum size_order order;
    /* How far it has come. Only what lies at or behind the gap (insert) or before it (collapse, counted where
     * things lie afterwards) has moved. */
    uint64_t gap;
    bool sized;
};

/* One that has come to its end. */
struct shift shift_whole(bool collapse, uint64_t offset, uint64_t n_bytes, uint64_t old_size,
                         uint32_t block_bytes, enum size_order order);

/* Cuts a shift off at some step (any, from none to all that it has done), of the file as it is before.
 * True: it has done all of them. */
bool shift_cut_off(struct shift *shift, const struct inode *before, struct rng *rng);

/* Of a collapse: the range itself is a hole already. */
void shift_apply(struct inode *inode, const struct shift *shift);

#endif
