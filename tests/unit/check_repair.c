/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Mending what was found: the disk stays as it is byte for byte, what was mended is found no more, and what
 * needs a decision waits for one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "findings.h"

static int plan_for(struct cow_plan **plan, struct cow_image **img, const char *path, const bool *chosen,
                    struct cow_error *err)
{
    must_succeed(cow_image_open(img, path, NULL, err), *err);
    return cow_plan_repair(plan, *img, &found, chosen, err);
}

START_TEST(nothing_to_mend_is_refused)
{
    struct model *m = plain(COW_FORMAT_V3);
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    struct cow_error err;
    look(m);
    must_fail(plan_for(&plan, &img, m->cow_path, NULL, &err), COW_REFUSED, err);
    cow_image_close(img);
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    look(m); /* one that is not safe */
    must_fail(plan_for(&plan, &img, m->cow_path, NULL, &err), COW_REFUSED, err);
    must(strstr(err.message, "without a decision") != NULL && err.hint[0] != '\0', "%s", err.message);
    cow_image_close(img);
    const bool none[COW_FINDINGS] = {false};
    must_fail(plan_for(&plan, &img, m->cow_path, none, &err), COW_REFUSED, err);
    must(plan == NULL, "a plan");
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(a_resize_comes_alone)
{
    struct model *m = plain(COW_FORMAT_V3);
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err;
    put(m, 8, 1, BIT | NOISE);
    for (int longer = 0; longer < 2; longer++) {
        file_truncate(m->backing_path, longer != 0 ? SIZE + 8192 : SIZE - 8192);
        file_set_mtime(m->backing_path, MODEL_MTIME);
        look(m);
        only(COW_FINDING_BACKING_SIZE, COW_FINDING_MIXED_PAGES);
        const bool chosen[COW_FINDINGS] = {true, true};
        must_succeed(plan_for(&plan, &img, m->cow_path, chosen, &err), err);
        ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), "resize");
        ck_assert_str_eq(cow_plan_preview(plan)->policy, "extend");
        must_succeed(cow_plan_commit(plan, NULL, &err), err);
        cow_plan_free(plan);
        cow_image_close(img);
        look(m);
        only(COW_FINDING_MIXED_PAGES);
        ck_assert_uint_eq(file_size(m->backing_path), longer ? SIZE + 8192 : SIZE);
    }
    model_free(m);
}
END_TEST

/* Mends what is safe, or what is chosen: the disk stays as it is byte for byte, what was mended is gone, and
 * the backing file was only read. */
static void mend(const struct model *m, const bool *chosen, const char *operation)
{
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err;
    uint64_t before_bytes, after_bytes;
    bool mended[COW_FINDINGS] = {false};
    const struct witness backing = witness_of(m->backing_path);
    uint8_t *before = model_compose(m->cow_path, m->spec.format, m->backing_path, &before_bytes);
    for (size_t i = 0; i < found.findings; i++) {
        const enum cow_finding_code code = found.finding[i].code;
        mended[code] = found.finding[i].fixable && (chosen != NULL ? chosen[i] : cow_finding_safe(code));
    }
    must_succeed(plan_for(&plan, &img, m->cow_path, chosen, &err), err);
    ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), operation);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&backing, "mending");
    uint8_t *after = model_compose(m->cow_path, COW_FORMAT_V3, m->backing_path, &after_bytes);
    must(after != NULL && before_bytes == after_bytes && memcmp(before, after, before_bytes) == 0,
         "another disk");
    look_named(m->cow_path, NULL);
    for (size_t i = 0; i < found.findings; i++) {
        must(!mended[found.finding[i].code], "still: %s", found.finding[i].message);
    }
    free(before);
    free(after);
}

