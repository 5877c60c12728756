/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Collecting shapes. What there is no memory for is noted, and told when a picture is asked for.
 */
#include "front/picture/drawing.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 256 };

static struct drawing_shape *add_shape(struct drawing *drawing)
{
    if (drawing->n == drawing->room) {
        const size_t room = drawing->room > 0 ? 2 * drawing->room : FIRST_ROOM;
        struct drawing_shape *grown = realloc(drawing->shape, room * sizeof *grown);
        if (grown == NULL) {
            drawing->out_of_memory = true;
            return NULL;
        }
        drawing->shape = grown;
        drawing->room = room;
    }
    return &drawing->shape[drawing->n++];
}

void drawing_rect(struct drawing *drawing, int x, int y, int width, int height, uint32_t rgb)
{
    struct drawing_shape *shape = add_shape(drawing);

    if (shape != NULL) {
        *shape = (struct drawing_shape){.kind = DRAWING_RECT,
                                        .group = drawing->group,
                                        .x = x,
                                        .y = y,
                                        .width = width,
                                        .height = height,
                                        .rgb = rgb};
    }
}

static int letters_of(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

int drawing_text_width(int size, const char *text)
{
    return (letters_of(text) * size * DRAWING_ADVANCE_PER_MILLE + 999) / 1000;
}

int drawing_text(struct drawing *drawing, enum drawing_align align, int x, int y, int size, bool bold,
                 uint32_t rgb, const char *text)
{
    const int width = drawing_text_width(size, text);
    struct drawing_shape *shape = text[0] != '\0' ? add_shape(drawing) : NULL;

    if (shape != NULL) {
        *shape = (struct drawing_shape){.kind = DRAWING_TEXT,
                                        .group = drawing->group,
                                        .x = align == DRAWING_RIGHT ? x - width : x,
                                        .y = y,
                                        .width = letters_of(text),
                                        .height = size,
                                        .rgb = rgb,
                                        .bold = bold,
                                        .text = strdup(text)};
        drawing->out_of_memory |= shape->text == NULL;
    }
    return width;
}

void drawing_set_title(struct drawing *drawing, const char *title)
{
    free(drawing->title);
    drawing->title = strdup(title);
    drawing->out_of_memory |= drawing->title == NULL;
}

void drawing_free(struct drawing *drawing)
{
    for (size_t i = 0; i < drawing->n; i++) {
        free(drawing->shape[i].text);
    }
    free(drawing->shape);
    free(drawing->title);
    *drawing = (struct drawing){.width = 0};
}
