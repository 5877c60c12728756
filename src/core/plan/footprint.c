/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much room a new image takes, counted before it is made, block by block, by the very rules by
 * which the commit writes: extents of the old file that are copied (stretch.c), pieces that are
 * selected anew (piece_next, which both ask), blocks of zeros where those are punched, blocks of header
 * and bitmap that hold anything. Bits and data are counted side by side, in one walk over what will be
 * dirty.
 *
 * The answer is a promise: never less than is used, and on filesystems that count by blocks not more
 * than a block a run too much. What a filesystem notes about where blocks are is added. Where zeros are
 * found only while writing, or blocks may be shared, it is "at most"; where it is not known how the
 * filesystem counts, "about". The suites compare it with each commit (tests/promise).
 */
#include "core/plan/footprint.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/plan/stretch.h"

enum {
    SECTOR_BYTES = 512,
    LARGE_BLOCK_BYTES = 64 * 1024,
    USUAL_BLOCK_BYTES = 4096,
    READ_BYTES = 1024 * 1024,
    HOLE_BYTES = 4096, /* zeros are punched in blocks of that (compose.c), header and bits written so */
};

void footprint_add(struct footprint *f, uint64_t begin, uint64_t end)
{
    const uint64_t first = begin / f->block_bytes, stop = arith_div_up(end, f->block_bytes);
    if (begin >= end) {
        return;
    }
    f->runs += first > f->next_block || f->blocks == 0;
    f->blocks += arith_sub_floor(stop, arith_max(first, f->next_block));
    f->next_block = arith_max(f->next_block, stop);
}

uint64_t footprint_round(uint64_t n_bytes, uint64_t block_bytes)
{
    return arith_div_up(n_bytes, block_bytes) * block_bytes;
}

/* What calls itself a block's size is the best size for transfers on some (NFS): no more than the usual one
 * is believed there. */
uint64_t footprint_block_of(const struct stat *facts)
{
    return facts->st_blksize >= SECTOR_BYTES && facts->st_blksize <= LARGE_BLOCK_BYTES
               ? (uint64_t)facts->st_blksize
               : USUAL_BLOCK_BYTES;
}

/* "/d/" of "/d/root.cow"; "./" where it is named without. */
static const char *target_directory(char out[PATH_MAX], const struct cow_plan *plan)
{
    const char *slash = strrchr(plan->target.path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - plan->target.path) + 1;
    memcpy(out, "./", 3);
    if (length > 0 && length < PATH_MAX) {
        memcpy(out, plan->target.path, length);
        out[length] = '\0';
    }
    return out;
}

uint64_t footprint_block_bytes(const struct cow_plan *plan)
{
    char directory[PATH_MAX];
    struct stat facts;
    return plan->io->stat(plan->io->context, target_directory(directory, plan), &facts) < 0
               ? USUAL_BLOCK_BYTES
               : footprint_block_of(&facts);
}

void footprint_needs(struct cow_plan *plan, uint64_t n_bytes, bool at_most)
{
    const struct cow_io *io = plan->io;
    char directory[PATH_MAX];
    struct cow_preview *p = &plan->preview;
    p->needs_free_bytes = n_bytes;
    p->needs_at_most = at_most;
    p->space_is_about = n_bytes > 0 && io->counts_blocks != NULL &&
                        io->counts_blocks(io->context, target_directory(directory, plan)) <= 0;
}

uint64_t footprint_map_bytes(uint64_t n_bytes, uint64_t runs)
{
    /* ext4: 340 extents a block of 4 KiB, each of 128 MiB at most, the first four in the inode; XFS: 250. */
    enum { EXTENTS_A_BLOCK = 200, IN_THE_INODE = 4 };
    const uint64_t extents = runs + n_bytes / (128 * 1024 * 1024);
    return extents <= IN_THE_INODE ? 0 : arith_div_up(extents, EXTENTS_A_BLOCK) * 4096;
}

