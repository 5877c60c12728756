/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The journal beside an image: it has its name only when it is whole, left-overs of its making are nobody's,
 * and a strange one is not obeyed.
 */
#include "core/commit/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "changes.h"
#include "faulty.h"

static const char text[] = "the record of a change, for all that settle_write_journal knows";

static struct subject *usual(void)
{
    const struct change change = {.operation = OPERATION_EXTEND,
                                  .spec = {.format = COW_FORMAT_V3,
                                           .sector_bytes = 512,
                                           .alignment = 4096,
                                           .size_bytes = 100 * 512,
                                           .backing_bytes = 100 * 512,
                                           .pattern = PATTERN_RUNS,
                                           .seed = 1},
                                  .new_bytes = 200 * 512};
    return subject_create(&change);
}

static int write_text(const struct subject *s, const struct cow_io *io)
{
    bool placed;
    return settle_write_journal(io, s->target, SIDE_JOURNAL, (const uint8_t *)text, sizeof text, &placed);
}

static bool is_whole(const char *path)
{
    char found[sizeof text] = "";
    file_read(path, 0, found, sizeof found);
    return file_size(path) == sizeof text && memcmp(found, text, sizeof text) == 0;
}

START_TEST(it_has_its_name_only_when_it_is_whole)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct subject *s = usual();
        char *journal = test_path(".m.cowtui-journal");
        faulty_init(&f, _i == 0 ? FAULT_CRASH : _i == 1 ? FAULT_ERROR : FAULT_LATE, EIO, at);
        int status = write_text(s, &f.io);
        must(!file_exists(journal) || is_whole(journal), "call %u: a torn journal", (unsigned)at);
        must(status != 0 || is_whole(journal), "call %u: a success that is none", (unsigned)at);
        must(status == 0 || f.struck != NULL, "it failed by itself: %d", status);
        must(status != 0 || f.struck == NULL || strcmp(f.struck, "unlink") == 0, "%s was overlooked",
             f.struck);
        must(f.renames_unsynced == 0, "it was named before it was durable");
        if (_i == 1 && status != 0 && strcmp(f.struck, "fsync") != 0) {
            subject_check_untouched(s, "settle_write_journal"); /* nothing of it is left */
        }
        if (!file_exists(journal)) { /* and what a crash left is in nobody's way */
            must(write_text(s, quick_io()) == 0 && is_whole(journal), "after a crash");
        }
        const bool struck = f.struck != NULL;
        free(journal);
        subject_free(s);
        if (!struck) {
            must(at > 4, "only %u calls", (unsigned)at);
            return;
        }
    }
}
END_TEST

START_TEST(it_is_durable_and_private)
{
    struct faulty f;
    struct stat facts;
    struct subject *s = usual();
    char *journal = test_path(".m.cowtui-journal");
    faulty_init(&f, FAULT_NONE, 0, 0);
    must(write_text(s, &f.io) == 0, "settle_write_journal");
    must(f.n_unsynced == 0 && f.renames_unsynced == 0, "it is not durable");
    must(stat(journal, &facts) == 0 && (facts.st_mode & 07777) == 0600, "mode %o", facts.st_mode);
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, ".m.cowtui-journal m m.img");
    free(names);
    free(journal);
    subject_free(s);
}
END_TEST

START_TEST(there_is_only_one)
{
    struct subject *s = usual();
    char *journal = test_path(".m.cowtui-journal");
    file_write(journal, "first", 5);
    const struct witness first = witness_of(journal);
    must(write_text(s, quick_io()) == -EEXIST, "it was replaced");
    witness_check(&first, "there is only one");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, ".m.cowtui-journal m m.img");
    free(names);
    free(journal);
    subject_free(s);
}
END_TEST

START_TEST(a_left_over_draft_is_replaced_not_followed)
{
    for (int kind = 0; kind < 4; kind++) {
        struct subject *s = usual();
        char *draft = test_path(".m.cowtui-journal-new"), *precious = test_path("precious"),
             *journal = test_path(".m.cowtui-journal");
        file_write(precious, "precious", 8);
        const struct witness before = witness_of(precious);
        must((kind == 0   ? symlink(precious, draft)
              : kind == 1 ? mkdir(draft, 0700)
              : kind == 2 ? mkfifo(draft, 0600)
                          : link(precious, draft)) == 0,
             "fixture");
        int status = write_text(s, quick_io());
        must((status == 0) == (kind != 1), "kind %d: %d", kind, status);
        must(kind == 1 ? !file_exists(journal) : is_whole(journal), "kind %d", kind);
        must(file_exists(draft) == (kind == 1), "kind %d: the draft", kind);
        must(witness_same_content(&before), "kind %d: it was followed", kind);
        free(draft);
        free(precious);
        free(journal);
        subject_free(s);
    }
}
END_TEST

/* ---- reading ---- */

