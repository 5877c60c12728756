/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the plan of a resize refuses, and with which status; none of them writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "planning.h"

/* 0: the plan is made (and thrown away); else it is refused with that status, words and nothing touched. */
static void check_resize(struct cow_image *img, struct cow_resize_options opt, int wanted)
{
    struct cow_plan *const none = (struct cow_plan *)&opt;
    struct cow_plan *plan = none;
    struct cow_error err = {.status = 0};
    const unsigned files = open_files();
    int status = cow_plan_resize(&plan, img, &opt, &err);
    must(status == wanted, "status %d instead of %d: %s", status, wanted, err.message);
    if (status != 0) {
        must_fail(status, wanted, err);
        must(plan == none, "a refusal touched the output");
        must(cow_plan_resize(&plan, img, &opt, NULL) == wanted, "without err");
    } else {
        cow_plan_free(plan);
    }
    must(open_files() == files, "a file was left open");
}

/* ---- resize ---- */

static void check_sizes(struct cow_image *img)
{
    static const struct {
        uint64_t size;
        int status;
    } sizes[] = {{0, COW_USAGE},
                 {NEW_SIZE + 1, COW_USAGE},
                 {NEW_SIZE + 256, COW_USAGE},
                 {OLD_SIZE - 512, COW_REFUSED},
                 {512, COW_REFUSED},
                 {8 * TIB, COW_INVALID},
                 {16 * TIB, COW_INVALID},
                 {UINT64_MAX - 511, COW_INVALID},
                 {8 * TIB - (UINT64_C(1) << 30), 0}};
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    check_resize(img, opt, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        opt.size_bytes = sizes[i].size;
        check_resize(img, opt, sizes[i].status);
    }
}

/* In place, or to another file. */
static void check_ways(struct cow_image *img, char *out)
{
    struct cow_resize_options opt = grow(COW_POLICY_UNSET);
    check_resize(img, opt, 0); /* extend, for nobody else is on the backing file */
    opt.output_path = out;
    check_resize(img, opt, COW_REFUSED);
    opt = grow(COW_POLICY_KEEP);
    opt.in_place = true;
    check_resize(img, opt, 0);
    opt.method = COW_RESIZE_COPY; /* which makes a new file */
    check_resize(img, opt, COW_USAGE);
    opt.method = COW_RESIZE_ANY;
    opt.output_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_KEEP);
    opt.method = COW_RESIZE_MOVED; /* implies it */
    check_resize(img, opt, 0);
    opt.output_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_EXTEND);
    opt.output_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_KEEP);
    opt.copy_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_EXTEND);
    opt.copy_path = out;
    check_resize(img, opt, COW_USAGE);
}

static void check_shrinking(struct cow_image *img)
{
    static const struct {
        enum cow_policy policy;
        int status;
    } shrinking[] = {{COW_POLICY_EXTEND, COW_USAGE},
                     {COW_POLICY_KEEP, COW_USAGE},
                     {COW_POLICY_COPY, COW_REFUSED},   /* there is data in the last sectors */
                     {COW_POLICY_UNSET, COW_REFUSED}}; /* the same as copy */
    struct cow_resize_options opt = grow(COW_POLICY_COPY);
    opt.in_place = opt.shrink = true;
    opt.size_bytes = OLD_SIZE / 2;
    check_resize(img, opt, COW_USAGE);
    for (size_t i = 0; i < sizeof shrinking / sizeof shrinking[0]; i++) {
        opt = grow(shrinking[i].policy);
        opt.shrink = true;
        opt.size_bytes = OLD_SIZE / 2;
        check_resize(img, opt, shrinking[i].status);
    }
    opt = grow(COW_POLICY_COPY);
    opt.shrink = true;
    opt.size_bytes = 32768;
    check_resize(img, opt, COW_INVALID);
}

static void check_reserves(struct cow_image *img)
{
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    opt.reserve_bytes = NEW_SIZE - 512;
    check_resize(img, opt, COW_USAGE);
    opt.reserve_bytes = 9 * TIB;
    check_resize(img, opt, COW_INVALID);
    opt.reserve_bytes = 2 * TIB;
    check_resize(img, opt, 0);
}

START_TEST(resize_refuses_requests_that_make_no_sense)
{
    struct model *m = model_of(COW_FORMAT_V3);
    const struct witness cow = witness_of(m->cow_path), backing = witness_of(m->backing_path);
    struct cow_image *img = open_named(m->cow_path, NULL);
    char *out = test_path("out");
    check_sizes(img);
    check_ways(img, out);
    check_shrinking(img);
    check_reserves(img);
    cow_image_close(img);
    witness_check(&cow, "planning");
    witness_check(&backing, "planning");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, "m m.img");
    free(names);
    free(out);
    model_free(m);
}
END_TEST

START_TEST(resize_refuses_backings_it_cannot_trust)
{
    static const enum cow_policy policies[] = {COW_POLICY_EXTEND, COW_POLICY_COPY, COW_POLICY_KEEP};
    struct model *m = model_of(COW_FORMAT_V3);
    for (size_t i = 0; i < 3; i++) {
        struct cow_resize_options opt = grow(policies[i]);
        file_set_mtime(m->backing_path, MODEL_MTIME + 1);
        struct cow_image *img = open_named(m->cow_path, NULL);
        check_resize(img, opt, COW_REFUSED);
        opt.force = true;
        check_resize(img, opt, 0);
        cow_image_close(img);
        file_set_mtime(m->backing_path, -1); /* no header can hold that */
        img = open_named(m->cow_path, NULL);
        check_resize(img, opt, COW_REFUSED);
        cow_image_close(img);
        file_set_mtime(m->backing_path, MODEL_MTIME);

        char *away = test_path("away");
        must(rename(m->backing_path, away) == 0, "rename");
        img = open_named(m->cow_path, NULL);
        check_resize(img, grow(policies[i]), COW_IO);
        cow_image_close(img);
        img = open_named(m->cow_path, away); /* named, it is as good */
        check_resize(img, grow(policies[i]), 0);
        cow_image_close(img);
        must(rename(away, m->backing_path) == 0, "rename");
        free(away);
    }
    model_free(m);
}
END_TEST

