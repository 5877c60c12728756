/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Comparing byte by byte: the first ranges that differ, each with its first bytes on both sides.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/diff/diff_bytes.h"

enum { CHUNK_BYTES = 64 * 1024, RANGES_MAX = 16, ROW_BYTES = 16, ROWS_MAX = 4, TOGETHER_BYTES = 16 };

struct range {
    uint64_t first, end;
};

struct ranges {
    struct range range[RANGES_MAX];
    size_t n;
    bool more;
};

/* What lies near to the range before belongs to it. Returns false when there are enough. */
static bool pieces_differ(struct ranges *ranges, uint64_t at, uint64_t end)
{
    struct range *last = ranges->n > 0 ? &ranges->range[ranges->n - 1] : NULL;

    if (last != NULL && at - last->end < TOGETHER_BYTES) {
        last->end = end;
        return true;
    }
    if (ranges->n == RANGES_MAX) {
        ranges->more = true;
        return false;
    }
    ranges->range[ranges->n++] = (struct range){at, end};
    return true;
}

static bool compare_chunk(struct ranges *ranges, uint64_t at, const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i] && !pieces_differ(ranges, at + i, at + i + 1)) {
            return false;
        }
    }
    return true;
}

static bool wants_stop(void *context, const struct cow_progress *progress)
{
    const struct front_versions *versions = context;

    return versions->wants_stop != NULL &&
           versions->wants_stop(versions->context, progress->done_bytes, progress->total_bytes);
}

/* The next place where both versions, which are there, have bytes that differ, or where the shorter one ends.
 */
static int next_difference(struct front_versions *versions, uint64_t from, uint64_t *at,
                           struct cow_error *err)
{
    const struct cow_env env = {.progress = wants_stop, .context = versions};

    return cow_fs_next_difference(versions->reader[0], versions->reader[1], from, &env, at, err);
}

/* The part that both versions have, then what one of them has more. */
static int find_ranges(struct ranges *ranges, struct front_versions *versions, uint8_t *buffer,
                       struct cow_error *err)
{
    const uint64_t *size = versions->size_bytes;
    uint64_t common = size[0] < size[1] ? size[0] : size[1], longest = size[0] > size[1] ? size[0] : size[1];
    uint64_t at = 0;
    bool go_on = true;

    while (go_on && at < common) {
        int status = front_versions_look(versions, at, common, err);
        if (status == 0) {
            status = next_difference(versions, at, &at, err);
        }
        size_t n = common - at < CHUNK_BYTES ? (size_t)(common - at) : CHUNK_BYTES;
        if (status == 0) {
            status = front_versions_read(versions, COW_VERSION_GUEST, at, buffer, n, err);
        }
        if (status == 0) {
            status = front_versions_read(versions, COW_VERSION_BASE, at, buffer + CHUNK_BYTES, n, err);
        }
        if (status != 0) {
            return status;
        }
        go_on = compare_chunk(ranges, at, buffer, buffer + CHUNK_BYTES, n);
        at += n;
    }
    if (go_on && longest > common) {
        pieces_differ(ranges, common, longest);
    }
    return 0;
}

/* "+00001000  61 62 63   abc" */
static int add_row(struct front_diff *diff, struct front_versions *versions, enum cow_version side,
                   uint64_t at, size_t n_bytes, struct cow_error *err)
{
    uint8_t bytes[ROW_BYTES];
    char hex[3 * ROW_BYTES + 1] = "", text[ROW_BYTES + 1];
    int status = front_versions_read(versions, side, at, bytes, n_bytes, err);

    for (size_t i = 0; i < n_bytes && status == 0; i++) {
        snprintf(hex + 3 * i, 4, "%02x ", bytes[i]);
        text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    }
    text[n_bytes] = '\0';
    return status != 0 ? status
                       : front_diff_addf(diff, err, "%c%08" PRIx64 "  %-*s %s\n",
                                         side == COW_VERSION_GUEST ? '+' : '-', at, 3 * ROW_BYTES, hex, text);
}

static int add_side(struct front_diff *diff, struct front_versions *versions, enum cow_version side,
                    const struct range *range, struct cow_error *err)
{
    uint64_t end = range->end < versions->size_bytes[side] ? range->end : versions->size_bytes[side];
    uint64_t at = range->first;
    int status = 0;

    for (int row = 0; row < ROWS_MAX && at < end && status == 0; row++, at += ROW_BYTES) {
        status =
            add_row(diff, versions, side, at, end - at < ROW_BYTES ? (size_t)(end - at) : ROW_BYTES, err);
    }
    if (status == 0 && at < end) {
        status = front_diff_addf(diff, err, "%c... and %" PRIu64 " bytes more\n",
                                 side == COW_VERSION_GUEST ? '+' : '-', end - at);
    }
    return status;
}

static int add_range(struct front_diff *diff, struct front_versions *versions, const struct range *range,
                     struct cow_error *err)
{
    uint64_t bytes = range->end - range->first;
    int status = front_diff_addf(diff, err, "@@ byte %" PRIu64 " (0x%" PRIx64 "), %" PRIu64 " byte%s @@\n",
                                 range->first, range->first, bytes, bytes == 1 ? "" : "s");

    if (status == 0) {
        status = add_side(diff, versions, COW_VERSION_BASE, range, err);
    }
    if (status == 0) {
        status = add_side(diff, versions, COW_VERSION_GUEST, range, err);
    }
    return status;
}

int front_diff_bytes(struct front_diff *diff, struct front_versions *versions, const char *why,
                     struct cow_error *err)
{
    struct ranges ranges = {.n = 0};
    uint8_t *buffer = malloc(2 * (size_t)CHUNK_BYTES);

    if (buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = find_ranges(&ranges, versions, buffer, err);
    free(buffer);
    if (status != 0 || ranges.n == 0) {
        return status;
    }
    status = front_diff_addf(diff, err, "  %s, so it is compared byte by byte\n", why);
    if (status == 0) {
        status = front_diff_addf(diff, err, "--- %s (%" PRIu64 " bytes)\n+++ %s (%" PRIu64 " bytes)\n",
                                 versions->label[COW_VERSION_BASE], versions->size_bytes[COW_VERSION_BASE],
                                 versions->label[COW_VERSION_GUEST], versions->size_bytes[COW_VERSION_GUEST]);
    }
    for (size_t i = 0; i < ranges.n && status == 0; i++) {
        status = add_range(diff, versions, &ranges.range[i], err);
    }
    if (status == 0 && ranges.more) {
        status = front_diff_addf(diff, err, "  ... and more; these are the first %d places\n", RANGES_MAX);
    }
    return status;
}
