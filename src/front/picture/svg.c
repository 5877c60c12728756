/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A drawing as SVG. A text is stretched to its width, so that whatever font a viewer has, it fits. Of a name
 * that somebody gave a file nothing but text may come of it: what XML has a meaning for is escaped, and what
 * it has no place for is U+FFFD.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/picture/drawing.h"

/* U+FFFE and U+FFFF, which text may hold and XML may not. */
static bool is_no_character(const unsigned char *at)
{
    return at[0] == 0xEF && at[1] == 0xBF && (at[2] == 0xBE || at[2] == 0xBF);
}

static void put_escaped(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '&') {
            fputs("&amp;", out);
        } else if (*at == '<') {
            fputs("&lt;", out);
        } else if (*at == '>') {
            fputs("&gt;", out);
        } else if (is_no_character(at)) {
            fputs("\xEF\xBF\xBD", out);
            at += 2;
        } else {
            fputc(*at, out);
        }
    }
}

/* Tenths of a pixel: no locale has a word in it. */
static void put_text(FILE *out, const struct drawing_shape *shape)
{
    const int width = shape->width * shape->height * DRAWING_ADVANCE_PER_MILLE / 100;

    fprintf(out, "<text x=\"%d\" y=\"%d\" textLength=\"%d.%d\" font-size=\"%d\" fill=\"#%06x\"%s>", shape->x,
            shape->y, width / 10, width % 10, shape->height, (unsigned)shape->rgb,
            shape->bold ? " font-weight=\"bold\"" : "");
    put_escaped(out, shape->text);
    fputs("</text>\n", out);
}

static void put_shape(FILE *out, const struct drawing_shape *shape)
{
    if (shape->kind == DRAWING_TEXT) {
        put_text(out, shape);
        return;
    }
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n", shape->x, shape->y,
            shape->width, shape->height, (unsigned)shape->rgb);
}

static void put_svg(FILE *out, const struct drawing *drawing)
{
    const char *group = NULL;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" ",
            drawing->width, drawing->height, drawing->width, drawing->height);
    fputs("font-family=\"'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace\" ", out);
    fputs("shape-rendering=\"crispEdges\" xml:space=\"preserve\" style=\"white-space:pre\">\n<title>", out);
    put_escaped(out, drawing->title != NULL ? drawing->title : "");
    fputs("</title>\n", out);
    for (size_t i = 0; i < drawing->n; i++) {
        const struct drawing_shape *shape = &drawing->shape[i];
        if (shape->group != group) {
            fputs(group != NULL ? "</g>\n" : "", out);
            if (shape->group != NULL) {
                fprintf(out, "<g id=\"%s\">\n", shape->group);
            }
            group = shape->group;
        }
        put_shape(out, shape);
    }
    fprintf(out, "%s</svg>\n", group != NULL ? "</g>\n" : "");
}

int drawing_svg(const struct drawing *drawing, struct drawing_bytes *out, struct cow_error *err)
{
    char *text = NULL;
    size_t n = 0;
    FILE *file = drawing->out_of_memory ? NULL : open_memstream(&text, &n);

    if (file == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    put_svg(file, drawing);
    const bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(text);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *out = (struct drawing_bytes){.data = text, .n = n};
    return 0;
}
