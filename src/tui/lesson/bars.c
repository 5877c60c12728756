/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See bars.h. A cell stands for a stretch of the file; what lies in the middle of it is shown.
 */
#include "tui/lesson/bars.h"

#include "tui/cells/legend.h"

enum { NAME_COLS = 11, EDGE_COLS = 2 };

int bar_col(void)
{
    return NAME_COLS + 1;
}

int bar_cols(const struct lesson_picture *picture)
{
    return picture->area.cols - NAME_COLS - EDGE_COLS;
}

struct bar bar_of(const struct cow_layout *layout, uint64_t disk_bytes, uint64_t total_bytes)
{
    return (struct bar){.total_bytes = total_bytes,
                        .bitmap_offset = layout->bitmap_offset,
                        .bitmap_bytes = layout->bitmap_bytes,
                        .piece = {{layout->data_offset, 0, disk_bytes}}};
}

struct tui_cell bar_cell(const struct lesson_picture *picture, uint64_t first_byte, uint64_t n_bytes)
{
    struct cow_image *image = picture->practice->image;
    const uint64_t sector_bytes = cow_image_header(image)->sector_bytes;
    uint64_t first = first_byte / sector_bytes, end = (first_byte + n_bytes) / sector_bytes;
    struct cow_density density = {0};

    if (cow_image_density(image, first, end > first ? end - first : 1, &density, NULL) != 0) {
        return (struct tui_cell){'?', TUI_DIM};
    }
    const struct tui_mark mark = tui_density_mark(front_density_of(&density));
    return (struct tui_cell){mark.glyph, (uint8_t)mark.style};
}

/* What lies at an offset of the file, in cells of so many bytes. */
static struct tui_cell data_cell(const struct lesson_picture *picture, const struct bar *bar, uint64_t offset,
                                 uint64_t cell_bytes)
{
    for (size_t i = 0; i < sizeof bar->piece / sizeof bar->piece[0]; i++) {
        const struct bar_piece *piece = &bar->piece[i];
        if (offset < piece->offset || offset - piece->offset >= piece->n_bytes) {
            continue;
        }
        uint64_t at = piece->first_byte + (offset - piece->offset);
        uint64_t left = piece->first_byte + piece->n_bytes - at;
        return bar_cell(picture, at, left < cell_bytes ? left : cell_bytes);
    }
    return (struct tui_cell){' ', TUI_NORMAL};
}

static void draw_edges(const struct lesson_picture *picture, int y, const char *name, int cells)
{
    struct tui_canvas *canvas = picture->canvas;
    int x = picture->area.x;

    tui_text(canvas, x, y, NAME_COLS, TUI_LABEL, name);
    tui_put(canvas, x + NAME_COLS, y, 0x2502, TUI_DIM);
    tui_put(canvas, x + NAME_COLS + 1 + cells, y, 0x2502, TUI_DIM);
}

/* The cells up to a byte. */
static int cells_to(const struct lesson_picture *picture, uint64_t byte, uint64_t total_bytes)
{
    int cols = bar_cols(picture);
    uint64_t cells = (byte * (uint64_t)cols + total_bytes / 2) / total_bytes;

    return cells < (uint64_t)cols ? (int)cells : cols;
}

void bar_draw(const struct lesson_picture *picture, int y, const char *name, const struct bar *bar)
{
    const uint64_t cell_bytes = bar->total_bytes / (uint64_t)bar_cols(picture);
    int x = picture->area.x + bar_col(), end = 0;
    int bitmap = cells_to(picture, bar->bitmap_offset, bar->total_bytes);
    int bitmap_end = cells_to(picture, bar->bitmap_offset + bar->bitmap_bytes, bar->total_bytes);

    bitmap = bitmap > 1 ? bitmap : 1;
    bitmap_end = bitmap_end > bitmap ? bitmap_end : bitmap + 1;
    for (size_t i = 0; i < sizeof bar->piece / sizeof bar->piece[0]; i++) {
        int to = cells_to(picture, bar->piece[i].offset + bar->piece[i].n_bytes, bar->total_bytes);
        end = bar->piece[i].n_bytes > 0 && to > end ? to : end;
    }
    draw_edges(picture, y, name, end);
    for (int i = 0; i < end; i++) {
        struct tui_cell cell =
            i == 0 ? (struct tui_cell){'H', TUI_PART_HEADER}
            : i >= bitmap && i < bitmap_end
                ? (struct tui_cell){'B', TUI_PART_BITMAP}
                : data_cell(picture, bar, (uint64_t)i * cell_bytes + cell_bytes / 2, cell_bytes);
        tui_put(picture->canvas, x + i, y, cell.ch, (enum tui_style)cell.style);
    }
}

void bar_draw_raw(const struct lesson_picture *picture, int y, const char *name, uint64_t n_bytes,
                  uint64_t total_bytes)
{
    int end = cells_to(picture, n_bytes, total_bytes);

    draw_edges(picture, y, name, end);
    tui_fill(picture->canvas, (struct tui_rect){picture->area.x + bar_col(), y, end, 1}, BAR_RAW, TUI_LABEL);
}
