/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plans of creating and merging: what they refuse, their steps in the documented order, and the room that
 * they want.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "planning.h"

static void check_create(const char *path, const char *backing, bool force, int wanted)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_create_options opt = {.path = path, .backing_path = backing, .force = force};
    int status = cow_plan_create(&plan, &opt, &err);
    must(status == wanted, "create %s %s: %d instead of %d: %s", path, backing, status, wanted, err.message);
    if (status != 0) {
        must_fail(status, wanted, err);
        must(plan == NULL, "a refusal touched the output");
        must(cow_plan_create(&plan, &opt, NULL) == wanted, "without err");
    }
    cow_plan_free(plan);
}

START_TEST(create_refuses)
{
    char *path = test_path("new"), *backing = test_path("b"), *other = test_path("other"),
         *soft = test_path("soft"), *nowhere = test_path("no/such");
    file_truncate(backing, OLD_SIZE);
    const struct witness before = witness_of(backing);
    check_create(path, backing, false, 0);
    check_create(path, other, false, COW_IO);
    check_create(path, test_directory(), false, COW_IO);
    check_create(nowhere, backing, false, COW_IO);
    file_write(other, "x", 1);
    check_create(other, backing, false, COW_REFUSED);
    check_create(other, backing, true, 0);
    must(symlink(backing, soft) == 0, "symlink");
    check_create(backing, backing, false, COW_REFUSED);
    check_create(backing, backing, true, COW_REFUSED);
    check_create(soft, backing, true, COW_REFUSED);
    check_create(test_directory(), backing, true, COW_REFUSED);
    witness_check(&before, "planning");
    file_set_mtime(backing, -1);
    check_create(path, backing, false, COW_REFUSED);
    if (date_fits(INT64_C(1) << 32)) {
        file_set_mtime(backing, INT64_C(1) << 32);
        check_create(path, backing, false, COW_REFUSED);
    }
    file_set_mtime(backing, date_fits(UINT32_MAX) ? UINT32_MAX : INT32_MAX);
    check_create(path, backing, false, 0);
    file_truncate(backing, 8 * TIB);
    file_set_mtime(backing, MODEL_MTIME);
    check_create(path, backing, false, COW_REFUSED);
    file_truncate(backing, 0);
    file_set_mtime(backing, MODEL_MTIME);
    check_create(path, backing, false, COW_REFUSED);
    must(!file_exists(path), "a plan wrote");
    free(path);
    free(backing);
    free(other);
    free(soft);
    free(nowhere);
}
END_TEST

/* A kernel takes such a disk, too: its last sector is a part of one. */
START_TEST(create_takes_a_backing_of_an_odd_size)
{
    char *path = test_path("new"), *backing = test_path("b");
    file_truncate(backing, OLD_SIZE + 1);
    check_create(path, backing, false, 0);
    free(path);
    free(backing);
}
END_TEST

START_TEST(create_plans_in_the_documented_order)
{
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    char *backing = test_path("b");
    must(chdir(test_directory()) == 0, "chdir");
    file_truncate(backing, OLD_SIZE);
    file_set_mtime(backing, MODEL_MTIME);
    const struct cow_create_options opt = {.path = "new", .backing_path = "b"};
    must_succeed(cow_plan_create(&plan, &opt, &err), err);
    check_steps(plan, "lock begin-image finish-image rename");
    const struct cow_preview *p = cow_plan_preview(plan);
    check_texts(p);
    must(!p->has_before && p->has_after && !p->changes_existing && !p->replaces, "preview");
    ck_assert_str_eq(p->after_backing_path, backing); /* absolute */
    must(p->after_verdict.opens, "%s", p->after_verdict.reason);
    must(p->after_alignment >= 1 << 20, "alignment %u", p->after_alignment);
    cow_plan_free(plan);
    free(backing);
}
END_TEST

static void check_merge(struct cow_image *img, const char *output, bool force, int wanted)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_merge_options opt = {.output_path = output, .force = force};
    int status = cow_plan_merge(&plan, img, &opt, &err);
    must(status == wanted, "merge to %s: %d instead of %d: %s", output, status, wanted, err.message);
    if (status != 0) {
        must_fail(status, wanted, err);
        must(plan == NULL, "a refusal touched the output");
    } else {
        check_steps(plan, "lock check-space begin-raw compose finish-raw rename");
        check_texts(cow_plan_preview(plan));
        must(!cow_plan_preview(plan)->has_after && !cow_plan_preview(plan)->changes_existing, "preview");
    }
    cow_plan_free(plan);
}

