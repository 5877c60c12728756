/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The follower: an image is written to by a known hand, and the changes that are handed out, laid over the
 * bits as they were, must give the bits of the file, in every format. What ends the following, what an idle
 * image costs, and what memory is for.
 */
#include "cow/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/io.h"
#include "core/follow/kept.h"
#include "support.h"
#include "told_clock.h"

enum { SECTOR = 512, PAGE_SECTORS = FORMAT_PAGE_BITS };

/* ---- a clock that goes when it is told to, and what is seen of a hand that writes bits ---- */

struct watch {
    struct cow_image *image;
    struct cow_follow *follow;
    struct cow_env env;
    uint64_t sectors;
    uint8_t *bit; /* [sectors]: as the changes have it */
    uint64_t changes, inexact;
    int64_t last_ns;
};

static void take_change(void *context, const struct cow_follow_change *change)
{
    struct watch *watch = context;
    must(change->sectors > 0 && change->first_sector + change->sectors <= watch->sectors,
         "a change past the end");
    must(change->at_ns == clock_now, "the change has another time");
    watch->changes++;
    watch->last_ns = change->at_ns;
    if (change->changed_sectors < change->sectors) {
        watch->inexact++;
        return;
    }
    for (uint64_t i = 0; i < change->sectors; i++) {
        uint8_t *bit = &watch->bit[change->first_sector + i];
        must(*bit != change->dirty, "sector %" PRIu64 " was so before", change->first_sector + i);
        *bit = change->dirty;
    }
}

/* Everything that is to be done now. */
static int go_round(struct watch *watch, struct cow_error *err)
{
    bool more = true;
    int status = 0;
    while (status == 0 && more) {
        const uint64_t before = cow_follow_facts(watch->follow)->read_bytes;
        status = cow_follow_step(watch->follow, &more, err);
        must(cow_follow_facts(watch->follow)->read_bytes - before <= FORMAT_PAGE_BYTES,
             "a step reads more than a page");
    }
    return status;
}

/* The next look, a second later. */
static void go_on(struct watch *watch)
{
    struct cow_error err = {.status = 0};
    clock_now += second_ns;
    must_succeed(go_round(watch, &err), err);
}

static void begin_watch(struct watch *watch, const char *path, uint64_t sectors, size_t memory_bytes,
                        const struct cow_io *io)
{
    struct cow_error err = {.status = 0};
    const struct cow_open_options open_options = {.io = io};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_now = (int64_t)now.tv_sec * second_ns;
    *watch = (struct watch){.env = {.now_ns = told_clock}, .sectors = sectors, .bit = calloc(1, sectors)};
    must_succeed(cow_image_open(&watch->image, path, &open_options, &err), err);
    const struct cow_follow_options options = {
        .changed = take_change, .context = watch, .env = &watch->env, .memory_bytes = memory_bytes};
    must_succeed(cow_follow_open(&watch->follow, watch->image, &options, &err), err);
    must_succeed(go_round(watch, &err), err);
    must(cow_follow_facts(watch->follow)->known && watch->changes == 0, "what was there is no change");
}

static void end_watch(struct watch *watch)
{
    cow_follow_close(watch->follow);
    cow_image_close(watch->image);
    free(watch->bit);
}

/* The bits as the changes have them are those of the file, and so is their number. */
static void same_bits(const struct watch *watch, const char *path, const struct geometry *geometry)
{
    const uint64_t n_bytes = (geometry->mapped + 7) / 8;
    uint8_t *bytes = malloc(n_bytes);
    uint64_t sum = 0;
    file_read(path, geometry->bitmap_offset, bytes, n_bytes);
    for (uint64_t i = 0; i < geometry->mapped; i++) {
        const unsigned bit = bytes[i / 8] >> i % 8 & 1;
        sum += bit;
        must(watch->inexact > 0 || watch->bit[i] == bit, "bit %" PRIu64 " is %u", i, bit);
    }
    ck_assert_uint_eq(cow_follow_facts(watch->follow)->dirty_sectors, sum);
    free(bytes);
}

