/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text for people: labelled rows, colours where they are wanted, sizes, names that are safe on a terminal.
 */
#ifndef CLI_OUTPUT_OUT_H
#define CLI_OUTPUT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/output/color.h"
#include "cow/header.h"
#include "front/told/told.h"

enum {
    CLI_NAME_BYTES = 4 * COW_PATH_BYTES + 16, /* an escaped path, whole */
    CLI_AMOUNT_BYTES = 80,
};

enum cli_tone { CLI_PLAIN, CLI_STRONG, CLI_GOOD, CLI_WARN, CLI_BAD };

struct cli_out {
    FILE *file;
    bool color;
    size_t width; /* sentences are wrapped to it; 0: not at all (the output is no terminal) */
};

/* Looks at the file, what --color says, NO_COLOR and TERM. */
void cli_out_init(struct cli_out *out, FILE *file, enum cli_color color);

/* A heading, in bold where there is colour. */
void cli_heading(struct cli_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "  label         text": a row. A text longer than the width goes on below its own beginning. */
void cli_row(struct cli_out *out, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cli_row_tone(struct cli_out *out, enum cli_tone tone, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Rows of what both front ends tell go there, too. */
struct front_rows cli_rows(struct cli_out *out);

/* A note on standard error, whatever -q says; nothing for "". */
void cli_note(const char *text);

/* "64.0 MiB (67108864 bytes)". buffer has CLI_AMOUNT_BYTES. Returns buffer. */
const char *cli_amount(char *buffer, uint64_t bytes);

/* "2003-04-05 06:07:08 UTC". buffer has CLI_AMOUNT_BYTES. Returns buffer. */
const char *cli_time(char *buffer, int64_t seconds);

/* A path, safe to print. buffer has CLI_NAME_BYTES. Returns buffer. */
const char *cli_name(char *buffer, const char *path);

#endif
