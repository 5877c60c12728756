/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See shift.h.
 */
#include "shift.h"

/* No page has moved, or (collapse) all have: the gap lies behind everything. */
static const uint64_t at_end = UINT64_MAX;

struct shift shift_whole(bool collapse, uint64_t offset, uint64_t n_bytes, uint64_t old_size,
                         uint32_t block_bytes, enum size_order order)
{
    return (struct shift){.collapse = collapse,
                          .offset = offset,
                          .n_bytes = n_bytes,
                          .size_bytes = collapse ? old_size - n_bytes : old_size + n_bytes,
                          .block_bytes = block_bytes,
                          .order = order,
                          .gap = collapse ? at_end : offset,
                          .sized = true};
}

/* The first byte of what moves, where it lies before; it moves up to where end() says. */
static uint64_t first_of(const struct shift *shift)
{
    return shift->collapse ? shift->offset + shift->n_bytes : shift->gap;
}

static uint64_t end_of(const struct shift *shift)
{
    return !shift->collapse || shift->gap == at_end ? at_end : shift->gap + shift->n_bytes;
}

static unsigned pages_to_move(const struct shift *shift, const struct inode *before)
{
    const unsigned from = first_of(shift) == at_end ? 0 : inode_pages_from(before, first_of(shift));
    return from - (end_of(shift) == at_end ? 0 : inode_pages_from(before, end_of(shift)));
}

/* Where the gap is when so many of these pages have moved: an insert takes the last ones first. */
static uint64_t gap_after(const struct shift *shift, const struct inode *before, unsigned moved, unsigned all)
{
    if (moved == all) {
        return shift->gap;
    }
    if (moved == 0) {
        return shift->collapse ? shift->offset : at_end;
    }
    const uint64_t page = inode_nth_page(before, first_of(shift), shift->collapse ? moved : all - moved);
    return page / shift->block_bytes * shift->block_bytes - (shift->collapse ? shift->n_bytes : 0);
}

static bool size_comes_first(const struct shift *shift, struct rng *rng)
{
    switch (shift->order) {
    case SIZE_FIRST:
        return true;
    case SIZE_LAST:
        return false;
    case SIZE_AS_LINUX:
        return !shift->collapse;
    case SIZE_ANY:
        break;
    }
    return rng_below(rng, 2) == 0;
}

bool shift_cut_off(struct shift *shift, const struct inode *before, struct rng *rng)
{
    const unsigned pages = pages_to_move(shift, before);
    const unsigned steps = pages + shift->sized;
    const unsigned done = (unsigned)rng_below(rng, steps + 1);
    const bool first = size_comes_first(shift, rng);
    if (done == steps) {
        return true;
    }
    const unsigned moved = first && shift->sized && done > 0 ? done - 1 : done;
    shift->gap = gap_after(shift, before, moved, pages);
    shift->sized = shift->sized && first && done > 0;
    shift->order = first ? SIZE_FIRST : SIZE_LAST;
    return false;
}

void shift_apply(struct inode *inode, const struct shift *shift)
{
    inode_move(inode, first_of(shift), end_of(shift), shift->n_bytes, shift->collapse);
    if (shift->sized) {
        inode->facts.size_bytes = shift->size_bytes;
    }
    inode->has_past |=
        shift->collapse ? shift->sized && shift->gap != at_end : !shift->sized && shift->gap != at_end;
}
