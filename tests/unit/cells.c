/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The map's cells: the scale of heat, and the curve.
 */
#include <stdlib.h>
#include <string.h>

#include "front/picture/curve.h"
#include "front/picture/heat.h"
#include "support.h"

enum { CELLS = 1000, CELL_SECTORS = 1000000, SIDE = 33, ALIKE = 1000 };

static struct cow_density cell_of(uint64_t dirty)
{
    return (struct cow_density){.sectors = CELL_SECTORS, .dirty_sectors = dirty};
}

/* A disk of which each cell holds 0.3%, but for some that hold ten times as much. */
static void fill_large(struct cow_density cell[CELLS])
{
    for (int i = 0; i < CELLS; i++) {
        cell[i] = cell_of(i % 5 == 4 ? 30000 : 2000 + (uint64_t)i % 1000);
    }
}

START_TEST(hot_spots_of_a_large_disk_are_seen)
{
    static struct cow_density cell[CELLS];
    struct front_heat heat;
    fill_large(cell);
    front_heat_measure(&heat, FRONT_HEAT_AUTO, cell, CELLS);
    must(heat.is_log, "a scale by quarters, where the fullest is at 3%%");
    for (int i = 0; i < CELLS; i++) {
        const enum front_density wanted = i % 5 == 4 ? FRONT_DENSITY_FULL : FRONT_DENSITY_LOW;
        must(front_heat_of(&heat, &cell[i]) == wanted, "cell %d: %d, not %d", i,
             front_heat_of(&heat, &cell[i]), wanted);
        must(front_density_of(&cell[i]) == FRONT_DENSITY_LOW, "cell %d by quarters", i);
    }
}
END_TEST

/* Each shade begins at its bound, whatever the factor between them is; and empty cells have none. */
START_TEST(shades_part_at_their_bounds)
{
    static const uint64_t most[] = {1, 2, 10, 1000, 100000, CELL_SECTORS};
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        for (uint64_t usual = 1; usual <= most[i]; usual *= 7) {
            const struct cow_density cell[] = {cell_of(usual), cell_of(0), cell_of(most[i]), cell_of(usual)};
            struct front_heat heat;
            front_heat_measure(&heat, FRONT_HEAT_LOG, cell, 4);
            must(heat.is_log, "asked for");
            must(heat.bound[0] < heat.bound[1] && heat.bound[1] < heat.bound[2] && heat.bound[2] < heat.most,
                 "bounds of %lu", (unsigned long)most[i]);
            ck_assert_int_eq(front_heat_of(&heat, &cell[2]), FRONT_DENSITY_FULL);
            ck_assert_int_eq(front_heat_of(&heat, &cell[1]), FRONT_DENSITY_BACKING);
            enum front_density last = FRONT_DENSITY_LOW;
            for (uint64_t dirty = 1; dirty <= most[i]; dirty = dirty * 5 / 4 + 1) {
                const struct cow_density one = cell_of(dirty);
                const enum front_density shade = front_heat_of(&heat, &one);
                must(shade >= last, "%lu of %lu is paler than less", (unsigned long)dirty,
                     (unsigned long)most[i]);
                last = shade;
            }
            if (usual * 16 < most[i]) {
                ck_assert_int_eq(front_heat_of(&heat, &cell[0]), FRONT_DENSITY_LOW);
            }
        }
    }
}
END_TEST

/* How many of a thousand cells, all of which hold about as much, have another shade than the lowest. */
static int other_shades(const struct cow_density *cell)
{
    struct front_heat heat;
    int others = 0;

    front_heat_measure(&heat, FRONT_HEAT_LOG, cell, ALIKE);
    for (int i = 0; i < ALIKE; i++) {
        others += front_heat_of(&heat, &cell[i]) > FRONT_DENSITY_LOW;
    }
    return others;
}

/* Pages that lie anywhere are a matter of chance; but where most cells are empty, those that are not are
 * seen. */
START_TEST(chance_has_no_shades)
{
    for (uint64_t pages = 2; pages <= 64; pages *= 2) {
        struct cow_density cell[ALIKE];
        struct rng rng = {pages};
        for (int i = 0; i < ALIKE; i++) {
            cell[i] = cell_of(0);
        }
        for (uint64_t i = 0; i < pages * ALIKE; i++) {
            cell[rng_below(&rng, ALIKE)].dirty_sectors += 8;
        }
        must(other_shades(cell) < ALIKE / 10, "%lu pages a cell: %d others", (unsigned long)pages,
             other_shades(cell));
        for (int i = ALIKE / 3; i < ALIKE; i++) {
            cell[i].dirty_sectors = 0;
        }
        must(other_shades(cell) > ALIKE / 10, "%lu pages a cell: few others", (unsigned long)pages);
    }
}
END_TEST

