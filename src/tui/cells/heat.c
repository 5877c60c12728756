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
#include "tui/cells/heat.h"

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
        if (above * 2 >= total)
            return share;
    }
    return share;
}

/* The first factor at which a share has the lowest shade, or the last one. */
static double choose_factor(const double *factor, size_t n, double most, double share)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (most / (factor[i] * factor[i] * factor[i]) > share)
            return factor[i];
    }
    return factor[n - 1];
}

void tui_heat_measure(struct tui_heat *out, enum tui_heat_choice choice, const struct cow_density *cell,
                      size_t cells)
{
    size_t count[OCTAVES] = {0}, total = 0;

    *out = (struct tui_heat){.is_log = false};
    for (size_t i = 0; i < cells; i++) {
        double share = share_of(&cell[i]);
        if (share <= 0)
            continue;
        count[octave_of(share)]++;
        total++;
        if (share > out->most)
            out->most = share;
    }
    out->is_log = total > 0 && (choice == TUI_HEAT_LOG || (choice == TUI_HEAT_AUTO && out->most < low_share));
    double bound = out->most, usual = usual_share(count, total),
           factor = choose_factor(factors, sizeof factors / sizeof factors[0], out->most, usual);
    if (total * 2 >= cells && factor <= small_factors[0])
        factor = choose_factor(small_factors, sizeof small_factors / sizeof small_factors[0], out->most,
                               usual * above_usual);
    for (int i = TUI_HEAT_BOUNDS - 1; i >= 0; i--)
        out->bound[i] = bound /= factor;
}

enum tui_density tui_density_of(const struct cow_density *density)
{
    uint64_t quarter = density->sectors / 4 + (density->sectors % 4 != 0);

    if (density->sectors == 0)
        return TUI_DENSITY_OUTSIDE;
    if (density->dirty_sectors == 0)
        return density->beyond_backing_sectors > density->sectors / 2 ? TUI_DENSITY_BEYOND
                                                                      : TUI_DENSITY_BACKING;
    if (density->dirty_sectors == density->sectors)
        return TUI_DENSITY_FULL;
    if (density->dirty_sectors >= density->sectors - density->sectors / 2)
        return TUI_DENSITY_HIGH;
    return density->dirty_sectors >= quarter ? TUI_DENSITY_HALF : TUI_DENSITY_LOW;
}

enum tui_density tui_heat_of(const struct tui_heat *heat, const struct cow_density *density)
{
    int step = 0;

    if (!heat->is_log || density->dirty_sectors == 0)
        return tui_density_of(density);
    while (step < TUI_HEAT_BOUNDS && share_of(density) >= heat->bound[step])
        step++;
    return (enum tui_density)(TUI_DENSITY_LOW + step);
}

/* A share in percent with two digits that count. Returns how many bytes. */
static int put_percent(char *out, size_t out_bytes, double share)
{
    int decimals = 0;

    for (double percent = share * 100; percent < 9.95 && percent > 0 && decimals < DECIMALS_MOST;
         percent *= 10)
        decimals++;
    int n = snprintf(out, out_bytes, "%.*f", decimals, share * 100);
    while (decimals > 0 && n > 1 && out[n - 1] == '0' && --decimals >= 0)
        out[--n] = '\0';
    if (n > 1 && out[n - 1] == '.')
        out[--n] = '\0';
    return n;
}

const char *tui_heat_text(char out[TUI_HEAT_TEXT_BYTES], const struct tui_heat *heat, bool brief)
{
    const char *in_what = brief ? "" : " in the COW";
    int used;

    if (!heat->is_log) {
        snprintf(out, TUI_HEAT_TEXT_BYTES, "1-24-49-99-100%%%s", in_what);
        return out;
    }
    used = snprintf(out, TUI_HEAT_TEXT_BYTES, "%s", brief ? "" : "up to ");
    for (int i = 0; i < TUI_HEAT_BOUNDS; i++) {
        used += put_percent(out + used, TUI_HEAT_TEXT_BYTES - (size_t)used, heat->bound[i]);
        used += snprintf(out + used, TUI_HEAT_TEXT_BYTES - (size_t)used, ", ");
    }
    used += put_percent(out + used, TUI_HEAT_TEXT_BYTES - (size_t)used, heat->most);
    snprintf(out + used, TUI_HEAT_TEXT_BYTES - (size_t)used, "%%%s, log", in_what);
    return out;
}
