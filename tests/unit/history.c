/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Logs of recordings: an image is written to by a known hand, its bits are kept here at each moment, and the
 * log, replayed forth and back, must give the same ones. A log that is cut off anywhere is read up to its
 * last whole record, one that is bent anywhere is an error or a shorter log, and what says things that cannot
 * be is no log. Whatever is there already is not written over.
 */
#include "cow/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/io.h"
#include "core/history/log.h"
#include "core/history/sectors.h"
#include "support.h"

enum { SECTOR = 512, MOMENTS_MOST = 32, SECTORS_MOST = 4096 };

static const int64_t second_ns = 1000000000;

/* ---- sets ---- */

static void same_set(const struct cow_sectors *set, const uint8_t *bit, uint64_t sectors)
{
    uint64_t count = 0, at = 0;
    struct cow_dirty_run run;
    size_t runs = 0;
    for (uint64_t i = 0; i < sectors; i++) {
        count += bit[i];
    }
    must(cow_sectors_count(set) == count, "%" PRIu64 " sectors, not %" PRIu64, cow_sectors_count(set), count);
    for (cow_sectors_next(set, 0, &run); run.sectors > 0;
         cow_sectors_next(set, run.first_sector + run.sectors, &run)) {
        must(run.first_sector >= at && run.first_sector + run.sectors <= sectors, "runs out of order");
        for (; at < run.first_sector; at++) {
            must(bit[at] == 0, "sector %" PRIu64 " is missing", at);
        }
        for (; at < run.first_sector + run.sectors; at++) {
            must(bit[at] == 1, "sector %" PRIu64 " is too much", at);
        }
        runs++;
    }
    for (; at < sectors; at++) {
        must(bit[at] == 0, "sector %" PRIu64 " is missing behind the last run", at);
    }
    must(runs == cow_sectors_runs(set), "%zu runs, told are %zu", runs, cow_sectors_runs(set));
}

START_TEST(a_set_is_what_was_added_and_taken_away)
{
    static uint8_t bit[SECTORS_MOST];
    struct rng rng = {.state = (uint64_t)_i + 1};
    struct cow_sectors *set = sectors_make();
    const uint64_t longest = _i % 2 ? 3 : 300;
    memset(bit, 0, sizeof bit);
    for (int i = 0; i < 3000; i++) {
        const uint64_t first = rng_below(&rng, SECTORS_MOST), most = SECTORS_MOST - first;
        const uint64_t n = 1 + rng_below(&rng, most < longest ? most : longest);
        const bool adds = rng_below(&rng, 5) < (i < 2000 ? 3 : 1);
        must(adds ? sectors_add(set, first, first + n) : sectors_remove(set, first, first + n), "no memory");
        memset(bit + first, adds, n);
        uint64_t sum = 0;
        const uint64_t from = rng_below(&rng, SECTORS_MOST),
                       length = rng_below(&rng, SECTORS_MOST - from + 1);
        for (uint64_t at = from; at < from + length; at++) {
            sum += bit[at];
        }
        must(cow_sectors_in(set, from, length) == sum, "in a range it has another number");
        if (i % 50 == 0) {
            same_set(set, bit, SECTORS_MOST);
        }
    }
    same_set(set, bit, SECTORS_MOST);
    must(sectors_remove(set, 0, SECTORS_MOST) && cow_sectors_count(set) == 0, "it is not empty in the end");
    cow_sectors_free(set);
}
END_TEST

/* ---- an image that is written to, and recorded ---- */

static int64_t clock_now;

static int64_t told_clock(void *context)
{
    (void)context;
    return clock_now;
}

static const struct cow_env env = {.now_ns = told_clock};

/* What the log has to say: the bits at each moment. */
struct recorded {
    struct model *model;
    struct cow_image *image;
    struct cow_recording *recording;
    char *log_path;
    uint64_t begun_ms;
    size_t moments;
    uint64_t at_ms[MOMENTS_MOST];
    uint8_t bit[MOMENTS_MOST][SECTORS_MOST];
};

static struct recorded recorded;

static void note_moment(struct recorded *r)
{
    for (uint64_t i = 0; i < r->model->geometry.sectors; i++) {
        r->bit[r->moments][i] =
            i < r->model->geometry.mapped && model_file_bit(r->model->cow_path, &r->model->geometry, i);
    }
    r->at_ms[r->moments] = (uint64_t)(clock_now / 1000000) - r->begun_ms;
    r->moments++;
}