/* ---- every format ---- */

START_TEST(changes_are_what_was_written)
{
    const uint64_t size_bytes = 3000 * SECTOR + (shapes[_i].kind == 'q' ? 0 : 17);
    const struct model_spec spec = {.format = (enum cow_format)_i,
                                    .size_bytes = size_bytes,
                                    .sector_bytes = SECTOR,
                                    .alignment = 4096,
                                    .backing_bytes = size_bytes,
                                    .pattern = PATTERN_RANDOM,
                                    .garbage = true,
                                    .seed = 7};
    struct model *model = model_create(&spec);
    const struct geometry *geometry = &model->geometry;
    struct rng rng = {.state = (uint64_t)_i + 1};
    struct watch watch;
    begin_watch(&watch, model->cow_path, geometry->sectors, 0, NULL);
    memcpy(watch.bit, model->dirty, geometry->sectors);
    same_bits(&watch, model->cow_path, geometry);
    for (int i = 0; i < 20; i++) {
        const uint64_t first = rng_below(&rng, geometry->mapped);
        const uint64_t count = 1 + rng_below(&rng, geometry->mapped - first);
        model_set_bits(model->cow_path, geometry, first, (i % 3) != 0 ? count : 1, i % 4 != 3);
        go_on(&watch);
        same_bits(&watch, model->cow_path, geometry);
    }
    const struct cow_follow_facts *facts = cow_follow_facts(watch.follow);
    must(facts->newly_dirty > 0 && facts->newly_clean > 0, "nothing has changed");
    end_watch(&watch);
    model_free(model);
}
END_TEST

/* ---- a disk of several pages ---- */

#define LARGE_BYTES (UINT64_C(3) * PAGE_SECTORS * SECTOR + 5 * SECTOR)

static void set_every_second(const char *path, const struct geometry *geometry, uint64_t page)
{
    uint8_t bytes[FORMAT_PAGE_BYTES];
    memset(bytes, 0x55, sizeof bytes);
    file_write_at(path, geometry->bitmap_offset + page * FORMAT_PAGE_BYTES, bytes, sizeof bytes);
}

START_TEST(runs_across_pages_full_pages_and_holes)
{
    struct geometry geometry;
    struct watch watch;
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    begin_watch(&watch, path, geometry.sectors, 0, NULL);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->read_bytes, 0); /* all of it is a hole */
    model_set_bits(path, &geometry, PAGE_SECTORS - 3, 10, true);
    go_on(&watch);
    ck_assert_uint_eq(watch.changes, 2);
    model_set_bits(path, &geometry, PAGE_SECTORS, PAGE_SECTORS, true);
    model_set_bits(path, &geometry, geometry.sectors - 1, 1, true);
    go_on(&watch);
    same_bits(&watch, path, &geometry);
    set_every_second(path, &geometry, 0);
    go_on(&watch);
    model_set_bits(path, &geometry, 12345, 1, true);
    model_set_bits(path, &geometry, PAGE_SECTORS + 77, 1,
                   false); /* in a full page: seen by a round that reads all */
    go_on(&watch);
    must(watch.bit[12345] == 1 && watch.bit[PAGE_SECTORS + 77] == 1, "not as it was expected");
    cow_follow_hurry(watch.follow);
    go_on(&watch);
    same_bits(&watch, path, &geometry);
    end_watch(&watch);
    free(path);
}
END_TEST

