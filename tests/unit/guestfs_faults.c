/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Volumes that cannot be read, and what becomes of the guest's filesystem when reading fails or is stopped.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/io.h"
#include "guestfs_view.h"

/* ---- volumes ---- */

static const struct broken {
    const char *what;
    unsigned offset, width; /* in the superblock */
    uint64_t value;
    bool says; /* problem has words; else it is no ext filesystem any more */
} broken[] = {
    {"more blocks than the disk has", 0x04, 4, 3073, true},
    {"far more blocks", 0x04, 4, UINT32_MAX, true},
    {"no blocks", 0x04, 4, 0, true},
    {"one block", 0x04, 4, 1, true},
    {"too many inodes", 0x00, 4, 129, true},
    {"too few inodes", 0x00, 4, 127, true},
    {"no inodes", 0x00, 4, 0, true},
    {"the first block", 0x14, 4, 0, true},
    {"a first block behind the end", 0x14, 4, 5000, true},
    {"larger blocks", 0x18, 4, 2, true},
    {"blocks that are too large", 0x18, 4, 7, true},
    {"blocks beyond all measure", 0x18, 4, UINT32_MAX, true},
    {"no blocks in a group", 0x20, 4, 0, true},
    {"one block in a group", 0x20, 4, 1, true},
    {"no inodes in a group", 0x28, 4, 0, true},
    {"too many inodes in a group", 0x28, 4, UINT32_MAX, true},
    {"a feature that nobody knows", 0x60, 4, 0x80000042, true},
    {"no magic", 0x38, 2, 0xef52, false},
};
enum { BROKEN = sizeof broken / sizeof broken[0] };

static void check_unreadable(const struct view *view, const struct disk *disk, const struct broken *b)
{
    const struct cow_volume *volume = &view->volumes[0];
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader = NULL;
    char text[COW_MESSAGE_BYTES];
    int chosen = -7;
    size_t n;
    must(view->n_volumes == 1 && !volume->readable && !volume->compared, "%s: readable", b->what);
    must((volume->problem[0] != '\0') == b->says, "%s: problem \"%s\"", b->what, volume->problem);
    must(is_terminal_safe(volume->problem) && is_terminal_safe(cow_volume_text(text, sizeof text, volume)),
         "%s: text", b->what);
    must(!b->says || strstr(text, volume->problem) != NULL, "%s: %s", b->what, text);
    must_fail(cow_fs_choose_volume(view->fs, -1, &chosen, &err), COW_USAGE, err);
    must(!b->says || strstr(err.message, volume->problem) != NULL, "%s: %s", b->what, err.message);
    must_fail(cow_fs_choose_volume(view->fs, 0, &chosen, &err), COW_USAGE, err);
    must(chosen == -7, "%s: chosen", b->what);
    must_fail(cow_fs_reader_open(&reader, view->fs, 0, COW_VERSION_GUEST, "/plain", &err), COW_USAGE, err);
    cow_fs_files(view->scan, &n);
    must(n == 0, "%s: %zu files", b->what, n);
    check_class(view, 0, COW_FS_OTHER);
    check_class(view, disk->size_bytes - 1, COW_FS_OTHER);
    check_tiles(view, disk);
}

START_TEST(a_superblock_that_lies)
{
    const struct disk_variant *v = &disk_variants[0];
    struct changed_disk scene = make_changed_disk(v);
    uint8_t *before = malloc(scene.disk->size_bytes), *after = malloc(scene.disk->size_bytes);
    memcpy(before, scene.disk->before, scene.disk->size_bytes);
    memcpy(after, scene.disk->after, scene.disk->size_bytes);
    for (size_t i = 0; i < BROKEN; i++) {
        const struct broken *b = &broken[i];
        memcpy(scene.disk->before, before, scene.disk->size_bytes);
        put_number(scene.disk->after + 1024 + b->offset, b->width, false, b->value);
        disk_write(scene.disk);
        struct view view = view_open(scene.disk, true);
        check_unreadable(&view, scene.disk, b);
        view_close(&view);
        /* only the backing file's: then all is new */
        memcpy(scene.disk->after, after, scene.disk->size_bytes);
        put_number(scene.disk->before + 1024 + b->offset, b->width, false, b->value);
        disk_write(scene.disk);
        view = view_open(scene.disk, true);
        must(view.volumes[0].readable && !view.volumes[0].compared, "%s: compared", b->what);
        const struct cow_fs_file *file = find_file(&view, "/new");
        must(file != NULL && file->kind == COW_FS_KIND_NEW, "%s: /new", b->what);
        check_tiles(&view, scene.disk);
        view_close(&view);
    }
    free(before);
    free(after);
    free_changed_disk(&scene);
}
END_TEST