static int step_all(struct cow_recording *recording, struct cow_error *err)
{
    bool more = true;
    int status = 0;
    while (status == 0 && more) {
        status = cow_recording_step(recording, &more, err);
    }
    return status;
}

static void begin_recording(struct recorded *r, enum cow_format format, const struct cow_io *io, bool force)
{
    const uint64_t size_bytes = 3000 * SECTOR + (shapes[format].kind == 'q' ? 0 : 17);
    const struct model_spec spec = {.format = format,
                                    .size_bytes = size_bytes,
                                    .sector_bytes = SECTOR,
                                    .alignment = 4096,
                                    .backing_bytes = size_bytes,
                                    .pattern = PATTERN_RUNS,
                                    .seed = 7};
    const struct cow_open_options open_options = {.io = io};
    struct cow_error err = {.status = 0};
    memset(r, 0, sizeof *r);
    clock_now = (int64_t)time(NULL) * second_ns;
    r->model = model_create(&spec);
    r->log_path = test_path("log");
    r->begun_ms = (uint64_t)(clock_now / 1000000);
    const struct cow_recording_options options = {.log_path = r->log_path, .force = force, .env = &env};
    must_succeed(cow_image_open(&r->image, r->model->cow_path, &open_options, &err), err);
    must_succeed(cow_recording_open(&r->recording, r->image, &options, &err), err);
    must_succeed(step_all(r->recording, &err), err);
    note_moment(r);
}

static void write_bits(struct recorded *r, uint64_t first, uint64_t count, bool set)
{
    const struct geometry *geometry = &r->model->geometry;
    for (uint64_t i = first; i < first + count; i++) {
        uint8_t byte;
        file_read(r->model->cow_path, geometry->bitmap_offset + i / 8, &byte, 1);
        byte = (uint8_t)(set ? byte | 1u << i % 8 : byte & ~(1u << i % 8));
        file_write_at(r->model->cow_path, geometry->bitmap_offset + i / 8, &byte, 1);
    }
}

/* Some seconds of a guest that writes, and once in a while takes away, which no guest does. */
static void go_on(struct recorded *r, struct rng *rng, int rounds)
{
    struct cow_error err = {.status = 0};
    for (int i = 0; i < rounds; i++) {
        const uint64_t changes = cow_recording_facts(r->recording)->changes;
        const uint64_t first = rng_below(rng, r->model->geometry.mapped);
        const uint64_t most = r->model->geometry.mapped - first;
        clock_now += second_ns + (int64_t)rng_below(rng, 1000) * 1000000;
        write_bits(r, first, 1 + rng_below(rng, most < 100 ? most : 100), i % 5 != 4);
        write_bits(r, rng_below(rng, r->model->geometry.mapped), 1, i % 7 != 6);
        cow_recording_hurry(r->recording);
        must_succeed(step_all(r->recording, &err), err);
        if (cow_recording_facts(r->recording)->changes > changes) {
            note_moment(r);
        }
    }
}

static void free_recorded(struct recorded *r)
{
    cow_recording_close(r->recording);
    cow_image_close(r->image);
    model_free(r->model);
    free(r->log_path);
    memset(r, 0, sizeof *r);
}

static void end_recording(struct recorded *r)
{
    struct cow_error err = {.status = 0};
    must_succeed(cow_recording_end(r->recording, &err), err);
}

static void same_moment(struct cow_history *history, const struct recorded *r, size_t moment)
{
    struct cow_error err = {.status = 0};
    const struct cow_sectors *bits;
    must_succeed(cow_history_go(history, moment, &bits, &err), err);
    same_set(bits, r->bit[moment], r->model->geometry.sectors);
}

/* ---- what was recorded is what is replayed ---- */

