/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * merge -o: the composed disk as a raw file, to a stream, or over a block device.
 *
 * A new file appears by rename, complete, and changes nothing that exists, so there is no question and
 * no journal. To a stream or a device nothing can appear by rename: a crash or a failure leaves what
 * was written, and that is said; a device wants --force, for there is no way back.
 *
 * How much room it takes is told as "up to": blocks of zeros are found only while writing.
 */
#include <limits.h>

#include "core/base/arith.h"
#include "core/ops/merge_into_backing.h"
#include "core/plan/footprint.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_steps.h"
#include "cow/text.h"

/* What the raw file will take: it can be no more than both files hold together. */
static uint64_t estimate_bytes(const struct cow_plan *plan)
{
    uint64_t both =
        ((uint64_t)plan->img->cow.facts.st_blocks + (uint64_t)plan->backing.facts.st_blocks) * 512;
    return arith_min(both, plan->img->header.size_bytes);
}

static void list_merge_steps(struct cow_plan *plan, const struct cow_merge_options *opt)
{
    char size[COW_SIZE_TEXT_BYTES];
    const struct cow_preview *p = &plan->preview;
    const uint64_t disk_bytes = plan->img->header.size_bytes;
    plan_step(plan, COW_STEP_LOCK, 0, "lock image and backing file for reading");
    if (plan->target.stream_fd >= 0) {
        plan_step(plan, COW_STEP_WRITE_STREAM, disk_bytes, "write what the guest sees to standard output");
        return;
    }
    if (plan->target.is_device) {
        plan_step(plan, COW_STEP_WRITE_DEVICE, disk_bytes, "write what the guest sees over what is on %s",
                  plan->target.path);
        plan_step(plan, COW_STEP_FINISH_RAW, 0, "flush");
        return;
    }
    plan_step(plan, COW_STEP_CHECK_SPACE, 0, "check for %s of free space",
              cow_size_text(size, p->needs_free_bytes));
    plan_step(plan, COW_STEP_BEGIN_RAW, 0, "make a sparse file of %s", cow_size_text(size, disk_bytes));
    plan_step(plan, COW_STEP_COMPOSE, p->moves_bytes, "write what the guest sees, holes kept");
    plan_step(plan, COW_STEP_FINISH_RAW, 0, "flush");
    plan_step(plan, COW_STEP_RENAME, 0, "give it its name: %s", opt->output_path);
}

static void describe_merge(struct cow_plan *plan, const struct cow_merge_options *opt,
                           const struct cow_usage *usage)
{
    char image[PATH_MAX], output[PATH_MAX], backing[PATH_MAX];
    const bool is_file = plan->target.stream_fd < 0 && !plan->target.is_device;
    cow_shell_quote(image, sizeof image, plan->img->path);
    cow_shell_quote(output, sizeof output, plan->target.stream_fd < 0 ? opt->output_path : "-");
    struct cow_preview *p = &plan->preview;
    bool named = plan->img->backing.facts.named;
    p->target_path = plan->target.path;
    p->makes_raw = true;
    p->replaces = plan->target.replaces && is_file;
    p->dirty_sectors = usage->dirty_sectors;
    p->moves_bytes = is_file ? estimate_bytes(plan) : plan->img->header.size_bytes;
    p->writes_bytes = p->moves_bytes;
    if (is_file) {
        footprint_needs(plan, footprint_round(p->moves_bytes, footprint_block_bytes(plan)), true);
    }
    p->backing_text = "image and backing file are only read";
    plan_note_outside(plan);
    p->undo_text = is_file                  ? plan_file_undo(plan, opt->output_path)
                   : plan->target.is_device ? "none: what is on the device is written over"
                                            : "";
    p->command = plan_text(plan, "cowtui merge -o %s%s%s%s %s", output,
                           plan->target.is_device || p->replaces ? " --force" : "", named ? " -b " : "",
                           named ? cow_shell_quote(backing, sizeof backing, plan->backing.path) : "", image);
    list_merge_steps(plan, opt);
}

/* Where the disk goes. */
static int choose_raw_target(struct cow_plan *plan, const struct cow_merge_options *opt,
                             struct cow_error *err)
{
    struct stat facts;
    if (opt->stream_fd == NULL) {
        plan->target.takes_device = true;
        plan->target.path =
            plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
        if (plan->target.path != NULL) {
            plan->target.temp_path =
                plan->target.is_device ? plan->target.path : plan_temp_path(plan, plan->target.path);
        }
        return plan->target.path == NULL ? err->status : 0;
    }
    plan->target.stream_fd = *opt->stream_fd;
    plan->target.path = "-";
    int status = plan->io->fstat(plan->io->context, plan->target.stream_fd, &facts);
    if (status < 0) {
        return cow_error_system(err, -status, "standard output");
    }
    if (same_file(&facts, &plan->img->cow.facts) ||
        (plan->backing.path != NULL && same_file(&facts, &plan->backing.facts))) {
        return cow_error_set(err, COW_REFUSED, "standard output is the image or its backing file itself");
    }
    return 0;
}

int cow_plan_merge(struct cow_plan **out, struct cow_image *img, const struct cow_merge_options *opt,
                   struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    struct cow_usage usage;
    if (opt->in_place) { /* refuses an output, too */
        return merge_into_backing(out, image_flat(img), opt, err);
    }
    img = image_flat(img);
    int status = cow_image_usage(img, &usage, err);
    uint8_t nothing;
    if (status == 0 &&
        usage.dirty_sectors < img->layout.sectors) { /* says what is wrong with the backing file, if it is */
        status = cow_image_read_file(img, COW_FILE_BACKING, 0, &nothing, 1, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, COW_OPERATION_MERGE, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->holds.image = HOLD_READ;
    plan->holds.backing = plan->backing.path != NULL ? HOLD_READ : HOLD_NOT;
    plan->force = opt->force;
    plan->holds.are_optional = opt->force;
    status = choose_raw_target(plan, opt, err);
    if (status == 0) {
        describe_merge(plan, opt, &usage);
    }
    return plan_finish(out, plan, status, err);
}
