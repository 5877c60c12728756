/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two versions compared byte by byte: the first places that differ.
 */
#ifndef FRONT_DIFF_DIFF_BYTES_H
#define FRONT_DIFF_DIFF_BYTES_H

#include "front/diff/versions.h"

/* The first places that differ, with their bytes on both sides. why: it is not compared as text; it becomes
 * the first line. Nothing is added where both are equal. */
int front_diff_bytes(struct front_diff *diff, struct front_versions *versions, const char *why,
                     struct cow_error *err);

#endif
