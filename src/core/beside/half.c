/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See half.h. Why the map: a filesystem that inserts room moves block after block, and an interrupted one has
 * moved a part of them; sizes prove nothing then (some change them first, others last), and what is asked of
 * the disk (FIEMAP) tells of places on it, not in the file. Holes do: the first stretch of data that does not
 * lie where it lay tells where the gap is. It is sought from the left, so that stretches at equal distances
 * cannot be taken for each other. Where the gap lies in a hole its very place cannot be told, and makes no
 * difference.
 */
#include "core/beside/half.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/grow.h"
#include "core/beside/side.h"

static const uint8_t mark_opening[8] = {'c', 'o', 'w', 't', 'u', 'i', ' ', 'h'};
static const uint8_t slot_opening[8] = {'c', 'o', 'w', 't', 'u', 'i', ' ', 'p'};

enum {
    SEGMENTS_AT_ONCE = 1024,
    MARK_CRC_AT = HALF_MARK_BYTES - 4,
    SLOT_VERSION = 1,
    SLOT_CRC_AT = HALF_SLOT_BYTES - 4,
};

void half_mark(uint8_t out[HALF_MARK_BYTES], const uint8_t id[HALF_ID_BYTES])
{
    memset(out, 0, HALF_MARK_BYTES);
    memcpy(out, mark_opening, sizeof mark_opening);
    memcpy(out + sizeof mark_opening, id, HALF_ID_BYTES);
    bytes_put(out + MARK_CRC_AT, 4, true, crc_ieee(out, MARK_CRC_AT));
}

bool half_is_marked(uint8_t id[HALF_ID_BYTES], const uint8_t *raw, size_t raw_bytes)
{
    const uint8_t *mark = raw + HALF_MARK_OFFSET;
    if (raw_bytes < HALF_MARK_OFFSET + HALF_MARK_BYTES ||
        memcmp(mark, mark_opening, sizeof mark_opening) != 0 ||
        bytes_get(mark + MARK_CRC_AT, 4, true) != crc_ieee(mark, MARK_CRC_AT)) {
        return false;
    }
    memcpy(id, mark + sizeof mark_opening, HALF_ID_BYTES);
    return true;
}

/* The numbers of a slot in their order: written and read by the same list. */
static void slot_numbers(struct half *half, uint64_t crc_of_map, uint64_t *out[12], uint64_t wide[5])
{
    wide[0] = SLOT_VERSION;
    wide[1] = half->inserts;
    wide[2] = half->alignment;
    wide[3] = half->phase;
    wide[4] = crc_of_map;
    uint64_t *const numbers[12] = {&wide[0],           &wide[1],           &wide[2],
                                   &wide[3],           &wide[4],           &half->size_bytes,
                                   &half->file_bytes,  &half->shift_bytes, &half->bitmap_offset,
                                   &half->data_offset, &half->sequence,    &half->gap};
    memcpy(out, numbers, sizeof numbers);
}

enum { SLOT_NUMBERS = 12, SLOT_SEGMENTS_AT = sizeof slot_opening + HALF_ID_BYTES + SLOT_NUMBERS * 8 };

static void encode_segment(uint8_t out[HALF_SEGMENT_BYTES], const struct half_segment *segment)
{
    bytes_put(out, 8, true, segment->begin);
    bytes_put(out + 8, 8, true, segment->end);
    bytes_put(out + 16, 4, true, segment->crc);
    bytes_put(out + 20, 4, true, segment->has_crc);
}

static uint32_t map_crc(const struct half *half)
{
    uint8_t bytes[HALF_SEGMENT_BYTES];
    uint32_t crc = 0;
    for (uint64_t i = 0; i < half->segments; i++) {
        encode_segment(bytes, &half->segment[i]);
        bytes_put(bytes + 16, 4, true, half->segment[i].crc ^ crc);
        crc = crc_ieee(bytes, sizeof bytes);
    }
    return crc;
}