START_TEST(each_moment_comes_back)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = (uint64_t)_i + 1};
    struct cow_error err = {.status = 0};
    struct cow_history *history;
    begin_recording(r, (enum cow_format)_i, NULL, false);
    const struct witness backing = witness_of(r->model->backing_path);
    go_on(r, &rng, 25);
    end_recording(r);
    must_succeed(cow_history_open(&history, r->log_path, NULL, &err), err);
    const struct cow_history_facts *facts = cow_history_facts(history);
    ck_assert_uint_eq(facts->moments + 1, r->moments);
    must(r->moments > 15, "hardly anything was recorded");
    ck_assert_uint_eq(facts->left_bytes, 0);
    ck_assert_uint_eq(facts->whole_bytes, file_size(r->log_path));
    ck_assert_int_eq(facts->end, COW_HISTORY_ENDED);
    ck_assert_str_eq(facts->image_path, r->model->cow_path);
    ck_assert_str_eq(facts->backing_path, r->model->backing_path);
    ck_assert_str_eq(facts->format, shapes[_i].name);
    ck_assert_int_eq(facts->begun_ms, (int64_t)r->begun_ms);
    for (size_t i = 0; i < r->moments; i++) {
        struct cow_history_moment told;
        cow_history_moment(history, i, &told);
        ck_assert_uint_eq(told.at_ms, r->at_ms[i]);
        ck_assert_uint_eq(cow_history_moment_at(history, r->at_ms[i]), i);
        ck_assert_uint_eq(cow_history_moment_at(history, r->at_ms[i] + 999), i);
        ck_assert_uint_eq(cow_history_moment_at(history, i > 0 ? r->at_ms[i] - 1 : 0), i > 0 ? i - 1 : 0);
    }
    for (int i = 0; i < 60; i++) {
        same_moment(history, r, rng_below(&rng, r->moments));
    }
    must_succeed(cow_history_check_image(history, r->image, &err), err);
    cow_history_close(history);
    witness_check(&backing, "recording");
    free_recorded(r);
}
END_TEST

START_TEST(between_two_moments_is_what_became_dirty)
{
    static uint8_t wanted[SECTORS_MOST];
    struct recorded *r = &recorded;
    struct rng rng = {.state = 5};
    struct cow_error err = {.status = 0};
    struct cow_history *history;
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    go_on(r, &rng, 20);
    end_recording(r);
    must_succeed(cow_history_open(&history, r->log_path, NULL, &err), err);
    for (size_t from = 0; from < r->moments; from++) {
        for (size_t to = from; to < r->moments; to++) {
            struct cow_sectors *set;
            memset(wanted, 0, sizeof wanted);
            for (size_t i = from + 1; i <= to; i++) {
                for (uint64_t at = 0; at < r->model->geometry.sectors; at++) {
                    wanted[at] = (wanted[at] || !r->bit[i - 1][at]) && r->bit[i][at];
                }
            }
            for (uint64_t at = 0; from == to && at < r->model->geometry.sectors; at++) {
                wanted[at] = 0;
            }
            must_succeed(cow_history_between(history, from, to, &set, &err), err);
            same_set(set, wanted, r->model->geometry.sectors);
            cow_sectors_free(set);
        }
    }
    cow_history_close(history);
    free_recorded(r);
}
END_TEST

/* ---- logs that are cut off, bent, or lie ---- */

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

/* ---- what is there already, and what goes wrong ---- */

static int try_recording(const struct recorded *r, const char *path, bool force, struct cow_error *err)
{
    const struct cow_recording_options options = {.log_path = path, .force = force, .env = &env};
    struct cow_recording *recording = NULL;
    const int status = cow_recording_open(&recording, r->image, &options, err);
    cow_recording_close(recording);
    return status;
}

