/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Merging into the backing file: afterwards it is the disk that the guest saw, and the image is empty and
 * fits it; what is refused, what is locked, and the order in which bytes, dates and names are written.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty.h"
#include "merging.h"

/* ---- judging ---- */

/* What the core makes of it: it opens, is empty, and nothing is pending. */
static void check_by_the_core(const struct merge_scene *s)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_verdict verdict;
    struct cow_usage usage;
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, &err), err);
    cow_image_verdict(img, &verdict);
    must(verdict.opens, "%s: %s", model_describe(s->model), verdict.reason);
    must_succeed(cow_image_usage(img, &usage, &err), err);
    ck_assert_uint_eq(usage.dirty_sectors, 0);
    ck_assert_str_eq(cow_image_pending(img), "");
    cow_image_close(img);
    must_fail(plan_and_commit(s->model->cow_path, cow_plan_undo, NULL, &err), COW_REFUSED, err);
}

/* ---- the matrix ---- */

START_TEST(the_matrix)
{
    const enum cow_format format = (enum cow_format)_i;
    static const uint32_t sizes[] = {512, 512, 1024, 4096, 65536};
    for (uint64_t n = 0; n < 8; n++) {
        const uint64_t seed = n + (uint64_t)_i * 7;
        const bool qemu = shapes[format].kind == 'q';
        struct model_spec spec = merge_spec(format);
        spec.sector_bytes = qemu ? 512 : sizes[seed % 5];
        spec.size_bytes = (spec.sector_bytes > 4096 ? 6 : 130 + seed * 31 % 300) * spec.sector_bytes;
        spec.size_bytes -= !qemu && seed % 3 == 1 ? 1 + seed * 77 % (spec.sector_bytes - 1) : 0;
        spec.backing_bytes = spec.size_bytes;
        spec.pattern = (enum pattern)(seed % PATTERNS);
        spec.garbage = n % 2 == 0;
        spec.short_file = n % 4 == 3;
        spec.dull_from = n % 3 == 2 ? spec.size_bytes / 2 / spec.sector_bytes * spec.sector_bytes : 0;
        spec.seed = seed;
        struct faulty f;
        struct cow_error err = {.status = 0};
        struct merge_scene s = merge_scene_of(&spec, n % 2 == 1);
        faulty_init(&f, FAULT_NONE, 0, 0);
        int status = merge(&s, &f.io, &err);
        must(status == 0, "%s: %s", model_describe(s.model), err.message);
        must(f.n_unsynced == 0 && f.sizes_unsynced == 0 && f.renames_unsynced == 0, "%s: not durable",
             model_describe(s.model));
        if (memchr(s.model->dirty, 1, s.model->geometry.sectors) == NULL) {
            must(f.calls == 0, "%" PRIu64 " calls for nothing", f.calls);
            check_nothing_merged(&s, "nothing is dirty");
        } else {
            check_merged(&s, "merged");
            check_by_the_core(&s);
        }
        merge_scene_end(&s);
    }
}
END_TEST

/* Runs that are longer than what is moved at once; holes in them become zeros. */
START_TEST(long_runs)
{
    for (unsigned n = 0; n < 3; n++) {
        struct model_spec spec = merge_spec(COW_FORMAT_V3);
        spec.size_bytes = spec.backing_bytes = (UINT64_C(6) << 20) - n * 333;
        spec.pattern = n == 1 ? PATTERN_ALL : PATTERN_LONG;
        spec.short_file = n == 2;
        spec.seed = 50 + n;
        struct cow_error err = {.status = 0};
        struct merge_scene s = merge_scene_of(&spec, false);
        must_succeed(merge(&s, NULL, &err), err);
        check_merged(&s, "long runs");
        merge_scene_end(&s);
    }
}
END_TEST

