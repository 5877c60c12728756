/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The curve is drawn by halving: a rectangle that is long is cut in two across, another one in three parts
 * that begin and end where their neighbours do. What a part is: the corner where it begins, the side along
 * which it goes, and the side across; both as steps that may be negative. A half is made even where that can
 * be, so that the curve leaves it beside the next one.
 */
#include "front/picture/curve.h"

#include <stdlib.h>
#include <string.h>

#include "cow/error.h"

struct step {
    int x, y;
};

struct part {
    struct step from, along, across;
};

struct pen {
    struct front_curve *curve;
    uint32_t next;
};

static struct step add(struct step a, struct step b)
{
    return (struct step){a.x + b.x, a.y + b.y};
}

static struct step less(struct step a, struct step b)
{
    return (struct step){a.x - b.x, a.y - b.y};
}

/* One of the two is 0. */
static int length_of(struct step a)
{
    return abs(a.x + a.y);
}

static int sign_of(int n)
{
    return (n > 0) - (n < 0);
}

static struct step unit_of(struct step a)
{
    return (struct step){sign_of(a.x), sign_of(a.y)};
}

static int half_of(int n)
{
    return n >= 0 ? n / 2 : -((1 - n) / 2);
}

/* Half of a side; one more where that makes it even. */
static struct step even_half(struct step side)
{
    struct step half = {half_of(side.x), half_of(side.y)};

    return length_of(half) % 2 == 1 && length_of(side) > 2 ? add(half, unit_of(side)) : half;
}

static void put_line(struct pen *pen, struct step at, struct step side)
{
    for (int i = length_of(side); i > 0; i--, at = add(at, unit_of(side))) {
        pen->curve->spot[pen->next] = (struct front_spot){(int16_t)at.x, (int16_t)at.y};
        pen->curve->index[at.y * pen->curve->cols + at.x] = pen->next++;
    }
}

static void put_part(struct pen *pen,
                     struct part part) /* NOLINT(misc-no-recursion): each call halves a side */
{
    const struct step along = part.along, across = part.across;

    if (length_of(across) == 1 || length_of(along) == 1) {
        put_line(pen, part.from, length_of(across) == 1 ? along : across);
        return;
    }
    if (2 * length_of(along) > 3 * length_of(across)) {
        const struct step half = even_half(along);
        put_part(pen, (struct part){part.from, half, across});
        put_part(pen, (struct part){add(part.from, half), less(along, half), across});
        return;
    }
    const struct step half = {half_of(along.x), half_of(along.y)}, up = even_half(across);
    const struct step last = add(add(part.from, less(along, unit_of(along))), less(up, unit_of(across)));
    put_part(pen, (struct part){part.from, up, half});
    put_part(pen, (struct part){add(part.from, up), along, less(across, up)});
    put_part(pen, (struct part){last, {-up.x, -up.y}, less(half, along)});
}

void front_curve_free(struct front_curve *curve)
{
    free(curve->spot);
    free(curve->index);
    memset(curve, 0, sizeof *curve);
}

int front_curve_draw(struct front_curve *curve, int cols, int rows)
{
    const size_t cells = (size_t)cols * (size_t)rows;
    struct pen pen = {.curve = curve};

    if (curve->cols == cols && curve->rows == rows) {
        return 0;
    }
    front_curve_free(curve);
    curve->spot = calloc(cells, sizeof *curve->spot);
    curve->index = calloc(cells, sizeof *curve->index);
    if (curve->spot == NULL || curve->index == NULL) {
        front_curve_free(curve);
        return COW_NO_MEMORY;
    }
    curve->cols = cols;
    curve->rows = rows;
    const struct step right = {cols, 0}, down = {0, rows};
    put_part(&pen, (struct part){{0, 0}, cols >= rows ? right : down, cols >= rows ? down : right});
    return 0;
}
