/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize --in-place: the data moves towards the end of the file, as the seed's patched kernel did it. Decided
 * here: by which of the two methods, and how far. Far enough that it is for once in an image's life: the new
 * alignment leaves the bitmap room to grow, and the gap is as long as a piece that is moved at once, so that
 * where a piece comes from and where it goes never overlap. What is skipped is a hole, and costs nothing.
 *
 * The bits have to lie where those of the old layout do, or behind all of them, in the gap: the old ones are
 * read until the end. Very large disks have no such place further on below the 2 GiB that kernels can count
 * to; there the bits stay, and the gap is as short as their growth.
 *
 * Whether the filesystem inserts is tried on a file without a name, which is gone when that is known. Where
 * the data lies in so many pieces that the map of them would be too long, it is moved, too.
 */
#include "core/resize/resize_in_place.h"

#include <string.h>

#include "core/base/trace.h"
#include "core/plan/footprint.h"
#include "core/plan/new_header.h"
#include "core/plan/shift_cost.h"
#include "core/shift/shift.h"
#include "cow/text.h"

enum {
    LEAST_ALIGNMENT = 512,
    USUAL_ALIGNMENT = SHIFT_CHUNK_BYTES,
    LARGEST_ALIGNMENT = 1 << 30,
};

/* Can the data move to where this alignment has it? */
static bool alignment_fits(struct cow_layout *out, const struct cow_image *img, uint64_t size_bytes,
                           uint64_t reserve_bytes, uint32_t alignment)
{
    const struct cow_header header = {
        .format = COW_FORMAT_V3, .size_bytes = size_bytes, .sector_bytes = 512, .alignment = alignment};
    const struct cow_layout *old = &img->layout;
    return cow_layout_of(out, &header, NULL) == 0 && out->data_offset > old->data_offset &&
           out->data_offset - old->data_offset >= HALF_SLOT_BYTES && out->data_offset <= INT32_MAX &&
           (out->bitmap_offset == old->bitmap_offset || out->bitmap_offset >= old->data_offset) &&
           reserve_bytes <= cow_layout_capacity(alignment, out->data_offset);
}

/* The smallest usual one that has the wanted room; else the one with the longest gap. 0: there is none. */
static uint32_t choose_alignment(const struct cow_image *img, uint64_t size_bytes, uint64_t reserve_bytes)
{
    const uint64_t wanted = cow_layout_reserve(size_bytes, reserve_bytes);
    struct cow_layout layout;
    uint64_t best_offset = 0;
    uint32_t best = 0;
    for (uint64_t alignment = USUAL_ALIGNMENT; alignment <= LARGEST_ALIGNMENT; alignment *= 2) {
        if (alignment_fits(&layout, img, size_bytes, wanted, (uint32_t)alignment)) {
            return (uint32_t)alignment;
        }
    }
    for (uint64_t alignment = LEAST_ALIGNMENT; alignment <= LARGEST_ALIGNMENT; alignment *= 2) {
        if (alignment_fits(&layout, img, size_bytes, reserve_bytes, (uint32_t)alignment) &&
            layout.data_offset > best_offset) {
            best = (uint32_t)alignment;
            best_offset = layout.data_offset;
        }
    }
    const uint32_t old = img->header.alignment; /* which need be no power of two */
    return best == 0 && alignment_fits(&layout, img, size_bytes, reserve_bytes, old) ? old : best;
}

static int check_variant(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 3];
    if (img->header.format == COW_FORMAT_V3 && img->header.sector_bytes == 512) {
        return 0;
    }
    cow_error_set(err, COW_UNSUPPORTED, "%s: only a UML COW v3 with sectors of 512 bytes is moved in place",
                  img->path);
    return cow_error_hint(err,
                          "\"cowtui convert --to v3 -o FILE %s\" makes one; or resize it without --in-place",
                          cow_shell_quote(image, sizeof image, img->path));
}

int in_place_refuse_path(const char *image_path, struct cow_error *err)
{
    cow_error_set(
        err, COW_REFUSED,
        "%s: the path of the backing file is too long: the header's first sector has no room behind it "
        "for the mark of an image whose data is being moved",
        image_path);
    return cow_error_hint(err, "\"cowtui rebase --to PATH\" with a shorter one first; or resize it without "
                               "--in-place");
}

