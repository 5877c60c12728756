/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A COW file as a bar, to scale: H its header, B its bitmap, and of its data how much of each stretch was
 * written. Header and bitmap have a cell each, however small they are.
 */
#ifndef COW_TUI_LESSON_BARS_H
#define COW_TUI_LESSON_BARS_H

#include "tui/lesson/picture.h"

/* What the backing file has; the map's sign for it is in a COW file's bar what is not there. */
enum { BAR_RAW = 0x2550 };

/* A stretch of the disk in the file. */
struct bar_piece {
    uint64_t offset;     /* in the file */
    uint64_t first_byte; /* of the disk */
    uint64_t n_bytes;
};

struct bar {
    uint64_t total_bytes; /* that all of its cells stand for */
    uint64_t bitmap_offset;
    uint64_t bitmap_bytes;
    struct bar_piece piece[2];
};

/* The bar of a whole image of that layout and size of the disk. */
struct bar bar_of(const struct cow_layout *layout, uint64_t disk_bytes, uint64_t total_bytes);

/* Draws it in a line of the picture, with its name before it. */
void bar_draw(const struct lesson_picture *picture, int y, const char *name, const struct bar *bar);

/* The same of a file that is data and nothing else. */
void bar_draw_raw(const struct lesson_picture *picture, int y, const char *name, uint64_t n_bytes,
                  uint64_t total_bytes);

/* The column where the cells of bars begin, and how many there are. */
int bar_col(void);
int bar_cols(const struct lesson_picture *picture);

/* How full a stretch of the disk is in the COW, as the map shows it. */
struct tui_cell bar_cell(const struct lesson_picture *picture, uint64_t first_byte, uint64_t n_bytes);

#endif
