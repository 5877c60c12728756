/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui pages, compact, rebase, convert: the same disk, written differently. One builder makes the plan for
 * all of them; it may have to compare the bytes of both files first, so there is progress before there is a
 * plan.
 */
#include <string.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cow/image.h"
#include "cow/ops.h"

static int plan_rewriting(struct cow_plan **out, struct cow_image *image, struct cow_rewrite_options rewrite,
                          const struct cli_options *options, struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;
    int status;

    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    rewrite.env = &env;
    status = cow_plan_rewrite(out, image, &rewrite, err);
    cli_progress_end(&progress);
    return status;
}

/* What all four take is filled in here. */
static int rewrite_image(struct cow_rewrite_options rewrite, const struct cli_options *options,
                         struct cow_error *err)
{
    struct cow_image *image;
    struct cow_plan *plan = NULL;
    int status = cli_read_reserve(&rewrite.reserve_bytes, options, err);

    if (status)
        return status;
    if (options->output && !*options->output)
        return cow_error_set(err, COW_USAGE, "--output names no file");
    rewrite.output_path = options->output;
    rewrite.force = options->force;
    status = cli_open_image(&image, options, err);
    if (status)
        return status;
    status = cli_need_layout(image, "cannot be changed", err);
    if (!status)
        status = plan_rewriting(&plan, image, rewrite, options, err);
    if (!status)
        status = cli_change(plan, options, err);
    cow_plan_free(plan);
    cow_image_close(image);
    return status;
}

int cli_pages(const struct cli_options *options, struct cow_error *err)
{
    return rewrite_image((struct cow_rewrite_options){.complete_pages = true}, options, err);
}

int cli_compact(const struct cli_options *options, struct cow_error *err)
{
    return rewrite_image((struct cow_rewrite_options){.compact = true,
                                                      .sectors = options->sectors,
                                                      .unused = options->unused,
                                                      .larger = options->larger},
                         options, err);
}

int cli_rebase(const struct cli_options *options, struct cow_error *err)
{
    const struct cow_rewrite_options rewrite = {.backing_path = options->to,
                                                .restamp = options->restamp,
                                                .safe = options->safe,
                                                .sectors = options->sectors};

    if (options->to && !*options->to)
        return cow_error_set(err, COW_USAGE, "--to names no file");
    if (!options->to && !options->restamp) {
        cow_error_set(err, COW_USAGE,
                      "rebase needs to know the other backing file, or to take over the date");
        return cow_error_hint(err, "usage: cowtui rebase --to PATH IMAGE, or: cowtui rebase --restamp IMAGE");
    }
    if (options->safe && !options->to)
        return cow_error_set(err, COW_USAGE, "--safe goes with --to");
    if (options->sectors && !options->safe)
        return cow_error_set(err, COW_USAGE, "--sectors goes with --safe");
    return rewrite_image(rewrite, options, err);
}

int cli_convert(const struct cli_options *options, struct cow_error *err)
{
    const bool qcow2 = options->to && strcmp(options->to, "qcow2") == 0;

    if (!options->to || (!qcow2 && strcmp(options->to, "v3") != 0)) {
        cow_error_set(err, COW_USAGE, "convert takes --to v3 or --to qcow2, and nothing else");
        return cow_error_hint(err, "usage: cowtui convert --to v3 -o FILE IMAGE");
    }
    if (!options->output) {
        cow_error_set(err, COW_USAGE, "convert needs to know the image to make");
        return cow_error_hint(err, "usage: cowtui convert --to %s -o FILE IMAGE", options->to);
    }
    if (qcow2)
        return cli_convert_to_qcow2(options, err);
    if (options->with_backing)
        return cow_error_set(err, COW_USAGE, "--with-backing goes with --to qcow2: a v3 always has one");
    return rewrite_image((struct cow_rewrite_options){.convert = true}, options, err);
}
