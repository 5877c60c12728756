/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: what a decided plan says to people, and its steps. Nothing is decided here: whatever a
 * sentence depends on stands in the plan, so that what is said and what is done cannot part.
 */
#include "core/resize/resize_text.h"

#include <inttypes.h>

#include "core/base/arith.h"
#include "core/plan/footprint.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_steps.h"
#include "core/resize/filesystem.h"
#include "core/resize/resize_command.h"
#include "core/resize/resize_in_place.h"
#include "core/resize/shrink.h"
#include "cow/text.h"

enum { NEXT_STEP_BYTES = 1024 };

/* Of [begin, end) of the image's file, what is a hole now. */
static void add_image_holes(struct footprint *footprint, struct cow_image *img, uint64_t begin, uint64_t end)
{
    for (uint64_t at = begin; at < end;) {
        struct io_extent extent;
        if (host_file_extent(img->io, &img->cow, at, end, &extent) < 0) {
            extent =
                (struct io_extent){.begin = at, .end = end}; /* that it has to be made is on the safe side */
        }
        if (!extent.data) {
            footprint_add(footprint, at, extent.end);
        }
        at = extent.end;
    }
}

/* By header: the journal, the bits of new sectors that are dirty, and the byte that old and new bits share,
 * which is written, and may lie in a hole. */
static uint64_t room_by_header(const struct cow_plan *plan)
{
    const uint64_t block_bytes = footprint_block_bytes(plan);
    struct footprint bits = {.block_bytes = block_bytes};
    const struct cow_layout *to = &plan->result.layout;
    const uint64_t shared = to->bitmap_offset + plan->img->layout.sectors / 8;
    if (plan->img->layout.sectors % 8 != 0) {
        footprint_add(&bits, shared, shared + 1);
    }
    /* What is kept of it is cleared as a whole, with the holes in between. */
    if (plan->result.saved_bytes > 0) {
        const uint64_t begin = to->bitmap_offset + plan->img->layout.bitmap_bytes;
        add_image_holes(&bits, plan->img, begin, begin + plan->result.saved_bytes);
    }
    if (plan->result.born_dirty.sectors > 0) {
        add_image_holes(&bits, plan->img, to->bitmap_offset + plan->result.born_dirty.first_sector / 8,
                        to->bitmap_offset + to->bitmap_bytes);
    }
    /* one block more in a hole may take another one to note where it is */
    const uint64_t map_bytes = bits.blocks > 0 ? footprint_map_bytes(bits.blocks * block_bytes, 5) : 0;
    return footprint_record_bytes(plan, block_bytes) + bits.blocks * block_bytes + map_bytes;
}

static void describe_resized_backing(struct cow_plan *plan, const struct cow_resize_options *opt)
{
    char size[COW_SIZE_TEXT_BYTES];
    struct cow_preview *p = &plan->preview;
    cow_size_text(size, opt->size_bytes);
    if (opt->policy == COW_POLICY_KEEP) {
        p->backing_text = plan_words(plan, "%s is not touched; the new sectors are marked dirty in the COW",
                                     plan->backing.path);
    } else if (opt->policy == COW_POLICY_COPY) {
        p->backing_text =
            plan->backing.path == NULL
                ? plan_words(plan, "%s is made, a hole of %s", plan->backing.copy_path, size)
                : plan_words(plan, "%s is copied to %s, %s long, its date kept; the original stays as it is",
                             plan->backing.path, plan->backing.copy_path, size);
    } else if (plan->backing.size_bytes < opt->size_bytes) {
        p->backing_text = plan_words(
            plan, "%s becomes %s by a hole at its end, its date stays; %s", plan->backing.path, size,
            p->siblings > 0 ? "UML refuses the other COW images on it until they are resized, too"
                            : "no other COW image on it was found");
    } else {
        p->backing_text =
            plan_words(plan, "%s has the new size already and is not touched", plan->backing.path);
    }
}

