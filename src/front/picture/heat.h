/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How full a cell counts as: by quarters of it, or on a logarithmic scale below the fullest one that is
 * shown.
 */
#ifndef FRONT_PICTURE_HEAT_H
#define FRONT_PICTURE_HEAT_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/disk.h"

/* A cell of the map. */
enum front_density {
    FRONT_DENSITY_OUTSIDE, /* behind the end of the disk */
    FRONT_DENSITY_BACKING,
    FRONT_DENSITY_BEYOND,
    FRONT_DENSITY_LOW,
    FRONT_DENSITY_HALF,
    FRONT_DENSITY_HIGH,
    FRONT_DENSITY_FULL,
    FRONT_DENSITIES
};

enum front_heat_choice { FRONT_HEAT_AUTO, FRONT_HEAT_LINEAR, FRONT_HEAT_LOG };

enum { FRONT_HEAT_BOUNDS = 3 };

struct front_heat {
    bool is_log;
    double most;                     /* the share of the fullest cell, 0 to 1 */
    double bound[FRONT_HEAT_BOUNDS]; /* logarithmic: from such a share on a cell counts as half, high, full */
};

/* The scale for these cells. By itself it is logarithmic where the fullest is in the COW to less than a half:
 * by quarters nearly all of them would look alike. */
void front_heat_measure(struct front_heat *out, enum front_heat_choice choice, const struct cow_density *cell,
                        size_t cells);

/* The shade of a cell on that scale; where nothing is in the COW, and outside, as front_density_of. */
enum front_density front_heat_of(const struct front_heat *heat, const struct cow_density *density);

/* By quarters, as on a linear scale. */
enum front_density front_density_of(const struct cow_density *density);

/* Which shares have that shade, LOW to FULL: "25-49%", "up to 0.1%". Returns out. */
enum { FRONT_HEAT_SHADE_BYTES = 48 };
const char *front_heat_shade_text(char out[FRONT_HEAT_SHADE_BYTES], const struct front_heat *heat,
                                  enum front_density shade);

/* What a cell shows that a scan has looked into, by the sectors of its origins: ORPHAN if it has any, for
 * that is what a crash lost; else REDUNDANT or ZERO, if most of its dirty sectors are; else CHANGED: then its
 * density tells. */
enum cow_origin front_scanned_origin(const uint64_t sectors[COW_ORIGINS]);

/* Up to where each shade goes, for the legend: "up to 0.032, 0.1, 0.32, 1% in the COW, log", or in brief
 * "0.032, 0.1, 0.32, 1%, log". Returns out. */
enum { FRONT_HEAT_TEXT_BYTES = 128 };
const char *front_heat_text(char out[FRONT_HEAT_TEXT_BYTES], const struct front_heat *heat, bool brief);

#endif
