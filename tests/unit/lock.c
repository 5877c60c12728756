/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A guest that takes no lock has the image open for writing all the same, and is noticed by that. (Locks that
 * are taken have their tests with the commits.)
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changes.h"
#include "faulty.h"

static struct change usual(int i)
{
    static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_COPY, OPERATION_KEEP,
                                                OPERATION_SHRINK};
    const enum operation operation = operations[i % 4];
    const bool shrinks = operation == OPERATION_SHRINK;
    return (struct change){.operation = operation,
                           .spec = {.format = COW_FORMAT_V3,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .size_bytes = 300 * 512,
                                    .backing_bytes = 300 * 512,
                                    .pattern = PATTERN_RUNS,
                                    .dull_from = shrinks ? 200 * 512 : 0,
                                    .seed = 3},
                           .new_bytes = shrinks ? 200 * 512 : 400 * 512,
                           .reserve_bytes = i < 4 ? 0 : UINT64_C(1) << 30};
}

static void let_go(pid_t pid, int go)
{
    close(go);
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

START_TEST(a_silent_writer_is_noticed)
{
    const struct change change = usual(_i);
    struct cow_error err = {.status = 0};
    bool planned;
    int go;
    struct subject *s = subject_create(&change);
    pid_t pid = hold_lock(s->target, F_UNLCK, &go);
    must_fail(subject_run(s, NULL, NULL, &planned, &err), COW_LOCKED, err);
    must(planned && strstr(err.message, "open for writing") != NULL, "\"%s\"", err.message);
    must(err.hint[0] != '\0', "no hint");
    subject_check_untouched(s, "a silent writer");
    let_go(pid, go);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err); /* it has gone */
    subject_check_done(s, "without it");

    pid = hold_lock(s->target, F_UNLCK, &go); /* going back is a change, too */
    const struct witness after = witness_of(s->target);
    must_fail(subject_undo(s, NULL, &err), COW_LOCKED, err);
    must_fail(plan_and_commit(s->target, cow_plan_discard_undo, NULL, &err), COW_LOCKED, err);
    witness_check(&after, "a silent writer");
    subject_check_done(s, "a silent writer");
    let_go(pid, go);
    subject_check_undo(s, "without it");
    subject_free(s);
}
END_TEST

START_TEST(recovery_waits_for_a_silent_writer)
{
    const struct change change = usual(_i);
    struct cow_error err = {.status = 0};
    bool planned;
    int go;
    struct subject *s = subject_create(&change);
    for (uint64_t at = 1; !subject_is_pending(s); at++) {
        struct faulty f;
        faulty_init(&f, FAULT_CRASH, EIO, at);
        (void)subject_run(s, &f.io, NULL, &planned, &err);
    }
    char *before = directory_list(test_directory());
    pid_t pid = hold_lock(s->target, F_UNLCK, &go);
    must_fail(subject_recover(s, NULL, &err), COW_LOCKED, err);
    let_go(pid, go);
    pid = hold_lock(s->target, F_WRLCK, &go);
    must_fail(subject_recover(s, NULL, &err), COW_LOCKED, err);
    let_go(pid, go);
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    witness_check(&s->image, "a silent writer");
    must_succeed(subject_recover(s, NULL, &err), err);
    subject_check_settled(s, OUTCOME_OLD, "without it");
    free(before);
    free(after);
    subject_free(s);
}
END_TEST

START_TEST(a_writer_with_a_lock_is_named)
{
    const struct change change = usual(_i);
    struct cow_error err = {.status = 0};
    bool planned;
    char number[32];
    int go;
    struct subject *s = subject_create(&change);
    pid_t pid = hold_lock(s->target, F_WRLCK, &go);
    must_fail(subject_run(s, NULL, NULL, &planned, &err), COW_LOCKED, err);
    snprintf(number, sizeof number, "pid %d", (int)pid);
    must(strstr(err.message, number) != NULL, "\"%s\" does not name %s", err.message, number);
    subject_check_untouched(s, "locked");
    let_go(pid, go);
    subject_free(s);
}
END_TEST

