/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A raw disk: the file is the disk, byte by byte. It has every sector, and each lies where it lies on the
 * disk. Sectors are 512 bytes, for that is what COW images on it count in.
 */
#include <inttypes.h>

#include "core/base/arith.h"
#include "core/format/driver.h"
#include "core/format/variants.h"

#include <string.h>

enum { RAW_SECTOR_BYTES = 512 };

static bool raw_probe(const struct format_source *source)
{
    (void)source;
    return true;
}

static int raw_decode(struct format_disk *out, struct cow_header *header, const struct format_source *source,
                      struct cow_error *err)
{
    const uint64_t size_bytes = source->file_bytes;
    if (size_bytes == 0 || size_bytes >= SIZE_LIMIT_BYTES) {
        return cow_error_set(err, COW_INVALID, "%" PRId64 " bytes are no size of a disk",
                             (int64_t)size_bytes);
    }
    const uint64_t sectors = arith_div_up(size_bytes, RAW_SECTOR_BYTES);
    *header = (struct cow_header){
        .format = COW_FORMAT_RAW, .size_bytes = size_bytes, .sector_bytes = RAW_SECTOR_BYTES};
    *out = (struct format_disk){.driver = &format_raw,
                                .size_bytes = size_bytes,
                                .sector_bytes = RAW_SECTOR_BYTES,
                                .sectors = sectors,
                                .mapped_sectors = sectors};
    return 0;
}

static int raw_guess_bits(const struct format_disk *disk, const struct format_file *file, uint64_t page,
                          enum format_bits *out, uint64_t *pages)
{
    (void)disk;
    (void)file;
    (void)page;
    *out = FORMAT_BITS_SET;
    *pages = UINT64_MAX;
    return 0;
}

static int raw_fill_bits(const struct format_disk *disk, const struct format_file *file, uint64_t page,
                         uint8_t *bytes, size_t n_bytes)
{
    (void)disk;
    (void)file;
    (void)page;
    memset(bytes, 0xff, n_bytes);
    return 0;
}

static int raw_place(const struct format_disk *disk, const struct format_file *file, uint64_t sector,
                     struct format_place *out)
{
    (void)file;
    *out = (struct format_place){FORMAT_PLACE_FILE, sector * RAW_SECTOR_BYTES,
                                 sector < disk->sectors ? disk->sectors - sector : 1};
    return 0;
}

const struct format_driver format_raw = {.name = "raw",
                                         .title = "raw disk",
                                         .flat = true,
                                         .probe = raw_probe,
                                         .decode = raw_decode,
                                         .guess_bits = raw_guess_bits,
                                         .fill_bits = raw_fill_bits,
                                         .place = raw_place};
