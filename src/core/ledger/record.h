/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is written down before a change, so that it can be finished or taken back after a crash, and undone
 * later: one record serves as the journal while the change is under way and as the undo information
 * afterwards. It is known whole before the first byte of the image is touched, so it is written once and
 * never edited.
 *
 * Files in the image's directory are written down by their names alone, so that a directory that was moved
 * takes them along; others by absolute paths. In memory all are absolute once journal.c has read the record.
 */
#ifndef CORE_LEDGER_RECORD_H
#define CORE_LEDGER_RECORD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/base/io.h"
#include "core/beside/half.h"
#include "core/ledger/kind.h"
#include "cow/layout.h"

enum {
    RECORD_SECTOR_BYTES = 512,
    RECORD_ID_BYTES = HALF_ID_BYTES,
    RECORD_SAVED_MAX = 2,
    RECORD_HELD_BYTES_MAX = 16 * 1024 * 1024, /* of a saved range */
    RECORD_BYTES_MAX = 64 * 1024 * 1024,
    RECORD_MORE_MAX = 1 << 18,   /* saved ranges of a change of content */
    RECORD_VERSION = 5,          /* the newest that is read; the oldest is 2 */
    RECORD_LEAST_WRITTEN = 3,    /* what is written; newer only where the kind of the change needs that */
    RECORD_MODE_KNOWN = 1 << 16, /* beside the bits of a mode */
};

/* Bytes of the old image that a change by header writes over. */
struct record_saved {
    uint64_t offset;
    uint64_t n_bytes;    /* of the range */
    uint64_t held_bytes; /* of them are kept, from the beginning; the rest were zeros */
    uint8_t *bytes;      /* held_bytes; NULL if there are none */
};

struct record {
    uint32_t kind;      /* enum record_kind */
    uint64_t old_inode; /* of the image's file before; by header: the same as new_inode */
    uint64_t new_inode;
    uint64_t old_file_bytes; /* lengths */
    uint64_t new_file_bytes;
    uint64_t old_end_offset; /* where the old layout ends: no rollback cuts below that */
    uint32_t old_header_bytes;
    uint32_t old_header_crc;                 /* of so many bytes */
    uint32_t new_header_crc;                 /* of COW_V3_HEADER_BYTES */
    uint32_t size_field_offset;              /* of the old header, and what it held */
    uint64_t old_size_field;                 /* as 8 bytes, big endian, whatever the header's order is */
    uint8_t old_sector[RECORD_SECTOR_BYTES]; /* the first of the file; by header */
    uint8_t new_sector[RECORD_SECTOR_BYTES];
    struct timespec old_mtime; /* of the image's file */
    struct timespec new_mtime; /* given to it, so that a later write shows */
    uint32_t keeps_undo;       /* by copy: the old file becomes the undo file */
    uint32_t extends;          /* the backing file is written: lengthened, or merged into */
    uint64_t backing_old_bytes;
    uint64_t backing_new_bytes;
    struct timespec backing_mtime;     /* afterwards; of a private copy, if one is made */
    struct timespec backing_old_mtime; /* before */
    uint64_t backing_inode;            /* merge: it must still be that file; undo says if it is not */
    char backing_path[PATH_MAX];       /* absolute; "" = none */
    uint64_t copy_inode;               /* of a private backing file that the change makes; 0 = none */
    char copy_path[PATH_MAX];          /* its name; absolute */
    /* by header: the byte that holds the last old bits and, above `shared_bits` of them, the first new ones
     */
    uint64_t shared_offset;
    uint32_t shared_bits; /* 0: the bits part at a whole byte */
    uint32_t shared_byte;
    struct record_saved saved[RECORD_SAVED_MAX];
    /* since version 3 */
    uint32_t
        old_mode; /* of the image's file, with RECORD_MODE_KNOWN: the undo file is 0600, and its maker's */
    uint32_t old_uid, old_gid;
    char image_path[PATH_MAX];                  /* where the image is; absolute. "": not known */
    uint8_t filesystem[IO_FILESYSTEM_ID_BYTES]; /* that it lies on; zeros: not known */

    /* since version 4 */
    uint8_t family_id[RECORD_ID_BYTES]; /* of a change of several images; where it is "", they are zeros: */
    char family_path[PATH_MAX];         /* the backing file that they share, absolute */
    uint8_t half_id[RECORD_ID_BYTES];   /* of a shift: what the half-moved image is told by (beside/half.h) */
    uint64_t born_first_sector;         /* of a shift: new sectors that are dirty, none where it is 0 */
    uint64_t born_sectors;

    /* since version 5 */
    uint32_t n_more; /* of a change of content: what else is written over, in no order; they may overlap, and
                        hold what was there before any of it was written */
    struct record_saved *more; /* owned */

    /* not on the disk */
    uint32_t version; /* as it was read */
    uint32_t sum;     /* its CRC, as it was read: which record it is */
    uid_t owner;      /* of the file that it was read from */
    bool is_family;   /* made of a family's (family_record.h): the journal lies beside the backing file */
    bool backing_elsewhere; /* not in the image's directory */
    bool copy_elsewhere;
    bool copy_is_foreign; /* the private backing file is none of ours to remove */
};

/* Makes the names of files beside the image, which is at image_real_path now, absolute. COW_INVALID where one
 * would be too long. */
int record_resolve(struct record *record, const char *image_real_path, struct cow_error *err);

/* The image is here now: what is written from now on says so. */
void record_settle_here(struct record *record, const char *image_real_path);

/* Frees the saved bytes. */
void record_clear(struct record *record);

/* What is written down is named by its name alone where it lies beside the image (image_path). */
void record_name_beside(struct record *record);

#endif
