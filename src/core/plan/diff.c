/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * diff: a new image that turns one raw disk into another. It is a rebase of the second, as an image without
 * any dirty sector, to the first.
 */
#include <inttypes.h>
#include <string.h>

#include "core/image/image.h"
#include "core/plan/footprint.h"
#include "core/plan/rewrite.h"

static int check_inputs(struct cow_plan *plan, const struct cow_diff_options *opt, struct cow_error *err)
{
    const struct stat *backing = &plan->input[0].file.facts;
    const int64_t mtime = backing->st_mtim.tv_sec;
    const uint64_t raw_bytes = plan->img->header.size_bytes;
    if (same_file(backing, &plan->img->cow.facts)) {
        return cow_error_set(err, COW_REFUSED, "%s and %s are the same file", opt->backing_path,
                             opt->raw_path);
    }
    if (rewrite_is_cow(plan, &plan->input[0].file) && !opt->force) {
        cow_error_set(err, COW_REFUSED, "%s: is a COW image itself, no raw disk", opt->backing_path);
        return cow_error_hint(err, "merge it into a raw file first, or --force");
    }
    if ((uint64_t)backing->st_size != raw_bytes) {
        cow_error_set(err, COW_REFUSED,
                      "%s has %" PRId64 " bytes, %s has %" PRIu64
                      ": a kernel wants disk and backing file equally long",
                      opt->backing_path, (int64_t)backing->st_size, opt->raw_path, raw_bytes);
        return cow_error_hint(err,
                              "lengthen the shorter one with truncate -s, or cut a copy of the longer one");
    }
    if (mtime < 0 || mtime > UINT32_MAX) {
        return cow_error_set(err, COW_INVALID, "%s: its date (%" PRId64 ") does not fit a COW header",
                             opt->backing_path, mtime);
    }
    if (raw_bytes <= 32768) {
        return cow_error_set(err, COW_INVALID,
                             "%s: %" PRIu64 " bytes; a disk of 32 KiB or less hangs the guest", opt->raw_path,
                             raw_bytes);
    }
    return 0;
}

/* Where the new image goes. */
static int choose_target(struct cow_plan *plan, const struct cow_diff_options *opt, struct cow_error *err)
{
    plan->named_path = opt->output_path;
    plan->target_path = plan_choose_output(plan, opt->output_path, opt->force, &plan->replace, err);
    if (plan->target_path == NULL) {
        return err->status;
    }
    plan->temp_path = plan_temp_path(plan, plan->target_path);
    return 0;
}

static int build(struct cow_plan *plan, const struct cow_diff_options *opt, struct cow_error *err)
{
    struct rewrite_cost cost = {.old_sectors = 0};
    const struct stat *backing = &plan->input[0].file.facts;
    int status = plan_add_input(plan, "backing file", opt->backing_path, err);
    if (status == 0) {
        status = plan_add_input(plan, "raw disk", opt->raw_path, err);
    }
    if (status == 0) {
        status = check_inputs(plan, opt, err);
    }
    if (status == 0) {
        status = choose_target(plan, opt, err);
    }
    const char *stored = status == 0 ? plan_absolute_path(plan, opt->backing_path, err) : NULL;
    if (stored == NULL) {
        return status != 0 ? status : err->status;
    }
    status = rewrite_look_inside(plan, !opt->sectors, false, opt->env, err);
    if (status != 0) {
        return status;
    }
    const struct selection_rule rule = {.pages = !opt->sectors,
                                        .joints = plan->has_joints ? plan->fs_scan : NULL,
                                        .compare = true,
                                        .look_at_all = true,
                                        .backing = &plan->input[0].file,
                                        .env = opt->env};
    status = selection_open(&plan->selection, plan->img, &rule, err);
    if (status == 0) {
        status =
            rewrite_fill_header(plan, stored, (uint32_t)backing->st_mtim.tv_sec, opt->reserve_bytes, err);
    }
    if (status == 0) {
        status = plan_predict_verdict(plan, (uint64_t)backing->st_size, backing->st_mtim.tv_sec, err);
    }
    if (status == 0) {
        plan->punch_zeros = true;
        status = footprint_of_image(plan, opt->env, err);
    }
    if (status == 0) {
        rewrite_describe_diff(plan, opt, &cost);
    }
    return status;
}

int cow_plan_diff(struct cow_plan **out, const struct cow_diff_options *opt, struct cow_error *err)
{
    struct cow_error local;
    struct cow_image *raw;
    const struct cow_io *io = opt->io != NULL ? opt->io : &io_system;
    err = err != NULL ? err : &local;
    int status = image_open_raw(&raw, opt->raw_path, io, err);
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(io, raw, "diff");
    if (plan == NULL) {
        cow_image_close(raw);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->own_image = raw;
    plan->fresh = true;
    plan->force = opt->force;
    status = build(plan, opt, err);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    return plan_finish(out, plan, err);
}
