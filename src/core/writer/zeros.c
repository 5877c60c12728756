/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Zeros, and what is of no use any more: both are holes with their bits set, in whole pages, where a file has
 * data; and nothing at all where none has. Bits are never cleared: below may lie data.
 */
#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/writer/writer.h"

enum { STEP_BYTES = 64 * 1024 * 1024 };

/* [offset, offset + n_bytes) lies within a page: written, unless zeros are there. */
static int zero_part(struct cow_writer *w, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    static const uint8_t zeros[COW_PAGE_BYTES];
    uint8_t shown[COW_PAGE_BYTES];
    int status = n_bytes == 0 ? 0 : cow_image_read(w->img, offset, shown, (size_t)n_bytes, err);
    return status != 0 || bytes_all_zero(shown, (size_t)n_bytes)
               ? status
               : writer_write_pages(w, offset, zeros, (size_t)n_bytes, err);
}

static int punch_pages(struct cow_writer *w, uint64_t begin, uint64_t end, struct cow_error *err)
{
    int status = writer_begin(w, err);
    status = status == 0 ? writer_punch(w, begin, end - begin, err) : status;
    return status == 0 ? writer_set_bits(w, begin, end - begin, err) : status;
}

/* Whole pages from `begin`; the last one may be cut by the end of the disk. */
static int zero_pages(struct cow_writer *w, uint64_t begin, uint64_t end, struct cow_error *err)
{
    int status = w->failed.status == 0 ? 0 : writer_begin(w, err);
    while (status == 0 && begin < end) {
        struct cow_run run;
        status = cow_image_next_run(w->img, begin / WRITER_SECTOR_BYTES, &run, err);
        if (status != 0) {
            break;
        }
        const uint64_t run_end = (run.first_sector + run.sectors) * WRITER_SECTOR_BYTES;
        const uint64_t whole = run_end >= end ? end : run_end / COW_PAGE_BYTES * COW_PAGE_BYTES;
        if (cow_origin_is_hole(run.origin) && whole > begin) {
            begin = whole;
            continue;
        }
        /* A page of which a part has data is made a hole as a whole. */
        const uint64_t stop = arith_min(arith_div_up(run_end, COW_PAGE_BYTES) * COW_PAGE_BYTES, end);
        const uint64_t next = arith_min(stop, begin + STEP_BYTES);
        status = punch_pages(w, begin, next, err);
        begin = next;
    }
    return status;
}

/* The whole pages of a range. A page that the end of the disk cuts is one; end <= begin: there is none. */
static void whole_pages(const struct cow_writer *w, uint64_t offset, uint64_t n_bytes, uint64_t *begin,
                        uint64_t *end)
{
    *begin = arith_div_up(offset, COW_PAGE_BYTES) * COW_PAGE_BYTES;
    *end = offset + n_bytes == cow_writer_size_bytes(w)
               ? writer_sectors_end(w)
               : (offset + n_bytes) / COW_PAGE_BYTES * COW_PAGE_BYTES;
}

int cow_writer_zero(struct cow_writer *w, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    uint64_t begin, end;
    int status = writer_check_range(w, offset, n_bytes, err);
    whole_pages(w, offset, n_bytes, &begin, &end);
    if (status != 0 || end <= begin) { /* within two pages */
        const uint64_t first = arith_min(begin - offset, n_bytes);
        status = status == 0 ? zero_part(w, offset, first, err) : status;
        return status == 0 ? zero_part(w, offset + first, n_bytes - first, err) : status;
    }
    status = zero_part(w, offset, begin - offset, err);
    status = status == 0 ? zero_pages(w, begin, end, err) : status;
    return status == 0 && end < offset + n_bytes ? zero_part(w, end, offset + n_bytes - end, err) : status;
}

int cow_writer_trim(struct cow_writer *w, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    uint64_t begin, end;
    int status = writer_check_range(w, offset, n_bytes, err);
    whole_pages(w, offset, n_bytes, &begin, &end);
    return status == 0 ? zero_pages(w, begin, end, err) : status;
}

int cow_writer_extent(struct cow_writer *w, uint64_t offset, struct cow_extent *out, struct cow_error *err)
{
    return cow_image_extent(w->img, offset, out, err);
}
