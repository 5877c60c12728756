/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See shrink.h. What the guest's filesystems need is asked from the room that reads them.
 */
#include "core/change/shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "cow/fs.h"
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

static int refuse_filesystem(const struct cow_image *img, const struct cow_volume *volume,
                             uint64_t size_bytes, struct cow_error *err)
{
    char least[COW_SIZE_TEXT_BYTES];
    cow_error_set(err, COW_REFUSED,
                  "%s: the guest's ext filesystem has %" PRIu64 " bytes, the new size is %" PRIu64, img->path,
                  volume->fs_bytes, size_bytes);
    if (volume->readable && volume->minimum_bytes > size_bytes) {
        return cow_error_hint(err,
                              "it could be shrunk to %" PRIu64 " bytes (%s) in the guest, but not further",
                              volume->minimum_bytes, cow_size_text(least, volume->minimum_bytes));
    }
    return cow_error_hint(err, "shrink the filesystem in the guest first: resize2fs /dev/ubda %" PRIu64 "K",
                          size_bytes / 1024);
}

/* Refuses a size that cuts one of the guest's filesystems, or a partition. */
static int check_filesystems(struct cow_image *img, uint64_t size_bytes, struct cow_error *err)
{
    struct cow_fs *fs;
    size_t n;
    int status = cow_fs_open(&fs, img, err);
    if (status != 0) {
        return status;
    }
    const struct cow_volume *volume = cow_fs_volumes(fs, &n);
    for (size_t i = 0; i < n && status == 0; i++) {
        const uint64_t end = volume[i].first_byte + volume[i].size_bytes;
        if (volume[i].partition == 0 && volume[i].fs_bytes > size_bytes) {
            status = refuse_filesystem(img, &volume[i], size_bytes, err);
        } else if (volume[i].partition > 0 && end > size_bytes) {
            cow_error_set(err, COW_REFUSED,
                          "%s: partition %u (%s) ends at %" PRIu64 ", the new size is %" PRIu64, img->path,
                          volume[i].partition, volume[i].type[0] != '\0' ? volume[i].type : "nothing known",
                          end, size_bytes);
            status = cow_error_hint(err, "shrink what is in it, and then the partition, in the guest first");
        }
    }
    cow_fs_close(fs);
    return status;
}

int shrink_check(struct cow_image *img, uint64_t size_bytes, struct cow_error *err)
{
    struct losses losses = {0, 0};
    char size[COW_SIZE_TEXT_BYTES], least[COW_SIZE_TEXT_BYTES];
    int status = check_filesystems(img, size_bytes, err);
    uint8_t *buffer = status == 0 ? malloc(2 * PIECE_BYTES) : NULL;
    if (status == 0 && buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status == 0) {
        status = scan(img, size_bytes, buffer, &losses, err);
    }
    free(buffer);
    if (status != 0) {
        return status;
    }
    cow_size_text(size, size_bytes);
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
