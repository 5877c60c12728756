/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two versions compared by diff(1), which is started for it: line by line.
 */
#ifndef FRONT_DIFF_DIFF_TEXT_H
#define FRONT_DIFF_DIFF_TEXT_H

#include "front/diff/versions.h"

enum { FRONT_DIFF_TEXT_BYTES = 4 * 1024 * 1024 }; /* the longest version that is compared as text */

/* By diff(1); *ran is false where there is none that runs. */
int front_diff_text(struct front_diff *diff, struct front_versions *versions, bool *ran,
                    struct cow_error *err);

#endif
