/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The kinds of a change that a record can tell of. What belongs to a kind stands in one row of three tables,
 * which this enum joins: what it is (here), which way it is recovered from what the files say (direction.c),
 * and how it goes on, back and to its end (commit/method.h); its words are in plan/method_words.c. The
 * builders (core/ops) choose a kind by its name; nothing else asks for one.
 */
#ifndef CORE_LEDGER_KIND_H
#define CORE_LEDGER_KIND_H

#include <stdbool.h>

/* The numbers are those of records on the disk. */
enum record_kind {
    RECORD_NONE = 0,
    RECORD_COPY = 1,   /* a new file took the image's place by rename */
    RECORD_HEADER = 2, /* the image was changed where it is; the commit is one write of its first sector */
    RECORD_UNDO_COPY = 3,
    RECORD_UNDO_HEADER = 4,
    RECORD_MERGE = 5,  /* the dirty sectors are written into the backing file, and a new, empty file takes the
                          image's place; only ever finished, once the backing file is being written */
    RECORD_MOVE = 6,   /* the data was moved where it lies, piece by piece, and a header written over */
    RECORD_INSERT = 7, /* the same, and the filesystem inserted the room */
    RECORD_UNDO_MOVE = 8,
    RECORD_UNDO_INSERT = 9,
    RECORD_CONTENT = 10, /* as by header, and sectors of the disk were written over while it was marked */
    RECORD_UNDO_CONTENT = 11,
    RECORD_KINDS
};

struct record_kind_facts {
    bool exists;
    unsigned since_version;     /* of records (record_codec.h): the oldest that can tell of it */
    bool marks;                 /* the image is marked meanwhile, with an id of the record's */
    bool shifts;                /* ... for its data moves within the file (beside/half.h) */
    bool inserts;               /* ... by the filesystem */
    bool keeps_file;            /* the image's file stays the same one: one inode, before and after */
    bool makes_file;            /* a file that was made beside the image takes its name */
    bool writes_into_backing;   /* bytes of the backing file, not only its length */
    bool record_is_undo;        /* its journal becomes the undo file; else the old image, which carries it */
    bool goes_back;             /* an undo */
    enum record_kind undone_by; /* RECORD_NONE: there is no way back once it is done */
};

/* The row of a kind; that of RECORD_NONE, which does not exist, for any other number. */
const struct record_kind_facts *record_kind_facts(unsigned kind);

#endif
