/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The page that the program exists for: the layout before and after, to scale and in numbers, every
 * consequence, and the command that does the same. All of it comes from the plan's preview.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/utf8.h"
#include "tui/wizard.h"

enum { LABEL_COL = 1, TEXT_COL = 9, BAR_COL = 8, ARROW_COLS = 5, ROOMY_ROWS = 22 };

bool wizard_has_work(const struct wizard *w)
{
    return w->plan && strcmp(cow_plan_preview(w->plan)->method, "none") != 0;
}

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

/* One file to scale: header and bitmap get a cell each, however small they are. kept_bytes of the data were
 * there before, the rest is new. */
static void draw_bar(struct tui_page *page, const char *name, const struct cow_layout *layout, uint64_t total,
                     uint64_t kept_bytes)
{
    int cols = page->cols - BAR_COL - 3;
    int header = at_least(column(layout->header_bytes, total, cols), 1);
    int bitmap = at_least(column(layout->bitmap_offset, total, cols), header);
    int bitmap_end = at_least(column(layout->bitmap_offset + layout->bitmap_bytes, total, cols), bitmap + 1);
    int data = at_least(column(layout->data_offset, total, cols), bitmap_end);
    int kept = at_least(column(layout->data_offset + kept_bytes, total, cols), data + 1);
    int end = at_least(column(layout->end_offset, total, cols), kept);

    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, name);
    tui_page_put(page, BAR_COL - 1, TUI_DIM, "|");
    stretch(page, header, data, 0x00b7, TUI_PART_FREE, "");
    stretch(page, 0, header, 'H', TUI_PART_HEADER, "");
    stretch(page, bitmap, bitmap_end, 'B', TUI_PART_BITMAP, "");
    stretch(page, data, kept, '=', TUI_PART_DATA, "data");
    stretch(page, kept, end, ':', TUI_PART_NEW, "new, empty");
    tui_page_put(page, BAR_COL + end, TUI_DIM, "|");
}

static void put_bars(struct tui_page *page, const struct cow_preview *preview)
{
    uint64_t total = preview->before.end_offset;

    if (preview->after.end_offset > total)
        total = preview->after.end_offset;
    uint64_t kept = preview->before_size_bytes < preview->after_size_bytes ? preview->before_size_bytes
                                                                           : preview->after_size_bytes;
    draw_bar(page, "now", &preview->before, total, preview->before_size_bytes);
    draw_bar(page, "then", &preview->after, total, kept);
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
    char moves[96], size[COW_SIZE_TEXT_BYTES];
    int col = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        col = put_part(page, offset_cols(preview), &parts[i]);
    if (by == 0)
        return;
    snprintf(moves, sizeof moves, "moves by %s%s", new->data_offset < old->data_offset ? "-" : "",
             cow_size_text(size, by));
    if (col + 2 + tui_text_cells(moves) <= page->cols)
        tui_page_put(page, col + 2, TUI_WARN, moves);
    else
        tui_page_value(page, "", TEXT_COL, TUI_WARN, "the data %s", moves);
}

static void put_costs(struct tui_page *page, const struct cow_preview *preview)
{
    char moved[COW_SIZE_TEXT_BYTES], needed[COW_SIZE_TEXT_BYTES], target[512];
    const char *slash = strrchr(preview->target_path, '/');

    cow_size_text(moved, preview->moves_bytes);
    cow_size_text(needed, preview->needs_free_bytes);
    cow_escape(target, sizeof target, slash ? slash + 1 : preview->target_path);
    tui_page_value(page, "writes", TEXT_COL, TUI_NORMAL,
                   "%s (%" PRIu64 " sectors) to a new file, %s%s; needs %s", moved, preview->dirty_sectors,
                   preview->replaces ? "then renamed" : "", preview->replaces ? "" : target, needed);
    if (preview->before_format != preview->after_format)
        tui_page_value(page, "format", TEXT_COL, TUI_WARN, "%s becomes %s",
                       cow_format_title(preview->before_format), cow_format_title(preview->after_format));
    if (preview->backing_text[0])
        tui_page_value(page, "backing", TEXT_COL, TUI_NORMAL, "%s", preview->backing_text);
}

static void put_verdict(struct tui_page *page, const struct cow_preview *preview)
{
    const struct cow_verdict *verdict = &preview->after_verdict;

    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, "opens");
    int col = tui_page_put(page, TEXT_COL, TUI_NORMAL, "stock UML kernel: ");
    col = tui_page_put(page, col, verdict->opens ? TUI_GOOD : TUI_BAD, verdict->opens ? "yes" : "no");
    col = tui_page_put(page, col + 4, TUI_NORMAL, "the seed's patched kernel: ");
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

static void put_future(struct tui_page *page, const struct cow_preview *preview)
{
    char size[COW_SIZE_TEXT_BYTES];

    if (preview->undo_text[0])
        tui_page_value(page, "undo", TEXT_COL, TUI_NORMAL, "%s", preview->undo_text);
    if (preview->can_grow_to_bytes > 0)
        tui_page_value(page, "reserve", TEXT_COL, TUI_NORMAL,
                       "from now on it can grow to %s without moving anything",
                       cow_size_text(size, preview->can_grow_to_bytes));
    for (size_t i = 0; i < preview->notes; i++)
        tui_page_value(page, i == 0 ? "notes" : "", TEXT_COL, TUI_NORMAL, "%s", preview->note[i]);
}

void wizard_fill_preview(struct tui_app *app, struct wizard *w)
{
    const struct cow_preview *preview = cow_plan_preview(w->plan);
    struct tui_page *page = &w->page;
    char old[COW_SIZE_TEXT_BYTES], new[COW_SIZE_TEXT_BYTES];

    bool roomy = w->page_rows >= ROOMY_ROWS; /* blank lines are a luxury of large screens */

    (void)app;
    tui_page_line(page);
    if (roomy)
        tui_page_line(page);
    int col = tui_page_putf(page, 1, TUI_STRONG, "%s -> %s", cow_size_text(old, preview->before_size_bytes),
                            cow_size_text(new, preview->after_size_bytes));
    col = tui_page_put(page, col + 5, TUI_LABEL, "policy ");
    col = tui_page_put(page, col, TUI_NORMAL, preview->policy);
    col = tui_page_put(page, col + 5, TUI_LABEL, "method ");
    tui_page_put(page, col, TUI_NORMAL, preview->method);
    if (!wizard_has_work(w)) {
        tui_page_line(page);
        tui_page_line(page);
        tui_page_wrap(page, 1, 1, TUI_GOOD, "There is nothing to do: the image is like that already.");
        return;
    }
    if (roomy)
        tui_page_line(page);
    put_bars(page, preview);
    if (roomy)
        tui_page_line(page);
    put_numbers(page, preview);
    if (roomy)
        tui_page_line(page);
    put_costs(page, preview);
    put_verdict(page, preview);
    put_future(page, preview);
    if (roomy)
        tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, "the same:");
    tui_page_wrap(page, LABEL_COL + 10, LABEL_COL + 10, TUI_STRONG, preview->command);
}
