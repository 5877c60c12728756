/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plan of a resize: its steps in the documented order, its preview, the choices and methods that a wizard
 * offers, and what cannot be looked at.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "planning.h"

static void check_layouts(const struct cow_preview *p, const struct model *m, bool in_place)
{
    const struct geometry old = m->geometry;
    must(p->has_before && p->before_format == m->spec.format && p->before_size_bytes == m->spec.size_bytes,
         "before");
    must(p->before.bitmap_offset == old.bitmap_offset && p->before.data_offset == old.data_offset, "before");
    must(p->has_after && p->after_format == COW_FORMAT_V3 && p->after_size_bytes == NEW_SIZE, "after");
    const struct geometry new = model_geometry(COW_FORMAT_V3, NEW_SIZE, 512, p->after_alignment);
    must(p->after.bitmap_offset == new.bitmap_offset && p->after.bitmap_bytes == new.bitmap_bytes &&
             p->after.data_offset == new.data_offset && p->after.end_offset == new.end_offset,
         "layout after");
    uint64_t dirty = 0;
    for (uint64_t i = 0; i < old.sectors; i++) {
        dirty += m->dirty[i];
    }
    must(p->dirty_sectors == dirty, "%" PRIu64 " dirty", p->dirty_sectors);
    if (in_place) {
        must(p->after_alignment == m->spec.alignment && new.data_offset == old.data_offset, "the data moves");
        must(p->moves_bytes == 0 && p->needs_free_bytes <= 1 << 20, "moves %" PRIu64, p->moves_bytes);
        must(p->can_grow_to_bytes == (old.data_offset - old.bitmap_offset) * 8 * 512, "can grow to %" PRIu64,
             p->can_grow_to_bytes);
    } else {
        must(p->moves_bytes == dirty * 512, "moves %" PRIu64, p->moves_bytes);
        must(p->can_grow_to_bytes >= UINT64_C(1) << 30, "can grow to %" PRIu64, p->can_grow_to_bytes);
    }
}

static const struct {
    enum cow_policy policy;
    const char *by_copy, *in_place;
    bool opens;
} resize_steps[] = {
    {COW_POLICY_EXTEND,
     "lock check-space begin-image journal write-bitmap copy-data keep-attributes finish-image "
     "extend-backing rename keep-undo end-journal",
     "lock check-space journal prepare-in-place extend-backing write-header end-journal", true},
    {COW_POLICY_COPY,
     "lock check-space begin-image journal copy-backing write-bitmap copy-data keep-attributes "
     "finish-image rename keep-undo end-journal",
     "lock check-space journal copy-backing prepare-in-place write-header end-journal", true},
    {COW_POLICY_KEEP,
     "lock check-space begin-image journal write-bitmap copy-data keep-attributes finish-image "
     "rename keep-undo end-journal",
     "lock check-space journal prepare-in-place write-header end-journal", false}};

static void check_resize_plan(struct cow_image *img, const struct model *m, size_t i, bool in_place,
                              uint64_t reserve_bytes)
{
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    struct cow_resize_options opt = grow(resize_steps[i].policy);
    opt.reserve_bytes = reserve_bytes;
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    check_steps(plan, in_place ? resize_steps[i].in_place : resize_steps[i].by_copy);
    const struct cow_preview *p = cow_plan_preview(plan);
    check_texts(p);
    check_layouts(p, m, in_place);
    ck_assert_str_eq(cow_operation_name(p->operation), "resize");
    ck_assert_str_eq(cow_method_name(p->method), in_place ? "header" : "copy");
    ck_assert_str_eq(p->policy, cow_policy_name(resize_steps[i].policy));
    ck_assert_str_eq(p->target_path, m->cow_path);
    must(p->replaces && p->changes_existing, "it replaces the image");
    must(strstr(p->undo_text, "cowtui undo") != NULL, "%s", p->undo_text);
    must(p->after_verdict.opens == resize_steps[i].opens, "policy %zu: opens %d: %s", i,
         p->after_verdict.opens, p->after_verdict.reason);
    must(p->patched_opens, "the seed's kernel");
    must(resize_steps[i].policy != COW_POLICY_KEEP ||
             strcmp(p->after_verdict.reason,
                    "Size mismatch (358400 vs 204800) of COW header vs backing file") == 0,
         "%s", p->after_verdict.reason);
    cow_plan_free(plan);
}