uint64_t footprint_record_bytes(const struct cow_plan *plan, uint64_t block_bytes)
{
    enum { FIELDS_BYTES = 1600 }; /* two sectors of the header among them */
    const char *const paths[] = {plan->target.path, plan->backing.path, plan->backing.copy_path};
    uint64_t n_bytes = FIELDS_BYTES + plan->result.saved_bytes;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        n_bytes += paths[i] != NULL ? strlen(paths[i]) : 0;
    }
    return footprint_round(n_bytes, block_bytes);
}

/* The walk: what is written behind the header. */
struct counting {
    struct cow_plan *plan;
    const struct cow_env *env;
    struct footprint bits, data;
    uint64_t bits_end;           /* bytes of the bitmap that were counted */
    uint64_t data_bytes;         /* that are written */
    uint8_t *buffer;             /* READ_BYTES, where zeros are punched */
    uint64_t old_first, old_end; /* the run of old dirty sectors that was found last, in sectors of 512 */
};

/* Sectors that will be dirty. The commit writes blocks of the bitmap that have bits. */
static void count_bits(struct counting *c, uint64_t first, uint64_t end)
{
    const struct cow_layout *to = plan_made_layout(c->plan);
    const uint64_t begin = arith_max(first / 8 / HOLE_BYTES * HOLE_BYTES, c->bits_end);
    const uint64_t stop = arith_min(footprint_round(arith_div_up(end, 8), HOLE_BYTES), to->bitmap_bytes);
    if (begin < stop) {
        footprint_add(&c->bits, to->bitmap_offset + begin, to->bitmap_offset + stop);
        c->plan->result.counted.bitmap_bytes += stop - begin;
        c->bits_end = stop;
    }
}

static void count_data(struct counting *c, uint64_t begin, uint64_t end)
{
    const struct cow_layout *to = plan_made_layout(c->plan);
    footprint_add(&c->data, cow_layout_place(to, begin), cow_layout_place(to, end));
    c->data_bytes += end - begin;
}

/* ---- the data of the old image, copied by extents ---- */

/* What of [at, end) of the disk is no hole of that file. */
static int count_extents(struct counting *c, enum cow_file file, uint64_t at, uint64_t end,
                         struct cow_error *err)
{
    while (at < end) {
        struct io_extent extent;
        int status = image_file_extent(c->plan->img, file, at, end, &extent);
        if (status < 0) {
            return cow_error_system(err, -status, "%s: looking for holes", c->plan->img->path);
        }
        if (extent.data) {
            count_data(c, at, extent.end);
        }
        at = extent.end;
    }
    return 0;
}

static int count_old_bits(struct counting *c, struct cow_error *err)
{
    struct cow_image *img = c->plan->img;
    const uint64_t ratio = img->header.sector_bytes / SECTOR_BYTES;
    const uint64_t old_end =
        arith_min(arith_div_up(img->header.size_bytes, SECTOR_BYTES), plan_made_layout(c->plan)->sectors);
    const struct cow_dirty_run *born = &c->plan->result.born_dirty;
    struct cow_dirty_run run = {0, 0};
    int status = 0;
    do {
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, err);
        const uint64_t end = arith_min((run.first_sector + run.sectors) * ratio, old_end);
        if (status == 0 && run.first_sector * ratio < end) {
            count_bits(c, run.first_sector * ratio, end);
            c->plan->result.counted.dirty_sectors += end - run.first_sector * ratio;
            c->plan->result.counted.carried_sectors += arith_div_up(end, ratio) - run.first_sector;
        }
    } while (status == 0 && run.sectors > 0);
    if (status == 0 && born->sectors > 0) {
        count_bits(c, born->first_sector, born->first_sector + born->sectors);
        c->plan->result.counted.dirty_sectors += born->sectors;
    }
    return status;
}

