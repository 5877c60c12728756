/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the cells of the map are to the guest: which owner has most of what is in the COW there, and which of
 * them hold something of the file that is lit. Kept for one screen, as the densities are.
 */
#ifndef COW_TUI_VIEWS_MAP_OWNERS_H
#define COW_TUI_VIEWS_MAP_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/cells/legend.h"

struct tui_app;

struct tui_owners {
    size_t cells, capacity;
    uint8_t *cell;
    struct { /* that the cells are of */
        unsigned epoch, lit;
        uint64_t first_sector, cell_sectors;
        bool colours;
    } filled;
};

/* Fills the cells for that place and zoom, if they are not that already. On failure there are none. */
int tui_owners_show(struct tui_app *app, struct tui_owners *owners, uint64_t first_sector,
                    uint64_t cell_sectors, size_t cells, struct cow_error *err);

/* The cell's mark; false where it has none, and looks as it would without. */
bool tui_owners_mark(const struct tui_owners *owners, size_t cell, struct tui_mark *out);

/* Frees the cells and leaves it all zero: there are none. */
void tui_owners_free(struct tui_owners *owners);

#endif
