/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sound images, made from an input, with the disk that a guest sees in them.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "fuzzer.h"

/* Where the old formats have their fields (share/doc/format.md); v3 is encoded by the core. */
static const struct shape {
    enum cow_format format;
    uint8_t magic[8];
    unsigned path, path_bytes, mtime, size, sector;
    bool big_endian;
} shapes[] = {
    {COW_FORMAT_V1, {'M', 'O', 'O', 'O', 1, 0, 0, 0}, 8, 256, 264, 268, 276, false},
    {COW_FORMAT_V2, {'O', 'O', 'O', 'M', 0, 0, 0, 2}, 8, 4096, 4104, 4108, 4116, true},
    {COW_FORMAT_V1_BE, {'O', 'O', 'O', 'M', 0, 0, 0, 1}, 8, 256, 264, 268, 276, true},
    {COW_FORMAT_QEMU, {'O', 'O', 'O', 'M', 0, 0, 0, 2}, 8, 1024, 1032, 1040, 1048, true},
};

static void put(uint8_t *at, uint64_t value, unsigned n_bytes, bool big_endian)
{
    for (unsigned n = 0; n < n_bytes; n++) {
        at[n] = (uint8_t)(value >> 8 * (big_endian ? n_bytes - 1 - n : n));
    }
}

static size_t encode_header(uint8_t *bytes, const struct cow_header *header)
{
    memset(bytes, 0, COW_HEADER_BYTES_MAX);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *s = &shapes[i];
        if (s->format == header->format) {
            memcpy(bytes, s->magic, sizeof s->magic);
            memcpy(bytes + s->path, header->backing_path, strnlen(header->backing_path, s->path_bytes - 1));
            put(bytes + s->mtime, header->mtime, 4, s->big_endian);
            put(bytes + s->size, header->size_bytes, 8, s->big_endian);
            put(bytes + s->sector, header->sector_bytes, 4, s->big_endian);
            return s->sector + 4;
        }
    }
    return cow_header_encode(bytes, header, NULL) == 0 ? COW_V3_HEADER_BYTES : 0;
}

static void choose_header(struct cow_header *header, struct input *in)
{
    static const enum cow_format formats[] = {COW_FORMAT_V3,    COW_FORMAT_V3,  COW_FORMAT_V3,
                                              COW_FORMAT_V3,    COW_FORMAT_V1,  COW_FORMAT_V2,
                                              COW_FORMAT_V1_BE, COW_FORMAT_QEMU};
    memset(header, 0, sizeof *header);
    header->format = formats[input_below(in, 8)];
    header->version = header->format == COW_FORMAT_V3 ? 3 : header->format == COW_FORMAT_V1 ? 1 : 2;
    header->sector_bytes = header->format == COW_FORMAT_QEMU ? 512 : UINT32_C(512) << input_below(in, 4);
    header->alignment = header->format == COW_FORMAT_V3 ? UINT32_C(512) << input_below(in, 9) : 0;
    header->size_bytes = 512 * (1 + input_below(in, PICTURE_DISK_MAX / 512));
    header->mtime = PICTURE_DATE + (input_below(in, 16) == 15);
    strcpy(header->backing_path, input_below(in, 8) == 7 ? PICTURE_BASE : scratch_path(PICTURE_BASE));
}

/* The backing file: noise, zeros and holes, by pieces. */
static uint8_t *make_base(struct picture *out, struct input *in)
{
    const uint64_t seed = input_number(in, 1), holes = input_number(in, 8), zeros = input_number(in, 8);
    const uint64_t end = out->base_bytes;
    uint8_t *base = calloc(1, PICTURE_DISK_MAX + 8192);
    MUST(base != NULL);
    file_make(PICTURE_BASE, "", 0);
    MUST(truncate(PICTURE_BASE, (off_t)end) == 0);
    for (uint64_t piece = 0, at = 0; at < end; piece++, at += 4096) {
        const size_t n_bytes = (size_t)(end - at < 4096 ? end - at : 4096);
        if ((zeros >> piece % 64 & 1) == 0) {
            noise(seed * 1000 + piece, base + at, n_bytes);
        }
        if ((holes >> piece % 64 & 1) != 0) {
            memset(base + at, 0, n_bytes);
        } else {
            file_put(PICTURE_BASE, at, base + at, n_bytes);
        }
    }
    file_date(PICTURE_BASE, PICTURE_DATE);
    return base;
}

