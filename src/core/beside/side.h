/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files that stand beside an image while, and after, it is changed.
 */
#ifndef CORE_BESIDE_SIDE_H
#define CORE_BESIDE_SIDE_H

#include <limits.h>

#include "core/base/io.h"

#define SIDE_MOVE         "move"        /* the journal of a change that moves the data where it lies */
#define SIDE_POSITION     "position"    /* ... and how far that is (half.h) */
#define SIDE_NEW          "new"         /* a file in the making: marked unfinished, locked by its maker */
#define SIDE_JOURNAL      "journal"     /* the record of a change that is under way, or was interrupted */
#define SIDE_DRAFT        "journal-new" /* a journal in the making; nobody reads it */
#define SIDE_OLD          "old"         /* the old image between the rename and the end of the change */
#define SIDE_UNDO         "undo"        /* what undoes the last change */
#define SIDE_FAMILY       "family" /* beside a backing file: a change of all images on it (family_record.h) */
#define SIDE_FAMILY_DRAFT "family-new"
#define SIDE_FAMILY_UNDO  "family-undo" /* ... what undoes that */
#define SIDE_TRIAL        "trial-file"  /* made and removed, to see what a filesystem keeps */
#define SIDE_LINK         "trial-link"  /* another name of it */

/* ".NAME.cowtui-WHAT" beside path. Of a name that would not fit a directory entry then, the end is replaced
 * by a number that is made of the whole, so that no two images share a file. Returns out; a path that does
 * not fit becomes
 * "", which no call can open. */
const char *side_path(char out[PATH_MAX], const char *path, const char *what);

/* Is that a name of what this program keeps beside an image? It is no image of its own, then. */
bool side_is_name(const char *name);

/* The path of the journal beside an image: of a change that moves the data, if there is one, or if it cannot
 * be told (then opening it fails); else of any other, whether it is there or not. Returns out. */
const char *side_journal_path(char out[PATH_MAX], const struct cow_io *io, const char *path);

/* Is there a journal of a change of all images on this backing file? Nothing is opened; a path that leads
 * nowhere has none. Where it cannot be told, there is one. */
bool side_has_family_journal(const struct cow_io *io, const char *backing_path);

/* Whose is a record beside an image? It belongs to whoever made it, and names files that are to be written,
 * cut and removed; so it is obeyed only if it is a regular file with one name, of the caller or of the
 * image's owner, that neither group nor others can write. COW_REFUSED names the file, its owner and what to
 * do. facts: of the record, by lstat or fstat. image_path: as the user knows it. */
int side_check_owner(const struct cow_io *io, const char *path, const struct stat *facts,
                     const struct stat *image_facts, const char *image_path, struct cow_error *err);

/* Is there a journal beside the image, and is it one that would be obeyed? Nothing is opened. */
enum side_journal { SIDE_NO_JOURNAL, SIDE_JOURNAL_OBEYED, SIDE_JOURNAL_STRANGE };
enum side_journal side_find_journal(const struct cow_io *io, const char *image_real_path,
                                    const struct stat *image_facts, const char *image_path,
                                    struct cow_error *err);

#endif
