/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Merging into the backing file: afterwards it is the disk that the guest saw, and the image is empty and
 * fits it. Each call fails once, or all from it on: the composed disk is whole at every moment, and what was
 * begun can be finished.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changes.h"

/* An image, its files as they were, and another image on the same backing file, or NULL. */
struct scene {
    struct model *model;
    struct witness image, backing, fellow;
    char *sibling;
};

static struct scene scene_of(const struct model_spec *spec, bool sibling)
{
    struct scene s = {.model = model_create(spec)};
    must(chmod(s.model->cow_path, 0640) == 0, "chmod");
    s.image = witness_of(s.model->cow_path);
    s.backing = witness_of(s.model->backing_path);
    if (sibling) {
        uint8_t header[COW_HEADER_BYTES_MAX];
        s.sibling = test_path("s");
        size_t n = model_header(header, COW_FORMAT_V3, s.model->backing_path, spec->size_bytes, 512, 4096,
                                MODEL_MTIME, false);
        file_write(s.sibling, header, n);
        file_truncate(s.sibling, model_geometry(COW_FORMAT_V3, spec->size_bytes, 512, 4096).end_offset);
        s.fellow = witness_of(s.sibling);
    }
    return s;
}

static void scene_end(struct scene *s)
{
    model_free(s->model);
    free(s->sibling);
    remove_tree(test_directory());
    must(mkdir(test_directory(), 0700) == 0, "mkdir");
}

static struct model_spec usual(enum cow_format format)
{
    return (struct model_spec){.format = format,
                               .size_bytes = 300 * 512,
                               .sector_bytes = 512,
                               .alignment = shapes[format].kind == 'a' ? 4096 : 0,
                               .backing_bytes = 300 * 512,
                               .pattern = PATTERN_FAR,
                               .garbage = true,
                               .seed = 3};
}

static const struct cow_merge_options plain = {.in_place = true};

static int merge_plan(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    return cow_plan_merge(out, img, &plain, err);
}

static int merge(const struct scene *s, const struct cow_io *io, struct cow_error *err)
{
    return plan_and_commit(s->model->cow_path, merge_plan, io, err);
}

static int recover(const struct scene *s, const struct cow_io *io, struct cow_error *err)
{
    return plan_and_commit(s->model->cow_path, cow_plan_recover, io, err);
}

/* ---- judging ---- */

static bool is_pending(void)
{
    char *journal = test_path(".m.cowtui-journal");
    const bool pending = file_exists(journal);
    free(journal);
    return pending;
}

static void check_names(const struct scene *s, const char *where)
{
    char *names = directory_list(test_directory());
    const char *wanted = s->sibling != NULL ? "m m.img s" : "m m.img";
    must(strcmp(names, wanted) == 0, "%s: there is \"%s\"", where, names);
    free(names);
    if (s->sibling != NULL) {
        witness_check(&s->fellow, where);
    }
}

static void check_untouched(const struct scene *s, const char *where)
{
    witness_check(&s->image, where);
    witness_check(&s->backing, where);
    check_names(s, where);
}

/* Whatever has happened: the image, with the backing file as it is, shows the disk. */
static void check_disk(const struct scene *s, const char *where)
{
    const struct model *m = s->model;
    uint64_t size = 0;
    const bool same_file = file_inode(m->cow_path) == s->image.facts.st_ino;
    uint8_t *disk =
        model_compose(m->cow_path, same_file ? m->spec.format : COW_FORMAT_V3, m->backing_path, &size);
    must(disk != NULL && size == m->spec.size_bytes && memcmp(disk, m->disk, size) == 0,
         "%s: %s: the disk is another one", where, model_describe(m));
    free(disk);
}

