/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plan for people: what it makes, where everything lies before and after, what it costs, who opens the
 * result, and the steps.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/output/plan_told.h"
#include "cow/text.h"

static void put_size(struct cli_out *out, const struct cow_preview *preview)
{
    char before[COW_SIZE_TEXT_BYTES], after[CLI_AMOUNT_BYTES];

    cli_amount(after, preview->has_after ? preview->after_size_bytes : preview->before_size_bytes);
    if (preview->has_before && preview->has_after &&
        preview->before_size_bytes != preview->after_size_bytes) {
        cli_row(out, "size", "%s -> %s", cow_size_text(before, preview->before_size_bytes), after);
    } else {
        cli_row(out, "size", "%s", after);
    }
}

static void put_format(struct cli_out *out, const struct cow_preview *preview)
{
    const char *before = cow_format_title(preview->before_format);
    const char *after = preview->has_after                ? cow_format_title(preview->after_format)
                        : *preview->makes_foreign != '\0' ? preview->makes_foreign
                                                          : "raw disk";

    if (preview->has_before && strcmp(before, after) != 0) {
        cli_row(out, "format", "%s -> %s", before, after);
    } else {
        cli_row(out, "format", "%s", after);
    }
    if (*preview->policy != '\0') {
        cli_row(out, "policy", "%s", preview->policy);
    }
    cli_row(out, "method", "%s", cow_method_name(preview->method));
}

/* Each file that is touched, in the order of the steps. */
static void put_plan_files(struct cli_out *out, const struct cow_preview *preview)
{
    char name[CLI_NAME_BYTES];

    for (size_t i = 0; i < preview->files; i++) {
        cli_row(out, cow_touch_name(preview->file[i].touch), "%s", cli_name(name, preview->file[i].path));
    }
}

/* Of a recovery: what is left of it. */
static void put_left(struct cli_out *out, const struct cow_preview *preview)
{
    char moves[COW_SIZE_TEXT_BYTES];

    if (preview->operation == COW_OPERATION_RECOVER && preview->moves_bytes != 0) {
        cli_row(out, "moves", "%s of data within the file", cow_size_text(moves, preview->moves_bytes));
    }
}

static void put_plan_steps(struct cli_out *out, const struct cow_plan *plan)
{
    size_t n_steps;
    const struct cow_step *steps = cow_plan_steps(plan, &n_steps);

    for (size_t i = 0; i < n_steps; i++) {
        char label[32];

        snprintf(label, sizeof label, "%s%2zu", i == 0 ? "steps " : "      ", i + 1);
        cli_row(out, label, "%s", steps[i].text);
    }
}

void cli_plan_cautions(struct cli_out *out, const struct cow_preview *preview)
{
    const struct front_rows rows = cli_rows(out);

    front_tell_content(&rows, preview);
    if (preview->has_after && (!preview->after_verdict.opens || preview->after_verdict.warnings != 0)) {
        front_tell_result(&rows, preview);
    }
    front_tell_notes(&rows, preview);
}

void cli_plan_text(struct cli_out *out, const struct cow_plan *plan)
{
    const struct cow_preview *preview = cow_plan_preview(plan);
    const struct front_rows rows = cli_rows(out);
    char name[CLI_NAME_BYTES];

    cli_heading(out, "%s %s", cow_operation_name(preview->operation), cli_name(name, preview->target_path));
    if (preview->has_after || preview->makes_raw || *preview->makes_foreign != '\0') {
        put_size(out, preview);
        put_format(out, preview);
    }
    if (preview->images != 0) {
        front_tell_images(&rows, preview);
    } else {
        front_tell_layouts(&rows, preview);
    }
    front_tell_content(&rows, preview);
    if (preview->operation == COW_OPERATION_RECOVER) {
        put_left(out, preview);
    } else if (preview->operation != COW_OPERATION_UNDO && preview->operation != COW_OPERATION_DISCARD_UNDO) {
        front_tell_costs(&rows, plan);
    }
    put_plan_files(out, preview);
    front_tell_backing(&rows, preview);
    front_tell_reserve(&rows, preview);
    front_tell_result(&rows, preview);
    front_tell_notes(&rows, preview);
    front_tell_undo(&rows, preview);
    put_plan_steps(out, plan);
    if (*preview->command != '\0') {
        cli_row(out, "the same", "%s", preview->command);
    }
}
