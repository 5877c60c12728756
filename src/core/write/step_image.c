/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A new image: header with the mark first, then bits, then data, then the true size. With the mark no
 * kernel opens it, so an image that a crash left half written is never taken for one. Everything is
 * flushed before the true size is written, and once more behind it: a rename can reach the disk before
 * the content does (seen on XFS: a file of size 0).
 *
 * Old sectors of any size become sectors of 512 bytes. What is written of the bitmap are the blocks
 * that hold a bit: the rest stays a hole.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/format/variants.h"
#include "core/plan/footprint.h"
#include "core/plan/plan_output.h"
#include "core/plan/stretch.h"
#include "core/write/fill.h"

enum {
    BITMAP_PIECE_BYTES = 64 * 1024,
    BITMAP_PIECE_BITS = BITMAP_PIECE_BYTES * 8,
    BLOCK_BYTES = 4096, /* of header and bitmap: those without anything in them stay holes */
};

static int write_header(struct commit *c, bool unfinished)
{
    uint8_t bytes[COW_V3_HEADER_BYTES];
    struct cow_header header = c->plan->result.header;
    header.unfinished = unfinished;
    int status = cow_header_encode(bytes, &header, c->err);
    if (status != 0) {
        return status;
    }
    /* The second time only the size changes, and it lies in the first sector: one atomic write. Of the first,
     * what a short path leaves of the header behind its first block stays a hole. */
    const size_t n_bytes = header_written_bytes(bytes);
    status = io_write(c->io, c->out_fd, bytes, unfinished ? n_bytes : 512, 0);
    return status < 0 ? commit_failed(c, status, "writing", c->plan->target.temp_path) : 0;
}

int commit_begin_image(struct commit *c)
{
    int status = commit_make_file(c, c->plan->target.temp_path,
                                  c->plan->result.is_callers ? plan_output_mode(c->plan) : 0600, &c->out_fd);
    c->out_made = c->out_fd >= 0;
    if (status == 0) {
        status = write_header(c, true);
    }
    if (status == 0 &&
        !record_kind_facts(c->plan->method)->writes_into_backing) { /* its full length is the sign that a
                                                                       merge has begun (method_merge.c) */
        status = c->io->ftruncate(c->io->context, c->out_fd, plan_made_layout(c->plan)->end_offset);
        status = status < 0 ? commit_failed(c, status, "sizing", c->plan->target.temp_path) : 0;
    }
    return status;
}

/* The bitmap in the making: one piece at a time, written when the next one is begun; empty pieces stay holes.
 */
struct bit_writer {
    struct commit *c;
    uint64_t piece; /* number */
    bool dirty;
    uint8_t bytes[BITMAP_PIECE_BYTES];
};

/* Blocks without a bit stay holes (footprint.c counts so). */
static int write_bits(const struct bit_writer *w, size_t n_bytes)
{
    const uint64_t to = w->c->plan->result.layout.bitmap_offset + w->piece * BITMAP_PIECE_BYTES;
    size_t begin = 0;
    int status = 0;
    for (size_t at = 0, block; at < n_bytes && status == 0; at += block) {
        block = (size_t)arith_min(BLOCK_BYTES, n_bytes - at);
        const bool empty = bytes_all_zero(w->bytes + at, block), last = at + block == n_bytes;
        const size_t end = empty ? at : at + block;
        if ((empty || last) && end > begin) {
            status = io_write(w->c->io, w->c->out_fd, w->bytes + begin, end - begin, to + begin);
        }
        begin = empty ? at + block : begin;
    }
    return status;
}

static int flush_bits(struct bit_writer *w)
{
    if (!w->dirty) {
        return 0;
    }
    uint64_t offset = w->piece * BITMAP_PIECE_BYTES;
    size_t n_bytes =
        (size_t)arith_min(BITMAP_PIECE_BYTES, plan_made_layout(w->c->plan)->bitmap_bytes - offset);
    int status = write_bits(w, n_bytes);
    if (status < 0) {
        return commit_failed(w->c, status, "writing the bitmap of", w->c->plan->target.temp_path);
    }
    memset(w->bytes, 0, sizeof w->bytes);
    w->dirty = false;
    return commit_advance(w->c, 0);
}

static void set_bits_in_piece(uint8_t *bytes, uint32_t first, uint32_t end)
{
    for (; first < end && first % 8 != 0; first++) {
        bytes[first / 8] |= (uint8_t)(1u << first % 8);
    }
    if (end - first >= 8) {
        memset(bytes + first / 8, 0xff, (end - first) / 8);
        first += (end - first) / 8 * 8;
    }
    for (; first < end; first++) {
        bytes[first / 8] |= (uint8_t)(1u << first % 8);
    }
}