void half_encode_slot(uint8_t out[HALF_SLOT_BYTES], const struct half *half)
{
    struct half copy = *half;
    uint64_t *number[SLOT_NUMBERS], wide[5];
    memset(out, 0, HALF_SLOT_BYTES);
    memcpy(out, slot_opening, sizeof slot_opening);
    memcpy(out + sizeof slot_opening, half->id, HALF_ID_BYTES);
    slot_numbers(&copy, map_crc(half), number, wide);
    for (size_t i = 0; i < SLOT_NUMBERS; i++) {
        bytes_put(out + sizeof slot_opening + HALF_ID_BYTES + i * 8, 8, true, *number[i]);
    }
    bytes_put(out + SLOT_SEGMENTS_AT, 8, true, half->segments);
    bytes_put(out + SLOT_CRC_AT, 4, true, crc_ieee(out, SLOT_CRC_AT));
}

uint64_t half_slot_offset(const struct half *half)
{
    return half->sequence % 2 * HALF_SLOT_STRIDE;
}

int half_encode_map(uint8_t **out, size_t *n_bytes, const struct half *half)
{
    const size_t length = (size_t)half->segments * HALF_SEGMENT_BYTES;
    uint8_t *bytes = malloc(length + 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < half->segments; i++) {
        encode_segment(bytes + i * HALF_SEGMENT_BYTES, &half->segment[i]);
    }
    *out = bytes;
    *n_bytes = length;
    return 0;
}

static bool is_sane(const struct half *h)
{
    const uint64_t limit = (uint64_t)INT64_MAX / 4;
    return h->inserts <= 1 && h->size_bytes > 0 && h->size_bytes < limit && h->file_bytes < limit &&
           h->shift_bytes > 0 && h->shift_bytes < limit && h->data_offset < limit &&
           h->bitmap_offset < h->data_offset && h->phase >= HALF_SHIFTING && h->phase <= HALF_LEAVING &&
           h->segments <= HALF_SEGMENTS_MAX && h->gap >= h->data_offset && h->gap <= half_end(h) &&
           (h->gap - h->data_offset) % HALF_SLOT_BYTES == 0 &&
           (h->phase == HALF_SHIFTING || h->gap == h->data_offset);
}

static bool decode_slot(struct half *out, uint32_t *crc_of_map, const uint8_t bytes[HALF_SLOT_BYTES])
{
    struct half h = {.inserts = 0};
    uint64_t *number[SLOT_NUMBERS], wide[5];
    if (memcmp(bytes, slot_opening, sizeof slot_opening) != 0 ||
        bytes_get(bytes + SLOT_CRC_AT, 4, true) != crc_ieee(bytes, SLOT_CRC_AT)) {
        return false;
    }
    memcpy(h.id, bytes + sizeof slot_opening, HALF_ID_BYTES);
    slot_numbers(&h, 0, number, wide);
    for (size_t i = 0; i < SLOT_NUMBERS; i++) {
        *number[i] = bytes_get(bytes + sizeof slot_opening + HALF_ID_BYTES + i * 8, 8, true);
    }
    h.segments = bytes_get(bytes + SLOT_SEGMENTS_AT, 8, true);
    h.inserts = wide[1] <= 1 ? (uint32_t)wide[1] : 2;
    h.alignment = (uint32_t)wide[2];
    h.phase = wide[3] <= HALF_LEAVING ? (uint32_t)wide[3] : 0;
    *crc_of_map = (uint32_t)wide[4];
    if (wide[0] != SLOT_VERSION || !is_sane(&h)) {
        return false;
    }
    *out = h;
    return true;
}

static bool decode_segment(struct half_segment *out, const uint8_t bytes[HALF_SEGMENT_BYTES])
{
    *out =
        (struct half_segment){bytes_get(bytes, 8, true), bytes_get(bytes + 8, 8, true),
                              (uint32_t)bytes_get(bytes + 16, 4, true), bytes_get(bytes + 20, 4, true) != 0};
    return out->begin < out->end;
}

