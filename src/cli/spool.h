/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Output that is too long for memory and must appear whole or not at all: it grows in an unlinked temporary
 * file and is copied to standard output when it is complete.
 */
#ifndef CLI_SPOOL_H
#define CLI_SPOOL_H

#include <stdio.h>

#include "cow/error.h"

/* Opens one, in $TMPDIR or /tmp. It has no name: a kill leaves nothing behind. The caller's: fclose. */
int cli_spool_open(FILE **out, struct cow_error *err);

/* Copies all of it to standard output. */
int cli_spool_print(FILE *spool, struct cow_error *err);

#endif
