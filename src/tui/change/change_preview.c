/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The page that the program exists for: the layout before and after, to scale and in numbers, every
 * consequence, and the command that does the same. All of it comes from the plan's preview.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/change/change.h"
#include "tui/screen/utf8.h"

enum {
    LABEL_COL = 1,
    TEXT_COL = 9,
    BAR_COL = 8,
    ARROW_COLS = 5,

    SIBLINGS_NAMED = 4,
    WIDE_COLS = 46
};

/* The column of an offset in a bar of so many columns for so many bytes. */
static int column(uint64_t offset, uint64_t total, int cols)
{
    return (int)((double)offset / (double)total * cols + 0.5);
}

static void stretch(struct tui_page *page, int from, int to, uint32_t glyph, enum tui_style style,
                    const char *label)
{
    int cells = tui_text_cells(label);

    for (int x = from; x < to; x++)
        tui_page_put_char(page, BAR_COL + x, style, glyph);
    if (cells > 0 && cells + 2 <= to - from)
        tui_page_putf(page, BAR_COL + from + (to - from - cells - 2) / 2, style, " %s ", label);
}

static int at_least(int value, int least)
{
    return value > least ? value : least;
}

/* What of a disk is there before and after, and what the rest is. */
struct kept {
    uint64_t bytes;
    uint32_t glyph;
    const char *rest;
};

/* One file to scale: header and bitmap get a cell each, however small they are. */
static void draw_bar(struct tui_page *page, const char *name, const struct cow_layout *layout, uint64_t total,
                     const struct kept *kept_data)
{
    int cols = page->cols - BAR_COL - 3;
    int header = at_least(column(layout->header_bytes, total, cols), 1);
    int bitmap = at_least(column(layout->bitmap_offset, total, cols), header);
    int bitmap_end = at_least(column(layout->bitmap_offset + layout->bitmap_bytes, total, cols), bitmap + 1);
    int data = at_least(column(layout->data_offset, total, cols), bitmap_end);
    int kept = at_least(column(cow_layout_place(layout, kept_data->bytes), total, cols), data + 1);
    int end = at_least(column(layout->end_offset, total, cols), kept);

    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, name);
    tui_page_put(page, BAR_COL - 1, TUI_DIM, "|");
    stretch(page, header, data, 0x00b7, TUI_PART_FREE, "");
    stretch(page, 0, header, 'H', TUI_PART_HEADER, "");
    stretch(page, bitmap, bitmap_end, 'B', TUI_PART_BITMAP, "");
    stretch(page, data, kept, '=', TUI_PART_DATA, "data");
    stretch(page, kept, end, kept_data->glyph, TUI_PART_NEW, kept_data->rest);
    tui_page_put(page, BAR_COL + end, TUI_DIM, "|");
}

static void put_bars(struct tui_page *page, const struct cow_preview *preview)
{
    uint64_t total = preview->before.end_offset;

    if (preview->after.end_offset > total)
        total = preview->after.end_offset;
    uint64_t kept = preview->before_size_bytes < preview->after_size_bytes ? preview->before_size_bytes
                                                                           : preview->after_size_bytes;
    draw_bar(page, "now", &preview->before, total, &(struct kept){kept, 'x', "cut off"});
    draw_bar(page, "then", &preview->after, total, &(struct kept){kept, ':', "new, empty"});
}

/* Columns that the largest offset of the two layouts takes. */
static int offset_cols(const struct cow_preview *preview)
{
    char text[24];
    uint64_t largest = preview->before.end_offset > preview->after.end_offset ? preview->before.end_offset
                                                                              : preview->after.end_offset;

    return snprintf(text, sizeof text, "%" PRIu64, largest);
}

struct part {
    const char *name;
    uint64_t from, to; /* offsets now */
    uint64_t new_from, new_to;
};

/* Returns the column behind it. */
static int put_part(struct tui_page *page, int cols, const struct part *part)
{
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, part->name);
    int col = tui_page_putf(page, TEXT_COL, TUI_NORMAL, "%*" PRIu64 " .. %*" PRIu64, cols, part->from, cols,
                            part->to);
    if (part->from == part->new_from && part->to == part->new_to)
        return tui_page_put(page, col + 2, TUI_DIM, "unchanged");
    if (col + ARROW_COLS + 2 * cols + 4 > page->cols) { /* below itself where it does not fit beside */
        tui_page_line(page);
        col = TEXT_COL - ARROW_COLS;
    }
    return tui_page_putf(page, col, TUI_STRONG, "  -> %*" PRIu64 " .. %*" PRIu64, cols, part->new_from, cols,
                         part->new_to);
}