START_TEST(resize_plans_in_the_documented_order)
{
    const enum cow_format format = (enum cow_format)_i;
    struct model *m = model_of(format);
    struct cow_image *img = open_named(m->cow_path, NULL);
    for (size_t i = 0; i < 3; i++) { /* only a v3 can grow where it is */
        check_resize_plan(img, m, i, format == COW_FORMAT_V3, 0);
        check_resize_plan(img, m, i, false, FAR_RESERVE);
    }
    cow_image_close(img);
    cow_plan_free(NULL);
    model_free(m);
}
END_TEST

START_TEST(shrinking_goes_by_a_private_copy)
{
    struct model_spec spec = usual_of((enum cow_format)_i);
    spec.dull_from = OLD_SIZE / 2;
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    static const enum cow_policy policies[] = {COW_POLICY_COPY, COW_POLICY_UNSET};
    for (size_t i = 0; i < 2; i++) {
        struct cow_plan *plan;
        struct cow_error err = {.status = 0};
        const struct cow_resize_options opt = {
            .size_bytes = OLD_SIZE / 2, .policy = policies[i], .shrink = true};
        must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
        check_steps(plan, resize_steps[1].by_copy);
        const struct cow_preview *p = cow_plan_preview(plan);
        check_texts(p);
        ck_assert_str_eq(cow_method_name(p->method), "copy");
        ck_assert_str_eq(p->policy, "copy");
        must(p->after_size_bytes == OLD_SIZE / 2 && p->after_verdict.opens, "%s", p->after_verdict.reason);
        must(strstr(p->command, "--shrink") != NULL, "the command would be refused: %s", p->command);
        cow_plan_free(plan);
    }
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(elsewhere_nothing_old_is_changed)
{
    struct model *m = model_of(COW_FORMAT_V3);
    struct cow_image *img = open_named(m->cow_path, NULL);
    char *out = test_path("out");
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    opt.output_path = out;
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    check_steps(plan, "lock check-space begin-image write-bitmap copy-data finish-image rename");
    must(!cow_plan_preview(plan)->changes_existing && !cow_plan_preview(plan)->replaces,
         "it changes the old one");
    ck_assert_str_eq(cow_plan_preview(plan)->target_path, out);
    cow_plan_free(plan);
    cow_image_close(img);
    free(out);
    model_free(m);
}
END_TEST

START_TEST(what_is_done_already_is_not_done_again)
{
    struct model_spec spec = usual_of(COW_FORMAT_V3);
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_resize_options opt = grow(COW_POLICY_EXTEND);
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    const struct witness cow = witness_of(m->cow_path), backing = witness_of(m->backing_path);
    opt.size_bytes = OLD_SIZE;
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    ck_assert_str_eq(cow_method_name(cow_plan_preview(plan)->method), "none");
    check_steps(plan, "");
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    witness_check(&cow, "nothing");
    witness_check(&backing, "nothing");
    cow_image_close(img);

    file_truncate(m->backing_path, OLD_SIZE - 1024); /* the image is done, the backing is not */
    file_set_mtime(m->backing_path, MODEL_MTIME);
    const struct witness shorter = witness_of(m->backing_path);
    img = open_named(m->cow_path, NULL);
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    ck_assert_str_eq(cow_method_name(cow_plan_preview(plan)->method), "backing-only");
    check_steps(plan, "lock journal extend-backing end-journal");
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&cow, "the image was done");
    ck_assert_uint_eq(file_size(m->backing_path), OLD_SIZE);
    ck_assert_int_eq(file_mtime(m->backing_path), MODEL_MTIME);

    img = open_named(m->cow_path, NULL); /* and back */
    must_succeed(cow_plan_undo(&plan, img, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&cow, "undone");
    witness_check(&shorter, "undone");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, "m m.img");
    free(names);
    model_free(m);
}
END_TEST