START_TEST(without_memory_numbers_stay_exact)
{
    struct geometry geometry;
    struct watch watch;
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    set_every_second(path, &geometry, 0);
    set_every_second(path, &geometry, 2);
    begin_watch(&watch, path, geometry.sectors, 1000, NULL);
    must(cow_follow_facts(watch.follow)->kept_bytes < 1000 + 2 * 64, "more is kept than there is memory for");
    model_set_bits(path, &geometry, 0, 64, true);
    go_on(&watch);
    ck_assert_uint_eq(watch.inexact, 1);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_dirty, 32);
    model_set_bits(path, &geometry, 1, 1, false);
    model_set_bits(path, &geometry, PAGE_SECTORS + 5, 2, true);
    go_on(&watch);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_dirty, 34);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_clean, 1);
    same_bits(&watch, path, &geometry);
    end_watch(&watch);
    free(path);
}
END_TEST

/* What is kept of a page is the page, whatever is in it. */
START_TEST(kept_pages_come_back)
{
    static const uint32_t sizes[] = {1, 7, 64, 65, 1000, PAGE_SECTORS - 1, PAGE_SECTORS};
    struct rng rng = {.state = (uint64_t)_i + 1};
    uint8_t page[FORMAT_PAGE_BYTES] = {0}, back[FORMAT_PAGE_BYTES];
    const uint32_t bits = sizes[rng_below(&rng, sizeof sizes / sizeof sizes[0])];
    const uint64_t most = 1 + rng_below(&rng, (_i % 2) != 0 ? 3 : 20000);
    uint32_t set = 0;
    for (uint32_t at = (uint32_t)rng_below(&rng, most + 1); at < bits;) {
        for (uint64_t n = 1 + rng_below(&rng, most); n > 0 && at < bits; n--, at++, set++) {
            page[at / 8] = (uint8_t)(page[at / 8] | 1u << at % 8);
        }
        at += (uint32_t)(1 + rng_below(&rng, most));
    }
    struct kept *kept = NULL;
    must(kept_make(&kept, page, bits, SIZE_MAX) == 0, "no memory");
    ck_assert_uint_eq(kept_count(kept), set);
    must(kept_bytes(kept) <= FORMAT_PAGE_BYTES + 64, "it takes %zu bytes", kept_bytes(kept));
    memset(back, 0xaa, sizeof back);
    must(kept_unpack(kept, back) && memcmp(back, page, sizeof page) == 0, "it comes back as another page");
    free(kept);
}
END_TEST

/* ---- when it reads ---- */

static void age(const char *path)
{
    file_set_mtime(path, clock_now / second_ns - 100);
}

START_TEST(an_idle_image_is_not_read)
{
    struct geometry geometry;
    struct watch watch;
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    model_set_bits(path, &geometry, 5, 1, true);
    age(path);
    begin_watch(&watch, path, geometry.sectors, 0, NULL);
    go_on(&watch); /* its date is another one since it was opened, or not: either is right */
    const struct cow_follow_facts before = *cow_follow_facts(watch.follow);
    for (int i = 0; i < 20; i++) {
        go_on(&watch);
    }
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->looks, before.looks + 20);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->read_bytes, before.read_bytes);
    clock_now += second_ns / 2;
    go_round(&watch, NULL);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->looks, before.looks + 20); /* it is not time yet */
    end_watch(&watch);
    free(path);
}
END_TEST

/* A stat that always tells the same: of a file that is written to through memory. */
static struct stat frozen;

static int frozen_stat(void *context, const char *path, struct stat *out)
{
    int status = io_system.stat(context, path, out);
    if (status == 0 && out->st_ino == frozen.st_ino) {
        *out = frozen;
    }
    return status;
}

/* Half of what is being written is seen now, the rest with the next round, though nothing of the file's stat
 * is another one: its date is young, and may be that of a later write, too. */
START_TEST(torn_writes_are_found)
{
    struct geometry geometry;
    struct watch watch;
    struct cow_io io = io_system;
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    must(stat(path, &frozen) == 0, "no stat");
    frozen.st_mtim.tv_sec = time(NULL) + 1;
    io.stat = frozen_stat;
    begin_watch(&watch, path, geometry.sectors, 0, &io);
    model_set_bits(path, &geometry, 4096, 100, true);
    go_on(&watch);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_dirty, 100);
    model_set_bits(path, &geometry, 4196, 100, true);
    go_on(&watch);
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_dirty, 200);
    same_bits(&watch, path, &geometry);
    end_watch(&watch);
    free(path);
}
END_TEST

