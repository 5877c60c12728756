/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Commits that succeed, over a matrix of variants, sector sizes, patterns and garbage, judged by the model;
 * and those that must not begin: locks, changed files, no space.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "changes.h"
#include "faulty.h"

/* What the core itself makes of the result: contents, verdict, and the prediction of it. */
static void check_by_the_core(const struct subject *s)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_verdict verdict;
    must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
    uint8_t *disk = malloc(s->new_bytes);
    must(disk != NULL, "out of memory");
    must_succeed(cow_image_read(img, 0, disk, s->new_bytes, &err), err);
    must(memcmp(disk, s->new_disk, s->new_bytes) == 0, "%s: the core reads another disk",
         subject_describe(s));
    free(disk);
    cow_image_verdict(img, &verdict);
    bool opens = s->change.operation != OPERATION_KEEP || s->change.spec.backing_bytes == s->new_bytes;
    must(verdict.opens == opens || s->model->backing_path == NULL, "%s: opens is %d: %s", subject_describe(s),
         verdict.opens, verdict.reason);
    cow_image_close(img);
}

static void commit_one(const struct change *change)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(change);
    const bool replaced = subject_changes_image(s) && !s->in_place;
    int old = replaced ? open(s->target, O_RDONLY | O_CLOEXEC) : -1;
    faulty_init(&f, FAULT_NONE, 0, 0);
    int status = subject_run(s, &f.io, NULL, &planned, &err);
    must(status == 0, "%s: %s", subject_describe(s), err.message);
    subject_check_done(s, "commit");
    must(f.n_unsynced == 0 && f.renames_unsynced == 0, "%s: not durable", subject_describe(s));
    if (change->operation != OPERATION_MERGE) {
        check_by_the_core(s);
    }
    if (old >= 0) { /* who still has the old file open must not go on with it */
        uint8_t size[8], mark[8];
        memset(mark, 0xff, sizeof mark);
        must(pread(old, size, 8, shapes[change->spec.format].size) == 8 && memcmp(size, mark, 8) == 0,
             "%s: the old file is not marked", subject_describe(s));
        close(old);
    }
    subject_check_undo(s, "commit");
    subject_free(s);
}

static uint32_t sector_of(enum cow_format format, uint64_t seed)
{
    static const uint32_t sizes[] = {512, 512, 1024, 4096, 65536};
    return shapes[format].kind == 'q' ? 512 : sizes[seed % 5];
}

/* Sizes whose last sector, byte of bitmap, and page are partial or not. */
static uint64_t size_of(enum cow_format format, uint64_t seed)
{
    static const uint64_t sizes[] = {128 * 512, 65 * 512, 300 * 512, 1861 * 512, 700 * 512, 72 * 512};
    uint64_t size = sizes[seed % 6];
    return shapes[format].kind == 'q' || seed % 3 != 1 ? size : size - 1 - seed % 511;
}

START_TEST(the_matrix)
{
    const enum cow_format format = (enum cow_format)(_i / OPERATIONS);
    const enum operation operation = (enum operation)(_i % OPERATIONS);
    if (operation == OPERATION_CREATE && format != COW_FORMAT_V3) {
        return;
    }
    for (uint64_t n = 0; n < 8; n++) {
        const uint64_t seed = n + (uint64_t)_i * 7;
        struct change change = {.operation = operation};
        struct model_spec *spec = &change.spec;
        *spec =
            (struct model_spec){.format = format,
                                .sector_bytes = sector_of(format, seed),
                                .size_bytes = size_of(format, n),
                                .alignment = shapes[format].kind == 'a' ? (seed % 2 == 0 ? 4096 : 512) : 0,
                                .pattern = (enum pattern)(seed % PATTERNS),
                                .garbage = n % 2 == 0,
                                .short_file = seed % 9 == 4,
                                .seed = seed};
        spec->backing_bytes = spec->size_bytes;
        if (operation == OPERATION_CREATE) {
            spec->size_bytes = spec->backing_bytes = (spec->size_bytes + 511) / 512 * 512;
        } else if (operation != OPERATION_EXTEND) {
            change.elsewhere = operation != OPERATION_MERGE && seed % 4 == 3;
            spec->backing_bytes = seed % 6 == 5 ? spec->size_bytes / 2 : spec->backing_bytes;
            if (shapes[format].kind == 'q' && operation != OPERATION_KEEP && n % 4 == 2) {
                spec->backing_bytes = NO_BACKING;
            }
        }
        static const uint64_t more[] = {512, 7 * 512, 4096, 100 * 512, 0, 3000 * 512};
        change.new_bytes = (spec->size_bytes + 511) / 512 * 512 + more[seed % 6];
        if (operation == OPERATION_SHRINK) {
            change.new_bytes = spec->size_bytes * (n + 1) / 10 / 512 * 512;
            change.new_bytes = change.new_bytes <= 32768 ? 33280 : change.new_bytes;
            spec->dull_from = change.new_bytes;
        }
        if (change.new_bytes == spec->size_bytes && !change.elsewhere && operation != OPERATION_COPY) {
            change.new_bytes += 512;
        }
        commit_one(&change);
    }
}
END_TEST

