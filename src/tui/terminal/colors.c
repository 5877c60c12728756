/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A theme in what the terminal has: as curses' pairs, and in the terminal's own words for paint.c.
 */
#include "tui/terminal/colors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>

static attr_t to_curses(unsigned attribute)
{
    attr_t result = A_NORMAL;

    result |= (attribute & TUI_BOLD) != 0 ? A_BOLD : 0;
    result |= (attribute & TUI_FAINT) != 0 ? A_DIM : 0;
    result |= (attribute & TUI_REVERSE) != 0 ? A_REVERSE : 0;
    result |= (attribute & TUI_UNDERLINE) != 0 ? A_UNDERLINE : 0;
    return result;
}

static bool color_wanted(int color)
{
    const char *no_color = getenv("NO_COLOR");

    if (color == 1) {
        return false;
    }
    return color == 2 || no_color == NULL || no_color[0] == '\0';
}

/* One colour pair a style. 8 colours: a bright one is its plain sister, in bold where it is the text's. */
void tui_colors_choose(struct tui_colors *out, const struct tui_theme *theme, int color)
{
    bool colors = color_wanted(color) && has_colors() && start_color() == OK && COLOR_PAIRS > TUI_STYLES;

    if (colors) {
        use_default_colors();
    }
    for (short i = 0; i < TUI_STYLES; i++) {
        const struct tui_look *look = &theme->look[i];
        bool rich = COLORS >= 256;
        short fg = rich ? look->fg256 : look->fg16, bg = rich ? look->bg256 : look->bg16;
        out->fg[i] = out->bg[i] = -1;
        out->pair[i] = 0;
        if (!colors) {
            out->attribute[i] = to_curses(look->attr_mono);
            continue;
        }
        out->attribute[i] = to_curses(rich ? look->attr256 : look->attr16);
        if (COLORS < 16 && fg >= 8) {
            fg = (short)(fg - 8);
            out->attribute[i] |= A_BOLD;
        }
        out->fg[i] = fg;
        out->bg[i] = bg = COLORS < 16 && bg >= 8 ? (short)(bg - 8) : bg;
        if (init_pair((short)(i + 1), fg, bg) == OK) {
            out->pair[i] = (short)(i + 1);
        }
    }
}

/* The parameters of a sequence that sets colours or attributes. Returns whether it is one. */
static bool take_parameters(char out[TUI_PAINT_PART], const char *sequence)
{
    size_t used = strlen(out), n = sequence != NULL ? strlen(sequence) : 0;

    if (n < 3 || strncmp(sequence, "\033[", 2) != 0 || sequence[n - 1] != 'm' ||
        strspn(sequence + 2, "0123456789;") != n - 3 || used + 1 + n >= TUI_PAINT_PART) {
        return false;
    }
    snprintf(out + used, TUI_PAINT_PART - used, "%s%.*s", used > 0 ? ";" : "", (int)(n - 3), sequence + 2);
    return true;
}

/* A style in the terminal's own words. What it cannot show together with colours is left out, as curses does.
 */
static bool take_look(struct tui_paint_look *look, attr_t attribute, int fg, int bg)
{
    const struct {
        attr_t attribute;
        int no_color; /* its bit in no_color_video */
        const char *sequence;
    } attributes[] = {{A_BOLD, 32, enter_bold_mode},
                      {A_DIM, 16, enter_dim_mode},
                      {A_UNDERLINE, 2, enter_underline_mode},
                      {A_REVERSE, 4, enter_reverse_mode}};
    int lost = (fg >= 0 || bg >= 0) && no_color_video > 0 ? no_color_video : 0;
    bool fits = true;

    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if ((attribute & attributes[i].attribute) != 0 && attributes[i].sequence != NULL &&
            (lost & attributes[i].no_color) == 0) {
            fits &= take_parameters(look->attributes, attributes[i].sequence);
        }
    }
    if (fg >= 0) {
        fits &= take_parameters(look->fg, tiparm(set_a_foreground, fg));
    }
    if (bg >= 0) {
        fits &= take_parameters(look->bg, tiparm(set_a_background, bg));
    }
    return fits;
}

bool tui_colors_spell(const struct tui_colors *colors, struct tui_paint_look look[TUI_STYLES])
{
    bool fits = true;

    memset(look, 0, TUI_STYLES * sizeof *look);
    for (int i = 0; i < TUI_STYLES && fits; i++) {
        fits = take_look(&look[i], colors->attribute[i], colors->fg[i], colors->bg[i]);
    }
    return fits;
}