/* Dirty holes: over data they write zeros, and over a hole of the backing file there stays one. */
START_TEST(holes_become_zeros)
{
    enum { SIZE = 4 << 20 };
    struct model_spec spec = merge_spec(COW_FORMAT_V3);
    spec.size_bytes = spec.backing_bytes = SIZE;
    spec.pattern = PATTERN_ALL;
    spec.garbage = false;
    struct cow_error err = {.status = 0};
    struct merge_scene s = merge_scene_of(&spec, false);
    struct model *m = s.model;
    memset(m->backing, 0x5a, SIZE / 2); /* a half of data, a half that is a hole */
    memset(m->backing + SIZE / 2, 0, SIZE / 2);
    file_write(m->backing_path, m->backing, SIZE / 2);
    file_truncate(m->backing_path, SIZE);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    file_truncate(m->cow_path, m->geometry.data_offset); /* every dirty sector is a hole */
    memset(m->disk, 0, SIZE);
    s.backing = witness_of(m->backing_path);
    s.image = witness_of(m->cow_path);
    const blkcnt_t blocks = s.backing.facts.st_blocks;
    must_succeed(merge(&s, NULL, &err), err);
    check_merged(&s, "holes");
    struct stat facts;
    must(stat(m->backing_path, &facts) == 0 && facts.st_blocks <= blocks + 16, "%jd blocks were %jd",
         (intmax_t)facts.st_blocks, (intmax_t)blocks);
    merge_scene_end(&s);
}
END_TEST

/* ---- the plan ---- */

static int plan_it(const struct merge_scene *s, const char *backing, const struct cow_merge_options *opt,
                   int event, struct cow_error *err)
{
    const struct cow_open_options options = {.io = quick_io(), .backing_path = backing};
    struct cow_image *img = NULL;
    struct cow_plan *plan = NULL;
    const unsigned files = open_files();
    must_succeed(cow_image_open(&img, s->model->cow_path, &options, err), *err);
    int status = cow_plan_merge(&plan, img, opt, err);
    must(status == 0 || plan == NULL, "*out was touched");
    if (status == 0) {
        const struct cow_preview *p = cow_plan_preview(plan);
        ck_assert_str_eq(cow_method_name(p->method), "in place");
        ck_assert_uint_eq(p->siblings, s->sibling != NULL ? 1 : 0);
        must(s->sibling == NULL || strcmp(p->sibling[0], s->sibling) == 0, "sibling");
        must(p->changes_existing && p->replaces && !p->makes_raw && p->after_verdict.opens &&
                 strncmp(p->undo_text, "none", 4) == 0,
             "the preview");
    }
    if (status == 0 && event >= 0) {
        if (event == 1) {
            file_set_mtime(s->model->cow_path, 5);
        } else if (event == 2) {
            file_set_mtime(s->model->backing_path, 5);
        }
        status = cow_plan_commit(plan, NULL, err);
    }
    cow_plan_free(plan);
    cow_image_close(img);
    must(open_files() == files, "a file was left open");
    return status;
}

static void refuse(const struct merge_scene *s, const struct cow_merge_options *opt, int wanted,
                   const char *where)
{
    struct cow_error err = {.status = 0};
    const struct witness image = witness_of(s->model->cow_path);
    char *before = directory_list(test_directory());
    int status = plan_it(s, NULL, opt, -1, &err);
    must(status == wanted, "%s: %d instead of %d (%s)", where, status, wanted, err.message);
    must_fail(status, wanted, err);
    witness_check(&image, where);
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}

