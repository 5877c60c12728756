/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * On a large disk nearly every cell holds a little, and by quarters all of them have the same shade. The
 * logarithmic scale has its top at the fullest cell, and its shades part at shares that are each the same
 * factor smaller. The factor is the largest of a few at which the usual cell (the median of those that hold
 * anything) still has the lowest shade: then what is fuller than usual stands out, and nothing else does.
 * Where half of all cells and more hold something, and nearly the same, shades that part at the median would
 * show chance alone, and a map of chance says nothing and takes a terminal long to be told: there the factors
 * are smaller, and what is little fuller than usual has the lowest shade, too.
 */
#include "front/picture/heat.h"

#include <stdint.h>
#include <stdio.h>

enum { OCTAVES = 64, DECIMALS_MOST = 12 };

static const double factors[] = {100, 50, 30, 20, 10, 5, 3, 2},
                    small_factors[] = {3, 2, 1.5, 1.25, 1.1, 1.05, 1.02};
static const double above_usual = 1.5;
static const double low_share = 0.5;

static double share_of(const struct cow_density *density)
{
    return density->sectors > 0 ? (double)density->dirty_sectors / (double)density->sectors : 0;
}

/* How often a share can be doubled before it is more than all. */
static int octave_of(double share)
{
    int octave = 0;

    while (share <= 0.5 && octave < OCTAVES - 1) {
        share *= 2;
        octave++;
    }
    return octave;
}

/* The median of the cells that hold anything is no more than this: a power of two. */
static double usual_share(const size_t count[OCTAVES], size_t total)
{
    double share = 1;
    size_t above = 0;

    for (int octave = 0; octave < OCTAVES; octave++, share /= 2) {
        above += count[octave];
        if (above * 2 >= total) {
            return share;
        }
    }
    return share;
}

/* The first factor at which a share has the lowest shade, or the last one. */
static double choose_factor(const double *factor, size_t n, double most, double share)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (most / (factor[i] * factor[i] * factor[i]) > share) {
            return factor[i];
        }
    }
    return factor[n - 1];
}

void front_heat_measure(struct front_heat *out, enum front_heat_choice choice, const struct cow_density *cell,
                        size_t cells)
{
    size_t count[OCTAVES] = {0}, total = 0;

    *out = (struct front_heat){.is_log = false};
    for (size_t i = 0; i < cells; i++) {
        double share = share_of(&cell[i]);
        if (share <= 0) {
            continue;
        }
        count[octave_of(share)]++;
        total++;
        if (share > out->most) {
            out->most = share;
        }
    }
    out->is_log =
        total > 0 && (choice == FRONT_HEAT_LOG || (choice == FRONT_HEAT_AUTO && out->most < low_share));
    double bound = out->most, usual = usual_share(count, total),
           factor = choose_factor(factors, sizeof factors / sizeof factors[0], out->most, usual);
    if (total * 2 >= cells && factor <= small_factors[0]) {
        factor = choose_factor(small_factors, sizeof small_factors / sizeof small_factors[0], out->most,
                               usual * above_usual);
    }
    for (int i = FRONT_HEAT_BOUNDS - 1; i >= 0; i--) {
        out->bound[i] = bound /= factor;
    }
}

enum front_density front_density_of(const struct cow_density *density)
{
    uint64_t quarter = density->sectors / 4 + (density->sectors % 4 != 0);

    if (density->sectors == 0) {
        return FRONT_DENSITY_OUTSIDE;
    }
    if (density->dirty_sectors == 0) {
        return density->beyond_backing_sectors > density->sectors / 2 ? FRONT_DENSITY_BEYOND
                                                                      : FRONT_DENSITY_BACKING;
    }
    if (density->dirty_sectors == density->sectors) {
        return FRONT_DENSITY_FULL;
    }
    if (density->dirty_sectors >= density->sectors - density->sectors / 2) {
        return FRONT_DENSITY_HIGH;
    }
    return density->dirty_sectors >= quarter ? FRONT_DENSITY_HALF : FRONT_DENSITY_LOW;
}