/* Segments [first, first + n), which lie in order. *end: of the one before them, and of the last. */
static int read_segments(struct half *half, uint64_t first, size_t n, uint64_t *end, const struct cow_io *io,
                         int fd)
{
    uint8_t bytes[SEGMENTS_AT_ONCE * HALF_SEGMENT_BYTES];
    int status =
        io_read_padded(io, fd, bytes, n * HALF_SEGMENT_BYTES, HALF_MAP_OFFSET + first * HALF_SEGMENT_BYTES);
    for (size_t i = 0; i < n && status == 0; i++) {
        struct half_segment *s = &half->segment[first + i];
        if (!decode_segment(s, bytes + i * HALF_SEGMENT_BYTES) || s->begin < *end) {
            status = -ENODATA;
        }
        *end = s->end;
    }
    return status;
}

static int read_map(struct half *half, uint32_t crc, const struct cow_io *io, int fd)
{
    uint64_t end = half->data_offset;
    int status = 0;
    half->segment = calloc((size_t)half->segments + 1, sizeof *half->segment);
    if (half->segment == NULL) {
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < half->segments && status == 0; i += SEGMENTS_AT_ONCE) {
        status =
            read_segments(half, i, (size_t)arith_min(SEGMENTS_AT_ONCE, half->segments - i), &end, io, fd);
    }
    return status < 0                                                                    ? status
           : end <= arith_max(half_end(half), half->data_offset) && map_crc(half) == crc ? 0
                                                                                         : -ENODATA;
}

int half_read(struct half *out, const struct cow_io *io, int fd)
{
    struct half slot[2];
    uint32_t crc[2];
    bool whole[2];
    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[HALF_SLOT_BYTES];
        int status = io_read_padded(io, fd, bytes, sizeof bytes, i * HALF_SLOT_STRIDE);
        if (status < 0) {
            return status;
        }
        whole[i] = decode_slot(&slot[i], &crc[i], bytes) && slot[i].sequence % 2 == i;
    }
    if (!whole[0] && !whole[1]) {
        return -ENODATA;
    }
    const size_t later = !whole[0] || (whole[1] && slot[1].sequence > slot[0].sequence);
    int status = read_map(&slot[later], crc[later], io, fd);
    if (status < 0) {
        half_clear(&slot[later]);
        return status;
    }
    *out = slot[later];
    return 0;
}

int half_open_beside(struct half *out, const struct cow_io *io, const char *image_real_path,
                     const struct stat *image_facts, const char *image_path, const uint8_t id[HALF_ID_BYTES],
                     int flags)
{
    char path[PATH_MAX];
    struct stat facts;
    int fd = io_open_regular(io, side_path(path, image_real_path, SIDE_POSITION), flags | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd;
    }
    int status = side_check_owner(io, path, &facts, image_facts, image_path, NULL) != 0
                     ? -EACCES
                     : half_read(out, io, fd);
    if (status == 0 && memcmp(out->id, id, HALF_ID_BYTES) != 0) {
        half_clear(out);
        status = -ENODATA;
    }
    if (status < 0) {
        io->close(io->context, fd);
    }
    return status < 0 ? status : fd;
}

void half_clear(struct half *half)
{
    free(half->segment);
    half->segment = NULL;
    half->segments = 0;
}

uint64_t half_end(const struct half *half)
{
    const uint64_t n_bytes = arith_sub_floor(half->file_bytes, half->data_offset);
    return half->data_offset + arith_div_up(n_bytes, HALF_SLOT_BYTES) * HALF_SLOT_BYTES;
}

uint64_t half_place(const struct half *half, uint64_t gap, uint64_t x)
{
    return x < gap ? x : x + half->shift_bytes;
}

/* 0 or -errno. */
static int segment_crc(uint32_t *out, const struct cow_io *io, int fd, uint64_t offset, uint64_t n_bytes)
{
    uint8_t bytes[HALF_CRC_BYTES];
    const size_t length = (size_t)arith_min(n_bytes, sizeof bytes);
    int status = io_read_padded(io, fd, bytes, length, offset);
    *out = status < 0 ? 0 : crc_ieee(bytes, length);
    return status;
}