START_TEST(what_is_refused)
{
    static const struct cow_merge_options forced = {.in_place = true, .force = true};
    struct cow_error err = {.status = 0};
    struct model_spec spec = merge_spec(COW_FORMAT_V3);
    struct merge_scene s = merge_scene_of(&spec, true);
    char *out = test_path("out"), *hard = test_path("hard"), *journal = test_path(".m.cowtui-journal");
    refuse(&s, &(struct cow_merge_options){.in_place = true, .output_path = out}, COW_USAGE, "both");
    must_succeed(plan_it(&s, NULL, &into_backing, -1, &err), err);
    static const uint64_t sizes[] = {0, 299 * 512, 300 * 512 - 1, 300 * 512 + 1, 301 * 512};
    for (size_t i = 0; i < 5; i++) {
        file_truncate(s.model->backing_path, sizes[i]);
        file_set_mtime(s.model->backing_path, MODEL_MTIME);
        refuse(&s, &into_backing, COW_REFUSED, "another size");
        refuse(&s, &forced, COW_REFUSED, "another size");
    }
    file_truncate(s.model->backing_path, spec.size_bytes);
    file_set_mtime(s.model->backing_path, MODEL_MTIME + 1);
    refuse(&s, &into_backing, COW_REFUSED, "another date");
    must_succeed(plan_it(&s, NULL, &forced, -1, &err), err);
    file_set_mtime(s.model->backing_path, MODEL_MTIME);
    must(link(s.model->cow_path, hard) == 0, "link");
    refuse(&s, &into_backing, COW_REFUSED, "two names");
    unlink(hard);
    file_write(journal, "x", 1);
    refuse(&s, &into_backing, COW_REFUSED, "pending");
    refuse(&s, &forced, COW_REFUSED, "pending");
    unlink(journal);
    unlink(s.model->backing_path);
    refuse(&s, &into_backing, COW_IO, "no backing file");
    refuse(&s, &forced, COW_IO, "no backing file");
    free(out);
    free(hard);
    free(journal);
    merge_scene_end(&s);

    spec = merge_spec(COW_FORMAT_QEMU);
    spec.backing_bytes = NO_BACKING;
    s = (struct merge_scene){.model = model_create(&spec)};
    refuse(&s, &into_backing, COW_UNSUPPORTED, "QEMU");
    merge_scene_end(&s);
}
END_TEST

START_TEST(what_changes_after_the_plan)
{
    for (int event = 1; event <= 2; event++) {
        struct cow_error err = {.status = 0};
        const struct model_spec spec = merge_spec(COW_FORMAT_V3);
        struct merge_scene s = merge_scene_of(&spec, false);
        must_fail(plan_it(&s, NULL, &into_backing, event, &err), COW_REFUSED, err);
        must(witness_same_content(&s.image) && witness_same_content(&s.backing), "written");
        check_merge_names(&s, "changed after the plan");
        check_disk(&s, "changed after the plan");
        merge_scene_end(&s);
    }
}
END_TEST

/* A forced one with another date ends with a date that is neither. */
START_TEST(a_date_that_differs)
{
    static const struct cow_merge_options forced = {.in_place = true, .force = true};
    struct cow_error err = {.status = 0};
    const struct model_spec spec = merge_spec(COW_FORMAT_V2);
    struct merge_scene s = merge_scene_of(&spec, false);
    file_set_mtime(s.model->backing_path, MODEL_MTIME + 1);
    s.backing = witness_of(s.model->backing_path);
    must_succeed(plan_it(&s, NULL, &forced, 0, &err), err);
    check_merged(&s, "another date");
    merge_scene_end(&s);
}
END_TEST

static int64_t clock_says;

static void told_time(void *context, struct timespec *out)
{
    (void)context;
    *out = (struct timespec){.tv_sec = clock_says, .tv_nsec = 999999999};
}

static void no_pause(void *context, unsigned milliseconds)
{
    (void)context;
    (void)milliseconds;
}

/* It only goes forward, even where the clock stands still; where it could not, nothing is begun. */
START_TEST(the_date_goes_forward_whatever_the_clock_says)
{
    static const struct {
        int64_t clock;
        int wanted;
    } clocks[] = {{MODEL_MTIME, 0},
                  {MODEL_MTIME + 1, 0},
                  {MODEL_MTIME - 2, 0},
                  {UINT32_MAX, 0},
                  {MODEL_MTIME - 100, COW_REFUSED},
                  {0, COW_REFUSED},
                  {-1, COW_REFUSED},
                  {(int64_t)UINT32_MAX + 1, COW_REFUSED}};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        if (!date_fits(clocks[i].clock)) {
            continue;
        }
        struct cow_error err = {.status = 0};
        const struct model_spec spec = merge_spec(COW_FORMAT_V3);
        struct merge_scene s = merge_scene_of(&spec, true);
        struct cow_io io = *quick_io();
        if (i == 1) { /* what would be the next date is that of another image's header */
            uint8_t date[4];
            put_number(date, 4, true, MODEL_MTIME + 1);
            file_write_at(s.sibling, shapes[COW_FORMAT_V3].mtime, date, 4);
            s.fellow = witness_of(s.sibling);
        }
        clock_says = clocks[i].clock;
        io.now = told_time;
        io.pause = no_pause;
        int status = merge(&s, &io, &err);
        must(status == clocks[i].wanted, "clock %zu: %d %s", i, status, err.message);
        if (status == 0) {
            check_merged(&s, "a strange clock");
            check_by_the_core(&s);
            must(file_mtime(s.model->backing_path) > MODEL_MTIME + (i == 1), "it went back");
        } else {
            must_fail(status, clocks[i].wanted, err);
            check_nothing_merged(&s, "a wrong clock");
        }
        merge_scene_end(&s);
    }
}
END_TEST

