/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a plan writes and moves, and the room that it needs for that.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"
#include "front/told/told.h"

enum { TEXT_BYTES = 1024, NAME_BYTES = 512 };

__attribute__((format(printf, 3, 4))) static void put_row(const struct front_rows *rows, const char *label,
                                                          const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rows->put(rows->context, label, FRONT_PLAIN, text);
}

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

bool front_moves_in_place(const struct cow_preview *preview)
{
    for (size_t i = 0; i < preview->images; i++) {
        if (front_moves_in_place(preview->image[i])) {
            return true;
        }
    }
    return preview->method == COW_METHOD_INSERTED || preview->method == COW_METHOD_MOVED ||
           (preview->operation == COW_OPERATION_RECOVER && preview->moves_bytes > 0);
}

bool front_makes_file(const struct cow_plan *plan)
{
    const struct cow_preview *preview = cow_plan_preview(plan);

    return !preview->changes_existing && !preview->replaces && !has_step(plan, COW_STEP_WRITE_DEVICE);
}

/* Of several images: whether it moves the data of each that moves at all. */
static bool moves_by_filesystem(const struct cow_preview *preview)
{
    bool inserts = preview->method == COW_METHOD_INSERTED;

    for (size_t i = 0; i < preview->images; i++) {
        if (preview->image[i]->method == COW_METHOD_MOVED) {
            return false;
        }
        inserts |= preview->image[i]->method == COW_METHOD_INSERTED;
    }
    return inserts;
}

static void tell_moves(const struct front_rows *rows, const struct cow_preview *preview, const char *needs)
{
    char moves[COW_SIZE_TEXT_BYTES];

    put_row(rows, "moves", "%s of data within the file%s, %s; needs %s",
            cow_size_text(moves, preview->moves_bytes), preview->images > 0 ? "s" : "",
            moves_by_filesystem(preview) ? "by the filesystem" : "from its end to its beginning", needs);
}

/* What all of several images take together. */
static void tell_costs_of_all(const struct front_rows *rows, const struct cow_preview *preview,
                              const char *needs)
{
    char writes[COW_SIZE_TEXT_BYTES];
    bool copies = false;

    for (size_t i = 0; i < preview->images; i++) {
        copies |= preview->image[i]->method == COW_METHOD_COPY;
    }
    if (front_moves_in_place(preview)) {
        tell_moves(rows, preview, needs);
    } else if (copies) {
        put_row(rows, "writes", "%s to new files, then renamed, all together; needs %s",
                cow_size_text(writes, preview->writes_bytes), needs);
    } else {
        put_row(rows, "writes", "only the headers, in place: milliseconds at any size; needs %s", needs);
    }
}

/* A file of its own, or one that takes the image's place. */
static void tell_new_file(const struct front_rows *rows, const struct cow_plan *plan, const char *needs)
{
    const struct cow_preview *preview = cow_plan_preview(plan);
    const char *slash = strrchr(preview->target_path, '/');
    char writes[COW_SIZE_TEXT_BYTES], target[NAME_BYTES], counted[48] = "";

    cow_size_text(writes, preview->writes_bytes);
    cow_escape(target, sizeof target, slash != NULL ? slash + 1 : preview->target_path);
    if (has_step(plan, COW_STEP_WRITE_STREAM)) {
        put_row(rows, "writes", "%s to standard output", writes);
    } else if (has_step(plan, COW_STEP_WRITE_DEVICE)) {
        put_row(rows, "writes", "%s over what is on the device", writes);
    } else if (!preview->has_before && preview->writes_bytes == 0) {
        put_row(rows, "writes", "no data yet; needs %s", needs);
    } else {
        if (!has_step(plan, COW_STEP_WRITE_FILE)) {
            snprintf(counted, sizeof counted, " (%" PRIu64 " sectors)",
                     preview->has_after_dirty ? preview->after_dirty_sectors : preview->dirty_sectors);
        }
        put_row(rows, "writes", "%s%s to a new file, %s; needs %s", writes, counted,
                preview->replaces ? "then renamed" : target, needs);
    }
}

void front_tell_costs(const struct front_rows *rows, const struct cow_plan *plan)
{
    const struct cow_preview *preview = cow_plan_preview(plan);
    char needs[COW_NEEDS_TEXT_BYTES], writes[COW_SIZE_TEXT_BYTES];

    cow_needs_text(needs, preview);
    cow_size_text(writes, preview->writes_bytes);
    if (preview->method == COW_METHOD_NONE) {
        return;
    }
    if (preview->images > 0) {
        tell_costs_of_all(rows, preview, needs);
    } else if (preview->method == COW_METHOD_HEADER) {
        put_row(rows, "writes",
                preview->fs_after_bytes != 0
                    ? "what the filesystem's programs write, and the header, in place; needs %s"
                    : "only the header, in place: milliseconds at any size; needs %s",
                needs);
    } else if (preview->method == COW_METHOD_BACKING_ONLY) {
        put_row(rows, "writes", "nothing to the image");
    } else if (front_moves_in_place(preview)) {
        tell_moves(rows, preview, needs);
    } else if (preview->method == COW_METHOD_IN_PLACE) {
        put_row(rows, "writes",
                "%s (%" PRIu64 " sectors) into the backing file, then a new, empty image; needs %s", writes,
                preview->dirty_sectors, needs);
    } else {
        tell_new_file(rows, plan, needs);
    }
}