/* A GPT has its backup at the end of the disk, a RAID of whole disks what makes it one. */
static void note_what_lay_at_the_end(struct cow_plan *plan)
{
    const struct cow_gpt *gpt = plan->fs != NULL ? cow_fs_gpt(plan->fs) : NULL;
    if (plan->result.shrinks || gpt == NULL || plan->filesystem.resizes) {
        return;
    }
    if (gpt->present && gpt->primary) {
        plan_note(
            plan,
            "the backup of the partition table (GPT) stays where the disk ended: sgdisk -e /dev/ubda, or "
            "sfdisk --relocate gpt-bak-std /dev/ubda, in the guest puts it at the new end");
    } else if (gpt->present) {
        plan_note(
            plan,
            "of the partition table (GPT) only the backup at the disk's end is whole, and nobody finds it "
            "on a larger disk: repair the table in the guest first");
    }
    if (cow_fs_whole(plan->fs)->at_end) {
        plan_note(
            plan,
            "the superblock that makes the disk a member of a RAID lies at its end, and is not found on a "
            "larger disk");
    }
}

static void note_resize(struct cow_plan *plan, const struct cow_resize_options *opt,
                        const struct cow_usage *usage)
{
    struct cow_image *img = plan->img;
    char size[COW_SIZE_TEXT_BYTES];
    if (plan->backing.copy_path != NULL || plan->result.odd_end_is_born) {
        plan_note_outside(plan);
    }
    plan_note_in_use(plan);
    plan_note_format(plan);
    if (plan->backing.path != NULL && img->backing.facts.mtime != (int64_t)img->header.mtime) {
        plan_note(plan, "the new header takes over the backing file's date (--force)");
    }
    plan_note_undo_given_up(plan);
    note_what_lay_at_the_end(plan);
    if (usage->tail_bits) {
        plan_note(plan, "bits past the bitmap's end are ignored, as kernels do: the last sectors read from "
                        "the backing file");
    }
    if (opt->policy == COW_POLICY_EXTEND && plan->backing.size_bytes > img->header.size_bytes) {
        plan_note(plan, "what the backing file holds past %s shows up in the guest",
                  cow_size_text(size, img->header.size_bytes));
    }
    if (plan->holds.backing == HOLD_WRITE && plan->backing.facts.st_nlink > 1) {
        plan_note(plan,
                  "the backing file has other names (hard links): it is the same file, and lengthened there, "
                  "too");
    }
    plan_note_links(plan, opt->output_path);
    if (opt->output_path != NULL) {
        plan_note_read_only(plan);
    }
}

static void list_copy_backing(struct cow_plan *plan, const char *size)
{
    uint64_t bytes = plan->backing.path != NULL ? (uint64_t)plan->backing.facts.st_blocks * 512 : 0;
    if (plan->backing.copy_path != NULL) {
        plan_step(plan, COW_STEP_COPY_BACKING, bytes,
                  "make %s, %s long (as a reflink where the filesystem can)", plan->backing.copy_path, size);
    }
}

static void list_prepare(struct cow_plan *plan)
{
    const bool has_born = plan->result.born_dirty.sectors > 0;
    plan_step(plan, COW_STEP_PREPARE, plan->result.born_dirty.sectors / 8,
              "clear the room of the new bits%s, lengthen the file, flush", has_born ? " and set them" : "");
}

static void list_extend_backing(struct cow_plan *plan, const char *path, const char *size)
{
    if (path != NULL) {
        plan_step(plan, COW_STEP_EXTEND_BACKING, 0, "lengthen %s to %s by a hole, restore its date, flush",
                  path, size);
    }
}

/* The data stays where it is. The new space is made ready outside what the old header shows; then the header
 * changes. extended: the backing file that becomes longer, or NULL. */
static void list_header_steps(struct cow_plan *plan, const char *extended, const char *size, bool has_content)
{
    filesystem_list_steps(plan);
    plan_step(plan, COW_STEP_JOURNAL, 0,
              "write down what is about to happen%s, so that it can be finished or taken back",
              has_content ? ", and all that will be written over" : "");
    list_copy_backing(plan, size);
    if (has_content) {
        plan_step(
            plan, COW_STEP_TAKE_OVER, 0,
            "mark the image, clear the room of the new bits, take over what was written on the overlay, "
            "flush");
    } else {
        list_prepare(plan);
    }
    list_extend_backing(plan, extended, size);
    plan_step(plan, COW_STEP_WRITE_HEADER, 512, "write the header's first sector with the new size, flush");
    plan_step(plan, COW_STEP_END_JOURNAL, 0, "keep the journal as the undo data");
}