static void check_merged(const struct scene *s, const char *where)
{
    const struct model *m = s->model;
    const uint64_t size = m->spec.size_bytes;
    struct model_view view;
    struct stat image, backing;
    uint8_t *bytes = malloc(size);
    must(bytes != NULL, "out of memory");
    must(stat(m->cow_path, &image) == 0 && stat(m->backing_path, &backing) == 0, "%s: stat", where);
    file_read(m->backing_path, 0, bytes, size);
    must((uint64_t)backing.st_size == size && memcmp(bytes, m->disk, size) == 0,
         "%s: %s: the backing file is not the disk", where, model_describe(m));
    free(bytes);
    must(backing.st_ino == s->backing.facts.st_ino && backing.st_mode == s->backing.facts.st_mode,
         "%s: another backing file", where);
    must(model_read_header(&view, m->cow_path, COW_FORMAT_V3), "%s: %s: no v3", where, model_describe(m));
    must(view.size_bytes == size && view.sector_bytes == 512 && strcmp(view.path, m->backing_path) == 0,
         "%s: %s: size %" PRIu64 " path %s", where, model_describe(m), view.size_bytes, view.path);
    must(backing.st_mtim.tv_sec == (int64_t)view.mtime && backing.st_mtim.tv_nsec == 0, "%s: the date %u",
         where, view.mtime);
    must(view.mtime != MODEL_MTIME && backing.st_mtim.tv_sec != s->backing.facts.st_mtim.tv_sec,
         "%s: the old date", where);
    uint8_t *bitmap = malloc(view.geometry.bitmap_bytes);
    must(bitmap != NULL, "out of memory");
    file_read(m->cow_path, view.geometry.bitmap_offset, bitmap, view.geometry.bitmap_bytes);
    for (uint64_t i = 0; i < view.geometry.bitmap_bytes; i++) {
        must(bitmap[i] == 0, "%s: %s: bits in byte %" PRIu64, where, model_describe(m), i);
    }
    free(bitmap);
    must((uint64_t)image.st_size == view.geometry.end_offset && (image.st_mode & 07777) == 0640,
         "%s: length %jd mode %o", where, (intmax_t)image.st_size, image.st_mode);
    must(image.st_blocks * 512 < 64 * 1024, "%s: the empty image takes %jd blocks", where,
         (intmax_t)image.st_blocks);
    check_disk(s, where);
    check_names(s, where);
}

/* What the core makes of it: it opens, is empty, and nothing is pending. */
static void check_by_the_core(const struct scene *s)
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
        struct model_spec spec = usual(format);
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
        struct scene s = scene_of(&spec, n % 2 == 1);
        faulty_init(&f, FAULT_NONE, 0, 0);
        int status = merge(&s, &f.io, &err);
        must(status == 0, "%s: %s", model_describe(s.model), err.message);
        must(f.n_unsynced == 0 && f.sizes_unsynced == 0 && f.renames_unsynced == 0, "%s: not durable",
             model_describe(s.model));
        if (memchr(s.model->dirty, 1, s.model->geometry.sectors) == NULL) {
            must(f.calls == 0, "%" PRIu64 " calls for nothing", f.calls);
            check_untouched(&s, "nothing is dirty");
        } else {
            check_merged(&s, "merged");
            check_by_the_core(&s);
        }
        scene_end(&s);
    }
}
END_TEST

/* Runs that are longer than what is moved at once; holes in them become zeros. */
START_TEST(long_runs)
{
    for (unsigned n = 0; n < 3; n++) {
        struct model_spec spec = usual(COW_FORMAT_V3);
        spec.size_bytes = spec.backing_bytes = (UINT64_C(6) << 20) - n * 333;
        spec.pattern = n == 1 ? PATTERN_ALL : PATTERN_LONG;
        spec.short_file = n == 2;
        spec.seed = 50 + n;
        struct cow_error err = {.status = 0};
        struct scene s = scene_of(&spec, false);
        must_succeed(merge(&s, NULL, &err), err);
        check_merged(&s, "long runs");
        scene_end(&s);
    }
}
END_TEST

/* Dirty holes: over data they write zeros, and over a hole of the backing file there stays one. */
START_TEST(holes_become_zeros)
{
    enum { SIZE = 4 << 20 };
    struct model_spec spec = usual(COW_FORMAT_V3);
    spec.size_bytes = spec.backing_bytes = SIZE;
    spec.pattern = PATTERN_ALL;
    spec.garbage = false;
    struct cow_error err = {.status = 0};
    struct scene s = scene_of(&spec, false);
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
    scene_end(&s);
}
END_TEST

