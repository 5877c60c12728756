/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of findings, and what is found in a header: each is provoked by an image made byte by byte, with
 * its numbers in the message, and nothing else is found; a clean image has none; whatever the bytes are,
 * looking ends, writes nothing, and says only what a terminal may show.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "findings.h"

/* ---- looking ---- */

static bool kernel_reads(int format)
{
    return format == COW_FORMAT_V1 || format == COW_FORMAT_V2 || format == COW_FORMAT_V3 ||
           format == COW_FORMAT_V3_64;
}

/* ---- the table ---- */

START_TEST(the_table_is_complete)
{
    for (int i = 0; i < COW_FINDINGS; i++) {
        const enum cow_finding_code code = (enum cow_finding_code)i;
        const char *name = cow_finding_name(code);
        must(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name) && *name != '\0', "%s", name);
        must(strlen(cow_finding_meaning(code)) > 10 && is_terminal_safe(cow_finding_meaning(code)), "%s",
             name);
        must(!cow_finding_safe(code) || cow_finding_fix(code) != COW_FIX_NONE, "%s: safe without a fix",
             name);
        must(i == 0 || cow_finding_severity((enum cow_finding_code)(i - 1)) >= cow_finding_severity(code),
             "%s: the worst come first", name);
        for (int k = 0; k < i; k++) {
            must(strcmp(name, cow_finding_name((enum cow_finding_code)k)) != 0, "%s twice", name);
        }
    }
    for (int fix = COW_FIX_NONE; fix <= COW_FIX_REBASE; fix++) {
        must((*cow_fix_text((enum cow_fix)fix) == '\0') == (fix == COW_FIX_NONE), "fix %d", fix);
    }
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_NOTE), "note");
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_WARNING), "warning");
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_ERROR), "error");
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_CORRUPT), "corrupt");
    must(!cow_finding_safe(COW_FINDING_BACKING_DATE) && !cow_finding_safe(COW_FINDING_BACKING_SIZE), "safe");
}
END_TEST

/* ---- clean ones, and formats ---- */

START_TEST(a_clean_image_has_no_finding)
{
    struct model *m = plain((enum cow_format)_i);
    for (int dirty = 0; dirty < 2; dirty++) {
        look(m);
        must(found.scanned, "not scanned");
        if (kernel_reads(_i)) {
            is_clean();
        } else if (_i == COW_FORMAT_V1_BE || _i == COW_FORMAT_V1_BE_64) {
            only(COW_FINDING_BIG_ENDIAN);
            says(COW_FINDING_BIG_ENDIAN, true, cow_format_title((enum cow_format)_i));
        } else {
            only(COW_FINDING_FORMAT);
            says(COW_FINDING_FORMAT, true, cow_format_title((enum cow_format)_i));
        }
        put(m, 8, 16, BIT | NOISE);
        put(m, SECTORS - 8, 8, BIT | NOISE);
    }
    model_free(m);
}
END_TEST

START_TEST(a_file_as_short_as_kernels_leave_it_is_clean)
{
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->cow_path, m->geometry.bitmap_offset + m->geometry.bitmap_bytes);
    look(m);
    is_clean();
    put(m, 16, 8, BIT | NOISE);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(a_disk_of_an_odd_size_is_clean)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 2047 * 512 - 100};
    struct model *m = plain_of(&spec);
    put(m, 2040, 7, BIT | NOISE); /* the end of the disk cuts this page */
    file_truncate(m->cow_path, m->geometry.data_offset + spec.size_bytes);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(a_qemu_image_without_a_backing_file)
{
    const struct model_spec spec = {.format = COW_FORMAT_QEMU, .backing_bytes = NO_BACKING};
    struct model *m = plain_of(&spec);
    put(m, 8, 8, BIT | NOISE);
    look(m);
    only(COW_FINDING_FORMAT);
    says(COW_FINDING_FORMAT, false, "QEMU COW", "no backing file");
    must(found.scanned, "not scanned");
    model_free(m);
}
END_TEST

/* ---- no valid image ---- */

