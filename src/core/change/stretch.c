/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See stretch.h.
 */
#include "core/change/stretch.h"

#include "core/base/arith.h"

enum { JOIN_GAP_BYTES = 16 * 1024, BLOCK_BYTES = 4096 };

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

static int data_bytes(struct cow_image *img, const struct stretch *stretch, uint64_t *sum,
                      struct cow_error *err)
{
    const uint64_t base = img->layout.data_offset;
    for (uint64_t at = stretch->begin_bytes; at < stretch->end_bytes;) {
        struct io_extent extent;
        int status = host_file_extent(img->io, &img->cow, base + at, base + stretch->end_bytes, &extent);
        if (status < 0) {
            return cow_error_system(err, -status, "%s: looking for holes", img->path);
        }
        *sum += extent.data ? extent.end - extent.begin : 0;
        at = extent.end - base;
    }
    return 0;
}

int stretch_data_bytes(uint64_t *out, struct cow_image *img, uint64_t disk_end, struct cow_error *err)
{
    struct stretch stretch = {.next_sector = 0};
    uint64_t sum = 0;
    int status = 0;
    do {
        status = stretch_next(&stretch, img, stretch.next_sector, disk_end, err);
        if (status == 0) {
            status = data_bytes(img, &stretch, &sum, err);
        }
    } while (status == 0 && stretch.dirty_sectors > 0);
    if (status == 0) {
        *out = sum;
    }
    return status;
}