START_TEST(the_scale_is_chosen)
{
    const struct cow_density low[] = {cell_of(CELL_SECTORS / 2 - 1), cell_of(1)},
                             high[] = {cell_of(CELL_SECTORS / 2), cell_of(1)}, none[] = {cell_of(0)};
    struct front_heat heat;
    front_heat_measure(&heat, FRONT_HEAT_AUTO, low, 2);
    must(heat.is_log, "low");
    front_heat_measure(&heat, FRONT_HEAT_LINEAR, low, 2);
    must(!heat.is_log, "low, by quarters");
    ck_assert_int_eq(front_heat_of(&heat, &low[1]), FRONT_DENSITY_LOW);
    ck_assert_int_eq(front_heat_of(&heat, &low[0]), FRONT_DENSITY_HALF);
    front_heat_measure(&heat, FRONT_HEAT_AUTO, high, 2);
    must(!heat.is_log, "high");
    front_heat_measure(&heat, FRONT_HEAT_LOG, high, 2);
    must(heat.is_log, "high, logarithmic");
    front_heat_measure(&heat, FRONT_HEAT_LOG, none, 1);
    must(!heat.is_log, "nothing to see has no scale");
    front_heat_measure(&heat, FRONT_HEAT_AUTO, NULL, 0);
    must(!heat.is_log, "no cells");
}
END_TEST

START_TEST(the_legend_tells_the_bounds)
{
    char text[FRONT_HEAT_TEXT_BYTES];
    struct front_heat heat = {.is_log = true, .most = 0.032, .bound = {0.000032, 0.00032, 0.0032}};
    ck_assert_str_eq(front_heat_text(text, &heat, false), "up to 0.0032, 0.032, 0.32, 3.2% in the COW, log");
    heat = (struct front_heat){.is_log = true, .most = 1, .bound = {0.125, 0.25, 0.5}};
    ck_assert_str_eq(front_heat_text(text, &heat, false), "up to 12, 25, 50, 100% in the COW, log");
    heat = (struct front_heat){.is_log = true, .most = 1e-7, .bound = {1.3e-8, 2.5e-8, 5e-8}};
    ck_assert_str_eq(front_heat_text(text, &heat, false),
                     "up to 0.0000013, 0.0000025, 0.000005, 0.00001% in the COW, log");
    ck_assert_str_eq(front_heat_text(text, &heat, true), "0.0000013, 0.0000025, 0.000005, 0.00001%, log");
    heat.is_log = false;
    ck_assert_str_eq(front_heat_text(text, &heat, true), "1-24-49-99-100%");
    ck_assert_str_eq(front_heat_text(text, &heat, false), "1-24-49-99-100% in the COW");
}
END_TEST

/* Each place once; each step to a neighbour, and no more than one of them diagonal. */
START_TEST(the_curve_goes_through_every_rectangle)
{
    struct front_curve curve = {0};
    for (int cols = 1; cols <= SIDE; cols++) {
        for (int rows = 1; rows <= SIDE; rows++) {
            bool seen[SIDE * SIDE] = {false};
            int diagonals = 0;
            must(front_curve_draw(&curve, cols, rows) == 0, "memory");
            must(curve.spot[0].x == 0 && curve.spot[0].y == 0, "%dx%d begins elsewhere", cols, rows);
            for (int i = 0; i < cols * rows; i++) {
                const struct front_spot at = curve.spot[i];
                must(at.x >= 0 && at.x < cols && at.y >= 0 && at.y < rows, "%dx%d, %d: outside", cols, rows,
                     i);
                must(!seen[at.y * cols + at.x], "%dx%d, %d: twice", cols, rows, i);
                must(curve.index[at.y * cols + at.x] == (uint32_t)i, "%dx%d, %d: its index", cols, rows, i);
                seen[at.y * cols + at.x] = true;
                if (i == 0) {
                    continue;
                }
                const int dx = abs(at.x - curve.spot[i - 1].x), dy = abs(at.y - curve.spot[i - 1].y);
                must(dx <= 1 && dy <= 1, "%dx%d, %d: a jump", cols, rows, i);
                diagonals += dx + dy == 2;
            }
            must(diagonals <= 1, "%dx%d: %d diagonals", cols, rows, diagonals);
        }
    }
    front_curve_free(&curve);
}
END_TEST

/* What is near on the disk is near on the screen: a stretch of a sixteenth of a square fits a small one. */
START_TEST(the_curve_keeps_stretches_together)
{
    struct front_curve curve = {0};
    must(front_curve_draw(&curve, 32, 32) == 0, "memory");
    for (int first = 0; first < 1024; first += 64) {
        int left = 32, right = 0, top = 32, bottom = 0;
        for (int i = first; i < first + 64; i++) {
            left = curve.spot[i].x < left ? curve.spot[i].x : left;
            right = curve.spot[i].x > right ? curve.spot[i].x : right;
            top = curve.spot[i].y < top ? curve.spot[i].y : top;
            bottom = curve.spot[i].y > bottom ? curve.spot[i].y : bottom;
        }
        must(right - left < 16 && bottom - top < 16, "%d: %d by %d", first, right - left + 1,
             bottom - top + 1);
    }
    front_curve_free(&curve);
}
END_TEST

Suite *cells_suite(void)
{
    Suite *suite = suite_create("cells");
    TCase *tc = tcase_create("cells");
    tcase_add_test(tc, hot_spots_of_a_large_disk_are_seen);
    tcase_add_test(tc, shades_part_at_their_bounds);
    tcase_add_test(tc, the_scale_is_chosen);
    tcase_add_test(tc, chance_has_no_shades);
    tcase_add_test(tc, the_legend_tells_the_bounds);
    tcase_add_test(tc, the_curve_goes_through_every_rectangle);
    tcase_add_test(tc, the_curve_keeps_stretches_together);
    suite_add_tcase(suite, tc);
    return suite;
}
