/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one door into the screen: main.c knows nothing else of src/tui, and src/tui knows the core only through
 * include/cow.
 */
#ifndef COW_TUI_START_TUI_H
#define COW_TUI_START_TUI_H

#include <stdbool.h>

#include "cow/error.h"

struct tui_options {
    const char *image_path; /* or a directory: then one of its images is chosen from a list first */
    bool is_directory;
    bool is_tour;             /* the lesson, on its own disk; there is no image then */
    bool is_replay;           /* image_path is that of a log */
    const char *backing_path; /* NULL: the one that the header names */
    bool no_backing;          /* none is opened */
    const char *script_path; /* NULL: a real terminal; else a script of keys (script.h), no terminal needed */
    const char *theme;       /* NULL: the default */
    bool ascii;              /* plain ASCII glyphs only */
    bool mouse;              /* its clicks and its wheel are asked for */
    int color;               /* 0 auto, 1 never, 2 always */
};

/* Opens the image, runs the screen until the user leaves, and restores the terminal whatever happened.
 * Returns 0 or a negative status with err filled: COW_USAGE (no usable terminal, an unknown theme or
 * a mistake in its file, an error in the script), or what cow_image_open says. A signal that ends the program
 * (SIGTERM, SIGHUP, SIGINT) is raised again once everything is cleaned up, so that the caller's caller sees
 * it. */
int tui_run(const struct tui_options *options, struct cow_error *err);

#endif