START_TEST(a_reader_is_no_writer)
{
    const struct change change = usual(_i);
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(&change);
    int fd = open(s->target, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, "open");
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    close(fd);
    subject_check_done(s, "beside a reader");
    subject_free(s);
}
END_TEST

static int does_not_tell(void *context, int fd)
{
    (void)context;
    (void)fd;
    return -EINVAL;
}

START_TEST(where_the_system_does_not_tell_it_goes_on)
{
    const struct change change = usual(_i);
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(&change);
    struct cow_io io = *quick_io();
    io.has_writer = does_not_tell;
    must_succeed(subject_run(s, &io, NULL, &planned, &err), err);
    subject_check_done(s, "no leases");
    subject_free(s);
}
END_TEST

START_TEST(looking_takes_no_lock)
{
    const struct change change = usual(0);
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    bool planned;
    struct subject *s = subject_create(&change);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
    must_succeed(cow_plan_undo(&plan, img, &err), err);
    int go;
    pid_t pid = hold_lock(s->target, F_WRLCK, &go); /* a guest starts while the plan is shown */
    let_go(pid, go);
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

/* Somebody opens the file for writing while we ask: the lease is broken, and that must not kill. */
START_TEST(asking_is_survived)
{
    char *path = test_path("asked");
    file_write(path, "x", 1);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
            if (fd >= 0) {
                close(fd);
            }
        }
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 200000; i++) {
        (void)io_system.has_writer(io_system.context, fd);
    }
    close(fd);
    kill(pid, SIGKILL);
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
    free(path);
}
END_TEST

/* After the plan another image comes to the backing file, and its change is cut off. */
START_TEST(a_sibling_that_is_pending_by_now)
{
    const struct change change = usual(_i);
    struct subject *s = subject_create(&change);
    const struct cow_open_options quick = {.io = quick_io()};
    const struct cow_resize_options opt = {.size_bytes = change.new_bytes, .policy = COW_POLICY_EXTEND};
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    uint8_t header[COW_HEADER_BYTES_MAX];
    char *other = test_path("o.cow"), *journal = test_path(".o.cow.cowtui-journal");
    must_succeed(cow_image_open(&img, s->target, &quick, &err), err);
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    size_t n = model_header(header, COW_FORMAT_V3, s->model->backing_path, _i == 0 ? UINT64_MAX : 300 * 512,
                            512, 4096, MODEL_MTIME, false);
    file_write(other, header, n); /* marked, or with a journal */
    file_truncate(other, 1 << 18);
    if (_i != 0) {
        file_write(journal, "x", 1);
    }
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
    must(strstr(err.message, other) != NULL && strstr(err.hint, "recover") != NULL, "\"%s\"", err.message);
    witness_check(&image, "pending");
    witness_check(&backing, "pending");
    cow_plan_free(plan);
    cow_image_close(img);
    free(other);
    free(journal);
    subject_free(s);
}
END_TEST

Suite *lock_suite(void)
{
    Suite *suite = suite_create("lock");
    TCase *tc = tcase_create("lock");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, a_silent_writer_is_noticed, 0, 8);
    tcase_add_loop_test(tc, recovery_waits_for_a_silent_writer, 0, 8);
    tcase_add_loop_test(tc, a_writer_with_a_lock_is_named, 0, 8);
    tcase_add_loop_test(tc, a_reader_is_no_writer, 0, 8);
    tcase_add_loop_test(tc, where_the_system_does_not_tell_it_goes_on, 0, 8);
    tcase_add_test(tc, looking_takes_no_lock);
    tcase_add_test(tc, asking_is_survived);
    tcase_add_loop_test(tc, a_sibling_that_is_pending_by_now, 0, 1);
    tcase_add_loop_test(tc, a_sibling_that_is_pending_by_now, 4, 5);
    suite_add_tcase(suite, tc);
    return suite;
}
