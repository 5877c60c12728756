/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The page that the program exists for: the layout before and after, to scale and in numbers, every
 * consequence, and the command that does the same. All of it comes from the plan's preview, so that what is
 * shown here and what --dry-run prints cannot part.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/change/change.h"
#include "tui/screen/utf8.h"

enum {
    LABEL_COL = CHANGE_LABEL_COL,
    TEXT_COL = CHANGE_TEXT_COL,
    WIDE_COLS = 46,
};

/* What the method that the plan has chosen means; "" where its name says it. */
static const char *method_meaning(enum cow_method method)
{
    static const char *const meanings[COW_METHODS] = {
        [COW_METHOD_COPY] = " (a new file)",
        [COW_METHOD_HEADER] = " (no data moves)",
        [COW_METHOD_INSERTED] = " (within the file)",
        [COW_METHOD_MOVED] = " (within the file)",
        [COW_METHOD_BACKING_ONLY] = " (the image stays as it is)",
        [COW_METHOD_IN_PLACE] = " (the backing file is written over)",
    };
    return meanings[method] != NULL ? meanings[method] : "";
}

/* What a file is that is no disk; NULL: it is one. */
static const char *other_file(const struct cow_preview *preview)
{
    return preview->operation == COW_OPERATION_EXTRACT ? "a file of the guest"
           : preview->operation == COW_OPERATION_SAVE  ? "a picture of the map"
                                                       : NULL;
}

/* What is removed, and what a new file takes the place of; what is made or changed the rows around it tell,
 * and the page with the steps names all. */
static void put_lost(struct tui_page *page, const struct cow_preview *preview)
{
    char name[256];
    bool first = true;

    for (size_t i = 0; i < preview->files; i++) {
        const enum cow_touch touch = preview->file[i].touch;
        const char *slash = strrchr(preview->file[i].path, '/');
        cow_escape(name, sizeof name, slash != NULL ? slash + 1 : preview->file[i].path);
        if (touch == COW_TOUCH_REMOVES) {
            tui_page_value(page, first ? "removes" : "", TEXT_COL, TUI_NORMAL, "%s", name);
            first = false;
        } else if (touch == COW_TOUCH_REPLACES && !preview->changes_existing) {
            tui_page_value(page, "", TEXT_COL, TUI_WARN, "%s is there, and is replaced", name);
        }
    }
}

/* Of several images: who gets another format. */
static void put_formats(struct tui_page *page, const struct cow_preview *preview)
{
    char name[512];

    for (size_t i = 0; i < preview->images; i++) {
        const struct cow_preview *image = preview->image[i];
        const char *slash = strrchr(image->target_path, '/');
        cow_escape(name, sizeof name, slash != NULL ? slash + 1 : image->target_path);
        if (image->has_before && image->has_after && image->before_format != image->after_format) {
            tui_page_value(page, "format", TEXT_COL, TUI_WARN, "%s: %s becomes %s", name,
                           cow_format_title(image->before_format), cow_format_title(image->after_format));
        }
    }
    if (preview->images == 0 && preview->has_before && preview->has_after &&
        preview->before_format != preview->after_format) {
        tui_page_value(page, "format", TEXT_COL, TUI_WARN, "%s becomes %s",
                       cow_format_title(preview->before_format), cow_format_title(preview->after_format));
    }
}

static void put_costs(struct tui_page *page, const struct cow_plan *plan)
{
    const struct front_rows rows = change_rows(page);

    front_tell_costs(&rows, plan);
    put_formats(page, cow_plan_preview(plan));
    put_lost(page, cow_plan_preview(plan));
}

static int put_fact(struct tui_page *page, int col, const char *name, const char *value)
{
    if (value[0] == '\0') {
        return col;
    }
    col = tui_page_put(page, col + 3, TUI_LABEL, name);
    return tui_page_put(page, col + 1, TUI_NORMAL, value);
}

/* "64.0 MiB -> 128 MiB     policy extend     method copy (a new file)" */
static void put_summary(struct tui_page *page, const struct cow_preview *preview)
{
    char old[COW_SIZE_TEXT_BYTES], new[COW_SIZE_TEXT_BYTES];
    int col;

    cow_size_text(old, preview->before_size_bytes);
    cow_size_text(new, preview->after_size_bytes);
    tui_page_line(page);
    if (other_file(preview) != NULL) {
        col = tui_page_put(page, LABEL_COL, TUI_STRONG, other_file(preview));
    } else if (preview->has_before && preview->has_after &&
               preview->before_size_bytes != preview->after_size_bytes) {
        col = tui_page_putf(page, LABEL_COL, TUI_STRONG, "%s -> %s", old, new);
    } else {
        col = tui_page_putf(page, LABEL_COL, TUI_STRONG, "%s, unchanged", preview->has_before ? old : new);
    }
    col = put_fact(page, col, "policy", preview->policy);
    if (preview->images > 0) {
        char all[64];
        snprintf(all, sizeof all, "%zu, or none of them", preview->images);
        put_fact(page, col, "images", all);
        return;
    }
    col = put_fact(page, col, "method", cow_method_name(preview->method));
    const char *meaning = method_meaning(preview->method);
    if (col + tui_text_cells(meaning) <= page->cols) {
        tui_page_put(page, col, TUI_NORMAL, meaning);
    }
}

/* Of several images: one that a stock kernel will not open, if there is any. */
static const struct cow_preview *worst_of(const struct cow_preview *preview)
{
    for (size_t i = 0; i < preview->images; i++) {
        if (preview->image[i]->has_after && !preview->image[i]->after_verdict.opens) {
            return preview->image[i];
        }
    }
    return preview;
}

void change_fill_preview(struct tui_app *app, struct change *change)
{
    const struct cow_preview *preview = cow_plan_preview(change->plan);
    struct tui_page *page = &change->page;
    const struct front_rows rows = change_rows(page);
    bool roomy = change->page_rows >= CHANGE_ROOMY_ROWS;

    change_put_space(page, roomy);
    put_summary(page, preview);
    if (!change_has_work(change)) {
        tui_page_line(page);
        tui_page_line(page);
        tui_page_wrap(page, LABEL_COL, LABEL_COL, TUI_GOOD,
                      "There is nothing to do: the image is like that already.");
        return;
    }
    if (!change_makes_file(change)) {
        change_put_holder(app, page);
    }
    if (preview->images > 0) {
        change_put_space(page, roomy);
        front_tell_images(&rows, preview);
    } else {
        change_put_layouts(page, preview, roomy, true);
    }
    change_put_space(page, roomy);
    if (preview->images == 0) {
        front_tell_content(&rows, preview);
    }
    put_costs(page, change->plan);
    front_tell_backing(&rows, preview);
    front_tell_result(&rows, worst_of(preview));
    front_tell_undo(&rows, preview);
    front_tell_reserve(&rows, preview);
    front_tell_notes(&rows, preview);
    if (change->instead[0] != '\0') {
        tui_page_value(page, "instead", TEXT_COL, TUI_NORMAL, "%s", change->instead);
    }
    change_put_space(page, roomy);
    change_put_command(page, preview);
}