START_TEST(nothing_is_written_over)
{
    struct recorded *r = &recorded;
    struct cow_error err = {.status = 0};
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    const struct witness image = witness_of(r->model->cow_path), backing = witness_of(r->model->backing_path);
    char *link_path = test_path("link"), *other = test_path("other"), *dangling = test_path("dangling");
    must(symlink(r->model->cow_path, link_path) == 0 && symlink("nowhere", dangling) == 0, "no link");
    file_write(other, "somebody's", 10);
    for (int force = 0; force < 2; force++) {
        must_fail(try_recording(r, r->model->cow_path, force, &err), COW_REFUSED, err);
        must_fail(try_recording(r, r->model->backing_path, force, &err), COW_REFUSED, err);
        must_fail(try_recording(r, link_path, force, &err), COW_REFUSED, err);
        must_fail(try_recording(r, other, force, &err), COW_REFUSED, err);
        must_fail(try_recording(r, test_directory(), force, &err), COW_REFUSED, err);
        must_fail(try_recording(r, dangling, force, &err), COW_IO, err);
    }
    must_fail(try_recording(r, r->log_path, false, &err), COW_REFUSED, err);
    must_fail(try_recording(r, r->log_path, true, &err), COW_LOCKED, err); /* by ourselves */
    end_recording(r);
    cow_recording_close(r->recording);
    r->recording = NULL;
    const uint64_t size = file_size(r->log_path);
    must_fail(try_recording(r, r->log_path, false, &err), COW_REFUSED, err);
    ck_assert_uint_eq(file_size(r->log_path), size);
    must_succeed(try_recording(r, r->log_path, true, &err), err);
    must(file_size(r->log_path) < size, "it was not replaced");
    witness_check(&image, "recording");
    witness_check(&backing, "recording");
    ck_assert_uint_eq(file_size(other), 10);
    free(link_path);
    free(other);
    free(dangling);
    free_recorded(r);
}
END_TEST

/* A full disk: the calls that write to the log fail from the n-th on, the first of them half way. */
static int writes_left;

static ssize_t full_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    if (writes_left > 0) {
        writes_left--;
        return io_system.pwrite(context, fd, buffer, n_bytes, offset);
    }
    if (writes_left == 0 && n_bytes > 1) {
        writes_left = -1;
        return io_system.pwrite(context, fd, buffer, n_bytes / 2, offset);
    }
    return -ENOSPC;
}

static int no_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    (void)context, (void)fd, (void)size_bytes;
    return -EIO;
}

START_TEST(a_full_disk_leaves_whole_records)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = 3};
    struct cow_io io = io_system;
    struct cow_error err = {.status = 0};
    struct cow_history *history;
    io.pwrite = full_pwrite;
    if (_i % 2 != 0) {
        io.ftruncate = no_ftruncate;
    }
    writes_left = 4 + 5; /* head, about, bits, known; five changes */
    begin_recording(r, COW_FORMAT_V3, &io, false);
    go_on(r, &rng, 5);
    clock_now += 2 * second_ns;
    write_bits(r, 0, 8, false);
    write_bits(r, 8, 8, true);
    cow_recording_hurry(r->recording);
    must_fail(step_all(r->recording, &err), COW_IO, err);
    must(strstr(err.hint, "can be replayed") != NULL, "%s", err.hint);
    must_succeed(cow_recording_end(r->recording, &err), err); /* there is nothing more to be said */
    must_succeed(cow_history_open(&history, r->log_path, NULL, &err), err);
    ck_assert_uint_eq(cow_history_facts(history)->moments, 5);
    must((cow_history_facts(history)->left_bytes > 0) == (_i % 2 != 0), "what is left is not as expected");
    for (size_t i = 0; i < r->moments; i++) {
        same_moment(history, r, i);
    }
    cow_history_close(history);
    free_recorded(r);
}
END_TEST

START_TEST(a_failed_beginning_leaves_no_file)
{
    struct recorded *r = &recorded;
    struct cow_io io = io_system;
    struct cow_error err = {.status = 0};
    const struct cow_open_options open_options = {.io = &io};
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    char *path = test_path("new");
    io.pwrite = full_pwrite;
    for (writes_left = 0; writes_left < 2;) {
        const int writes = writes_left;
        struct recorded other = {.model = r->model};
        must_succeed(cow_image_open(&other.image, r->model->cow_path, &open_options, &err), err);
        must_fail(try_recording(&other, path, false, &err), COW_IO, err);
        must(!file_exists(path), "a file is left");
        cow_image_close(other.image);
        writes_left = writes + 1;
    }
    free(path);
    free_recorded(r);
}
END_TEST

