/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See gpt.h. Offsets: UEFI specification, 5.3; the kernel's gpt_header in block/partitions/efi.h.
 */
#include "core/volumes/gpt.h"

#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"

enum {
    SECTOR_BYTES = 512,
    HEADER_BYTES = 92, /* at least */
    ENTRY_BYTES = 128, /* at least */
    ENTRY_BYTES_MAX = 4096,
    ENTRIES_MAX = 1024,
};

static uint64_t gpt_number(const uint8_t *bytes, unsigned offset, unsigned width_bytes)
{
    return bytes_get(bytes + offset, width_bytes, false);
}

/* A header that says that it lies in that sector, and whose checksum says that it is whole. */
static bool is_header(const uint8_t sector[SECTOR_BYTES], uint64_t lba)
{
    uint8_t copy[SECTOR_BYTES];
    const uint64_t n_bytes = gpt_number(sector, 12, 4);
    if (memcmp(sector, "EFI PART", 8) != 0 || n_bytes < HEADER_BYTES || n_bytes > SECTOR_BYTES ||
        gpt_number(sector, 24, 8) != lba) {
        return false;
    }
    memcpy(copy, sector, sizeof copy);
    memset(copy + 16, 0, 4);
    return crc_ieee(copy, (size_t)n_bytes) == gpt_number(sector, 16, 4);
}

static int read_header(bool *valid, uint8_t sector[SECTOR_BYTES], const struct source *disk, uint64_t lba,
                       struct cow_error *err)
{
    *valid = false;
    if (lba >= disk->size_bytes / SECTOR_BYTES) {
        return 0;
    }
    int status = source_read(disk, lba * SECTOR_BYTES, sector, SECTOR_BYTES, err);
    *valid = status == 0 && is_header(sector, lba);
    return status;
}

static uint64_t bytes_of(uint64_t sectors)
{
    uint64_t bytes;
    return arith_mul(&bytes, sectors, SECTOR_BYTES) ? bytes : UINT64_MAX;
}

int gpt_read(struct cow_gpt *out, const struct source *disk, struct cow_error *err)
{
    uint8_t first[SECTOR_BYTES], second[SECTOR_BYTES];
    const uint64_t last = arith_sub_floor(disk->size_bytes / SECTOR_BYTES, 1);
    *out = (struct cow_gpt){.present = false};
    if (last < 2) {
        return 0;
    }
    int status = read_header(&out->primary, first, disk, 1, err);
    const uint64_t alternate = out->primary ? gpt_number(first, 32, 8) : last;
    if (status == 0) {
        status = read_header(&out->backup, second, disk, alternate, err);
    }
    if (status != 0 || (!out->primary && !out->backup)) {
        return status;
    }
    const uint8_t *header = out->primary ? first : second;
    const uint64_t usable = gpt_number(header, 48, 8);
    out->present = true;
    out->backup_at_end = alternate == last;
    out->backup_byte = bytes_of(alternate);
    out->usable_end = usable < UINT64_MAX ? bytes_of(usable + 1) : UINT64_MAX;
    return 0;
}

int gpt_list(const struct source *disk,
             void (*take)(void *context, unsigned partition, uint64_t first_byte, uint64_t size_bytes),
             void *context, struct cow_error *err)
{
    uint8_t header[SECTOR_BYTES], entry[ENTRY_BYTES];
    bool valid;
    int status = read_header(&valid, header, disk, 1, err);
    if (status != 0 || !valid) {
        return status;
    }
    const uint64_t entries = arith_min(gpt_number(header, 80, 4), ENTRIES_MAX),
                   step = gpt_number(header, 84, 4);
    uint64_t at = bytes_of(gpt_number(header, 72, 8));
    if (step < ENTRY_BYTES || step > ENTRY_BYTES_MAX) {
        return 0;
    }
    for (uint64_t i = 0; i < entries && status == 0 && at < disk->size_bytes; i++, at += step) {
        status = source_read(disk, at, entry, sizeof entry, err);
        const uint64_t first = gpt_number(entry, 32, 8), last = gpt_number(entry, 40, 8);
        if (status == 0 && !bytes_all_zero(entry, 16) && first <= last && last < UINT64_MAX / SECTOR_BYTES) {
            take(context, (unsigned)i + 1, bytes_of(first), bytes_of(last - first + 1));
        }
    }
    return status;
}