/* Runs of more than 1 MiB are moved whole: their edges, an odd end, a backing that is shorter or longer. */
START_TEST(long_runs_are_moved_whole)
{
    static const enum operation operations[] = {OPERATION_MERGE, OPERATION_KEEP, OPERATION_MERGE,
                                                OPERATION_COPY};
    static const uint64_t backings[] = {6 << 20, 7 << 20, (3 << 20) + 1000, 0};
    for (unsigned i = 0; i < 12; i++) {
        const uint64_t size = (6 << 20) - 333 * (i / 2 % 2);
        struct change change = {.operation = operations[i % 4],
                                .spec = {.format = COW_FORMAT_V3,
                                         .sector_bytes = 512,
                                         .alignment = i % 2 == 0 ? 512 : 4096,
                                         .size_bytes = size,
                                         .backing_bytes = backings[i / 3],
                                         .pattern = i % 3 == 2 ? PATTERN_ALL : PATTERN_LONG,
                                         .garbage = true,
                                         .short_file = i % 5 == 4,
                                         .seed = i * 501},
                                .new_bytes = 8 << 20};
        if (change.operation == OPERATION_KEEP && size % 512 != 0) {
            change.spec.backing_bytes = size; /* a longer one has its own test */
        }
        commit_one(&change);
    }
}
END_TEST

/* A backing that is longer than the disk: what it holds past the disk's end must not come to light. */
START_TEST(bytes_past_an_odd_end_are_zero)
{
    static const enum operation operations[] = {OPERATION_COPY, OPERATION_KEEP};
    for (unsigned i = 0; i < 36; i++) {
        struct change change = {.operation = operations[i % 2],
                                .spec = {.format = i % 5 < 2   ? COW_FORMAT_V3
                                                   : i % 5 < 4 ? COW_FORMAT_V2
                                                               : COW_FORMAT_V3_64,
                                         .sector_bytes = i % 4 < 2 ? 512 : 4096,
                                         .alignment = i % 5 < 2 || i % 5 == 4 ? 4096 : 0,
                                         .size_bytes = 100 * 4096 - 333,
                                         .backing_bytes = 120 * 4096,
                                         .pattern = i % 3 == 0   ? PATTERN_NONE
                                                    : i % 3 == 1 ? PATTERN_RUNS
                                                                 : PATTERN_ALL,
                                         .garbage = true,
                                         .seed = 17 + i},
                                .new_bytes = 110 * 4096};
        commit_one(&change);
    }
}
END_TEST

START_TEST(extend_goes_on_where_the_backing_is_long_already)
{
    struct change change = {.operation = OPERATION_EXTEND,
                            .spec = {.format = COW_FORMAT_V3,
                                     .sector_bytes = 512,
                                     .alignment = 4096,
                                     .size_bytes = 200 * 512,
                                     .backing_bytes = 200 * 512,
                                     .pattern = PATTERN_RUNS,
                                     .seed = 4},
                            .new_bytes = 300 * 512};
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(&change);
    file_truncate(s->model->backing_path, change.new_bytes);
    file_set_mtime(s->model->backing_path, MODEL_MTIME);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    subject_check_done(s, "long already");
    subject_free(s);
}
END_TEST