static const struct {
    enum cow_format format;
    uint32_t sector_bytes, alignment, size_bytes;
    const char *what; /* 'm'ixed, 'r'edundant, 'z'ero, 'p'adding, 'i'nflated, 'n'othing more */
    enum cow_finding_code code;
    const char *operation;
} fixes[] = {
    {COW_FORMAT_V3, 512, 4096, SIZE, "m", COW_FINDING_MIXED_PAGES, "pages"},
    {COW_FORMAT_V3, 1024, 4096, SIZE, "m", COW_FINDING_SECTOR_SIZE, "repair"},
    {COW_FORMAT_V3, 512, 4096, SIZE, "r", COW_FINDING_REDUNDANT, "repair"},
    {COW_FORMAT_V3, 512, 4096, SIZE, "z", COW_FINDING_ZEROS, "repair"},
    {COW_FORMAT_V3, 512, 4096, SIZE - 3 * 512, "p", COW_FINDING_PADDING, "convert"},
    {COW_FORMAT_V3, 512, 4096, 4 * SIZE, "i", COW_FINDING_INFLATED, "convert"},
    {COW_FORMAT_V3, 512, 1 << 30, SIZE, "n", COW_FINDING_DATA_OFFSET, "convert"},
    {COW_FORMAT_V3, 512, 1, SIZE + 3 * 512, "n", COW_FINDING_OVERLAP, "convert"},
    {COW_FORMAT_V1, 512, 0, 1859 * 512, "n", COW_FINDING_OVERLAP, "convert"},
    {COW_FORMAT_V2, 512, 0, SIZE + 3 * 512, "m", COW_FINDING_TAIL, "repair"},
    {COW_FORMAT_V3, 4096, 4096, SIZE, "n", COW_FINDING_SECTOR_SIZE, "convert"},
    {COW_FORMAT_V1_64, 512, 0, SIZE, "rzm", COW_FINDING_FORMAT, "repair"},
    {COW_FORMAT_V2_64, 512, 0, SIZE, "n", COW_FINDING_FORMAT, "convert"},
    {COW_FORMAT_V2_LONG, 512, 0, SIZE, "n", COW_FINDING_FORMAT, "convert"},
    {COW_FORMAT_QEMU, 512, 0, SIZE, "mp", COW_FINDING_FORMAT, "repair"},
    {COW_FORMAT_QEMU_I386, 512, 0, SIZE, "r", COW_FINDING_FORMAT, "repair"},
    {COW_FORMAT_V3, 512, 4096, SIZE - 512, "mrzp", COW_FINDING_MIXED_PAGES, "repair"},
};
enum { FIXES = sizeof fixes / sizeof fixes[0] };

START_TEST(each_safe_fix_mends)
{
    const struct model_spec spec = {.format = fixes[_i].format,
                                    .sector_bytes = fixes[_i].sector_bytes,
                                    .alignment = fixes[_i].alignment,
                                    .size_bytes = fixes[_i].size_bytes};
    struct model *m = plain_of(&spec);
    const uint8_t bits = 0xff;
    put(m, 128, 8, BIT | NOISE);
    for (const char *what = fixes[_i].what; *what != '\0'; what++) {
        switch (*what) {
        case 'm':
            put(m, 200, 1, BIT | NOISE);
            break;
        case 'r':
            put(m, 256, 24, BIT | REDUNDANT);
            break;
        case 'z':
            put(m, 512, 24, BIT | ZEROS);
            break;
        case 'p':
            file_write_at(m->cow_path, m->geometry.bitmap_offset + m->geometry.bitmap_bytes, &bits, 1);
            break;
        case 'i':
            put(m, 136, 4 * SECTORS - 136, ZEROS);
            must(sync_file(m->cow_path) == 0, "fsync");
            break;
        default:
            break;
        }
    }
    look(m);
    must(finding_of(fixes[_i].code) != NULL, "%s is not found", cow_finding_name(fixes[_i].code));
    mend(m, NULL, fixes[_i].operation);
    for (size_t i = 0; i < found.findings; i++) { /* what undoes the mending of an inflated one is one, too */
        must(found.finding[i].code == COW_FINDING_UNDO, "then: %s", found.finding[i].message);
    }
    model_free(m);
}
END_TEST

