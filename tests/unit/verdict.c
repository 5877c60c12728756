/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Would a stock kernel open it? Its words, in its order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

enum { SIZE = 1024 * 512 };

static struct model_spec usual(enum cow_format format)
{
    return model_spec_of(format, SIZE, PATTERN_EDGES, 1);
}

static struct cow_verdict verdict_on(const char *path, const char *named)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_verdict verdict;
    memset(&verdict, 0x5a, sizeof verdict);
    must_succeed(cow_image_open(&img, path, &(struct cow_open_options){.backing_path = named}, &err), err);
    cow_image_verdict(img, &verdict);
    cow_image_close(img);
    must(verdict.opens == (verdict.reason[0] == '\0'), "opens %d, reason \"%s\"", verdict.opens,
         verdict.reason);
    must((verdict.brief[0] == '\0') == (verdict.reason[0] == '\0'), "\"%s\" in brief: \"%s\"", verdict.reason,
         verdict.brief);
    must(verdict.warnings <= COW_VERDICT_WARNINGS_MAX, "%zu warnings", verdict.warnings);
    for (size_t i = 0; i < verdict.warnings; i++) {
        must(verdict.warning[i][0] != '\0' && is_terminal_safe(verdict.warning[i]), "warning %zu", i);
    }
    must(is_terminal_safe(verdict.reason) && is_terminal_safe(verdict.advice), "not safe");
    return verdict;
}

static void check_opens(const char *path, const char *named, size_t warnings, const char *words)
{
    struct cow_verdict v = verdict_on(path, named);
    must(v.opens, "refused: %s", v.reason);
    must(v.warnings == warnings, "%zu warnings, the first: %s", v.warnings, v.warning[0]);
    must(warnings == 0 || strstr(v.warning[0], words) != NULL, "\"%s\" does not say \"%s\"", v.warning[0],
         words);
}

static void check_refuses(const char *path, const char *named, const char *reason)
{
    struct cow_verdict v = verdict_on(path, named);
    must(!v.opens, "opens");
    ck_assert_str_eq(v.reason, reason);
}

static bool kernel_knows(int format)
{
    return format == COW_FORMAT_V1 || format == COW_FORMAT_V2 || format == COW_FORMAT_V3 ||
           format == COW_FORMAT_V3_64;
}

START_TEST(good_ones_open_and_foreign_ones_do_not)
{
    struct model_spec spec = usual((enum cow_format)_i);
    struct model *m = model_create(&spec);
    const struct witness backing = witness_of(m->backing_path), cow = witness_of(m->cow_path);
    if (kernel_knows(_i)) {
        check_opens(m->cow_path, NULL, 0, "");
    } else {
        must(!verdict_on(m->cow_path, NULL).opens, "%s opens", shapes[_i].name);
    }
    witness_check(&backing, "a verdict");
    witness_check(&cow, "a verdict");
    model_free(m);
}
END_TEST

START_TEST(refusals_in_the_kernels_words_and_order)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct model *m = model_create(&spec);
    char words[1024];
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    check_refuses(m->cow_path, NULL,
                  "mtime mismatch (1049522828 vs 1049522829) of COW header vs backing file");
    file_truncate(m->backing_path, SIZE + 512);
    file_set_mtime(m->backing_path, MODEL_MTIME + 1); /* both are wrong: the size comes first */
    check_refuses(m->cow_path, NULL, "Size mismatch (524288 vs 524800) of COW header vs backing file");
    file_truncate(m->backing_path, SIZE - 1);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    check_refuses(m->cow_path, NULL, "Size mismatch (524288 vs 524287) of COW header vs backing file");
    file_truncate(m->backing_path, SIZE);
    file_set_mtime(m->backing_path, -5);
    check_refuses(m->cow_path, NULL, "mtime mismatch (1049522828 vs -5) of COW header vs backing file");
    if (date_fits(MODEL_MTIME + (INT64_C(1) << 32))) { /* 32 bits of it are equal */
        file_set_mtime(m->backing_path, MODEL_MTIME + (INT64_C(1) << 32));
        check_refuses(m->cow_path, NULL,
                      "mtime mismatch (1049522828 vs 5344490124) of COW header vs backing file");
    }
    unlink(m->backing_path);
    snprintf(words, sizeof words, "Couldn't stat \"%s\" : err = 2", m->backing_path);
    check_refuses(m->cow_path, NULL, words);
    model_free(m);
}
END_TEST

START_TEST(a_fraction_of_a_second_does_not_matter)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct model *m = model_create(&spec);
    const struct timespec times[2] = {{.tv_sec = MODEL_MTIME}, {.tv_sec = MODEL_MTIME, .tv_nsec = 999999999}};
    must(utimensat(0, m->backing_path, times, 0) == 0, "utimensat");
    check_opens(m->cow_path, NULL, 0, "");
    model_free(m);
}
END_TEST

