/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How full a cell counts as: by quarters of it, or on a logarithmic scale below the fullest one that is
 * shown.
 */
#ifndef COW_TUI_CELLS_HEAT_H
#define COW_TUI_CELLS_HEAT_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/disk.h"

/* A cell of the map. */
enum tui_density {
    TUI_DENSITY_OUTSIDE, /* behind the end of the disk */
    TUI_DENSITY_BACKING,
    TUI_DENSITY_BEYOND,
    TUI_DENSITY_LOW,
    TUI_DENSITY_HALF,
    TUI_DENSITY_HIGH,
    TUI_DENSITY_FULL,
    TUI_DENSITIES
};

enum tui_heat_choice { TUI_HEAT_AUTO, TUI_HEAT_LINEAR, TUI_HEAT_LOG };

enum { TUI_HEAT_BOUNDS = 3 };

struct tui_heat {
    bool is_log;
    double most;                   /* the share of the fullest cell, 0 to 1 */
    double bound[TUI_HEAT_BOUNDS]; /* logarithmic: from such a share on a cell counts as half, high, full */
};

/* The scale for these cells. By itself it is logarithmic where the fullest is in the COW to less than a half:
 * by quarters nearly all of them would look alike. */
void tui_heat_measure(struct tui_heat *out, enum tui_heat_choice choice, const struct cow_density *cell,
                      size_t cells);

enum tui_density tui_heat_of(const struct tui_heat *heat, const struct cow_density *density);

/* By quarters, as on a linear scale. */
enum tui_density tui_density_of(const struct cow_density *density);

/* Up to where each shade goes, for the legend: "up to 0.032, 0.1, 0.32, 1% in the COW, log", or in brief
 * "0.032, 0.1, 0.32, 1%, log". Returns out. */
enum { TUI_HEAT_TEXT_BYTES = 128 };
const char *tui_heat_text(char out[TUI_HEAT_TEXT_BYTES], const struct tui_heat *heat, bool brief);

#endif
