/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which way recovery goes, by the kind of the change: a function a kind, asked through one table. Every
 * question here answers 1, 0, or -errno: what cannot be looked at is no "no", for a wrong direction could not
 * be taken back.
 */
#include "core/ledger/direction.h"

#include <errno.h>
#include <fcntl.h>

#include "core/base/crc.h"
#include "core/beside/side.h"
#include "core/ledger/state.h"

/* Of a file that the change only read. One that the header alone names has its date there, by the second. */
static bool is_as_read(const struct cow_image *img, const struct record *record,
                       const struct cow_header *header, const struct backing_file *backing)
{
    struct stat then = {.st_size = 0};
    const bool found = backing->facts.state == COW_BACKING_FOUND;
    const bool is_old_one = record->backing_path[0] != '\0' &&
                            (!found || (io_stat_disk(img->io, record->backing_path, &then) == 0 &&
                                        same_file(&then, &backing->file.facts)));
    return is_old_one ? journal_number_fits(record, then.st_ino, record->backing_inode) &&
                            (uint64_t)then.st_size == record->backing_old_bytes &&
                            same_time(then.st_mtim, record->backing_old_mtime)
                      : found && backing->facts.mtime == (int64_t)header->mtime;
}

/* The private backing file, in a directory that was moved, is not where the header says. */
static bool is_the_copy(const struct cow_image *img, const struct record *record,
                        const struct backing_file *backing)
{
    struct stat copy;
    return backing->facts.state == COW_BACKING_FOUND &&
           img->io->stat(img->io->context, record->copy_path, &copy) == 0 &&
           same_file(&copy, &backing->file.facts);
}

static int base_fits(const struct cow_image *img, const struct record *record,
                     const uint8_t bytes[COW_HEADER_BYTES_MAX])
{
    struct cow_header header;
    struct backing_file backing;
    const bool copies = record->copy_inode != 0;
    if (record->extends != 0 ||
        record->family_path[0] != '\0' || /* that one is held, and looked at, itself */
        cow_header_decode(&header, bytes, COW_HEADER_BYTES_MAX, record->new_file_bytes, UINT64_MAX, NULL) !=
            0 ||
        header.backing_path[0] == '\0') {
        return 1;
    }
    const struct cow_backing *now = &img->backing.facts;
    if (backing_open(&backing, img->io, &header, img->real_path, &img->cow.facts,
                     now->named && !copies ? now->path : NULL, NULL) != 0) {
        return -ENOMEM;
    }
    const bool fits =
        copies ? is_the_copy(img, record, &backing) : is_as_read(img, record, &header, &backing);
    backing_close(img->io, &backing);
    return fits;
}

/* Is the new image of a copy complete under its temporary name? The true size is written last of all. */
static int new_file_complete(const struct cow_io *io, const struct record *record, const char *image_path,
                             uint8_t header[COW_HEADER_BYTES_MAX])
{
    char path[PATH_MAX];
    struct stat facts;
    int fd = io_open_regular(io, side_path(path, image_path, SIDE_NEW), O_RDONLY | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    int status = io_read_padded(io, fd, header, COW_HEADER_BYTES_MAX, 0);
    const bool is =
        journal_is_file(record, io, fd, &facts, record->new_inode, record->new_file_bytes, record->new_mtime);
    io->close(io->context, fd);
    return status < 0 ? status : is && crc_ieee(header, COW_V3_HEADER_BYTES) == record->new_header_crc;
}

/* Is the private backing file, where there is to be one, there under its own name, as the change has left it?
 * It gets that name last of all. */
static int copy_complete(const struct cow_io *io, const struct record *record)
{
    struct stat facts;
    if (record->copy_inode == 0) {
        return 1;
    }
    int status = io->lstat(io->context, record->copy_path, &facts);
    if (status < 0) {
        return status == -ENOENT ? 0 : status;
    }
    return journal_number_fits(record, facts.st_ino, record->copy_inode) &&
           (uint64_t)facts.st_size == record->backing_new_bytes &&
           same_time(facts.st_mtim, record->backing_mtime);
}

/* Is there a whole new image that can take the old one's place? Until then the old one has all of the disk;
 * afterwards what the new one leaves out, because the backing file has it, must be there. */
static int new_image_is_good(struct decision *out, const struct cow_image *img, const struct record *record)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    int yes = copy_complete(img->io, record);
    yes = yes == 1 ? new_file_complete(img->io, record, img->real_path, header) : yes;
    if (yes == 1) {
        yes = base_fits(img, record, header);
        out->base_changed = yes == 0;
    }
    return yes;
}

static bool has_old_date(const struct cow_io *io, const struct record *record)
{
    struct stat facts;
    return io->stat(io->context, record->backing_path, &facts) == 0 &&
           same_time(facts.st_mtim, record->backing_old_mtime);
}

/* The new image is there under the old name already; or it is whole, and the old one as it was read. */
static int copy_goes_forward(struct decision *out, const struct cow_image *img, const struct record *record,
                             enum journal_view view)
{
    if (view == JOURNAL_SEES_NEW) {
        return 1;
    }
    return journal_unwritten(record, &img->cow.facts, false) ? new_image_is_good(out, img, record) : 0;
}

/* One write of the first sector is all there is between the old image and the new one. Where content is
 * written over before, the image is marked, and what was there is in the record: until the new header is
 * there it goes back. */
static int header_goes_forward(struct decision *out, const struct cow_image *img, const struct record *record,
                               enum journal_view view)
{
    (void)out, (void)img, (void)record;
    return view == JOURNAL_SEES_NEW;
}

