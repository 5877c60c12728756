/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is typed behind a `:` command of the screen, read.
 */
#ifndef FRONT_CHANGE_OPTIONS_H
#define FRONT_CHANGE_OPTIONS_H

#include <stddef.h>

#include "cow/error.h"
#include "front/change/changes.h"

struct front_option {
    const char *name;
    int letter;
    const char *argument; /* NULL: it takes none */
    size_t offset;        /* of the member in struct front_words: a bool, or a text */
    unsigned takes;       /* FRONT_... */
};

/* The options that a line knows, those above and --force; the end has no name. */
extern const struct front_option front_options[];

/* Reads what stands behind a `:` command, which is written over: options ("--to v3", "--to=v3", "-o FILE"),
 * --force, --force=WORD, and between them what the change's operand stands for, blanks in it included; what
 * is in double quotes is one word whatever it has in it. The texts of *out are the line's. Errors: COW_USAGE:
 * an option that is unknown or that the change does not take, one without its argument, a word too much. */
int front_read_words(struct front_words *out, const struct front_change *change, char *line,
                     struct cow_error *err);

/* The index-th option that the change takes, "--unused"; NULL behind the last: for completion. */
const char *front_change_option(const struct front_change *change, size_t index);

#endif
