/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The filesystem gets its size with the disk. What writes it is played here by a program that writes pages
 * anywhere on the disk that it is given: by each method the new disk is the old one with those pages, and
 * undo gives back the old one, byte for byte. Where that program fails nothing has changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/io.h"
#include "guestfs_disk.h"

enum { KIB = 1024, OLD_BYTES = 3 * KIB * KIB, NEW_BYTES = 6 * KIB * KIB, PAGE = 4096, WRITES = 40 };

/* A page that is written: where, and with what. */
struct write {
    uint64_t offset;
    uint8_t fill; /* 0: a hole */
};

struct program {
    struct write write[WRITES];
    unsigned writes;
    unsigned runs;
    int status; /* that it answers, having written half of it */
    uint64_t disk_bytes, new_disk_bytes, fs_bytes;
    const char *replaces; /* a file in whose place somebody puts a copy of it meanwhile */
};

/* Writes as a server of the disk would, by the model's own geometry. */
static int run_program(void *context, const struct cow_fs_job *job, struct cow_error *err)
{
    struct program *p = context;
    uint8_t field[4], page[PAGE];
    must(pread(job->image_fd, field, 4, (off_t)shapes[COW_FORMAT_V3].alignment) == 4, "its alignment");
    const uint32_t alignment =
        (uint32_t)field[0] << 24 | (uint32_t)field[1] << 16 | (uint32_t)field[2] << 8 | field[3];
    const struct geometry g = model_geometry(COW_FORMAT_V3, job->disk_bytes, 512, alignment);
    p->runs++;
    p->disk_bytes = job->disk_bytes;
    p->new_disk_bytes = job->new_disk_bytes;
    p->fs_bytes = job->fs_bytes;
    for (unsigned i = 0; i < (p->status == 0 ? p->writes : p->writes / 2); i++) {
        const struct write *w = &p->write[i];
        uint8_t bits = 0xff;
        must(w->offset + PAGE <= job->disk_bytes, "the test itself");
        memset(page, w->fill, sizeof page);
        if (w->fill == 0) {
            must(fallocate(job->image_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           (off_t)(g.data_offset + w->offset), PAGE) == 0,
                 "a hole");
        } else {
            file_write_to(job->image_fd, g.data_offset + w->offset, page, sizeof page);
        }
        file_write_to(job->image_fd, g.bitmap_offset + w->offset / PAGE, &bits, 1);
    }
    if (p->replaces != NULL) {
        char command[1024];
        snprintf(command, sizeof command, "cp -p '%s' '%s.other' && mv '%s.other' '%s'", p->replaces,
                 p->replaces, p->replaces, p->replaces);
        must(system(command) == 0, "%s", command);
    }
    return p->status == 0 ? 0 : cow_error_set(err, p->status, "the program failed");
}

static void choose_writes(struct program *p, struct rng *rng, uint64_t end)
{
    p->writes = WRITES;
    for (unsigned i = 0; i < WRITES; i++) {
        p->write[i] = (struct write){.offset = rng_below(rng, end / PAGE) * PAGE,
                                     .fill = (uint8_t)rng_below(rng, 4) == 0 ? 0 : (uint8_t)(1 + i)};
    }
}

/* A disk with a filesystem on it; half of its pages, and some sectors, are in the COW. */
static struct disk *make_disk(enum cow_format format, uint64_t tail_bytes)
{
    const struct ext_spec spec = {1024, OLD_BYTES / 1024, 1024, 128, true};
    char *path = test_path("fs");
    ext_close(ext_make(path, &spec));
    struct disk *disk = disk_new(format, 512, OLD_BYTES + tail_bytes);
    disk_put(disk, 0, path, path);
    for (uint64_t at = 0; at < OLD_BYTES; at += 64 * KIB) {
        disk_make_dirty(disk, at, 32 * KIB + 512 * (at / (64 * KIB)));
    }
    disk_write(disk);
    free(path);
    return disk;
}

