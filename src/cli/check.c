/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui check: what is wrong, what that means, what mends it. With --repair the plan of the safe fixes, with
 * --fix that of those that are named, is shown and carried out like any other change; then everything is
 * looked at anew, and that second result is what counts.
 */
#include <stdio.h>
#include <string.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/findings.h"
#include "cli/output/json.h"
#include "cli/output/plan_told.h"
#include "cli/output/progress_line.h"
#include "cow/text.h"

static int look_for_findings(struct cow_check *check, const struct cli_options *options,
                             struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;
    const struct cow_check_options look = {.backing_path = options->backing,
                                           .no_backing = options->no_backing,
                                           .quick = options->quick,
                                           .env = &env};
    int status;

    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    status = cow_check(check, options->operand[0], &look, err);
    cli_progress_end(&progress);
    return status;
}

/* What its printers have to know of the options. */
static struct cli_checked checked_as(const struct cli_options *options)
{
    return (struct cli_checked){
        .image_path = options->operand[0], .backing_path = options->backing, .quick = options->quick};
}

/* Whether that finding's fix is among those that are asked for: with --fix those that it names, else those
 * that are safe. */
static bool is_chosen(const struct cow_finding *finding, const struct cli_options *options)
{
    for (size_t i = 0; i < options->fix.n; i++) {
        if (strcmp(options->fix.word[i], cow_finding_name(finding->code)) == 0) {
            return true;
        }
    }
    return options->fix.n == 0 && cow_finding_safe(finding->code);
}

/* Is there something that --repair or --fix makes? */
static bool can_repair(const struct cow_check *check, const struct cli_options *options)
{
    for (size_t i = 0; i < check->findings; i++) {
        if (check->finding[i].fixable && is_chosen(&check->finding[i], options)) {
            return true;
        }
    }
    return false;
}

/* Each word of --fix is the name of a finding that has a fix. */
static int check_fixes(const struct cli_options *options, struct cow_error *err)
{
    if (options->fix.n > 0 && options->repair) {
        return cow_error_set(err, COW_USAGE,
                             "--fix makes what it names, --repair all that is safe: one of them");
    }
    for (size_t i = 0; i < options->fix.n; i++) {
        const char *word = options->fix.word[i];
        struct cow_nearest nearest = {.typed = word, .typed_bytes = strlen(word)};
        bool is_known = false;
        for (int code = 0; code < COW_FINDINGS && !is_known; code++) {
            const char *name = cow_finding_name((enum cow_finding_code)code);
            if (cow_finding_fix((enum cow_finding_code)code) != COW_FIX_NONE) {
                cow_nearest_offer(&nearest, name);
                is_known = strcmp(name, word) == 0;
            }
        }
        if (!is_known) {
            cow_error_set(err, COW_USAGE, "--fix: there is no fix for '%s'", word);
            return nearest.word != NULL
                       ? cow_error_hint(err, "did you mean %s?", nearest.word)
                       : cow_error_hint(err, "check names what it finds, and what has a fix");
        }
    }
    return 0;
}

static void show_findings(const struct cow_check *check, const struct cli_options *options)
{
    const struct cli_checked checked = checked_as(options);
    struct cow_image *image = NULL;
    struct cli_out out;

    if (options->json) {
        return;
    }
    /* What is not even an image has findings all the same. */
    if (cli_open_image(&image, options, NULL) != 0) {
        image = NULL;
    }
    cli_out_init(&out, stdout, options->color_mode);
    cli_findings_text(&out, check, image, &checked);
    cow_image_close(image);
}

/* The plan of what is safe: shown (--dry-run) or carried out. */
static int show_or_repair(struct cow_plan *plan, const struct cli_options *options, struct cow_error *err)
{
    struct cli_out out;

    if (!options->dry_run) {
        return cli_carry_out(plan, options, err);
    }
    if (!options->json) {
        cli_out_init(&out, stdout, options->color_mode);
        cli_plan_text(&out, plan);
    }
    return 0;
}

/* *plan_json gets the plan where JSON is wanted: it outlives the files that it was made from. */
static int repair_findings(json_t **plan_json, const struct cow_check *check,
                           const struct cli_options *options, struct cow_error *err)
{
    struct cow_image *image;
    struct cow_plan *plan = NULL;
    bool chosen[COW_FINDINGS] = {false};
    int status = cli_open_image(&image, options, err);

    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < check->findings; i++) {
        chosen[i] = is_chosen(&check->finding[i], options);
    }
    status = cow_plan_repair(&plan, image, check, options->fix.n > 0 ? chosen : NULL, err);
    if (status == 0 && options->json && (*plan_json = cli_plan_json(plan)) == NULL) {
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory for the JSON");
    }
    if (status == 0) {
        status = show_or_repair(plan, options, err);
    }
    cow_plan_free(plan);
    cow_image_close(image);
    return status;
}

/* Undo data that is kept, several names, somebody who uses it: good to know, and nothing is wrong. */
static bool is_wrong(const struct cow_finding *finding)
{
    return cow_finding_severity(finding->code) > COW_SEVERITY_NOTE ||
           cow_finding_fix(finding->code) != COW_FIX_NONE;
}

/* The result as a status: what a script branches on. */
static int judge_findings(const struct cow_check *check, const struct cli_options *options,
                          struct cow_error *err)
{
    const char *path = options->operand[0];
    enum cow_severity worst = COW_SEVERITY_NOTE;
    bool wrong = false;

    for (size_t i = 0; i < check->findings; i++) {
        wrong = wrong || is_wrong(&check->finding[i]);
        if (cow_finding_severity(check->finding[i].code) > worst) {
            worst = cow_finding_severity(check->finding[i].code);
        }
    }
    if (!wrong) {
        return 0;
    }
    if (worst == COW_SEVERITY_CORRUPT) {
        return cow_error_set(err, COW_INVALID, "%s: not a valid image", path);
    }
    cow_error_set(err, COW_FINDING, "%s: %zu finding%s, at worst: %s", path, check->findings,
                  check->findings == 1 ? "" : "s", cow_severity_name(worst));
    if (!can_repair(check, options)) {
        return options->repair || options->fix.n > 0 ? cow_error_hint(err, "none of them is mended by %s",
                                                                      options->repair ? "--repair" : "--fix")
                                                     : COW_FINDING;
    }
    return cow_error_hint(err, "--repair mends what is safe to mend");
}

int cli_check(const struct cli_options *options, struct cow_error *err)
{
    const struct cli_checked checked = checked_as(options);
    struct cow_check check;
    json_t *plan_json = NULL;
    bool shown = false;
    int status = check_fixes(options, err);

    status = status == 0 ? look_for_findings(&check, options, err) : status;
    if (status == 0 && (options->repair || options->fix.n > 0) && can_repair(&check, options)) {
        shown = options->dry_run;
        if (!options->quiet || options->dry_run) {
            show_findings(&check, options);
        }
        fflush(stdout); /* the plan and the question are on standard error */
        status = repair_findings(&plan_json, &check, options, err);
        if (status == 0 && !options->dry_run) {
            status = look_for_findings(&check, options, err);
        }
    }
    if (status == 0 && !shown) {
        show_findings(&check, options);
    }
    if (status == 0 && options->json) {
        status = cli_json_print(cli_findings_json(&check, &checked, plan_json), err);
    } else {
        json_decref(plan_json);
    }
    return status != 0 ? status : judge_findings(&check, options, err);
}