static int writes_elsewhere(void *context, int fd)
{
    (void)context;
    (void)fd;
    return 1;
}

static int hardly_any_room(void *context, int fd, uint64_t *out)
{
    (void)context;
    (void)fd;
    *out = 32 * 1024; /* enough for the holes */
    return 0;
}

/* What is written over takes new room on some filesystems. Too little is known before the journal. */
START_TEST(room_where_writing_is_done_elsewhere)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct cow_error err = {.status = 0};
        struct model_spec spec = merge_spec(COW_FORMAT_V3);
        spec.pattern = PATTERN_ALL;
        struct merge_scene s = merge_scene_of(&spec, true);
        struct cow_io io = *quick_io();
        struct cow_plan *plan;
        struct cow_image *img;
        const struct cow_open_options options = {.io = &io};
        io.free_bytes = hardly_any_room;
        io.writes_elsewhere = elsewhere != 0 ? writes_elsewhere : NULL;
        must_succeed(cow_image_open(&img, s.model->cow_path, &options, &err), err);
        must_succeed(merge_plan(&plan, img, &err), err);
        const uint64_t needed = cow_plan_preview(plan)->needs_free_bytes;
        must(elsewhere ? needed > spec.size_bytes : needed < 96 * 1024, "needs %" PRIu64, needed);
        int status = cow_plan_probe(plan, &err);
        must(status == (elsewhere ? COW_IO : 0), "%s", err.message);
        must(!elsewhere || strstr(err.message, "copy on write") != NULL, "%s", err.message);
        check_nothing_merged(&s, "after the trial");
        cow_plan_free(plan);
        cow_image_close(img);
        merge_scene_end(&s);
    }
}
END_TEST

/* Named with -b: the image is to fit the file that was merged into. */
START_TEST(a_backing_file_by_another_name)
{
    for (int kind = 0; kind < 2; kind++) {
        struct cow_error err = {.status = 0};
        const struct model_spec spec = merge_spec(COW_FORMAT_V1);
        struct merge_scene s = merge_scene_of(&spec, false);
        char *moved = test_path("n.img");
        if (kind == 0) { /* it has moved */
            must(rename(s.model->backing_path, moved) == 0, "rename");
        } else { /* the same by a link: the stored path stays */
            must(symlink("m.img", moved) == 0, "symlink");
        }
        must_succeed(plan_it(&s, moved, &into_backing, 0, &err), err);
        struct model_view view;
        must(model_read_header(&view, s.model->cow_path, COW_FORMAT_V3), "header");
        ck_assert_str_eq(view.path, kind == 0 ? moved : s.model->backing_path);
        if (kind == 0) {
            must(rename(moved, s.model->backing_path) == 0, "rename");
            check_disk(&s, "moved");
        } else {
            unlink(moved);
            check_merged(&s, "by a link");
        }
        free(moved);
        merge_scene_end(&s);
    }
}
END_TEST

/* ---- locks ---- */

static void let_go(pid_t pid, int go)
{
    close(go);
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

START_TEST(a_guest_on_any_of_them)
{
    struct cow_error err = {.status = 0};
    const struct model_spec spec = merge_spec(COW_FORMAT_V3);
    struct merge_scene s = merge_scene_of(&spec, true);
    const char *const files[] = {s.sibling, s.model->cow_path, s.model->backing_path};
    static const short types[] = {F_WRLCK, F_WRLCK, F_RDLCK};
    for (unsigned i = 0; i < 3; i++) {
        char number[32];
        int go;
        pid_t pid = hold_lock(files[i], types[i], &go);
        snprintf(number, sizeof number, "pid %d", (int)pid);
        must_fail(merge(&s, NULL, &err), COW_LOCKED, err);
        must(strstr(err.message, number) != NULL, "%s", err.message);
        must(i != 0 || strstr(err.message, s.sibling) != NULL, "%s", err.message);
        static const struct cow_merge_options forced = {.in_place = true, .force = true};
        must_fail(plan_it(&s, NULL, &forced, 0, &err), COW_LOCKED, err);
        check_nothing_merged(&s, "a guest");
        let_go(pid, go);
    }
    must_succeed(merge(&s, NULL, &err), err);
    check_merged(&s, "it has gone");
    merge_scene_end(&s);
}
END_TEST

/* ---- the order of things ---- */

struct watch {
    const struct merge_scene *scene;
    ino_t inode;
    bool dated, date_synced, written, written_synced, renamed;
};

static bool is_backing(const struct watch *w, int fd)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && facts.st_ino == w->inode;
}

