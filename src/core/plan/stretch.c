/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What of a disk is copied in one go. Two rules, for two kinds of new images, and both are asked by the
 * count before the yes (footprint.c) and by the commit, so that they cannot differ.
 *
 * Where the bits are those of the old image, its dirty runs are copied in whole blocks of 4 KiB, and as
 * one where at most 16 KiB lie between them: a few clean sectors cost less than a call a run. They are
 * moved along and stay clean, so nobody sees them.
 *
 * Where sectors were selected anew, each range is cut into pieces by where its bytes come from. A run
 * of 1 MiB and more is moved by its extents, so that holes stay holes and blocks are shared where the
 * filesystem can; short ones are read and written together.
 *
 * What goes into a disk of another format is asked of foreign_next, by both as well.
 */
#include "core/plan/stretch.h"

#include "core/base/arith.h"

enum {
    JOIN_GAP_BYTES = 16 * 1024,
    BLOCK_BYTES = 4096,
    LONG_RUN_BYTES = 1024 * 1024, /* from here on a run is worth its own call */
};

int stretch_next(struct stretch *out, struct cow_image *img, uint64_t from_sector, uint64_t disk_end,
                 struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    const uint64_t join = arith_max(JOIN_GAP_BYTES / sector_bytes, 1);
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(img, from_sector, &run, err);
    *out = (struct stretch){.next_sector = run.first_sector};
    if (status != 0 || run.sectors == 0 || run.first_sector * sector_bytes >= disk_end) {
        return status;
    }
    uint64_t end = run.first_sector;
    out->begin_bytes = run.first_sector * sector_bytes / BLOCK_BYTES * BLOCK_BYTES;
    while (status == 0 && run.sectors > 0 && run.first_sector - end <= join) {
        end = run.first_sector + run.sectors;
        out->dirty_sectors += run.sectors;
        status = cow_image_next_dirty(img, end, &run, err);
    }
    out->next_sector = end;
    out->end_bytes = arith_min(arith_div_up(end * sector_bytes, BLOCK_BYTES) * BLOCK_BYTES, disk_end);
    return status;
}

static enum piece_kind kind_of_piece(const struct cow_run *run, uint64_t n_bytes, bool all_read)
{
    const bool moved = n_bytes >= LONG_RUN_BYTES && !all_read;
    switch (run->origin) {
    case COW_ORIGIN_COW:
        return moved ? PIECE_COW : PIECE_READ;
    case COW_ORIGIN_BACKING:
        return moved ? PIECE_BACKING : PIECE_READ;
    default:
        return PIECE_HOLE;
    }
}

int piece_next(struct piece *out, struct cow_image *img, uint64_t at, uint64_t end, bool all_read,
               struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    *out = (struct piece){.kind = PIECE_HOLE, .end_bytes = at};
    while (out->end_bytes < end) {
        const uint64_t begin = out->end_bytes;
        struct cow_run run;
        int status = cow_image_next_run(img, begin / sector_bytes, &run, err);
        if (status != 0) {
            return status;
        }
        uint64_t more = 0, stop = arith_min((run.first_sector + run.sectors) * sector_bytes, end);
        const enum piece_kind kind = kind_of_piece(&run, stop - begin, all_read);
        if (kind == PIECE_HOLE && stop < end) { /* runs may be short, and holes long */
            status = image_hole(img, begin / sector_bytes, &more, err);
            stop = arith_min(arith_max(stop, (begin / sector_bytes + more) * sector_bytes), end);
        }
        if (status != 0) {
            return status;
        }
        if (begin > at && (kind != out->kind || kind == PIECE_COW || kind == PIECE_BACKING)) {
            break;
        }
        *out = (struct piece){.kind = kind, .end_bytes = stop};
    }
    return 0;
}

/* The next dirty stretch that is of one kind. */
static int next_dirty_piece(struct foreign_piece *out, struct cow_image *img, uint64_t at,
                            struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_dirty_run run;
    struct piece piece;
    int status = cow_image_next_dirty(img, at / sector_bytes, &run, err);
    if (status != 0 || run.sectors == 0) {
        return status;
    }
    const uint64_t begin = arith_max(run.first_sector * sector_bytes, at);
    const uint64_t end = arith_min((run.first_sector + run.sectors) * sector_bytes, img->header.size_bytes);
    status = piece_next(&piece, img, begin, end, true, err);
    if (status == 0) {
        *out = (struct foreign_piece){begin, piece.end_bytes, piece.kind == PIECE_HOLE};
    }
    return status;
}

int foreign_next(struct foreign_piece *out, struct cow_image *img, uint64_t at, bool dirty_only,
                 struct cow_error *err)
{
    const uint64_t end = img->header.size_bytes;
    struct piece piece = {.kind = PIECE_HOLE, .end_bytes = at};
    int status = 0;
    *out = (struct foreign_piece){end, end, false};
    if (at >= end || dirty_only) {
        return at >= end ? 0 : next_dirty_piece(out, img, at, err);
    }
    while (status == 0 && piece.kind == PIECE_HOLE && piece.end_bytes < end) {
        at = piece.end_bytes;
        status = piece_next(&piece, img, at, end, true, err);
    }
    if (status == 0 && piece.kind != PIECE_HOLE) {
        *out = (struct foreign_piece){at, piece.end_bytes, false};
    }
    return status;
}