/* An MBR with two of them. */
START_TEST(two_partitions)
{
    const struct disk_variant *v = &disk_variants[0];
    const uint64_t size = ext_bytes(v), first = 2048 * 512, second = first + size + 512;
    struct changed_disk scene = make_changed_disk(v);
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader;
    int volume = -7;
    size_t n;
    char *disk_path = scene.disk->cow_path;
    struct disk *disk = disk_new(COW_FORMAT_V3, 512, second + size + 4096);
    must(strcmp(disk->cow_path, disk_path) == 0, "the test itself");
    disk_put_partition(disk, 0, 0x83, second, size); /* not in the order of the disk */
    disk_put_partition(disk, 2, 0x83, first, size);
    disk_put(disk, first, scene.before, scene.before);
    disk_put(disk, second, scene.before, scene.after);
    disk_write(disk);
    scene.disk->backing = disk->backing;
    struct view view = view_open(disk, true);
    must(view.n_volumes == 2 && strcmp(cow_fs_table(view.fs), "dos") == 0, "%zu volumes, %s", view.n_volumes,
         cow_fs_table(view.fs));
    const struct cow_volume *volumes = view.volumes;
    must(volumes[0].partition == 3 && volumes[0].first_byte == first && volumes[0].size_bytes == size,
         "the first");
    must(volumes[1].partition == 1 && volumes[1].first_byte == second && volumes[1].size_bytes == size,
         "the second");
    must(volumes[0].readable && volumes[1].readable && volumes[0].compared && volumes[1].compared, "both");
    must_fail(cow_fs_choose_volume(view.fs, -1, &volume, &err), COW_USAGE, err);
    must(strstr(err.hint, "--partition") != NULL, "hint: %s", err.hint);
    must_fail(cow_fs_choose_volume(view.fs, 2, &volume, &err), COW_USAGE, err);
    must_succeed(cow_fs_choose_volume(view.fs, 1, &volume, &err), err);
    must(volume == 1, "chosen: %d", volume);
    must_succeed(cow_fs_choose_volume(view.fs, 3, &volume, &err), err);
    must(volume == 0, "chosen: %d", volume);
    must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, "/new", &err), COW_USAGE, err);
    must_succeed(cow_fs_reader_open(&reader, view.fs, 1, COW_VERSION_GUEST, "/new", &err), err);
    cow_fs_reader_close(reader);
    const struct cow_fs_file *files = cow_fs_files(view.scan, &n);
    for (size_t i = 0; i < n; i++) {
        must(files[i].volume == 1, "%s lies in the first", files[i].path);
    }
    must(n >= CHANGED_PATHS - 1, "%zu files", n);
    check_class(&view, 0, COW_FS_TABLE);
    check_class(&view, first - 1, COW_FS_OUTSIDE);
    check_class(&view, first + size, COW_FS_OUTSIDE);
    check_class(&view, second + size, COW_FS_OUTSIDE);
    check_tiles(&view, disk);
    view_close(&view);
    disk_free(disk);
    free_changed_disk(&scene);
}
END_TEST

/* ---- when reading fails ---- */

struct failing {
    struct cow_io io;
    uint64_t calls, at;
    bool for_ever;
};

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct failing *f = context;
    f->calls++;
    return f->at != 0 && (f->for_ever ? f->calls >= f->at : f->calls == f->at)
               ? -EIO
               : io_system.pread(io_system.context, fd, buffer, n_bytes, offset);
}

static void tell_content(FILE *out, struct cow_fs *fs, const char *path, int *status, struct cow_error *err)
{
    uint8_t bytes[5000];
    struct cow_fs_reader *reader = NULL;
    *status = cow_fs_reader_open(&reader, fs, 0, COW_VERSION_GUEST, path, err);
    uint64_t sum = 0;
    size_t n = *status == 0 ? 1 : 0;
    for (uint64_t at = 0; *status == 0 && n > 0; at += n) {
        *status = cow_fs_reader_read(reader, at, bytes, sizeof bytes, &n, err);
        for (size_t i = 0; *status == 0 && i < n; i++) {
            sum = sum * 31 + bytes[i];
        }
    }
    fprintf(out, "%s %" PRIx64 "\n", path, sum);
    cow_fs_reader_close(reader);
}

/* All that can be told of a disk, as text. */
static void tell_answers(FILE *out, struct cow_fs *fs, struct cow_fs_scan *scan)
{
    size_t n;
    char text[COW_MESSAGE_BYTES];
    uint64_t bytes[COW_FS_CLASSES];
    const struct cow_volume *volumes = cow_fs_volumes(fs, &n);
    fprintf(out, "%s\n", cow_fs_table(fs));
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s, compared %d\n", cow_volume_text(text, sizeof text, &volumes[i]),
                volumes[i].compared);
    }
    const struct cow_fs_file *files = cow_fs_files(scan, &n);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s %s from %s %" PRIu64 " %" PRIu64 "\n", cow_fs_kind_name(files[i].kind),
                files[i].path, files[i].from != NULL ? files[i].from : "", files[i].size_bytes,
                files[i].changed_bytes);
    }
    cow_fs_classes(scan, COW_NO_VOLUME, bytes);
    for (unsigned c = 0; c < COW_FS_CLASSES; c++) {
        fprintf(out, "%" PRIu64 " ", bytes[c]);
    }
    fprintf(out, "\ndamage: %s\n", cow_fs_scan_damage(scan));
}

