/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Output that is too long for memory and must appear whole or not at all: it grows in an unlinked temporary
 * file and is copied to standard output when it is complete.
 */
#ifndef CLI_OUTPUT_SPOOL_H
#define CLI_OUTPUT_SPOOL_H

#include <stdio.h>

#include "cow/error.h"

/* Opens one in $TMPDIR or /tmp, has it filled, and copies all of it to standard output if that answers 0. It
 * has no name: a kill leaves nothing behind. */
int cli_spool(int (*fill)(FILE *spool, const void *context, struct cow_error *err), const void *context,
              struct cow_error *err);

#endif
