/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes become numbers here, once. Recognising goes by magic and version to a short list of candidates, then
 * by what is plausible; share/doc/format.md tells why in this order.
 */
#include "cow/header.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/format/variants.h"
#include "cow/layout.h"
#include "cow/text.h"

/* What is in the file, before a candidate has been chosen. */
struct source {
    const uint8_t *bytes;
    size_t n_bytes;
    uint64_t file_bytes;
    uint64_t backing_bytes; /* UINT64_MAX: unknown */
};

static uint64_t field(const struct source *source, const struct variant *v, struct span span)
{
    return span.width_bytes == 0
               ? 0
               : bytes_get(source->bytes + span.offset_bytes, span.width_bytes, v->big_endian);
}

static int check_numbers(const struct cow_header *h, uint64_t size_bytes, struct cow_error *err)
{
    if (!arith_is_power_of_two(h->sector_bytes) || h->sector_bytes < 512 || h->sector_bytes > 65536) {
        return cow_error_set(err, COW_INVALID,
                             "header: sector size is %" PRIu32 ", not a power of two from 512 to 65536",
                             h->sector_bytes);
    }
    if (variants[h->format].geometry == GEOMETRY_ALIGNED && (h->alignment == 0 || h->alignment > INT32_MAX)) {
        return cow_error_set(err, COW_INVALID, "header: alignment is %" PRIu32 ", not from 1 to %d%s",
                             h->alignment, INT32_MAX,
                             h->alignment == 0 ? " (it makes a UML kernel panic)" : "");
    }
    if (size_bytes == SIZE_UNFINISHED) {
        return 0;
    }
    if (size_bytes == 0 || size_bytes >= SIZE_LIMIT_BYTES) {
        return cow_error_set(err, COW_INVALID, "header: size is %" PRIu64 " bytes, not from 1 to 8 TiB - 1",
                             size_bytes);
    }
    return 0;
}

static int read_path(struct cow_header *h, const struct source *source, const struct variant *v,
                     struct cow_error *err)
{
    const char *path = (const char *)source->bytes + v->path.offset_bytes;
    size_t length = strnlen(path, v->path.width_bytes);
    if (length == v->path.width_bytes) {
        return cow_error_set(err, COW_INVALID,
                             "header: the backing path does not end (no NUL in its %u bytes)",
                             (unsigned)v->path.width_bytes);
    }
    if (length == 0 && v->geometry != GEOMETRY_QEMU) {
        return cow_error_set(err, COW_INVALID, "header: the backing path is empty");
    }
    memcpy(h->backing_path, path, length + 1);
    return 0;
}

/* Decodes as one given variant, with every field in range or an error that names it. */
static int decode_as(struct cow_header *out, enum cow_format format, const struct source *source,
                     struct cow_error *err)
{
    const struct variant *v = &variants[format];
    if (source->n_bytes < v->header_bytes) {
        return cow_error_set(err, COW_INVALID, "header: cut off after %zu bytes; that of a %s has %u",
                             source->n_bytes, v->title, (unsigned)v->header_bytes);
    }
    struct cow_header h = {.format = format, .version = v->version, .big_endian = v->big_endian};
    uint64_t size_bytes = field(source, v, v->size);
    h.sector_bytes = (uint32_t)field(source, v, v->sector);
    h.alignment = (uint32_t)field(source, v, v->alignment);
    h.cow_format = (uint32_t)field(source, v, v->cow_format);
    h.mtime = (uint32_t)field(source, v, v->mtime);
    int status = check_numbers(&h, size_bytes, err);
    if (status == 0) {
        status = read_path(&h, source, v, err);
    }
    if (status != 0) {
        return status;
    }
    h.unfinished = size_bytes == SIZE_UNFINISHED;
    h.size_bytes = h.unfinished ? 0 : size_bytes;
    *out = h;
    return 0;
}

/* A file that is longer than its layout allows was probably written in another one. 24: the kernel writes the
 * bitmap in pieces, a little past its end. */
