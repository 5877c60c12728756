/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See mouse.h. What comes is not trusted: a number is short, a cell lies on the largest screen that there may
 * be, and nothing stands between or behind.
 */
#include "tui/screen/mouse.h"

#include <stddef.h>
#include <string.h>

#include "tui/screen/canvas.h"

static const double seconds_between_clicks = 0.5;

/* A number of up to four digits, and the character behind it; NULL: it is none. */
static const char *read_number(int *out, const char *text, char behind)
{
    int digits = 0;

    *out = 0;
    for (; *text >= '0' && *text <= '9' && digits < 4; digits++) {
        *out = *out * 10 + (*text++ - '0');
    }
    return digits > 0 && *text == behind ? text + 1 : NULL;
}

bool tui_mouse_read(struct tui_mouse *mouse, const char *sequence)
{
    static const struct {
        int button;
        char final;
        enum tui_mouse_kind kind;
    } kinds[] = {{0, 'M', TUI_MOUSE_PRESS},
                 {32, 'M', TUI_MOUSE_DRAG},
                 {0, 'm', TUI_MOUSE_RELEASE},
                 {64, 'M', TUI_MOUSE_WHEEL_UP},
                 {65, 'M', TUI_MOUSE_WHEEL_DOWN}};
    int button, column, row;
    const char *at = strncmp(sequence, "\033[<", 3) == 0 ? sequence + 3 : NULL;
    size_t bytes = strlen(sequence);

    at = at != NULL ? read_number(&button, at, ';') : NULL;
    at = at != NULL ? read_number(&column, at, ';') : NULL;
    at = at != NULL ? read_number(&row, at, sequence[bytes - 1]) : NULL;
    if (at == NULL || *at != '\0' || column < 1 || row < 1 || column > TUI_SIDE_MAX || row > TUI_SIDE_MAX) {
        return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].button != button || kinds[i].final != at[-1]) {
            continue;
        }
        *mouse = (struct tui_mouse){kinds[i].kind, column - 1, row - 1};
        return true;
    }
    return false;
}

enum tui_mouse_kind tui_mouse_kind_of(const char *name)
{
    static const char *const names[TUI_MOUSE_KINDS] = {
        [TUI_MOUSE_PRESS] = "press",           [TUI_MOUSE_DRAG] = "drag",
        [TUI_MOUSE_RELEASE] = "release",       [TUI_MOUSE_WHEEL_UP] = "wheel-up",
        [TUI_MOUSE_WHEEL_DOWN] = "wheel-down",
    };
    int kind = 0;

    while (kind < TUI_MOUSE_KINDS && strcmp(names[kind], name) != 0) {
        kind++;
    }
    return (enum tui_mouse_kind)kind;
}

bool tui_clicks_take(struct tui_clicks *clicks, const struct tui_mouse *press, double now)
{
    bool second = clicks->one && clicks->x == press->x && clicks->y == press->y &&
                  now - clicks->at <= seconds_between_clicks;

    *clicks = (struct tui_clicks){!second, press->x, press->y, now};
    return second;
}