/* ---- the plan ---- */

static int plan_it(const struct scene *s, const char *backing, const struct cow_merge_options *opt, int event,
                   struct cow_error *err)
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

static void refuse(const struct scene *s, const struct cow_merge_options *opt, int wanted, const char *where)
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
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct scene s = scene_of(&spec, true);
    char *out = test_path("out"), *hard = test_path("hard"), *journal = test_path(".m.cowtui-journal");
    refuse(&s, &(struct cow_merge_options){.in_place = true, .output_path = out}, COW_USAGE, "both");
    must_succeed(plan_it(&s, NULL, &plain, -1, &err), err);
    static const uint64_t sizes[] = {0, 299 * 512, 300 * 512 - 1, 300 * 512 + 1, 301 * 512};
    for (size_t i = 0; i < 5; i++) {
        file_truncate(s.model->backing_path, sizes[i]);
        file_set_mtime(s.model->backing_path, MODEL_MTIME);
        refuse(&s, &plain, COW_REFUSED, "another size");
        refuse(&s, &forced, COW_REFUSED, "another size");
    }
    file_truncate(s.model->backing_path, spec.size_bytes);
    file_set_mtime(s.model->backing_path, MODEL_MTIME + 1);
    refuse(&s, &plain, COW_REFUSED, "another date");
    must_succeed(plan_it(&s, NULL, &forced, -1, &err), err);
    file_set_mtime(s.model->backing_path, MODEL_MTIME);
    must(link(s.model->cow_path, hard) == 0, "link");
    refuse(&s, &plain, COW_REFUSED, "two names");
    unlink(hard);
    file_write(journal, "x", 1);
    refuse(&s, &plain, COW_REFUSED, "pending");
    refuse(&s, &forced, COW_REFUSED, "pending");
    unlink(journal);
    unlink(s.model->backing_path);
    refuse(&s, &plain, COW_IO, "no backing file");
    refuse(&s, &forced, COW_IO, "no backing file");
    free(out);
    free(hard);
    free(journal);
    scene_end(&s);

    spec = usual(COW_FORMAT_QEMU);
    spec.backing_bytes = NO_BACKING;
    s = (struct scene){.model = model_create(&spec)};
    refuse(&s, &plain, COW_UNSUPPORTED, "QEMU");
    scene_end(&s);
}
END_TEST

START_TEST(what_changes_after_the_plan)
{
    for (int event = 1; event <= 2; event++) {
        struct cow_error err = {.status = 0};
        const struct model_spec spec = usual(COW_FORMAT_V3);
        struct scene s = scene_of(&spec, false);
        must_fail(plan_it(&s, NULL, &plain, event, &err), COW_REFUSED, err);
        must(witness_same_content(&s.image) && witness_same_content(&s.backing), "written");
        check_names(&s, "changed after the plan");
        check_disk(&s, "changed after the plan");
        scene_end(&s);
    }
}
END_TEST

/* A forced one with another date ends with a date that is neither. */
START_TEST(a_date_that_differs)
{
    static const struct cow_merge_options forced = {.in_place = true, .force = true};
    struct cow_error err = {.status = 0};
    const struct model_spec spec = usual(COW_FORMAT_V2);
    struct scene s = scene_of(&spec, false);
    file_set_mtime(s.model->backing_path, MODEL_MTIME + 1);
    s.backing = witness_of(s.model->backing_path);
    must_succeed(plan_it(&s, NULL, &forced, 0, &err), err);
    check_merged(&s, "another date");
    scene_end(&s);
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
        const struct model_spec spec = usual(COW_FORMAT_V3);
        struct scene s = scene_of(&spec, true);
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
            check_untouched(&s, "a wrong clock");
        }
        scene_end(&s);
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
        struct model_spec spec = usual(COW_FORMAT_V3);
        spec.pattern = PATTERN_ALL;
        struct scene s = scene_of(&spec, true);
        struct cow_io io = *quick_io();
        struct cow_plan *plan;
        struct cow_image *img;
        const struct cow_open_options options = {.io = &io};
        io.free_bytes = hardly_any_room;
        io.writes_elsewhere = elsewhere ? writes_elsewhere : NULL;
        must_succeed(cow_image_open(&img, s.model->cow_path, &options, &err), err);
        must_succeed(merge_plan(&plan, img, &err), err);
        const uint64_t needed = cow_plan_preview(plan)->needs_free_bytes;
        must(elsewhere ? needed > spec.size_bytes : needed < 96 * 1024, "needs %" PRIu64, needed);
        int status = cow_plan_probe(plan, &err);
        must(status == (elsewhere ? COW_IO : 0), "%s", err.message);
        must(!elsewhere || strstr(err.message, "copy on write") != NULL, "%s", err.message);
        check_untouched(&s, "after the trial");
        cow_plan_free(plan);
        cow_image_close(img);
        scene_end(&s);
    }
}
END_TEST

