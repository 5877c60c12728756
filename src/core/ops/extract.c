/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A file of the guest as a file of the host, as the guest sees it or as the backing file alone has it.
 * Its length is known, what it takes is not: holes of the guest's file stay holes.
 *
 * It looks through all layers of the image, as files does, for nothing of the image is written by it.
 */
#include <inttypes.h>
#include <limits.h>

#include "core/plan/footprint.h"
#include "core/plan/plan.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_steps.h"
#include "cow/fs.h"
#include "cow/text.h"

static void describe_extract(struct cow_plan *plan, const struct cow_extract_options *opt)
{
    char image[PATH_MAX], output[PATH_MAX], inside[PATH_MAX], backing[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    const bool named = plan->img->backing.facts.named && plan->backing.path != NULL;
    const uint64_t size_bytes = cow_fs_reader_size(plan->file);
    struct cow_preview *p = &plan->preview;
    size_t n;
    const struct cow_volume *volume = &cow_fs_volumes(plan->fs, &n)[opt->volume];
    const char *partition =
        volume->partition > 0 ? plan_text(plan, " --partition %u", volume->partition) : "";
    p->has_before = false;
    p->target_path = plan->target.path;
    p->replaces = plan->target.replaces;
    p->moves_bytes = size_bytes;
    p->writes_bytes = size_bytes;
    footprint_needs(plan, footprint_round(size_bytes, footprint_block_bytes(plan)), true);
    p->content_text = plan_words(plan, "%s as %s has it: %s", opt->path,
                                 opt->version == COW_VERSION_BASE ? "the backing file" : "the guest",
                                 cow_size_text(size, size_bytes));
    p->backing_text = "image and backing file are only read";
    plan_note_outside(plan);
    p->undo_text = plan_file_undo(plan, opt->output_path);
    p->command = plan_text(plan, "cowtui files --extract %s%s -o %s%s%s%s%s %s",
                           cow_shell_quote(inside, sizeof inside, opt->path),
                           opt->version == COW_VERSION_BASE ? " --from backing" : "",
                           cow_shell_quote(output, sizeof output, opt->output_path), partition,
                           opt->force ? " --force" : "", named ? " -b " : "",
                           named ? cow_shell_quote(backing, sizeof backing, plan->backing.path) : "",
                           cow_shell_quote(image, sizeof image, plan->img->path));
    plan_step(plan, COW_STEP_LOCK, 0, "lock image and backing file for reading");
    plan_step(plan, COW_STEP_CHECK_SPACE, 0, "check for %s of free space", size);
    plan_step(plan, COW_STEP_BEGIN_RAW, 0, "make a sparse file of %s", size);
    plan_step(plan, COW_STEP_WRITE_FILE, size_bytes, "write the file's content, holes kept");
    plan_step(plan, COW_STEP_FINISH_RAW, 0, "flush");
    plan_step(plan, COW_STEP_RENAME, 0, "give it its name: %s", opt->output_path);
}

static int build_extract(struct cow_plan *plan, const struct cow_extract_options *opt, struct cow_error *err)
{
    int status = cow_fs_open(&plan->fs, plan->img, err);
    if (status == 0) {
        status = cow_fs_reader_open(&plan->file, plan->fs, opt->volume, opt->version, opt->path, err);
    }
    if (status == 0) {
        plan->target.path =
            plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
        status = plan->target.path == NULL ? err->status : 0;
    }
    if (status != 0) {
        return status;
    }
    plan->holds.image = HOLD_READ;
    plan->holds.backing = plan->backing.path != NULL ? HOLD_READ : HOLD_NOT;
    plan->force = opt->force;
    plan->holds.are_optional = opt->force;
    plan->target.temp_path = plan_temp_path(plan, plan->target.path);
    describe_extract(plan, opt);
    return 0;
}

int cow_plan_extract(struct cow_plan **out, struct cow_image *img, const struct cow_extract_options *opt,
                     struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, COW_OPERATION_EXTRACT, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    /* The file that `files` shows, through all layers: neither the image nor its backing file is touched. */
    plan->img = img;
    status = build_extract(plan, opt, err);
    return plan_finish(out, plan, status, err);
}