static void check_not_obeyed(struct subject *s, int wanted, const char *where)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    bool planned;
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);
    char *before = directory_list(test_directory());
    int status = subject_recover(s, NULL, &err);
    must(status == wanted, "%s: recover: %d: %s", where, status, err.message);
    must_fail(status, wanted, err);
    must(err.hint[0] != '\0' || wanted == COW_IO, "%s: no hint", where);
    must_fail(subject_run(s, NULL, NULL, &planned, &err), COW_REFUSED, err);
    must(!planned && strstr(err.hint, "recover") != NULL, "%s: \"%s\"", where, err.hint);
    must_succeed(cow_image_open(&img, s->target, NULL, &err), err); /* looking goes on */
    must(cow_image_pending(img)[0] != '\0', "%s: nothing is said of it", where);
    cow_image_close(img);
    witness_check(&image, where);
    witness_check(&backing, where);
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}

START_TEST(a_strange_journal_is_not_obeyed)
{
    struct subject *s = usual();
    struct cow_error err = {.status = 0};
    bool planned;
    char *journal = test_path(".m.cowtui-journal"), *undo = test_path(".m.cowtui-undo"),
         *other = test_path("other");
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    const size_t n = file_size(undo);
    uint8_t *good = malloc(n);
    must(good != NULL, "out of memory");
    file_read(undo, 0, good, n);
    must_succeed(subject_undo(s, NULL, &err), err);

    file_write(journal, "", 0);
    check_not_obeyed(s, COW_INVALID, "empty");
    file_write(journal, "to do: buy milk", 15);
    check_not_obeyed(s, COW_INVALID, "text");
    file_write(journal, good, n - 1);
    check_not_obeyed(s, COW_INVALID, "truncated");
    for (size_t at = 0; at < n; at += n / 40) {
        good[at] ^= 0x40;
        file_write(journal, good, n);
        check_not_obeyed(s, COW_INVALID, "flipped");
        good[at] ^= 0x40;
    }
    unlink(journal);
    file_write(other, good, n);
    must(symlink(other, journal) == 0, "symlink"); /* a good one, but where it leads to is not ours */
    check_not_obeyed(s, COW_IO, "link");
    unlink(journal);
    must(mkdir(journal, 0700) == 0, "mkdir");
    check_not_obeyed(s, COW_IO, "directory");
    rmdir(journal);
    must(mkfifo(journal, 0600) == 0, "mkfifo");
    check_not_obeyed(s, COW_IO, "FIFO");
    unlink(journal);
    must_fail(subject_recover(s, NULL, &err), COW_REFUSED, err); /* there is none */
    free(good);
    free(journal);
    free(undo);
    free(other);
    subject_free(s);
}
END_TEST

START_TEST(the_journal_of_another_image_is_not_obeyed)
{
    struct subject *s = usual();
    struct cow_error err = {.status = 0};
    bool planned;
    char *journal = test_path(".m.cowtui-journal"), *undo = test_path(".m.cowtui-undo");
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    must(rename(undo, journal) == 0,
         "rename"); /* it speaks of m as it is now; another file takes its place */
    uint8_t *bytes = malloc(file_size(s->target));
    char *other = test_path("other");
    must(bytes != NULL, "out of memory");
    const size_t n = file_size(s->target);
    file_read(s->target, 0, bytes, n);
    file_write(other, bytes, n);
    must(rename(other, s->target) == 0, "rename");
    check_not_obeyed(s, COW_REFUSED, "another image");
    free(bytes);
    free(other);
    free(journal);
    free(undo);
    subject_free(s);
}
END_TEST

/* ---- whose it is ---- */

/* The system's calls, but one file belongs to somebody else. */
static ino_t foreign_inode;

static int foreign_fstat(void *context, int fd, struct stat *out)
{
    int status = io_system.fstat(context, fd, out);
    out->st_uid = status == 0 && out->st_ino == foreign_inode ? 4242 : out->st_uid;
    return status;
}

static int foreign_lstat(void *context, const char *path, struct stat *out)
{
    int status = io_system.lstat(context, path, out);
    out->st_uid = status == 0 && out->st_ino == foreign_inode ? 4242 : out->st_uid;
    return status;
}

static uid_t somebody(void *context)
{
    (void)context;
    return 4343;
}

/* A whole journal of m beside it: going forward lengthens the file. */
static struct subject *with_journal(void)
{
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = usual();
    for (uint64_t at = 1; !subject_is_pending(s); at++) {
        struct faulty f;
        faulty_init(&f, FAULT_CRASH, EIO, at);
        (void)subject_run(s, &f.io, NULL, &planned, &err);
    }
    return s;
}

enum whose { WHOSE_OURS, WHOSE_FOREIGN, WHOSE_GROUP, WHOSE_OTHERS, WHOSE_LINKED, WHOSE_IMAGES_OWNERS };

