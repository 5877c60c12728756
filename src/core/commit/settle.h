/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bringing files to where a record says: the old state or the new one. Undo, recovery and the taking back of
 * a failed change all end here; every call can be repeated.
 */
#ifndef CORE_COMMIT_SETTLE_H
#define CORE_COMMIT_SETTLE_H

#include "core/ledger/journal.h"
#include "core/write/work.h"

/* Puts back what a change by header wrote over: first sector, saved ranges, length. fd is open for writing
 * and locked. exact: the old length; else never below the end of the old layout, for a guest may have run in
 * between. 0 or -errno. */
int settle_header_back(const struct cow_io *io, const struct record *record, int fd, bool exact);

/* Sets bits of a bitmap that begins at an offset of an open file. 0 or -errno. */
int settle_set_bits(const struct cow_io *io, int fd, uint64_t bitmap_offset, uint64_t first, uint64_t count);

/* Of the byte that old and new bits share those that were not the old disk's, as they were. 0 or -errno. */
int settle_shared_byte_back(const struct cow_io *io, const struct record *record, int fd);

/* Of settle_header_back all but the first sector, the length and the date. 0 or -errno. */
int settle_ranges_back(const struct cow_io *io, const struct record *record, int fd);

/* Gives the backing file that was lengthened the record's old or new size, and its date. fd is open for
 * writing and locked. One that is not ours is left alone: -EBUSY. */
int settle_backing(const struct cow_io *io, const struct record *record, const char *image_path, int fd,
                   bool back);

/* Writes the journal of an image that is locked; name: SIDE_JOURNAL or SIDE_MOVE. It has its name only when
 * it is complete and durable, so a torn one is never found there. *placed: it may be there, also on failure.
 * -EEXIST if there is one already. 0 or -errno. */
int settle_write_journal(const struct cow_io *io, const char *image_path, const char *name,
                         const uint8_t *bytes, size_t n_bytes, bool *placed);

/* Writes the journal of a family beside its backing file, in the place of the one that may be there: a draft,
 * whole and durable, and then one rename. *placed becomes true as soon as the new one may be there, also on
 * failure. 0 or -errno. */
int settle_write_family(const struct cow_io *io, const char *backing_path, const uint8_t *bytes,
                        size_t n_bytes, bool *placed);

/* Dates a journal "now", durably: the next call may date the backing file. 0 or -errno. */
int settle_date_journal(const struct cow_io *io, const char *journal_path);

/* The same of the position file of an image whose data is being moved: the image will be written. */
int settle_date_position(const struct cow_io *io, const char *image_path);

/* A merge is about to write into the backing file: dates the journal, durably, if that was a second ago or
 * more (*last; zeros: never). 0 or -errno. */
int settle_merge_beat(const struct cow_io *io, const char *image_path, struct timespec *last);

/* The old image, which has lost its name to the new one: appends the record to it, marks it unfinished, names
 * it as the undo file. from: SIDE_OLD or SIDE_UNDO. A file that is not there, or not the old one, is no
 * error; nor is one with names of others, which stays as it is. counted: settle_link_old did that just now. 0
 * or -errno. */
int settle_keep_undo(const struct cow_io *io, const struct record *record, const char *image_path,
                     const char *from, bool counted);

/* Gives the image, which is open as fd and about to lose its name, its second one (SIDE_OLD); not where
 * others have given it one. That is asked now and not after the rename: FUSE and NFS keep what is open and
 * loses its name under a hidden one. 0 or -errno. */
int settle_link_old(const struct cow_io *io, const char *image_path, int fd);

/* The undo file of a copy becomes a plain image again: mark away, record away, old date. It keeps its name. 0
 * or -errno. */
int settle_revive_undo(const struct cow_io *io, const struct record *record, const char *undo_path);

/* Removes path if it is the file with this inode. 0 (also if it is not there, or another one) or -errno. */
int settle_remove(const struct cow_io *io, const struct record *record, const char *path, uint64_t inode);

#endif