/* Named with -b: the image is to fit the file that was merged into. */
START_TEST(a_backing_file_by_another_name)
{
    for (int kind = 0; kind < 2; kind++) {
        struct cow_error err = {.status = 0};
        const struct model_spec spec = usual(COW_FORMAT_V1);
        struct scene s = scene_of(&spec, false);
        char *moved = test_path("n.img");
        if (kind == 0) { /* it has moved */
            must(rename(s.model->backing_path, moved) == 0, "rename");
        } else { /* the same by a link: the stored path stays */
            must(symlink("m.img", moved) == 0, "symlink");
        }
        must_succeed(plan_it(&s, moved, &plain, 0, &err), err);
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
        scene_end(&s);
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
    const struct model_spec spec = usual(COW_FORMAT_V3);
    struct scene s = scene_of(&spec, true);
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
        check_untouched(&s, "a guest");
        let_go(pid, go);
    }
    must_succeed(merge(&s, NULL, &err), err);
    check_merged(&s, "it has gone");
    scene_end(&s);
}
END_TEST

/* ---- the order of things ---- */

struct watch {
    const struct scene *scene;
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
        must(is_pending(), "the date changes without a journal");
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
    const struct model_spec spec = usual((enum cow_format)_i);
    struct scene s = scene_of(&spec, false);
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
    scene_end(&s);
}
END_TEST

/* ---- faults ---- */

static struct scene faulty_scene(int i)
{
    struct model_spec spec = usual(i == 0 ? COW_FORMAT_V3 : i == 1 ? COW_FORMAT_V1 : COW_FORMAT_QEMU);
    spec.short_file = i == 1;
    spec.sector_bytes = i == 1 ? 4096 : 512;
    spec.size_bytes = spec.backing_bytes = i == 1 ? 40 * 4096 - 100 : spec.size_bytes;
    spec.pattern = i == 1 ? PATTERN_RUNS : spec.pattern;
    return scene_of(&spec, true);
}

/* What was begun is finished, or nothing had been: never between. */
static void settle(const struct scene *s, const char *where)
{
    struct cow_error err = {.status = 0};
    int status = recover(s, NULL, &err);
    must(status == 0, "%s: recover: %s", where, err.message);
    must(!is_pending(), "%s: the journal is still there", where);
    if (file_inode(s->model->cow_path) == s->image.facts.st_ino) {
        check_untouched(s, where);
    } else {
        check_merged(s, where);
    }
    must_fail(recover(s, NULL, &err), COW_REFUSED, err);
}

/* Once more, without faults. */
static void again(const struct scene *s, const char *where)
{
    struct cow_error err = {.status = 0};
    if (file_inode(s->model->cow_path) == s->image.facts.st_ino) {
        int status = merge(s, NULL, &err);
        must(status == 0, "%s: again: %s", where, err.message);
    }
    check_merged(s, where);
}