void resize_list_second(struct cow_plan *plan, const struct cow_plan *whole,
                        const struct cow_resize_options *opt)
{
    char size[COW_SIZE_TEXT_BYTES];
    const bool extends = whole->holds.backing == HOLD_WRITE;
    plan->backing.copy_path =
        plan_text(plan, "%s", whole->backing.copy_path != NULL ? whole->backing.copy_path : "");
    plan->backing.copy_path = whole->backing.copy_path != NULL ? plan->backing.copy_path : NULL;
    plan_step(plan, COW_STEP_LOCK, 0, "lock the image%s again",
              plan->holds.backing != HOLD_NOT ? " and its backing file" : "");
    list_header_steps(plan, extends ? plan->backing.path : NULL, cow_size_text(size, opt->size_bytes), true);
}

/* The same, but for the data, which moves; the header is the last to change. */
static void list_in_place_steps(struct cow_plan *plan, bool extends, const char *size)
{
    plan_step(plan, COW_STEP_JOURNAL, 0,
              "write down what is about to happen, so that it can be finished or taken back");
    list_copy_backing(plan, size);
    in_place_list_steps(plan);
    list_extend_backing(plan, extends ? plan->backing.path : NULL, size);
    plan_step(plan, COW_STEP_WRITE_HEADER, 512, "write the header's first sector with the new size, flush");
    plan_step(plan, COW_STEP_CLEAR_UP, 0, "punch out the old bitmap, remove the note of where the data is");
    plan_step(plan, COW_STEP_END_JOURNAL, 0, "keep the journal as the undo data");
}

static void list_resize_steps(struct cow_plan *plan, const struct cow_resize_options *opt,
                              uint64_t image_bytes)
{
    char size[COW_SIZE_TEXT_BYTES];
    const struct cow_preview *p = &plan->preview;
    cow_size_text(size, opt->size_bytes);
    const bool extends = resize_extends_backing(plan, opt);
    plan_steps_begin(plan, image_bytes);
    if (plan->method == RECORD_HEADER || plan->method == RECORD_CONTENT) {
        list_header_steps(plan, extends ? plan->backing.path : NULL, size, plan->method == RECORD_CONTENT);
        return;
    }
    if (record_kind_facts(plan->method)->shifts) {
        list_in_place_steps(plan, extends, size);
        return;
    }
    plan_steps_new_image(plan);
    list_copy_backing(plan, size);
    plan_step(plan, COW_STEP_WRITE_BITMAP, plan->result.counted.bitmap_bytes, "write its bitmap%s",
              plan->result.born_dirty.sectors > 0 ? ", the new sectors dirty" : "");
    plan_step(plan, COW_STEP_COPY_DATA, p->writes_bytes,
              "copy the data of %" PRIu64 " dirty sectors to their new place", p->dirty_sectors);
    filesystem_list_steps(plan);
    plan_steps_finish_image(plan);
    list_extend_backing(plan, extends ? plan->backing.path : NULL, size);
    plan_steps_place(plan, opt->output_path);
}

static const char *next_step(struct cow_plan *plan, const struct cow_resize_options *opt)
{
    char after[NEXT_STEP_BYTES];
    if (plan->filesystem.resizes) {
        return FILESYSTEM_NEXT;
    }
    if (plan->result.shrinks) {
        return plan_text(plan, "boot the guest%s", shrink_next(plan, opt->size_bytes));
    }
    /* where nothing has changed its size but the file that lies under it, and where it could not be read
     */
    cow_fs_after_growing(after, sizeof after, plan->fs);
    return plan_text(plan, "%s%s",
                     opt->policy == COW_POLICY_KEEP
                         ? "a stock kernel refuses this image; boot a patched one with the new size "
                           "(ubd0=COW,BACKING,SIZE)"
                         : "boot the guest",
                     after);
}

bool resize_extends_backing(const struct cow_plan *plan, const struct cow_resize_options *opt)
{
    return opt->policy == COW_POLICY_EXTEND && !plan->is_member &&
           plan->backing.size_bytes < plan->backing.new_size_bytes;
}

