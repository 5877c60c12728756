/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files say of a change that a record tells of: is the old image still there, how far did it come,
 * is the backing file as it can have been left? Nothing is written here; settle.h does that.
 */
#ifndef CORE_LEDGER_STATE_H
#define CORE_LEDGER_STATE_H

#include "core/ledger/journal.h"

/* Nothing but zeros in [begin, end) of a file? 1, 0 or -errno. */
int state_is_empty(const struct cow_io *io, int fd, uint64_t begin, uint64_t end);

/* Would giving the old image its old length cut off data of its layout? fd is that file, or the image that
 * was changed by header. 1, 0 or -errno. */
int state_cuts_data(const struct cow_io *io, const struct record *record, int fd);

/* Whether an open file is the old image of a copy, marked or not: 0, -ENOENT if it is not, or another -errno.
 */
int state_is_old_image(const struct cow_io *io, const struct record *record, int fd);

/* Is the undo file of a copy there? 1, 0, or -errno. */
int state_has_undo(const struct cow_io *io, const struct record *record, const char *undo_path);

/* Whether other images than img live on the record's private backing file, as far as can be seen, or other
 * names of img that stay as they are (a copy takes the place of one name): then it is kept. facts are the
 * file's. 1, 0 or -errno. */
int state_copy_has_others(const struct cow_image *img, const struct record *record, const struct stat *facts);

/* Merging in place (method_merge.c): whether the backing file may have been written; from then on there is no
 * way back. 1, 0 or -errno; -ENOENT if the backing file or the new image are gone. */
int state_merge_has_begun(const struct cow_io *io, const struct record *record, const char *image_path);

/* Of an image whose data is being moved: how much there is left to move. */
struct shift_left {
    uint64_t up_bytes;   /* to the upper layout (beside/half.h) */
    uint64_t down_bytes; /* to the lower one */
};
/* 0 or -errno; -ENODATA or -ENOENT where the position file does not tell how far it is, -EUCLEAN where the
 * image does not fit it. What a filesystem moves counts as nothing. */
int state_shift_left(struct shift_left *out, const struct cow_image *img);
/* The same by what is known already, of the image that is open there. */
int state_count_left(struct shift_left *out, const struct half *half, const struct cow_io *io, int fd);

/* Opens the position file of a marked image (flags: O_RDONLY or O_RDWR), and reads it, if it may be obeyed
 * and has the image's id. The descriptor, or -errno as above; on success half_clear. */
int state_open_half(struct half *out, const struct cow_image *img, int flags);

/* Is the backing file that was to be lengthened as the change, or its way back, can have left it? 1, 0 or
 * -errno. back: it would be cut, so nothing may lie behind its old end. */
int state_backing_is_ours(const struct cow_io *io, const struct record *record, const char *image_path,
                          int fd, bool back);

/* Is the backing file that is being merged into as the merge can have left it, by its date? 1, 0 or -errno.
 */
int state_merged_is_ours(const struct cow_io *io, const struct record *record, const char *image_path,
                         int fd);

/* COW_REFUSED with words for one that is not ours. */
int state_refuse_backing(const struct record *record, struct cow_error *err);

/* The journal of that record: beside the image, or, of a family, beside the backing file. Returns out. */
const char *state_journal_path(char out[PATH_MAX], const struct record *record, const char *image_path);

/* The clocks that tell whether a date of the backing file is ours (state_backing.c). */
enum {
    STATE_SECOND_NS = 1000000000,
    STATE_SLOW_NS = 200 * 1000 * 1000, /* from the journal's date to the lengthening */
    STATE_GRAIN_NS = 20 * 1000 * 1000, /* two ticks: the clock that dates files may be so much behind */
};

/* INT64_MAX or INT64_MIN where it is more than an hour. */
int64_t state_nanoseconds_between(struct timespec from, struct timespec to);

#endif
