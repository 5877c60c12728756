/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pages, compact, rebase, convert, diff: what a decided plan says to people, and its steps. Each number
 * in a sentence is one that was counted (plan/footprint.c), and the suites compare it with what the
 * commit does.
 */
#include "core/ops/rewrite.h"

#include <inttypes.h>
#include <limits.h>

#include "core/base/arith.h"
#include "core/format/kernel.h"
#include "core/plan/footprint.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_steps.h"
#include "cow/text.h"

static const char *command_text(struct cow_plan *plan, const struct cow_rewrite_options *opt)
{
    char image[PATH_MAX], other[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    const char *name = cow_operation_name(plan->preview.operation);
    const char *text;
    if (plan->preview.operation == COW_OPERATION_REPAIR) {
        const bool same =
            !opt->restamp && !opt->set_mtime && !opt->safe && !opt->sectors && opt->output_path == NULL;
        return same ? plan_text(plan, "cowtui check --repair %s",
                                cow_shell_quote(image, sizeof image, plan->img->path))
                    : "";
    }
    text = plan_text(plan, "cowtui %s%s%s%s%s%s", name, opt->convert ? " --to v3" : "",
                     opt->safe ? " --safe" : "", opt->restamp ? " --restamp" : "",
                     opt->sectors ? " --sectors" : "", opt->unused ? " --unused" : "");
    if (opt->set_mtime) {
        text = plan_text(plan, "%s --mtime %" PRIu32, text, opt->mtime);
    }
    if (opt->larger) {
        text = plan_text(plan, "%s --force=larger", text);
    }
    if (opt->backing_path != NULL) {
        text = plan_text(plan, "%s --to %s", text, cow_shell_quote(other, sizeof other, opt->backing_path));
    }
    if (plan->img->backing.facts.named && plan->backing.path != NULL) {
        text = plan_text(plan, "%s -b %s", text, cow_shell_quote(other, sizeof other, plan->backing.path));
    }
    if (opt->reserve_bytes != 0) {
        text = plan_text(plan, "%s --reserve %s", text, cow_size_argument(size, opt->reserve_bytes));
    }
    if (opt->output_path != NULL) {
        text = plan_text(plan, "%s -o %s", text, cow_shell_quote(other, sizeof other, opt->output_path));
    }
    return plan_text(plan, "%s%s %s", text, opt->force ? " --force" : "",
                     cow_shell_quote(image, sizeof image, plan->img->path));
}

/* All three numbers: what is dropped, and what is added, make the new one of the old one. */
static const char *compact_text(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                                const struct rewrite_cost *cost)
{
    char size[COW_SIZE_TEXT_BYTES], before[COW_SIZE_TEXT_BYTES];
    const struct cow_preview *p = &plan->preview;
    const char *added =
        plan->result.counted.added_sectors > 0
            ? plan_text(plan, ", %" PRIu64 " are added (%s)", plan->result.counted.added_sectors,
                        plan->has_joints ? "the guest reads them in one piece with dirty ones"
                                         : "to complete pages")
            : "";
    return plan_words(
        plan,
        "%" PRIu64 " dirty sectors become %" PRIu64 ": %" PRIu64
        " are dropped (%s equal to the backing file%s)%s; zeros become holes; the file takes %s%s, "
        "now %s",
        cost->old_sectors, plan->result.counted.dirty_sectors, p->dropped_sectors,
        opt->sectors ? "sectors" : "pages", opt->unused ? ", or unused" : "", added,
        p->space_is_about ? "about " : "", cow_size_text(size, p->after_allocated_bytes),
        cow_size_text(before, p->before_allocated_bytes));
}

static void describe_content(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                             const struct rewrite_cost *cost)
{
    struct cow_preview *p = &plan->preview;
    if (opt->safe) {
        p->content_text =
            plan_words(plan,
                       "%" PRIu64 " of %" PRIu64
                       " sectors differ from the new backing file and go into the COW (it had %" PRIu64 ")",
                       plan->result.counted.dirty_sectors, plan->result.layout.sectors, cost->old_sectors);
    } else if (opt->compact) {
        p->content_text = compact_text(plan, opt, cost);
    } else if (opt->complete_pages) {
        p->content_text =
            plan_words(plan,
                       "%" PRIu64 " mixed pages are completed from the backing file%s: %" PRIu64
                       " dirty sectors become %" PRIu64,
                       cost->mixed_pages,
                       plan->has_joints ? ", and so is what the guest reads in one piece with them" : "",
                       cost->old_sectors, plan->result.counted.dirty_sectors);
    }
}

static void describe_named_backing(struct cow_plan *plan, const struct cow_rewrite_options *opt)
{
    struct cow_preview *p = &plan->preview;
    const struct cow_header *old = &plan->img->header;
    if (opt->backing_path != NULL) {
        p->backing_text =
            plan_words(plan, "%s instead of %s; neither is written", plan->result.header.backing_path,
                       old->backing_path[0] != '\0' ? old->backing_path : "none");
    } else if (plan->backing.path != NULL) {
        p->backing_text = plan_words(plan, "%s is only read", plan->backing.path);
    }
    if (plan->result.header.mtime != old->mtime) {
        char before[COW_TIME_TEXT_BYTES], after[COW_TIME_TEXT_BYTES];
        plan_note(plan, "the header's date of the backing file: %s -> %s", cow_time_text(before, old->mtime),
                  cow_time_text(after, plan->result.header.mtime));
    }
}

static void note_what_stays_mixed(struct cow_plan *plan, const struct rewrite_cost *cost)
{
    if (cost->keeps_mixed) {
        plan_note(
            plan,
            "pages that mix sectors of both files stay as they are, for to complete them would make the "
            "file larger; \"cowtui pages\" does that, or --force=larger");
    }
}

static void note_rewrite(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                         const struct rewrite_cost *cost)
{
    if (plan->result.selection != NULL) { /* pages are completed from the backing file */
        plan_note_outside(plan);
    }
    plan_note_in_use(plan);
    plan_note_format(plan);
    note_what_stays_mixed(plan, cost);
    if (opt->unused) {
        plan_note(plan, "what the guest's filesystem has free is dropped, too: no file changes, but the disk "
                        "does, where nothing is; deleted files cannot be brought back from there");
    }
    if (opt->restamp || (opt->force && plan->result.header.mtime != plan->img->header.mtime)) {
        plan_note(plan,
                  "nobody has compared the content: the guest sees whatever the backing file holds now; "
                  "\"cowtui check\" says what is known about it");
    }
    if (opt->sectors) {
        plan_note(plan,
                  "by sectors: pages that mix dirty and clean ones make a UML guest read wrong data; pages "
                  "mends that");
    }
    if (cost->usage.tail_bits) {
        plan_note(plan, "bits past the bitmap's end are ignored, as kernels do: the last sectors read from "
                        "the backing file");
    }
    plan_note_undo_given_up(plan);
    plan_note_links(plan, opt->output_path);
    if (opt->output_path != NULL) {
        plan_note_read_only(plan);
    }
}

static void list_rewrite_steps(struct cow_plan *plan, const struct cow_rewrite_options *opt)
{
    plan_steps_begin(plan, plan->preview.needs_free_bytes);
    if (plan->method == RECORD_HEADER) {
        plan_step(plan, COW_STEP_JOURNAL, 0,
                  "write down what is about to happen, so that it can be finished or taken back");
        plan_step(plan, COW_STEP_WRITE_HEADER, 512, "write the header's first sector, flush");
        plan_step(plan, COW_STEP_END_JOURNAL, 0, "keep the journal as the undo data");
        return;
    }
    plan_steps_new_image(plan);
    plan_step(plan, COW_STEP_WRITE_BITMAP, plan->result.counted.bitmap_bytes, "write its bitmap");
    if (plan->result.selection != NULL) {
        plan_step(plan, COW_STEP_WRITE_SELECTION, plan->result.counted.data_bytes,
                  "write the data of %" PRIu64 " dirty sectors", plan->result.counted.dirty_sectors);
    } else {
        plan_step(plan, COW_STEP_COPY_DATA, plan->result.counted.data_bytes,
                  "copy the data of %" PRIu64 " dirty sectors", plan->result.counted.dirty_sectors);
    }
    plan_steps_finish_image(plan);
    plan_steps_place(plan, opt->output_path);
}

/* What every plan of this kind shows. */
static void show_rewrite(struct cow_plan *plan, const struct rewrite_cost *cost)
{
    struct cow_preview *p = &plan->preview;
    plan_show_new_image(plan);
    p->target_path = plan->target.path;
    p->replaces = plan->target.replaces;
    p->dirty_sectors = cost->usage.dirty_sectors;
    p->has_after_dirty = true;
    p->after_dirty_sectors = plan->result.counted.dirty_sectors;
    p->added_sectors = plan->result.counted.added_sectors;
    p->dropped_sectors = arith_sub_floor(cost->old_sectors + plan->result.counted.added_sectors,
                                         plan->result.counted.dirty_sectors);
    p->patched_opens = true;
    if (plan->method == RECORD_HEADER) {
        footprint_needs(plan, footprint_record_bytes(plan, footprint_block_bytes(plan)), false);
    } else {
        plan_show_image(plan);
    }
}

void rewrite_describe(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                      const struct rewrite_cost *cost)
{
    struct cow_preview *p = &plan->preview;
    show_rewrite(plan, cost);
    p->has_mixed = opt->complete_pages;
    p->mixed_pages = p->has_mixed ? cost->mixed_pages : 0;
    p->method = plan->method == RECORD_HEADER ? COW_METHOD_HEADER : COW_METHOD_COPY;
    p->changes_existing = opt->output_path == NULL;
    p->undo_text = plan_undo_text(plan, opt->output_path, cost->usage.allocated_bytes);
    describe_content(plan, opt, cost);
    describe_named_backing(plan, opt);
    note_rewrite(plan, opt, cost);
    p->command = command_text(plan, opt);
    list_rewrite_steps(plan, opt);
}

void rewrite_describe_nothing(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                              const struct rewrite_cost *cost)
{
    struct cow_preview *p = &plan->preview;
    plan->result.header = plan->img->header;
    plan->result.layout = plan->img->layout;
    plan->target.replaces = false;
    plan->method = RECORD_NONE;
    show_rewrite(plan, cost);
    p->method = COW_METHOD_NONE;
    p->moves_bytes = p->writes_bytes = 0;
    footprint_needs(plan, 0, false);
    p->has_after_allocated = false;
    p->content_text = opt->complete_pages && !opt->compact ? "no page is mixed: there is nothing to do"
                      : opt->compact ? "there is nothing to drop, to complete or to punch"
                                     : "the image is like that already";
    p->command = command_text(plan, opt);
}

static const char *diff_command(struct cow_plan *plan, const struct cow_diff_options *opt)
{
    char backing[PATH_MAX], disk[PATH_MAX], output[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    cow_shell_quote(output, sizeof output, opt->output_path);
    cow_shell_quote(backing, sizeof backing, opt->backing_path);
    cow_shell_quote(disk, sizeof disk, opt->raw_path);
    const char *options = plan_text(
        plan, "%s%s%s%s", opt->sectors ? " --sectors" : "", opt->reserve_bytes != 0 ? " --reserve " : "",
        opt->reserve_bytes != 0 ? cow_size_argument(size, opt->reserve_bytes) : "",
        opt->force ? " --force" : "");
    return opt->source != NULL
               ? plan_text(plan, "cowtui create --from %s%s %s %s", disk, options, output, backing)
               : plan_text(plan, "cowtui diff%s -o %s %s %s", options, output, backing, disk);
}

void rewrite_describe_diff(struct cow_plan *plan, const struct cow_diff_options *opt,
                           const struct rewrite_cost *cost)
{
    char size[COW_SIZE_TEXT_BYTES];
    struct cow_preview *p = &plan->preview;
    const struct cow_rewrite_options as = {.output_path = opt->output_path};
    show_rewrite(plan, cost);
    p->has_before = false;
    p->added_sectors = p->dropped_sectors = 0;
    p->content_text = plan_words(plan, "%" PRIu64 " of %" PRIu64 " sectors differ and go into the COW (%s)",
                                 plan->result.counted.dirty_sectors, plan->result.layout.sectors,
                                 cow_size_text(size, plan->result.counted.dirty_sectors * 512));
    p->backing_text = plan_words(plan, "%s and %s are only read", opt->backing_path, opt->raw_path);
    p->undo_text = plan_file_undo(plan, opt->output_path);
    if (opt->sectors) {
        plan_note(plan,
                  "by sectors: pages that mix dirty and clean ones make a UML guest read wrong data; pages "
                  "mends that");
    }
    plan_note_read_only(plan);
    plan_note_device(plan, &plan->input[0].file.facts);
    if (opt->source != NULL && opt->source->outside[0] != '\0') {
        plan_note(plan, "%s", opt->source->outside);
        p->outside_note = plan->notes[p->notes - 1];
    }
    p->command = diff_command(plan, opt);
    char boot[2 * COW_MESSAGE_BYTES];
    p->next_step = plan_words(plan, "%s", kernel_boot_text(boot, sizeof boot, opt->output_path));
    list_rewrite_steps(plan, &as);
}
