/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the numbers of colours look like: for pictures, and for whoever has to find a colour that is like
 * another. The first sixteen are the terminal's own to choose; these are soft ones.
 */
#include "tui/screen/style.h"

unsigned tui_palette_rgb(int color)
{
    static const unsigned base[16] = {0x1c1c1c, 0xd75f5f, 0x5faf5f, 0xd7af5f, 0x5f87d7, 0xaf87d7,
                                      0x5fafaf, 0xbcbcbc, 0x6c6c6c, 0xff8787, 0x87d787, 0xffd787,
                                      0x87afff, 0xd7afff, 0x87d7d7, 0xffffff};

    if (color < 16) {
        return base[color < 0 ? 0 : color];
    }
    if (color < 232) {
        unsigned n = (unsigned)color - 16;
        unsigned part[3] = {n / 36, n / 6 % 6, n % 6};
        unsigned rgb = 0;
        for (int i = 0; i < 3; i++) {
            rgb = rgb << 8 | (part[i] != 0 ? part[i] * 40 + 55 : 0);
        }
        return rgb;
    }
    unsigned gray = (unsigned)(color - 232) * 10 + 8;
    return gray << 16 | gray << 8 | gray;
}
