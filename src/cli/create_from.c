/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui convert --to qcow2, create --from: plans like any other, but that QEMU's tools, which front/ starts,
 * read and write the format. What they need is asked for first, also for a dry run.
 */
#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cow/ops.h"
#include "front/qcow2_sink.h"
#include "front/qcow2_source.h"

/* Asked for a stop, and never shown: a program of others is waited for. */
static const struct cow_env *quiet_env(struct cli_progress *progress, struct cow_env *env)
{
    cli_catch_signals();
    cli_progress_begin(progress, env, true);
    return env;
}

static int export_image(struct cow_image *image, struct qcow2_sink *sink, const struct cli_options *options,
                        struct cow_error *err)
{
    const struct cow_export_options export = {.output_path = options->output,
                                              .sink = &sink->disk,
                                              .with_backing = options->with_backing,
                                              .force = options->force};
    struct cow_plan *plan = NULL;
    int status = cow_plan_export(&plan, image, &export, err);

    if (!status)
        status = cli_change(plan, options, err);
    cow_plan_free(plan);
    return status;
}

int cli_convert_to_qcow2(const struct cli_options *options, struct cow_error *err)
{
    struct qcow2_sink sink;
    struct cli_progress progress;
    struct cow_env env;
    struct cow_image *image;
    int status;

    if (!*options->output)
        return cow_error_set(err, COW_USAGE, "--output names no file");
    if (options->reserve)
        return cow_error_set(err, COW_USAGE, "--reserve goes with --to v3: a qcow2 grows without one");
    status = qcow2_open_sink(&sink, err);
    if (!status)
        status = cli_open_image(&image, options, err);
    if (status)
        return status;
    sink.env = quiet_env(&progress, &env);
    status = cli_need_layout(image, "cannot be converted", err);
    if (!status)
        status = export_image(image, &sink, options, err);
    qcow2_close_sink(&sink, status ? err : NULL);
    cow_image_close(image);
    return status;
}

static int plan_from(struct cow_plan **out, const struct qcow2_source *source,
                     const struct cli_options *options, struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;
    struct cow_diff_options diff = {.output_path = options->operand[0],
                                    .backing_path = qcow2_source_backing(source),
                                    .raw_path = options->from,
                                    .source = qcow2_source_disk(source),
                                    .force = options->force,
                                    .env = &env};
    int status = cli_read_reserve(&diff.reserve_bytes, options, err);

    if (status)
        return status;
    cli_progress_begin(&progress, &env, options->quiet);
    status = cow_plan_diff(out, &diff, err);
    cli_progress_end(&progress);
    return status;
}

int cli_create_from_qcow2(const struct cli_options *options, struct cow_error *err)
{
    struct qcow2_source *source = NULL;
    struct cli_progress progress;
    struct cow_env env;
    struct cow_plan *plan = NULL;
    int status;

    if (!*options->from)
        return cow_error_set(err, COW_USAGE, "--from names no file");
    status = qcow2_open_source(&source, options->from, options->operands > 1 ? options->operand[1] : NULL,
                               quiet_env(&progress, &env), err);
    if (!status)
        status = plan_from(&plan, source, options, err);
    if (!status)
        status = cli_change(plan, options, err);
    cow_plan_free(plan);
    qcow2_close_source(source);
    return status;
}
