/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A drawing before it is a picture: rectangles and texts in the order in which they cover each other, in
 * pixels from the upper left. Both kinds of picture are made of one, so that they show the same.
 */
#ifndef FRONT_PICTURE_DRAWING_H
#define FRONT_PICTURE_DRAWING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"

/* A letter is so many thousandths of the text's size wide, all of them, in either kind of picture. */
enum { DRAWING_ADVANCE_PER_MILLE = 600 };

enum drawing_kind { DRAWING_RECT, DRAWING_TEXT };

struct drawing_shape {
    enum drawing_kind kind;
    const char *group; /* the name of what it is a part of, a constant: NULL: of nothing */
    int x, y;          /* of a text the left end of the line on which it stands */
    int width, height; /* of a text its size in height, and its width in letters */
    uint32_t rgb;
    bool bold;
    char *text; /* UTF-8 without control characters; owned */
};

struct drawing {
    int width, height;
    const char *group; /* of what is drawn next */
    char *title;       /* owned */
    size_t n, room;
    struct drawing_shape *shape;
    bool out_of_memory; /* something is missing: drawing_svg and drawing_png say so */
};

enum drawing_align { DRAWING_LEFT, DRAWING_RIGHT };

/* A rectangle, filled, over what is there; pixels. It belongs to drawing->group, as texts do. */
void drawing_rect(struct drawing *drawing, int x, int y, int width, int height, uint32_t rgb);

/* A line of text; at x it begins, or ends. Copied. Returns its width in pixels, rounded up. */
int drawing_text(struct drawing *drawing, enum drawing_align align, int x, int y, int size, bool bold,
                 uint32_t rgb, const char *text);

/* How wide such a text is in pixels, rounded up. */
int drawing_text_width(int size, const char *text);

/* What the whole is called; copied. */
void drawing_set_title(struct drawing *drawing, const char *title);

/* Frees what is in it. */
void drawing_free(struct drawing *drawing);

/* A picture, as the bytes of a file. data is the caller's (free). */
struct drawing_bytes {
    void *data;
    size_t n;
};

/* Errors: COW_NO_MEMORY; of PNG COW_UNSUPPORTED, too, where the program was built without libpng. */
int drawing_svg(const struct drawing *drawing, struct drawing_bytes *out, struct cow_error *err);
int drawing_png(const struct drawing *drawing, struct drawing_bytes *out, struct cow_error *err);

/* Whether drawing_png can be asked at all: 0, or COW_UNSUPPORTED with words. */
int drawing_need_png(struct cow_error *err);

#endif
