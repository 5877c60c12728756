/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Merging into the backing file, cut off: each call fails once, or all from it on. The composed disk is whole
 * at every moment, and what was begun can be finished.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faulty.h"
#include "merging.h"

static int recover_merge(const struct merge_scene *s, const struct cow_io *io, struct cow_error *err)
{
    return plan_and_commit(s->model->cow_path, cow_plan_recover, io, err);
}

/* ---- faults ---- */

static struct merge_scene faulty_scene(int i)
{
    struct model_spec spec = merge_spec(i == 0 ? COW_FORMAT_V3 : i == 1 ? COW_FORMAT_V1 : COW_FORMAT_QEMU);
    spec.short_file = i == 1;
    spec.sector_bytes = i == 1 ? 4096 : 512;
    spec.size_bytes = spec.backing_bytes = i == 1 ? 40 * 4096 - 100 : spec.size_bytes;
    spec.pattern = i == 1 ? PATTERN_RUNS : spec.pattern;
    return merge_scene_of(&spec, true);
}

/* What was begun is finished, or nothing had been: never between. */
static void settle(const struct merge_scene *s, const char *where)
{
    struct cow_error err = {.status = 0};
    int status = recover_merge(s, NULL, &err);
    must(status == 0, "%s: recover: %s", where, err.message);
    must(!merge_is_pending(), "%s: the journal is still there", where);
    if (file_inode(s->model->cow_path) == s->image.facts.st_ino) {
        check_nothing_merged(s, where);
    } else {
        check_merged(s, where);
    }
    must_fail(recover_merge(s, NULL, &err), COW_REFUSED, err);
}

/* Once more, without faults. */
static void again(const struct merge_scene *s, const char *where)
{
    struct cow_error err = {.status = 0};
    if (file_inode(s->model->cow_path) == s->image.facts.st_ino) {
        int status = merge(s, NULL, &err);
        must(status == 0, "%s: again: %s", where, err.message);
    }
    check_merged(s, where);
}

static void fail_each_call(int i, enum fault_kind kind, int error)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        char where[128];
        struct merge_scene s = faulty_scene(i);
        faulty_init(&f, kind, error, at);
        int status = merge(&s, &f.io, &err);
        const char *call = f.struck;
        snprintf(where, sizeof where, "call %" PRIu64 " (%s) with %s%s", at, call != NULL ? call : "none",
                 strerror(error),
                 kind == FAULT_LATE    ? ", late"
                 : kind == FAULT_CRASH ? ", crash"
                                       : "");
        check_disk(&s, where);
        must(status != 0 || !merge_is_pending(), "%s: a success with a journal", where);
        if (status == 0) {
            must(call == NULL || error == EINTR || error == EXDEV || strcmp(call, "fchown") == 0 ||
                     strcmp(call, "unlink") == 0 ||
                     /* read and written instead, and that is looked at below */
                     (strcmp(call, "copy_range") == 0 && error == EIO),
                 "%s: called a success", where);
            check_merged(&s, where);
        } else if (merge_is_pending()) {
            must(kind == FAULT_CRASH || strstr(err.hint, "recover") != NULL, "%s: the hint is \"%s\"", where,
                 err.hint);
            struct cow_error other = {.status = 0}; /* nobody changes it before it is settled */
            must_fail(merge(&s, NULL, &other), COW_REFUSED, other);
            settle(&s, where);
        } else if (file_inode(s.model->cow_path) != s.image.facts.st_ino) { /* it was the last step */
            check_merged(&s, where);
        } else if (kind == FAULT_CRASH) {
            witness_check(&s.image, where);
            witness_check(&s.backing, where);
        } else {
            check_nothing_merged(&s, where);
        }
        again(&s, where);
        merge_scene_end(&s);
        if (call == NULL) {
            must(at > 20, "only %" PRIu64 " calls: the table is not used", at);
            return;
        }
    }
}

START_TEST(an_io_error_at_each_call)
{
    fail_each_call(_i, FAULT_ERROR, EIO);
}
END_TEST

START_TEST(a_full_disk_at_each_call)
{
    fail_each_call(_i, FAULT_ERROR, ENOSPC);
}
END_TEST

START_TEST(a_signal_at_each_call)
{
    fail_each_call(_i, FAULT_ERROR, EINTR);
}
END_TEST

START_TEST(an_error_after_the_work_was_done)
{
    fail_each_call(_i, FAULT_LATE, EIO);
}
END_TEST

START_TEST(a_crash_at_each_call)
{
    fail_each_call(_i, FAULT_CRASH, EIO);
}
END_TEST

START_TEST(short_writes_are_gone_on_with)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    struct merge_scene s = faulty_scene(_i);
    faulty_init(&f, FAULT_SHORT, 0, 1);
    must_succeed(merge(&s, &f.io, &err), err);
    check_merged(&s, "short writes");
    merge_scene_end(&s);
}
END_TEST

START_TEST(a_crash_in_each_recovery)
{
    for (uint64_t at = 2 + (uint64_t)_i % 2;; at += 2) {
        for (uint64_t later = 1;; later++) {
            struct faulty f;
            struct cow_error err = {.status = 0};
            char where[128];
            struct merge_scene s = faulty_scene(_i);
            faulty_init(&f, FAULT_CRASH, EIO, at);
            (void)merge(&s, &f.io, &err);
            if (f.struck == NULL) {
                merge_scene_end(&s);
                return;
            }
            bool struck = false;
            if (merge_is_pending()) {
                snprintf(where, sizeof where, "crash at call %" PRIu64 " (%s), in recovery at %" PRIu64, at,
                         f.struck, later);
                faulty_init(&f, FAULT_CRASH, EIO, later);
                int status = recover_merge(&s, &f.io, &err);
                struck = f.struck != NULL;
                must(status == 0 || struck, "%s: %s", where, err.message);
                check_disk(&s, where);
                if (merge_is_pending()) {
                    settle(&s, where);
                }
                again(&s, where);
            }
            merge_scene_end(&s);
            if (!struck) {
                break;
            }
        }
    }
}
END_TEST

