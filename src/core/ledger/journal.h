/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The record of a change beside its image: finding it, and what it says about the files that are there now.
 * Recovery and undo decide by that.
 */
#ifndef CORE_LEDGER_JOURNAL_H
#define CORE_LEDGER_JOURNAL_H

#include "core/beside/side.h"
#include "core/image/image.h"
#include "core/ledger/record.h"

/* Reads the record in the file beside the image that is named `what`. COW_OK with *found false if there is
 * none. A strange one is COW_INVALID, one of somebody else's COW_REFUSED (side_check_owner): neither is
 * obeyed. *facts: of the open file, if not NULL. On success with *found, clear *out. */
int journal_read(struct record *out, bool *found, const struct cow_image *img, const char *what,
                 struct stat *facts, struct cow_error *err);

/* The same of the journal, for showing what it would do, whoever it belongs to. refusal->status tells whether
 * it may be obeyed. */
int journal_peek(struct record *out, bool *found, const struct cow_image *img, struct cow_error *refusal,
                 struct cow_error *err);

/* The name of the journal of a kind of change (side.h). */
const char *record_kind_journal(unsigned kind);

enum journal_view {
    JOURNAL_SEES_OLD,     /* the file, and the header, from before the change */
    JOURNAL_SEES_NEW,     /* those from after it */
    JOURNAL_SEES_HALF,    /* the file is marked, and bears the record's id: its data is being moved */
    JOURNAL_SEES_STRANGE, /* neither: somebody put another file there */
};

/* What the image's file is, seen from a record: by its header and by what tells one file from another
 * (journal_is_file). */
enum journal_view journal_view(const struct record *record, const struct cow_image *img);

/* Of a change that shifts: the first sector while its data is being moved: this one, with the mark and the
 * id.
 */
void journal_mark_sector(uint8_t out[RECORD_SECTOR_BYTES], const struct record *record,
                         const uint8_t sector[RECORD_SECTOR_BYTES]);

/* The same by the header alone: one that was copied has it, too. */
enum journal_view journal_header_view(const struct record *record, const struct cow_image *img);

/* Whether an open file is the one that a record knows by its inode number. Where numbers change (a directory
 * that was restored, a filesystem that makes them up), length, date and the filesystem's UUID decide. */
bool journal_is_file(const struct record *record, const struct cow_io *io, int fd, const struct stat *facts,
                     uint64_t inode, uint64_t n_bytes, struct timespec date);

/* Whether a file may be the one with the recorded inode number. Where the filesystem could not be told when
 * the record was made (FUSE, network filesystems), a new mount makes up other numbers: there they say
 * nothing, and never prove more than that. */
bool journal_number_fits(const struct record *record, uint64_t is, uint64_t was);

/* Everything that is asked of a record before it is obeyed, once its owner is known: is it about this image
 * (claim.h), and does it say of it what the header says? COW_REFUSED or COW_INVALID with words. what:
 * SIDE_JOURNAL or SIDE_UNDO. */
int journal_check(struct record *record, const struct cow_image *img, const char *what,
                  struct cow_error *err);

/* Whether the image's file has been written to since it was as the record has it (old or new). */
bool journal_unwritten(const struct record *record, const struct stat *facts, bool as_new);

/* Whether the private backing file that a change made is as the change left it; true for another file of that
 * name, too, where inode numbers tell them apart. */
bool journal_copy_is_unwritten(const struct record *record, const struct stat *facts);

/* To the nanosecond. */
bool same_time(struct timespec a, struct timespec b);

#endif