START_TEST(an_unfinished_image_is_a_size_mismatch)
{
    struct model_spec spec = usual((enum cow_format)_i);
    if (!kernel_knows(_i)) {
        return;
    }
    struct model *m = model_create(&spec);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[_i].size, mark, sizeof mark);
    check_refuses(m->cow_path, NULL,
                  "Size mismatch (18446744073709551615 vs 524288) of COW header vs backing file");
    model_free(m);
}
END_TEST

START_TEST(offsets_past_a_signed_int_are_refused)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    spec.alignment = UINT32_C(1) << 29;
    struct model *m = model_create(&spec);
    check_opens(m->cow_path, NULL, 0, ""); /* data at 1 GiB */
    model_free(m);
    spec.alignment = UINT32_C(1) << 30; /* data at 2 GiB */
    m = model_create(&spec);
    struct cow_verdict v = verdict_on(m->cow_path, NULL);
    must(!v.opens && strstr(v.reason, "2147483648") != NULL, "%s", v.reason);
    model_free(m);
}
END_TEST

START_TEST(warnings)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct model *m;
    spec.sector_bytes = 4096;
    m = model_create(&spec);
    check_opens(m->cow_path, NULL, 1, "4096");
    model_free(m);

    spec = usual(COW_FORMAT_V3);
    spec.size_bytes = spec.backing_bytes = 32768;
    m = model_create(&spec);
    check_opens(m->cow_path, NULL, 1, "32 KiB");
    model_free(m);
    spec.size_bytes = spec.backing_bytes = 32768 + 512;
    m = model_create(&spec);
    check_opens(m->cow_path, NULL, 0, "");
    model_free(m);

    spec = usual(COW_FORMAT_V2);
    spec.size_bytes = spec.backing_bytes = SIZE + 3 * 512;
    m = model_create(&spec);
    check_opens(m->cow_path, NULL, 1, "3 sectors");
    model_free(m);
    spec.size_bytes = spec.backing_bytes = SIZE + 8 * 512;
    m = model_create(&spec);
    check_opens(m->cow_path, NULL, 0, "");
    model_free(m);
}
END_TEST

START_TEST(another_backing_than_the_stored_one)
{
    for (int format = COW_FORMAT_V1; format <= COW_FORMAT_V3; format++) {
        if (!kernel_knows(format)) {
            continue;
        }
        struct model_spec spec = usual((enum cow_format)format);
        struct model *m = model_create(&spec);
        char *other = test_path("other");
        file_truncate(other, SIZE);
        file_set_mtime(other, MODEL_MTIME);
        /* A v1 or v2 is rewritten by the kernel as a v3, and so destroyed. */
        check_opens(m->cow_path, other, 1, format == COW_FORMAT_V3 ? "command line" : "destroys");
        check_opens(m->cow_path, m->backing_path, 0, ""); /* the same file, named */
        unlink(m->backing_path);
        check_opens(m->cow_path, other, 1, "command line");
        file_truncate(other, SIZE + 512);
        must(!verdict_on(m->cow_path, other).opens, "of another size");
        free(other);
        model_free(m);
    }
}
END_TEST

START_TEST(a_relative_path_beside_the_image)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    spec.stored = "m.img";
    struct model *m = model_create(&spec);
    must(chdir("/") == 0, "chdir");
    check_opens(m->cow_path, NULL, 1, "relative");
    must(chdir(test_directory()) == 0, "chdir");
    check_opens(m->cow_path, NULL, 0, "");
    must(chdir("/") == 0, "chdir");
    unlink(m->backing_path);
    check_refuses(m->cow_path, NULL, "Couldn't stat \"m.img\" : err = 2"); /* as the kernel names it */
    model_free(m);
}
END_TEST

START_TEST(a_hostile_path_is_escaped)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    spec.stored = "/nonexistent/\x1b[31m\xe2\x80\xae\n";
    struct model *m = model_create(&spec);
    check_refuses(m->cow_path, NULL,
                  "Couldn't stat \"/nonexistent/\\x1b[31m\\xe2\\x80\\xae\\x0a\" : err = 2");
    model_free(m);
}
END_TEST

Suite *verdict_suite(void)
{
    Suite *suite = suite_create("verdict");
    TCase *tc = tcase_create("verdict");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, good_ones_open_and_foreign_ones_do_not, 0, COW_FORMATS);
    tcase_add_test(tc, refusals_in_the_kernels_words_and_order);
    tcase_add_test(tc, a_fraction_of_a_second_does_not_matter);
    tcase_add_loop_test(tc, an_unfinished_image_is_a_size_mismatch, 0, COW_FORMATS);
    tcase_add_test(tc, offsets_past_a_signed_int_are_refused);
    tcase_add_test(tc, warnings);
    tcase_add_test(tc, another_backing_than_the_stored_one);
    tcase_add_test(tc, a_relative_path_beside_the_image);
    tcase_add_test(tc, a_hostile_path_is_escaped);
    suite_add_tcase(suite, tc);
    return suite;
}
