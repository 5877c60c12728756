/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Logs that are cut off, bent, or lie: one that is cut off anywhere is read up to its last whole record, one
 * that is bent anywhere is an error or a shorter log, and what says things that cannot be is no log.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/history/log.h"
#include "recorded.h"

struct bytes {
    uint8_t *at;
    size_t n;
};

static struct bytes read_log(const struct recorded *r)
{
    struct bytes log = {.n = (size_t)file_size(r->log_path)};
    log.at = malloc(log.n);
    file_read(r->log_path, 0, log.at, log.n);
    return log;
}

static int open_bytes(struct cow_history **out, const char *path, const uint8_t *bytes, size_t n,
                      struct cow_error *err)
{
    unlink(path);
    file_write(path, bytes, n);
    *err = (struct cow_error){.status = 0};
    return cow_history_open(out, path, NULL, err);
}

/* Where the records end, and the kind of each. */
struct record_end {
    size_t end;
    unsigned kind;
};

static size_t find_records(const struct bytes *log, struct record_end *record)
{
    size_t n = 0;
    for (size_t at = LOG_HEAD_BYTES; at < log->n; n++) {
        record[n].kind = log->at[at + LOG_FRAME_BYTES];
        at += LOG_FRAME_BYTES + (size_t)bytes_get(log->at + at, 4, true);
        record[n].end = at;
    }
    return n;
}

START_TEST(a_log_that_is_cut_off_is_read_up_to_its_last_whole_record)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = 3};
    struct record_end record[MOMENTS_MOST + 8];
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    go_on(r, &rng, 6);
    end_recording(r);
    const struct bytes log = read_log(r);
    const size_t records = find_records(&log, record);
    char *path = test_path("cut");
    must(records == r->moments + 3 && record[records - 1].end == log.n, "other records than expected");
    for (size_t n = 0; n < log.n; n++) {
        struct cow_history *history = NULL;
        struct cow_error err;
        size_t whole = 0, moments = 0, known = 0;
        for (; whole < records && record[whole].end <= n; whole++) {
            known += record[whole].kind == LOG_KNOWN;
            moments += record[whole].kind == LOG_CHANGE;
        }
        const int status = open_bytes(&history, path, log.at, n, &err);
        if (known == 0) {
            must_fail(status, COW_INVALID, err);
            continue;
        }
        must_succeed(status, err);
        const struct cow_history_facts *facts = cow_history_facts(history);
        must(facts->moments == moments && facts->end == COW_HISTORY_NONE &&
                 facts->whole_bytes == record[whole - 1].end &&
                 facts->left_bytes == n - record[whole - 1].end,
             "cut off at %zu it has %zu moments and %" PRIu64 " bytes left", n, facts->moments,
             facts->left_bytes);
        same_moment(history, r, moments);
        same_moment(history, r, 0);
        cow_history_close(history);
    }
    free(path);
    free(log.at);
    free_recorded(r);
}
END_TEST

START_TEST(a_log_that_is_bent_is_an_error_or_shorter)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = 3};
    size_t errors = 0, shorter = 0;
    begin_recording(r, COW_FORMAT_V2, NULL, false);
    go_on(r, &rng, 3);
    end_recording(r);
    struct bytes log = read_log(r);
    char *path = test_path("bent");
    for (size_t bit = 0; bit < log.n * 8; bit++) {
        struct cow_history *history = NULL;
        struct cow_error err;
        log.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const int status = open_bytes(&history, path, log.at, log.n, &err);
        log.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (status != 0) {
            must_fail(status, COW_INVALID, err);
            errors++;
            continue;
        }
        must(cow_history_facts(history)->left_bytes > 0, "bit %zu is bent, and nobody has seen it", bit);
        for (size_t i = 0; i <= cow_history_facts(history)->moments; i++) {
            same_moment(history, r, i);
        }
        shorter++;
        cow_history_close(history);
    }
    must(errors > 0 && shorter > 0, "%zu errors, %zu shorter ones", errors, shorter);
    free(path);
    free(log.at);
    free_recorded(r);
}
END_TEST

