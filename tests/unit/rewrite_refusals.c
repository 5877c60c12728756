/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rewriting that is refused or stopped: everything is as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rewriting.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- refusals ---- */

static void refuse(const struct model *m, const struct cow_rewrite_options *opt, int wanted,
                   const char *where)
{
    struct cow_error err = {.status = 0};
    struct result result;
    const struct witness image = witness_of(m->cow_path);
    char *before = directory_list(test_directory());
    int status = run_rewrite(m->cow_path, opt, NULL, NULL, &result, &err);
    must(status == wanted && !result.planned, "%s: %d instead of %d (%s)", where, status, wanted,
         err.message);
    must_fail(status, wanted, err);
    witness_check(&image, where);
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}

static void accept(const struct model *m, const struct cow_rewrite_options *opt, const char *where)
{
    const struct cow_open_options quick = {.io = quick_io()};
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, &quick, &err), err);
    int status = cow_plan_rewrite(&plan, img, opt, &err);
    must(status == 0, "%s: %d %s", where, status, err.message);
    cow_plan_free(plan);
    cow_image_close(img);
}

START_TEST(combinations_of_options)
{
    const struct model_spec spec = usual_v3(PATTERN_RUNS);
    struct model *m = model_create(&spec);
    static const struct cow_rewrite_options wrong[] = {{.sectors = false},
                                                       {.force = true},
                                                       {.reserve_bytes = UINT64_C(1) << 40},
                                                       {.safe = true},
                                                       {.safe = true, .compact = true},
                                                       {.restamp = true, .set_mtime = true},
                                                       {.sectors = true},
                                                       {.sectors = true, .complete_pages = true},
                                                       {.sectors = true, .convert = true}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        refuse(m, &wrong[i], COW_USAGE, "a combination");
    }
    static const struct {
        struct cow_rewrite_options opt;
        const char *operation;
    } named[] = {{{.complete_pages = true}, "pages"}, {{.compact = true}, "compact"},
                 {{.restamp = true}, "rebase"},       {{.set_mtime = true}, "rebase"},
                 {{.convert = true}, "convert"},      {{.convert = true, .complete_pages = true}, "repair"}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
        must_succeed(cow_plan_rewrite(&plan, img, &named[i].opt, &err), err);
        ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), named[i].operation);
        cow_plan_free(plan);
        cow_image_close(img);
    }
    clear_directory(m);
}
END_TEST

/* Nothing, a directory, a FIFO, and the image itself by its name and by another. */
static void check_what_is_no_file(const struct model *m, char *other, char *nowhere, char *directory)
{
    struct cow_rewrite_options opt = {.backing_path = nowhere};
    refuse(m, &opt, COW_IO, "no such file");
    opt.safe = opt.force = true;
    refuse(m, &opt, COW_IO, "no such file");
    mkdir(directory, 0700);
    refuse(m, &(struct cow_rewrite_options){.backing_path = directory}, COW_IO, "a directory");
    must(mkfifo(other, 0600) == 0, "mkfifo");
    refuse(m, &(struct cow_rewrite_options){.backing_path = other}, COW_IO, "a FIFO");
    unlink(other);

    refuse(m, &(struct cow_rewrite_options){.backing_path = m->cow_path, .force = true}, COW_REFUSED,
           "itself");
    must(symlink(m->cow_path, other) == 0, "symlink");
    refuse(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, COW_REFUSED, "itself");
    unlink(other);
}

static void check_another_date(const struct model *m, char *other)
{
    file_set_mtime(other, MODEL_MTIME + 1);
    struct cow_rewrite_options opt = {.backing_path = other};
    refuse(m, &opt, COW_REFUSED, "another date");
    opt.convert = true;
    refuse(m, &opt, COW_REFUSED, "another date");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .restamp = true}, "restamp");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, "safe");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, "force");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .set_mtime = true}, "by hand");
}

static void check_another_size(const struct model *m, char *other)
{
    static const uint64_t sizes[] = {0, 402 * 512, 403 * 512 - 1, 403 * 512 + 1, 404 * 512};
    for (size_t i = 0; i < 5; i++) {
        file_truncate(other, sizes[i]);
        file_set_mtime(other, MODEL_MTIME);
        refuse(m, &(struct cow_rewrite_options){.backing_path = other}, COW_REFUSED, "size");
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, COW_REFUSED, "size");
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .restamp = true}, COW_REFUSED, "size");
        accept(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, "size, force");
    }
    file_truncate(other, m->spec.size_bytes);
}