START_TEST(extend_wants_a_backing_of_the_old_size)
{
    static const struct {
        uint64_t backing;
        int status, forced;
    } table[] = {{OLD_SIZE, 0, 0},
                 {NEW_SIZE, 0, 0}, /* lengthened already: only the COW is left to do */
                 {OLD_SIZE + 512, COW_REFUSED, 0},
                 {NEW_SIZE + 512, COW_REFUSED, COW_REFUSED},
                 {OLD_SIZE - 512, 0, 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct model_spec spec = usual_of(COW_FORMAT_V3);
        spec.backing_bytes = table[i].backing;
        struct model *m = model_create(&spec);
        struct cow_image *img = open_named(m->cow_path, NULL);
        struct cow_resize_options opt = grow(COW_POLICY_EXTEND);
        check_resize(img, opt, table[i].status);
        opt.force = true;
        check_resize(img, opt, table[i].forced);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

START_TEST(a_qemu_image_without_backing_needs_one)
{
    struct model_spec spec = usual_of(COW_FORMAT_QEMU);
    spec.backing_bytes = NO_BACKING;
    struct model *m = model_create(&spec);
    char *named = test_path("named");
    struct cow_image *img = open_named(m->cow_path, NULL);
    check_resize(img, grow(COW_POLICY_EXTEND), COW_UNSUPPORTED);
    check_resize(img, grow(COW_POLICY_KEEP), COW_UNSUPPORTED);
    check_resize(img, grow(COW_POLICY_COPY), 0);
    cow_image_close(img);
    free(named);
    model_free(m);
}
END_TEST

START_TEST(resize_never_writes_over_its_input)
{
    struct model *m = model_of(COW_FORMAT_V3);
    char *out = test_path("out"), *hard = test_path("hard"), *soft = test_path("soft"),
         *backing_name = test_path("b2"), *nowhere = test_path("no/such/out");
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    opt.output_path = out;
    check_resize(img, opt, 0);
    file_write(out, "x", 1);
    check_resize(img, opt, COW_REFUSED);
    opt.force = true;
    check_resize(img, opt, 0);
    unlink(out);
    must(mkdir(out, 0700) == 0, "mkdir");
    check_resize(img, opt, COW_REFUSED);
    rmdir(out);
    must(symlink(m->cow_path, soft) == 0 && link(m->backing_path, backing_name) == 0, "links");
    const char *const inputs[] = {m->cow_path, m->backing_path, soft, backing_name};
    for (size_t i = 0; i < 4; i++) {
        opt.output_path = inputs[i];
        check_resize(img, opt, COW_REFUSED);
        struct cow_resize_options copy = grow(COW_POLICY_COPY);
        copy.copy_path = inputs[i];
        copy.force = true;
        check_resize(img, copy, COW_REFUSED);
    }
    opt.output_path = nowhere;
    check_resize(img, opt, COW_IO);
    struct cow_resize_options same = grow(COW_POLICY_COPY); /* both outputs one file */
    same.output_path = out;
    same.copy_path = out;
    check_resize(img, same, COW_REFUSED);
    cow_image_close(img);

    must(link(m->cow_path, hard) == 0, "link");
    img = open_named(m->cow_path, NULL);
    check_resize(img, grow(COW_POLICY_KEEP), 0); /* in place all names see the new disk */
    opt = grow(COW_POLICY_KEEP);
    opt.reserve_bytes = FAR_RESERVE; /* by copy a second name would keep the old one */
    check_resize(img, opt, COW_REFUSED);
    opt.force = true;
    check_resize(img, opt, 0);
    opt.force = false;
    opt.output_path = out;
    check_resize(img, opt, 0);
    cow_image_close(img);
    free(out);
    free(hard);
    free(soft);
    free(backing_name);
    free(nowhere);
    model_free(m);
}
END_TEST

START_TEST(an_unfinished_image_is_only_looked_at)
{
    struct model *m = model_of(COW_FORMAT_V3);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    opt.force = true;
    check_resize(img, opt, COW_INVALID);
    char *out = test_path("out");
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    const struct cow_merge_options merge = {.output_path = out, .force = true};
    must_fail(cow_plan_merge(&plan, img, &merge, &err), COW_INVALID, err);
    cow_image_close(img);
    free(out);
    model_free(m);
}
END_TEST

Suite *plan_refusals_suite(void)
{
    Suite *suite = suite_create("plan-refusals");
    TCase *tc = tcase_create("plan refusals");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, resize_refuses_requests_that_make_no_sense);
    tcase_add_test(tc, resize_refuses_backings_it_cannot_trust);
    tcase_add_test(tc, extend_wants_a_backing_of_the_old_size);
    tcase_add_test(tc, a_qemu_image_without_backing_needs_one);
    tcase_add_test(tc, resize_never_writes_over_its_input);
    tcase_add_test(tc, an_unfinished_image_is_only_looked_at);
    suite_add_tcase(suite, tc);
    return suite;
}