/* Opens, scans and reads. *answer is freed with free(); what was answered until something failed. */
static int look(const struct disk *disk, struct failing *f, const struct cow_env *env, char **answer,
                struct cow_error *err)
{
    struct view view = {.img = NULL};
    const struct cow_fs_scan_options opt = {.look_around = disk->sector_bytes > 512, .env = env};
    const struct cow_open_options open = {.io = &f->io};
    const uint64_t at = f->at;
    size_t n;
    FILE *out = open_memstream(answer, &n);
    must(out != NULL, "out of memory");
    f->at = 0; /* opening the image is another suite's */
    must_succeed(cow_image_open(&view.img, disk->cow_path, &open, err), *err);
    f->calls = 0;
    f->at = at;
    int status = cow_fs_open(&view.fs, view.img, err);
    if (status == 0) {
        status = cow_fs_scan(&view.scan, view.fs, &opt, err);
    }
    if (status == 0) {
        tell_answers(out, view.fs, view.scan);
        tell_content(out, view.fs, "/unwritten", &status, err);
    }
    fclose(out);
    view_close(&view);
    return status;
}

static void failing_init(struct failing *f, uint64_t at, bool for_ever)
{
    *f = (struct failing){.io = io_system, .at = at, .for_ever = for_ever};
    f->io.pread = failing_pread;
    f->io.context = f;
}

static const unsigned failing_variants[] = {0, 4}; /* the whole disk, and a partition */
enum { FAILING = sizeof failing_variants / sizeof failing_variants[0] };

START_TEST(each_read_fails)
{
    struct changed_disk scene = make_changed_disk(&disk_variants[failing_variants[_i]]);
    struct cow_error err = {.status = 0};
    struct failing f;
    char *wanted, *answer;
    const unsigned files = open_files();
    failing_init(&f, 0, false);
    must_succeed(look(scene.disk, &f, NULL, &wanted, &err), err);
    const uint64_t calls = f.calls;
    must(calls > 20 && strstr(wanted, "damage: \n") != NULL, "the test itself: %" PRIu64 " calls", calls);
    for (uint64_t at = 1; at <= calls; at++) {
        for (int for_ever = 0; for_ever < (at % 4 == 0 ? 2 : 1); for_ever++) {
            failing_init(&f, at, for_ever != 0);
            err = (struct cow_error){.status = 0};
            int status = look(scene.disk, &f, NULL, &answer, &err);
            must(f.calls >= at, "%" PRIu64 ": was not struck", at);
            if (status != 0) {
                must_fail(status, COW_IO, err);
            } else { /* it could do without */
                must(strcmp(answer, wanted) == 0, "read %" PRIu64 " fails:\n%s\ninstead of\n%s", at, answer,
                     wanted);
            }
            free(answer);
            must(open_files() == files, "%" PRIu64 ": a file was left open", at);
        }
    }
    free(wanted);
    free_changed_disk(&scene);
}
END_TEST

struct stop {
    uint64_t calls, at;
    uint64_t done;
};

static bool ask_to_stop(void *context, const struct cow_progress *progress)
{
    struct stop *stop = context;
    must(progress->phase != NULL && progress->total_bytes > 0 && progress->can_cancel &&
             progress->done_bytes <= progress->total_bytes && progress->done_bytes >= stop->done,
         "progress %" PRIu64 " of %" PRIu64, progress->done_bytes, progress->total_bytes);
    stop->done = progress->done_bytes;
    return ++stop->calls == stop->at;
}

START_TEST(a_stop_at_each_call)
{
    struct changed_disk scene = make_changed_disk(&disk_variants[failing_variants[_i]]);
    struct cow_error err = {.status = 0};
    struct failing f;
    char *wanted, *answer;
    struct stop stop = {.at = 0};
    const struct cow_env env = {.progress = ask_to_stop, .context = &stop};
    failing_init(&f, 0, false);
    must_succeed(look(scene.disk, &f, &env, &wanted, &err), err);
    const uint64_t calls = stop.calls;
    must(calls > 3, "only %" PRIu64 " calls", calls);
    for (uint64_t at = 1; at <= calls + 1; at++) {
        stop = (struct stop){.at = at};
        failing_init(&f, 0, false);
        int status = look(scene.disk, &f, &env, &answer, &err);
        if (at <= calls) {
            must_fail(status, COW_CANCELLED, err);
            must(stop.calls == at, "call %" PRIu64 ": went on", at);
        } else {
            must(status == 0 && strcmp(answer, wanted) == 0, "it was not asked to stop");
        }
        free(answer);
    }
    free(wanted);
    free_changed_disk(&scene);
}
END_TEST

Suite *guestfs_faults_suite(void)
{
    Suite *suite = suite_create("guestfs-faults");
    TCase *tc = tcase_create("guestfs faults");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, a_superblock_that_lies);
    tcase_add_test(tc, two_partitions);
    tcase_add_loop_test(tc, each_read_fails, 0, FAILING);
    tcase_add_loop_test(tc, a_stop_at_each_call, 0, FAILING);
    suite_add_tcase(suite, tc);
    return suite;
}