static int count_copied(struct counting *c, struct cow_error *err)
{
    struct cow_image *img = c->plan->img;
    const uint64_t disk_end = arith_min(img->header.size_bytes, plan_made_bytes(c->plan));
    struct stretch stretch = {.next_sector = 0};
    int status = 0;
    do {
        status = stretch_next(&stretch, img, stretch.next_sector, disk_end, err);
        if (status == 0) {
            status = count_extents(c, COW_FILE_COW, stretch.begin_bytes, stretch.end_bytes, err);
        }
    } while (status == 0 && stretch.dirty_sectors > 0);
    if (status == 0 && c->plan->result.odd_end_is_born) {
        const uint64_t length = img->header.size_bytes % SECTOR_BYTES;
        count_data(c, img->header.size_bytes - length, img->header.size_bytes);
    }
    return status == 0 ? count_old_bits(c, err) : status;
}

/* ---- data that were selected anew ---- */

/* Blocks of the file that are not zeros, in data that are read. */
static void count_nonzero(struct counting *c, uint64_t begin, size_t n_bytes)
{
    const uint64_t to = cow_layout_place(&c->plan->result.layout, begin);
    for (size_t at = 0; at < n_bytes;) {
        const size_t block = (size_t)arith_min(HOLE_BYTES - (to + at) % HOLE_BYTES, n_bytes - at);
        if (!bytes_all_zero(c->buffer + at, block)) {
            count_data(c, begin + at, begin + at + block);
        }
        at += block;
    }
}

static int read_nonzero(struct counting *c, uint64_t begin, uint64_t end, struct cow_error *err)
{
    const struct cow_env *env = c->env;
    int status = 0;
    for (size_t piece; begin < end && status == 0; begin += piece) {
        piece = (size_t)arith_min(end - begin,
                                  READ_BYTES - cow_layout_place(&c->plan->result.layout, begin) % HOLE_BYTES);
        status = cow_image_read(c->plan->img, begin, c->buffer, piece, err);
        if (status == 0) {
            count_nonzero(c, begin, piece);
        }
        const struct cow_progress progress = {.phase =
                                                  "comparing with the backing file", /* as the selection */
                                              .done_bytes = begin,
                                              .total_bytes = c->plan->img->header.size_bytes,
                                              .can_cancel = true};
        if (status == 0 && env != NULL && env->progress != NULL && env->progress(env->context, &progress)) {
            status = cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed");
        }
    }
    return status;
}

static int count_piece(struct counting *c, const struct piece *piece, uint64_t at, struct cow_error *err)
{
    struct cow_image *img = c->plan->img;
    switch (piece->kind) {
    case PIECE_HOLE:
        break;
    case PIECE_COW:
        return count_extents(c, COW_FILE_COW, at, piece->end_bytes, err);
    case PIECE_BACKING:
        return count_extents(c, COW_FILE_BACKING, at,
                             arith_min(piece->end_bytes, img->backing.facts.size_bytes), err);
    case PIECE_READ:
        if (c->buffer != NULL) {
            return read_nonzero(c, at, piece->end_bytes, err);
        }
        count_data(c, at, piece->end_bytes);
        break;
    }
    return 0;
}

static int count_selected(struct counting *c, const struct cow_dirty_run *selected, struct cow_error *err)
{
    struct cow_image *img = c->plan->img;
    const uint64_t end =
        arith_min((selected->first_sector + selected->sectors) * SECTOR_BYTES, img->header.size_bytes);
    struct piece piece;
    int status = 0;
    for (uint64_t at = selected->first_sector * SECTOR_BYTES; at < end && status == 0; at = piece.end_bytes) {
        status = piece_next(&piece, img, at, end, c->buffer != NULL, err);
        status = status == 0 ? count_piece(c, &piece, at, err) : status;
    }
    return status;
}

/* Which of a selected run were clean: runs are asked for in ascending order, and so are the old ones. */
static int count_added(struct counting *c, const struct cow_dirty_run *selected, struct cow_error *err)
{
    struct cow_image *img = c->plan->img;
    const uint64_t ratio = img->header.sector_bytes / SECTOR_BYTES;
    const uint64_t first = selected->first_sector, end = first + selected->sectors;
    uint64_t kept = 0;
    int status = 0;
    for (uint64_t at = first; status == 0 && at < end; at = arith_min(c->old_end, end)) {
        if (at >= c->old_end) {
            struct cow_dirty_run run;
            status = cow_image_next_dirty(img, at / ratio, &run, err);
            c->old_first = run.first_sector * ratio;
            c->old_end = status == 0 && run.sectors > 0 ? c->old_first + run.sectors * ratio : UINT64_MAX;
            c->old_first = run.sectors > 0 ? c->old_first : UINT64_MAX;
        }
        kept += arith_sub_floor(arith_min(c->old_end, end), arith_max(c->old_first, at));
    }
    c->plan->result.counted.added_sectors += selected->sectors - kept;
    return status;
}