START_TEST(only_our_own_or_the_image_owners_is_obeyed)
{
    struct subject *s = with_journal();
    struct cow_error err = {.status = 0};
    struct cow_io io = *quick_io();
    struct cow_image *img;
    struct cow_plan *plan;
    char *journal = test_path(".m.cowtui-journal"), *second = test_path("second");
    bool planned;
    foreign_inode = 0;
    io.fstat = foreign_fstat;
    io.lstat = foreign_lstat;
    must(_i != WHOSE_GROUP || chmod(journal, 0620) == 0, "chmod");
    must(_i != WHOSE_OTHERS || chmod(journal, 0602) == 0, "chmod");
    must(_i != WHOSE_LINKED || link(journal, second) == 0, "link");
    foreign_inode = _i == WHOSE_FOREIGN ? file_inode(journal) : 0;
    io.caller = _i == WHOSE_IMAGES_OWNERS ? somebody : io.caller;
    const bool obeyed = _i == WHOSE_OURS || _i == WHOSE_IMAGES_OWNERS;
    char *before = directory_list(test_directory());
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);

    const struct cow_open_options opt = {.io = &io};
    must_succeed(cow_image_open(&img, s->target, &opt, &err), err);
    must((strstr(cow_image_pending(img), "not obeyed") == NULL) == obeyed, "\"%s\"", cow_image_pending(img));
    must_succeed(cow_plan_recover(&plan, img, &err), err); /* it may be looked at */
    must((cow_plan_preview(plan)->notes == 0) == obeyed, "%zu notes", cow_plan_preview(plan)->notes);
    int status = cow_plan_commit(plan, NULL, &err);
    cow_plan_free(plan);
    cow_image_close(img);
    if (obeyed) {
        must_succeed(status, err);
        subject_check_settled(s, OUTCOME_OLD, "recovered");
    } else {
        must_fail(status, COW_REFUSED, err);
        must(strstr(err.message, journal) != NULL &&
                 strstr(err.message, _i == WHOSE_FOREIGN ? "4242" : "user") != NULL,
             "\"%s\"", err.message);
        must(err.hint[0] != '\0', "no hint");
        must_fail(subject_run(s, &io, NULL, &planned, &err), COW_REFUSED, err);
        must(!planned && strstr(err.message, journal) != NULL, "\"%s\"", err.message);
        witness_check(&image, "refused");
        witness_check(&backing, "refused");
        char *after = directory_list(test_directory());
        ck_assert_str_eq(after, before);
        free(after);
    }
    free(before);
    free(journal);
    free(second);
    subject_free(s);
}
END_TEST

START_TEST(undo_data_of_somebody_else_is_not_obeyed)
{
    struct subject *s = usual();
    struct cow_error err = {.status = 0};
    struct cow_io io = *quick_io();
    char *undo = test_path(".m.cowtui-undo"), *second = test_path("second");
    bool planned;
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    foreign_inode = _i == WHOSE_FOREIGN ? file_inode(undo) : 0;
    io.fstat = foreign_fstat;
    io.lstat = foreign_lstat;
    must(_i != WHOSE_GROUP || chmod(undo, 0660) == 0, "chmod");
    must(_i != WHOSE_OTHERS || chmod(undo, 0602) == 0, "chmod");
    must(_i != WHOSE_LINKED || link(undo, second) == 0, "link");
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path),
                         data = witness_of(undo);
    must_fail(subject_undo(s, &io, &err), COW_REFUSED, err);
    must(strstr(err.message, undo) != NULL && err.hint[0] != '\0', "\"%s\"", err.message);
    must_fail(plan_and_commit(s->target, cow_plan_discard_undo, &io, &err), COW_REFUSED, err);
    witness_check(&image, "refused");
    witness_check(&backing, "refused");
    witness_check(&data, "refused");
    free(undo);
    free(second);
    subject_free(s);
}
END_TEST

START_TEST(pending_is_said_when_there_is_one)
{
    struct subject *s = usual();
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    char *journal = test_path(".m.cowtui-journal"), *draft = test_path(".m.cowtui-journal-new");
    must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
    ck_assert_str_eq(cow_image_pending(img), "");
    file_write(draft, "x", 1); /* nobody reads that */
    ck_assert_str_eq(cow_image_pending(img), "");
    file_write(journal, "x", 1);
    must(strstr(cow_image_pending(img), "interrupted") != NULL, "\"%s\"", cow_image_pending(img));
    must(is_terminal_safe(cow_image_pending(img)), "\"%s\"", cow_image_pending(img));
    cow_image_close(img);
    free(journal);
    free(draft);
    subject_free(s);
}
END_TEST

Suite *journal_suite(void)
{
    Suite *suite = suite_create("journal");
    TCase *tc = tcase_create("journal");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, it_has_its_name_only_when_it_is_whole, 0, 3);
    tcase_add_test(tc, it_is_durable_and_private);
    tcase_add_test(tc, there_is_only_one);
    tcase_add_test(tc, a_left_over_draft_is_replaced_not_followed);
    tcase_add_test(tc, a_strange_journal_is_not_obeyed);
    tcase_add_test(tc, the_journal_of_another_image_is_not_obeyed);
    tcase_add_loop_test(tc, only_our_own_or_the_image_owners_is_obeyed, 0, WHOSE_IMAGES_OWNERS + 1);
    tcase_add_loop_test(tc, undo_data_of_somebody_else_is_not_obeyed, WHOSE_FOREIGN, WHOSE_LINKED + 1);
    tcase_add_test(tc, pending_is_said_when_there_is_one);
    suite_add_tcase(suite, tc);
    return suite;
}