static void note_write(struct watch *w, int fd)
{
    struct stat facts;
    if (is_backing(w, fd)) {
        must(fstat(fd, &facts) == 0 && w->dated && w->date_synced, "a byte before its date was durable");
        must(!w->renamed, "a byte after the rename");
        w->written = true;
        w->written_synced = false;
    }
}

static ssize_t watched_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    note_write(context, fd);
    return io_system.pwrite(NULL, fd, buffer, n_bytes, offset);
}

static ssize_t watched_copy(void *context, int from_fd, uint64_t from, int to_fd, uint64_t to, size_t n_bytes)
{
    note_write(context, to_fd);
    return io_system.copy_range(NULL, from_fd, from, to_fd, to, n_bytes);
}

static int watched_futimens(void *context, int fd, const struct timespec times[2])
{
    struct watch *w = context;
    if (is_backing(w, fd) && times[1].tv_sec != w->scene->backing.facts.st_mtim.tv_sec) {
        must(merge_is_pending(), "the date changes without a journal");
        w->dated = true;
        w->date_synced = false;
    }
    return io_system.futimens(NULL, fd, times);
}

static int watched_fsync(void *context, int fd)
{
    struct watch *w = context;
    if (is_backing(w, fd)) {
        w->date_synced = w->dated;
        w->written_synced = true;
    }
    return 0;
}

static int watched_rename(void *context, const char *from, const char *to, bool replace)
{
    struct watch *w = context;
    if (strcmp(to, w->scene->model->cow_path) == 0) {
        must(w->written && w->written_synced && w->date_synced, "the rename before the bytes were durable");
        check_disk(w->scene, "before the rename");
        w->renamed = true;
    }
    return io_system.rename(NULL, from, to, replace);
}

START_TEST(date_bytes_rename_in_this_order)
{
    struct cow_error err = {.status = 0};
    const struct model_spec spec = merge_spec((enum cow_format)_i);
    struct merge_scene s = merge_scene_of(&spec, false);
    struct watch w = {.scene = &s, .inode = s.backing.facts.st_ino};
    struct cow_io io = io_system;
    io.context = &w;
    io.pwrite = watched_pwrite;
    io.copy_range = watched_copy;
    io.futimens = watched_futimens;
    io.fsync = watched_fsync;
    io.rename = watched_rename;
    must_succeed(merge(&s, &io, &err), err);
    must(w.renamed, "the test itself");
    check_merged(&s, "watched");
    merge_scene_end(&s);
}
END_TEST

Suite *merge_in_place_suite(void)
{
    Suite *suite = suite_create("merge-in-place");
    TCase *tc = tcase_create("merge in place");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, the_matrix, 0, COW_FORMATS);
    tcase_add_test(tc, long_runs);
    tcase_add_test(tc, holes_become_zeros);
    tcase_add_test(tc, what_is_refused);
    tcase_add_test(tc, what_changes_after_the_plan);
    tcase_add_test(tc, a_date_that_differs);
    tcase_add_test(tc, the_date_goes_forward_whatever_the_clock_says);
    tcase_add_test(tc, room_where_writing_is_done_elsewhere);
    tcase_add_test(tc, a_backing_file_by_another_name);
    tcase_add_test(tc, a_guest_on_any_of_them);
    tcase_add_loop_test(tc, date_bytes_rename_in_this_order, 0, COW_FORMATS);
    suite_add_tcase(suite, tc);
    return suite;
}