/* What there must be: the old disk, longer or shorter, with those pages. */
static void check_disk(const struct disk *disk, const struct program *p, uint64_t size_bytes,
                       const char *where)
{
    uint64_t got_bytes;
    uint8_t *got = model_compose(disk->cow_path, COW_FORMAT_V3, NULL, &got_bytes);
    uint8_t *want = calloc(1, NEW_BYTES + OLD_BYTES);
    must(got != NULL && want != NULL && got_bytes == size_bytes, "%s: %" PRIu64 " bytes", where, got_bytes);
    memcpy(want, disk->after, disk->size_bytes);
    for (unsigned i = 0; i < p->writes; i++) {
        memset(want + p->write[i].offset, p->write[i].fill, PAGE);
    }
    for (uint64_t at = 0; at < size_bytes; at += 512) {
        const size_t n = size_bytes - at < 512 ? size_bytes - at : 512;
        must(memcmp(want + at, got + at, n) == 0, "%s: the sector at %" PRIu64 " is another one", where, at);
    }
    free(want);
    free(got);
}

static int resize(const struct disk *disk, struct program *p, const struct cow_resize_options *opt,
                  enum cow_method *method, struct cow_error *err)
{
    const struct cow_env env = {.resize_fs = run_program, .context = p};
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    must_succeed(cow_image_open(&img, disk->cow_path, NULL, err), *err);
    int status = cow_plan_resize(&plan, img, opt, err);
    if (status == 0) {
        *method = cow_plan_preview(plan)->method;
        must(cow_plan_preview(plan)->fs_after_bytes != 0, "the preview knows of no filesystem");
        status = cow_plan_commit(plan, &env, err);
    }
    cow_plan_free(plan);
    cow_image_close(img);
    return status;
}