/* Sums that fit whatever the records say. */
static void mend_sums(struct bytes *log)
{
    for (size_t at = LOG_HEAD_BYTES; at + LOG_FRAME_BYTES < log->n;) {
        const size_t n = (size_t)bytes_get(log->at + at, 4, true);
        struct log_buffer buffer = {.bytes = log->at + at, .n = LOG_FRAME_BYTES + n};
        if (n == 0 || n > log->n - at - LOG_FRAME_BYTES) {
            return;
        }
        log_finish(&buffer);
        at += LOG_FRAME_BYTES + n;
    }
}

/* All that can be asked of a log, whatever it says: going back gives what was there. */
static void walk(struct cow_history *history)
{
    const size_t moments = cow_history_facts(history)->moments;
    struct cow_error err = {.status = 0};
    const struct cow_sectors *bits;
    struct cow_sectors *set;
    for (size_t i = 0; i < 2 * moments + 1; i++) {
        struct cow_history_moment told;
        const size_t moment = i <= moments ? i : 2 * moments - i;
        cow_history_moment(history, moment, &told);
        must_succeed(cow_history_go(history, moment, &bits, &err), err);
        must(cow_sectors_count(bits) == told.dirty_sectors,
             "moment %zu has %" PRIu64 " sectors, and says %" PRIu64, moment, cow_sectors_count(bits),
             told.dirty_sectors);
    }
    must_succeed(cow_history_between(history, 0, moments, &set, &err), err);
    cow_sectors_free(set);
}

START_TEST(records_that_lie_are_no_log_or_a_sound_one)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = (uint64_t)_i + 1};
    size_t sound = 0, errors = 0;
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    go_on(r, &rng, 5);
    end_recording(r);
    const struct bytes whole = read_log(r);
    struct bytes log = {.at = malloc(whole.n), .n = whole.n};
    char *path = test_path("lies");
    for (int i = 0; i < 400; i++) {
        struct cow_history *history = NULL;
        struct cow_error err;
        memcpy(log.at, whole.at, whole.n);
        for (uint64_t n = 1 + rng_below(&rng, 4); n > 0; n--) {
            const size_t at = LOG_HEAD_BYTES + (size_t)rng_below(&rng, whole.n - LOG_HEAD_BYTES);
            log.at[at] = (uint8_t)(rng_below(&rng, 3) == 0 ? 0xff : rng_next(&rng));
        }
        mend_sums(&log);
        const int status = open_bytes(&history, path, log.at, log.n, &err);
        if (status != 0) {
            must(status == COW_INVALID || status == COW_NO_MEMORY, "status %d", status);
            must(is_terminal_safe(err.message), "a message that is not safe");
            errors++;
            continue;
        }
        walk(history);
        sound++;
        cow_history_close(history);
    }
    must(errors > 0 && sound > 0, "%zu errors, %zu sound ones", errors, sound);
    free(path);
    free(log.at);
    free(whole.at);
    free_recorded(r);
}
END_TEST

/* A log made by hand: record by record. */
static void add_record(const char *path, struct log_buffer *buffer)
{
    log_finish(buffer);
    file_write_at(path, file_size(path), buffer->bytes, buffer->n);
    log_free(buffer);
}

static void add_about(const char *path, uint64_t size_bytes, uint64_t sectors)
{
    struct log_buffer buffer = {.n = 0};
    uint8_t head[LOG_HEAD_BYTES] = {0};
    memcpy(head, log_magic, LOG_MAGIC_BYTES);
    head[LOG_HEAD_BYTES - 1] = LOG_VERSION;
    unlink(path);
    file_write(path, head, sizeof head);
    log_begin(&buffer, LOG_ABOUT);
    const uint64_t numbers[] = {1, 1000, size_bytes, SECTOR, sectors};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        log_put(&buffer, numbers[i]);
    }
    log_put_bytes(&buffer, "uml-cow-v3", 10);
    log_put_bytes(&buffer, "/x", 2);
    log_put_bytes(&buffer, "", 0);
    log_put(&buffer, 0);
    log_put_bytes(&buffer, "", 0);
    log_put(&buffer, 1);
    log_put(&buffer, 1);
    add_record(path, &buffer);
}

