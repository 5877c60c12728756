/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Growing where the data may stay: the bits, the data and the header come out exactly right, nothing else of
 * the file is written, and where it does not go the image is copied. All of it is taken back again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "faulty.h"

static struct change usual(enum operation operation)
{
    return (struct change){.operation = operation,
                           .spec = {.format = COW_FORMAT_V3,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .size_bytes = 403 * 512,
                                    .backing_bytes = 403 * 512,
                                    .pattern = PATTERN_RUNS,
                                    .garbage = true,
                                    .seed = 5},
                           .new_bytes = 611 * 512};
}

/* What the core itself says of it. */
static void check_by_the_core(const struct subject *s)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_verdict verdict;
    must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
    cow_image_verdict(img, &verdict);
    must(verdict.opens == (file_size(cow_image_header(img)->backing_path) == s->new_bytes), "%s: %d: %s",
         subject_describe(s), verdict.opens, verdict.reason);
    cow_image_close(img);
}

/* There, checked, and back. */
static void grow(const struct change *change, bool in_place)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(change);
    must(s->in_place == in_place, "%s: the test itself: in place is %d", subject_describe(s), s->in_place);
    faulty_init(&f, FAULT_NONE, 0, 0);
    int status = subject_run(s, &f.io, NULL, &planned, &err);
    must(status == 0, "%s: %s", subject_describe(s), err.message);
    must(f.n_unsynced == 0 && f.sizes_unsynced == 0 && f.renames_unsynced == 0, "%s: not durable",
         subject_describe(s));
    subject_check_done(s, "in place");
    check_by_the_core(s);
    subject_check_undo(s, "in place");
    subject_free(s);
}

/* Every number of sectors in the last byte of the bitmap, and every kind of file. */
START_TEST(the_matrix)
{
    static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_COPY, OPERATION_KEEP};
    static const uint64_t more[] = {1, 5, 8, 64, 3000, 7};
    const enum operation operation = operations[_i % 3];
    const bool odd = _i / 3 % 2 == 1; /* keep does not go in place then */
    for (unsigned n = 0; n < 40; n++) {
        struct change change = usual(operation);
        struct model_spec *spec = &change.spec;
        const uint64_t sectors = 96 + n % 9 + 8 * (n / 9);
        spec->size_bytes = sectors * 512 - (odd ? 1 + n * 37 % 511 : 0);
        spec->alignment = n % 3 == 0 ? 512 : n % 3 == 1 ? 4096 : 1 << 20;
        spec->pattern = (enum pattern)(n % PATTERNS);
        spec->garbage = n % 4 != 3;
        spec->short_file = n % 5 == 4;
        spec->tail_bytes = n % 5 == 2 ? 512 + n * 100 : n % 5 == 3 ? 4000 * 512 : 0;
        spec->seed = n + 100 * (unsigned)_i;
        spec->backing_bytes = spec->size_bytes;
        if (operation == OPERATION_COPY && n % 7 == 6) {
            spec->backing_bytes = spec->size_bytes / 2;
        }
        change.new_bytes = (sectors + more[n % 6]) * 512;
        grow(&change, operation != OPERATION_KEEP || (!odd && spec->tail_bytes == 0));
    }
}
END_TEST

START_TEST(to_the_end_of_an_odd_sector)
{
    static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_COPY};
    for (unsigned n = 0; n < 32;
         n++) { /* the number of sectors stays; what lies behind the old end is zero */
        struct change change = usual(operations[n % 2]);
        const uint64_t sectors = 120 + n / 2;
        change.spec.size_bytes = change.spec.backing_bytes = sectors * 512 - 1 - n * 16;
        change.spec.pattern = n % 3 == 0 ? PATTERN_ALL : n % 3 == 1 ? PATTERN_NONE : PATTERN_EDGES;
        change.spec.seed = n;
        change.new_bytes = sectors * 512;
        grow(&change, true);
    }
}
END_TEST

/* With an alignment of A the bitmap has room for A * 8 sectors (its offset is a multiple of A, too). */
START_TEST(exactly_at_capacity)
{
    static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_COPY, OPERATION_KEEP};
    for (unsigned n = 0; n < 6; n++) {
        const uint32_t alignment = n < 3 ? 512 : 4096;
        const uint64_t capacity = (uint64_t)alignment * 8 * 512;
        struct change change = usual(operations[n % 3]);
        change.spec.alignment = alignment;
        change.new_bytes = capacity - 512;
        grow(&change, true);
        change.new_bytes = capacity;
        grow(&change, true);
        change.new_bytes = capacity + 512;
        grow(&change, false);
        change.new_bytes = capacity - 4096;
        change.reserve_bytes = capacity; /* what is asked for is there already */
        grow(&change, true);
        change.reserve_bytes = capacity + 512;
        grow(&change, false);
        change.reserve_bytes = 0;
        change.spec.size_bytes = change.spec.backing_bytes = capacity; /* it is full */
        change.spec.pattern = PATTERN_EDGES;
        change.new_bytes = capacity + 512;
        grow(&change, false);
    }
}
END_TEST

START_TEST(others_are_copied)
{
    for (int format = 0; format < COW_FORMATS; format++) {
        struct change change = usual(OPERATION_EXTEND);
        change.spec.format = (enum cow_format)format;
        change.spec.alignment = shapes[format].kind == 'a' ? 4096 : 0;
        grow(&change, format == COW_FORMAT_V3);
    }
    for (uint32_t sector_bytes = 1024; sector_bytes <= 65536; sector_bytes *= 4) {
        struct change change = usual(OPERATION_EXTEND);
        change.spec.sector_bytes = sector_bytes;
        grow(&change, false);
    }
}
END_TEST

