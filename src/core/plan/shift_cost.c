/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See shift_cost.h.
 */
#include "core/plan/shift_cost.h"

#include "core/base/arith.h"
#include "core/plan/footprint.h"
#include "core/shift/shift.h"
#include "cow/text.h"

/* No more than that is used beyond what is there: two pieces that are moved, the bits twice, what stands
 * beside the image, and notes of where all is. Runs that come to lie otherwise in the blocks take one more
 * each. */
static uint64_t room_needed(const struct cow_plan *plan, bool moves, const struct io_allocated *data,
                            const struct io_allocated *bits)
{
    enum { BESIDE_BLOCKS = 8 }; /* position file, the length that is tried, partly filled blocks */
    const uint64_t block = footprint_block_bytes(plan);
    const uint64_t to = plan->result.layout.data_offset, from = plan->img->layout.data_offset;
    const uint64_t shift = arith_max(to, from) - arith_min(to, from);
    const uint64_t pieces = arith_min(2 * plan->result.chunk_bytes, data->n_bytes);
    const uint64_t map = moves ? 0 : data->runs * HALF_SEGMENT_BYTES;
    return (moves ? footprint_round(pieces, block) + (shift % block != 0 ? data->runs * block : 0) : 0) +
           footprint_round(bits->n_bytes + plan->result.born_dirty.sectors / 8, block) +
           footprint_round(map, block) + footprint_record_bytes(plan, block) + BESIDE_BLOCKS * block +
           footprint_map_bytes(data->n_bytes, data->runs);
}

static void note_cost(struct cow_plan *plan, bool moves, uint64_t data_bytes)
{
    char size[COW_SIZE_TEXT_BYTES], time[COW_DURATION_TEXT_BYTES];
    if (!moves) {
        plan_note(plan, "the filesystem moves the data, which takes milliseconds for any size");
    } else {
        plan_note(plan, "%s of data are moved within the file: %s; it can be stopped, and goes on later",
                  cow_size_text(size, data_bytes), cow_duration_text(time, data_bytes));
    }
    plan_note(plan,
              "in the middle, also after a crash, the image is unusable until \"cowtui recover\" has run: "
              "nothing else may be done with it then");
}

int shift_cost(struct cow_plan *plan, bool moves)
{
    struct cow_preview *p = &plan->preview;
    const struct cow_layout *l = &plan->img->layout;
    const uint64_t to = plan->result.layout.data_offset;
    const int fd = plan->img->cow.fd;
    struct io_allocated data, bits;
    uint64_t free_bytes = 0;
    int status = io_count_data(plan->io, fd, l->data_offset, (uint64_t)plan->img->cow.facts.st_size, &data);
    if (status == 0) {
        status = io_count_data(plan->io, fd, l->bitmap_offset, l->bitmap_offset + l->bitmap_bytes, &bits);
    }
    if (status < 0) {
        return status;
    }
    (void)plan->io->free_bytes(plan->io->context, plan->img->cow.fd, &free_bytes);
    plan->result.chunk_bytes =
        shift_chunk_bytes(arith_max(to, l->data_offset) - arith_min(to, l->data_offset), free_bytes);
    p->moves_bytes = data.n_bytes;
    p->writes_bytes = moves ? data.n_bytes : 0;
    footprint_needs(plan, room_needed(plan, moves, &data, &bits), true);
    note_cost(plan, moves, data.n_bytes);
    return 0;
}
