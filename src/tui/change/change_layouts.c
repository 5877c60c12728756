/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The layout before and after, as two bars to one scale and as offsets. Where a scale would make a part
 * vanish it gets a cell all the same: a header is a sector of a file of gigabytes, and has to be seen.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tui/change/change.h"
#include "tui/screen/utf8.h"

enum { LABEL_COL = CHANGE_LABEL_COL, TEXT_COL = CHANGE_TEXT_COL, BAR_COL = 8, ARROW_COLS = 5 };

/* The column of an offset in a bar of so many columns for so many bytes. */
static int bar_column(uint64_t offset, uint64_t total, int cols)
{
    return (int)((double)offset / (double)total * cols + 0.5);
}

static void put_bar_stretch(struct tui_page *page, int from, int to, uint32_t glyph, enum tui_style style,
                            const char *label)
{
    int cells = tui_text_cells(label);

    for (int x = from; x < to; x++) {
        tui_page_put_char(page, BAR_COL + x, style, glyph);
    }
    if (cells > 0 && cells + 2 <= to - from) {
        tui_page_putf(page, BAR_COL + from + (to - from - cells - 2) / 2, style, " %s ", label);
    }
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
static void put_bar(struct tui_page *page, const char *name, const struct cow_layout *layout, uint64_t total,
                    const struct kept *kept_data)
{
    int cols = page->cols - BAR_COL - 3;
    int header = at_least(bar_column(layout->header_bytes, total, cols), 1);
    int bitmap = at_least(bar_column(layout->bitmap_offset, total, cols), header);
    int bitmap_end =
        at_least(bar_column(layout->bitmap_offset + layout->bitmap_bytes, total, cols), bitmap + 1);
    int data = at_least(bar_column(layout->data_offset, total, cols), bitmap_end);
    int kept = at_least(bar_column(cow_layout_place(layout, kept_data->bytes), total, cols), data + 1);
    int end = at_least(bar_column(layout->end_offset, total, cols), kept);

    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_LABEL, name);
    tui_page_put(page, BAR_COL - 1, TUI_DIM, "|");
    put_bar_stretch(page, header, data, 0x00b7, TUI_PART_FREE, "");
    put_bar_stretch(page, 0, header, 'H', TUI_PART_HEADER, "");
    put_bar_stretch(page, bitmap, bitmap_end, 'B', TUI_PART_BITMAP, "");
    put_bar_stretch(page, data, kept, '=', TUI_PART_DATA, "data");
    put_bar_stretch(page, kept, end, kept_data->glyph, TUI_PART_NEW, kept_data->rest);
    tui_page_put(page, BAR_COL + end, TUI_DIM, "|");
}

static void put_bars(struct tui_page *page, const struct cow_preview *preview)
{
    uint64_t total = preview->before.end_offset;

    if (preview->after.end_offset > total) {
        total = preview->after.end_offset;
    }
    uint64_t kept = preview->before_size_bytes < preview->after_size_bytes ? preview->before_size_bytes
                                                                           : preview->after_size_bytes;
    put_bar(page, "now", &preview->before, total, &(struct kept){kept, 'x', "cut off"});
    put_bar(page, "then", &preview->after, total, &(struct kept){kept, ':', "new, empty"});
}

void change_put_layouts(struct tui_page *page, const struct cow_preview *preview, bool roomy, bool numbers)
{
    if (!preview->has_before || !preview->has_after || preview->before.end_offset == 0 ||
        preview->after.end_offset == 0) {
        return;
    }
    change_put_space(page, roomy);
    put_bars(page, preview);
    if (!numbers) {
        return;
    }
    change_put_space(page, roomy);
    const struct front_rows rows = change_rows(page);
    front_tell_layouts(&rows, preview);
}
