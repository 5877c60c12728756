/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pages, compact, rebase, convert: another image of the same disk. The composed disk stays, the bits come out
 * as a naive computation has them, nothing but the image is written, and undo brings all of it back; and what
 * has nothing to do writes nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "faulty.h"
#include "rewriting.h"

/* ---- the matrix ---- */

static void in_the_matrix(int i, const struct cow_rewrite_options *opt)
{
    for (uint64_t n = 0; n < 5; n++) {
        const uint64_t seed = n + (uint64_t)i * 9;
        const struct model_spec spec = spec_of((enum cow_format)i, seed);
        struct model *m = model_create(&spec);
        rewrite_and_back(m, opt, m->backing_path, MODEL_MTIME, "");
        clear_directory(m);
    }
}

START_TEST(pages)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.complete_pages = true});
}
END_TEST

START_TEST(compact)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.compact = true, .larger = true});
}
END_TEST

START_TEST(compact_by_sectors)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.compact = true, .sectors = true});
}
END_TEST

START_TEST(convert)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.convert = true});
}
END_TEST

START_TEST(several_at_once)
{
    in_the_matrix(_i,
                  &(struct cow_rewrite_options){.complete_pages = true, .compact = true, .convert = true});
    in_the_matrix(_i, &(struct cow_rewrite_options){
                          .complete_pages = true, .convert = true, .reserve_bytes = UINT64_C(1) << 36});
}
END_TEST

static void safe_in_the_matrix(int i, bool sectors)
{
    for (uint64_t n = 0; n < 5; n++) {
        const uint64_t seed = n + (uint64_t)i * 9;
        struct model_spec spec = spec_of((enum cow_format)i, seed);
        if (shapes[spec.format].kind == 'q' && n % 3 == 2) {
            spec.backing_bytes = NO_BACKING;
        }
        struct model *m = model_create(&spec);
        const uint64_t n_bytes = n % 4 == 3 ? spec.size_bytes / 2 : spec.size_bytes;
        char *other = make_other(m, n_bytes, MODEL_MTIME + 5);
        const struct cow_rewrite_options opt = {.backing_path = other,
                                                .safe = true,
                                                .sectors = sectors,
                                                .compact = n % 2 == 0,
                                                .force = n_bytes != spec.size_bytes};
        rewrite_and_back(m, &opt, other, MODEL_MTIME + 5, "n.img");
        free(other);
        clear_directory(m);
    }
}

START_TEST(rebase_safely)
{
    safe_in_the_matrix(_i, false);
}
END_TEST

START_TEST(rebase_safely_by_sectors)
{
    safe_in_the_matrix(_i, true);
}
END_TEST

/* The same bytes under another name; the old one may be gone by then. */
START_TEST(rebase_to_a_copy)
{
    for (uint64_t n = 0; n < 6; n++) {
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 5);
        spec.backing_bytes = spec.size_bytes;
        struct model *m = model_create(&spec);
        char *other = test_path("n.img");
        const int64_t mtime = n % 2 == 0 ? MODEL_MTIME : MODEL_MTIME + 9;
        file_write(other, m->backing, spec.backing_bytes);
        file_set_mtime(other, mtime);
        const struct cow_rewrite_options opt = {
            .backing_path = other, .restamp = n % 2 == 1, .convert = n % 3 == 2};
        rewrite_and_back(m, &opt, other, (uint32_t)mtime, "n.img");
        free(other);
        clear_directory(m);
    }
}
END_TEST

START_TEST(restamp)
{
    for (uint64_t n = 0; n < 4; n++) {
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 5);
        spec.backing_bytes = spec.size_bytes;
        struct model *m = model_create(&spec);
        file_set_mtime(m->backing_path, MODEL_MTIME + 77);
        const struct cow_rewrite_options opt = {.restamp = true, .complete_pages = n % 2 == 1};
        rewrite_and_back(m, &opt, m->backing_path, MODEL_MTIME + 77, "");
        const struct cow_rewrite_options by_hand = {.set_mtime = true, .mtime = 12345};
        rewrite_and_back(m, &by_hand, m->backing_path, 12345, "");
        clear_directory(m);
    }
}
END_TEST