START_TEST(choices_for_the_wizard)
{
    struct model_spec spec = usual_of(COW_FORMAT_V3);
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_policy_choice choices[COW_POLICY_CHOICES];
    memset(choices, 0x5a, sizeof choices);
    must(cow_resize_choices(choices, img, NEW_SIZE, COW_FS_STAYS) == 3,
         "no other image is on its backing file");
    bool seen[4] = {false};
    for (unsigned i = 0; i < 3; i++) {
        must(choices[i].possible && choices[i].obstacle[0] == '\0', "choice %u: %s", i, choices[i].obstacle);
        must(choices[i].recommended == (i == 0), "choice %u", i);
        must(choices[i].consequence[0] != '\0' && is_terminal_safe(choices[i].consequence), "choice %u", i);
        must(choices[i].policy >= COW_POLICY_EXTEND && choices[i].policy <= COW_POLICY_KEEP &&
                 !seen[choices[i].policy],
             "choice %u", i);
        seen[choices[i].policy] = true;
    }
    must(choices[0].policy != COW_POLICY_KEEP, "a stock kernel refuses what keep makes");
    cow_image_close(img);

    unlink(m->backing_path); /* nothing is possible, and each says why */
    img = open_named(m->cow_path, NULL);
    cow_resize_choices(choices, img, NEW_SIZE, COW_FS_STAYS);
    for (unsigned i = 0; i < 3; i++) {
        must(!choices[i].possible && !choices[i].recommended && choices[i].obstacle[0] != '\0', "choice %u",
             i);
        must(is_terminal_safe(choices[i].obstacle), "choice %u", i);
    }
    cow_image_close(img);
    model_free(m);

    spec = usual_of(COW_FORMAT_QEMU); /* only copy: it comes first */
    spec.backing_bytes = NO_BACKING;
    spec.name = "q";
    m = model_create(&spec);
    img = open_named(m->cow_path, NULL);
    cow_resize_choices(choices, img, NEW_SIZE, COW_FS_STAYS);
    must(choices[0].policy == COW_POLICY_COPY && choices[0].possible && choices[0].recommended, "copy");
    must(!choices[1].possible && !choices[2].possible, "others");
    cow_image_close(img);
    model_free(m);
}
END_TEST

static int hardly_any_room(void *context, int fd, uint64_t *out)
{
    (void)context;
    (void)fd;
    *out = 64 * 1024;
    return 0;
}

/* How many methods there are to choose from. */
static size_t methods(struct cow_method_choice choices[COW_METHOD_CHOICES], struct cow_image *img,
                      struct cow_resize_options opt)
{
    memset(choices, 0x5a, COW_METHOD_CHOICES * sizeof *choices);
    return cow_resize_method_choices(choices, img, &opt, false);
}

START_TEST(methods_for_the_wizard)
{
    struct model *m = model_of(COW_FORMAT_V3);
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_method_choice choices[COW_METHOD_CHOICES];
    struct cow_policy_choice policies[COW_POLICY_CHOICES];
    struct cow_resize_options opt = {.size_bytes = 32 << 20, .policy = COW_POLICY_EXTEND};
    must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
    must(cow_image_can_grow_to(img) == 16 << 20, "it can grow to %" PRIu64, cow_image_can_grow_to(img));
    must(methods(choices, img, opt) == COW_METHOD_CHOICES, "the data has to move");
    must(choices[0].method == COW_METHOD_COPY && choices[0].recommended && choices[0].possible, "copy");
    must(choices[1].in_place && choices[1].possible && !choices[1].recommended, "in place");
    must(choices[1].method == COW_METHOD_INSERTED || choices[1].method == COW_METHOD_MOVED, "its method");
    for (unsigned i = 0; i < COW_METHOD_CHOICES; i++) {
        const struct cow_method_choice *c = &choices[i];
        must(*c->how && *c->writes && *c->time && *c->needs && *c->free && *c->crash && *c->undo, "words");
    }
    io.free_bytes = hardly_any_room; /* a copy is impossible, and the policies are not */
    must(methods(choices, img, opt) == COW_METHOD_CHOICES, "no room");
    must(!choices[0].possible && !choices[0].recommended, "no room for a copy: %s of %s, in place %s",
         choices[0].needs, choices[0].free, choices[1].needs);
    must(strstr(choices[0].obstacle, "not enough space for a copy") != NULL, "%s", choices[0].obstacle);
    must(choices[0].needs[0] != '\0' && choices[1].possible, "what it would need");
    cow_resize_choices(policies, img, opt.size_bytes, COW_FS_STAYS);
    must(policies[0].possible && policies[1].possible && policies[2].possible, "a policy by another method");
    opt.size_bytes = NEW_SIZE;
    must(methods(choices, img, opt) == 0, "the data stays");
    opt.size_bytes = 32 << 20;
    opt.method = COW_RESIZE_COPY;
    must(methods(choices, img, opt) == 0, "it is named");
    cow_image_close(img);
    model_free(m);

    m = model_of(COW_FORMAT_V2); /* which is copied, or not resized */
    img = open_named(m->cow_path, NULL);
    opt.method = COW_RESIZE_ANY;
    must(methods(choices, img, opt) == 0, "an old variant");
    must(cow_image_can_grow_to(img) == 0, "an old variant has no room");
    cow_image_close(img);
    model_free(m);
}
END_TEST

