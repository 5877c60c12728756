/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is new while the image is followed, below the tabs of every view: how much a second, how much in all,
 * the last minute as a line, and what cannot be seen so. On a wide terminal it is one line, else two.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tui/app/app.h"
#include "tui/screen/utf8.h"

enum { LEAST_COLS = 12 };

static const char unseen[] = "rewrites of sectors that are dirty already do not show; F ends this";

/* Bytes that were new in so many seconds, the last of which was `ago`. */
static uint64_t sum_of(const struct tui_follow *follow, unsigned ago, unsigned seconds)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < seconds; i++) {
        sum += tui_follow_second(follow, ago + i);
    }
    return sum;
}

/* The last minute up to x_end, in as many cells as there is room for: of 1, 2, 3 or 5 seconds. */
static void draw_history(const struct tui_follow *follow, struct tui_canvas *canvas, int x, int y, int x_end)
{
    static const unsigned seconds_of[] = {1, 2, 3, 5};
    unsigned seconds = 0;
    uint64_t most = 0;

    for (size_t i = 0; i < sizeof seconds_of / sizeof seconds_of[0] && seconds == 0; i++) {
        if (x + TUI_FOLLOW_SECONDS / (int)seconds_of[i] <= x_end) {
            seconds = seconds_of[i];
        }
    }
    if (seconds == 0) {
        return;
    }
    unsigned cells = TUI_FOLLOW_SECONDS / seconds;
    for (unsigned i = 0; i < cells; i++) {
        uint64_t sum = sum_of(follow, i * seconds, seconds);
        most = sum > most ? sum : most;
    }
    for (unsigned i = 0; i < cells; i++) {
        uint64_t sum = sum_of(follow, i * seconds, seconds);
        tui_put(canvas, x_end - 1 - (int)i, y, tui_level(canvas, sum, most > 0 ? most : 1),
                sum > 0 ? TUI_STRONG : TUI_DIM);
    }
}

/* "1.2 MiB/s new, 34.5 MiB (70656 sectors) in 83 s". Returns where it ends. */
static int draw_numbers(const struct tui_follow *follow, struct tui_canvas *canvas, int x, int y)
{
    char rate[COW_SIZE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    int end = canvas->cols - 1;

    cow_size_text(rate, tui_follow_rate(follow));
    cow_size_text(size, follow->new_bytes);
    x += tui_put(canvas, x, y, 0x25cf, TUI_NEW_HOT); /* as on the Map */
    x += tui_textf(canvas, x, y, end - x, TUI_LABEL, " new ");
    x += tui_textf(canvas, x, y, end - x, follow->new_sectors > 0 ? TUI_STRONG : TUI_DIM, "%s/s", rate);
    return x + tui_textf(canvas, x, y, end - x, TUI_NORMAL, ", in all %s (%" PRIu64 " sector%s)", size,
                         follow->new_sectors, follow->new_sectors == 1 ? "" : "s");
}

static void draw_reading(const struct tui_follow *follow, struct tui_canvas *canvas, int y)
{
    const struct cow_follow_facts *facts = follow->follow != NULL ? cow_follow_facts(follow->follow) : NULL;
    unsigned percent = facts != NULL && facts->pages > 0 ? (unsigned)(facts->page * 100 / facts->pages) : 0;

    tui_textf(canvas, 1, y, canvas->cols - 2, TUI_STRONG, "follow: reading the bitmap, %u%%", percent);
}

int tui_follow_draw(const struct tui_app *app, struct tui_canvas *canvas, int y)
{
    const struct tui_follow *follow = &app->follow;
    int cells = (int)sizeof unseen - 1;

    if (!follow->on) {
        return 0;
    }
    bool known = follow->follow != NULL && cow_follow_facts(follow->follow)->known;
    bool one = canvas->cols >= 2 * cells + LEAST_COLS;
    int end = canvas->cols - 1 - (one ? cells + 2 : 0);
    if (known) {
        draw_history(follow, canvas, draw_numbers(follow, canvas, 1, y) + 2, y, end);
    } else {
        draw_reading(follow, canvas, y);
    }
    tui_text(canvas, one ? end + 2 : 1, one ? y : y + 1, cells, TUI_DIM, unseen);
    return one ? 1 : 2;
}