/* Of the new one, and of the old one. */
static void check_dates_that_no_header_holds(const struct model *m, char *other)
{
    static const int64_t dates[] = {-1, -100000, INT64_C(1) << 32};
    for (size_t i = 0; i < 3 && date_fits(dates[i]); i++) {
        file_set_mtime(other, dates[i]);
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .restamp = true}, COW_REFUSED, "date");
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, COW_REFUSED, "date");
        accept(m, &(struct cow_rewrite_options){.backing_path = other, .set_mtime = true, .mtime = 1},
               "date");
    }
    file_set_mtime(m->backing_path, -1);
    refuse(m, &(struct cow_rewrite_options){.restamp = true}, COW_REFUSED, "date");
    file_set_mtime(m->backing_path, MODEL_MTIME);
}

static void check_a_cow_image(const struct model *m, char *other)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    size_t n = model_header(header, COW_FORMAT_V2, "/x", 1 << 20, 512, 0, 1, false);
    file_write_at(other, 0, header, n);
    file_set_mtime(other, MODEL_MTIME);
    refuse(m, &(struct cow_rewrite_options){.backing_path = other}, COW_REFUSED, "a COW image");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, "a COW image");
}

static void check_outputs(const struct model *m, char *other, char *directory)
{
    char *hard = test_path("hard");
    struct cow_rewrite_options opt = {.complete_pages = true, .output_path = m->cow_path, .force = true};
    refuse(m, &opt, COW_REFUSED, "the output is the image");
    opt.output_path = m->backing_path;
    refuse(m, &opt, COW_REFUSED, "the output is the backing file");
    must(link(m->backing_path, hard) == 0, "link");
    opt.output_path = hard;
    refuse(m, &opt, COW_REFUSED, "the output is the backing file");
    unlink(hard);
    file_write(other, m->backing, m->spec.backing_bytes);
    file_set_mtime(other, MODEL_MTIME);
    must(symlink(other, hard) == 0, "symlink");
    opt = (struct cow_rewrite_options){.backing_path = other, .output_path = hard, .force = true};
    refuse(m, &opt, COW_REFUSED, "the output is the new backing file");
    opt.output_path = directory;
    refuse(m, &opt, COW_REFUSED, "the output is a directory");
    free(hard);
}

START_TEST(a_new_backing_file_that_does_not_fit)
{
    const struct model_spec spec = usual_v3(PATTERN_RUNS);
    struct model *m = model_create(&spec);
    char *other = test_path("n.img"), *nowhere = test_path("nowhere"), *directory = test_path("directory");
    check_what_is_no_file(m, other, nowhere, directory);
    file_write(other, m->backing, spec.backing_bytes);
    check_another_date(m, other);
    check_another_size(m, other);
    check_dates_that_no_header_holds(m, other);
    check_a_cow_image(m, other);
    check_outputs(m, other, directory);
    free(other);
    free(nowhere);
    free(directory);
    clear_directory(m);
}
END_TEST

START_TEST(a_doubtful_old_backing_file)
{
    struct cow_error err = {.status = 0};
    struct result result;
    const struct model_spec spec = usual_v3(PATTERN_RANDOM);
    struct model *m = model_create(&spec);
    static const struct cow_rewrite_options reading[] = {{.complete_pages = true}, {.compact = true}};
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    for (size_t i = 0; i < 2; i++) {
        struct cow_rewrite_options opt = reading[i];
        refuse(m, &opt, COW_REFUSED, "another date");
        opt.convert = true;
        refuse(m, &opt, COW_REFUSED, "another date");
        opt.restamp = true;
        accept(m, &opt, "another date, restamp");
    }
    rewrite_and_back(m, &(struct cow_rewrite_options){.complete_pages = true, .force = true}, m->backing_path,
                     MODEL_MTIME + 1, ""); /* vouched for: with its date */
    accept(m, &(struct cow_rewrite_options){.convert = true}, "that reads nothing of it");
    file_truncate(m->backing_path, spec.size_bytes + 512);
    refuse(m, &(struct cow_rewrite_options){.restamp = true}, COW_REFUSED, "another size");
    accept(m, &(struct cow_rewrite_options){.restamp = true, .force = true}, "another size, force");

    char *other = test_path("n.img"); /* it is gone, or has moved */
    must(rename(m->backing_path, other) == 0, "rename");
    file_truncate(other, spec.size_bytes);
    file_set_mtime(other, MODEL_MTIME);
    for (size_t i = 0; i < 2; i++) {
        refuse(m, &reading[i], COW_IO, "no backing file");
    }
    refuse(m, &(struct cow_rewrite_options){.restamp = true}, COW_IO, "no backing file");
    refuse(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, COW_IO, "no backing file");
    must_succeed(run_rewrite(m->cow_path, &(struct cow_rewrite_options){.backing_path = other}, NULL, NULL,
                             &result, &err),
                 err);
    uint64_t size;
    uint8_t *disk = model_compose(m->cow_path, COW_FORMAT_V3, NULL, &size);
    must(disk != NULL && memcmp(disk, m->disk, spec.size_bytes) == 0, "another disk");
    free(disk);
    free(other);
    clear_directory(m);
}
END_TEST

