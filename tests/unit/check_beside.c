/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Findings beside the image: journals, changes that were cut off, locks, undo data, further names.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty.h"
#include "findings.h"

START_TEST(a_strange_journal)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *journal = test_path(".m.cowtui-journal");
    put(m, 8, 1, BIT | NOISE);
    file_write(journal, "no journal", 10);
    look(m);
    only(COW_FINDING_INTERRUPTED, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_INTERRUPTED, false, "cannot be taken up");
    says(COW_FINDING_MIXED_PAGES, false, "1 page"); /* first the journal */
    put_field(m, 12, 8, UINT64_MAX);
    look(m);
    only(COW_FINDING_INTERRUPTED);
    free(journal);
    model_free(m);
}
END_TEST

static struct subject *cut_off(uint64_t at)
{
    const struct change change = {.operation = OPERATION_EXTEND,
                                  .spec = {.format = COW_FORMAT_V3,
                                           .size_bytes = 301 * 512,
                                           .sector_bytes = 512,
                                           .alignment = 4096,
                                           .backing_bytes = 301 * 512,
                                           .pattern = PATTERN_RUNS,
                                           .seed = 13},
                                  .new_bytes = 444 * 512,
                                  .reserve_bytes = UINT64_C(1) << 30};
    struct subject *s = subject_create(&change);
    struct faulty faulty;
    struct cow_error err;
    bool planned;
    faulty_init(&faulty, FAULT_CRASH, EIO, at);
    (void)subject_run(s, &faulty.io, NULL, &planned, &err);
    return s;
}

/* A change that stops at every call in turn: wherever there is a journal, that is found, and recovery is the
 * plan; afterwards nothing is left of it. */
START_TEST(an_interrupted_change)
{
    unsigned seen = 0;
    for (uint64_t at = 1; at < 60; at++) {
        struct subject *s = cut_off(at);
        if (subject_is_pending(s)) {
            struct cow_image *img;
            struct cow_plan *plan;
            struct cow_error err;
            look_named(s->target, NULL);
            says(COW_FINDING_INTERRUPTED, true, "cowtui recover");
            must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
            must_succeed(cow_plan_repair(&plan, img, &found, NULL, &err), err);
            ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), "recover");
            must_succeed(cow_plan_commit(plan, NULL, &err), err);
            cow_plan_free(plan);
            cow_image_close(img);
            look_named(s->target, NULL);
            must(finding_of(COW_FINDING_INTERRUPTED) == NULL, "still interrupted, %" PRIu64, at);
            seen++;
        }
        subject_free(s);
    }
    must(seen > 5, "%u times", seen);
}
END_TEST

START_TEST(a_locked_image)
{
    struct model *m = plain(COW_FORMAT_V3);
    char pid_text[32];
    int go;
    put(m, 8, 1, BIT | NOISE);
    pid_t pid = hold_lock(m->cow_path, F_WRLCK, &go);
    snprintf(pid_text, sizeof pid_text, "in use by pid %d", (int)pid);
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_LOCKED);
    says(COW_FINDING_LOCKED, false, pid_text);
    says(COW_FINDING_MIXED_PAGES, false, "1 page");
    char *journal = test_path(".m.cowtui-journal");
    file_write(journal, "in the making", 13);
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_LOCKED);
    says(COW_FINDING_LOCKED, false, "under way");
    close(go);
    waitpid(pid, NULL, 0);
    free(journal);
    model_free(m);
}
END_TEST

START_TEST(undo_data_and_further_names)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *undo = test_path(".m.cowtui-undo"), *other = test_path("other");
    uint8_t *bytes = malloc(2 << 20);
    must(bytes != NULL, "out of memory");
    memset(bytes, 1, 2 << 20);
    file_write(undo, bytes, 4096); /* a change in place: next to nothing */
    look(m);
    is_clean();
    file_write(undo, bytes, 2 << 20);
    look(m);
    only(COW_FINDING_UNDO);
    says(COW_FINDING_UNDO, false, "2.0", "MiB", ".m.cowtui-undo", "cowtui undo --discard");
    unlink(undo);
    put(m, 8, 1, BIT | NOISE);
    must(link(m->cow_path, other) == 0, "link");
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_SEVERAL_NAMES);
    says(COW_FINDING_SEVERAL_NAMES, false, "2 names");
    says(COW_FINDING_MIXED_PAGES, false, "1 page");
    free(bytes);
    free(other);
    free(undo);
    model_free(m);
}
END_TEST

Suite *check_beside_suite(void)
{
    Suite *suite = suite_create("check-beside");
    TCase *tc = tcase_create("check beside");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, a_strange_journal);
    tcase_add_test(tc, an_interrupted_change);
    tcase_add_test(tc, a_locked_image);
    tcase_add_test(tc, undo_data_and_further_names);
    suite_add_tcase(suite, tc);
    return suite;
}