START_TEST(fields_out_of_range)
{
    static const struct {
        unsigned offset, width;
        uint64_t value;
        const char *words;
    } cases[] = {
        {20, 4, 3, "sector size is 3,"}, {20, 4, 131072, "sector size is 131072,"},
        {24, 4, 0, "alignment is 0,"},   {24, 4, UINT32_MAX, "alignment is 4294967295,"},
        {12, 8, 0, "size is 0 bytes"},   {12, 8, UINT64_C(1) << 43, "size is 8796093022208 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model *m = plain(COW_FORMAT_V3);
        put_field(m, cases[i].offset, cases[i].width, cases[i].value);
        look(m);
        only(COW_FINDING_NOT_VALID);
        says(COW_FINDING_NOT_VALID, false, cases[i].words);
        must(strncmp(finding_of(COW_FINDING_NOT_VALID)->message, "header: ", 8) == 0, "%s",
             finding_of(COW_FINDING_NOT_VALID)->message);
        must(!found.scanned, "scanned");
        model_free(m);
    }
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->cow_path, 4000);
    look(m);
    only(COW_FINDING_NOT_VALID);
    says(COW_FINDING_NOT_VALID, false, "cut off after 4000 bytes");
    model_free(m);
}
END_TEST

START_TEST(what_cannot_be_checked_is_an_error)
{
    struct cow_error err = {.status = 0};
    struct model *m = plain(COW_FORMAT_V3);
    char *nothing = test_path("nothing");
    memset(&found, 0x5a, sizeof found);
    must_fail(cow_check(&found, nothing, NULL, &err), COW_IO, err);
    must_fail(cow_check(&found, m->backing_path, NULL, &err), COW_NOT_COW, err);
    put_field(m, 4, 4, 9);
    must_fail(cow_check(&found, m->cow_path, NULL, &err), COW_UNSUPPORTED, err);
    put_field(m, 4, 4, 3);
    const struct cow_check_options missing = {.backing_path = nothing},
                                   itself = {.backing_path = m->cow_path};
    must_fail(cow_check(&found, m->cow_path, &missing, &err), COW_IO, err);
    must_fail(cow_check(&found, m->cow_path, &itself, &err), COW_REFUSED, err);
    must(cow_check(&found, nothing, NULL, NULL) == COW_IO, "without err");
    for (size_t i = 0; i < sizeof found; i++) {
        must(((const uint8_t *)&found)[i] == 0x5a, "written on failure");
    }
    free(nothing);
    model_free(m);
}
END_TEST

START_TEST(an_unfinished_image)
{
    struct model *m = plain((enum cow_format)_i);
    char *kept = test_path(".x.cow.cowtui-undo");
    put_field(m, shapes[_i].size, 8, UINT64_MAX);
    look(m);
    only(COW_FINDING_UNFINISHED);
    says(COW_FINDING_UNFINISHED, false, "2^64-1", "no journal");
    must(rename(m->cow_path, kept) == 0, "rename");
    look_named(kept, NULL);
    only(COW_FINDING_UNFINISHED);
    says(COW_FINDING_UNFINISHED, false, "kept for \"cowtui undo\"");
    free(kept);
    model_free(m);
}
END_TEST

/* ---- the header ---- */

START_TEST(sector_sizes)
{
    for (uint32_t ss = 1024; ss <= 65536; ss *= 2) {
        const struct model_spec spec = {.format = COW_FORMAT_V3, .sector_bytes = ss};
        struct model *m = plain_of(&spec);
        char words[32];
        snprintf(words, sizeof words, "is %" PRIu32 " bytes", ss);
        put(m, 4, 4, BIT | NOISE);
        look(m);
        only(COW_FINDING_SECTOR_SIZE);
        says(COW_FINDING_SECTOR_SIZE, true, words, "512");
        model_free(m);
    }
}
END_TEST

