/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Carrying a plan out. The default is always the safe one: no terminal, no line, another word, a signal:
 * nothing is written. In this order: signals become a wish to stop, what the filesystem cannot keep of the
 * plan's promises is tried out, the plan is shown, the question asked, and only then is anything written: so
 * the plan that is agreed to is the one that is carried out. Plan and question go to standard error; standard
 * output is for what a script reads.
 */
#include "cli/carry_out.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/output/json.h"
#include "cli/output/plan_told.h"
#include "cli/output/progress_line.h"
#include "front/resize_fs.h"

/* Waits for a line, or for a signal: one that comes just before the read would not end it, so the wait is in
 * short pieces. */
static bool line_is_there(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    while (!cli_interrupted()) {
        if (poll(&input, 1, 100) > 0) {
            return true;
        }
    }
    return false;
}

int cli_ask_for_yes(struct cow_error *err)
{
    char line[64];

    if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
        cow_error_set(err, COW_REFUSED, "this changes an existing file, and there is no terminal to ask on");
        return cow_error_hint(err, "give --yes to do it, or --dry-run to see the plan alone");
    }
    tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed or pasted before is no answer to this question */
    fputs("Type yes to do this: ", stderr);
    fflush(stderr);
    if (!line_is_there() || fgets(line, sizeof line, stdin) == NULL) {
        fputc('\n', stderr);
        return cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed");
    }
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "yes") != 0) {
        return cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed");
    }
    return 0;
}

static bool on_program(void *context, const char *program, const char *line)
{
    char phase[CLI_NAME_BYTES];

    snprintf(phase, sizeof phase, "%s  %s", program, line);
    cli_progress_tell(context, phase);
    return cli_interrupted();
}

static int resize_fs(void *context, const struct cow_fs_job *job, struct cow_error *err)
{
    const struct front_fs_watch watch = {.wants_stop = on_program, .context = context};

    return front_resize_fs(job, &watch, err);
}

static int commit_plan(struct cow_plan *plan, bool quiet, struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;
    int status;

    if (cli_interrupted()) {
        return cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed");
    }
    cli_progress_begin(&progress, &env, quiet);
    env.resize_fs = resize_fs;
    status = cow_plan_commit(plan, &env, err);
    cli_progress_end(&progress);
    return status;
}

static void report_done(struct cli_out *out, const struct cow_preview *preview)
{
    char name[CLI_NAME_BYTES];
    bool changed = preview->method != COW_METHOD_NONE;

    cli_row_tone(out, CLI_GOOD, changed ? "done" : "unchanged", "%s",
                 strcmp(preview->target_path, "-") == 0 ? "standard output"
                                                        : cli_name(name, preview->target_path));
    if (changed && *preview->next_step != '\0') {
        cli_row(out, "next", "%s", preview->next_step);
    }
}

int cli_carry_out(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err)
{
    const struct cow_preview *preview = cow_plan_preview(plan);
    bool asks = preview->changes_existing && !options->yes;
    struct cli_out out;
    int status;

    cli_catch_signals();
    cli_out_init(&out, stderr, options->color_mode);
    if ((status = cow_plan_probe(plan, err)) != 0) {
        return status;
    }
    if (asks || (!options->quiet && (preview->changes_existing || options->verbose))) {
        cli_plan_text(&out, plan);
    } else if (!options->quiet) {
        cli_plan_cautions(&out, preview);
    } else {
        cli_note(preview->outside_note);
    }
    if (asks && (status = cli_ask_for_yes(err)) != 0) {
        return status;
    }
    status = commit_plan(plan, options->quiet, err);
    if (status == 0 && !options->quiet) {
        report_done(&out, preview);
    }
    return status;
}

int cli_change(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err)
{
    struct cli_out out;
    int status;

    if (!options->dry_run) {
        status = cli_carry_out(plan, options, err);
        if (status != 0 || !options->json) {
            return status;
        }
    }
    if (options->json) {
        return cli_json_print(cli_plan_json(plan), err);
    }
    cli_out_init(&out, stdout, options->color_mode);
    cli_plan_text(&out, plan);
    return 0;
}