/* Bits as the input has them, and of each dirty sector what it holds. */
static void make_data(struct picture *out, uint8_t *base, struct input *in)
{
    const struct cow_layout *l = &out->layout;
    const uint64_t ss = out->header.sector_bytes, size = out->header.size_bytes, seed = input_number(in, 1);
    uint8_t *bits = calloc(1, (size_t)l->bitmap_bytes + 8), *sector = malloc((size_t)ss);
    MUST(bits != NULL && sector != NULL);
    const unsigned step = 1 + (unsigned)input_below(in, 8); /* a byte of the input goes so far */
    uint8_t byte = 0;
    for (uint64_t n = 0; n < l->mapped_sectors && n < l->sectors; n++) {
        byte = n % (8 * step) == 0 ? (uint8_t)input_number(in, 1) : byte;
        if ((byte >> (n / step) % 8 & 1) != 0) {
            const size_t n_bytes = (size_t)(size - n * ss < ss ? size - n * ss : ss);
            const unsigned kind = (unsigned)((seed + n * 7) % 5);
            bits[n / 8] |= (uint8_t)(1U << n % 8);
            memset(sector, 0, (size_t)ss);
            if (kind < 2) {
                noise(seed + n, sector, n_bytes);
            } else if (kind == 2) {
                memcpy(sector, base + n * ss, n_bytes);
            }
            memcpy(out->disk + n * ss, sector, n_bytes);
            if (kind != 4) { /* a hole */
                file_put(PICTURE_COW, l->data_offset + n * ss, sector, (size_t)ss);
            }
        }
    }
    file_put(PICTURE_COW, l->bitmap_offset, bits, (size_t)l->bitmap_bytes);
    free(bits);
    free(sector);
}

bool picture_make(struct picture *out, struct input *in)
{
    static const int64_t other[] = {-4096, -512, 512, 4096};
    uint8_t header[COW_HEADER_BYTES_MAX];
    memset(out, 0, sizeof *out);
    choose_header(&out->header, in);
    const unsigned odd = (unsigned)input_below(in, 32);
    const int64_t base_bytes = (int64_t)out->header.size_bytes + (odd < 4 ? other[odd] : 0);
    const size_t n_header = encode_header(header, &out->header);
    if (n_header == 0 || base_bytes < 0 || cow_layout_of(&out->layout, &out->header, NULL) != 0) {
        return false;
    }
    out->base_bytes = (uint64_t)base_bytes;
    uint8_t *base = make_base(out, in);
    out->disk = malloc((size_t)out->header.size_bytes);
    MUST(out->disk != NULL);
    memcpy(out->disk, base, (size_t)out->header.size_bytes);
    file_make(PICTURE_COW, header, n_header);
    make_data(out, base, in);
    MUST(input_below(in, 8) == 7 || truncate(PICTURE_COW, (off_t)out->layout.end_offset) == 0);
    free(base);
    return true;
}

void picture_free(struct picture *picture)
{
    free(picture->disk);
    picture->disk = NULL;
}

void picture_bend(const struct picture *picture, struct input *in)
{
    const uint64_t end = picture->layout.data_offset + 4096;
    for (unsigned n = (unsigned)input_below(in, 6); n > 0 && in->left > 0; n--) {
        uint8_t bytes[8];
        const unsigned n_bytes = 1U << input_below(in, 4);
        const uint64_t at = input_below(in, input_flag(in) ? 64 : end);
        input_bytes(in, bytes, n_bytes);
        file_put(PICTURE_COW, at, bytes, n_bytes);
    }
}

uint8_t *disk_of(const char *path, uint64_t *n_bytes)
{
    struct cow_image *img;
    uint8_t *disk = NULL;
    if (cow_image_open(&img, path, NULL, NULL) != 0) {
        return NULL;
    }
    *n_bytes = cow_image_header(img)->size_bytes;
    if (!cow_image_header(img)->unfinished && *n_bytes <= 16 * PICTURE_DISK_MAX) {
        disk = malloc((size_t)*n_bytes + 1);
        if (disk != NULL && cow_image_read(img, 0, disk, (size_t)*n_bytes, NULL) != 0) {
            free(disk);
            disk = NULL;
        }
    }
    cow_image_close(img);
    return disk;
}