START_TEST(offsets_that_kernels_cannot_take)
{
    struct model_spec spec = {.format = COW_FORMAT_V3, .alignment = UINT32_C(1) << 30};
    struct model *m = plain_of(&spec);
    look(m);
    only(COW_FINDING_DATA_OFFSET);
    says(COW_FINDING_DATA_OFFSET, true, "2147483648", "2147483647");
    model_free(m);
    spec.alignment = UINT32_C(1) << 29;
    m = plain_of(&spec);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

/* The largest disk that there is, all of it a hole: no v3 holds it for a kernel, and it costs nothing to see.
 */
START_TEST(nearly_8_tib)
{
    struct model_spec spec = {.format = COW_FORMAT_V3};
    struct model *m = plain_of(&spec);
    struct timeval begin, end;
    put_field(m, 12, 8, (UINT64_C(8) << 40) - 512);
    file_truncate(m->backing_path, (UINT64_C(8) << 40) - 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    file_truncate(m->cow_path, 8192 + (UINT64_C(1) << 31));
    gettimeofday(&begin, NULL);
    struct cow_error err = {.status = 0};
    must_succeed(cow_check(&found, m->cow_path, NULL, &err), err);
    gettimeofday(&end, NULL);
    only(COW_FINDING_DATA_OFFSET);
    says(COW_FINDING_DATA_OFFSET, false, "2147491840");
    must(found.scanned, "not scanned");
    must((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_usec - begin.tv_usec) / 1000 < 5000, "slow");
    model_free(m);
}
END_TEST

START_TEST(small_disks)
{
    struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 32768};
    struct model *m = plain_of(&spec);
    look(m);
    only(COW_FINDING_SMALL_DISK);
    says(COW_FINDING_SMALL_DISK, false, "32768 bytes (32.0 KiB)");
    model_free(m);
    spec.size_bytes += 512;
    m = plain_of(&spec);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(the_tail_of_v1_and_v2)
{
    const struct model_spec spec = {.format = COW_FORMAT_V2, .size_bytes = SIZE + 3 * 512};
    struct model *m = plain_of(&spec);
    look(m);
    says(COW_FINDING_TAIL, true, "last 3 of 2051 sectors");
    must(strstr(finding_of(COW_FINDING_TAIL)->message, "written") == NULL, "written");
    is_at(COW_FINDING_TAIL, 2048, 3);
    const uint8_t bits = 4;
    file_write_at(m->cow_path, m->geometry.bitmap_offset + m->geometry.bitmap_bytes, &bits, 1);
    look(m);
    says(COW_FINDING_TAIL, true, "has written there");
    model_free(m);
}
END_TEST

/* By the facts: the bitmap's length is a multiple of 8 and it ends 0 or 8 bytes before the data. */
START_TEST(a_bitmap_that_reaches_into_the_data)
{
    static const struct {
        enum cow_format format;
        uint32_t sectors, alignment;
        const char *words; /* NULL: none */
    } cases[] = {
        {COW_FORMAT_V1, 1859, 0, "16 bytes into sector 0"}, /* 280 + 232 = 512 */
        {COW_FORMAT_V1, 1856, 0, NULL},
        {COW_FORMAT_V1, 1795, 0, "8 bytes into sector 0"}, /* 280 + 224 = 504 */
        {COW_FORMAT_V1, 1731, 0, NULL},
        {COW_FORMAT_V2, 3907, 0, "16 bytes into sector 0"}, /* 4120 + 488 = 4608 */
        {COW_FORMAT_V2, 3899, 0, NULL},                     /* 487 bytes: no multiple of 8 */
        {COW_FORMAT_V3, 2051, 1, "7 bytes into sector 0"},  /* 257 bytes, written as 264 */
        {COW_FORMAT_V3, 2048, 1, NULL},
        {COW_FORMAT_V3, 2051, 4, "4 bytes into sector 0"},
        {COW_FORMAT_V3, 2051, 8, NULL},
        {COW_FORMAT_V3, 2051, 4096, NULL},
        {COW_FORMAT_V1_64, 1795, 0, NULL}, /* no kernel of today writes it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct model_spec spec = {
            .format = cases[i].format, .size_bytes = cases[i].sectors * 512, .alignment = cases[i].alignment};
        struct model *m = plain_of(&spec);
        look(m);
        must((finding_of(COW_FINDING_OVERLAP) != NULL) == (cases[i].words != NULL), "%s, %" PRIu32 " sectors",
             shapes[cases[i].format].name, cases[i].sectors);
        if (cases[i].words != NULL) {
            says(COW_FINDING_OVERLAP, true, cases[i].words);
            is_at(COW_FINDING_OVERLAP, 0, 1);
        }
        model_free(m);
    }
}
END_TEST

START_TEST(a_foreign_cow_format)
{
    struct model *m = plain(COW_FORMAT_V3);
    put_field(m, 28, 4, 7);
    look(m);
    only(COW_FINDING_COW_FORMAT);
    says(COW_FINDING_COW_FORMAT, true, "is 7");
    model_free(m);
}
END_TEST

/* ---- progress, faults, garbage ---- */

START_TEST(garbage_never_harms)
{
    struct rng rng = {(uint64_t)_i * 7919 + 1};
    for (unsigned round = 0; round < 60; round++) {
        const enum cow_format format = (enum cow_format)rng_below(&rng, COW_FORMATS);
        const struct model_spec spec = {.format = format,
                                        .size_bytes = 512 * (1 + rng_below(&rng, 300)),
                                        .alignment = (uint32_t)(1 + rng_below(&rng, 9000))};
        struct model *m = plain_of(&spec);
        struct cow_error err = {.status = 0};
        for (uint64_t n = 1 + rng_below(&rng, 6); n > 0; n--) {
            const uint8_t byte = (uint8_t)rng_next(&rng);
            const uint64_t near = rng_below(&rng, 2) == 0 ? 48 : m->geometry.data_offset + 16;
            file_write_at(m->cow_path,
                          rng_below(&rng, 3) == 0 ? shapes[format].size + rng_below(&rng, 16)
                                                  : rng_below(&rng, near),
                          &byte, 1);
        }
        if (rng_below(&rng, 4) == 0) {
            file_truncate(m->cow_path, rng_below(&rng, m->geometry.end_offset + 4096));
        }
        const struct cow_check_options options = {.backing_path =
                                                      rng_below(&rng, 3) == 0 ? m->backing_path : NULL,
                                                  .quick = rng_below(&rng, 4) == 0};
        int status = look_with(m->cow_path, &options, &err);
        if (status != 0) {
            must(status == COW_NOT_COW || status == COW_UNSUPPORTED || status == COW_IO, "%d: %s", status,
                 err.message);
            must_fail(status, status, err);
        }
        unlink(m->cow_path);
        unlink(m->backing_path);
        model_free(m);
    }
}
END_TEST

Suite *check_header_suite(void)
{
    Suite *suite = suite_create("check-header");
    TCase *tc = tcase_create("check header");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, the_table_is_complete);
    tcase_add_loop_test(tc, a_clean_image_has_no_finding, 0, COW_FORMATS);
    tcase_add_test(tc, a_file_as_short_as_kernels_leave_it_is_clean);
    tcase_add_test(tc, a_disk_of_an_odd_size_is_clean);
    tcase_add_test(tc, a_qemu_image_without_a_backing_file);
    tcase_add_test(tc, fields_out_of_range);
    tcase_add_test(tc, what_cannot_be_checked_is_an_error);
    tcase_add_loop_test(tc, an_unfinished_image, 0, COW_FORMATS);
    tcase_add_test(tc, sector_sizes);
    tcase_add_test(tc, offsets_that_kernels_cannot_take);
    tcase_add_test(tc, nearly_8_tib);
    tcase_add_test(tc, small_disks);
    tcase_add_test(tc, the_tail_of_v1_and_v2);
    tcase_add_test(tc, a_bitmap_that_reaches_into_the_data);
    tcase_add_test(tc, a_foreign_cow_format);
    tcase_add_loop_test(tc, garbage_never_harms, 0, 20);
    suite_add_tcase(suite, tc);
    return suite;
}