/* What the method costs. */
static int describe_method(struct cow_plan *plan, const struct cow_usage *usage, struct cow_error *err)
{
    struct cow_preview *p = &plan->preview;
    p->after_dirty_sectors = usage->dirty_sectors + plan->result.born_dirty.sectors;
    if (record_kind_facts(plan->method)->shifts) {
        return in_place_describe(plan, err);
    }
    if (plan->method == RECORD_HEADER || plan->method == RECORD_CONTENT) {
        p->method = COW_METHOD_HEADER;
        footprint_needs(plan, room_by_header(plan),
                        plan->result.saved_bytes > 0); /* of that, zeros at its end are not kept */
        plan_note(plan, "the data stays where it is: its offset leaves the bitmap room to grow");
        return 0;
    }
    p->after_dirty_sectors = plan->result.counted.dirty_sectors;
    plan_show_image(plan);
    p->dirty_sectors = plan->result.counted.carried_sectors;
    p->moves_bytes = p->dirty_sectors * plan->img->header.sector_bytes;
    return 0;
}

int resize_describe(struct cow_plan *plan, const struct cow_resize_options *opt,
                    const struct cow_usage *usage, struct cow_error *err)
{
    struct cow_preview *p = &plan->preview;
    plan_show_new_image(plan);
    p->policy = cow_policy_name(opt->policy);
    p->target_path = plan->target.path;
    p->replaces = plan->target.replaces;
    p->changes_existing = opt->output_path == NULL;
    p->dirty_sectors = usage->dirty_sectors;
    p->has_after_dirty = true;
    int status = describe_method(plan, usage, err);
    if (status != 0) {
        return status;
    }
    const uint64_t image_bytes = p->needs_free_bytes + filesystem_needs_bytes(plan);
    if (plan->backing.copy_path != NULL && plan->backing.path != NULL) { /* or less, by a reflink */
        const uint64_t copy_bytes = (uint64_t)plan->backing.facts.st_blocks * 512;
        footprint_needs(plan, p->needs_free_bytes + copy_bytes + footprint_map_bytes(copy_bytes, 5), true);
    }
    filesystem_describe(plan);
    p->patched_opens = true;
    p->undo_text = plan_undo_text(plan, opt->output_path, usage->allocated_bytes);
    p->next_step = next_step(plan, opt);
    describe_resized_backing(plan, opt);
    note_resize(plan, opt, usage);
    p->command = resize_command(plan, opt);
    list_resize_steps(plan, opt, image_bytes);
    return 0;
}

void resize_describe_backing_only(struct cow_plan *plan, const struct cow_resize_options *opt,
                                  const struct cow_usage *usage)
{
    struct cow_preview *p = &plan->preview;
    const bool extends = resize_extends_backing(plan, opt);
    char size[COW_SIZE_TEXT_BYTES];
    plan->result.header = plan->img->header;
    plan->result.layout = plan->img->layout;
    plan_show_new_image(plan);
    p->policy = cow_policy_name(opt->policy);
    p->method = extends ? COW_METHOD_BACKING_ONLY : COW_METHOD_NONE;
    p->target_path = plan->img->real_path;
    p->changes_existing = extends;
    p->dirty_sectors = usage->dirty_sectors;
    p->patched_opens = true;
    footprint_needs(plan, extends ? footprint_record_bytes(plan, footprint_block_bytes(plan)) : 0, false);
    p->undo_text = extends ? plan_undo_text(plan, NULL, 0) : "";
    p->command = resize_command(plan, opt);
    if (extends) {
        describe_resized_backing(plan, opt);
        note_what_lay_at_the_end(plan);
        plan_step(plan, COW_STEP_LOCK, 0, "lock the image and its backing file");
        plan_step(plan, COW_STEP_JOURNAL, 0,
                  "write down what is about to happen, so that it can be finished or taken back");
        plan_step(plan, COW_STEP_EXTEND_BACKING, 0, "lengthen %s to %s by a hole, restore its date, flush",
                  plan->backing.path, cow_size_text(size, opt->size_bytes));
        plan_step(plan, COW_STEP_END_JOURNAL, 0, "keep the journal as the undo data");
        p->next_step = next_step(plan, opt);
    } else {
        plan_note(plan, "the disk has this size already: nothing is to be done");
    }
}
