/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a filesystem does not keep: it is found out before, said, and done another way. (Calls that fail as
 * they do there are in tests/e2e/test_worlds.sh, real filesystems in tests/worlds.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"
#include "core/beside/side.h"

static struct change by_copy(void)
{
    return (struct change){.operation = OPERATION_EXTEND,
                           .spec = {.format = COW_FORMAT_V3,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .size_bytes = 300 * 512,
                                    .backing_bytes = 300 * 512,
                                    .pattern = PATTERN_RUNS,
                                    .seed = 3},
                           .new_bytes = 400 * 512,
                           .reserve_bytes = UINT64_C(1) << 30};
}

static void plan_extend(const struct subject *s, const struct cow_io *io, struct cow_image **img,
                        struct cow_plan **plan)
{
    struct cow_error err = {.status = 0};
    const struct cow_open_options open = {.io = io};
    const struct cow_resize_options opt = {
        .size_bytes = s->new_bytes, .policy = COW_POLICY_EXTEND, .reserve_bytes = s->change.reserve_bytes};
    must_succeed(cow_image_open(img, s->model->cow_path, &open, &err), err);
    must_succeed(cow_plan_resize(plan, *img, &opt, &err), err);
}

/* ---- names ---- */

START_TEST(long_names_have_files_of_their_own)
{
    enum { LENGTH_MAX = 255 };
    char name[LENGTH_MAX + 8] = "/d/", one[PATH_MAX], other[PATH_MAX];
    for (int length = 1; length <= LENGTH_MAX; length++) {
        memset(name + 3, 'n', (size_t)length);
        name[3 + length] = '\0';
        side_path(one, name, SIDE_DRAFT);
        must(strlen(one) - 3 <= LENGTH_MAX, "%d: %zu bytes", length, strlen(one) - 3);
        name[3 + length - 1] = 'm';
        must(strcmp(one, side_path(other, name, SIDE_DRAFT)) != 0, "%d: the same file", length);
        name[3 + length - 1] = 'n';
        if (length <= 230) { /* as they always were */
            char expected[PATH_MAX];
            snprintf(expected, sizeof expected, "/d/.%s.cowtui-undo", name + 3);
            ck_assert_str_eq(side_path(one, name, SIDE_UNDO), expected);
        }
    }
}
END_TEST

/* ---- links ---- */

static int no_link(void *context, const char *from, const char *to)
{
    (void)context, (void)from, (void)to;
    return -EPERM;
}

START_TEST(without_links_no_undo_is_promised)
{
    const struct change change = by_copy();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    size_t n_steps;
    struct cow_io io = *quick_io();
    io.link = no_link;
    struct subject *s = subject_create(&change);
    plan_extend(s, &io, &img, &plan);
    must(strstr(cow_plan_preview(plan)->undo_text, "cowtui undo") != NULL, "without a trial nobody knows");
    must_succeed(cow_plan_probe(plan, &err), err);
    subject_check_untouched(s, "after the trial");
    must(strncmp(cow_plan_preview(plan)->undo_text, "none", 4) == 0, "\"%s\"",
         cow_plan_preview(plan)->undo_text);
    const struct cow_step *step = cow_plan_steps(plan, &n_steps);
    for (size_t i = 0; i < n_steps; i++) {
        must(step[i].kind != COW_STEP_KEEP_UNDO, "the steps promise it");
    }
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    must(subject_outcome(s) == OUTCOME_NEW, "not the new disk");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, "m m.img");
    free(names);
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

START_TEST(a_trial_changes_nothing)
{
    const struct change change = by_copy();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    struct subject *s = subject_create(&change);
    plan_extend(s, quick_io(), &img, &plan);
    const char *undo = cow_plan_preview(plan)->undo_text;
    for (int i = 0; i < 2; i++) {
        must_succeed(cow_plan_probe(plan, &err), err);
        subject_check_untouched(s, "after the trial");
        must(cow_plan_preview(plan)->undo_text == undo && cow_plan_preview(plan)->notes == 0,
             "another preview");
    }
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    subject_check_done(s, "after a trial");
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

/* ---- locks ---- */

static int no_lock(void *context, int fd, enum io_lock lock)
{
    (void)context, (void)fd, (void)lock;
    return -ENOLCK;
}

START_TEST(without_locks_nothing_is_done)
{
    const struct change change = by_copy();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_io io = *quick_io();
    io.lock = no_lock;
    struct subject *s = subject_create(&change);
    plan_extend(s, &io, &img, &plan);
    must_fail(cow_plan_probe(plan, &err), COW_IO, err);
    must(strstr(err.hint, "no locks") != NULL, "\"%s\"", err.hint);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_IO, err);
    must(strstr(err.hint, "no locks") != NULL, "\"%s\"", err.hint);
    subject_check_untouched(s, "without locks");
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

/* ---- modes ---- */

static int open_to_all(void *context, int fd, struct stat *out)
{
    int status = io_system.fstat(context, fd, out);
    out->st_mode |= 0777;
    return status;
}

START_TEST(what_others_can_write_is_refused_before)
{
    const struct change change = by_copy();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_io io = *quick_io();
    io.fstat = open_to_all;
    struct subject *s = subject_create(&change);
    plan_extend(s, &io, &img, &plan);
    must_fail(cow_plan_probe(plan, &err), COW_REFUSED, err);
    must(strstr(err.hint, "umask=077") != NULL, "\"%s\"", err.hint);
    subject_check_untouched(s, "where modes are not kept");
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

/* ---- dates ---- */

static int coarse_seconds; /* of the filesystem */

static int coarse_futimens(void *context, int fd, const struct timespec times[2])
{
    struct timespec coarse[2] = {times[0], times[1]};
    coarse[1].tv_sec -= coarse[1].tv_sec % coarse_seconds;
    coarse[1].tv_nsec = 0;
    return io_system.futimens(context, fd, coarse);
}

/* By copy and in place, in steps of one second and of two. */
START_TEST(coarse_dates_are_recorded_as_they_are)
{
    struct change change = by_copy();
    change.reserve_bytes = _i < 2 ? change.reserve_bytes : 0;
    coarse_seconds = 1 + _i % 2;
    struct cow_error err = {.status = 0};
    bool planned;
    struct stat facts;
    struct cow_io io = *quick_io();
    io.futimens = coarse_futimens;
    struct subject *s = subject_create(&change);
    const time_t begin = time(NULL);
    must_succeed(subject_run(s, &io, NULL, &planned, &err), err);
    must(stat(s->target, &facts) == 0, "stat");
    must(facts.st_mtim.tv_nsec == 0 && facts.st_mtim.tv_sec % 2 == 0 &&
             facts.st_mtim.tv_sec <= begin - coarse_seconds,
         "its date could be that of a later write: %jd, at %jd", (intmax_t)facts.st_mtim.tv_sec,
         (intmax_t)begin);
    must_succeed(subject_undo(s, &io, &err), err);
    must(subject_outcome(s) == OUTCOME_OLD, "not the old disk");
    subject_free(s);
}
END_TEST

static void date(const char *path, time_t seconds, long nanoseconds)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds, .tv_nsec = nanoseconds}};
    must(utimensat(AT_FDCWD, path, times, 0) == 0, "utimensat");
}