static bool length_plausible(const struct cow_header *h, uint64_t file_bytes)
{
    struct cow_layout layout;
    if (h->unfinished) {
        return true;
    }
    if (cow_layout_of(&layout, h, NULL) != 0) {
        return false;
    }
    return file_bytes <= arith_max(layout.end_offset, layout.bitmap_offset + layout.bitmap_bytes + 24);
}

static bool qemu_plausible(enum cow_format format, const struct source *source)
{
    const struct variant *v = &variants[format];
    if (source->n_bytes < v->header_bytes) {
        return false;
    }
    /* QEMU cleared its header before it filled it in; UML's v2 path field goes on where QEMU's ends. */
    size_t length = strnlen((const char *)source->bytes + 8, 1024);
    if (length == 1024 || !bytes_all_zero(source->bytes + 8 + length, 1024 - length)) {
        return false;
    }
    if (format == COW_FORMAT_QEMU &&
        (bytes_get(source->bytes + 1036, 4, true) != 0 || bytes_get(source->bytes + 1052, 4, true) != 0)) {
        return false;
    }
    struct cow_header h;
    struct cow_layout layout;
    return decode_as(&h, format, source, NULL) == 0 && h.sector_bytes == 512 &&
           (h.unfinished || (h.size_bytes % 512 == 0 && cow_layout_of(&layout, &h, NULL) == 0 &&
                             source->file_bytes >= layout.bitmap_offset + layout.bitmap_bytes));
}

/* Beyond the fields' ranges: what must hold for this candidate and not for its rivals. */
static bool plausible(enum cow_format format, const struct source *source)
{
    struct cow_header h;
    if (format == COW_FORMAT_QEMU || format == COW_FORMAT_QEMU_I386) {
        return qemu_plausible(format, source);
    }
    if (format == COW_FORMAT_V1_64 &&
        (source->n_bytes < 272 || bytes_get(source->bytes + 268, 4, false) != 0)) {
        return false;
    }
    if (format == COW_FORMAT_V1_BE_64 &&
        (source->n_bytes < 272 || bytes_get(source->bytes + 264, 4, true) != 0)) {
        return false; /* the high half of a 64-bit mtime */
    }
    if (format == COW_FORMAT_V2_64 &&
        (source->n_bytes < 4112 || bytes_get(source->bytes + 4108, 4, true) != 0)) {
        return false;
    }
    return decode_as(&h, format, source, NULL) == 0 && length_plausible(&h, source->file_bytes);
}

enum { CANDIDATES_MAX = 4 };

/* The variants with this magic and version, the most telling first. */
static size_t candidates(enum cow_format out[CANDIDATES_MAX], const struct source *source)
{
    static const enum cow_format order[] = {COW_FORMAT_V1,        COW_FORMAT_V1_64,   COW_FORMAT_V1_BE,
                                            COW_FORMAT_V1_BE_64,  COW_FORMAT_V2_LONG, COW_FORMAT_QEMU,
                                            COW_FORMAT_QEMU_I386, COW_FORMAT_V2,      COW_FORMAT_V2_64};
    size_t n = 0;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const struct variant *v = &variants[order[i]];
        if (source->n_bytes >= v->magic_bytes && memcmp(source->bytes, v->magic, v->magic_bytes) == 0) {
            out[n++] = order[i];
        }
    }
    if (source->n_bytes >= 8 && memcmp(source->bytes, variants[COW_FORMAT_V3].magic, 8) == 0) {
        /* The kernel's own rule: the packed form has a path at 32, the broken one has cow_format 0 there. */
        bool broken = source->n_bytes >= 36 && bytes_all_zero(source->bytes + 32, 4);
        out[n++] = broken ? COW_FORMAT_V3_64 : COW_FORMAT_V3;
    }
    return n;
}