static struct change usual(enum operation operation)
{
    const uint64_t shrunk = operation == OPERATION_SHRINK ? 200 * 512 : 0;
    return (struct change){.operation = operation,
                           .spec = {.format = COW_FORMAT_V3,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .size_bytes = 400 * 512,
                                    .backing_bytes = 400 * 512,
                                    .pattern = PATTERN_RUNS,
                                    .garbage = true,
                                    .dull_from = shrunk,
                                    .seed = 5},
                           .new_bytes = shrunk != 0 ? shrunk : 600 * 512};
}

/* More than the bitmap has room for where it is. */
static struct change by_copy(enum operation operation)
{
    struct change change = usual(operation);
    change.reserve_bytes = UINT64_C(1) << 30;
    return change;
}

START_TEST(owner_mode_and_xattrs_are_kept)
{
    for (unsigned i = 0; i < 6; i++) {
        const enum operation operation = (enum operation)(OPERATION_EXTEND + i / 2);
        const struct change change = i % 2 == 0 ? usual(operation) : by_copy(operation);
        struct cow_error err = {.status = 0};
        bool planned;
        struct subject *s = subject_create(&change);
        const char *path = s->model->cow_path;
        char value[64] = "";
        bool xattrs =
            setxattr(path, "user.first", "one", 3, 0) == 0 && setxattr(path, "user.empty", "", 0, 0) == 0;
        must(chmod(path, 0604) == 0, "chmod");
        bool other = geteuid() == 0 && chown(path, 12345, 23456) == 0;
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        struct stat facts;
        must(stat(path, &facts) == 0 && (facts.st_mode & 07777) == 0604, "mode %o", facts.st_mode);
        must(!other || (facts.st_uid == 12345 && facts.st_gid == 23456), "owner");
        must(!xattrs ||
                 (getxattr(path, "user.first", value, sizeof value) == 3 && memcmp(value, "one", 3) == 0 &&
                  getxattr(path, "user.empty", value, sizeof value) == 0),
             "xattrs");
        subject_free(s);
    }
}
END_TEST

START_TEST(a_link_stays_a_link)
{
    const struct change change = usual(OPERATION_KEEP);
    struct subject *s = subject_create(&change);
    char *soft = test_path("soft");
    must(symlink("m", soft) == 0, "symlink");
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_open(&img, soft, NULL, &err), err);
    const struct cow_resize_options opt = {.size_bytes = change.new_bytes, .policy = COW_POLICY_KEEP};
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    struct stat facts;
    must(lstat(soft, &facts) == 0 && S_ISLNK(facts.st_mode), "the link was replaced");
    unlink(soft);
    subject_check_done(s, "through a link");
    free(soft);
    subject_free(s);
}
END_TEST

START_TEST(a_merge_keeps_holes)
{
    struct change change = usual(OPERATION_MERGE);
    change.spec.size_bytes = change.spec.backing_bytes = 40000 * 512;
    change.spec.pattern = PATTERN_FAR;
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(&change);
    struct stat facts;
    file_truncate(s->model->backing_path, 0); /* one hole */
    file_truncate(s->model->backing_path, change.spec.backing_bytes);
    file_set_mtime(s->model->backing_path, MODEL_MTIME);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    must(stat(s->target, &facts) == 0, "stat");
    must(facts.st_blocks * 512 < 4 * 1024 * 1024 && facts.st_size == 40000 * 512,
         "%" PRId64 " bytes allocated", (int64_t)facts.st_blocks * 512);
    subject_free(s);
}
END_TEST

/* ---- commits that must not begin ---- */

/* Plans, lets something happen, commits. */
static int commit_after(struct subject *s, void (*happen)(struct subject *s), struct cow_error *err)
{
    struct cow_image *img;
    struct cow_plan *plan;
    char *out = test_path("out");
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, err), *err);
    if (s->change.operation == OPERATION_MERGE) {
        const struct cow_merge_options opt = {.output_path = out};
        must_succeed(cow_plan_merge(&plan, img, &opt, err), *err);
    } else {
        const struct cow_resize_options opt = {
            .size_bytes = s->new_bytes,
            .policy = s->change.operation == OPERATION_EXTEND ? COW_POLICY_EXTEND : COW_POLICY_KEEP};
        must_succeed(cow_plan_resize(&plan, img, &opt, err), *err);
    }
    happen(s);
    int status = cow_plan_commit(plan, NULL, err);
    cow_plan_free(plan);
    cow_image_close(img);
    free(out);
    return status;
}