static void put_numbers(struct tui_page *page, const struct cow_preview *preview)
{
    const struct cow_layout *old = &preview->before, *new = &preview->after;
    const struct part parts[] = {
        {"header", 0, old->header_bytes, 0, new->header_bytes},
        {"bitmap", old->bitmap_offset, old->bitmap_offset + old->bitmap_bytes, new->bitmap_offset,
         new->bitmap_offset + new->bitmap_bytes},
        {"data", old->data_offset, old->end_offset, new->data_offset, new->end_offset},
    };
    uint64_t by = new->data_offset > old->data_offset ? new->data_offset - old->data_offset
                                                      : old->data_offset - new->data_offset;
    static const char *const stays = "stays where it is";
    char moves[96], size[COW_SIZE_TEXT_BYTES];
    int col = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        col = put_part(page, offset_cols(preview), &parts[i]);
    if (strcmp(preview->method, "header") == 0 && col + 2 + tui_text_cells(stays) <= page->cols)
        tui_page_put(page, col + 2, TUI_GOOD, stays);
    if (by == 0)
        return;
    snprintf(moves, sizeof moves, "moves by %s%s", new->data_offset < old->data_offset ? "-" : "",
             cow_size_text(size, by));
    if (col + 2 + tui_text_cells(moves) <= page->cols)
        tui_page_put(page, col + 2, TUI_WARN, moves);
    else
        tui_page_value(page, "", TEXT_COL, TUI_WARN, "the data %s", moves);
}

/* The methods that a plan may choose, and what each means. */
static const struct {
    const char *name, *meaning;
} methods[] = {
    {"copy", " (a new file)"},
    {"header", " (no data moves)"},
    {"backing-only", " (the image stays as it is)"},
    {"in place", " (the backing file is written over)"},
};

static const char *method_meaning(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].meaning;
    }
    return "";
}

/* It is about no disk. */
static bool is_extract(const struct cow_preview *preview)
{
    return strcmp(preview->operation, "extract") == 0;
}

/* What is removed; what is made or changed the rows around it tell, and the page with the steps names all. */
static void put_removed(struct tui_page *page, const struct cow_preview *preview)
{
    char name[256];
    bool first = true;

    for (size_t i = 0; i < preview->files; i++) {
        const char *slash = strrchr(preview->file[i].path, '/');
        if (preview->file[i].touch != COW_TOUCH_REMOVES)
            continue;
        cow_escape(name, sizeof name, slash ? slash + 1 : preview->file[i].path);
        tui_page_value(page, first ? "removes" : "", TEXT_COL, TUI_NORMAL, "%s", name);
        first = false;
    }
}

static void put_costs(struct tui_page *page, const struct cow_preview *preview)
{
    char moved[COW_SIZE_TEXT_BYTES], needed[COW_NEEDS_TEXT_BYTES], target[512];
    const char *slash = strrchr(preview->target_path, '/');

    cow_size_text(moved, preview->writes_bytes);
    cow_needs_text(needed, preview);
    cow_escape(target, sizeof target, slash ? slash + 1 : preview->target_path);
    if (strcmp(preview->method, "header") == 0)
        tui_page_value(page, "writes", TEXT_COL, TUI_NORMAL,
                       "only the header, in place: milliseconds at any size; needs %s", needed);
    else if (strcmp(preview->method, "backing-only") == 0)
        tui_page_value(page, "writes", TEXT_COL, TUI_NORMAL, "nothing to the image");
    else if (is_extract(preview))
        tui_page_value(page, "writes", TEXT_COL, TUI_NORMAL, "%s to a new file, %s; needs %s", moved, target,
                       needed);
    else if (strcmp(preview->method, "in place") == 0)
        tui_page_value(page, "writes", TEXT_COL, TUI_NORMAL,
                       "%s (%" PRIu64 " sectors) into the backing file, then a new, empty image; needs %s",
                       moved, preview->dirty_sectors, needed);
    else
        tui_page_value(page, "writes", TEXT_COL, TUI_NORMAL,
                       "%s (%" PRIu64 " sectors) to a new file, %s%s; needs %s", moved,
                       preview->has_after_dirty ? preview->after_dirty_sectors : preview->dirty_sectors,
                       preview->replaces ? "then renamed" : "", preview->replaces ? "" : target, needed);
    if (preview->has_before && preview->has_after && preview->before_format != preview->after_format)
        tui_page_value(page, "format", TEXT_COL, TUI_WARN, "%s becomes %s",
                       cow_format_title(preview->before_format), cow_format_title(preview->after_format));
    put_removed(page, preview);
    change_put_backing(page, preview);
}