static void undo(const struct disk *disk)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    must_succeed(cow_image_open(&img, disk->cow_path, NULL, &err), err);
    must_succeed(cow_plan_undo(&plan, img, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
}

static const struct way {
    const char *name;
    struct cow_resize_options opt;
    uint64_t tail_bytes;
    enum cow_method method;
    bool moves; /* undo leaves the data where it is */
} ways[] = {
    {"header", {.size_bytes = NEW_BYTES}, 0, COW_METHOD_HEADER, false},
    {"header, copy of the backing file",
     {.size_bytes = NEW_BYTES, .policy = COW_POLICY_COPY},
     0,
     COW_METHOD_HEADER,
     false},
    {"header, keep", {.size_bytes = NEW_BYTES, .policy = COW_POLICY_KEEP}, 0, COW_METHOD_HEADER, false},
    {"header, odd sectors", {.size_bytes = NEW_BYTES - 512}, 1536, COW_METHOD_HEADER, false},
    {"copy", {.size_bytes = NEW_BYTES, .method = COW_RESIZE_COPY}, 0, COW_METHOD_COPY, false},
    {"copy of both",
     {.size_bytes = NEW_BYTES, .method = COW_RESIZE_COPY, .policy = COW_POLICY_COPY},
     0,
     COW_METHOD_COPY,
     false},
    {"copy, the same size",
     {.size_bytes = OLD_BYTES + 4096, .method = COW_RESIZE_COPY},
     4096,
     COW_METHOD_COPY,
     false},
    {"moved", {.size_bytes = NEW_BYTES, .method = COW_RESIZE_MOVED}, 0, COW_METHOD_MOVED, true},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

START_TEST(by_each_method_there_and_back)
{
    const struct way *way = &ways[_i];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct rng rng = {.state = seed};
        struct program p = {.runs = 0};
        struct cow_error err = {.status = 0};
        enum cow_method method = COW_METHOD_NONE;
        struct disk *disk = make_disk(COW_FORMAT_V3, way->tail_bytes);
        const struct witness before = witness_of(disk->cow_path);
        struct cow_resize_options opt = way->opt;
        opt.fs = COW_FS_GROWS;
        choose_writes(&p, &rng, opt.size_bytes);
        must_succeed(resize(disk, &p, &opt, &method, &err), err);
        must(method == way->method, "%s: by %s", way->name, cow_method_name(method));
        must(p.runs == 1 && p.disk_bytes == opt.size_bytes && p.fs_bytes == 0, "%s: %u runs", way->name,
             p.runs);
        check_disk(disk, &p, opt.size_bytes, way->name);
        undo(disk);
        p.writes = 0;
        check_disk(disk, &p, disk->size_bytes, way->name);
        must(way->moves || witness_same_content(&before), "%s: undo: not the old bytes", way->name);
        witness_check(&disk->backing, way->name);
        disk_free(disk);
    }
}
END_TEST

START_TEST(a_program_that_fails_changes_nothing)
{
    static const int statuses[] = {COW_REFUSED, COW_CANCELLED, COW_IO, COW_UNSUPPORTED};
    const struct way *way = &ways[_i];
    struct rng rng = {.state = 7};
    struct program p = {.status = statuses[_i % 4]};
    struct cow_error err = {.status = 0};
    enum cow_method method;
    struct disk *disk = make_disk(COW_FORMAT_V3, way->tail_bytes);
    const struct witness before = witness_of(disk->cow_path);
    char *names = directory_list(test_directory());
    struct cow_resize_options opt = way->opt;
    opt.fs = COW_FS_GROWS;
    choose_writes(&p, &rng, opt.size_bytes);
    must_fail(resize(disk, &p, &opt, &method, &err), p.status, err);
    p.writes = 0;
    check_disk(disk, &p, disk->size_bytes, way->name);
    if (!way->moves) { /* the first of its two changes is done, and can be undone by itself */
        char *now = directory_list(test_directory());
        must(strcmp(names, now) == 0, "%s: left: %s", way->name, now);
        witness_check(&before, way->name);
        free(now);
    }
    witness_check(&disk->backing, way->name);
    free(names);
    disk_free(disk);
}
END_TEST

/* What the programs read below is found by its name. */
START_TEST(a_file_that_is_replaced_meanwhile_is_noticed)
{
    struct program p = {.runs = 0};
    struct rng rng = {.state = 9};
    struct cow_error err = {.status = 0};
    enum cow_method method;
    struct disk *disk = make_disk(COW_FORMAT_V3, 0);
    const struct witness before = witness_of(disk->cow_path), base = witness_of(disk->backing_path);
    const struct cow_resize_options opt = {.size_bytes = NEW_BYTES,
                                           .policy = COW_POLICY_EXTEND,
                                           .fs = COW_FS_GROWS,
                                           .method = _i < 2 ? COW_RESIZE_ANY : COW_RESIZE_COPY};
    choose_writes(&p, &rng, opt.size_bytes);
    p.replaces = _i % 2 == 0 ? disk->cow_path : disk->backing_path;
    must_fail(resize(disk, &p, &opt, &method, &err), COW_REFUSED, err);
    must(strstr(err.message, "another file") != NULL, "%s", err.message);
    must(witness_same_content(&before) && witness_same_content(&base), "something was written");
    disk->backing = witness_of(disk->backing_path); /* somebody has put another file there */
    disk_free(disk);
}
END_TEST

START_TEST(without_the_callback_it_is_refused)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    struct disk *disk = make_disk(COW_FORMAT_V3, 0);
    const struct cow_resize_options opt = {.size_bytes = NEW_BYTES, .fs = COW_FS_GROWS};
    must_succeed(cow_image_open(&img, disk->cow_path, NULL, &err), err);
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_UNSUPPORTED, err);
    cow_plan_free(plan);
    cow_image_close(img);
    disk_free(disk);
}
END_TEST

