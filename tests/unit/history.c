/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recordings: a log, replayed forth and back, gives the bits of each moment. Whatever is there already is not
 * written over, and what goes wrong leaves whole records.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/io.h"
#include "recorded.h"

/* ---- sets ---- */

START_TEST(a_set_is_what_was_added_and_taken_away)
{
    static uint8_t bit[SECTORS_MOST];
    struct rng rng = {.state = (uint64_t)_i + 1};
    struct cow_sectors *set = sectors_make();
    const uint64_t longest = (_i % 2) != 0 ? 3 : 300;
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
                    wanted[at] = (wanted[at] != 0 || r->bit[i - 1][at] == 0) && r->bit[i][at] != 0;
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

/* ---- what is there already, and what goes wrong ---- */

static int try_recording(const struct recorded *r, const char *path, bool force, struct cow_error *err)
{
    const struct cow_recording_options options = {.log_path = path, .force = force, .env = &told_env};
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
    tcase_add_test(tc, nothing_is_written_over);
    tcase_add_loop_test(tc, a_full_disk_leaves_whole_records, 0, 2);
    tcase_add_loop_test(tc, a_failed_beginning_leaves_no_file, 0, 1);
    tcase_add_loop_test(tc, what_ends_it_is_in_the_log, 0, 4);
    tcase_add_test(tc, another_image_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
