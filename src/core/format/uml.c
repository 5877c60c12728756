/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The driver of UML's COW and of QEMU's old "cow": one header, one flat bitmap, and the data of all sectors
 * behind it, each at its place whether its bit is set or not. What differs between the variants stands in
 * variants.c; header.c decodes, layout.c computes.
 *
 * Hazard: where the bitmap of a v1 or v2 ends within a byte, the last sectors have no bit (mapped_sectors),
 * and what lies behind the bitmap may be the first byte of the data. The bits of a page are therefore masked
 * by the one who asked.
 */
#include <string.h>

#include "core/base/arith.h"
#include "core/format/driver.h"

static bool uml_probe(const struct format_source *source)
{
    return source->n_bytes >= 4 &&
           (memcmp(source->bytes, "OOOM", 4) == 0 || memcmp(source->bytes, "MOOO", 4) == 0);
}

void format_uml_disk(struct format_disk *out, const struct cow_header *header,
                     const struct cow_layout *layout)
{
    *out = (struct format_disk){.driver = &format_uml,
                                .size_bytes = header->size_bytes,
                                .sector_bytes = header->sector_bytes,
                                .sectors = layout->sectors,
                                .mapped_sectors = layout->mapped_sectors,
                                .bits_offset = layout->bitmap_offset,
                                .data_offset = layout->data_offset};
}

static int uml_decode(struct format_disk *out, struct cow_header *header, const struct format_source *source,
                      struct cow_error *err)
{
    struct cow_header decoded;
    struct cow_layout layout;
    int status = cow_header_decode(&decoded, source->bytes, source->n_bytes, source->file_bytes,
                                   source->backing_bytes, err);
    if (status == 0 && !decoded.unfinished) {
        status = cow_layout_of(&layout, &decoded, err);
    }
    if (status != 0) {
        return status;
    }
    *header = decoded;
    if (!decoded.unfinished) {
        format_uml_disk(out, &decoded, &layout);
    }
    return 0;
}

/* A page that lies in a hole of the file has no bit. */
static int uml_guess_bits(const struct format_disk *disk, const struct format_file *file, uint64_t page,
                          enum format_bits *out, uint64_t *pages)
{
    const uint64_t begin = disk->bits_offset + page * FORMAT_PAGE_BYTES;
    struct io_extent extent;
    int status = io_extent_at(file->io, file->fd, begin, INT64_MAX, &extent);
    if (status < 0) {
        return status;
    }
    const uint64_t whole = (extent.end - begin) / FORMAT_PAGE_BYTES;
    const bool hole = !extent.data && whole > 0;
    *out = hole ? FORMAT_BITS_CLEAR : FORMAT_BITS_MIXED;
    *pages = hole ? whole : extent.data ? arith_div_up(extent.end - begin, FORMAT_PAGE_BYTES) : 1;
    return 0;
}

static int uml_fill_bits(const struct format_disk *disk, const struct format_file *file, uint64_t page,
                         uint8_t *bytes, size_t n_bytes)
{
    return io_read_padded(file->io, file->fd, bytes, n_bytes, disk->bits_offset + page * FORMAT_PAGE_BYTES);
}

static int uml_place(const struct format_disk *disk, const struct format_file *file, uint64_t sector,
                     struct format_place *out)
{
    (void)file;
    const bool above = disk->gap_bytes > 0 && sector >= disk->gap_sector;
    const uint64_t end =
        disk->gap_bytes > 0 && !above ? arith_min(disk->gap_sector, disk->sectors) : disk->sectors;
    *out = (struct format_place){
        FORMAT_PLACE_FILE, disk->data_offset + sector * disk->sector_bytes + (above ? disk->gap_bytes : 0),
        sector < end ? end - sector : 1};
    return 0;
}

const struct format_driver format_uml = {.name = "cow",
                                         .title = "COW image",
                                         .probe = uml_probe,
                                         .decode = uml_decode,
                                         .guess_bits = uml_guess_bits,
                                         .fill_bits = uml_fill_bits,
                                         .place = uml_place};
