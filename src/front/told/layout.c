/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Layouts, as rows. Offsets are as wide as the largest of them, so that those of all rows stand under each
 * other.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"
#include "front/told/told.h"

enum { PARTS = 3, TEXT_BYTES = 160 };

struct range {
    uint64_t from, to;
};

static const char *const names[PARTS] = {"header", "bitmap", "data"};

static void parts_of(struct range out[PARTS], const struct cow_layout *layout)
{
    out[0] = (struct range){0, layout->header_bytes};
    out[1] = (struct range){layout->bitmap_offset, layout->bitmap_offset + layout->bitmap_bytes};
    out[2] = (struct range){layout->data_offset, layout->end_offset};
}

static int digits(uint64_t number)
{
    char text[24];

    return snprintf(text, sizeof text, "%" PRIu64, number);
}

void front_tell_layout(const struct front_rows *rows, const struct cow_layout *layout,
                       uint64_t can_grow_to_bytes)
{
    const int width = digits(layout->end_offset);
    char text[TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    struct range part[PARTS];

    parts_of(part, layout);
    for (size_t i = 0; i < PARTS; i++) {
        snprintf(text, sizeof text, "%*" PRIu64 " .. %*" PRIu64 "  %10s", width, part[i].from, width,
                 part[i].to, cow_size_text(size, part[i].to - part[i].from));
        rows->put(rows->context, names[i], FRONT_PLAIN, text);
    }
    if (can_grow_to_bytes > 0) {
        snprintf(text, sizeof text, "to %s before its data has to move",
                 cow_size_text(size, can_grow_to_bytes));
        rows->put(rows->context, "can grow", FRONT_PLAIN, text);
    }
}

/* "moves by 4 KiB", "stays where it is"; "" where the numbers say all. */
static enum front_tone say_data(char *out, size_t out_bytes, const struct cow_preview *preview)
{
    const uint64_t from = preview->before.data_offset, to = preview->after.data_offset;
    char size[COW_SIZE_TEXT_BYTES];

    if (from != to) {
        snprintf(out, out_bytes, "moves by %s%s", to < from ? "-" : "",
                 cow_size_text(size, to < from ? from - to : to - from));
        return FRONT_WARN;
    }
    snprintf(out, out_bytes, "%s", preview->method == COW_METHOD_HEADER ? "stays where it is" : "");
    return FRONT_GOOD;
}

/* Puts more behind the text of a row, or where it does not fit into another row below. */
static void go_on(const struct front_rows *rows, const char **label, enum front_tone tone,
                  char text[TEXT_BYTES], const char *more)
{
    if (rows->cols > 0 && strlen(text) + strlen(more) > (size_t)rows->cols) {
        rows->put(rows->context, *label, tone, text);
        *label = "";
        text[0] = '\0';
        more += strspn(more, " ");
    }
    snprintf(text + strlen(text), TEXT_BYTES - strlen(text), "%s", more);
}

static void tell_change(const struct front_rows *rows, size_t part, const struct range *before,
                        const struct range *after, int width, const struct cow_preview *preview)
{
    const char *label = names[part];
    const bool is_same = before->from == after->from && before->to == after->to;
    enum front_tone tone = is_same ? FRONT_FAINT : FRONT_PLAIN;
    char text[TEXT_BYTES], more[TEXT_BYTES], data[TEXT_BYTES] = "";

    snprintf(text, sizeof text, "%*" PRIu64 " .. %*" PRIu64, width, before->from, width, before->to);
    snprintf(more, sizeof more, "  -> %*" PRIu64 " .. %*" PRIu64, width, after->from, width, after->to);
    go_on(rows, &label, tone, text, is_same ? "  unchanged" : more);
    if (part == PARTS - 1) {
        const enum front_tone said = say_data(data, sizeof data, preview);
        snprintf(more, sizeof more, "  %s", data);
        if (data[0] != '\0') {
            go_on(rows, &label, tone, text, more);
            tone = said;
        }
    }
    rows->put(rows->context, label, tone, text);
}

void front_tell_layouts(const struct front_rows *rows, const struct cow_preview *preview)
{
    struct range before[PARTS], after[PARTS];
    char text[TEXT_BYTES];

    if (!preview->has_after) {
        return;
    }
    const uint64_t old_end = preview->has_before ? preview->before.end_offset : 0;
    const int width = digits(preview->after.end_offset > old_end ? preview->after.end_offset : old_end);
    parts_of(after, &preview->after);
    if (preview->has_before) {
        parts_of(before, &preview->before);
    }
    for (size_t i = 0; i < PARTS; i++) {
        if (preview->has_before) {
            tell_change(rows, i, &before[i], &after[i], width, preview);
            continue;
        }
        snprintf(text, sizeof text, "%*" PRIu64 " .. %*" PRIu64, width, after[i].from, width, after[i].to);
        rows->put(rows->context, names[i], FRONT_PLAIN, text);
    }
}