/* "lab2.cow, lab3.cow use it, too": what that means for them stands before it, in the plan's own words. */
static void put_siblings(struct tui_page *page, const struct cow_preview *preview)
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
        put_siblings(page, preview);
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

static void put_verdict(struct tui_page *page, const struct cow_preview *preview)
{
    const struct cow_verdict *verdict = &preview->after_verdict;

    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, "opens");
    int col = tui_page_put(page, TEXT_COL, TUI_NORMAL, "stock UML kernel: ");
    col = tui_page_put(page, col,
                       verdict->opens     ? TUI_GOOD
                       : verdict->unknown ? TUI_NORMAL
                                          : TUI_BAD,
                       verdict->opens     ? "yes"
                       : verdict->unknown ? "not known"
                                          : "no");
    col += page->cols - col > WIDE_COLS ? 4 : 2;
    col = tui_page_put(page, col, TUI_NORMAL, "a kernel with the 2003 resize patch: ");
    tui_page_put(page, col, preview->patched_opens ? TUI_GOOD : TUI_BAD,
                 preview->patched_opens ? "yes" : "no");
    if (verdict->reason[0]) {
        tui_page_line(page);
        tui_page_wrapf(page, TEXT_COL, TEXT_COL, TUI_WARN, "it will say: %s", verdict->reason);
    }
    for (size_t i = 0; i < verdict->warnings; i++) {
        tui_page_line(page);
        tui_page_wrapf(page, TEXT_COL, TEXT_COL + 2, TUI_WARN, "! %s", verdict->warning[i]);
    }
}

void change_put_future(struct tui_page *page, const struct cow_preview *preview)
{
    char size[COW_SIZE_TEXT_BYTES];

    if (preview->undo_text[0])
        tui_page_value(page, "undo", TEXT_COL, TUI_NORMAL, "%s", preview->undo_text);
    if (preview->can_grow_to_bytes > preview->after_size_bytes)
        tui_page_value(page, "reserve", TEXT_COL, TUI_NORMAL,
                       "from now on it can grow to %s without moving anything",
                       cow_size_text(size, preview->can_grow_to_bytes));
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

static int put_fact(struct tui_page *page, int col, const char *name, const char *value)
{
    if (value[0] == '\0')
        return col;
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
    if (is_extract(preview))
        col = tui_page_put(page, LABEL_COL, TUI_STRONG, "a file of the guest");
    else if (preview->has_before && preview->has_after &&
             preview->before_size_bytes != preview->after_size_bytes)
        col = tui_page_putf(page, LABEL_COL, TUI_STRONG, "%s -> %s", old, new);
    else
        col = tui_page_putf(page, LABEL_COL, TUI_STRONG, "%s, unchanged", preview->has_before ? old : new);
    col = put_fact(page, col, "policy", preview->policy);
    col = put_fact(page, col, "method", preview->method);
    const char *meaning = method_meaning(preview->method);
    if (col + tui_text_cells(meaning) <= page->cols)
        tui_page_put(page, col, TUI_NORMAL, meaning);
}

/* A blank line is a luxury of large screens. */
static void space(struct tui_page *page, bool roomy)
{
    if (roomy)
        tui_page_line(page);
}

void change_put_layouts(struct tui_page *page, const struct cow_preview *preview, bool roomy, bool numbers)
{
    if (!preview->has_before || !preview->has_after || preview->before.end_offset == 0 ||
        preview->after.end_offset == 0)
        return;
    space(page, roomy);
    put_bars(page, preview);
    if (!numbers)
        return;
    space(page, roomy);
    put_numbers(page, preview);
}

void change_fill_preview(struct tui_app *app, struct change *change)
{
    const struct cow_preview *preview = cow_plan_preview(change->plan);
    struct tui_page *page = &change->page;
    bool roomy = change->page_rows >= CHANGE_ROOMY_ROWS;

    space(page, roomy);
    put_summary(page, preview);
    if (!change_has_work(change)) {
        tui_page_line(page);
        tui_page_line(page);
        tui_page_wrap(page, LABEL_COL, LABEL_COL, TUI_GOOD,
                      "There is nothing to do: the image is like that already.");
        return;
    }
    if (!change_makes_file(change))
        change_put_holder(app, page);
    change_put_layouts(page, preview, roomy, true);
    space(page, roomy);
    change_put_content(page, preview);
    put_costs(page, preview);
    if (preview->has_after)
        put_verdict(page, preview);
    change_put_future(page, preview);
    if (change->instead[0])
        tui_page_value(page, "instead", TEXT_COL, TUI_NORMAL, "%s", change->instead);
    space(page, roomy);
    change_put_command(page, preview);
}
