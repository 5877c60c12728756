/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading, and writing in whole pages of 4 KiB of the disk. A page that is written in part is completed: its
 * clean sectors get what the disk shows there, and all of it belongs to the image then. A guest's kernel
 * misreads a page that is dirty in part (share/doc/format.md).
 *
 * Order: what is missing is read, then data is written, then bits are set. Sectors that are dirty already are
 * written where the caller writes, and nowhere else: they may be old or new after a crash, and what nobody
 * wrote is not at stake.
 */
#include <string.h>

#include "core/base/arith.h"
#include "core/writer/writer.h"

/* A part of the disk in memory: whole pages, but for the end of the disk, where it ends with a sector. */
struct window {
    uint64_t begin, end;           /* bytes of the disk */
    uint64_t data_begin, data_end; /* what the caller writes of it */
    uint8_t *bytes;
};

uint64_t writer_sectors_end(const struct cow_writer *w)
{
    return w->img->layout.sectors * WRITER_SECTOR_BYTES;
}

int writer_check_range(const struct cow_writer *w, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    const uint64_t size_bytes = cow_writer_size_bytes(w);
    return offset <= size_bytes && n_bytes <= size_bytes - offset
               ? 0
               : cow_error_set(err, COW_USAGE, "%s: that is past the end of the disk", w->img->path);
}

int cow_writer_read(struct cow_writer *w, uint64_t offset, void *buffer, size_t n_bytes,
                    struct cow_error *err)
{
    int status = writer_check_range(w, offset, n_bytes, err);
    return status == 0 ? cow_image_read(w->img, offset, buffer, n_bytes, err) : status;
}

/* [begin, end) of the window as the disk shows it; zeros behind the disk's last byte. */
static int read_part(struct cow_writer *w, const struct window *window, uint64_t begin, uint64_t end,
                     struct cow_error *err)
{
    const uint64_t shown = arith_min(end, cow_writer_size_bytes(w));
    uint8_t *at = window->bytes + (begin - window->begin);
    const size_t there = begin < shown ? (size_t)(shown - begin) : 0;
    if (begin >= end) {
        return 0;
    }
    memset(at + there, 0, (size_t)(end - begin) - there);
    return there > 0 ? cow_image_read(w->img, begin, at, there, err) : 0;
}

/* Is the sector at byte `at` dirty, and up to which byte is that the same, up to `limit` (> at)? Nothing is
 * looked at behind that: on an empty disk the next dirty sector is far away. */
static int next_bits(struct cow_writer *w, uint64_t at, uint64_t limit, bool *dirty, uint64_t *end,
                     struct cow_error *err)
{
    struct bitmap *bits = w->img->bitmap;
    const uint64_t first = at / WRITER_SECTOR_BYTES, n = arith_div_up(limit, WRITER_SECTOR_BYTES) - first;
    uint64_t set = 0, sector = first + n;
    int status = bitmap_count(bits, first, n, &set, err);
    *dirty = set == n;
    if (status == 0 && set > 0 && set < n) {
        status = bitmap_get(bits, first, dirty, err);
        status = status == 0 ? bitmap_find(bits, first, !*dirty, &sector, err) : status;
    }
    if (status == 0) {
        *end = arith_min(limit, sector * WRITER_SECTOR_BYTES);
    }
    return status == 0 ? 0 : cow_error_prefix(err, "%s", w->img->path);
}

static int store_part(struct cow_writer *w, const struct window *window, uint64_t begin, uint64_t end,
                      struct cow_error *err)
{
    return begin < end
               ? writer_store(w, begin, window->bytes + (begin - window->begin), (size_t)(end - begin), err)
               : 0;
}

/* All that is clean, and of what is dirty what the caller writes; what is one piece by one call. */
static int store_window(struct cow_writer *w, const struct window *window, struct cow_error *err)
{
    uint64_t begin = window->begin, end = begin; /* the piece so far */
    int status = 0;
    for (uint64_t at = window->begin, next; status == 0 && at < window->end; at = next) {
        bool dirty;
        status = next_bits(w, at, window->end, &dirty, &next, err);
        if (status != 0) {
            return status;
        }
        const uint64_t first = dirty ? arith_max(at, window->data_begin) : at;
        const uint64_t stop = dirty ? arith_min(next, window->data_end) : next;
        if (first < stop && first != end) {
            status = store_part(w, window, begin, end, err);
            begin = first;
        }
        end = first < stop ? stop : end;
    }
    return status == 0 ? store_part(w, window, begin, end, err) : status;
}

/* A window whose bytes [data_begin, data_end) are there. */
static int write_window(struct cow_writer *w, const struct window *window, struct cow_error *err)
{
    int status = read_part(w, window, window->begin, window->data_begin, err);
    status = status == 0 ? read_part(w, window, window->data_end, window->end, err) : status;
    status = status == 0 ? writer_begin(w, err) : status;
    status = status == 0 ? store_window(w, window, err) : status;
    return status == 0 ? writer_set_bits(w, window->begin, window->end - window->begin, err) : status;
}

/* Where all sectors are dirty there is nothing to complete. */
static int write_in_place(struct cow_writer *w, uint64_t offset, const void *data, size_t n_bytes,
                          struct cow_error *err)
{
    int status = writer_begin(w, err);
    return status == 0 ? writer_store(w, offset, data, n_bytes, err) : status;
}

int writer_write_pages(struct cow_writer *w, uint64_t offset, const void *data, size_t n_bytes,
                       struct cow_error *err)
{
    const uint64_t begin = offset / COW_PAGE_BYTES * COW_PAGE_BYTES;
    int status = 0;
    for (uint64_t at = begin, next; status == 0 && at < offset + n_bytes; at = next) {
        bool dirty;
        uint64_t same;
        next = at + WRITER_WINDOW_BYTES;
        struct window window = {.begin = at,
                                .data_begin = arith_max(at, offset),
                                .data_end = arith_min(next, offset + n_bytes),
                                .bytes = w->window};
        window.end =
            arith_min(arith_div_up(window.data_end, COW_PAGE_BYTES) * COW_PAGE_BYTES, writer_sectors_end(w));
        const uint8_t *source = (const uint8_t *)data + (window.data_begin - offset);
        const size_t piece = (size_t)(window.data_end - window.data_begin);
        status = next_bits(w, at, window.end, &dirty, &same, err);
        if (status == 0 && dirty && same == window.end) {
            status = write_in_place(w, window.data_begin, source, piece, err);
        } else if (status == 0) {
            memcpy(window.bytes + (window.data_begin - at), source, piece);
            status = write_window(w, &window, err);
        }
    }
    return status;
}

int writer_complete_page(struct cow_writer *w, uint64_t offset, struct cow_error *err)
{
    const struct window window = {.begin = offset,
                                  .end = arith_min(offset + COW_PAGE_BYTES, writer_sectors_end(w)),
                                  .data_begin = offset,
                                  .data_end = offset,
                                  .bytes = w->window};
    return write_window(w, &window, err);
}

int cow_writer_write(struct cow_writer *w, uint64_t offset, const void *data, size_t n_bytes,
                     struct cow_error *err)
{
    int status = writer_check_range(w, offset, n_bytes, err);
    return status == 0 ? writer_write_pages(w, offset, data, n_bytes, err) : status;
}