/* Into a new file: the image stays. */
START_TEST(elsewhere)
{
    static const struct cow_rewrite_options options[] = {
        {.complete_pages = true}, {.compact = true, .larger = true}, {.convert = true}, {.restamp = true}};
    for (uint64_t n = 0; n < 8; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 5);
        spec.backing_bytes = spec.size_bytes;
        struct model *m = model_create(&spec);
        char *out = test_path("out");
        const struct witness image = witness_of(m->cow_path), backing = witness_of(m->backing_path);
        struct cow_rewrite_options opt = options[n % 4];
        opt.output_path = out;
        if (n >= 4) {
            file_write(out, "old", 3);
            must_fail(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), COW_REFUSED, err);
            ck_assert_uint_eq(file_size(out), 3);
            opt.force = true;
        }
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "copy");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, out, result.method, bits, m->backing_path, MODEL_MTIME);
        witness_check(&image, "elsewhere");
        witness_check(&backing, "elsewhere");
        check_names("m m.img out", "elsewhere");
        free(bits);
        free(out);
        clear_directory(m);
    }
}
END_TEST

/* ---- by one write of the first sector ---- */

START_TEST(a_header_edit_touches_the_first_sector)
{
    for (unsigned n = 0; n < 12; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual_v3(PATTERN_RUNS);
        spec.garbage = n % 2 == 0;
        spec.short_file = n % 3 == 1;
        spec.tail_bytes = n % 3 == 2 ? 5000 : 0;
        struct model *m = model_create(&spec);
        char *other = test_path("n.img");
        file_write(other, m->backing, spec.backing_bytes);
        file_set_mtime(other, MODEL_MTIME + 3);
        const struct witness image = witness_of(m->cow_path), backing = witness_of(m->backing_path);
        const uint64_t length = file_size(m->cow_path);
        uint8_t *old = malloc(length), *now = malloc(length);
        must(old != NULL && now != NULL, "out of memory");
        file_read(m->cow_path, 0, old, length);
        const struct cow_rewrite_options options[] = {{.backing_path = other, .restamp = true},
                                                      {.set_mtime = true, .mtime = UINT32_MAX},
                                                      {.backing_path = other, .set_mtime = true, .mtime = 0},
                                                      {.backing_path = other, .force = true}};
        must_succeed(run_rewrite(m->cow_path, &options[n / 3], NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "header");
        must(file_size(m->cow_path) == length && file_inode(m->cow_path) == image.facts.st_ino,
             "another file, or length");
        file_read(m->cow_path, 0, now, length);
        for (uint64_t at = 0; at < length; at++) {
            const bool may = (at >= 8 && at < 12) || (at >= 32 && at < 512);
            must(now[at] == old[at] || may, "%u: byte %" PRIu64 " was written", n, at);
        }
        must(memcmp(now + 8, old + 8, 4) != 0, "the date is the old one");
        must((strcmp((char *)now + 32, other) == 0) == (options[n / 3].backing_path != NULL), "the path");
        check_names(".m.cowtui-undo m m.img n.img", "header");
        undo_rewrite(m, &image, "m m.img n.img");
        witness_check(&backing, "header");
        free(old);
        free(now);
        free(other);
        clear_directory(m);
    }
}
END_TEST

/* Only where the path ends in the first sector. */
START_TEST(a_long_path_goes_by_copy)
{
    for (size_t length = 478; length <= 482; length++) {
        struct cow_error err = {.status = 0};
        struct result result;
        char path[600];
        const struct model_spec spec = usual_v3(PATTERN_RANDOM);
        struct model *m = model_create(&spec);
        const struct witness image = witness_of(m->cow_path);
        snprintf(path, sizeof path, "%s/", test_directory());
        for (int i = 0; i < 2; i++) { /* two names share what is left */
            size_t have = strlen(path), n = i == 0 ? (length - have) / 2 : length - have;
            memset(path + have, 'x', n);
            path[have + n] = '\0';
            if (i == 0) {
                must(mkdir(path, 0700) == 0, "mkdir");
                snprintf(path + have + n, sizeof path - have - n, "/");
            }
        }
        must(strlen(path) == length, "%zu", strlen(path));
        file_write(path, m->backing, spec.backing_bytes);
        file_set_mtime(path, MODEL_MTIME);
        const struct cow_rewrite_options opt = {.backing_path = path};
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, length < 480 ? "header" : "copy");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, m->cow_path, result.method, bits, path, MODEL_MTIME);
        must_succeed(plan_and_commit(m->cow_path, cow_plan_undo, NULL, &err), err);
        witness_check(&image, "undo");
        free(bits);
        clear_directory(m);
    }
}
END_TEST

/* ---- nothing to do ---- */

