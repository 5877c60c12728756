/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the header says, and what a kernel makes of it. share/doc/format.md tells where each fact was found.
 */
#include <inttypes.h>

#include "core/base/arith.h"
#include "core/check/finders.h"
#include "core/format/variants.h"
#include "cow/text.h"

enum { KERNEL_WORD_BYTES = 8, KERNEL_PIECE_BYTES = 2 * KERNEL_WORD_BYTES, SMALLEST_DISK_BYTES = 32768 };

static bool kernel_reads(enum cow_format format)
{
    return format == COW_FORMAT_V1 || format == COW_FORMAT_V2 || format == COW_FORMAT_V3 ||
           format == COW_FORMAT_V3_64;
}

void find_format(struct checkup *c)
{
    const enum cow_format format = c->img->header.format;
    const bool needs_backing = c->img->backing.facts.state == COW_BACKING_NONE;
    if (format == COW_FORMAT_V1_BE || format == COW_FORMAT_V1_BE_64) {
        report(
            c, COW_FINDING_BIG_ENDIAN,
            "the format is %s: the bitmap may be in numbers of that byte order, and the header does not tell",
            cow_format_title(format));
    } else if (!kernel_reads(format)) {
        report(c, COW_FINDING_FORMAT, "the format is %s%s", cow_format_title(format),
               needs_backing ? "; it has no backing file, and a v3 needs one" : "");
    }
}

void find_sector_size(struct checkup *c)
{
    if (c->img->header.sector_bytes != 512) {
        report(c, COW_FINDING_SECTOR_SIZE, "the sector size is %" PRIu32 " bytes, not 512",
               c->img->header.sector_bytes);
    }
}

void find_data_offset(struct checkup *c)
{
    const uint64_t offset = c->img->layout.data_offset;
    if (kernel_reads(c->img->header.format) && offset > INT32_MAX) {
        report(c, COW_FINDING_DATA_OFFSET, "the data begin at %" PRIu64 ", past %d", offset, INT32_MAX);
    }
}

void find_small_disk(struct checkup *c)
{
    char size[COW_SIZE_TEXT_BYTES];
    const uint64_t bytes = c->img->header.size_bytes;
    if (bytes <= SMALLEST_DISK_BYTES) {
        report(c, COW_FINDING_SMALL_DISK, "the disk has %" PRIu64 " bytes (%s)", bytes,
               cow_size_text(size, bytes));
    }
}

void find_tail(struct checkup *c)
{
    const struct cow_layout *l = &c->img->layout;
    const uint64_t tail = l->sectors - l->mapped_sectors;
    if (tail > 0) {
        struct cow_finding *finding =
            report(c, COW_FINDING_TAIL, "the last %" PRIu64 " of %" PRIu64 " sectors have no bit%s", tail,
                   l->sectors, c->usage.tail_bits ? "; a guest has written there, and that was lost" : "");
        finding->first_sector = l->mapped_sectors;
        finding->sectors = tail;
    }
}

/* Where a kernel's last piece of the bitmap ends. It writes two words, the one with the bit and the next; of
 * the last word that it counts, that and the one before. The bits of a v1's or v2's tail, where they lie past
 * the last word, are not recognised as such. */
static uint64_t last_piece_end(const struct cow_layout *l)
{
    const bool tail_past_words = l->sectors > l->mapped_sectors && l->bitmap_bytes % KERNEL_WORD_BYTES == 0;
    const uint64_t words = arith_div_up(l->bitmap_bytes, KERNEL_WORD_BYTES);
    return l->bitmap_offset + words * KERNEL_WORD_BYTES + (tail_past_words ? KERNEL_PIECE_BYTES : 0);
}

void find_overlap(struct checkup *c)
{
    const struct cow_header *h = &c->img->header;
    const struct cow_layout *l = &c->img->layout;
    const uint64_t end = last_piece_end(l);
    if (kernel_reads(h->format) && h->sector_bytes == 512 && h->size_bytes > SMALLEST_DISK_BYTES &&
        end > l->data_offset) {
        struct cow_finding *finding = report(c, COW_FINDING_OVERLAP,
                                             "a kernel writes the bitmap in pieces of %d bytes; the last one "
                                             "reaches %" PRIu64 " bytes into sector 0",
                                             KERNEL_PIECE_BYTES, end - l->data_offset);
        finding->sectors = 1;
    }
}

void find_cow_format(struct checkup *c)
{
    if (c->img->header.cow_format != 0) {
        report(c, COW_FINDING_COW_FORMAT, "the field \"cow format\" is %" PRIu32 ", not 0",
               c->img->header.cow_format);
    }
}

void find_refused(struct checkup *c)
{
    for (size_t code = 0; code < COW_FINDINGS; code++) {
        if (c->found[code] && cow_finding_severity((enum cow_finding_code)code) >= COW_SEVERITY_ERROR) {
            return;
        }
    }
    if (!c->verdict.opens && !c->verdict.unknown) {
        report(c, COW_FINDING_REFUSED, "a UML kernel says: %s", c->verdict.reason);
    }
}