/* An interrupted merge whose files are others by now, or gone, is left alone until they are there again. */
START_TEST(recovery_without_its_files)
{
    for (int kind = 0; kind < 3; kind++) {
        struct cow_error err = {.status = 0};
        struct merge_scene s = faulty_scene(_i);
        char *fresh = test_path(".m.cowtui-new"), *away = test_path("away");
        for (uint64_t at = 1; !merge_is_pending() || file_mtime(s.model->backing_path) == MODEL_MTIME; at++) {
            struct faulty f; /* until it has begun to write; earlier crashes are taken back */
            if (merge_is_pending()) {
                must_succeed(recover_merge(&s, NULL, &err), err);
            }
            unlink(fresh);
            faulty_init(&f, FAULT_CRASH, EIO, at);
            must(merge(&s, &f.io, &err) != 0, "the test itself");
        }
        const char *missing = kind == 2 ? fresh : s.model->backing_path;
        must(rename(missing, away) == 0, "rename");
        if (kind == 1) { /* a copy of it */
            file_write(missing, s.model->backing, s.model->spec.backing_bytes);
        }
        char *before = directory_list(test_directory());
        int status = recover_merge(&s, NULL, &err);
        must_fail(status, kind == 0 ? COW_IO : COW_REFUSED, err);
        char *after = directory_list(test_directory());
        ck_assert_str_eq(after, before);
        witness_check(&s.image, "left alone");
        must(rename(away, missing) == 0, "rename");
        check_disk(&s, "there again");
        settle(&s, "there again");
        again(&s, "there again");
        free(fresh);
        free(away);
        free(before);
        free(after);
        merge_scene_end(&s);
    }
}
END_TEST

/* ---- stopping ---- */

struct asked {
    unsigned calls, stop_at;
    bool could;
};

static bool ask(void *context, const struct cow_progress *progress)
{
    struct asked *asked = context;
    if (++asked->calls != asked->stop_at) {
        return false;
    }
    asked->could = progress->can_cancel;
    return true;
}

START_TEST(stopping)
{
    bool done = false;
    for (unsigned at = 1; !done; at++) {
        struct asked asked = {.stop_at = at};
        const struct cow_env env = {.progress = ask, .context = &asked};
        const struct cow_open_options options = {.io = quick_io()};
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        struct merge_scene s = faulty_scene(_i);
        must_succeed(cow_image_open(&img, s.model->cow_path, &options, &err), err);
        must_succeed(cow_plan_merge(&plan, img, &into_backing, &err), err);
        int status = cow_plan_commit(plan, &env, &err);
        done = asked.calls < at;
        if (status == 0) {
            must(done || !asked.could, "asked at %u, and not stopped", at);
            check_merged(&s, "not stopped");
        } else {
            must_fail(status, COW_CANCELLED, err);
            must(asked.could, "stopped where it cannot be");
            check_nothing_merged(&s, "stopped");
        }
        cow_plan_free(plan);
        cow_image_close(img);
        merge_scene_end(&s);
    }
}
END_TEST

/* Older undo data speaks of an image that is no more. */
START_TEST(older_undo_data_goes)
{
    struct cow_error err = {.status = 0};
    struct model_spec spec = merge_spec(COW_FORMAT_V3);
    struct merge_scene s = merge_scene_of(&spec, false);
    const struct cow_rewrite_options pages = {.complete_pages = true};
    const struct cow_open_options options = {.io = quick_io()};
    struct cow_image *img;
    struct cow_plan *plan;
    char *undo = test_path(".m.cowtui-undo");
    must_succeed(cow_image_open(&img, s.model->cow_path, &options, &err), err);
    must_succeed(cow_plan_rewrite(&plan, img, &pages, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    must(file_exists(undo), "the test itself");
    must_succeed(merge(&s, NULL, &err), err);
    check_merged(&s, "older undo data");
    free(undo);
    merge_scene_end(&s);
}
END_TEST

Suite *merge_in_place_faults_suite(void)
{
    Suite *suite = suite_create("merge-in-place-faults");
    TCase *tc = tcase_create("merge in place faults");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, an_io_error_at_each_call, 0, 3);
    tcase_add_loop_test(tc, a_full_disk_at_each_call, 0, 3);
    tcase_add_loop_test(tc, a_signal_at_each_call, 0, 3);
    tcase_add_loop_test(tc, an_error_after_the_work_was_done, 0, 3);
    tcase_add_loop_test(tc, a_crash_at_each_call, 0, 3);
    tcase_add_loop_test(tc, short_writes_are_gone_on_with, 0, 3);
    tcase_add_loop_test(tc, a_crash_in_each_recovery, 0, 3);
    tcase_add_loop_test(tc, recovery_without_its_files, 0, 3);
    tcase_add_loop_test(tc, stopping, 0, 3);
    tcase_add_test(tc, older_undo_data_goes);
    suite_add_tcase(suite, tc);
    return suite;
}