START_TEST(what_has_no_date_is_found_by_the_slow_round)
{
    struct geometry geometry;
    struct watch watch;
    struct cow_io io = io_system;
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    clock_now = (int64_t)time(NULL) * second_ns;
    age(path);
    must(stat(path, &frozen) == 0, "no stat");
    io.stat = frozen_stat;
    begin_watch(&watch, path, geometry.sectors, 0, &io);
    model_set_bits(path, &geometry, 100, 8, true);
    for (int i = 0; i < 20; i++) {
        go_on(&watch);
    }
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_dirty, 0);
    for (int i = 0; i < 15; i++) {
        go_on(&watch);
    }
    ck_assert_uint_eq(cow_follow_facts(watch.follow)->newly_dirty, 8);
    end_watch(&watch);
    free(path);
}
END_TEST

/* Where a round takes long the next one waits; but what is written where something has changed lately is seen
 * with the next look. */
START_TEST(what_goes_on_is_seen_between_long_rounds)
{
    struct geometry geometry;
    struct watch watch;
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    for (uint64_t page = 0; page < 3; page++) { /* no page is a hole */
        model_set_bits(path, &geometry, page * PAGE_SECTORS + 9, 1, true);
    }
    begin_watch(&watch, path, geometry.sectors, 0, NULL);
    const struct cow_follow_facts *facts = cow_follow_facts(watch.follow);
    clock_step = second_ns / 8;
    model_set_bits(path, &geometry, 100, 8, true);
    go_on(&watch);
    ck_assert_uint_eq(facts->newly_dirty, 8);
    const uint64_t rounds = facts->rounds;
    model_set_bits(path, &geometry, 200, 8, true);
    model_set_bits(path, &geometry, PAGE_SECTORS + 200, 8, true);
    go_on(&watch);
    ck_assert_uint_eq(facts->newly_dirty, 16);
    ck_assert_uint_eq(facts->rounds, rounds);
    must(watch.bit[207] == 1 && watch.bit[PAGE_SECTORS + 200] == 0, "another page was read");
    for (int i = 0; i < 20 && facts->rounds == rounds; i++) {
        go_on(&watch);
    }
    ck_assert_uint_eq(facts->newly_dirty, 24);
    clock_step = 0;
    end_watch(&watch);
    free(path);
}
END_TEST

/* ---- what ends it ---- */

enum end { CUT, REPLACED, GONE, RESTAMPED, MARKED, ENDS };