START_TEST(merge_refuses)
{
    struct model *m = model_of(COW_FORMAT_V3);
    char *out = test_path("out"), *hard = test_path("hard"), *soft = test_path("soft"),
         *nowhere = test_path("no/such");
    struct cow_image *img = open_named(m->cow_path, NULL);
    check_merge(img, out, false, 0);
    file_write(out, "x", 1);
    check_merge(img, out, false, COW_REFUSED);
    check_merge(img, out, true, 0);
    check_merge(img, nowhere, false, COW_IO);
    must(link(m->cow_path, hard) == 0 && symlink(m->backing_path, soft) == 0, "links");
    const char *const inputs[] = {m->cow_path, m->backing_path, hard, soft};
    for (size_t i = 0; i < 4; i++) {
        check_merge(img, inputs[i], false, COW_REFUSED);
        check_merge(img, inputs[i], true, COW_REFUSED);
    }
    cow_image_close(img);
    unlink(m->backing_path);
    unlink(out);
    img = open_named(m->cow_path, NULL);
    check_merge(img, out, false, COW_IO);
    check_merge(img, out, true, COW_IO);
    cow_image_close(img);
    free(out);
    free(hard);
    free(soft);
    free(nowhere);
    model_free(m);
}
END_TEST

START_TEST(a_fully_dirty_image_needs_no_backing_to_merge)
{
    struct model_spec spec = usual_of(COW_FORMAT_V3);
    spec.pattern = PATTERN_ALL;
    spec.backing_absent = true;
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    char *out = test_path("out");
    check_merge(img, out, false, 0);
    cow_image_close(img);
    free(out);
    model_free(m);
}
END_TEST

START_TEST(policies_have_names)
{
    ck_assert_str_eq(cow_policy_name(COW_POLICY_UNSET), "");
    ck_assert_str_eq(cow_policy_name(COW_POLICY_EXTEND), "extend");
    ck_assert_str_eq(cow_policy_name(COW_POLICY_COPY), "copy");
    ck_assert_str_eq(cow_policy_name(COW_POLICY_KEEP), "keep");
}
END_TEST

static int counts_no_blocks(void *context, const char *directory)
{
    (void)context;
    return directory[0] == '/' ? 0 : -ENOENT; /* it is asked about the target's */
}

/* Where it is not known how a filesystem counts room, nothing is told exactly. */
START_TEST(room_is_about_where_it_is_not_counted_by_blocks)
{
    for (int counted = 0; counted < 2; counted++) {
        struct cow_error err = {.status = 0};
        struct cow_io io = io_system;
        const struct cow_open_options options = {.io = &io};
        const struct cow_rewrite_options compact = {.compact = true, .larger = true};
        const struct model_spec spec = {.format = COW_FORMAT_V2,
                                        .size_bytes = 1 << 20,
                                        .sector_bytes = 512,
                                        .pattern = PATTERN_RANDOM,
                                        .backing_bytes = 1 << 20,
                                        .seed = 3};
        struct model *m = model_create(&spec);
        struct cow_image *img;
        struct cow_plan *plan;
        char text[COW_NEEDS_TEXT_BYTES];
        io.counts_blocks = counted != 0 ? NULL : counts_no_blocks;
        must_succeed(cow_image_open(&img, m->cow_path, &options, &err), err);
        must_succeed(cow_plan_rewrite(&plan, img, &compact, &err), err);
        const struct cow_preview *p = cow_plan_preview(plan);
        must(p->space_is_about == !counted, "about: %d", p->space_is_about);
        must((strncmp(cow_needs_text(text, p), "about ", 6) == 0) == !counted, "%s", text);
        must((strstr(p->content_text, "takes about ") != NULL) == !counted, "%s", p->content_text);
        cow_plan_free(plan);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

Suite *plan_create_suite(void)
{
    Suite *suite = suite_create("plan-create");
    TCase *tc = tcase_create("plan create");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, room_is_about_where_it_is_not_counted_by_blocks);
    tcase_add_test(tc, create_refuses);
    tcase_add_test(tc, create_takes_a_backing_of_an_odd_size);
    tcase_add_test(tc, create_plans_in_the_documented_order);
    tcase_add_test(tc, merge_refuses);
    tcase_add_test(tc, a_fully_dirty_image_needs_no_backing_to_merge);
    tcase_add_test(tc, policies_have_names);
    suite_add_tcase(suite, tc);
    return suite;
}
