/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log of a recording of any bytes: it is an error, or it can be walked through, forth and back, with the
 * same bits at the same moments, and sums that are those of its records. The first byte says whether the sums
 * of records are made to fit: else nothing gets past them.
 */
#include <string.h>

#include "../lib/fuzzer.h"
#include "core/base/bytes.h"
#include "core/history/log.h"

enum { MOMENTS_MOST = 200, RUNS_MOST = 2000 };

static void mend_sums(uint8_t *bytes, size_t n_bytes)
{
    for (size_t at = LOG_HEAD_BYTES; at + LOG_FRAME_BYTES < n_bytes;) {
        const size_t n = (size_t)bytes_get(bytes + at, 4, true);
        struct log_buffer buffer = {.bytes = bytes + at, .n = LOG_FRAME_BYTES + n};
        if (n == 0 || n > n_bytes - at - LOG_FRAME_BYTES) {
            return;
        }
        log_finish(&buffer);
        at += LOG_FRAME_BYTES + n;
    }
}

/* Ascending, apart, within the disk, and as many as it says. */
static void look_at_set(const struct cow_sectors *set, uint64_t sectors)
{
    struct cow_dirty_run run;
    uint64_t at = 0, sum = 0;
    size_t n = 0;
    for (cow_sectors_next(set, 0, &run); run.sectors > 0 && n < RUNS_MOST;
         cow_sectors_next(set, at, &run), n++) {
        MUST((run.first_sector > at || n == 0) && run.sectors <= sectors - run.first_sector);
        at = run.first_sector + run.sectors;
        sum += run.sectors;
    }
    MUST(cow_sectors_in(set, 0, at) == sum);
    MUST(n == RUNS_MOST || (sum == cow_sectors_count(set) && n == cow_sectors_runs(set)));
}

static void look_at_facts(const struct cow_history *history)
{
    const struct cow_history_facts *facts = cow_history_facts(history);
    uint64_t last_ms = 0;
    MUST(facts->sectors > 0 && facts->sector_bytes > 0 && facts->end < COW_HISTORY_ENDS);
    MUST(facts->size_bytes <= facts->sectors * facts->sector_bytes && is_terminal_safe(facts->end_words));
    for (size_t i = 0; i <= facts->moments; i++) {
        struct cow_history_moment told;
        cow_history_moment(history, i, &told);
        MUST(told.at_ms >= last_ms && told.at_ms <= facts->end_ms && told.dirty_sectors <= facts->sectors);
        MUST(cow_history_moment_at(history, told.at_ms) >= i);
        last_ms = told.at_ms;
    }
}

static void walk(struct cow_history *history)
{
    const struct cow_history_facts *facts = cow_history_facts(history);
    const size_t most = facts->moments < MOMENTS_MOST ? facts->moments : MOMENTS_MOST;
    struct cow_error err = {.status = 0};
    const struct cow_sectors *bits;
    struct cow_sectors *set;
    look_at_facts(history);
    for (size_t i = 0; i <= 2 * most; i++) {
        struct cow_history_moment told;
        const size_t moment = i <= most ? i : 2 * most - i;
        cow_history_moment(history, moment, &told);
        MUST(cow_history_go(history, moment, &bits, &err) == 0);
        MUST(cow_sectors_count(bits) == told.dirty_sectors);
        look_at_set(bits, facts->sectors);
    }
    MUST(cow_history_between(history, 0, most, &set, &err) == 0);
    look_at_set(set, facts->sectors);
    cow_sectors_free(set);
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    struct input in = {data, n_bytes};
    struct cow_error err = {.status = 0};
    struct cow_history *history;
    const bool mends = input_flag(&in);
    uint8_t *bytes = malloc(in.left + 1);
    MUST(bytes != NULL);
    memcpy(bytes, in.at, in.left);
    if (mends) {
        mend_sums(bytes, in.left);
    }
    scratch_begin();
    file_make("log", bytes, in.left);
    const int status = cow_history_open(&history, "log", NULL, &err);
    error_is_whole(status, &err);
    if (status == 0) {
        walk(history);
        cow_history_close(history);
    }
    free(bytes);
    scratch_check();
}