static void touch_image(struct subject *s)
{
    file_write_at(s->model->cow_path, s->model->geometry.data_offset, "guest", 5);
    s->image = witness_of(s->model->cow_path);
}

static void lengthen_image(struct subject *s)
{
    file_truncate(s->model->cow_path, s->model->geometry.end_offset + 10);
    s->image = witness_of(s->model->cow_path);
}

static void replace_image(struct subject *s)
{
    char *other = test_path("other"), *old = test_path("old");
    uint8_t *bytes = malloc(file_size(s->model->cow_path));
    must(bytes != NULL, "out of memory");
    file_read(s->model->cow_path, 0, bytes, file_size(s->model->cow_path));
    file_write(other, bytes, file_size(s->model->cow_path));
    must(rename(other, s->model->cow_path) == 0, "rename");
    s->image = witness_of(s->model->cow_path);
    free(bytes);
    free(other);
    free(old);
}

static void touch_backing(struct subject *s)
{
    file_set_mtime(s->model->backing_path, MODEL_MTIME + 9);
    s->backing = witness_of(s->model->backing_path);
}

static void remove_backing(struct subject *s)
{
    unlink(s->model->backing_path);
}

START_TEST(what_changed_since_the_plan_is_refused)
{
    static void (*const events[])(struct subject *) = {touch_image, lengthen_image, replace_image,
                                                       touch_backing};
    static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_KEEP, OPERATION_MERGE};
    for (unsigned k = 0; k < 3; k++) {
        const struct change change = usual(operations[k]);
        for (unsigned i = 0; i < 4; i++) {
            struct cow_error err = {.status = 0};
            struct subject *s = subject_create(&change);
            must_fail(commit_after(s, events[i], &err), COW_REFUSED, err);
            subject_check_untouched(s, "changed since the plan");
            subject_free(s);
        }
        struct cow_error err = {.status = 0};
        struct subject *s = subject_create(&change);
        must_fail(commit_after(s, remove_backing, &err), COW_IO, err);
        witness_check(&s->image, "without backing");
        subject_free(s);
    }
}
END_TEST