START_TEST(converting_needs_no_backing_file)
{
    for (unsigned n = 0; n < 2; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual_v3(PATTERN_RANDOM);
        spec.format = n == 0 ? COW_FORMAT_V1 : COW_FORMAT_V2_LONG;
        spec.alignment = 0;
        struct model *m = model_create(&spec);
        char *away = test_path("away");
        const struct cow_rewrite_options opt = {.convert = true};
        must(rename(m->backing_path, away) == 0, "rename");
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        must(rename(away, m->backing_path) == 0, "rename");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, m->cow_path, result.method, bits, m->backing_path, MODEL_MTIME);
        free(bits);
        free(away);
        clear_directory(m);
    }
}
END_TEST

START_TEST(a_qemu_image_without_a_backing_file)
{
    struct model_spec spec = usual_v3(PATTERN_RANDOM);
    spec.format = _i == 0 ? COW_FORMAT_QEMU : COW_FORMAT_QEMU_I386;
    spec.alignment = 0;
    spec.backing_bytes = NO_BACKING;
    struct model *m = model_create(&spec);
    refuse(m, &(struct cow_rewrite_options){.complete_pages = true}, COW_UNSUPPORTED, "QEMU");
    refuse(m, &(struct cow_rewrite_options){.compact = true}, COW_UNSUPPORTED, "QEMU");
    refuse(m, &(struct cow_rewrite_options){.convert = true}, COW_UNSUPPORTED, "QEMU");
    char *other = make_other(m, spec.size_bytes, MODEL_MTIME);
    struct cow_open_options named = {.backing_path = other, .io = quick_io()}; /* the user knows of one */
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, &named, &err), err);
    must_succeed(cow_plan_rewrite(&plan, img, &(struct cow_rewrite_options){.convert = true}, &err), err);
    ck_assert_str_eq(cow_plan_preview(plan)->after_backing_path, other);
    must(cow_plan_preview(plan)->after_verdict.opens, "%s", cow_plan_preview(plan)->after_verdict.reason);
    cow_plan_free(plan);
    cow_image_close(img);
    rewrite_and_back(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, other,
                     MODEL_MTIME, "n.img");
    free(other);
    clear_directory(m);
}
END_TEST

START_TEST(images_with_several_names)
{
    struct cow_error err = {.status = 0};
    struct result result;
    const struct model_spec spec = usual_v3(PATTERN_RANDOM);
    struct model *m = model_create(&spec);
    char *hard = test_path("hard"), *out = test_path("out");
    must(link(m->cow_path, hard) == 0, "link");
    struct cow_rewrite_options opt = {.complete_pages = true};
    refuse(m, &opt, COW_REFUSED, "two names");
    opt.output_path = out;
    accept(m, &opt, "elsewhere");
    accept(m, &(struct cow_rewrite_options){.set_mtime = true}, "in place");
    opt = (struct cow_rewrite_options){.complete_pages = true, .force = true};
    const struct witness image = witness_of(hard);
    must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
    must(file_inode(hard) == image.facts.st_ino && witness_same_content(&image), "the other name's file");
    check_names("hard m m.img", "there is no undo");
    free(hard);
    free(out);
    clear_directory(m);
}
END_TEST

START_TEST(an_interrupted_change_waits)
{
    const struct model_spec spec = usual_v3(PATTERN_RANDOM);
    struct model *m = model_create(&spec);
    char *journal = test_path(".m.cowtui-journal");
    file_write(journal, "x", 1);
    refuse(m, &(struct cow_rewrite_options){.complete_pages = true}, COW_REFUSED, "pending");
    refuse(m, &(struct cow_rewrite_options){.set_mtime = true}, COW_REFUSED, "pending");
    unlink(journal);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    refuse(m, &(struct cow_rewrite_options){.complete_pages = true}, COW_INVALID, "unfinished");
    free(journal);
    clear_directory(m);
}
END_TEST

