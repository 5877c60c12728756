/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Going to a moment of a log, and what lies between two: records are laid over the bits, or taken back, one
 * by one. And whether an image is the one that the log is of.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/history/reading.h"
#include "core/history/sectors.h"
#include "core/image/image.h"

void cow_history_moment(const struct cow_history *h, size_t index, struct cow_history_moment *out)
{
    *out = h->moment[index].told;
}

size_t cow_history_moment_at(const struct cow_history *h, uint64_t at_ms)
{
    size_t first = 0, end = h->n;
    while (end - first > 1) {
        const size_t middle = first + (end - first) / 2;
        if (h->moment[middle].told.at_ms <= at_ms) {
            first = middle;
        } else {
            end = middle;
        }
    }
    return first;
}

/* Lays a record over the bits, or takes it back. */
static int lay_over(const struct cow_history *h, struct window *window, size_t index,
                    struct cow_sectors *bits, bool back, struct cow_error *err)
{
    struct log_reader reader;
    uint64_t end, sectors;
    bool whole;
    int status = history_read_record(h, window, h->moment[index].offset, &whole, &reader, &end, err);
    if (status != 0) {
        return status;
    }
    if (!whole || *reader.at++ != LOG_CHANGE || log_take(&reader) != h->moment[index].told.at_ms) {
        return cow_error_set(err, COW_IO, "%s: has changed since it was opened", h->path);
    }
    if (history_apply_runs(bits, &reader, h->facts.sectors, !back, false, &sectors) != 0 ||
        history_apply_runs(bits, &reader, h->facts.sectors, back, false, &sectors) != 0) {
        return history_no_memory(err);
    }
    return 0;
}

int cow_history_go(struct cow_history *h, size_t moment, const struct cow_sectors **out,
                   struct cow_error *err)
{
    struct window window = {.bytes = NULL};
    int status = h->now != moment ? history_window_open(&window, err) : 0;
    while (status == 0 && h->now < moment) {
        status = lay_over(h, &window, ++h->now, h->bits, false, err);
    }
    while (status == 0 && h->now > moment) {
        status = lay_over(h, &window, h->now--, h->bits, true, err);
    }
    free(window.bytes);
    if (status == 0) {
        *out = h->bits;
    }
    return status;
}

int cow_history_between(const struct cow_history *h, size_t from, size_t to, struct cow_sectors **out,
                        struct cow_error *err)
{
    struct window window;
    struct cow_sectors *set = sectors_make();
    int status = set != NULL ? history_window_open(&window, err) : history_no_memory(err);
    if (status == 0) {
        for (size_t index = from + 1; status == 0 && index <= to; index++) {
            status = lay_over(h, &window, index, set, false, err);
        }
        free(window.bytes);
    }
    if (status != 0) {
        cow_sectors_free(set);
        return status;
    }
    *out = set;
    return 0;
}

/* ---- the image ---- */

static bool is_same_file(const struct cow_history *h, const struct cow_image *img)
{
    struct log_mark mark;
    log_mark_of(&mark, img);
    return mark.inode == h->mark.inode &&
           (mark.filesystem_bytes == 0 || h->mark.filesystem_bytes == 0 ||
            memcmp(mark.filesystem, h->mark.filesystem, sizeof mark.filesystem) == 0);
}

static bool has_same_header(const struct cow_history *h, const struct cow_image *img)
{
    struct log_mark mark;
    log_mark_of(&mark, img);
    return mark.header_sum == h->mark.header_sum &&
           cow_image_header(img)->size_bytes == h->facts.size_bytes &&
           cow_image_header(img)->sector_bytes == h->facts.sector_bytes;
}

/* How many of those that were dirty at the end are clean in it now. */
static int count_lost(const struct cow_history *h, struct cow_image *img, const struct cow_sectors *bits,
                      uint64_t *lost, struct cow_error *err)
{
    struct cow_dirty_run run, there = {0, 0};
    int status = 0;
    *lost = 0;
    for (uint64_t at = 0; status == 0 && at < h->facts.sectors;) {
        cow_sectors_next(bits, at, &run);
        if (run.sectors == 0) {
            break;
        }
        if (there.first_sector + there.sectors <= run.first_sector) {
            status = cow_image_next_dirty(img, run.first_sector, &there, err);
        }
        const uint64_t end = run.first_sector + run.sectors;
        if (status == 0 && (there.sectors == 0 || there.first_sector >= end)) {
            *lost += run.sectors;
            at = end;
        } else if (status == 0) {
            *lost += arith_sub_floor(there.first_sector, run.first_sector);
            at = arith_min(end, there.first_sector + there.sectors);
        }
    }
    return status;
}

int cow_history_check_image(struct cow_history *h, struct cow_image *img, struct cow_error *err)
{
    const size_t now = h->now;
    const struct cow_sectors *bits;
    uint64_t lost = 0;
    int status = image_require_layout(img, err);
    if (status == 0 && !is_same_file(h, img)) {
        status = cow_error_set(err, COW_REFUSED, "%s: is not the file that was recorded", img->path);
    }
    if (status == 0 && !has_same_header(h, img)) {
        status =
            cow_error_set(err, COW_REFUSED, "%s: has another header than when it was recorded", img->path);
    }
    if (status == 0) {
        status = cow_history_go(h, h->facts.moments, &bits, err);
    }
    if (status == 0) {
        status = count_lost(h, img, bits, &lost, err);
    }
    if (status == 0 && lost > 0) {
        status =
            cow_error_set(err, COW_REFUSED,
                          "%s: %" PRIu64 " sectors that were dirty at the end of the log are clean in it now",
                          img->path, lost);
    }
    const int back = cow_history_go(h, now, &bits, status == 0 ? err : NULL);
    return status != 0 ? status : back;
}