/* What was written in the second before the look and again after it: same date, same length. */
START_TEST(a_write_that_no_date_tells_is_noticed)
{
    const struct change change = by_copy();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    uint8_t byte;
    struct subject *s = subject_create(&change);
    const time_t now = time(NULL);
    date(s->target, now, 0);
    subject_look_again(s);
    plan_extend(s, quick_io(), &img, &plan);
    /* a bit; a byte of the header; nothing */
    const uint64_t place = _i == 0 ? s->model->geometry.bitmap_offset + 20 : 4000;
    if (_i < 2) {
        file_read(s->target, place, &byte, 1);
        byte ^= 0x10;
        file_write_at(s->target, place, &byte, 1);
        date(s->target, now, 0);
        subject_look_again(s);
        must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
        must(strstr(err.message, "since it was looked at") != NULL, "\"%s\"", err.message);
        subject_check_untouched(s, "written unseen");
    } else {
        must_succeed(cow_plan_commit(plan, NULL, &err), err);
        subject_check_done(s, "dated just now");
    }
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

/* ---- in the way ---- */

START_TEST(what_came_in_the_way_since_the_plan)
{
    static const char *const names[] = {SIDE_NEW, SIDE_DRAFT, SIDE_OLD, SIDE_JOURNAL, SIDE_UNDO};
    const struct change change = by_copy();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    char path[PATH_MAX];
    struct subject *s = subject_create(&change);
    plan_extend(s, quick_io(), &img, &plan);
    must(mkdir(side_path(path, s->target, names[_i]), 0700) == 0, "mkdir");
    must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
    must(strstr(err.message, path) != NULL && err.hint[0] != '\0', "\"%s\"", err.message);
    must(rmdir(path) == 0, "rmdir");
    subject_check_untouched(s, names[_i]);
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

Suite *worlds_suite(void)
{
    Suite *suite = suite_create("worlds");
    TCase *tc = tcase_create("worlds");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, long_names_have_files_of_their_own);
    tcase_add_test(tc, without_links_no_undo_is_promised);
    tcase_add_test(tc, a_trial_changes_nothing);
    tcase_add_test(tc, without_locks_nothing_is_done);
    tcase_add_test(tc, what_others_can_write_is_refused_before);
    tcase_add_loop_test(tc, coarse_dates_are_recorded_as_they_are, 0, 4);
    tcase_add_loop_test(tc, a_write_that_no_date_tells_is_noticed, 0, 3);
    tcase_add_loop_test(tc, what_came_in_the_way_since_the_plan, 0, 5);
    suite_add_tcase(suite, tc);
    return suite;
}