static void fail_each_call(int i, enum fault_kind kind, int error)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        char where[128];
        struct scene s = faulty_scene(i);
        faulty_init(&f, kind, error, at);
        int status = merge(&s, &f.io, &err);
        const char *call = f.struck;
        snprintf(where, sizeof where, "call %" PRIu64 " (%s) with %s%s", at, call != NULL ? call : "none",
                 strerror(error),
                 kind == FAULT_LATE    ? ", late"
                 : kind == FAULT_CRASH ? ", crash"
                                       : "");
        check_disk(&s, where);
        must(status != 0 || !is_pending(), "%s: a success with a journal", where);
        if (status == 0) {
            must(call == NULL || error == EINTR || error == EXDEV || strcmp(call, "fchown") == 0 ||
                     strcmp(call, "unlink") == 0 ||
                     /* read and written instead, and that is looked at below */
                     (strcmp(call, "copy_range") == 0 && error == EIO),
                 "%s: called a success", where);
            check_merged(&s, where);
        } else if (is_pending()) {
            must(kind == FAULT_CRASH || strstr(err.hint, "recover") != NULL, "%s: the hint is \"%s\"", where,
                 err.hint);
            struct cow_error other = {.status = 0}; /* nobody changes it before it is settled */
            must_fail(merge(&s, NULL, &other), COW_REFUSED, other);
            settle(&s, where);
        } else if (file_inode(s.model->cow_path) != s.image.facts.st_ino) { /* it was the last step */
            check_merged(&s, where);
        } else if (kind == FAULT_CRASH) {
            witness_check(&s.image, where);
            witness_check(&s.backing, where);
        } else {
            check_untouched(&s, where);
        }
        again(&s, where);
        scene_end(&s);
        if (call == NULL) {
            must(at > 20, "only %" PRIu64 " calls: the table is not used", at);
            return;
        }
    }
}

START_TEST(an_io_error_at_each_call)
{
    fail_each_call(_i, FAULT_ERROR, EIO);
}
END_TEST

START_TEST(a_full_disk_at_each_call)
{
    fail_each_call(_i, FAULT_ERROR, ENOSPC);
}
END_TEST

START_TEST(a_signal_at_each_call)
{
    fail_each_call(_i, FAULT_ERROR, EINTR);
}
END_TEST

START_TEST(an_error_after_the_work_was_done)
{
    fail_each_call(_i, FAULT_LATE, EIO);
}
END_TEST

START_TEST(a_crash_at_each_call)
{
    fail_each_call(_i, FAULT_CRASH, EIO);
}
END_TEST

START_TEST(short_writes_are_gone_on_with)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    struct scene s = faulty_scene(_i);
    faulty_init(&f, FAULT_SHORT, 0, 1);
    must_succeed(merge(&s, &f.io, &err), err);
    check_merged(&s, "short writes");
    scene_end(&s);
}
END_TEST

START_TEST(a_crash_in_each_recovery)
{
    for (uint64_t at = 2 + (uint64_t)_i % 2;; at += 2) {
        for (uint64_t later = 1;; later++) {
            struct faulty f;
            struct cow_error err = {.status = 0};
            char where[128];
            struct scene s = faulty_scene(_i);
            faulty_init(&f, FAULT_CRASH, EIO, at);
            (void)merge(&s, &f.io, &err);
            if (f.struck == NULL) {
                scene_end(&s);
                return;
            }
            bool struck = false;
            if (is_pending()) {
                snprintf(where, sizeof where, "crash at call %" PRIu64 " (%s), in recovery at %" PRIu64, at,
                         f.struck, later);
                faulty_init(&f, FAULT_CRASH, EIO, later);
                int status = recover(&s, &f.io, &err);
                struck = f.struck != NULL;
                must(status == 0 || struck, "%s: %s", where, err.message);
                check_disk(&s, where);
                if (is_pending()) {
                    settle(&s, where);
                }
                again(&s, where);
            }
            scene_end(&s);
            if (!struck) {
                break;
            }
        }
    }
}
END_TEST

