/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * convert --to qcow2: the composed disk as a file in another format, whole, or as an overlay on the same
 * backing file that holds only what is dirty. Somebody else writes the format (cow/foreign.h), into a file
 * that the commit makes and names as it does with a raw one (merge.c): so the rules for outputs, locks and
 * what a failure leaves are the same.
 *
 * How much room it takes is told as "up to", by clusters of 64 KiB as qemu-img makes them: which of them are
 * zeros is found only while writing.
 */
#include <limits.h>

#include "core/base/arith.h"
#include "core/image/backing.h"
#include "core/image/backing_rules.h"
#include "core/plan/footprint.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_steps.h"
#include "core/plan/stretch.h"
#include "cow/text.h"

enum {
    CLUSTER_BYTES = 64 * 1024,
    TABLE_SPAN_BYTES = 512 * 1024 * 1024, /* of the disk, that a table of 64 KiB is about */
    COUNTED_CLUSTERS = 32 * 1024,         /* of the file, that a block of 64 KiB counts references of */
    FIRST_CLUSTERS = 8,                   /* header, the tables of tables, and one more of each */
};

/* What the data will be: bytes that are written, and what they take in the file. */
static int count_export(const struct cow_plan *plan, uint64_t *data_bytes, uint64_t *file_bytes,
                        struct cow_error *err)
{
    struct footprint clusters = {.block_bytes = CLUSTER_BYTES}, tables = {.block_bytes = TABLE_SPAN_BYTES};
    struct foreign_piece piece = {0, 0, false};
    int status;
    *data_bytes = 0;
    while ((status = foreign_next(&piece, plan->img, piece.end_bytes, plan->sink_backing != NULL, err)) ==
               0 &&
           piece.begin_bytes < piece.end_bytes) {
        const uint64_t begin = piece.begin_bytes, end = piece.end_bytes;
        footprint_add(&tables, begin, end);
        if (piece.is_hole) { /* whole clusters of zeros are noted in the table */
            footprint_add(&clusters, begin, arith_min(end, begin + CLUSTER_BYTES));
            footprint_add(&clusters, end - 1, end);
        } else {
            footprint_add(&clusters, begin, end);
            *data_bytes += end - begin;
        }
    }
    const uint64_t n = clusters.blocks + tables.blocks + FIRST_CLUSTERS;
    *file_bytes = (n + arith_div_up(n, COUNTED_CLUSTERS)) * CLUSTER_BYTES;
    *file_bytes += footprint_map_bytes(*file_bytes, n);
    return status;
}

/* What an overlay stands on: a file that anybody but us opens as a raw disk. */
static int choose_backing(struct cow_plan *plan, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    int status = backing_rule_found(img, NULL, err);
    if (status == 0 && backing_is_cow(plan->io, &img->backing.file)) {
        cow_error_set(err, COW_REFUSED, "%s: its backing file %s is a COW image itself", img->path,
                      img->backing.facts.path);
        return cow_error_hint(err, "without --with-backing the whole disk is written");
    }
    plan->sink_backing = status == 0 ? plan_absolute_path(plan, img->backing.facts.path, err) : NULL;
    return status != 0 || plan->sink_backing != NULL ? status : err->status;
}

static int choose_target(struct cow_plan *plan, const struct cow_export_options *opt, struct cow_error *err)
{
    plan->target.named_path = opt->output_path;
    plan->target.path = plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
    if (plan->target.path == NULL) {
        return err->status;
    }
    plan->target.temp_path = plan_temp_path(plan, plan->target.path);
    return 0;
}

static void list_export_steps(struct cow_plan *plan, const struct cow_export_options *opt)
{
    char size[COW_SIZE_TEXT_BYTES];
    const struct cow_preview *p = &plan->preview;
    plan_step(plan, COW_STEP_LOCK, 0, "lock image and backing file for reading");
    plan_step(plan, COW_STEP_CHECK_SPACE, 0, "check for %s of free space",
              cow_size_text(size, p->needs_free_bytes));
    plan_step(plan, COW_STEP_BEGIN_FOREIGN, 0, "make an empty %s of %s%s", opt->sink->title,
              cow_size_text(size, plan->img->header.size_bytes),
              opt->with_backing ? " on the same backing file" : "");
    plan_step(plan, COW_STEP_WRITE_FOREIGN, p->writes_bytes,
              opt->with_backing ? "write what is dirty" : "write what the guest sees, holes kept");
    plan_step(plan, COW_STEP_FINISH_FOREIGN, 0, "flush");
    plan_step(plan, COW_STEP_RENAME, 0, "give it its name: %s", opt->output_path);
}

static const char *export_command(struct cow_plan *plan, const struct cow_export_options *opt)
{
    char image[PATH_MAX], output[PATH_MAX], backing[PATH_MAX];
    const bool named = plan->img->backing.facts.named && plan->backing.path != NULL;
    return plan_text(plan, "cowtui convert --to qcow2%s%s%s%s -o %s %s",
                     opt->with_backing ? " --with-backing" : "", opt->force ? " --force" : "",
                     named ? " -b " : "",
                     named ? cow_shell_quote(backing, sizeof backing, plan->backing.path) : "",
                     cow_shell_quote(output, sizeof output, opt->output_path),
                     cow_shell_quote(image, sizeof image, plan->img->path));
}

static int describe_export(struct cow_plan *plan, const struct cow_export_options *opt, struct cow_error *err)
{
    struct cow_usage usage;
    uint64_t file_bytes, data_bytes;
    struct cow_preview *p = &plan->preview;
    int status = cow_image_usage(plan->img, &usage, err);
    status = status == 0 ? count_export(plan, &data_bytes, &file_bytes, err) : status;
    if (status != 0) {
        return status;
    }
    p->target_path = plan->target.path;
    p->makes_foreign = opt->sink->title;
    p->replaces = plan->target.replaces;
    p->dirty_sectors = usage.dirty_sectors;
    p->moves_bytes = p->writes_bytes = data_bytes;
    footprint_needs(plan, file_bytes, true);
    if (opt->with_backing) {
        p->backing_text = plan_words(plan, "%s is only read, and needed to read the %s", plan->sink_backing,
                                     opt->sink->title);
        p->after_backing_path = plan->sink_backing;
    } else {
        p->backing_text = "image and backing file are only read";
        plan_note_outside(plan);
    }
    if (plan->img->header.size_bytes % 512 != 0) {
        plan_note(plan, "the disk ends within a sector of 512 bytes, which a %s has whole: zeros follow",
                  opt->sink->title);
    }
    p->undo_text = plan_file_undo(plan, opt->output_path);
    p->command = export_command(plan, opt);
    list_export_steps(plan, opt);
    return 0;
}

int cow_plan_export(struct cow_plan **out, struct cow_image *img, const struct cow_export_options *opt,
                    struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = image_require_layout(img, err);
    struct cow_plan *plan = status == 0 ? plan_new(img->io, img, COW_OPERATION_CONVERT, err) : NULL;
    if (plan == NULL) {
        return status != 0 ? status : COW_NO_MEMORY;
    }
    plan->sink = opt->sink;
    plan->holds.image = HOLD_READ;
    plan->holds.backing = plan->backing.path != NULL ? HOLD_READ : HOLD_NOT;
    plan->force = opt->force;
    plan->holds.are_optional = opt->force;
    status = opt->with_backing ? choose_backing(plan, err) : 0;
    status = status == 0 ? choose_target(plan, opt, err) : status;
    status = status == 0 ? describe_export(plan, opt, err) : status;
    return plan_finish(out, plan, status, err);
}
