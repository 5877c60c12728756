/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Findings of the backing file: it is missing, or of another size or date, was touched or modified, is
 * another one than the stored one, or has a path that says too little or too much.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "findings.h"

START_TEST(no_backing_file)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 1, BIT | NOISE);
    unlink(m->backing_path);
    look(m);
    only(COW_FINDING_BACKING_MISSING, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_BACKING_MISSING, false, m->backing_path);
    says(COW_FINDING_MIXED_PAGES, false, "1 page");
    must(!found.scanned, "scanned");
    must(mkdir(m->backing_path, 0700) == 0, "mkdir");
    look_named(m->cow_path, NULL);
    only(COW_FINDING_BACKING_UNUSABLE, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_BACKING_UNUSABLE, false, "directory");
    rmdir(m->backing_path);
    must(link(m->cow_path, m->backing_path) == 0, "link");
    look(m);
    only(COW_FINDING_BACKING_UNUSABLE, COW_FINDING_MIXED_PAGES, COW_FINDING_SEVERAL_NAMES);
    says(COW_FINDING_BACKING_UNUSABLE, false, "COW image itself");
    model_free(m);
}
END_TEST

START_TEST(a_backing_file_of_another_size)
{
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->backing_path, SIZE + 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    only(COW_FINDING_BACKING_SIZE);
    says(COW_FINDING_BACKING_SIZE, true, "1048576 bytes (1.00 MiB)", "1049088");
    file_truncate(m->backing_path, SIZE - 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    only(COW_FINDING_BACKING_SIZE);
    says(COW_FINDING_BACKING_SIZE, true, "1048064");
    file_truncate(m->backing_path, SIZE + 1); /* no disk has that size */
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    says(COW_FINDING_BACKING_SIZE, false, "1048577");
    file_truncate(m->backing_path, SIZE + 512);
    file_set_mtime(m->backing_path, MODEL_MTIME + 5);
    look(m);
    only(COW_FINDING_BACKING_SIZE, COW_FINDING_BACKING_DATE);
    says(COW_FINDING_BACKING_SIZE, false, "another date");
    says(COW_FINDING_BACKING_DATE, false, "1049522833");
    model_free(m);
}
END_TEST

START_TEST(another_date)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 1, BIT | NOISE);
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    look(m);
    only(COW_FINDING_BACKING_DATE, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_BACKING_DATE, true, "2003-04-05 06:07:09 UTC (1049522829)",
         "2003-04-05 06:07:08 UTC (1049522828)", "nothing tells", "no ext filesystem");
    says(COW_FINDING_MIXED_PAGES, false, "1 page"); /* its bytes may be others now */
    file_set_mtime(m->backing_path, -5);
    look(m);
    says(COW_FINDING_BACKING_DATE, false, "1969-12-31 23:59:55 UTC (-5)", "before 1970");
    if (date_fits(INT64_C(1) << 33)) {
        file_set_mtime(m->backing_path, INT64_C(1) << 33);
        look(m);
        says(COW_FINDING_BACKING_DATE, false, "8589934592", "after 2106");
    }
    model_free(m);
}
END_TEST

enum { T = HEADER_MTIME };

