/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is written down of a change of all images on a backing file, beside that file. Each image has a record
 * of its own as well, with the same id, which tells what is to be done with it; which way, this one decides:
 * back until it says "committed", and on from then. So they are changed all, or none.
 */
#ifndef CORE_LEDGER_FAMILY_RECORD_H
#define CORE_LEDGER_FAMILY_RECORD_H

#include "core/ledger/record.h"

enum { FAMILY_MEMBERS_MAX = 256 };

struct family_record {
    uint8_t id[RECORD_ID_BYTES];
    uint32_t committed; /* 0: all go back; 1: all go on */
    uint32_t goes_back; /* the change is an undo: the backing file is cut, and was new before */
    uint64_t backing_inode;
    uint64_t old_bytes, new_bytes;              /* lengths of the backing file; the same: it is not written */
    struct timespec mtime;                      /* its date, before and afterwards */
    uint8_t filesystem[IO_FILESYSTEM_ID_BYTES]; /* that it lies on; zeros: not known */
    char path[PATH_MAX];                        /* of the backing file when this was written; absolute */
    size_t members;
    char **member; /* owned: absolute paths of the images. On the disk those beside the backing file have
                      names */

    /* not on the disk */
    uint32_t sum; /* its CRC, as it was read: which record it is */
    uid_t owner;  /* of the file that it was read from */
};

/* Adds a path. COW_NO_MEMORY; COW_REFUSED where there are too many. */
int family_record_add(struct family_record *record, const char *path, struct cow_error *err);
/* Frees the paths. */
void family_record_clear(struct family_record *record);

/* The bytes of a record, the caller's. COW_NO_MEMORY. */
int family_record_encode(uint8_t **out, size_t *n_bytes, const struct family_record *record,
                         struct cow_error *err);
/* Back from them: COW_INVALID for what is no such record, COW_NO_MEMORY. backing_path: where the file lies
 * now, absolute. On success clear *out. */
int family_record_decode(struct family_record *out, const uint8_t *bytes, size_t n_bytes,
                         const char *backing_path, struct cow_error *err);

/* Reads the record beside a backing file (absolute, links resolved): what is SIDE_FAMILY or SIDE_FAMILY_UNDO.
 * 0 with *found false if there is none. A strange one is COW_INVALID; one of somebody else's
 * (side_check_owner), or one in a copy of the directory that it is about, COW_REFUSED. image_path: as the
 * user knows it, for the words. On success with *found, clear *out. */
int family_record_read(struct family_record *out, bool *found, const struct cow_io *io,
                       const char *backing_path, const char *what, const char *image_path,
                       struct cow_error *err);

/* What of it concerns the backing file, as the record of a change that lengthens it (or cuts it again): so it
 * is judged, and settled, as any other. */
void family_record_of_backing(struct record *out, const struct family_record *record,
                              const char *backing_path);

#endif