/* An interrupted merge whose files are others by now, or gone, is left alone until they are there again. */
START_TEST(recovery_without_its_files)
{
    for (int kind = 0; kind < 3; kind++) {
        struct cow_error err = {.status = 0};
        struct scene s = faulty_scene(_i);
        char *fresh = test_path(".m.cowtui-new"), *away = test_path("away");
        for (uint64_t at = 1; !is_pending() || file_mtime(s.model->backing_path) == MODEL_MTIME; at++) {
            struct faulty f; /* until it has begun to write; earlier crashes are taken back */
            if (is_pending()) {
                must_succeed(recover(&s, NULL, &err), err);
            }
            unlink(fresh);
            faulty_init(&f, FAULT_CRASH, EIO, at);
            must(merge(&s, &f.io, &err) != 0, "the test itself");
        }
        const char *missing = kind == 2 ? fresh : s.model->backing_path;
        must(rename(missing, away) == 0, "rename");
        if (kind == 1) { /* a copy of it */
            file_write(missing, s.model->backing, s.model->spec.backing_bytes);
        }
        char *before = directory_list(test_directory());
        int status = recover(&s, NULL, &err);
        must_fail(status, kind == 0 ? COW_IO : COW_REFUSED, err);
        char *after = directory_list(test_directory());
        ck_assert_str_eq(after, before);
        witness_check(&s.image, "left alone");
        must(rename(away, missing) == 0, "rename");
        check_disk(&s, "there again");
        settle(&s, "there again");
        again(&s, "there again");
        free(fresh);
        free(away);
        free(before);
        free(after);
        scene_end(&s);
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
    if (++asked->calls != asked->stop_at) {
        return false;
    }
    asked->could = progress->can_cancel;
    return true;
}

START_TEST(stopping)
{
    bool done = false;
    for (unsigned at = 1; !done; at++) {
        struct asked asked = {.stop_at = at};
        const struct cow_env env = {.progress = ask, .context = &asked};
        const struct cow_open_options options = {.io = quick_io()};
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        struct scene s = faulty_scene(_i);
        must_succeed(cow_image_open(&img, s.model->cow_path, &options, &err), err);
        must_succeed(cow_plan_merge(&plan, img, &plain, &err), err);
        int status = cow_plan_commit(plan, &env, &err);
        done = asked.calls < at;
        if (status == 0) {
            must(done || !asked.could, "asked at %u, and not stopped", at);
            check_merged(&s, "not stopped");
        } else {
            must_fail(status, COW_CANCELLED, err);
            must(asked.could, "stopped where it cannot be");
            check_untouched(&s, "stopped");
        }
        cow_plan_free(plan);
        cow_image_close(img);
        scene_end(&s);
    }
}
END_TEST

/* Older undo data speaks of an image that is no more. */
START_TEST(older_undo_data_goes)
{
    struct cow_error err = {.status = 0};
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct scene s = scene_of(&spec, false);
    const struct cow_rewrite_options pages = {.complete_pages = true};
    const struct cow_open_options options = {.io = quick_io()};
    struct cow_image *img;
    struct cow_plan *plan;
    char *undo = test_path(".m.cowtui-undo");
    must_succeed(cow_image_open(&img, s.model->cow_path, &options, &err), err);
    must_succeed(cow_plan_rewrite(&plan, img, &pages, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    must(file_exists(undo), "the test itself");
    must_succeed(merge(&s, NULL, &err), err);
    check_merged(&s, "older undo data");
    free(undo);
    scene_end(&s);
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
    tcase_add_loop_test(tc, an_io_error_at_each_call, 0, 3);
    tcase_add_loop_test(tc, a_full_disk_at_each_call, 0, 3);
    tcase_add_loop_test(tc, a_signal_at_each_call, 0, 3);
    tcase_add_loop_test(tc, an_error_after_the_work_was_done, 0, 3);
    tcase_add_loop_test(tc, a_crash_at_each_call, 0, 3);
    tcase_add_loop_test(tc, short_writes_are_gone_on_with, 0, 3);
    tcase_add_loop_test(tc, a_crash_in_each_recovery, 0, 3);
    tcase_add_loop_test(tc, recovery_without_its_files, 0, 3);
    tcase_add_loop_test(tc, stopping, 0, 3);
    tcase_add_test(tc, older_undo_data_goes);
    suite_add_tcase(suite, tc);
    return suite;
}