enum front_density front_heat_of(const struct front_heat *heat, const struct cow_density *density)
{
    int step = 0;

    if (!heat->is_log || density->dirty_sectors == 0) {
        return front_density_of(density);
    }
    while (step < FRONT_HEAT_BOUNDS && share_of(density) >= heat->bound[step]) {
        step++;
    }
    return (enum front_density)(FRONT_DENSITY_LOW + step);
}

/* A share in percent with two digits that count. Returns how many bytes. */
static int put_percent(char *out, size_t out_bytes, double share)
{
    int decimals = 0;

    for (double percent = share * 100; percent < 9.95 && percent > 0 && decimals < DECIMALS_MOST;
         percent *= 10) {
        decimals++;
    }
    int n = snprintf(out, out_bytes, "%.*f", decimals, share * 100);
    while (decimals > 0 && n > 1 && out[n - 1] == '0' && --decimals >= 0) {
        out[--n] = '\0';
    }
    if (n > 1 && out[n - 1] == '.') {
        out[--n] = '\0';
    }
    return n;
}

const char *front_heat_text(char out[FRONT_HEAT_TEXT_BYTES], const struct front_heat *heat, bool brief)
{
    const char *in_what = brief ? "" : " in the COW";
    int used;

    if (!heat->is_log) {
        snprintf(out, FRONT_HEAT_TEXT_BYTES, "1-24-49-99-100%%%s", in_what);
        return out;
    }
    used = snprintf(out, FRONT_HEAT_TEXT_BYTES, "%s", brief ? "" : "up to ");
    for (int i = 0; i < FRONT_HEAT_BOUNDS; i++) {
        used += put_percent(out + used, FRONT_HEAT_TEXT_BYTES - (size_t)used, heat->bound[i]);
        used += snprintf(out + used, FRONT_HEAT_TEXT_BYTES - (size_t)used, ", ");
    }
    used += put_percent(out + used, FRONT_HEAT_TEXT_BYTES - (size_t)used, heat->most);
    snprintf(out + used, FRONT_HEAT_TEXT_BYTES - (size_t)used, "%%%s, log", in_what);
    return out;
}

const char *front_heat_shade_text(char out[FRONT_HEAT_SHADE_BYTES], const struct front_heat *heat,
                                  enum front_density shade)
{
    static const char *const quarters[] = {"1-24%", "25-49%", "50-99%", "100%"};
    const int step = (int)shade - (int)FRONT_DENSITY_LOW;

    if (!heat->is_log) {
        snprintf(out, FRONT_HEAT_SHADE_BYTES, "%s", quarters[step]);
        return out;
    }
    int used = snprintf(out, FRONT_HEAT_SHADE_BYTES, "up to ");
    used += put_percent(out + used, FRONT_HEAT_SHADE_BYTES - (size_t)used,
                        step < FRONT_HEAT_BOUNDS ? heat->bound[step] : heat->most);
    snprintf(out + used, FRONT_HEAT_SHADE_BYTES - (size_t)used, "%%");
    return out;
}

enum cow_origin front_scanned_origin(const uint64_t sectors[COW_ORIGINS])
{
    const uint64_t redundant = sectors[COW_ORIGIN_REDUNDANT], changed = sectors[COW_ORIGIN_CHANGED];
    const uint64_t zero = sectors[COW_ORIGIN_ZERO] + sectors[COW_ORIGIN_HOLE];

    if (sectors[COW_ORIGIN_ORPHAN] > 0) {
        return COW_ORIGIN_ORPHAN;
    }
    if (redundant > changed + zero) {
        return COW_ORIGIN_REDUNDANT;
    }
    return zero > changed ? COW_ORIGIN_ZERO : COW_ORIGIN_CHANGED;
}