static int it_can_insert(void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes)
{
    (void)context;
    (void)fd;
    (void)path;
    (void)offset;
    (void)n_bytes;
    return 1;
}

/* Every other sector is data. */
static int64_t every_other_sector(void *context, int fd, uint64_t offset, int whence)
{
    struct stat facts;
    (void)context;
    if (fstat(fd, &facts) != 0 || offset >= (uint64_t)facts.st_size) {
        return -ENXIO;
    }
    const bool is_data = offset / 512 % 2 == 0;
    return (int64_t)(is_data == (whence == SEEK_DATA) ? offset : (offset / 512 + 1) * 512);
}

/* An interrupted insertion is found by a map of the data: what is too long for one is moved. */
START_TEST(too_many_pieces_are_moved)
{
    struct model *m = model_of(COW_FORMAT_V3);
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_plan *plan = NULL;
    struct cow_resize_options opt = {.size_bytes = 32 << 20, .policy = COW_POLICY_EXTEND, .in_place = true};
    io.can_insert = it_can_insert;
    for (int is_long = 0; is_long < 2; is_long++) {
        must(is_long == 0 || truncate(m->cow_path, INT64_C(1100) << 20) == 0, "longer");
        io.seek = is_long != 0 ? every_other_sector : io_system.seek;
        must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
        opt.method = COW_RESIZE_ANY;
        must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
        must(cow_plan_preview(plan)->method == (is_long ? COW_METHOD_MOVED : COW_METHOD_INSERTED),
             "its method");
        cow_plan_free(plan);
        opt.method = COW_RESIZE_INSERTED;
        const int status = cow_plan_resize(&plan, img, &opt, &err);
        must(status == (is_long ? COW_UNSUPPORTED : 0), "named: %d", status);
        must(!is_long || strstr(err.message, "more pieces") != NULL, "%s", err.message);
        if (status == 0) {
            cow_plan_free(plan);
        }
        cow_image_close(img);
    }
    model_free(m);
}
END_TEST

static int lstat_of_a_sick_disk(void *context, const char *path, struct stat *out)
{
    const char *sick = context;
    const size_t n = strlen(path), m = strlen(sick);
    return n > m && strcmp(path + n - m, sick) == 0 ? -EIO : io_system.lstat(NULL, path, out);
}

/* Whether there is a journal cannot be told: that is no "no". */
START_TEST(a_journal_that_cannot_be_looked_at_is_none_that_is_not_there)
{
    static const char *const sick[] = {"cowtui-move", "cowtui-family"};
    for (unsigned i = 0; i < 2; i++) {
        struct model *m = model_of(COW_FORMAT_V3);
        struct cow_io io = io_system;
        struct cow_image *img;
        struct cow_error err = {.status = 0};
        struct cow_plan *plan = NULL;
        struct cow_resize_options opt = {.size_bytes = NEW_SIZE, .policy = COW_POLICY_EXTEND};
        io.context = (void *)(uintptr_t)sick[i];
        io.lstat = lstat_of_a_sick_disk;
        must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
        must(cow_plan_resize(&plan, img, &opt, &err) != 0, "%s: planned", sick[i]);
        must(err.message[0] != '\0', "%s: words", sick[i]);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

Suite *plan_resize_suite(void)
{
    Suite *suite = suite_create("plan-resize");
    TCase *tc = tcase_create("plan resize");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, resize_plans_in_the_documented_order, 0, COW_FORMATS);
    tcase_add_loop_test(tc, shrinking_goes_by_a_private_copy, 0, COW_FORMATS);
    tcase_add_test(tc, elsewhere_nothing_old_is_changed);
    tcase_add_test(tc, what_is_done_already_is_not_done_again);
    tcase_add_test(tc, choices_for_the_wizard);
    tcase_add_test(tc, methods_for_the_wizard);
    tcase_add_test(tc, too_many_pieces_are_moved);
    tcase_add_test(tc, a_journal_that_cannot_be_looked_at_is_none_that_is_not_there);
    suite_add_tcase(suite, tc);
    return suite;
}
