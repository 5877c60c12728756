/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scripts for the screen: any lines, and with them any keys, commands and answers, on an image in a scratch
 * directory. What is typed may name any file; outside of the directory none can be written (lib/scratch.c).
 */
#include <signal.h>
#include <string.h>

#include "../lib/fuzzer.h"
#include "tui/start/tui.h"

enum { SCRIPT_MAX = 1000, COLS_MAX = 200, TOUR_MAX = 200 }; /* each key draws a screen */

static void make_image(uint8_t choice)
{
    const uint8_t bytes[] = {choice % 4 == 3 ? 4 : 0,
                             0,
                             3,
                             127,
                             0,
                             choice % 5 == 4 ? 15 : 0,
                             0,
                             9,
                             1,
                             0x10,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0x40,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             5,
                             0,
                             0xa5,
                             0x0f,
                             0xff,
                             0,
                             0x81,
                             3,
                             0x70,
                             0x11,
                             9,
                             4};
    struct input in = {bytes, sizeof bytes};
    struct picture picture;
    MUST(picture_make(&picture, &in));
    picture_free(&picture);
}

/* A screen of a third of a million cells costs what it does, and is looked at by the screen suite. */
static bool has_large_screen(const char *text)
{
    for (const char *at = strstr(text, "size"); at != NULL; at = strstr(at + 1, "size")) {
        int cols = 0, rows = 0;
        if (sscanf(at + 4, "%dx%d", &cols, &rows) == 2 && (cols > COLS_MAX || rows > COLS_MAX)) {
            return true;
        }
    }
    return false;
}

/* Each key in a tour may flush a disk some dozens of times. */
static bool has_long_tour(const char *text)
{
    return strstr(text, ":tour") != NULL && strlen(text) > TOUR_MAX;
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static bool ready;
    char text[SCRIPT_MAX + 1];
    struct cow_error err = {.status = 0};
    struct tui_options options = {.image_path = PICTURE_COW, .script_path = "script", .mouse = true};
    if (!ready) {
        ready = freopen("/dev/null", "w", stdout) != NULL && setenv("LC_ALL", "C.UTF-8", 1) == 0;
        MUST(ready);
    }
    if (n_bytes == 0) {
        return;
    }
    const size_t length = n_bytes - 1 < SCRIPT_MAX ? n_bytes - 1 : SCRIPT_MAX;
    memcpy(text, data + 1, length);
    text[length] = '\0';
    if (has_large_screen(text) || has_long_tour(text)) {
        return;
    }
    scratch_begin();
    make_image(data[0]);
    file_make("script", text, length);
    options.ascii = data[0] & 0x80;
    options.no_backing = data[0] & 0x40;
    error_is_whole(tui_run(&options, &err), &err);
    scratch_check_outside();
}