/* What is written over, and cannot be put elsewhere. */
static int check_header_room(const struct cow_plan *plan, const struct cow_resize_options *opt,
                             struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    if (strlen(img->header.backing_path) >= IN_PLACE_PATH_BYTES) {
        return in_place_refuse_path(img->path, err);
    }
    if (opt->policy == COW_POLICY_KEEP &&
        ((uint64_t)img->cow.facts.st_size > img->layout.end_offset || img->header.size_bytes % 512 != 0)) {
        cow_error_set(err, COW_REFUSED, "%s: new sectors would show what lies behind the disk's end",
                      img->path);
        return cow_error_hint(err, "resize it without --in-place, or with another policy");
    }
    return 0;
}

/* Why the filesystem is not asked to insert room, or NULL. */
static const char *why_not_inserted(const struct cow_plan *plan, const struct cow_layout *new_layout)
{
    const struct cow_image *img = plan->img;
    const uint64_t block = footprint_block_of(&img->cow.facts);
    const uint64_t offset = img->layout.data_offset, shift = new_layout->data_offset - offset;
    struct io_allocated data;
    if (offset % block != 0 || shift % block != 0 ||
        img->io->can_insert(img->io->context, img->cow.fd, img->real_path, offset, shift) <= 0) {
        return "its filesystem cannot insert room into it";
    }
    /* an interrupted insertion is found by a map of them */
    return io_count_data(img->io, img->cow.fd, offset, (uint64_t)img->cow.facts.st_size, &data) == 0 &&
                   data.runs > HALF_SEGMENTS_MAX
               ? "its data lies in more pieces than can be noted, so an interrupted insertion could not be "
                 "taken up"
               : NULL;
}

int in_place_choose(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    struct cow_layout layout;
    int status = check_variant(img, err);
    if (status == 0) {
        status = check_header_room(plan, opt, err);
    }
    if (status != 0) {
        return status;
    }
    const uint32_t alignment = choose_alignment(img, opt->size_bytes, opt->reserve_bytes);
    if (alignment == 0) {
        cow_error_set(err, COW_UNSUPPORTED,
                      "%s: there is no place that its data could move to: kernels count to 2 GiB before it",
                      img->path);
        return cow_error_hint(err, "less --reserve; or resize it without --in-place");
    }
    alignment_fits(&layout, img, opt->size_bytes, 0, alignment);
    const char *why_not = opt->method == COW_RESIZE_MOVED ? "" : why_not_inserted(plan, &layout);
    if (opt->method == COW_RESIZE_INSERTED && why_not != NULL) {
        cow_error_set(err, COW_UNSUPPORTED, "%s: %s", img->path, why_not);
        return cow_error_hint(err,
                              "ext4 and XFS can, in units of their blocks; \"--method moved\" needs nothing");
    }
    plan->method = why_not == NULL ? RECORD_INSERT : RECORD_MOVE;
    if (why_not != NULL && *why_not != '\0') {
        trace_say(opt->env, COW_TRACE_DECIDE, "no room is inserted, the data moves: %s", why_not);
    }
    plan->result.shift_alignment = alignment;
    return 0;
}

int in_place_describe(struct cow_plan *plan, struct cow_error *err)
{
    const bool moves = plan->method == RECORD_MOVE;
    int status = shift_cost(plan, moves);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking for holes", plan->img->path);
    }
    plan->preview.method = moves ? COW_METHOD_MOVED : COW_METHOD_INSERTED;
    return 0;
}

void in_place_list_steps(struct cow_plan *plan)
{
    char shift[COW_SIZE_TEXT_BYTES], data[COW_SIZE_TEXT_BYTES];
    const bool moves = plan->method == RECORD_MOVE;
    cow_size_text(shift, plan->result.layout.data_offset - plan->img->layout.data_offset);
    cow_size_text(data, plan->preview.moves_bytes);
    plan_step(plan, COW_STEP_MARK, 0,
              "mark the image, so that no kernel opens it, and note where its data is");
    plan_step(plan, COW_STEP_SHIFT, plan->preview.writes_bytes,
              moves ? "move %s of data by %s, from the end to the beginning, noting how far it is"
                    : "let the filesystem move %s of data by %s",
              data, shift);
    plan_step(plan, COW_STEP_FILL, 0, "write the bitmap%s before it, flush",
              plan->result.born_dirty.sectors > 0 ? ", the new sectors dirty," : "");
}