/* Runs come in ascending order. */
static int set_bits(struct bit_writer *w, uint64_t first, uint64_t end)
{
    while (first < end) {
        uint64_t piece = first / BITMAP_PIECE_BITS;
        if (piece != w->piece) {
            int status = flush_bits(w);
            if (status != 0) {
                return status;
            }
            w->piece = piece;
        }
        uint64_t base = piece * BITMAP_PIECE_BITS;
        uint64_t stop = arith_min(end, base + BITMAP_PIECE_BITS);
        set_bits_in_piece(w->bytes, (uint32_t)(first - base), (uint32_t)(stop - base));
        w->dirty = true;
        first = stop;
    }
    return 0;
}

static int write_old_bits(struct commit *c, struct bit_writer *w)
{
    struct cow_image *img = c->plan->img;
    const uint64_t ratio = img->header.sector_bytes / 512;
    /* A last sector of 4096 may reach past the old end; a smaller disk ends earlier. */
    const uint64_t old_end =
        arith_min(arith_div_up(img->header.size_bytes, 512), plan_made_layout(c->plan)->sectors);
    struct cow_dirty_run run = {0, 0};
    int status = 0;
    do {
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, c->err);
        if (status == 0) {
            status = set_bits(w, run.first_sector * ratio,
                              arith_min((run.first_sector + run.sectors) * ratio, old_end));
        }
    } while (status == 0 && run.sectors > 0);
    const struct cow_dirty_run *born = &c->plan->result.born_dirty;
    return status == 0 ? set_bits(w, born->first_sector, born->first_sector + born->sectors) : status;
}

static int write_selected_bits(struct commit *c, struct bit_writer *w)
{
    struct cow_dirty_run run = {0, 0};
    int status = 0;
    do {
        status = selection_next(c->plan->result.selection, run.first_sector + run.sectors, &run, c->err);
        if (status == 0) {
            status = set_bits(w, run.first_sector, run.first_sector + run.sectors);
        }
    } while (status == 0 && run.sectors > 0);
    return status;
}

int commit_write_bitmap(struct commit *c)
{
    struct bit_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return cow_error_set(c->err, COW_NO_MEMORY, "out of memory");
    }
    w->c = c;
    if (c->plan->result.selection != NULL) {
        selection_set_env(c->plan->result.selection, c->env);
    }
    int status = c->plan->result.selection != NULL ? write_selected_bits(c, w) : write_old_bits(c, w);
    if (status == 0) {
        status = flush_bits(w);
    }
    free(w);
    return status;
}

static int copy_odd_end(struct commit *c)
{
    struct cow_image *img = c->plan->img;
    uint8_t bytes[512];
    const uint64_t length = img->header.size_bytes % 512;
    const uint64_t begin = img->header.size_bytes - length;
    int status = cow_image_read(img, begin, bytes, (size_t)length, c->err);
    if (status != 0) {
        return status;
    }
    status =
        io_write(c->io, c->out_fd, bytes, (size_t)length, cow_layout_place(&c->plan->result.layout, begin));
    return status < 0 ? commit_failed(c, status, "writing", c->plan->target.temp_path) : 0;
}

int commit_copy_data(struct commit *c)
{
    struct cow_image *img = c->plan->img;
    /* What lies past an odd old end is not copied, so it reads as zeros when the disk has grown. */
    const uint64_t disk_end = arith_min(img->header.size_bytes, plan_made_bytes(c->plan));
    struct stretch stretch = {.next_sector = 0};
    int status = stretch_next(&stretch, img, 0, disk_end, c->err);
    while (status == 0 && stretch.dirty_sectors > 0) {
        status = commit_transfer_disk(c, COW_FILE_COW, stretch.begin_bytes, stretch.end_bytes,
                                      cow_layout_place(&c->plan->result.layout, stretch.begin_bytes));
        if (status == 0) {
            status = stretch_next(&stretch, img, stretch.next_sector, disk_end, c->err);
        }
    }
    return status == 0 && c->plan->result.odd_end_is_born ? copy_odd_end(c) : status;
}

int commit_finish_image(struct commit *c)
{
    int status = commit_check_sources(c);
    if (status != 0) {
        return status;
    }
    status = c->io->fsync(c->io->context, c->out_fd);
    if (status < 0) {
        return commit_failed(c, status, "flushing", c->plan->target.temp_path);
    }
    status = write_header(c, false);
    if (status != 0) {
        return status;
    }
    if (c->has_record) { /* so that a later write shows */
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.new_mtime};
        status = c->io->futimens(c->io->context, c->out_fd, times);
        if (status < 0) {
            return commit_failed(c, status, "dating", c->plan->target.temp_path);
        }
    }
    status = c->io->fsync(c->io->context, c->out_fd);
    return status < 0 ? commit_failed(c, status, "flushing", c->plan->target.temp_path)
                      : commit_advance(c, 8);
}
