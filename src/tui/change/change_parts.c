/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of a plan's text that several pages show, a few lines each; and the line that warns of whoever
 * holds the image. None of them decides what is shown: a page puts them together.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/change/change.h"

enum { LABEL_COL = CHANGE_LABEL_COL, TEXT_COL = CHANGE_TEXT_COL, SIBLINGS_NAMED = 4 };

void change_put_space(struct tui_page *page, bool roomy)
{
    if (roomy)
        tui_page_line(page);
}

void change_put_holder(struct tui_app *app, struct tui_page *page)
{
    if (!app->holder.held)
        return;
    tui_page_line(page);
    if (app->holder.pid > 0)
        tui_page_wrapf(page, LABEL_COL, LABEL_COL + 2, TUI_WARN,
                       "! in use by pid %" PRId64 ": nothing can be written until that one stops",
                       app->holder.pid);
    else
        tui_page_wrap(page, LABEL_COL, LABEL_COL + 2, TUI_WARN,
                      "! in use by another program: nothing can be written until that one stops");
}

/* "lab2.cow, lab3.cow use it, too": what that means for them stands before it, in the plan's own words. */
static void put_change_siblings(struct tui_page *page, const struct cow_preview *preview)
{
    char names[1024] = "", name[256];
    size_t used = 0;

    for (size_t i = 0; i < preview->siblings && i < SIBLINGS_NAMED; i++) {
        const char *slash = strrchr(preview->sibling[i], '/');
        cow_escape(name, sizeof name, slash ? slash + 1 : preview->sibling[i]);
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", name);
        if (used >= sizeof names)
            return;
    }
    if (preview->siblings > SIBLINGS_NAMED)
        snprintf(names + used, sizeof names - used, " and %zu more", preview->siblings - SIBLINGS_NAMED);
    tui_page_value(page, preview->backing_text[0] ? "" : "backing", TEXT_COL, TUI_WARN, "%s %s it, too",
                   names, preview->siblings == 1 ? "uses" : "use");
}

void change_put_backing(struct tui_page *page, const struct cow_preview *preview)
{
    if (preview->backing_text[0])
        tui_page_value(page, "backing", TEXT_COL, TUI_NORMAL, "%s", preview->backing_text);
    if (preview->siblings > 0)
        put_change_siblings(page, preview);
}

/* Of several that change as one: a line each, as --dry-run has them. */
void change_put_images(struct tui_page *page, const struct cow_preview *preview)
{
    char name[1024], before[COW_SIZE_TEXT_BYTES], after[COW_SIZE_TEXT_BYTES];

    for (size_t i = 0; i < preview->images; i++) {
        const struct cow_preview *image = preview->image[i];
        const char *label = i == 0 ? "images" : "";
        cow_escape(name, sizeof name, image->target_path);
        if (image->has_before && image->has_after)
            tui_page_value(page, label, TEXT_COL, TUI_NORMAL, "%s: %s -> %s, %s", name,
                           cow_size_text(before, image->before_size_bytes),
                           cow_size_text(after, image->after_size_bytes), cow_method_name(image->method));
        else
            tui_page_value(page, label, TEXT_COL, TUI_NORMAL, "%s: %s", name, cow_method_name(image->method));
    }
}

/* How far it can grow later; of several images: each of them. */
static uint64_t room_of(const struct cow_preview *preview)
{
    uint64_t room = preview->can_grow_to_bytes;

    for (size_t i = 0; i < preview->images; i++) {
        if (preview->image[i]->can_grow_to_bytes < room)
            room = preview->image[i]->can_grow_to_bytes;
    }
    return room;
}

void change_put_content(struct tui_page *page, const struct cow_preview *preview)
{
    if (preview->has_after_dirty && preview->has_before && !preview->content_text[0] &&
        preview->dirty_sectors != preview->after_dirty_sectors)
        tui_page_value(page, "dirty", TEXT_COL, TUI_NORMAL, "%" PRIu64 " sectors -> %" PRIu64,
                       preview->dirty_sectors, preview->after_dirty_sectors);
    if (preview->content_text[0])
        tui_page_value(page, "content", TEXT_COL, TUI_NORMAL, "%s", preview->content_text);
}

void change_put_future(struct tui_page *page, const struct cow_preview *preview)
{
    char size[COW_SIZE_TEXT_BYTES];

    if (preview->undo_text[0])
        tui_page_value(page, "undo", TEXT_COL, TUI_NORMAL, "%s", preview->undo_text);
    if (room_of(preview) > preview->after_size_bytes)
        tui_page_value(page, "reserve", TEXT_COL, TUI_NORMAL,
                       "from now on %s can grow to %s without moving anything",
                       preview->images > 0 ? "each of them" : "it", cow_size_text(size, room_of(preview)));
    for (size_t i = 0; i < preview->notes; i++)
        tui_page_value(page, i == 0 ? "notes" : "", TEXT_COL, TUI_NORMAL, "%s", preview->note[i]);
}

void change_put_command(struct tui_page *page, const struct cow_preview *preview)
{
    if (preview->command[0] == '\0')
        return;
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, "the same:");
    tui_page_wrap(page, LABEL_COL + 10, LABEL_COL + 10, TUI_STRONG, preview->command);
}