static int merge_goes_forward(struct decision *out, const struct cow_image *img, const struct record *record,
                              enum journal_view view)
{
    int yes = view == JOURNAL_SEES_NEW ? 1 : state_merge_has_begun(img->io, record, img->real_path);
    out->base_changed = yes == 0 && !has_old_date(img->io, record);
    return yes;
}

/* A guest that has written to the new image since wins over the wish to go back; and without the old image
 * there is nothing to go back to. */
static int undo_copy_goes_forward(struct decision *out, const struct cow_image *img,
                                  const struct record *record, enum journal_view view)
{
    char undo[PATH_MAX];
    (void)out;
    if (view == JOURNAL_SEES_OLD) {
        return 1;
    }
    return journal_unwritten(record, &img->cow.facts, true)
               ? state_has_undo(img->io, record, side_path(undo, img->real_path, SIDE_UNDO))
               : 0;
}

/* As for a copy, but what goes back is in the record itself. */
static int undo_header_goes_forward(struct decision *out, const struct cow_image *img,
                                    const struct record *record, enum journal_view view)
{
    (void)out;
    return view == JOURNAL_SEES_OLD || journal_unwritten(record, &img->cow.facts, true);
}

/* Half way, whichever way is the shorter; the end where they are the same. */
static int half_goes_forward(struct decision *out, const struct cow_image *img, bool forward_is_up)
{
    struct shift_left left;
    int status = state_shift_left(&left, img);
    if (status == -ENODATA || status == -ENOENT || status == -EUCLEAN) {
        out->is_lost = true;
        return 0;
    }
    if (status < 0) {
        return status;
    }
    out->has_choice = true;
    out->moves_forward_bytes = forward_is_up ? left.up_bytes : left.down_bytes;
    out->moves_back_bytes = forward_is_up ? left.down_bytes : left.up_bytes;
    return out->moves_forward_bytes <= out->moves_back_bytes;
}

static int shift_goes_forward(struct decision *out, const struct cow_image *img, const struct record *record,
                              enum journal_view view)
{
    (void)record;
    return view == JOURNAL_SEES_HALF ? half_goes_forward(out, img, true) : view == JOURNAL_SEES_NEW;
}

static int undo_shift_goes_forward(struct decision *out, const struct cow_image *img,
                                   const struct record *record, enum journal_view view)
{
    return view == JOURNAL_SEES_HALF ? half_goes_forward(out, img, false)
                                     : undo_header_goes_forward(out, img, record, view);
}

/* What was written over is in the record: half way there is only one way, and it is the wanted one. */
static int undo_content_goes_forward(struct decision *out, const struct cow_image *img,
                                     const struct record *record, enum journal_view view)
{
    return view == JOURNAL_SEES_HALF ? 1 : undo_header_goes_forward(out, img, record, view);
}

typedef int goes_forward(struct decision *out, const struct cow_image *img, const struct record *record,
                         enum journal_view view);

static goes_forward *const ways[RECORD_KINDS] = {
    [RECORD_COPY] = copy_goes_forward,
    [RECORD_HEADER] = header_goes_forward,
    [RECORD_UNDO_COPY] = undo_copy_goes_forward,
    [RECORD_UNDO_HEADER] = undo_header_goes_forward,
    [RECORD_MERGE] = merge_goes_forward,
    [RECORD_MOVE] = shift_goes_forward,
    [RECORD_INSERT] = shift_goes_forward,
    [RECORD_UNDO_MOVE] = undo_shift_goes_forward,
    [RECORD_UNDO_INSERT] = undo_shift_goes_forward,
    [RECORD_CONTENT] = header_goes_forward,
    [RECORD_UNDO_CONTENT] = undo_content_goes_forward,
};

int direction_choose(struct decision *out, const struct cow_image *img, const struct record *record)
{
    const enum journal_view view = journal_view(record, img);
    *out = (struct decision){.direction = NOWHERE};
    if (view == JOURNAL_SEES_STRANGE) {
        return 0;
    }
    const int yes = ways[record->kind](out, img, record, view); /* sane: record_check.c */
    if (yes < 0) {
        return yes;
    }
    out->direction = out->is_lost ? NOWHERE : yes != 0 ? FORWARD : BACK;
    return 0;
}

int direction_of_member(struct decision *out, const struct cow_image *img, const struct record *record,
                        bool committed)
{
    const bool begun_from_new = record_kind_facts(record->kind)->goes_back;
    const enum journal_view from = begun_from_new ? JOURNAL_SEES_NEW : JOURNAL_SEES_OLD;
    const enum journal_view view = journal_view(record, img);
    int status = direction_choose(out, img, record);
    if (status < 0 || out->direction == NOWHERE) {
        return status;
    }
    /* by header: room was made, durably, before that was decided, and one write is left */
    const struct record_kind_facts *kind = record_kind_facts(record->kind);
    const bool is_ready = kind->keeps_file && !kind->shifts && !begun_from_new && view == JOURNAL_SEES_OLD;
    /* Going back in the file itself: its date may be that of a write of ours that did not arrive. It is
     * nobody else's, for the backing file was cut before, and no kernel has opened the image since. */
    const bool is_cut_off = kind->keeps_file && begun_from_new && view == JOURNAL_SEES_NEW &&
                            record->backing_old_bytes != record->backing_new_bytes;
    const bool may = committed ? out->direction == FORWARD || out->has_choice || is_ready || is_cut_off
                               : view == from || view == JOURNAL_SEES_HALF;
    out->direction = !may ? NOWHERE : committed ? FORWARD : BACK;
    out->has_choice = false;
    return 0;
}
