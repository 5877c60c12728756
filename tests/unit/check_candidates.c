/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a backing file is missing or the wrong one: the files that may be meant, and those that are not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "findings.h"

START_TEST(a_backing_file_that_has_moved)
{
    struct model *m = moved("there/root.img");
    char *there = test_path("there"), *path;
    look(m);
    only(COW_FINDING_BACKING_MISSING);
    says(COW_FINDING_BACKING_MISSING, false, "not there");
    offers_none();
    free(put_candidate(m, "only-size", SIZE, MODEL_MTIME + 1));
    free(put_candidate(m, "long", SIZE + 512, MODEL_MTIME));
    free(put_candidate(m, "short", SIZE - 512, MODEL_MTIME));
    free(put_candidate(m, ".x.cow.cowtui-long", SIZE + 512, MODEL_MTIME));
    look(m);
    offers_none();
    free(put_candidate(m, "dated", SIZE, MODEL_MTIME));
    look(m);
    says(COW_FINDING_BACKING_MISSING, true, "not there");
    offers("dated", "d");
    free(put_candidate(m, "root.img", SIZE, MODEL_MTIME - 1));
    look(m);
    offers("dated", "d", "root.img", "n");
    must(mkdir(there, 0700) == 0, "mkdir");
    free(put_candidate(m, "there/old", SIZE, MODEL_MTIME));
    path = put_candidate(m, "root.img", SIZE, MODEL_MTIME);
    look(m);
    offers("root.img", "nd", "dated", "d", "there/old", "d");
    unlink(path);
    free(path);
    path = put_candidate(m, "there/deep", SIZE, MODEL_MTIME); /* and no directory below */
    unlink(path);
    must(mkdir(path, 0700) == 0, "mkdir");
    free(put_candidate(m, "there/deep/root.img", SIZE, MODEL_MTIME));
    look(m);
    offers("dated", "d", "there/old", "d");
    free(path);
    free(there);
    model_free(m);
}
END_TEST

/* A path that is relative is meant from where the image is; links, FIFOs, devices and COW images are none. */
START_TEST(what_is_no_candidate)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = "there/root.img"};
    struct model *m = plain_of(&spec);
    char *there = test_path("there"), *elsewhere = test_path("there/elsewhere");
    char *link_path = test_path("root.img"), *fifo = test_path("there/fifo"), *cow = test_path("there/cow");
    struct timeval times[2] = {{MODEL_MTIME, 0}, {MODEL_MTIME, 0}};
    unlink(m->backing_path);
    must(mkdir(there, 0700) == 0 && mkfifo(fifo, 0600) == 0, "mkdir");
    must(mkdir(elsewhere, 0700) == 0, "mkdir");
    free(put_candidate(m, "there/elsewhere/root.img", SIZE, MODEL_MTIME));
    must(symlink("there/elsewhere/root.img", link_path) == 0, "symlink");
    must(symlink("root.img", "there/loop") == 0 || errno == ENOENT, "symlink");
    file_write(cow, m->backing, SIZE);
    {
        uint8_t header[COW_HEADER_BYTES_MAX];
        size_t n = model_header(header, COW_FORMAT_V2, "/somewhere", 1000000, 512, 0, 1, false);
        file_write_at(cow, 0, header, n);
    }
    must(utimes(cow, times) == 0 && utimes(fifo, times) == 0, "utimes");
    look(m);
    says(COW_FINDING_BACKING_MISSING, false, "not there");
    offers_none();
    free(put_candidate(m, "there/root.img", SIZE, MODEL_MTIME));
    unlink(link_path);
    rmdir(elsewhere);
    m->spec.stored = NULL;
    look(m); /* it is found where QEMU looks for it */
    must(finding_of(COW_FINDING_BACKING_MISSING) == NULL, "missing");
    const struct cow_check_options alone = {.no_backing = true};
    struct cow_error err;
    must_succeed(look_with(m->cow_path, &alone, &err), err);
    offers_none();
    free(there);
    free(elsewhere);
    free(link_path);
    free(fifo);
    free(cow);
    model_free(m);
}
END_TEST