static int count_selection(struct counting *c, struct cow_error *err)
{
    struct cow_dirty_run run = {0, 0};
    int status = 0;
    if (c->plan->result.punch_zeros && (c->buffer = malloc(READ_BYTES)) == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    selection_set_env(c->plan->result.selection, c->env);
    do {
        status = selection_next(c->plan->result.selection, run.first_sector + run.sectors, &run, err);
        if (status == 0 && run.sectors > 0) {
            count_bits(c, run.first_sector, run.first_sector + run.sectors);
            c->plan->result.counted.dirty_sectors += run.sectors;
            status = c->plan->own_image == NULL ? count_added(c, &run, err) : 0;
            status = status == 0 ? count_selected(c, &run, err) : status;
        }
    } while (status == 0 && run.sectors > 0);
    selection_set_env(c->plan->result.selection, NULL);
    free(c->buffer);
    return status;
}

size_t header_written_bytes(const uint8_t bytes[COW_V3_HEADER_BYTES])
{
    return bytes_all_zero(bytes + HOLE_BYTES, COW_V3_HEADER_BYTES - HOLE_BYTES) ? HOLE_BYTES
                                                                                : COW_V3_HEADER_BYTES;
}

int footprint_of_old_data(uint64_t *out, struct cow_image *img, struct cow_error *err)
{
    uint64_t before = 0;
    for (uint64_t at = 0; at < img->layout.data_offset;) {
        struct io_extent extent;
        int status = host_file_extent(img->io, &img->cow, at, img->layout.data_offset, &extent);
        if (status < 0) {
            return cow_error_system(err, -status, "%s: looking for holes", img->path);
        }
        before += extent.data ? extent.end / USUAL_BLOCK_BYTES -
                                    arith_min(at / USUAL_BLOCK_BYTES, extent.end / USUAL_BLOCK_BYTES)
                              : 0;
        at = extent.end;
    }
    *out = arith_sub_floor((uint64_t)img->cow.facts.st_blocks * 512, before * USUAL_BLOCK_BYTES);
    return 0;
}

int footprint_of_image(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err)
{
    const uint64_t block_bytes = footprint_block_bytes(plan);
    struct counting c = {
        .plan = plan, .env = env, .bits = {.block_bytes = block_bytes}, .data = {.block_bytes = block_bytes}};
    struct footprint header = {.block_bytes = block_bytes};
    uint8_t bytes[COW_V3_HEADER_BYTES] = {0};
    struct plan_image *image = &plan->result.counted;
    *image = (struct plan_image){.block_bytes = block_bytes};
    int status = 0;
    if (plan->result.selection != NULL) {
        status = count_selection(&c, err);
    } else if (plan->img != NULL && !record_kind_facts(plan->method)->writes_into_backing) {
        status = count_copied(&c, err);
    }
    if (status == 0) {
        status = cow_header_encode(bytes, &plan->result.header, err);
    }
    footprint_add(&header, 0, header_written_bytes(bytes));
    image->data_bytes = c.data_bytes;
    image->data_allocated_bytes = c.data.blocks * block_bytes;
    image->data_runs = c.data.runs;
    image->allocated_bytes = (header.blocks + c.bits.blocks + c.data.blocks) * block_bytes;
    image->needs_bytes =
        image->allocated_bytes +
        footprint_map_bytes(image->allocated_bytes, header.runs + c.bits.runs + c.data.runs) +
        (plan_is_journaled(plan) ? footprint_record_bytes(plan, block_bytes) : 0);
    return status;
}