START_TEST(a_guests_lock_is_never_overridden)
{
    static const struct {
        enum operation operation;
        bool on_backing;
        short type;
        bool locked;
    } table[] = {
        {OPERATION_EXTEND, false, F_WRLCK, true}, {OPERATION_COPY, false, F_WRLCK, true},
        {OPERATION_KEEP, false, F_WRLCK, true},   {OPERATION_KEEP, false, F_RDLCK, true},
        {OPERATION_SHRINK, false, F_WRLCK, true}, {OPERATION_SHRINK, true, F_RDLCK, false},
        {OPERATION_MERGE, false, F_WRLCK, true},  {OPERATION_MERGE, false, F_RDLCK, false},
        {OPERATION_EXTEND, true, F_RDLCK, true}, /* another guest runs on the same backing */
        {OPERATION_KEEP, true, F_RDLCK, false},   {OPERATION_COPY, true, F_RDLCK, false},
        {OPERATION_MERGE, true, F_RDLCK, false},  {OPERATION_MERGE, true, F_WRLCK, true},
        {OPERATION_CREATE, true, F_WRLCK, true},  {OPERATION_CREATE, true, F_RDLCK, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct change change = usual(table[i].operation);
        struct cow_error err = {.status = 0};
        bool planned;
        char number[32];
        int go;
        struct subject *s = subject_create(&change);
        pid_t pid =
            hold_lock(table[i].on_backing ? s->model->backing_path : s->model->cow_path, table[i].type, &go);
        int status = subject_run(s, NULL, NULL, &planned, &err);
        if (table[i].locked) {
            must(status == COW_LOCKED, "row %zu: %d: %s", i, status, err.message);
            must_fail(status, COW_LOCKED, err);
            snprintf(number, sizeof number, "pid %d", (int)pid);
            must(strstr(err.message, number) != NULL, "row %zu: \"%s\" does not name %s", i, err.message,
                 number);
            subject_check_untouched(s, "locked");
        } else {
            must(status == 0, "row %zu: %s", i, err.message);
            subject_check_done(s, "beside a reader");
        }
        close(go);
        must(waitpid(pid, NULL, 0) == pid, "waitpid");
        subject_free(s);
    }
}
END_TEST

START_TEST(a_merge_beside_a_guest_if_forced)
{
    struct change change = usual(OPERATION_MERGE);
    change.force = true;
    struct cow_error err = {.status = 0};
    bool planned;
    int go;
    struct subject *s = subject_create(&change);
    pid_t pid = hold_lock(s->model->cow_path, F_WRLCK, &go);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    subject_check_done(s, "forced");
    close(go);
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
    subject_free(s);
}
END_TEST

START_TEST(another_cowtui_at_work_is_not_disturbed)
{
    const struct change change = by_copy(OPERATION_KEEP);
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(&change);
    char *temp = test_path(".m.cowtui-new");
    file_write(temp, "in the making", 13);
    int fd = open(temp, O_RDWR | O_CLOEXEC);
    must(fd >= 0 && io_system.lock(NULL, fd, IO_LOCK_WRITE) == 0, "lock");
    must_fail(subject_run(s, NULL, NULL, &planned, &err), COW_LOCKED, err);
    char text[16] = "";
    file_read(temp, 0, text, 13);
    ck_assert_str_eq(text, "in the making");
    witness_check(&s->image, "locked by another");
    close(fd);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err); /* it was left over */
    subject_check_done(s, "left over");
    must(!file_exists(temp), "the left-over is still there");
    free(temp);
    subject_free(s);
}
END_TEST

START_TEST(what_lies_in_the_way_is_not_followed)
{
    const struct change change = by_copy(OPERATION_KEEP);
    for (int kind = 0; kind < 2; kind++) {
        struct cow_error err = {.status = 0};
        bool planned;
        struct subject *s = subject_create(&change);
        char *temp = test_path(".m.cowtui-new"), *precious = test_path("precious");
        file_write(precious, "precious", 8);
        const struct witness before = witness_of(precious);
        must((kind == 0 ? symlink(precious, temp) : mkdir(temp, 0700)) == 0, "fixture");
        must(subject_run(s, NULL, NULL, &planned, &err) != 0, "it was replaced");
        must(is_terminal_safe(err.message) && err.message[0] != '\0', "message");
        witness_check(&before, "in the way");
        witness_check(&s->image, "in the way");
        must(file_exists(temp), "it was removed");
        free(temp);
        free(precious);
        subject_free(s);
    }
}
END_TEST

static int no_free_bytes(void *context, int fd, uint64_t *out)
{
    (void)context;
    (void)fd;
    *out = 1000;
    return 0;
}

START_TEST(without_space_nothing_is_begun)
{
    for (enum operation operation = OPERATION_EXTEND; operation <= OPERATION_MERGE; operation++) {
        const struct change change = usual(operation);
        struct faulty f;
        struct cow_error err = {.status = 0};
        bool planned;
        struct subject *s = subject_create(&change);
        faulty_init(&f, FAULT_NONE, 0, 0);
        f.io.free_bytes = no_free_bytes;
        must_fail(subject_run(s, &f.io, NULL, &planned, &err), COW_IO, err);
        must(strstr(err.message, "space") != NULL && planned, "\"%s\"", err.message);
        subject_check_untouched(s, "without space");
        subject_free(s);
    }
}
END_TEST

START_TEST(a_plan_is_committed_once)
{
    const struct change change = usual(OPERATION_KEEP);
    struct cow_error err = {.status = 0};
    struct subject *s = subject_create(&change);
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, &err), err);
    const struct cow_resize_options opt = {.size_bytes = s->new_bytes, .policy = COW_POLICY_KEEP};
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    const struct witness after = witness_of(s->target);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_USAGE, err);
    witness_check(&after, "committed twice");
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