/* What happens between plan and commit is noticed: a guest, another date, another file. */
START_TEST(files_that_change_after_the_plan)
{
    for (unsigned event = 0; event < 6; event++) {
        const struct cow_open_options quick = {.io = quick_io()};
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        const struct model_spec spec = usual_v3(PATTERN_RANDOM);
        struct model *m = model_create(&spec);
        char *other = make_other(m, spec.size_bytes, MODEL_MTIME);
        const struct cow_rewrite_options opt = {
            .backing_path = event < 3 ? NULL : other, .compact = true, .safe = event >= 3};
        must_succeed(cow_image_open(&img, m->cow_path, &quick, &err), err);
        must_succeed(cow_plan_rewrite(&plan, img, &opt, &err), err);
        if (event == 0 || event == 3) {
            file_set_mtime(m->cow_path, 1);
        } else if (event == 1 || event == 4) {
            file_set_mtime(m->backing_path, MODEL_MTIME + 1);
        } else {
            file_truncate(event == 2 ? m->backing_path : other, spec.size_bytes + 1);
        }
        const struct witness image = witness_of(m->cow_path);
        must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
        witness_check(&image, "changed after the plan");
        check_names("m m.img n.img", "changed after the plan");
        cow_plan_free(plan);
        cow_image_close(img);
        free(other);
        clear_directory(m);
    }
}
END_TEST

/* ---- stopping ---- */

struct asked {
    unsigned calls, stop_at;
    bool could;
};

static bool ask(void *context, const struct cow_progress *progress)
{
    struct asked *asked = context;
    must(progress->total_bytes > 0 && progress->phase[0] != '\0', "progress");
    if (++asked->calls == asked->stop_at) {
        asked->could = progress->can_cancel;
        return true;
    }
    return false;
}

START_TEST(stopping_leaves_all_as_it_was)
{
    struct model_spec spec = usual_v3(_i == 1 ? PATTERN_ALL : PATTERN_LONG);
    spec.size_bytes = spec.backing_bytes = 3 * MIB + 512 * 1024;
    struct model *m = model_create(&spec);
    char *other = make_other(m, spec.size_bytes, MODEL_MTIME + 3);
    const struct cow_rewrite_options options[] = {
        {.complete_pages = true, .convert = true, .reserve_bytes = 1},
        {.compact = true},
        {.backing_path = other, .safe = true},
        {.backing_path = other, .restamp = true}};
    const struct witness image = witness_of(m->cow_path), backing = witness_of(m->backing_path),
                         theirs = witness_of(other);
    unsigned in_plan = 0, in_commit = 0;
    for (bool done = false; !done;) {
        struct asked asked = {.stop_at = in_plan + 1};
        const struct cow_env env = {.progress = ask, .context = &asked};
        struct cow_rewrite_options opt = options[_i];
        struct cow_error err = {.status = 0};
        const struct cow_open_options quick = {.io = quick_io()};
        struct cow_image *img;
        struct cow_plan *plan = NULL;
        opt.env = &env;
        must_succeed(cow_image_open(&img, m->cow_path, &quick, &err), err);
        int status = cow_plan_rewrite(&plan, img, &opt, &err);
        if (asked.calls < asked.stop_at) {
            must_succeed(status, err);
            done = true;
        } else {
            must_fail(status, COW_CANCELLED, err);
            must(plan == NULL && asked.calls == asked.stop_at, "it went on");
            in_plan++;
        }
        cow_plan_free(plan);
        cow_image_close(img);
        witness_check(&image, "stopped");
    }
    must(_i == 0 || _i == 3 || in_plan >= 3, "asked %u times only", in_plan);
    for (bool done = false; !done;) {
        struct asked asked = {.stop_at = in_commit + 1};
        const struct cow_env env = {.progress = ask, .context = &asked};
        struct cow_error err = {.status = 0};
        struct result result;
        int status = run_rewrite(m->cow_path, &options[_i], NULL, &env, &result, &err);
        if (status == 0) { /* past the point where it can be stopped, or never asked */
            must(asked.calls < asked.stop_at || !asked.could, "asked, and not stopped");
            done = true;
        } else {
            must_fail(status, COW_CANCELLED, err);
            must(asked.could, "stopped where it cannot be");
            witness_check(&image, "stopped");
            check_names("m m.img n.img", "stopped");
            in_commit++;
        }
    }
    must(in_commit >= 3, "asked %u times only", in_commit);
    witness_check(&backing, "stopped");
    witness_check(&theirs, "stopped");
    undo_rewrite(m, &image, "m m.img n.img");
    free(other);
    clear_directory(m);
}
END_TEST

Suite *rewrite_refusals_suite(void)
{
    Suite *suite = suite_create("rewrite-refusals");
    TCase *tc = tcase_create("rewrite refusals");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, combinations_of_options);
    tcase_add_test(tc, a_new_backing_file_that_does_not_fit);
    tcase_add_test(tc, a_doubtful_old_backing_file);
    tcase_add_test(tc, converting_needs_no_backing_file);
    tcase_add_loop_test(tc, a_qemu_image_without_a_backing_file, 0, 2);
    tcase_add_test(tc, images_with_several_names);
    tcase_add_test(tc, an_interrupted_change_waits);
    tcase_add_test(tc, files_that_change_after_the_plan);
    tcase_add_loop_test(tc, stopping_leaves_all_as_it_was, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}
