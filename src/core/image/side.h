/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files that stand beside an image while, and after, it is changed.
 */
#ifndef CORE_IMAGE_SIDE_H
#define CORE_IMAGE_SIDE_H

#include <limits.h>

#define SIDE_NEW     "new"         /* a file in the making: marked unfinished, locked by its maker */
#define SIDE_JOURNAL "journal"     /* the record of a change that is under way, or was interrupted */
#define SIDE_DRAFT   "journal-new" /* a journal in the making; nobody reads it */
#define SIDE_OLD     "old"         /* the old image between the rename and the end of the change */
#define SIDE_UNDO    "undo"        /* what undoes the last change */

/* ".NAME.cowtui-WHAT" beside path. A long name is cut so that the longer one still fits a directory entry.
 * Returns out; a path that does not fit becomes "", which no call can open. */
const char *side_path(char out[PATH_MAX], const char *path, const char *what);

#endif
