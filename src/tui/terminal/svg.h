/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The screen as a picture, for documents: the same cells in the theme's 256 colours.
 */
#ifndef COW_TUI_TERMINAL_SVG_H
#define COW_TUI_TERMINAL_SVG_H

#include <stdio.h>

#include "tui/screen/canvas.h"

/* Writes an SVG document. Returns 0 or COW_IO. */
int tui_svg_write(const struct tui_canvas *canvas, const struct tui_theme *theme, FILE *out);

#endif