/* What superblocks and dates there are, and what they tell of the backing file. */
static const struct {
    struct times backing;
    bool same_date;
    char guest; /* 0: it has written none; else its UUID */
    struct times guest_times;
    int code; /* -1: none */
    const char *words;
} touches[] = {
    /* not written after the header's date */
    {{T - 100, T, T - 100, 3}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_DATE, "touched only"},
    {{T - 100, T - 50, T - 100, 3},
     false,
     'u',
     {T - 100, T + 9, T - 100, 4},
     COW_FINDING_BACKING_DATE,
     "touched only"},
    /* written after it */
    {{T - 100, T + 1, T - 100, 3},
     false,
     0,
     {0, 0, 0, 0},
     COW_FINDING_BACKING_MODIFIED,
     "after the header's date"},
    {{0, T + 1, T - 100, 3}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_MODIFIED, "777 free blocks"},
    {{T - 100, T + 5, T - 100, 3},
     false,
     'u',
     {T - 100, T + 9, T - 100, 4},
     COW_FINDING_BACKING_MODIFIED,
     "in the guest"},
    /* a date set by hand: the filesystem is younger than it */
    {{T + 10, T + 20, T + 10, 3}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_DATE, "nothing tells"},
    {{T + 10, T + 20, T + 10, 3},
     false,
     'u',
     {T + 10, T + 30, T + 10, 4},
     COW_FINDING_BACKING_DATE,
     "touched only"},
    {{T + 10, T + 20, T + 10, 3},
     false,
     'u',
     {T + 10, T + 19, T + 10, 4},
     COW_FINDING_BACKING_MODIFIED,
     "took its copy"},
    {{T + 10, T + 20, T + 10, 3},
     false,
     'w',
     {T + 10, T + 19, T + 10, 4},
     COW_FINDING_BACKING_DATE,
     "nothing tells"},
    /* mounted more often than the guest's */
    {{T - 100, T, T - 100, 3},
     false,
     'u',
     {T - 100, T + 9, T - 100, 2},
     COW_FINDING_BACKING_MODIFIED,
     "mounted 3 times"},
    {{T - 100, T, T - 100, 3},
     false,
     'u',
     {T - 100, T + 9, T + 9, 1},
     COW_FINDING_BACKING_DATE,
     "touched only"},
    /* the date was put back */
    {{T - 100, T + 1, T - 100, 3}, true, 0, {0, 0, 0, 0}, -1, NULL},
    {{T - 100, T + 5, T - 100, 3}, true, 'u', {T - 100, T + 9, T - 100, 4}, -1, NULL},
    {{T - 100, T + 5, T - 100, 3},
     true,
     'u',
     {T - 100, T + 4, T - 100, 4},
     COW_FINDING_BACKING_MODIFIED,
     "has the header's date"},
    {{T - 100, T, T - 100, 5},
     true,
     'u',
     {T - 100, T + 4, T - 100, 4},
     COW_FINDING_BACKING_MODIFIED,
     "mounted 5 times"},
    {{T - 100, T, T - 100, 5}, true, 'w', {T - 100, T - 4, T - 100, 4}, -1, NULL},
    /* no clock at all */
    {{0, 0, 0, 0}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_DATE, "nothing tells"},
};
enum { TOUCHES = sizeof touches / sizeof touches[0] };

START_TEST(touched_or_modified)
{
    struct model *m = plain(COW_FORMAT_V3);
    put_backing_superblock(m, &touches[_i].backing);
    if (touches[_i].guest != 0) {
        put_guest_superblock(m, &touches[_i].guest_times, touches[_i].guest);
    }
    file_set_mtime(m->backing_path, touches[_i].same_date ? HEADER_MTIME : HEADER_MTIME + 86400);
    look(m);
    const bool other = touches[_i].guest == 'w';
    if (other) {
        says(COW_FINDING_OTHER_FILESYSTEM, false, "75757575-7575-7575-7575-757575757575",
             "77777777-7777-7777-7777-777777777777");
    }
    if (touches[_i].code < 0 && other) {
        only(COW_FINDING_OTHER_FILESYSTEM);
    } else if (touches[_i].code < 0) {
        is_clean();
    } else {
        if (other) {
            only((enum cow_finding_code)touches[_i].code, COW_FINDING_OTHER_FILESYSTEM);
        } else {
            only((enum cow_finding_code)touches[_i].code);
        }
        says((enum cow_finding_code)touches[_i].code, !touches[_i].same_date, touches[_i].words);
    }
    model_free(m);
}
END_TEST

START_TEST(a_backing_file_that_is_a_cow)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    struct model *m = plain(COW_FORMAT_V3);
    size_t n = model_header(header, COW_FORMAT_V2, "/somewhere", 1000000, 512, 0, 1, false);
    file_write_at(m->backing_path, 0, header, n);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    only(COW_FINDING_BACKING_IS_COW);
    says(COW_FINDING_BACKING_IS_COW, false, "UML COW v2");
    model_free(m);
}
END_TEST

