/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is known of the selected place, beside Map and Blocks where the screen is wide.
 */
#ifndef COW_TUI_CELLS_PANE_H
#define COW_TUI_CELLS_PANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/screen/canvas.h"

struct tui_app;

/* The columns of the pane on a screen so wide; 0: there is none. */
int pane_cols(const struct tui_canvas *canvas);

/* What the pane leaves of an area, at whose right end it is drawn. */
struct tui_rect pane_cut(const struct tui_canvas *canvas, struct tui_rect area);

/* Draws it, if there is one: about a stretch of sectors (a cell of the map, a run), and about the sector that
 * is selected in it. found: what a scan has found in the stretch, or "". The Map leaves
 * out the line that tells the same below. While keys come, on a terminal, it stays for a moment what it was:
 * then false, and the loop draws again when none does (app->pane.waits). */
bool pane_draw(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area, uint64_t first_sector,
               uint64_t sectors, const char *found);

/* A line that tells of the selected place, too, behind pane_draw(), with what was drawn in it where that has
 * answered true: it stays what it was together with the pane. */
void pane_line(struct tui_app *app, struct tui_canvas *canvas, int y);

/* The last part of the name of a layer's file, escaped: below a backing file that is a COW itself there are
 * more. Returns a text of the application's, or out. */
const char *pane_file_name(const struct tui_app *app, unsigned layer, char *out, size_t out_bytes);

#endif
