/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Would a false preview be noticed? Each number and each word of it that tests/promise compares is falsified
 * by one, in each kind of change that has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/io.h"
#include "cow/ops.h"
#include "promise/promise.h"
#include "support.h"

enum { DISK_BYTES = 1024 * 1024 };

enum change_kind {
    GROWTH,
    HEADER_GROWTH,
    PRIVATE_COPY,
    PAGES,
    COMPACT,
    CONVERT,
    RAW,
    MERGED,
    CREATED,
    UNDONE,
    KINDS
};

static struct model *make_image(enum change_kind kind)
{
    const struct model_spec spec = {.format = kind == HEADER_GROWTH || kind == UNDONE ? COW_FORMAT_V3
                                                                                      : COW_FORMAT_V2,
                                    .size_bytes = DISK_BYTES,
                                    .sector_bytes = 512,
                                    .alignment = kind == HEADER_GROWTH || kind == UNDONE ? 65536 : 0,
                                    .pattern = PATTERN_RANDOM,
                                    .backing_bytes = DISK_BYTES,
                                    .seed = 7 + (uint64_t)kind};
    return model_create(&spec);
}

static void start_anew(struct model *m)
{
    static const char *const names[] = {"out", "m.backing", ".m.cowtui-undo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = test_path(names[i]);
        remove(path);
        free(path);
    }
    remove(m->cow_path);
    remove(m->backing_path);
    model_free(m);
}

static int plan_it(struct cow_plan **plan, struct cow_image *img, enum change_kind kind,
                   const struct model *m, struct cow_error *err)
{
    static char out[4096];
    char *path = test_path("out");
    snprintf(out, sizeof out, "%s", path);
    free(path);
    const struct cow_resize_options larger = {
        .size_bytes = 2 * DISK_BYTES, .policy = kind == PRIVATE_COPY ? COW_POLICY_COPY : COW_POLICY_EXTEND};
    const struct cow_rewrite_options rewrite = {.complete_pages = kind == PAGES,
                                                .compact = kind == COMPACT,
                                                .larger = true,
                                                .convert = kind == CONVERT,
                                                .output_path = kind == CONVERT ? out : NULL};
    switch (kind) {
    case GROWTH:
    case HEADER_GROWTH:
    case PRIVATE_COPY:
        return cow_plan_resize(plan, img, &larger, err);
    case PAGES:
    case COMPACT:
    case CONVERT:
        return cow_plan_rewrite(plan, img, &rewrite, err);
    case RAW:
        return cow_plan_merge(plan, img, &(struct cow_merge_options){.output_path = out}, err);
    case MERGED:
        return cow_plan_merge(plan, img, &(struct cow_merge_options){.in_place = true}, err);
    case CREATED:
        return cow_plan_create(
            plan, &(struct cow_create_options){.path = out, .backing_path = m->backing_path}, err);
    default:
        return cow_plan_undo(plan, img, err);
    }
}

static void commit_it(enum change_kind kind, const struct model *m)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_succeed(plan_it(&plan, img, kind, m, &err), err);
    must_succeed(cow_plan_probe(plan, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
}

START_TEST(what_is_false_is_noticed)
{
    const size_t field = (size_t)_i;
    unsigned falsified = 0;
    for (enum change_kind kind = GROWTH; kind < KINDS; kind++) {
        struct model *m = make_image(kind);
        if (kind == UNDONE) {
            commit_it(HEADER_GROWTH, m);
        }
        promise_falsify(field);
        commit_it(kind, m);
        must(!promise_was_falsified() || promise_was_caught(), "%s, falsified in change %d, is not noticed",
             promise_field_name(field), (int)kind);
        falsified += promise_was_falsified();
        start_anew(m);
    }
    must(falsified > 0 ||
             (promise_is_of_room(field) && io_system.counts_blocks(io_system.context, test_directory()) <= 0),
         "%s stands in no plan", promise_field_name(field));
}
END_TEST

Suite *promise_suite(void)
{
    Suite *suite = suite_create("promise");
    TCase *tc = tcase_create("promise");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, what_is_false_is_noticed, 0, (int)promise_fields());
    suite_add_tcase(suite, tc);
    return suite;
}