/* The program is given the old size; what it leaves past the new end is cut off. */
START_TEST(a_smaller_disk_is_cut_afterwards)
{
    enum { SMALL = 2 * KIB * KIB + 512 };
    struct rng rng = {.state = 3};
    struct program p = {.runs = 0};
    struct cow_error err = {.status = 0};
    enum cow_method method;
    struct disk *disk = make_disk(_i == 0 ? COW_FORMAT_V3 : COW_FORMAT_V2, 0);
    const struct witness before = witness_of(disk->cow_path);
    const struct cow_resize_options opt = {
        .size_bytes = SMALL, .fs = COW_FS_FITS, .shrink = true, .policy = COW_POLICY_COPY};
    choose_writes(&p, &rng, OLD_BYTES);
    must_succeed(resize(disk, &p, &opt, &method, &err), err);
    must(p.disk_bytes == OLD_BYTES && p.new_disk_bytes == SMALL && p.fs_bytes == 2 * KIB * KIB,
         "of %" PRIu64 ", to %" PRIu64 ", the filesystem to %" PRIu64, p.disk_bytes, p.new_disk_bytes,
         p.fs_bytes);
    check_disk(disk, &p, SMALL, "smaller");
    undo(disk);
    must(witness_same_content(&before), "undo: not the old bytes");
    disk_free(disk);
}
END_TEST

START_TEST(what_cannot_be_resized_is_refused)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    struct disk *disk = make_disk(COW_FORMAT_V3, 0);
    struct cow_resize_options opt = {.size_bytes = OLD_BYTES / 2, .fs = COW_FS_GROWS, .shrink = true};
    must_succeed(cow_image_open(&img, disk->cow_path, NULL, &err), err);
    must_fail(cow_plan_resize(&plan, img, &opt, &err), COW_USAGE, err);
    opt = (struct cow_resize_options){.size_bytes = 64 * KIB, .fs = COW_FS_FITS, .shrink = true};
    must_fail(cow_plan_resize(&plan, img, &opt, &err), COW_REFUSED, err); /* less than it needs */
    opt =
        (struct cow_resize_options){.size_bytes = NEW_BYTES, .fs = COW_FS_GROWS, .policy = COW_POLICY_EXTEND};
    must(cow_plan_resize_family(&plan, img, &opt, &(struct cow_family_options){.n_places = 0}, &err) ==
             COW_USAGE,
         "of a family: %s", err.message);
    cow_image_close(img);
    /* mounted, or left by a crash: the state in the superblock is no more "clean" */
    const uint8_t state[2] = {0, 0};
    file_write_at(disk->cow_path, disk->geometry.data_offset + 1024 + 58, state, sizeof state);
    must_succeed(cow_image_open(&img, disk->cow_path, NULL, &err), err);
    must_fail(cow_plan_resize(&plan, img, &opt, &err), COW_REFUSED, err);
    cow_image_close(img);
    const uint8_t magic[2] = {0, 0};
    file_write_at(disk->cow_path, disk->geometry.data_offset + 1024 + 56, magic, sizeof magic);
    must_succeed(cow_image_open(&img, disk->cow_path, NULL, &err), err);
    must_fail(cow_plan_resize(&plan, img, &opt, &err), COW_UNSUPPORTED, err);
    cow_image_close(img);
    disk_free(disk);
}
END_TEST

Suite *resize_fs_suite(void)
{
    Suite *suite = suite_create("resize-fs");
    TCase *tc = tcase_create("resize-fs");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, by_each_method_there_and_back, 0, WAYS);
    tcase_add_loop_test(tc, a_program_that_fails_changes_nothing, 0, WAYS);
    tcase_add_loop_test(tc, a_file_that_is_replaced_meanwhile_is_noticed, 0, 4);
    tcase_add_test(tc, without_the_callback_it_is_refused);
    tcase_add_loop_test(tc, a_smaller_disk_is_cut_afterwards, 0, 2);
    tcase_add_test(tc, what_cannot_be_resized_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