START_TEST(three_times_and_only_the_last_is_undone)
{
    struct cow_error err = {.status = 0};
    bool planned;
    struct change change = usual(OPERATION_EXTEND);
    struct subject *s = subject_create(&change);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    static const uint64_t sizes[] = {613 * 512, 1000 * 512};
    struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);
    for (size_t i = 0; i < 2; i++) {
        image = witness_of(s->target);
        backing = witness_of(s->model->backing_path);
        free(s->new_disk);
        s->new_bytes = s->change.new_bytes = sizes[i];
        s->new_disk = calloc(s->new_bytes, 1);
        must(s->new_disk != NULL, "out of memory");
        memcpy(s->new_disk, s->model->disk, change.spec.size_bytes);
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        must(subject_outcome(s) == OUTCOME_NEW, "round %zu", i);
    }
    must_succeed(subject_undo(s, NULL, &err), err);
    witness_check(&image, "the last is undone");
    witness_check(&backing, "the last is undone");
    must_fail(subject_undo(s, NULL, &err), COW_REFUSED, err);
    witness_check(&image, "nothing more to undo");
    subject_free(s);
}
END_TEST

START_TEST(two_names_see_the_new_disk)
{
    struct cow_error err = {.status = 0};
    bool planned;
    const struct change change = usual(OPERATION_EXTEND);
    struct subject *s = subject_create(&change);
    char *hard = test_path("hard");
    must(link(s->target, hard) == 0, "link");
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    must(file_inode(hard) == file_inode(s->target), "they are two files now");
    unlink(hard);
    subject_check_done(s, "two names");
    subject_check_undo(s, "two names");
    free(hard);
    subject_free(s);
}
END_TEST

/* ---- long paths: what lies past byte 480 of a path is not in the first sector ---- */

/* DIRECTORY/xxx.../nnn, `length` bytes long, in a directory that is made. */
static char *long_path(size_t length)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/", test_directory());
    while (strlen(name) < length) {
        size_t have = strlen(name), left = length - have;
        size_t n = left > 250 ? 100 : left;
        memset(name + have, n == left ? 'n' : 'x', n);
        name[have + n] = '\0';
        if (n < left) {
            mkdir(name, 0700);
            snprintf(name + strlen(name), sizeof name - strlen(name), "/");
        }
    }
    must(strlen(name) == length, "%zu", strlen(name));
    return strdup(name);
}

START_TEST(a_long_stored_path_stays_as_it_is)
{
    static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_KEEP};
    for (unsigned n = 0; n < 28; n++) {
        struct cow_error err = {.status = 0};
        bool planned;
        struct change change = usual(operations[n % 2]);
        const size_t length = n < 24 ? 472 + n / 2 : 900;
        char *stored = long_path(length), *real = test_path("m.img");
        must(symlink(real, stored) == 0, "symlink");
        change.spec.stored = stored;
        change.spec.garbage = n % 4 < 2;
        struct subject *s = subject_create(&change);
        must(s->in_place, "the test itself");
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        struct model_view view;
        must(model_read_header(&view, s->target, COW_FORMAT_V3), "header");
        ck_assert_str_eq(view.path, stored);
        must(subject_outcome(s) == OUTCOME_NEW && file_inode(s->target) == s->image.facts.st_ino,
             "%zu: not the new disk", length);
        must_succeed(subject_undo(s, NULL, &err), err);
        witness_check(&s->image, "undone");
        witness_check(&s->backing, "undone");
        subject_free(s);
        free(stored);
        free(real);
    }
}
END_TEST

/* A private copy whose path does not fit into the first sector: by copy. */
START_TEST(a_long_new_path_goes_by_copy)
{
    for (size_t length = 476; length <= 484; length++) {
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        const struct change change = usual(OPERATION_COPY);
        struct subject *s = subject_create(&change);
        char *path = long_path(length);
        const struct cow_resize_options opt = {
            .size_bytes = s->new_bytes, .policy = COW_POLICY_COPY, .copy_path = path};
        const struct cow_open_options quick = {.io = quick_io()};
        must_succeed(cow_image_open(&img, s->target, &quick, &err), err);
        must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
        ck_assert_str_eq(cow_method_name(cow_plan_preview(plan)->method), length < 480 ? "header" : "copy");
        must_succeed(cow_plan_commit(plan, NULL, &err), err);
        cow_plan_free(plan);
        cow_image_close(img);
        struct model_view view;
        must(model_read_header(&view, s->target, COW_FORMAT_V3), "header");
        ck_assert_str_eq(view.path, path);
        must(subject_outcome(s) == OUTCOME_NEW, "%zu: not the new disk", length);
        must((file_inode(s->target) == s->image.facts.st_ino) == (length < 480), "%zu: which file", length);
        witness_check(&s->backing, "long path");
        must_succeed(subject_undo(s, NULL, &err), err);
        witness_check(&s->image, "undone");
        must(!file_exists(path), "the copy is still there");
        free(path);
        subject_free(s);
    }
}
END_TEST

Suite *in_place_suite(void)
{
    Suite *suite = suite_create("in-place");
    TCase *tc = tcase_create("in place");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, the_matrix, 0, 6);
    tcase_add_test(tc, to_the_end_of_an_odd_sector);
    tcase_add_test(tc, exactly_at_capacity);
    tcase_add_test(tc, others_are_copied);
    tcase_add_test(tc, three_times_and_only_the_last_is_undone);
    tcase_add_test(tc, two_names_see_the_new_disk);
    tcase_add_test(tc, a_long_stored_path_stays_as_it_is);
    tcase_add_test(tc, a_long_new_path_goes_by_copy);
    suite_add_tcase(suite, tc);
    return suite;
}