static int not_a_cow(const struct source *source, struct cow_error *err)
{
    if (source->file_bytes == 0) {
        return cow_error_set(err, COW_NOT_COW, "not a COW image: the file is empty");
    }
    if (source->n_bytes >= 4 && source->n_bytes < 8 &&
        (memcmp(source->bytes, "OOOM", 4) == 0 || memcmp(source->bytes, "MOOO", 4) == 0)) {
        return cow_error_set(err, COW_INVALID, "header: cut off after %zu bytes, before its version",
                             source->n_bytes);
    }
    if (source->n_bytes >= 8 && memcmp(source->bytes, "OOOM", 4) == 0) {
        return cow_error_set(err, COW_UNSUPPORTED, "a COW image of version %" PRIu64 ", which is not known",
                             bytes_get(source->bytes + 4, 4, true));
    }
    if (source->n_bytes >= 8 && memcmp(source->bytes, "MOOO", 4) == 0) {
        return cow_error_set(err, COW_UNSUPPORTED,
                             "a COW image of version %" PRIu64 " (little endian), which is not known",
                             bytes_get(source->bytes + 4, 4, false));
    }
    return cow_error_set(err, COW_NOT_COW,
                         "not a COW image: it does not begin with the magic \"OOOM\" or \"MOOO\"");
}

int cow_header_decode(struct cow_header *out, const uint8_t *bytes, size_t n_bytes, uint64_t file_bytes,
                      uint64_t backing_bytes, struct cow_error *err)
{
    const struct source source = {bytes, n_bytes, file_bytes, backing_bytes};
    enum cow_format list[CANDIDATES_MAX];
    size_t n = candidates(list, &source);
    if (n == 0) {
        return not_a_cow(&source, err);
    }
    struct cow_header found = {.format = COW_FORMATS};
    for (size_t i = 0; i < n; i++) {
        struct cow_header h;
        if (!plausible(list[i], &source) || decode_as(&h, list[i], &source, NULL) != 0) {
            continue;
        }
        bool fits_backing = backing_bytes != UINT64_MAX && h.size_bytes == backing_bytes;
        if (found.format == COW_FORMATS || (fits_backing && found.size_bytes != backing_bytes)) {
            found = h;
        }
    }
    if (found.format != COW_FORMATS) {
        *out = found;
        return 0;
    }
    /* None fits in every respect: the UML form that is the usual one, with its own error, or none at all if
     * just the length of the file is odd. */
    enum cow_format usual = list[0];
    for (size_t i = 0; i < n; i++) {
        usual = list[i] == COW_FORMAT_V2 ? COW_FORMAT_V2 : usual;
    }
    return decode_as(out, usual, &source, err);
}

int cow_header_encode(uint8_t *bytes, const struct cow_header *header, struct cow_error *err)
{
    const struct variant *v = &variants[COW_FORMAT_V3];
    size_t length = strlen(header->backing_path);
    if (length == 0 || length >= v->path.width_bytes) {
        return cow_error_set(err, COW_INVALID,
                             "a backing path of %zu bytes does not fit a v3 header (1 to %u)", length,
                             v->path.width_bytes - 1u);
    }
    memset(bytes, 0, COW_V3_HEADER_BYTES);
    memcpy(bytes, v->magic, v->magic_bytes);
    bytes_put(bytes + v->mtime.offset_bytes, v->mtime.width_bytes, true, header->mtime);
    bytes_put(bytes + v->size.offset_bytes, v->size.width_bytes, true,
              header->unfinished ? SIZE_UNFINISHED : header->size_bytes);
    bytes_put(bytes + v->sector.offset_bytes, v->sector.width_bytes, true, header->sector_bytes);
    bytes_put(bytes + v->alignment.offset_bytes, v->alignment.width_bytes, true, header->alignment);
    bytes_put(bytes + v->cow_format.offset_bytes, v->cow_format.width_bytes, true, header->cow_format);
    memcpy(bytes + v->path.offset_bytes, header->backing_path, length);
    return 0;
}
