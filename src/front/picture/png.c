/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A drawing as PNG: the shapes as pixels, which libpng packs. Letters are drawn with a round pen; how much of
 * a pixel it covers is told by the pixel's 16 parts.
 */
#include "front/picture/drawing.h"

#ifdef HAVE_LIBPNG

#include <png.h>
#include <stdlib.h>

#include "front/picture/letters.h"

enum {
    RGB_BYTES = 3,
    PARTS = 4,
    PER_MILLE = 1000,
    PEN_PER_MILLE = 50,
    BOLD_PEN_PER_MILLE = 72,
    STEP_PER_MILLE = 120
};

struct pixels {
    int width, height;
    unsigned char *rgb;
};

/* In thousandths of a pixel. */
struct point {
    int64_t x, y;
};

int drawing_need_png(struct cow_error *err)
{
    (void)err;
    return 0;
}

/* Lays a colour over a pixel, so many 16ths of it. */
static void mix(struct pixels *pixels, int x, int y, uint32_t rgb, int share)
{
    if (x < 0 || y < 0 || x >= pixels->width || y >= pixels->height) {
        return;
    }
    unsigned char *at = pixels->rgb + ((size_t)y * (size_t)pixels->width + (size_t)x) * RGB_BYTES;
    for (int i = 0; i < RGB_BYTES; i++) {
        const int to = (int)(rgb >> (16 - 8 * i) & 0xFF);
        at[i] = (unsigned char)((at[i] * (PARTS * PARTS - share) + to * share) / (PARTS * PARTS));
    }
}

static void fill_rect(struct pixels *pixels, const struct drawing_shape *shape)
{
    for (int y = shape->y; y < shape->y + shape->height; y++) {
        for (int x = shape->x; x < shape->x + shape->width; x++) {
            mix(pixels, x, y, shape->rgb, PARTS * PARTS);
        }
    }
}

/* Whether a point is within the pen's reach of a line between two. */
static bool is_near(struct point at, struct point from, struct point to, int64_t reach)
{
    const int64_t dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy;
    const int64_t px = at.x - from.x, py = at.y - from.y;
    int64_t along = px * dx + py * dy;

    along = along < 0 ? 0 : along > length ? length : along;
    const int64_t x = length > 0 ? px - dx * along / length : px,
                  y = length > 0 ? py - dy * along / length : py;
    return x * x + y * y <= reach * reach;
}

static bool on_strokes(const char *strokes, struct point at, struct point left_top, int size, int64_t reach)
{
    struct point last = {0, 0};
    bool down = false;

    for (; *strokes != '\0'; strokes++) {
        if (*strokes == ' ') {
            down = false;
            continue;
        }
        const struct point next = {left_top.x + (int64_t)(strokes[0] - '0') * size * STEP_PER_MILLE,
                                   left_top.y + (int64_t)(strokes[1] - '0') * size * STEP_PER_MILLE};
        if (is_near(at, down ? last : next, next, reach)) {
            return true;
        }
        last = next;
        down = true;
        strokes++;
    }
    return false;
}

/* The left end of its line is at a point. */
static void draw_letter(struct pixels *pixels, const struct drawing_shape *shape, const char *strokes,
                        struct point base)
{
    const int64_t step = (int64_t)shape->height * STEP_PER_MILLE;
    const int64_t reach = (int64_t)shape->height * (shape->bold ? BOLD_PEN_PER_MILLE : PEN_PER_MILLE);
    const struct point left_top = {base.x + step / 2, base.y - LETTER_BASE * step};
    const int right = (int)((base.x + LETTER_STEPS * step) / PER_MILLE) + 1;
    const int bottom = (int)((left_top.y + (LETTER_LOW + 1) * step) / PER_MILLE);

    for (int y = (int)((left_top.y - step) / PER_MILLE); y <= bottom; y++) {
        for (int x = (int)(base.x / PER_MILLE) - 1; x <= right; x++) {
            int share = 0;
            for (int part = 0; part < PARTS * PARTS; part++) {
                const struct point at = {
                    (int64_t)x * PER_MILLE + (2 * (part % PARTS) + 1) * PER_MILLE / (2 * PARTS),
                    (int64_t)y * PER_MILLE + (2 * (part / PARTS) + 1) * PER_MILLE / (2 * PARTS)};
                share += on_strokes(strokes, at, left_top, shape->height, reach);
            }
            mix(pixels, x, y, shape->rgb, share);
        }
    }
}

static void draw_text(struct pixels *pixels, const struct drawing_shape *shape)
{
    struct point base = {(int64_t)shape->x * PER_MILLE, (int64_t)shape->y * PER_MILLE};

    for (const char *text = shape->text; *text != '\0';) {
        draw_letter(pixels, shape, letter_next(&text), base);
        base.x += (int64_t)shape->height * DRAWING_ADVANCE_PER_MILLE;
    }
}

static int pack(const struct pixels *pixels, struct drawing_bytes *out, struct cow_error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)pixels->width,
                       .height = (png_uint_32)pixels->height,
                       .format = PNG_FORMAT_RGB};
    png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *data = malloc(n), *cut;

    if (data == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (png_image_write_to_memory(&image, data, &n, 0, pixels->rgb, 0, NULL) == 0) {
        free(data);
        return cow_error_set(err, COW_IO, "libpng: %s", image.message);
    }
    cut = realloc(data, n);
    *out = (struct drawing_bytes){.data = cut != NULL ? cut : data, .n = n};
    return 0;
}

int drawing_png(const struct drawing *drawing, struct drawing_bytes *out, struct cow_error *err)
{
    struct pixels pixels = {.width = drawing->width, .height = drawing->height};

    if (!drawing->out_of_memory) {
        pixels.rgb = calloc((size_t)pixels.width * (size_t)pixels.height, RGB_BYTES);
    }
    if (pixels.rgb == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < drawing->n; i++) {
        const struct drawing_shape *shape = &drawing->shape[i];
        if (shape->kind == DRAWING_RECT) {
            fill_rect(&pixels, shape);
        } else {
            draw_text(&pixels, shape);
        }
    }
    const int status = pack(&pixels, out, err);
    free(pixels.rgb);
    return status;
}

#else

int drawing_need_png(struct cow_error *err)
{
    cow_error_set(err, COW_UNSUPPORTED, "this cowtui was built without libpng, which makes PNG pictures");
    return cow_error_hint(
        err, "SVG goes without it; or install the Debian package libpng-dev, then build it anew");
}

int drawing_png(const struct drawing *drawing, struct drawing_bytes *out, struct cow_error *err)
{
    (void)drawing;
    (void)out;
    return drawing_need_png(err);
}

#endif
