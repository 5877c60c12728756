/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rows. A label has two forms, for a wide column and for a narrow one.
 */
#include "front/told/told.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"

enum { TEXT_BYTES = 2048, NAME_BYTES = 1024, SIBLINGS_NAMED = 4 };

struct label {
    const char *wide, *narrow;
};

static const struct label kernel = {"UML kernel", "kernel"}, advice = {"  advice", ""},
                          warning = {"  warning", "!"}, patched = {"  patched", ""},
                          content = {"content", "content"}, dirty = {"dirty", "dirty"},
                          images = {"images", "images"}, backing = {"backing", "backing"},
                          others = {"  others", ""}, stored = {"  stored as", ""},
                          reserve = {"reserve", "reserve"}, note = {"note", "notes"}, undo = {"undo", "undo"},
                          none = {"", ""};

__attribute__((format(printf, 4, 5))) static void put_row(const struct front_rows *rows, struct label label,
                                                          enum front_tone tone, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rows->put(rows->context, rows->is_narrow ? label.narrow : label.wide, tone, text);
}

void front_tell_verdict(const struct front_rows *rows, const struct cow_verdict *verdict, const char *what)
{
    if (verdict->unknown) {
        put_row(rows, kernel, FRONT_PLAIN, "not known: the backing file is not looked at");
    } else if (verdict->opens) {
        put_row(rows, kernel, FRONT_GOOD, "opens %s", what);
    } else if (verdict->reason[0] != '\0') {
        put_row(rows, kernel, FRONT_BAD, "refuses %s: %s", what, verdict->reason);
    } else {
        put_row(rows, kernel, FRONT_BAD, "refuses %s", what);
    }
    if (verdict->advice[0] != '\0') {
        put_row(rows, advice, FRONT_PLAIN, "%s", verdict->advice);
    }
    for (size_t i = 0; i < verdict->warnings && i < COW_VERDICT_WARNINGS_MAX; i++) {
        put_row(rows, warning, FRONT_WARN, "%s", verdict->warning[i]);
    }
}

const char *front_verdict_word(const struct cow_verdict *verdict)
{
    return verdict->unknown ? "?" : verdict->opens ? "opens" : "refuses";
}

void front_tell_result(const struct front_rows *rows, const struct cow_preview *preview)
{
    struct cow_verdict verdict = preview->after_verdict;

    if (!preview->has_after) {
        return;
    }
    verdict.advice[0] = '\0'; /* it would be of the result, which was chosen */
    front_tell_verdict(rows, &verdict, "the result");
    if (!verdict.opens && !verdict.unknown) {
        put_row(rows, patched, FRONT_PLAIN, "%s",
                preview->patched_opens ? "a kernel with the 2003 resize patch opens it"
                                       : "nor does a kernel with the 2003 resize patch open it");
    }
}

void front_tell_content(const struct front_rows *rows, const struct cow_preview *preview)
{
    if (preview->content_text[0] != '\0') {
        put_row(rows, content, FRONT_PLAIN, "%s", preview->content_text);
    } else if (preview->has_after_dirty && preview->has_before &&
               preview->dirty_sectors != preview->after_dirty_sectors) {
        put_row(rows, dirty, FRONT_PLAIN, "%" PRIu64 " sectors -> %" PRIu64, preview->dirty_sectors,
                preview->after_dirty_sectors);
    }
}

void front_tell_images(const struct front_rows *rows, const struct cow_preview *preview)
{
    char name[NAME_BYTES], before[COW_SIZE_TEXT_BYTES], after[COW_SIZE_TEXT_BYTES];

    for (size_t i = 0; i < preview->images; i++) {
        const struct cow_preview *image = preview->image[i];
        const struct label label = i == 0 ? images : none;

        cow_escape(name, sizeof name, image->target_path);
        if (image->has_before && image->has_after) {
            put_row(rows, label, FRONT_PLAIN, "%s: %s -> %s, %s", name,
                    cow_size_text(before, image->before_size_bytes),
                    cow_size_text(after, image->after_size_bytes), cow_method_name(image->method));
        } else {
            put_row(rows, label, FRONT_PLAIN, "%s: %s", name, cow_method_name(image->method));
        }
    }
}

/* Where there is room for it, a path each; else their last parts, and how many more there are. */
static void tell_siblings(const struct front_rows *rows, const struct cow_preview *preview)
{
    char names[NAME_BYTES] = "", name[NAME_BYTES];
    size_t used = 0;

    for (size_t i = 0; i < preview->siblings && !rows->is_narrow; i++) {
        put_row(rows, i == 0 ? others : none, FRONT_WARN, "%s",
                cow_escape(name, sizeof name, preview->sibling[i]));
    }
    if (!rows->is_narrow || preview->siblings == 0) {
        return;
    }
    for (size_t i = 0; i < preview->siblings && i < SIBLINGS_NAMED; i++) {
        const char *slash = strrchr(preview->sibling[i], '/');
        cow_escape(name, sizeof name, slash != NULL ? slash + 1 : preview->sibling[i]);
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", name);
        if (used >= sizeof names) {
            return;
        }
    }
    if (preview->siblings > SIBLINGS_NAMED) {
        snprintf(names + used, sizeof names - used, " and %zu more", preview->siblings - SIBLINGS_NAMED);
    }
    put_row(rows, preview->backing_text[0] != '\0' ? others : backing, FRONT_WARN, "%s %s it, too", names,
            preview->siblings == 1 ? "uses" : "use");
}

void front_tell_backing(const struct front_rows *rows, const struct cow_preview *preview)
{
    char name[NAME_BYTES];

    if (preview->backing_text[0] != '\0') {
        put_row(rows, backing, FRONT_PLAIN, "%s", preview->backing_text);
    }
    tell_siblings(rows, preview);
    if (preview->has_after && preview->after_backing_path[0] != '\0' && !rows->is_narrow) {
        put_row(rows, stored, FRONT_PLAIN, "%s", cow_escape(name, sizeof name, preview->after_backing_path));
    }
}

/* Of several images: how far each of them can grow. */
static uint64_t room_of(const struct cow_preview *preview)
{
    uint64_t room = preview->can_grow_to_bytes;

    for (size_t i = 0; i < preview->images; i++) {
        if (preview->image[i]->can_grow_to_bytes < room) {
            room = preview->image[i]->can_grow_to_bytes;
        }
    }
    return room;
}

void front_tell_reserve(const struct front_rows *rows, const struct cow_preview *preview)
{
    char size[COW_SIZE_TEXT_BYTES], bytes[32] = "";
    uint64_t room = room_of(preview);

    if (room <= preview->after_size_bytes) {
        return;
    }
    if (!rows->is_narrow) {
        snprintf(bytes, sizeof bytes, " (%" PRIu64 " bytes)", room);
    }
    put_row(rows, reserve, FRONT_PLAIN, "%scan grow to %s%s later without moving data",
            preview->images > 0 ? "each of them " : "", cow_size_text(size, room), bytes);
}

void front_tell_notes(const struct front_rows *rows, const struct cow_preview *preview)
{
    for (size_t i = 0; i < preview->notes; i++) {
        put_row(rows, i == 0 || !rows->is_narrow ? note : none, FRONT_WARN, "%s", preview->note[i]);
    }
}

void front_tell_undo(const struct front_rows *rows, const struct cow_preview *preview)
{
    if (preview->undo_text[0] != '\0') {
        put_row(rows, undo, FRONT_PLAIN, "%s", preview->undo_text);
    }
}