START_TEST(nothing_to_do_writes_nothing)
{
    for (unsigned n = 0; n < 7; n++) {
        struct model_spec spec = usual_v3(n < 3 ? PATTERN_ALL : PATTERN_RUNS);
        if (n == 0) {
            spec.garbage = false;
        }
        struct model *m = model_create(&spec);
        struct cow_error err = {.status = 0};
        struct result result;
        struct faulty f;
        const struct witness image = witness_of(m->cow_path);
        const struct cow_rewrite_options options[] = {
            {.complete_pages = true},
            {.complete_pages = true, .backing_path = m->backing_path},
            {.complete_pages = true, .restamp = true},
            {.backing_path = m->backing_path},
            {.restamp = true},
            {.set_mtime = true, .mtime = MODEL_MTIME},
            {.backing_path = m->backing_path, .restamp = true}};
        faulty_init(&f, FAULT_NONE, 0, 0);
        must_succeed(run_rewrite(m->cow_path, &options[n], &f.io, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "none");
        must(f.calls == 0, "%u: %" PRIu64 " calls", n, f.calls);
        witness_check(&image, "nothing to do");
        check_names("m m.img", "nothing to do");
        clear_directory(m);
    }
}
END_TEST

/* What was rewritten needs it no more. */
START_TEST(a_second_time_there_is_nothing_to_do)
{
    static const struct cow_rewrite_options options[] = {{.complete_pages = true},
                                                         {.compact = true},
                                                         {.compact = true, .sectors = true},
                                                         {.complete_pages = true, .compact = true}};
    for (unsigned n = 0; n < 4; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual_v3(PATTERN_RANDOM);
        spec.format = COW_FORMAT_V2;
        spec.alignment = 0;
        spec.dull_from = 100 * 512;
        struct model *m = model_create(&spec);
        must_succeed(run_rewrite(m->cow_path, &options[n], NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "copy");
        const struct witness image = witness_of(m->cow_path);
        must_succeed(run_rewrite(m->cow_path, &options[n], NULL, NULL, &result, &err), err);
        if (!options[n].sectors) { /* by sectors mixed pages are left, which compact has to look after */
            must(strcmp(result.method, "none") == 0, "%u: again by %s", n, result.method);
            witness_check(&image, "a second time");
        }
        clear_directory(m);
    }
}
END_TEST

/* A v3 is written anew, too: that mends its padding, its length and its layout. */
START_TEST(a_v3_is_converted_all_the_same)
{
    for (unsigned n = 0; n < 2; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual_v3(PATTERN_RUNS);
        spec.tail_bytes = 5000;
        struct model *m = model_create(&spec);
        const struct cow_rewrite_options opt = {
            .convert = true, .set_mtime = n == 1, .mtime = MODEL_MTIME + 1};
        const struct witness image = witness_of(m->cow_path);
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "copy");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, m->cow_path, result.method, bits, m->backing_path, MODEL_MTIME + n);
        struct model_view view;
        must(model_read_header(&view, m->cow_path, COW_FORMAT_V3) &&
                 file_size(m->cow_path) == view.geometry.end_offset,
             "its length");
        undo_rewrite(m, &image, "m m.img");
        free(bits);
        clear_directory(m);
    }
}
END_TEST

Suite *rewrite_suite(void)
{
    Suite *suite = suite_create("rewrite");
    TCase *tc = tcase_create("rewrite");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, pages, 0, COW_FORMATS);
    tcase_add_loop_test(tc, compact, 0, COW_FORMATS);
    tcase_add_loop_test(tc, compact_by_sectors, 0, COW_FORMATS);
    tcase_add_loop_test(tc, convert, 0, COW_FORMATS);
    tcase_add_loop_test(tc, several_at_once, 0, COW_FORMATS);
    tcase_add_loop_test(tc, rebase_safely, 0, COW_FORMATS);
    tcase_add_loop_test(tc, rebase_safely_by_sectors, 0, COW_FORMATS);
    tcase_add_loop_test(tc, rebase_to_a_copy, 0, COW_FORMATS);
    tcase_add_loop_test(tc, restamp, 0, COW_FORMATS);
    tcase_add_loop_test(tc, elsewhere, 0, COW_FORMATS);
    tcase_add_test(tc, a_header_edit_touches_the_first_sector);
    tcase_add_test(tc, a_long_path_goes_by_copy);
    tcase_add_test(tc, nothing_to_do_writes_nothing);
    tcase_add_test(tc, a_second_time_there_is_nothing_to_do);
    tcase_add_test(tc, a_v3_is_converted_all_the_same);
    suite_add_tcase(suite, tc);
    return suite;
}
