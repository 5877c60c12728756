/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command line: reads the arguments, runs a subcommand, prints text or JSON, and answers with the exit
 * code. It sees the core through include/cow only, and knows of the screen just that somebody can open it:
 * main.c hands in the function.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "cli/output/color.h"
#include "cow/error.h"

/* What the arguments say about the screen. Strings are the caller's argv. */
struct cli_screen {
    const char *image_path; /* or a directory to choose an image from: */
    bool is_directory;
    bool is_tour;             /* the lesson; there is no image then */
    bool is_replay;           /* image_path is that of a log */
    const char *backing_path; /* or NULL */
    bool no_backing;          /* none is opened */
    const char *script_path;  /* or NULL */
    const char *theme;        /* or NULL */
    bool ascii, mouse;
    enum cli_color color;
};

/* Opens the screen and returns when the user leaves it: 0 or a negative status with err filled. */
typedef int cli_open_screen(const struct cli_screen *screen, struct cow_error *err);

/* Does all that the arguments ask for. Returns the exit code of the process; standard output is closed then.
 */
int cli_run(int argc, char **argv, cli_open_screen *open_screen);

#endif
