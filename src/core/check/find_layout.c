/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The file against its layout: what is missing, what is too much, what is in between. A file that ends after
 * its bitmap, or after its last dirty sector, is as kernels make it, and no finding.
 */
#include <inttypes.h>

#include "core/base/arith.h"
#include "core/check/finders.h"
#include "cow/text.h"

enum {
    SLACK_BYTES = 24,        /* a kernel's pieces of the bitmap can reach that far past it */
    HOST_BLOCK_BYTES = 4096, /* what one byte costs on most filesystems */
    INFLATED_BYTES = 1024 * 1024,
};

void find_bitmap_cut(struct checkup *c)
{
    const struct cow_layout *l = &c->img->layout;
    const uint64_t end = l->bitmap_offset + l->bitmap_bytes;
    if (c->usage.file_bytes < end) {
        report(c, COW_FINDING_BITMAP_CUT,
               "the file ends at %" PRIu64 ", and its bitmap would at %" PRIu64 ": %" PRIu64
               " bytes of it are missing",
               c->usage.file_bytes, end, arith_min(end - c->usage.file_bytes, l->bitmap_bytes));
    }
}

int find_data_cut(struct checkup *c, struct cow_error *err)
{
    const struct cow_layout *l = &c->img->layout;
    const uint64_t file = c->usage.file_bytes;
    const uint64_t have = file > l->data_offset ? file - l->data_offset : 0;
    const uint64_t first = have / c->img->header.sector_bytes;
    struct cow_density missing = {.dirty_sectors = 0};
    if (have >= c->img->header.size_bytes) {
        return 0;
    }
    int status = cow_image_density(c->img, first, l->sectors - first, &missing, err);
    if (status == 0 && missing.dirty_sectors > 0) {
        struct cow_finding *finding =
            report(c, COW_FINDING_DATA_CUT,
                   "the file ends at %" PRIu64 ": the data of %" PRIu64
                   " dirty sector%s, from sector %" PRIu64 " on, are missing",
                   file, missing.dirty_sectors, plural(missing.dirty_sectors), first);
        finding->first_sector = first;
        finding->sectors = l->sectors - first;
    }
    return status;
}

void find_file_long(struct checkup *c)
{
    const struct cow_layout *l = &c->img->layout;
    const uint64_t end = arith_max(l->end_offset, l->bitmap_offset + l->bitmap_bytes + SLACK_BYTES);
    char size[COW_SIZE_TEXT_BYTES];
    if (c->usage.file_bytes > end && !c->img->is_half) {
        report(c, COW_FINDING_FILE_LONG,
               "the file has %" PRIu64 " bytes, %" PRIu64 " (%s) more than its layout", c->usage.file_bytes,
               c->usage.file_bytes - end, cow_size_text(size, c->usage.file_bytes - end));
    }
}

static unsigned bits_in(uint8_t byte)
{
    return (unsigned)__builtin_popcount(byte);
}

/* A v1 or v2 has no padding in its last byte; what lies behind it is the tail's. */
int find_padding(struct checkup *c, struct cow_error *err)
{
    const struct cow_image *img = c->img;
    const struct cow_layout *l = &img->layout;
    const uint64_t end = l->bitmap_offset + l->bitmap_bytes;
    const unsigned last_bits = (unsigned)(l->sectors % 8);
    uint8_t bytes[1 + SLACK_BYTES];
    if (l->mapped_sectors < l->sectors || l->bitmap_bytes == 0) {
        return 0;
    }
    const size_t behind = (size_t)arith_min(SLACK_BYTES, l->data_offset - end);
    int status = io_read_padded(img->io, img->cow.fd, bytes, 1 + behind, end - 1);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: reading the bitmap's end", img->path);
    }
    unsigned bits = last_bits == 0 ? 0 : bits_in((uint8_t)(bytes[0] >> last_bits));
    for (size_t i = 1; i <= behind; i++) {
        bits += bits_in(bytes[i]);
    }
    if (bits > 0) {
        report(c, COW_FINDING_PADDING, "%u bit%s behind that of the last sector, %" PRIu64 ", %s set", bits,
               plural(bits), l->sectors - 1, bits == 1 ? "is" : "are");
    }
    return 0;
}

/* What the file needs where a byte costs a block: header, bitmap, and what is dirty. */
static int needed_bytes(struct checkup *c, uint64_t *out, struct cow_error *err)
{
    const struct cow_layout *l = &c->img->layout;
    const uint64_t sector_bytes = c->img->header.sector_bytes;
    struct cow_dirty_run run = {0, 0};
    uint64_t blocks = 0, counted = 0; /* blocks before `counted` are */
    int status = 0;
    do {
        status = cow_image_next_dirty(c->img, run.first_sector + run.sectors, &run, err);
        if (status == 0 && run.sectors > 0) {
            const uint64_t begin = cow_layout_place(l, run.first_sector * sector_bytes);
            const uint64_t first = arith_max(begin / HOST_BLOCK_BYTES, counted);
            counted = arith_div_up(begin + run.sectors * sector_bytes, HOST_BLOCK_BYTES);
            blocks += counted - arith_min(first, counted);
        }
    } while (status == 0 && run.sectors > 0);
    *out = blocks * HOST_BLOCK_BYTES +
           arith_min(l->data_offset, l->header_bytes + l->bitmap_bytes + (uint64_t)4 * HOST_BLOCK_BYTES);
    return status;
}

int find_inflated(struct checkup *c, struct cow_error *err)
{
    char allocated[COW_SIZE_TEXT_BYTES], needed_text[COW_SIZE_TEXT_BYTES], waste[COW_SIZE_TEXT_BYTES];
    uint64_t needed;
    if (c->usage.allocated_bytes <= INFLATED_BYTES) {
        return 0;
    }
    int status = needed_bytes(c, &needed, err);
    if (status != 0 || c->usage.allocated_bytes < needed + arith_max(needed, INFLATED_BYTES)) {
        return status;
    }
    report(
        c, COW_FINDING_INFLATED,
        "the file takes %s, what it holds needs %s: %s of holes were filled, as by copying without --sparse",
        cow_size_text(allocated, c->usage.allocated_bytes), cow_size_text(needed_text, needed),
        cow_size_text(waste, c->usage.allocated_bytes - needed));
    return 0;
}
