/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps of moving data where it lies, and the parts that the ways on and back (method_shift.c) have in
 * common with them. From the mark on no kernel opens the image; before it, the position file is whole and
 * durable.
 */
#include "core/commit/step_shift.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"
#include "core/format/variants.h"
#include "core/ledger/journal.h"
#include "core/ledger/record_check.h"
#include "core/ledger/state.h"
#include "cow/text.h"

int shift_layouts(struct commit *c, struct cow_layout layout[2])
{
    const struct cow_image *img = c->plan->img;
    struct cow_header header[2];
    return record_layouts(header, layout, &c->record, img->raw, img->raw_bytes) ? 0 : -EUCLEAN;
}

static bool advance(void *context, uint64_t n_bytes)
{
    return commit_advance(context, n_bytes) != 0;
}

static void aim(struct commit *c)
{
    c->shift.io = c->io;
    c->shift.fd = c->image_fd;
    c->shift.chunk_bytes = c->plan->result.chunk_bytes;
    c->shift.advance = advance;
    c->shift.context = c;
}

/* The map and a first slot. */
static int write_position(struct commit *c)
{
    uint8_t *map;
    size_t n_bytes;
    int status = half_encode_map(&map, &n_bytes, &c->shift.half);
    if (status == 0) {
        status = io_write(c->io, c->shift.half_fd, map, n_bytes, HALF_MAP_OFFSET);
        free(map);
    }
    return status == 0 ? shift_note(&c->shift) : status;
}

static void describe_half(struct commit *c, const struct cow_layout layout[2], bool is_up)
{
    struct half *half = &c->shift.half;
    const size_t alignment_at = variants[COW_FORMAT_V3].alignment.offset_bytes;
    *half = (struct half){.inserts = record_kind_facts(c->record.kind)->inserts,
                          .size_bytes = c->record.old_size_field,
                          .alignment = (uint32_t)bytes_get(c->record.old_sector + alignment_at, 4, true),
                          .bitmap_offset = layout[0].bitmap_offset,
                          .data_offset = layout[0].data_offset,
                          .file_bytes = c->record.old_file_bytes,
                          .shift_bytes = layout[1].data_offset - layout[0].data_offset,
                          .phase = is_up ? HALF_LEAVING : HALF_SHIFTING};
    memcpy(half->id, c->record.half_id, sizeof half->id);
    half->gap = is_up ? half->data_offset : half_end(half);
}

int shift_make_position(struct commit *c, const struct cow_layout layout[2], bool is_up)
{
    char path[PATH_MAX];
    struct half *half = &c->shift.half;
    aim(c);
    describe_half(c, layout, is_up);
    side_path(path, c->plan->target.path, SIDE_POSITION);
    int status = c->io->unlink(c->io->context, path); /* the image is locked, so it is nobody else's */
    if (status < 0 && status != -ENOENT) {
        return status;
    }
    int fd = c->io->open(c->io->context, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        return fd;
    }
    c->shift.half_fd = fd;
    status = half->inserts != 0 ? half_map(half, c->io, c->image_fd, is_up) : 0;
    if (status == 0) {
        status = write_position(c);
    }
    return status == 0 ? io_sync_directory(c->io, path) : status;
}

int shift_open_position(struct commit *c)
{
    int fd = state_open_half(&c->shift.half, c->plan->img, O_RDWR); /* read and written as one file */
    aim(c);
    c->shift.half_fd = fd;
    /* What is acted on must not be older after a power cut than it was when it was read. */
    return fd < 0 ? fd : c->io->fsync(c->io->context, fd);
}

int shift_write_mark(struct commit *c, const uint8_t sector[RECORD_SECTOR_BYTES])
{
    uint8_t marked[RECORD_SECTOR_BYTES];
    journal_mark_sector(marked, &c->record, sector);
    c->marked = true;
    return io_write(c->io, c->image_fd, marked, sizeof marked, 0);
}

/* May the file be as long as it will have to be? Better known before there is a mark. */
static int try_length(struct commit *c)
{
    int status = c->io->ftruncate(c->io->context, c->image_fd, c->record.new_file_bytes);
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->image_fd, c->record.old_file_bytes);
    }
    return status;
}

/* What the change before would be undone with is of no use once the image is another one. */
static int drop_older_undo(struct commit *c)
{
    char undo[PATH_MAX];
    int status = c->io->unlink(c->io->context, side_path(undo, c->plan->target.path, SIDE_UNDO));
    return status == -ENOENT ? 0 : status == 0 ? io_sync_directory(c->io, undo) : status;
}