static void add_numbers(const char *path, enum log_kind kind, size_t n, const uint64_t *number)
{
    struct log_buffer buffer = {.n = 0};
    log_begin(&buffer, kind);
    for (size_t i = 0; i < n; i++) {
        log_put(&buffer, number[i]);
    }
    add_record(path, &buffer);
}

#define ADD(kind, ...)                                                                                       \
    add_numbers(path, kind, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                      \
                (const uint64_t[]){__VA_ARGS__})

/* Each of these is whole, and says what cannot be. */
START_TEST(what_cannot_be_is_told)
{
    struct cow_history *history = NULL;
    struct cow_error err = {.status = 0};
    char *path = test_path("made");
    add_about(path, 100 * SECTOR, _i == 0 ? 99 : 100);
    ADD(LOG_BITS, 1, 10, 5);
    if (_i == 1) {
        ADD(LOG_BITS, 1, 14, 1); /* is dirty already */
    }
    ADD(LOG_KNOWN, 20, _i == 2 ? 6 : 5);
    if (_i == 3) {
        ADD(LOG_CHANGE, 21, 1, 95, 6, 0); /* past the end */
    } else if (_i == 4) {
        ADD(LOG_CHANGE, 21, 0, 1, 9, 2); /* the first is clean already */
    } else if (_i == 5) {
        ADD(LOG_CHANGE, 19, 1, 0, 1, 0); /* before the last one */
    } else if (_i == 6) {
        ADD(LOG_CHANGE, 21, 1, 0, 0, 0); /* an empty run */
    } else if (_i == 7) {
        ADD(LOG_CHANGE, 21, 2, 0, 1, 0); /* a run is missing */
    } else if (_i == 8) {
        ADD(LOG_BITS, 1, 0, 1); /* too late */
    } else if (_i == 9) {
        ADD(LOG_END, 21, 1, 5, 0);
        ADD(LOG_CHANGE, 22, 1, 0, 1, 0); /* behind the end */
    } else if (_i == 10) {
        ADD(LOG_END, 21, COW_HISTORY_ENDS, 5, 0);
    } else if (_i == 11) {
        ADD(LOG_CHANGE, 21, 1, 0, 1, 0, 7); /* something more */
    } else if (_i == 12) {
        ADD(LOG_CHANGE, 21, 1, UINT64_MAX, UINT64_MAX, 0);
    } else if (_i == 13) {
        ADD(9, 0); /* no such kind */
    }
    const int status = cow_history_open(&history, path, NULL, &err);
    if (_i == 14) { /* all of it can be */
        must_succeed(status, err);
        cow_history_close(history);
    } else {
        must_fail(status, COW_INVALID, err);
    }
    free(path);
}
END_TEST

START_TEST(what_is_no_log_is_told)
{
    struct cow_history *history = NULL;
    struct cow_error err = {.status = 0};
    char *path = test_path("none");
    must_fail(cow_history_open(&history, path, NULL, &err), COW_IO, err);
    file_write(path, "", 0);
    must_fail(cow_history_open(&history, path, NULL, &err), COW_INVALID, err);
    unlink(path);
    file_write(path, "cow-log\n\0\0\0\2", 12);
    must_fail(cow_history_open(&history, path, NULL, &err), COW_INVALID, err);
    must(strstr(err.message, "version 2") != NULL, "%s", err.message);
    must_fail(cow_history_open(&history, test_directory(), NULL, &err), COW_INVALID, err);
    free(path);
}
END_TEST

Suite *history_logs_suite(void)
{
    Suite *suite = suite_create("history-logs");
    TCase *tc = tcase_create("history logs");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_log_that_is_cut_off_is_read_up_to_its_last_whole_record);
    tcase_add_test(tc, a_log_that_is_bent_is_an_error_or_shorter);
    tcase_add_loop_test(tc, records_that_lie_are_no_log_or_a_sound_one, 0, 5);
    tcase_add_loop_test(tc, what_cannot_be_is_told, 0, 15);
    tcase_add_test(tc, what_is_no_log_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}
