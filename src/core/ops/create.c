/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * create: a new, empty v3 image on a backing file. It names that file by its absolute path: a kernel
 * looks for a relative one from the directory in which it is started, and nobody knows that.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>

#include "core/format/kernel.h"
#include "core/image/backing_rules.h"
#include "core/plan/footprint.h"
#include "core/plan/new_header.h"
#include "core/plan/plan.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_steps.h"
#include "cow/text.h"

/* *mtime: its date, as the header will have it. */
static int check_new_images_backing(struct cow_plan *plan, uint32_t *mtime,
                                    const struct cow_create_options *opt, struct cow_error *err)
{
    struct host_file file;
    int status = host_file_open_disk(plan->io, &file, opt->backing_path, O_RDONLY, err);
    if (status != 0) {
        return cow_error_prefix(err, "the backing file");
    }
    plan->backing.is_cow = backing_is_cow(plan->io, &file);
    status = opt->force ? 0 : backing_rule_is_no_cow(plan->io, &file, opt->backing_path, err);
    host_file_close(plan->io, &file);
    if (status != 0) {
        return status;
    }
    plan->backing.facts = file.facts;
    plan->backing.size_bytes = (uint64_t)file.facts.st_size;
    plan->backing.path = plan_absolute_path(plan, opt->backing_path, err);
    if (plan->backing.path == NULL) {
        return err != NULL ? err->status : COW_IO;
    }
    status = backing_rule_date_fits(mtime, file.facts.st_mtim.tv_sec, opt->backing_path, err);
    return status != 0 ? status : backing_rule_size_fits(plan->backing.size_bytes, opt->backing_path, err);
}

static void describe_create(struct cow_plan *plan, const struct cow_create_options *opt)
{
    char image[PATH_MAX], backing[PATH_MAX], size[COW_SIZE_TEXT_BYTES], reserve[COW_SIZE_TEXT_BYTES];
    cow_shell_quote(image, sizeof image, opt->path);
    cow_shell_quote(backing, sizeof backing, opt->backing_path);
    plan_show_new_image(plan);
    struct cow_preview *p = &plan->preview;
    p->target_path = plan->target.path;
    p->replaces = plan->target.replaces;
    plan_show_image(plan);
    p->patched_opens = true;
    p->backing_text = plan_words(plan, "%s is only read", opt->backing_path);
    p->undo_text = plan_file_undo(plan, opt->path);
    p->command = opt->reserve_bytes == 0
                     ? plan_text(plan, "cowtui create %s %s", image, backing)
                     : plan_text(plan, "cowtui create --reserve %s %s %s",
                                 cow_size_argument(reserve, opt->reserve_bytes), image, backing);
    plan_note_device(plan, &plan->backing.facts);
    char boot[2 * COW_MESSAGE_BYTES];
    p->next_step = plan_words(plan, "%s", kernel_boot_text(boot, sizeof boot, opt->path));
    plan_step(plan, COW_STEP_LOCK, 0, "lock %s for reading", opt->backing_path);
    plan_step(plan, COW_STEP_BEGIN_IMAGE, 0, "write a header for %s, marked unfinished",
              cow_size_text(size, plan->result.header.size_bytes));
    plan_step(plan, COW_STEP_FINISH_IMAGE, 0, "flush, write the true size, flush");
    plan_step(plan, COW_STEP_RENAME, 0, "give it its name: %s", opt->path);
}

int cow_plan_create(struct cow_plan **out, const struct cow_create_options *opt, struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    struct cow_plan *plan = plan_new(opt->io != NULL ? opt->io : &io_system, NULL, COW_OPERATION_CREATE, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->holds.backing = HOLD_READ;
    plan->result.is_callers = true;
    plan->force = opt->force;
    uint32_t mtime;
    int status = check_new_images_backing(plan, &mtime, opt, err);
    if (status == 0) {
        plan->target.named_path = opt->path;
        plan->target.path = plan_choose_output(plan, opt->path, opt->force, &plan->target.replaces, err);
        status = plan->target.path == NULL ? err->status : 0;
    }
    if (status == 0) {
        plan->target.temp_path = plan_temp_path(plan, plan->target.path);
        status = new_header_fill(plan,
                                 &(struct new_header){.size_bytes = plan->backing.size_bytes,
                                                      .backing_path = plan->backing.path,
                                                      .mtime = mtime,
                                                      .reserve_bytes = opt->reserve_bytes},
                                 err);
    }
    if (status == 0) {
        status = plan_predict_verdict(plan, plan->backing.size_bytes, mtime, err);
    }
    if (status == 0) {
        status = footprint_of_image(plan, NULL, err);
    }
    if (status == 0) {
        describe_create(plan, opt);
    }
    return plan_finish(out, plan, status, err);
}