int commit_mark(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    const struct cow_layout layout[2] = {plan->img->layout, plan->result.layout};
    int status = try_length(c);
    if (status == 0) {
        status = shift_make_position(c, layout, false);
    }
    if (status == 0) {
        status = drop_older_undo(c);
    }
    if (status == 0) {
        status = shift_write_mark(c, c->record.old_sector);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    return status < 0 ? commit_failed(c, status, "marking", plan->target.path) : 0;
}

/* Where nothing has been moved, or the filesystem moves, a change is taken back at once, and has its words; a
 * recovery or an undo is not. */
static int shift_stopped(struct commit *c)
{
    const struct half *half = &c->shift.half;
    char moved[COW_SIZE_TEXT_BYTES], all[COW_SIZE_TEXT_BYTES];
    struct shift_left left;
    if (!c->renamed && (half->inserts != 0 || half->gap == half_end(half))) {
        return COW_CANCELLED;
    }
    if (half->inserts != 0 || state_count_left(&left, half, c->io, c->image_fd) < 0) {
        return cow_error_set(c->err, COW_CANCELLED, "%s: stopped half way", c->plan->img->path);
    }
    return cow_error_set(c->err, COW_CANCELLED,
                         "%s: stopped half way: %s of its %s of data have their new place",
                         c->plan->img->path, cow_size_text(moved, left.down_bytes),
                         cow_size_text(all, left.up_bytes + left.down_bytes));
}

int shift_failed(struct commit *c, int status)
{
    if (status == -EUCLEAN) {
        cow_error_set(c->err, COW_INVALID, "%s: its data is not where the moving of it can have left it",
                      c->plan->img->path);
        return cow_error_hint(c->err, "somebody wrote to it meanwhile: nothing is moved any more");
    }
    return status == -ECANCELED ? shift_stopped(c)
                                : commit_failed(c, status, "moving the data of", c->plan->target.path);
}

int shift_go(struct commit *c, bool is_up, bool can_stop)
{
    c->stoppable = can_stop;
    int status = is_up ? shift_up(&c->shift) : shift_down(&c->shift);
    c->stoppable = false;
    return status;
}

int commit_shift(struct commit *c)
{
    int status = shift_go(c, true, true);
    return status < 0 ? shift_failed(c, status) : 0;
}

/* policy keep: the new sectors are dirty. */
static int set_born_bits(struct commit *c, uint64_t bitmap_offset)
{
    return c->record.born_sectors == 0 ? 0
                                       : settle_set_bits(c->io, c->image_fd, bitmap_offset,
                                                         c->record.born_first_sector, c->record.born_sectors);
}

/* The bits in their new place: those of the old sectors, and none behind them. */
static int move_bits(struct commit *c, const struct cow_layout *old, const struct cow_layout *new)
{
    const uint8_t mask = (uint8_t)((1u << old->sectors % 8) - 1);
    const uint64_t last = new->bitmap_offset + old->bitmap_bytes - 1;
    uint8_t byte;
    int status =
        shift_copy(&c->shift, old->bitmap_offset, old->bitmap_offset + old->bitmap_bytes, new->bitmap_offset);
    if (status == 0 && old->sectors % 8 != 0) {
        status = io_read_padded(c->io, c->image_fd, &byte, 1, last);
        if (status == 0 && (byte & ~mask) != 0) {
            byte &= mask;
            status = io_write(c->io, c->image_fd, &byte, 1, last);
        }
    }
    return status;
}

/* The bits stay where they are, and what lies behind them is cleared. */
static int clear_behind_bits(struct commit *c, const struct cow_layout *old, const struct cow_layout *new)
{
    const uint8_t byte = (uint8_t)(c->record.shared_byte & ((1u << old->sectors % 8) - 1));
    const uint64_t begin = old->bitmap_offset + old->bitmap_bytes;
    int status = old->sectors % 8 == 0 ? 0 : io_write(c->io, c->image_fd, &byte, 1, c->record.shared_offset);
    return status == 0
               ? io_write_zeros(c->io, c->image_fd, begin, new->bitmap_offset + new->bitmap_bytes - begin)
               : status;
}

int shift_fill(struct commit *c)
{
    struct cow_layout layout[2];
    const struct cow_layout *old = &layout[0], *new = &layout[1];
    const struct record_saved *odd = &c->record.saved[1];
    int status = shift_layouts(c, layout);
    if (status == 0) {
        status = shift_fill_begins(&c->shift);
    }
    if (status == 0) { /* what the gap was before, and perhaps is again after a power cut */
        status = io_punch(c->io, c->image_fd, old->data_offset, new->data_offset - old->data_offset);
    }
    if (status == 0) {
        status = old->bitmap_offset == new->bitmap_offset ? clear_behind_bits(c, old, new)
                                                          : move_bits(c, old, new);
    }
    if (status == 0) {
        status = set_born_bits(c, new->bitmap_offset);
    }
    if (status == 0 && odd->n_bytes > 0) {
        status = io_write_zeros(c->io, c->image_fd, half_place(&c->shift.half, old->data_offset, odd->offset),
                                odd->n_bytes);
    }
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->image_fd, c->record.new_file_bytes);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->image_fd) : status;
}

int commit_fill(struct commit *c)
{
    int status = shift_fill(c);
    return status < 0 ? commit_failed(c, status, "writing the bitmap of", c->plan->target.path) : 0;
}

int shift_clear_up(struct commit *c, bool is_upper, const struct timespec *date)
{
    char path[PATH_MAX];
    struct cow_layout layout[2];
    int status = shift_layouts(c, layout);
    if (status == 0 && is_upper && layout[1].bitmap_offset != layout[0].bitmap_offset) {
        status = date == NULL ? 0 : settle_date_position(c->io, c->plan->target.path); /* as end_half */
        status = status < 0 && status != -ENOENT ? status : 0;
    }
    if (status == 0 && is_upper && layout[1].bitmap_offset != layout[0].bitmap_offset) {
        status = io_punch(c->io, c->image_fd, layout[0].bitmap_offset, layout[0].bitmap_bytes);
    }
    if (status == 0 && date != NULL) {
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *date};
        status = c->io->futimens(c->io->context, c->image_fd, times);
    }
    if (status == 0) {
        status = c->io->fsync(c->io->context, c->image_fd);
    }
    if (status < 0) {
        return status;
    }
    status = c->io->unlink(c->io->context, side_path(path, c->plan->target.path, SIDE_POSITION));
    return status == -ENOENT ? 0 : status == 0 ? io_sync_directory(c->io, path) : status;
}

int commit_clear_up(struct commit *c)
{
    int status = shift_clear_up(c, true, &c->record.new_mtime);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->target.path) : 0;
}
