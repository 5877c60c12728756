/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a front end has made of an image, as a file: a picture of the map. The core knows nothing of what is
 * in it; that it comes whole, under no name of anybody's file and with no more rights than the image has, is
 * the core's.
 */
#include <limits.h>

#include "core/plan/footprint.h"
#include "core/plan/plan.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_steps.h"
#include "cow/text.h"

static const char *save_command(struct cow_plan *plan, const struct cow_save_options *opt)
{
    char image[PATH_MAX];
    return opt->command == NULL ? ""
                                : plan_text(plan, "%s%s %s", opt->command, opt->force ? " --force" : "",
                                            cow_shell_quote(image, sizeof image, plan->img->path));
}

static void describe_save(struct cow_plan *plan, const struct cow_save_options *opt)
{
    char size[COW_SIZE_TEXT_BYTES];
    struct cow_preview *p = &plan->preview;
    p->has_before = false;
    p->target_path = plan->target.path;
    p->replaces = plan->target.replaces;
    p->moves_bytes = opt->n_bytes;
    p->writes_bytes = opt->n_bytes;
    footprint_needs(plan, footprint_round(opt->n_bytes, footprint_block_bytes(plan)), true);
    p->content_text = plan_words(plan, "%s: %s", opt->what, cow_size_text(size, opt->n_bytes));
    p->backing_text = "image and backing file are only read";
    p->undo_text = plan_file_undo(plan, opt->output_path);
    p->command = save_command(plan, opt);
    plan_step(plan, COW_STEP_CHECK_SPACE, 0, "check for %s of free space", size);
    plan_step(plan, COW_STEP_BEGIN_RAW, 0, "make a file of %s", size);
    plan_step(plan, COW_STEP_WRITE_FILE, opt->n_bytes, "write it");
    plan_step(plan, COW_STEP_FINISH_RAW, 0, "flush");
    plan_step(plan, COW_STEP_RENAME, 0, "give it its name: %s", opt->output_path);
}

int cow_plan_save(struct cow_plan **out, struct cow_image *img, const struct cow_save_options *opt,
                  struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    struct cow_plan *plan = plan_new(img->io, img, COW_OPERATION_SAVE, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->img = img;
    plan->force = opt->force;
    plan->saved = opt->bytes;
    plan->target.path = plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
    const int status = plan->target.path == NULL ? err->status : 0;
    if (status == 0) {
        plan->target.temp_path = plan_temp_path(plan, plan->target.path);
        describe_save(plan, opt);
    }
    return plan_finish(out, plan, status, err);
}