START_TEST(what_ends_it_is_in_the_log)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = 3};
    struct cow_error err = {.status = 0};
    struct cow_history *history;
    static const enum cow_history_end wanted[] = {COW_HISTORY_GONE, COW_HISTORY_REPLACED, COW_HISTORY_SHORTER,
                                                  COW_HISTORY_OTHER};
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    go_on(r, &rng, 3);
    char *other = test_path("other");
    if (_i == 0) {
        must(unlink(r->model->cow_path) == 0, "cannot remove");
    } else if (_i == 1) {
        file_write(other, "x", 1);
        must(rename(other, r->model->cow_path) == 0, "cannot rename");
    } else if (_i == 2) {
        file_truncate(r->model->cow_path, file_size(r->model->cow_path) - 1);
    } else {
        file_write_at(r->model->cow_path, 9, "\1", 1);
    }
    clock_now += 2 * second_ns;
    must_fail(step_all(r->recording, &err), COW_IO, err);
    must_succeed(cow_history_open(&history, r->log_path, NULL, &err), err);
    ck_assert_int_eq(cow_history_facts(history)->end, wanted[_i]);
    must(strstr(err.message, cow_history_facts(history)->end_words) != NULL ||
             cow_history_facts(history)->end_words[0],
         "no words");
    ck_assert_uint_eq(cow_history_facts(history)->moments + 1, r->moments);
    cow_history_close(history);
    free(other);
    free_recorded(r);
}
END_TEST

/* Only the image that was recorded may be asked whose its sectors are. */
START_TEST(another_image_is_refused)
{
    struct recorded *r = &recorded;
    struct rng rng = {.state = 3};
    struct cow_error err = {.status = 0};
    struct cow_history *history;
    struct cow_image *image;
    begin_recording(r, COW_FORMAT_V3, NULL, false);
    go_on(r, &rng, 3);
    end_recording(r);
    must_succeed(cow_history_open(&history, r->log_path, NULL, &err), err);
    must_succeed(cow_history_check_image(history, r->image, &err), err);
    const uint64_t size = file_size(r->model->cow_path);
    uint8_t *bytes = malloc(size);
    file_read(r->model->cow_path, 0, bytes, size);
    char *copy = test_path("copy");
    file_write(copy, bytes, size);
    must_succeed(cow_image_open(&image, copy, NULL, &err), err);
    must_fail(cow_history_check_image(history, image, &err), COW_REFUSED, err);
    cow_image_close(image);
    struct cow_dirty_run run;
    const struct cow_sectors *bits;
    must_succeed(cow_history_go(history, cow_history_facts(history)->moments, &bits, &err), err);
    cow_sectors_next(bits, 100, &run);
    write_bits(r, run.first_sector, 1, false);
    must_succeed(cow_image_open(&image, r->model->cow_path, NULL, &err), err);
    must_fail(cow_history_check_image(history, image, &err), COW_REFUSED, err);
    must(strstr(err.message, " 1 sectors ") != NULL, "%s", err.message);
    cow_image_close(image);
    write_bits(r, run.first_sector, 1, true);
    file_write_at(r->model->cow_path, 8, "\1", 1); /* of the date */
    if (cow_image_open(&image, r->model->cow_path, NULL, &err) == 0) {
        must_fail(cow_history_check_image(history, image, &err), COW_REFUSED, err);
        must(strstr(err.message, "another header") != NULL, "%s", err.message);
        cow_image_close(image);
    }
    same_moment(history, r, 1);
    cow_history_close(history);
    free(bytes);
    free(copy);
    free_recorded(r);
}
END_TEST

Suite *history_suite(void)
{
    Suite *suite = suite_create("history");
    TCase *tc = tcase_create("history");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_set_is_what_was_added_and_taken_away, 0, 10);
    tcase_add_loop_test(tc, each_moment_comes_back, 0, COW_FORMATS);
    tcase_add_test(tc, between_two_moments_is_what_became_dirty);
    tcase_add_test(tc, a_log_that_is_cut_off_is_read_up_to_its_last_whole_record);
    tcase_add_test(tc, a_log_that_is_bent_is_an_error_or_shorter);
    tcase_add_loop_test(tc, records_that_lie_are_no_log_or_a_sound_one, 0, 5);
    tcase_add_loop_test(tc, what_cannot_be_is_told, 0, 15);
    tcase_add_test(tc, what_is_no_log_is_told);
    tcase_add_test(tc, nothing_is_written_over);
    tcase_add_loop_test(tc, a_full_disk_leaves_whole_records, 0, 2);
    tcase_add_loop_test(tc, a_failed_beginning_leaves_no_file, 0, 1);
    tcase_add_loop_test(tc, what_ends_it_is_in_the_log, 0, 4);
    tcase_add_test(tc, another_image_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
