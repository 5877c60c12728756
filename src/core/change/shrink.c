/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See shrink.h. Of the guest's filesystem only the superblock is read, from the composed disk (Linux,
 * fs/ext4/ext4.h, struct ext4_super_block: it lies at byte 1024).
 */
#include "core/change/shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "cow/text.h"

enum { PIECE_BYTES = 64 * 1024 };

struct losses {
    uint64_t sectors;
    uint64_t last_byte; /* one past the last one that matters */
};

/* One stretch of dirty data: its sectors that are neither zero nor redundant. */
static int count_losses(struct cow_image *img, uint64_t offset, size_t n_bytes, uint8_t *buffer,
                        struct losses *losses, struct cow_error *err)
{
    const size_t sector_bytes = img->header.sector_bytes;
    uint8_t *backing = buffer + PIECE_BYTES;
    int status = cow_image_read_side(img, COW_SIDE_COW, offset, buffer, n_bytes, err);
    if (status == 0 && !bytes_all_zero(buffer, n_bytes)) {
        status = cow_image_read_side(img, COW_SIDE_BACKING, offset, backing, n_bytes, err);
        size_t length;
        for (size_t at = 0; status == 0 && at < n_bytes; at += length) {
            length = (size_t)arith_min(sector_bytes - (offset + at) % sector_bytes, n_bytes - at);
            if (!bytes_all_zero(buffer + at, length) && memcmp(buffer + at, backing + at, length) != 0) {
                losses->sectors++;
                losses->last_byte = offset + at + length;
            }
        }
    }
    return status;
}

static int scan(struct cow_image *img, uint64_t from_bytes, uint8_t *buffer, struct losses *losses,
                struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_run run;
    int status = cow_image_next_run(img, from_bytes / sector_bytes, &run, err);
    while (status == 0 && run.sectors > 0) {
        uint64_t offset = arith_max(run.first_sector * sector_bytes, from_bytes);
        uint64_t end = arith_min((run.first_sector + run.sectors) * sector_bytes, img->header.size_bytes);
        while (status == 0 && run.origin == COW_ORIGIN_COW && offset < end) {
            /* up to a border that is one of sectors, too: they divide it */
            size_t piece = (size_t)arith_min(end - offset, PIECE_BYTES - offset % PIECE_BYTES);
            status = count_losses(img, offset, piece, buffer, losses, err);
            offset += piece;
        }
        if (status == 0) {
            status = cow_image_next_run(img, run.first_sector + run.sectors, &run, err);
        }
    }
    return status;
}

/* The size of an ext2/3/4 filesystem that begins at the disk's first byte, or 0. */
static int ext_bytes(struct cow_image *img, uint64_t *out, struct cow_error *err)
{
    uint8_t super[1024];
    *out = 0;
    if (img->header.size_bytes < 2048) {
        return 0;
    }
    int status = cow_image_read(img, 1024, super, sizeof super, err);
    if (status != 0 || bytes_get(super + 56, 2, false) != 0xef53) {
        return status;
    }
    uint64_t blocks = bytes_get(super + 4, 4, false);
    const bool wide = bytes_get(super + 96, 4, false) & 0x80; /* INCOMPAT_64BIT */
    const uint64_t shift = bytes_get(super + 24, 4, false);
    blocks |= wide ? bytes_get(super + 336, 4, false) << 32 : 0;
    if (shift <= 6 && blocks < UINT64_C(1) << 46) {
        *out = blocks << (10 + shift);
    }
    return 0;
}

int shrink_check(struct cow_image *img, uint64_t size_bytes, struct cow_error *err)
{
    struct losses losses = {0, 0};
    uint64_t filesystem;
    uint8_t *buffer = malloc(2 * PIECE_BYTES);
    if (buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = ext_bytes(img, &filesystem, err);
    if (status == 0) {
        status = scan(img, size_bytes, buffer, &losses, err);
    }
    free(buffer);
    if (status != 0) {
        return status;
    }
    char size[COW_SIZE_TEXT_BYTES], least[COW_SIZE_TEXT_BYTES];
    cow_size_text(size, size_bytes);
    if (filesystem > size_bytes) {
        cow_error_set(err, COW_REFUSED,
                      "%s: the guest's ext filesystem has %" PRIu64 " bytes, the new size is %" PRIu64,
                      img->path, filesystem, size_bytes);
        return cow_error_hint(err,
                              "shrink the filesystem in the guest first: resize2fs /dev/ubda %" PRIu64 "K",
                              size_bytes / 1024);
    }
    if (losses.sectors > 0) {
        cow_error_set(err, COW_REFUSED,
                      "%s: %" PRIu64
                      " sectors past %s hold data that would be lost; the last ends at %" PRIu64,
                      img->path, losses.sectors, size, losses.last_byte);
        uint64_t smallest = arith_div_up(losses.last_byte, 512) * 512;
        return cow_error_hint(err, "the smallest size that loses nothing is %s",
                              cow_size_argument(least, smallest));
    }
    return 0;
}
