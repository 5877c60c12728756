/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui create --from: a plan like any other, but that QEMU's tools, which front/ starts, read the format.
 * What they need is asked for first, also for a dry run.
 */
#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cow/ops.h"
#include "front/change/changes.h"
#include "front/qcow2/qcow2_source.h"

/* Asked for a stop, and never shown: a program of others is waited for. */
static const struct cow_env *quiet_env(struct cli_progress *progress, struct cow_env *env)
{
    cli_catch_signals();
    cli_progress_begin(progress, env, true);
    return env;
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
                                    .force = options->words.force,
                                    .env = &env};
    int status = front_read_reserve(&diff.reserve_bytes, options->words.reserve, err);

    if (status != 0) {
        return status;
    }
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

    if (*options->from == '\0') {
        return cow_error_set(err, COW_USAGE, "--from names no file");
    }
    status = qcow2_open_source(&source, options->from, options->operands > 1 ? options->operand[1] : NULL,
                               quiet_env(&progress, &env), err);
    if (status == 0) {
        status = plan_from(&plan, source, options, err);
    }
    if (status == 0) {
        status = cli_change(plan, options, err);
    }
    cow_plan_free(plan);
    qcow2_close_source(source);
    return status;
}