/* A directory without end, in which the file that is looked for comes last. */
static int list_many(void *context, const char *directory, int (*each)(void *each_context, const char *name),
                     void *each_context)
{
    char name[32];
    int status = 0;
    (void)context;
    (void)directory;
    for (int i = 0; i < 1000 * 1000 && status == 0; i++) {
        snprintf(name, sizeof name, "c%d", i);
        status = each(each_context, name);
    }
    must(status != 0, "all names were asked for");
    return status;
}

/* However many names there are, the same one is found, and that not all were looked at is told. */
START_TEST(a_directory_of_many_names)
{
    struct model *m = moved("gone/root.img");
    struct cow_io io = io_system;
    const struct cow_check_options options = {.io = &io};
    struct cow_error err;
    char name[32];
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "c%d", i);
        free(put_candidate(m, name, SIZE, MODEL_MTIME));
    }
    look(m);
    must(found.candidates == COW_CANDIDATES_MAX && !found.candidates_cut, "%zu candidates", found.candidates);
    io.list = list_many;
    must_succeed(look_with(m->cow_path, &options, &err), err);
    must(found.candidates == COW_CANDIDATES_MAX && found.candidates_cut, "%zu candidates", found.candidates);
    free(put_candidate(m, "root.img", SIZE, MODEL_MTIME));
    must_succeed(look_with(m->cow_path, &options, &err), err);
    must(found.candidate[0].same_name && found.candidate[0].same_date, "%s", found.candidate[0].path);
    model_free(m);
}
END_TEST

/* The guest's own copy of the superblock tells which filesystem it was made on. */
START_TEST(a_candidate_with_another_filesystem)
{
    const struct times t = {.made = 1, .written = 2, .checked = 3};
    struct model *m = moved("gone.img");
    uint8_t bytes[1024];
    put_guest_superblock(m, &t, 'g');
    make_superblock(bytes, &t, 'x');
    memcpy(m->backing + 1024, bytes, sizeof bytes);
    free(put_candidate(m, "wrong.img", SIZE, MODEL_MTIME));
    look(m);
    offers_none();
    make_superblock(bytes, &t, 'g');
    memcpy(m->backing + 1024, bytes, sizeof bytes);
    free(put_candidate(m, "later.img", SIZE, MODEL_MTIME + 5));
    free(put_candidate(m, "right.img", SIZE, MODEL_MTIME));
    look(m);
    offers("right.img", "du", "later.img", "u");
    model_free(m);
}
END_TEST

/* There is a backing file, but not the right one. */
START_TEST(a_better_backing_file)
{
    const struct times t = {.made = 1, .written = 2, .checked = 3};
    struct model *m = plain(COW_FORMAT_V3);
    uint8_t bytes[1024];
    free(put_candidate(m, "old.img", SIZE, MODEL_MTIME));
    free(put_candidate(m, "older.img", SIZE, MODEL_MTIME - 1));
    look(m);
    is_clean();
    offers_none();
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    look(m);
    only(COW_FINDING_BACKING_DATE);
    offers("old.img", "d");
    file_truncate(m->backing_path, SIZE / 2);
    look(m);
    offers("old.img", "d");
    model_free(m);
    m = plain(COW_FORMAT_V3);
    put_backing_superblock(m, &t); /* 'u' */
    put_guest_superblock(m, &t, 'g');
    look(m);
    says(COW_FINDING_OTHER_FILESYSTEM, false, "UUID");
    make_superblock(bytes, &t, 'g');
    memcpy(m->backing + 1024, bytes, sizeof bytes);
    free(put_candidate(m, "right.img", SIZE, MODEL_MTIME + 9));
    look(m);
    says(COW_FINDING_OTHER_FILESYSTEM, true, "UUID");
    offers("right.img", "u");
    model_free(m);
}
END_TEST

Suite *check_candidates_suite(void)
{
    Suite *suite = suite_create("check-candidates");
    TCase *tc = tcase_create("check candidates");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, a_backing_file_that_has_moved);
    tcase_add_test(tc, what_is_no_candidate);
    tcase_add_test(tc, a_directory_of_many_names);
    tcase_add_test(tc, a_candidate_with_another_filesystem);
    tcase_add_test(tc, a_better_backing_file);
    suite_add_tcase(suite, tc);
    return suite;
}