/* What is not there is never named without being told to; with another date that is taken over. */
START_TEST(a_backing_file_is_named_anew)
{
    const int64_t dates[] = {MODEL_MTIME, MODEL_MTIME + 77};
    const bool first[COW_FINDINGS] = {true};
    for (size_t i = 0; i < 2; i++) {
        struct model *m = moved("gone/root.img");
        struct model_view view;
        struct cow_image *img;
        struct cow_plan *plan;
        struct cow_error err;
        char *path = put_candidate(m, "root.img", SIZE, dates[i]);
        free(m->backing_path);
        m->backing_path = path;
        look(m);
        only(COW_FINDING_BACKING_MISSING);
        offers("root.img", i == 0 ? "nd" : "n");
        must_fail(plan_for(&plan, &img, m->cow_path, NULL, &err), COW_REFUSED, err);
        cow_image_close(img);
        mend(m, first, "rebase");
        is_clean();
        must(model_read_header(&view, m->cow_path, COW_FORMAT_V3), "header");
        ck_assert_str_eq(view.path, m->backing_path);
        must((int64_t)view.mtime == dates[i], "the header's date");
        unlink(path);
        model_free(m);
    }
}
END_TEST

START_TEST(a_relative_path_becomes_absolute)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = "m.img"};
    struct model *m = plain_of(&spec);
    struct model_view view;
    must(chdir("/") == 0, "chdir");
    look(m);
    mend(m, NULL, "rebase");
    is_clean();
    must(model_read_header(&view, m->cow_path, COW_FORMAT_V3), "header");
    ck_assert_str_eq(view.path, m->backing_path);
    model_free(m);
}
END_TEST

START_TEST(what_needs_a_decision_is_made_when_chosen)
{
    struct model *m = plain(COW_FORMAT_V3);
    const bool first[COW_FINDINGS] = {true}, both[COW_FINDINGS] = {true, true};
    put(m, 8, 8, BIT | NOISE);
    file_set_mtime(m->backing_path, MODEL_MTIME + 100);
    look(m);
    only(COW_FINDING_BACKING_DATE);
    mend(m, first, "rebase");
    is_clean();
    file_set_mtime(m->backing_path, MODEL_MTIME + 200);
    file_truncate(m->cow_path, file_size(m->cow_path) + 100);
    look(m);
    only(COW_FINDING_BACKING_DATE, COW_FINDING_FILE_LONG);
    mend(m, both, "repair");
    is_clean();
    model_free(m);
    m = plain(COW_FORMAT_V1_BE);
    put(m, 8, 8, BIT | NOISE);
    look(m);
    only(COW_FINDING_BIG_ENDIAN);
    mend(m, first, "convert");
    is_clean();
    model_free(m);
    m = plain(COW_FORMAT_V3);
    put(m, 8, 8, NOISE);
    look(m);
    only(COW_FINDING_ORPHANS);
    mend(m, first, "convert");
    is_clean();
    model_free(m);
}
END_TEST

/* Another backing file than the stored one, named by the caller: its path is stored. */
START_TEST(a_named_backing_file_is_stored)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *other = test_path("other");
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err;
    must(rename(m->backing_path, other) == 0, "rename");
    look_named(m->cow_path, other);
    only(COW_FINDING_BACKING_ELSEWHERE);
    must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.backing_path = other}, &err),
                 err);
    must_succeed(cow_plan_repair(&plan, img, &found, NULL, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    look_named(m->cow_path, NULL);
    is_clean();
    free(other);
    model_free(m);
}
END_TEST

Suite *check_repair_suite(void)
{
    Suite *suite = suite_create("check-repair");
    TCase *tc = tcase_create("check repair");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, a_backing_file_is_named_anew);
    tcase_add_test(tc, nothing_to_mend_is_refused);
    tcase_add_test(tc, a_resize_comes_alone);
    tcase_add_loop_test(tc, each_safe_fix_mends, 0, FIXES);
    tcase_add_test(tc, a_relative_path_becomes_absolute);
    tcase_add_test(tc, what_needs_a_decision_is_made_when_chosen);
    tcase_add_test(tc, a_named_backing_file_is_stored);
    suite_add_tcase(suite, tc);
    return suite;
}