START_TEST(an_output_that_appears_meanwhile_is_not_replaced)
{
    const struct change change = usual(OPERATION_MERGE);
    struct cow_error err = {.status = 0};
    struct subject *s = subject_create(&change);
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, &err), err);
    const struct cow_merge_options opt = {.output_path = s->target};
    must_succeed(cow_plan_merge(&plan, img, &opt, &err), err);
    file_write(s->target, "somebody else's", 15);
    const struct witness before = witness_of(s->target);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
    witness_check(&before, "appeared meanwhile");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, "m m.img out");
    free(names);
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

START_TEST(a_reserve_is_kept)
{
    const struct change change = usual(OPERATION_KEEP);
    struct cow_error err = {.status = 0};
    struct subject *s = subject_create(&change);
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, &err), err);
    const struct cow_resize_options opt = {
        .size_bytes = s->new_bytes, .policy = COW_POLICY_KEEP, .reserve_bytes = UINT64_C(100) << 30};
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    struct model_view view;
    must(model_read_header(&view, s->target, COW_FORMAT_V3), "header");
    const struct geometry later = model_geometry(COW_FORMAT_V3, UINT64_C(100) << 30, 512, view.alignment);
    must(later.data_offset == view.geometry.data_offset, "growing to the reserve moves the data");
    cow_plan_free(plan);
    cow_image_close(img);
    subject_free(s);
}
END_TEST

/* A backing file that is cut while it is read is an error, no zeros. */
static bool cut_it(void *context, const struct cow_progress *progress)
{
    if (strcmp(progress->phase, "writing the disk") == 0 ||
        strcmp(progress->phase, "copying the backing file") == 0) {
        file_truncate(context, 512);
    }
    return false;
}

START_TEST(a_backing_that_gets_shorter_while_it_is_read)
{
    struct change change = {.operation = _i == 0 ? OPERATION_MERGE : OPERATION_COPY,
                            .spec = {.format = COW_FORMAT_V3,
                                     .sector_bytes = 512,
                                     .alignment = 4096,
                                     .size_bytes = 300 * 512,
                                     .backing_bytes = 300 * 512,
                                     .pattern = PATTERN_RUNS,
                                     .seed = 3},
                            .new_bytes = 400 * 512};
    struct subject *s = subject_create(&change);
    struct cow_error err = {.status = 0};
    bool planned;
    const struct cow_env env = {.progress = cut_it, .context = s->model->backing_path};
    must_fail(subject_run(s, NULL, &env, &planned, &err), COW_IO, err);
    must(planned && strstr(err.message, "shorter") != NULL, "\"%s\"", err.message);
    must(!file_exists(s->target) || _i != 0, "a half merged disk");
    subject_free(s);
}
END_TEST

Suite *commit_suite(void)
{
    Suite *suite = suite_create("commit");
    TCase *tc = tcase_create("commit");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_backing_that_gets_shorter_while_it_is_read, 0, 2);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, the_matrix, 0, (int)COW_FORMATS * (int)OPERATIONS);
    tcase_add_test(tc, long_runs_are_moved_whole);
    tcase_add_test(tc, bytes_past_an_odd_end_are_zero);
    tcase_add_test(tc, extend_goes_on_where_the_backing_is_long_already);
    tcase_add_test(tc, owner_mode_and_xattrs_are_kept);
    tcase_add_test(tc, a_link_stays_a_link);
    tcase_add_test(tc, a_merge_keeps_holes);
    tcase_add_test(tc, a_reserve_is_kept);
    suite_add_tcase(suite, tc);
    tc = tcase_create("not begun");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, what_changed_since_the_plan_is_refused);
    tcase_add_test(tc, a_guests_lock_is_never_overridden);
    tcase_add_test(tc, a_merge_beside_a_guest_if_forced);
    tcase_add_test(tc, another_cowtui_at_work_is_not_disturbed);
    tcase_add_test(tc, what_lies_in_the_way_is_not_followed);
    tcase_add_test(tc, without_space_nothing_is_begun);
    tcase_add_test(tc, a_plan_is_committed_once);
    tcase_add_test(tc, an_output_that_appears_meanwhile_is_not_replaced);
    suite_add_tcase(suite, tc);
    return suite;
}
