/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text of a theme's file, and what stands behind ":set": a theme that is read has colours and attributes
 * that there are, and one that is not has words that a terminal may show.
 */
#include <string.h>

#include "../lib/fuzzer.h"
#include "tui/look/settings.h"
#include "tui/look/theme_text.h"
#include "tui/screen/style.h"

enum { TEXT_MAX = 8192, COLORS = 256, COLORS_16 = 16, ATTRIBUTES = 16 };

static void try_theme(const char *text)
{
    static struct tui_theme theme;
    struct cow_error err = {.status = 0};
    const int status = tui_theme_read(&theme, "x.theme", text, &err);
    error_is_whole(status, &err);
    for (int i = 0; status == 0 && i < TUI_STYLES; i++) {
        const struct tui_look *look = &theme.look[i];
        MUST(look->fg256 >= -1 && look->fg256 < COLORS && look->bg256 >= -1 && look->bg256 < COLORS);
        MUST(look->fg16 >= -1 && look->fg16 < COLORS_16 && look->bg16 >= -1 && look->bg16 < COLORS_16);
        MUST(look->attr256 < ATTRIBUTES && look->attr16 < ATTRIBUTES && look->attr_mono < ATTRIBUTES);
    }
    MUST(status != 0 || (strlen(theme.about) < sizeof theme.about && theme.paper_rgb <= 0xffffff &&
                         theme.ink_rgb <= 0xffffff));
}

static void try_setting(const char *text)
{
    struct tui_settings settings = {.color = TUI_COLOR_AUTO};
    struct cow_error err = {.status = 0};
    const char *word;
    error_is_whole(tui_setting_change(&settings, text, &err), &err);
    for (size_t i = 0; tui_setting_row(i) != NULL; i++) {
        MUST(is_terminal_safe(tui_setting_value(&settings, i)));
    }
    for (size_t i = 0; (word = tui_setting_word(text, i)) != NULL; i++) {
        MUST(i < 1000 && is_terminal_safe(word));
    }
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    char text[TEXT_MAX];
    const size_t n = n_bytes < sizeof text ? n_bytes : sizeof text - 1;
    memcpy(text, data, n);
    text[n] = '\0';
    try_theme(text);
    try_setting(text);
}