static void do_end(enum end end, const char *path)
{
    char *other = test_path("other");
    const uint8_t mark[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    switch (end) {
    case CUT:
        file_truncate(path, file_size(path) - 1);
        break;
    case REPLACED:
        file_write(other, "x", 1);
        must(rename(other, path) == 0, "cannot rename");
        break;
    case GONE:
        must(unlink(path) == 0, "cannot remove");
        break;
    case RESTAMPED: /* its date of the backing file, behind the path */
        file_write_at(path, 8 + 4096, mark, 1);
        break;
    case MARKED:
        file_write_at(path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
        break;
    case ENDS:
        break;
    }
    free(other);
}

START_TEST(what_is_no_longer_the_image_ends_it)
{
    static const char *const words[ENDS] = {[CUT] = "has become shorter",
                                            [REPLACED] = "is another file now",
                                            [GONE] = "is gone",
                                            [RESTAMPED] = "header is another one",
                                            [MARKED] = "header is another one"};
    struct geometry geometry;
    struct watch watch;
    struct cow_error err = {.status = 0};
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    begin_watch(&watch, path, geometry.sectors, 0, NULL);
    go_on(&watch);
    do_end((enum end)_i, path);
    clock_now += second_ns;
    int status = go_round(&watch, &err);
    must_fail(status, COW_IO, err);
    must(strstr(err.message, words[_i]) != NULL, "%s", err.message);
    ck_assert_uint_eq(watch.changes, 0);
    end_watch(&watch);
    free(path);
}
END_TEST

START_TEST(an_unfinished_image_is_refused)
{
    struct geometry geometry;
    struct cow_image *image;
    struct cow_follow *follow = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_follow_options options = {.interval_ns = 1};
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    do_end(MARKED, path);
    must_succeed(cow_image_open(&image, path, NULL, &err), err);
    must_fail(cow_follow_open(&follow, image, &options, &err), COW_INVALID, err);
    must(follow == NULL, "there is one");
    cow_image_close(image);
    free(path);
}
END_TEST

static bool reading_fails;

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    return reading_fails ? -EIO : io_system.pread(context, fd, buffer, n_bytes, offset);
}

START_TEST(what_cannot_be_read_is_told)
{
    struct geometry geometry;
    struct watch watch;
    struct cow_io io = io_system;
    struct cow_error err = {.status = 0};
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    io.pread = failing_pread;
    begin_watch(&watch, path, geometry.sectors, 0, &io);
    model_set_bits(path, &geometry, 100, 8, true);
    reading_fails = true;
    clock_now += second_ns;
    must_fail(go_round(&watch, &err), COW_IO, err);
    reading_fails = false;
    end_watch(&watch);
    free(path);
}
END_TEST

/* ---- the open image's own counts ---- */

START_TEST(the_image_reads_anew_what_has_changed)
{
    struct geometry geometry;
    struct cow_image *image;
    struct cow_density count;
    struct cow_run run;
    struct cow_error err = {.status = 0};
    char *path = model_put_holes(&geometry, LARGE_BYTES);
    must_succeed(cow_image_open(&image, path, NULL, &err), err);
    must_succeed(cow_image_density(image, 0, geometry.sectors, &count, &err), err);
    must_succeed(cow_image_next_run(image, 0, &run, &err), err);
    ck_assert_uint_eq(count.dirty_sectors, 0);
    model_set_bits(path, &geometry, PAGE_SECTORS + 8, 16, true);
    file_write_at(path, geometry.data_offset + (PAGE_SECTORS + UINT64_C(8)) * SECTOR, "data", 4);
    cow_image_bits_changed(image, PAGE_SECTORS + 8, 16);
    must_succeed(cow_image_density(image, 0, geometry.sectors, &count, &err), err);
    ck_assert_uint_eq(count.dirty_sectors, 16);
    must_succeed(cow_image_next_run(image, PAGE_SECTORS + 8, &run, &err), err);
    must(run.first_sector == PAGE_SECTORS + 8 && run.origin == COW_ORIGIN_COW, "another run");
    cow_image_close(image);
    free(path);
}
END_TEST

Suite *follow_suite(void)
{
    Suite *suite = suite_create("follow");
    TCase *tc = tcase_create("follow");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, changes_are_what_was_written, 0, COW_FORMATS);
    tcase_add_test(tc, runs_across_pages_full_pages_and_holes);
    tcase_add_test(tc, without_memory_numbers_stay_exact);
    tcase_add_loop_test(tc, kept_pages_come_back, 0, 40);
    tcase_add_test(tc, an_idle_image_is_not_read);
    tcase_add_test(tc, torn_writes_are_found);
    tcase_add_test(tc, what_goes_on_is_seen_between_long_rounds);
    tcase_add_test(tc, what_has_no_date_is_found_by_the_slow_round);
    tcase_add_loop_test(tc, what_is_no_longer_the_image_ends_it, 0, ENDS);
    tcase_add_test(tc, an_unfinished_image_is_refused);
    tcase_add_test(tc, what_cannot_be_read_is_told);
    tcase_add_test(tc, the_image_reads_anew_what_has_changed);
    suite_add_tcase(suite, tc);
    return suite;
}
