/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * create: a new, empty v3 image on a backing file.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/format/kernel.h"
#include "core/plan/footprint.h"
#include "core/plan/plan.h"
#include "core/plan/plan_steps.h"
#include "core/plan/rewrite.h"
#include "cow/text.h"

static int check_backing(struct cow_plan *plan, const struct cow_create_options *opt, struct cow_error *err)
{
    struct host_file file;
    int status = host_file_open_disk(plan->io, &file, opt->backing_path, O_RDONLY, err);
    if (status != 0) {
        return cow_error_prefix(err, "the backing file");
    }
    const bool is_cow = rewrite_is_cow(plan, &file);
    host_file_close(plan->io, &file);
    if (is_cow && !opt->force) {
        cow_error_set(err, COW_REFUSED, "%s: is a COW image itself, no raw disk", opt->backing_path);
        return cow_error_hint(
            err, "a kernel would take its header for the disk's first bytes; merge it into a raw "
                 "file first, or --force");
    }
    if (is_cow) {
        plan_note(plan, "%s is a COW image itself: a kernel takes its header for the disk's first bytes",
                  opt->backing_path);
    }
    plan->backing_facts = file.facts;
    plan->backing_bytes = (uint64_t)file.facts.st_size;
    plan->backing_path = plan_absolute_path(plan, opt->backing_path, err);
    if (plan->backing_path == NULL) {
        return err != NULL ? err->status : COW_IO;
    }
    int64_t mtime = file.facts.st_mtim.tv_sec;
    if (mtime < 0 || mtime > UINT32_MAX) {
        cow_error_set(err, COW_INVALID, "%s: its date (%" PRId64 ") does not fit a COW header",
                      opt->backing_path, mtime);
        return cow_error_hint(err,
                              "no kernel accepts a backing file dated before 1970 or after 2106; touch it");
    }
    if (plan->backing_bytes <= 32768) {
        return cow_error_set(err, COW_INVALID,
                             "%s: %" PRIu64 " bytes; a disk of 32 KiB or less hangs the guest",
                             opt->backing_path, plan->backing_bytes);
    }
    return 0;
}

static int fill_header(struct cow_plan *plan, const struct cow_create_options *opt, struct cow_error *err)
{
    struct cow_header *h = &plan->header;
    *h = (struct cow_header){.format = COW_FORMAT_V3,
                             .version = 3,
                             .big_endian = true,
                             .size_bytes = plan->backing_bytes,
                             .sector_bytes = 512,
                             .mtime = (uint32_t)plan->backing_facts.st_mtim.tv_sec};
    if (strlen(plan->backing_path) >= sizeof h->backing_path) {
        return cow_error_set(err, COW_INVALID, "%s: the path is too long for a COW header",
                             plan->backing_path);
    }
    memcpy(h->backing_path, plan->backing_path, strlen(plan->backing_path) + 1);
    int status = cow_layout_choose_alignment(&h->alignment, h->size_bytes, opt->reserve_bytes, err);
    if (status == 0) {
        status = cow_layout_of(&plan->layout, h, err);
    }
    return status != 0 ? status : plan_predict_verdict(plan, plan->backing_bytes, h->mtime, err);
}

static void describe(struct cow_plan *plan, const struct cow_create_options *opt)
{
    char image[PATH_MAX], backing[PATH_MAX], size[COW_SIZE_TEXT_BYTES], reserve[COW_SIZE_TEXT_BYTES];
    cow_shell_quote(image, sizeof image, opt->path);
    cow_shell_quote(backing, sizeof backing, opt->backing_path);
    plan_show_new_image(plan);
    struct cow_preview *p = &plan->preview;
    p->target_path = plan->target_path;
    p->replaces = plan->replace;
    plan_show_image(plan);
    p->patched_opens = true;
    p->backing_text = plan_words(plan, "%s is only read", opt->backing_path);
    p->undo_text = plan_words(plan, "remove %s", opt->path);
    p->command = opt->reserve_bytes == 0
                     ? plan_text(plan, "cowtui create %s %s", image, backing)
                     : plan_text(plan, "cowtui create --reserve %s %s %s",
                                 cow_size_argument(reserve, opt->reserve_bytes), image, backing);
    plan_note_device(plan, &plan->backing_facts);
    char boot[2 * COW_MESSAGE_BYTES];
    p->next_step = plan_words(plan, "%s", kernel_boot_text(boot, sizeof boot, opt->path));
    plan_step(plan, COW_STEP_LOCK, 0, "lock %s for reading", opt->backing_path);
    plan_step(plan, COW_STEP_BEGIN_IMAGE, 0, "write a header for %s, marked unfinished",
              cow_size_text(size, plan->header.size_bytes));
    plan_step(plan, COW_STEP_FINISH_IMAGE, 0, "flush, write the true size, flush");
    plan_step(plan, COW_STEP_RENAME, 0, "give it its name: %s", opt->path);
}

int cow_plan_create(struct cow_plan **out, const struct cow_create_options *opt, struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    struct cow_plan *plan = plan_new(opt->io != NULL ? opt->io : &io_system, NULL, "create");
    if (plan == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->hold_backing = HOLD_READ;
    plan->fresh = true;
    plan->force = opt->force;
    int status = check_backing(plan, opt, err);
    if (status == 0) {
        plan->named_path = opt->path;
        plan->target_path = plan_choose_output(plan, opt->path, opt->force, &plan->replace, err);
        status = plan->target_path == NULL ? err->status : 0;
    }
    if (status == 0) {
        plan->temp_path = plan_temp_path(plan, plan->target_path);
        status = fill_header(plan, opt, err);
    }
    if (status == 0) {
        status = footprint_of_image(plan, NULL, err);
    }
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    describe(plan, opt);
    return plan_finish(out, plan, err);
}
