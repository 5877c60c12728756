/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An image whose data is being moved where it lies: marked, so that no kernel opens it, and readable all the
 * same, for what is known of it stands beside it in the position file.
 *
 * The state is one number. There is the lower layout, in which the data begins at data_offset, and the upper
 * one, in which it begins shift_bytes later; the file is the old file with ONE gap of shift_bytes in it: what
 * lay at x < gap lies there still, what lay at x >= gap lies at x + shift_bytes. At the end of the file the
 * gap is the lower layout, at data_offset the upper one; moving data is moving the gap. The bits of the lower
 * layout stay at their place all the time.
 *
 * The position file, ".NAME.cowtui-position": two slots of 512 bytes, 4096 bytes apart, which are written in
 * turn, so that one of them is whole at any time; behind them, where the filesystem inserts the room, the map
 * of the data as it lay. Both it and the image bear an id; they belong together by that, and not by inode
 * numbers, so that a backup of both is as good. The id lies in the same sector as the mark: they come and go
 * by one write.
 */
#ifndef CORE_BESIDE_HALF_H
#define CORE_BESIDE_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/io.h"

enum {
    HALF_ID_BYTES = 16,
    HALF_MARK_OFFSET = 480, /* of the image: the end of the first sector, behind the path */
    HALF_MARK_BYTES = 32,
    HALF_SLOT_BYTES = 512,
    HALF_SLOT_STRIDE = 4096,
    HALF_MAP_OFFSET = 2 * HALF_SLOT_STRIDE,
    HALF_SEGMENT_BYTES = 24,
    HALF_SEGMENTS_MAX = 1 << 20,
};

enum half_phase {
    HALF_SHIFTING = 1, /* the gap is empty */
    HALF_FILLED = 2,   /* the gap is at data_offset, and the bits of the upper layout may lie in it */
    HALF_LEAVING = 3,  /* the same, and those of the lower layout do not lie at their place yet */
};

/* A stretch of the old file that was no hole. */
struct half_segment {
    uint64_t begin, end;
    uint32_t crc; /* of its first HALF_CRC_BYTES, or as many as it has */
    bool has_crc; /* of many segments a part is taken */
};

enum { HALF_CRC_BYTES = 512, HALF_CRCS_MAX = 4096 };

struct half {
    uint8_t id[HALF_ID_BYTES];
    uint32_t inserts;    /* the filesystem moves the gap; where it is, the map tells */
    uint64_t size_bytes; /* of the disk, in the lower layout */
    uint32_t alignment;  /* ... and what else of its header a reader needs */
    uint64_t bitmap_offset;
    uint64_t data_offset;
    uint64_t file_bytes; /* length of the file without the gap */
    uint64_t shift_bytes;
    /* what a slot adds */
    uint64_t sequence;
    uint32_t phase;               /* enum half_phase */
    uint64_t gap;                 /* where it is; of one that the filesystem moves: where it began to */
    struct half_segment *segment; /* owned: half_clear */
    uint64_t segments;
};

/* The 32 bytes that a half-moved image has at HALF_MARK_OFFSET. */
void half_mark(uint8_t out[HALF_MARK_BYTES], const uint8_t id[HALF_ID_BYTES]);
/* Is it one? The id into *out then. */
bool half_is_marked(uint8_t id[HALF_ID_BYTES], const uint8_t *raw, size_t raw_bytes);

/* A slot as bytes: it goes to half_slot_offset(half). */
void half_encode_slot(uint8_t out[HALF_SLOT_BYTES], const struct half *half);
uint64_t half_slot_offset(const struct half *half);
/* The map as bytes, from HALF_MAP_OFFSET on; *out is the caller's, free. 0 or -ENOMEM. */
int half_encode_map(uint8_t **out, size_t *n_bytes, const struct half *half);

/* What an open position file says: the later of its whole slots. -ENODATA if neither is whole, or the map is
 * not; or another -errno. On success half_clear. */
int half_read(struct half *out, const struct cow_io *io, int fd);
/* Opens the file beside an image (flags: O_RDONLY or O_RDWR), which must be one that may be obeyed
 * (side_check_owner) and have the id, and reads it. The descriptor; -ENOENT if there is none, -EACCES for
 * somebody else's, -ENODATA for another id or as half_read has it, or another -errno. */
int half_open_beside(struct half *out, const struct cow_io *io, const char *image_real_path,
                     const struct stat *image_facts, const char *image_path, const uint8_t id[HALF_ID_BYTES],
                     int flags);
void half_clear(struct half *half); /* frees the segments */

/* Where the end of the data is, in sectors: where the gap is before anything has moved. */
uint64_t half_end(const struct half *half);

/* Where the gap is in an open image. 0 or -errno; -EUCLEAN where the file is not the old one with one gap. */
int half_find_gap(uint64_t *out, const struct half *half, const struct cow_io *io, int fd);

/* The map of the data of an open file, in places of the lower layout; is_up: it lies in the upper one. -EFBIG
 * where it has more segments than are kept. */
int half_map(struct half *half, const struct cow_io *io, int fd, bool is_up);

/* Where in the file byte x of the old file lies, with the gap there. */
uint64_t half_place(const struct half *half, uint64_t gap, uint64_t x);

#endif