START_TEST(another_backing_file_than_the_stored_one)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *other = test_path("other");
    file_write(other, m->backing, SIZE);
    file_set_mtime(other, MODEL_MTIME);
    look_named(m->cow_path, m->backing_path); /* the same file */
    is_clean();
    look_named(m->cow_path, other);
    only(COW_FINDING_BACKING_ELSEWHERE);
    says(COW_FINDING_BACKING_ELSEWHERE, true, "m.img", "other");
    file_set_mtime(other, MODEL_MTIME - 1);
    look_named(m->cow_path, other);
    only(COW_FINDING_BACKING_DATE, COW_FINDING_BACKING_ELSEWHERE);
    says(COW_FINDING_BACKING_ELSEWHERE, false, "not ");
    file_set_mtime(other, MODEL_MTIME);
    model_free(m);
    const struct model_spec spec = {.format = COW_FORMAT_QEMU, .backing_bytes = NO_BACKING};
    m = plain_of(&spec);
    look_named(m->cow_path, other);
    says(COW_FINDING_BACKING_ELSEWHERE, false, "names no backing file"); /* it has no date either */
    says(COW_FINDING_FORMAT, true, "QEMU COW");
    free(other);
    model_free(m);
}
END_TEST

START_TEST(a_relative_path)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = "m.img"};
    struct model *m = plain_of(&spec);
    must(chdir("/") == 0, "chdir");
    look(m);
    only(COW_FINDING_PATH_RELATIVE);
    says(COW_FINDING_PATH_RELATIVE, true, "\"m.img\"", "beside the image only");
    look_named(m->cow_path, m->backing_path);
    only(COW_FINDING_PATH_RELATIVE);
    must(chdir(test_directory()) == 0, "chdir");
    look(m);
    only(COW_FINDING_PATH_RELATIVE);
    must(strstr(finding_of(COW_FINDING_PATH_RELATIVE)->message, "beside") == NULL, "beside");
    unlink("m.img");
    look(m);
    only(COW_FINDING_BACKING_MISSING, COW_FINDING_PATH_RELATIVE);
    says(COW_FINDING_PATH_RELATIVE, false, "m.img");
    must(chdir("/") == 0, "chdir");
    model_free(m);
}
END_TEST

START_TEST(hostile_paths)
{
    char path[1200];
    memset(path, 'x', sizeof path);
    memcpy(path, "/tmp/", 5);
    path[5 + 256] = '/';
    path[5 + 256 + 3] = '\0';
    struct model_spec spec = {.format = COW_FORMAT_V3, .stored = path, .backing_absent = true};
    struct model *m = plain_of(&spec);
    look(m);
    only(COW_FINDING_BACKING_UNUSABLE, COW_FINDING_PATH_LONG);
    says(COW_FINDING_PATH_LONG, false, "256 bytes", "255");
    model_free(m);
    spec.stored = "/nonexistent/\x1b[31m\x7f\xe2\x80\xae\n";
    m = plain_of(&spec);
    look(m);
    only(COW_FINDING_BACKING_MISSING, COW_FINDING_PATH_CONTROL);
    says(COW_FINDING_PATH_CONTROL, false, "3 control characters", "\\x1b[31m\\x7f\\xe2\\x80\\xae\\x0a");
    model_free(m);
}
END_TEST

Suite *check_backing_suite(void)
{
    Suite *suite = suite_create("check-backing");
    TCase *tc = tcase_create("check backing");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, no_backing_file);
    tcase_add_test(tc, a_backing_file_of_another_size);
    tcase_add_test(tc, another_date);
    tcase_add_loop_test(tc, touched_or_modified, 0, TOUCHES);
    tcase_add_test(tc, a_backing_file_that_is_a_cow);
    tcase_add_test(tc, another_backing_file_than_the_stored_one);
    tcase_add_test(tc, a_relative_path);
    tcase_add_test(tc, hostile_paths);
    suite_add_tcase(suite, tc);
    return suite;
}
