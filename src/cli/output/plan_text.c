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

/* "header       8192 .. 24576        ->      1048576 .. 1081344": columns, so that eyes can compare. */
static bool has_step(const struct cow_plan *plan, enum cow_step_kind kind)
{
    size_t n_steps;
    const struct cow_step *steps = cow_plan_steps(plan, &n_steps);

    for (size_t i = 0; i < n_steps; i++) {
        if (steps[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* Each file that is touched, in the order of the steps. */
static void put_plan_files(struct cli_out *out, const struct cow_preview *preview)
{
    char name[CLI_NAME_BYTES];

    for (size_t i = 0; i < preview->files; i++) {
        cli_row(out, cow_touch_name(preview->file[i].touch), "%s", cli_name(name, preview->file[i].path));
    }
}

static void put_writes(struct cli_out *out, const struct cow_plan *plan)
{
    const struct cow_preview *preview = cow_plan_preview(plan);
    char writes[COW_SIZE_TEXT_BYTES], needs[COW_NEEDS_TEXT_BYTES];
    uint64_t sectors = preview->has_after_dirty ? preview->after_dirty_sectors : preview->dirty_sectors;

    cow_size_text(writes, preview->writes_bytes);
    cow_needs_text(needs, preview);
    if (has_step(plan, COW_STEP_WRITE_STREAM) || has_step(plan, COW_STEP_WRITE_DEVICE)) {
        cli_row(out, "writes", "%s %s", writes,
                has_step(plan, COW_STEP_WRITE_STREAM) ? "to standard output" : "over what is on the device");
    } else if (has_step(plan, COW_STEP_MERGE_BACKING)) {
        cli_row(out, "writes", "%s (%" PRIu64 " dirty sectors) into the backing file, needs %s free", writes,
                preview->dirty_sectors, needs);
    } else if (has_step(plan, COW_STEP_WRITE_FILE)) {
        cli_row(out, "writes", "%s, needs %s free", writes, needs);
    } else if (preview->has_before || preview->writes_bytes > 0) {
        cli_row(out, "writes", "%s (%" PRIu64 " dirty sectors), needs %s free", writes, sectors, needs);
    } else {
        cli_row(out, "writes", "no data yet, needs %s free", needs);
    }
}

/* What moves within the file, by whom; of a recovery, what is left of it. */
static void put_moves(struct cli_out *out, const struct cow_preview *preview)
{
    char moves[COW_SIZE_TEXT_BYTES], needs[COW_NEEDS_TEXT_BYTES];
    bool by_filesystem = preview->method == COW_METHOD_INSERTED;

    cow_size_text(moves, preview->moves_bytes);
    if (preview->method == COW_METHOD_MOVED || by_filesystem) {
        cli_row(out, "moves", "%s of data within the file%s, needs %s free", moves,
                by_filesystem ? ", by the filesystem" : "", cow_needs_text(needs, preview));
    } else if (preview->operation == COW_OPERATION_RECOVER && preview->moves_bytes != 0) {
        cli_row(out, "moves", "%s of data within the file", moves);
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
    if (has_step(plan, COW_STEP_RENAME) || has_step(plan, COW_STEP_WRITE_STREAM) ||
        has_step(plan, COW_STEP_WRITE_DEVICE)) { /* otherwise a header or the backing file changes */
        put_writes(out, plan);
    }
    put_moves(out, preview);
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