static int add_segment(struct half *half, size_t *room, uint64_t begin, uint64_t end)
{
    if (half->segments == HALF_SEGMENTS_MAX) {
        return -EFBIG;
    }
    void *larger = grow_array(half->segment, (size_t)half->segments, room, sizeof *half->segment);
    if (larger == NULL) {
        return -ENOMEM;
    }
    half->segment = larger;
    half->segment[half->segments++] = (struct half_segment){.begin = begin, .end = end};
    return 0;
}

int half_map(struct half *half, const struct cow_io *io, int fd, bool is_up)
{
    const uint64_t end = half_end(half), by = is_up ? half->shift_bytes : 0;
    size_t room = 0;
    int status = 0;
    half->segment = NULL;
    half->segments = 0;
    for (uint64_t at = half->data_offset; at < end && status == 0;) {
        struct io_extent extent;
        status = io_extent_at(io, fd, at + by, end + by, &extent);
        if (status == 0 && extent.data) {
            status = add_segment(half, &room, at, extent.end - by);
        }
        at = status == 0 ? extent.end - by : at;
    }
    const uint64_t every = half->segments / HALF_CRCS_MAX + 1;
    for (uint64_t i = 0; i < half->segments && status == 0; i += every) {
        struct half_segment *s = &half->segment[i];
        s->has_crc = true;
        status = segment_crc(&s->crc, io, fd, s->begin + by, s->end - s->begin);
    }
    if (status < 0) {
        half_clear(half);
    }
    return status;
}

/* The first place where the file is not what it was. */
static int find_difference(uint64_t *out, const struct half *half, const struct cow_io *io, int fd)
{
    *out = half_end(half);
    for (uint64_t i = 0; i < half->segments; i++) {
        const struct half_segment *s = &half->segment[i];
        struct io_extent extent;
        int status = io_extent_at(io, fd, s->begin, s->end, &extent);
        if (status < 0) {
            return status;
        }
        if (!extent.data || extent.end < s->end) {
            *out = extent.data ? extent.end : s->begin;
            return 0;
        }
    }
    return 0;
}

/* 0 if there are only zeros, -EUCLEAN, or another -errno. A hole alone would be too much to ask: where the
 * data ends within a block of the filesystem, the rest of that block is none. */
static int check_zeros(const struct cow_io *io, int fd, uint64_t begin, uint64_t end)
{
    uint8_t bytes[4096];
    int status = 0;
    while (begin < end && status == 0) {
        struct io_extent extent;
        status = io_extent_at(io, fd, begin, end, &extent);
        const size_t n = status == 0 ? (size_t)arith_min(extent.end - begin, sizeof bytes) : 0;
        if (status == 0 && extent.data) {
            status = io_read_padded(io, fd, bytes, n, begin);
            status = status == 0 && !bytes_all_zero(bytes, n) ? -EUCLEAN : status;
        }
        begin = status == 0 && !extent.data ? extent.end : begin + n;
    }
    return status;
}

/* Are the stretches where they must be with the gap there, and what lies in the gap nothing? */
static int check_gap(const struct half *half, uint64_t gap, const struct cow_io *io, int fd)
{
    int status = half->phase == HALF_SHIFTING ? check_zeros(io, fd, gap, gap + half->shift_bytes) : 0;
    for (uint64_t i = 0; i < half->segments && status == 0; i++) {
        const struct half_segment *s = &half->segment[i];
        uint32_t crc = s->crc;
        const uint64_t place = half_place(half, gap, s->begin);
        const uint64_t n_bytes = s->begin < gap && s->end > gap ? gap - s->begin : s->end - s->begin;
        if (s->has_crc && n_bytes >= arith_min(HALF_CRC_BYTES, s->end - s->begin)) {
            status = segment_crc(&crc, io, fd, place, s->end - s->begin);
        }
        status = status == 0 && crc != s->crc ? -EUCLEAN : status;
    }
    return status;
}

int half_find_gap(uint64_t *out, const struct half *half, const struct cow_io *io, int fd)
{
    if (half->inserts == 0 || half->phase != HALF_SHIFTING) {
        *out = half->gap;
        return 0;
    }
    int status = find_difference(out, half, io, fd);
    return status < 0 ? status : check_gap(half, *out, io, fd);
}
