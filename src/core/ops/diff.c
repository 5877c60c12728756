/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * diff: a new image that turns one raw disk into another. It is a rebase of the second, as an image of
 * one layer, to the first: what differs becomes dirty. So it has no rules of its own for pages, for
 * what hangs together or for room. create --from is the same of a disk in another format, which somebody
 * else reads (cow/foreign.h).
 */
#include <inttypes.h>

#include "core/image/backing_rules.h"
#include "core/image/image.h"
#include "core/ops/rewrite.h"
#include "core/plan/footprint.h"
#include "core/plan/new_header.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"

/* *mtime: the backing file's date, as the header will have it. */
static int check_inputs(const struct cow_plan *plan, uint32_t *mtime, const struct cow_diff_options *opt,
                        struct cow_error *err)
{
    const struct stat *backing = &plan->input[0].file.facts;
    const uint64_t raw_bytes = plan->img->header.size_bytes;
    if (same_file(backing, &plan->img->cow.facts)) {
        return cow_error_set(err, COW_REFUSED, "%s and %s are the same file", opt->backing_path,
                             opt->raw_path);
    }
    int status =
        opt->force ? 0 : backing_rule_is_no_cow(plan->io, &plan->input[0].file, opt->backing_path, err);
    if (status != 0) {
        return status;
    }
    if ((uint64_t)backing->st_size != raw_bytes) {
        cow_error_set(err, COW_REFUSED,
                      "%s has %" PRId64 " bytes, %s%s has %" PRIu64
                      ": a kernel wants disk and backing file equally long",
                      opt->backing_path, (int64_t)backing->st_size, opt->source != NULL ? "the disk in " : "",
                      opt->raw_path, raw_bytes);
        return cow_error_hint(err, opt->source != NULL
                                       ? "qemu-img resize gives a copy of the image another size"
                                       : "lengthen the shorter one with truncate -s, or cut a copy of the "
                                         "longer one");
    }
    status = backing_rule_date_fits(mtime, backing->st_mtim.tv_sec, opt->backing_path, err);
    return status != 0 ? status : backing_rule_size_fits(raw_bytes, opt->raw_path, err);
}

/* Where the new image goes. */
static int choose_diff_target(struct cow_plan *plan, const struct cow_diff_options *opt,
                              struct cow_error *err)
{
    plan->target.named_path = opt->output_path;
    plan->target.path = plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
    if (plan->target.path == NULL) {
        return err->status;
    }
    plan->target.temp_path = plan_temp_path(plan, plan->target.path);
    return 0;
}

static int build_diff(struct cow_plan *plan, const struct cow_diff_options *opt, struct cow_error *err)
{
    struct rewrite_cost cost = {.old_sectors = 0};
    const struct stat *backing = &plan->input[0].file.facts;
    uint32_t mtime;
    int status = plan_add_input(plan, "backing file", opt->backing_path, err);
    if (status == 0) {
        status =
            plan_add_input(plan, opt->source != NULL ? opt->source->title : "raw disk", opt->raw_path, err);
    }
    if (status == 0) {
        status = check_inputs(plan, &mtime, opt, err);
    }
    if (status == 0) {
        status = choose_diff_target(plan, opt, err);
    }
    plan->backing.is_cow = status == 0 && backing_is_cow(plan->io, &plan->input[0].file);
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
    status = selection_open(&plan->result.selection, plan->img, &rule, err);
    if (status == 0) {
        status = new_header_fill(plan,
                                 &(struct new_header){.size_bytes = plan->img->header.size_bytes,
                                                      .backing_path = stored,
                                                      .mtime = mtime,
                                                      .reserve_bytes = opt->reserve_bytes,
                                                      .keeps_room = true},
                                 err);
    }
    if (status == 0) {
        status = plan_predict_verdict(plan, (uint64_t)backing->st_size, backing->st_mtim.tv_sec, err);
    }
    if (status == 0) {
        plan->result.punch_zeros = true;
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
    int status = image_open_foreign(&raw, opt->raw_path, opt->source, io, err);
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan =
        plan_new(io, raw, opt->source != NULL ? COW_OPERATION_CREATE : COW_OPERATION_DIFF, err);
    if (plan == NULL) {
        cow_image_close(raw);
        return COW_NO_MEMORY;
    }
    plan->own_image = raw;
    plan->result.is_callers = true;
    plan->force = opt->force;
    status = build_diff(plan, opt, err);
    return plan_finish(out, plan, status, err);
}
