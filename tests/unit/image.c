/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening: what is no image, where the backing file is looked for, who holds a lock, following a guest. And
 * that none of it touches a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/io.h"
#include "core/image/image.h"
#include "support.h"

#define TIB (UINT64_C(1) << 40)

static struct model_spec usual(void)
{
    struct model_spec spec = model_spec_of(COW_FORMAT_V3, 100 * 512, PATTERN_RUNS, 3);
    spec.garbage = true;
    return spec;
}

static struct cow_image *open_image(const char *path, const char *backing)
{
    return image_opened(path, &(struct cow_open_options){.backing_path = backing});
}

/* The failure of an open, with nothing left behind. */
static void check_refused(const char *path, const char *backing, int wanted, const char *words)
{
    struct cow_image *img = (struct cow_image *)&img;
    struct cow_error err = {.status = 0};
    const unsigned before = open_files();
    const struct cow_open_options options = {.backing_path = backing};
    must_fail(cow_image_open(&img, path, &options, &err), wanted, err);
    must(img == (struct cow_image *)&img, "%s: the output was touched", path);
    must(strstr(err.message, words) != NULL, "\"%s\" does not say \"%s\"", err.message, words);
    must(open_files() == before, "%s: a file was left open", path);
    must(cow_image_open(&img, path, &options, NULL) == wanted, "%s: without err", path);
}

START_TEST(what_is_no_image_is_refused)
{
    char *empty = test_path("empty"), *fifo = test_path("fifo"), *text = test_path("text"),
         *loop = test_path("loop"), *missing = test_path("missing"), *below = test_path("text/below");
    file_write(empty, "", 0);
    file_write(text, "hello, world\n", 13);
    must(mkfifo(fifo, 0600) == 0 && symlink(loop, loop) == 0, "fixtures");
    check_refused(empty, NULL, COW_NOT_COW, "empty");
    check_refused(text, NULL, COW_NOT_COW, "magic");
    check_refused(test_directory(), NULL, COW_IO, "directory");
    check_refused(fifo, NULL, COW_IO, "FIFO"); /* and it does not wait for a writer */
    check_refused("/dev/null", NULL, COW_IO, "device");
    check_refused(missing, NULL, COW_IO, strerror(ENOENT));
    check_refused(below, NULL, COW_IO, strerror(ENOTDIR));
    check_refused(loop, NULL, COW_IO, strerror(ELOOP));
    check_refused("", NULL, COW_IO, strerror(ENOENT));
    free(empty);
    free(fifo);
    free(text);
    free(loop);
    free(missing);
    free(below);
}
END_TEST

START_TEST(a_hostile_name_is_escaped_in_the_message)
{
    char *path = test_path("\x1b]0;owned\x07\n");
    check_refused(path, NULL, COW_IO, "\\x1b]0;owned\\x07\\x0a");
    free(path);
}
END_TEST

START_TEST(no_permission)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    chmod(m->cow_path, 0);
    if (access(m->cow_path, R_OK) == 0) {
        model_free(m);
        return; /* root may read everything; the e2e suite has a case in which root becomes somebody else */
    }
    check_refused(m->cow_path, NULL, COW_IO, strerror(EACCES));
    chmod(m->cow_path, 0600);
    chmod(m->backing_path, 0);
    struct cow_image *img = open_image(m->cow_path, NULL);
    ck_assert_int_eq(cow_image_backing(img)->state, COW_BACKING_UNUSABLE);
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(names_paths_and_raw_bytes)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    char *link = test_path("link");
    must(symlink(m->cow_path, link) == 0 && chdir(test_directory()) == 0, "fixtures");
    const struct witness cow = witness_of(m->cow_path), backing = witness_of(m->backing_path);
    struct cow_image *img = open_image("./link", NULL);
    ck_assert_str_eq(cow_image_path(img), "./link");
    ck_assert_str_eq(cow_image_real_path(img), m->cow_path);
    ck_assert_str_eq(cow_image_pending(img), "");
    size_t n;
    const uint8_t *raw = cow_image_header_raw(img, &n);
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    file_read(m->cow_path, 0, bytes, sizeof bytes);
    must(n == sizeof bytes && memcmp(raw, bytes, n) == 0, "raw header");
    const struct cow_backing *b = cow_image_backing(img);
    ck_assert_int_eq(b->state, COW_BACKING_FOUND);
    must(!b->named && !b->beside_image, "named");
    ck_assert_str_eq(b->path, m->backing_path);
    ck_assert_uint_eq(b->size_bytes, spec.backing_bytes);
    ck_assert_int_eq(b->mtime, MODEL_MTIME);
    ck_assert_str_eq(b->problem, "");
    cow_image_close(img);
    cow_image_close(NULL);
    witness_check(&cow, "looking");
    witness_check(&backing, "looking");
    free(link);
    model_free(m);
}
END_TEST

/* ---- the backing file ---- */

static void check_backing(const char *cow, const char *named, enum cow_backing_state state,
                          const char *problem)
{
    struct cow_image *img = open_image(cow, named);
    const struct cow_backing *b = cow_image_backing(img);
    must(b->state == state, "state %d instead of %d: %s", (int)b->state, (int)state, b->problem);
    must((state == COW_BACKING_FOUND || state == COW_BACKING_NONE) == (b->problem[0] == '\0'), "\"%s\"",
         b->problem);
    must(strstr(b->problem, problem) != NULL, "\"%s\" does not say \"%s\"", b->problem, problem);
    must(state == COW_BACKING_FOUND || (b->size_bytes == 0 && b->mtime == 0), "facts of no file");
    must(state == COW_BACKING_NONE || b->path[0] != '\0', "no path");
    cow_image_close(img);
}

START_TEST(a_backing_that_cannot_be_used)
{
    struct model_spec spec = usual();
    char *other = test_path("other"), *cow_link = test_path("cow-link");
    spec.backing_absent = true;
    struct model *m = model_create(&spec);
    check_backing(m->cow_path, NULL, COW_BACKING_MISSING, strerror(ENOENT));
    must(mkdir(m->backing_path, 0700) == 0, "mkdir");
    check_backing(m->cow_path, NULL, COW_BACKING_UNUSABLE, "directory");
    rmdir(m->backing_path);
    must(mkfifo(m->backing_path, 0600) == 0, "mkfifo");
    check_backing(m->cow_path, NULL, COW_BACKING_UNUSABLE, "FIFO");
    unlink(m->backing_path);
    must(symlink(m->cow_path, m->backing_path) == 0, "symlink");
    check_backing(m->cow_path, NULL, COW_BACKING_UNUSABLE, "itself");
    unlink(m->backing_path);
    must(link(m->cow_path, m->backing_path) == 0, "link");
    check_backing(m->cow_path, NULL, COW_BACKING_UNUSABLE, "itself");
    unlink(m->backing_path);

    /* Named by the caller, the same is an error. */
    check_refused(m->cow_path, other, COW_IO, strerror(ENOENT));
    check_refused(m->cow_path, test_directory(), COW_IO, "directory");
    check_refused(m->cow_path, m->cow_path, COW_REFUSED, "itself");
    must(symlink(m->cow_path, cow_link) == 0, "symlink");
    check_refused(m->cow_path, cow_link, COW_REFUSED, "itself");
    file_truncate(other, 4096);
    check_backing(m->cow_path, other, COW_BACKING_FOUND, "");
    struct cow_image *img = open_image(m->cow_path, other);
    must(cow_image_backing(img)->named, "named");
    ck_assert_str_eq(cow_image_backing(img)->path, other);
    ck_assert_uint_eq(cow_image_backing(img)->size_bytes, 4096);
    cow_image_close(img);
    free(other);
    free(cow_link);
    model_free(m);
}
END_TEST

START_TEST(qemu_may_have_none)
{
    struct model_spec spec = usual();
    spec.format = COW_FORMAT_QEMU;
    spec.backing_bytes = NO_BACKING;
    struct model *m = model_create(&spec);
    char *other = test_path("other");
    check_backing(m->cow_path, NULL, COW_BACKING_NONE, "");
    file_truncate(other, spec.size_bytes);
    check_backing(m->cow_path, other, COW_BACKING_FOUND, "");
    free(other);
    model_free(m);
}
END_TEST

START_TEST(a_relative_path_is_looked_for_in_two_places)
{
    struct model_spec spec = usual();
    spec.stored = "m.img";
    struct model *m = model_create(&spec);
    char *elsewhere = test_path("elsewhere"), *decoy = test_path("elsewhere/m.img");
    must(mkdir(elsewhere, 0700) == 0 && chdir(elsewhere) == 0, "fixtures");

    struct cow_image *img = open_image(m->cow_path, NULL); /* only beside the image */
    const struct cow_backing *b = cow_image_backing(img);
    must(b->state == COW_BACKING_FOUND && b->beside_image, "beside: %d, %s", (int)b->state, b->problem);
    ck_assert_str_eq(b->path, m->backing_path);
    cow_image_close(img);

    must(chdir(test_directory()) == 0, "chdir"); /* both places are one */
    img = open_image("m", NULL);
    b = cow_image_backing(img);
    must(b->state == COW_BACKING_FOUND && !b->beside_image, "the same place");
    cow_image_close(img);

    must(chdir(elsewhere) == 0, "chdir"); /* two files: the one that fits the header wins */
    file_truncate(decoy, 4096);
    img = open_image(m->cow_path, NULL);
    must(cow_image_backing(img)->beside_image, "the decoy of another size was taken");
    cow_image_close(img);
    file_truncate(decoy, spec.backing_bytes);
    img = open_image(m->cow_path, NULL);
    must(cow_image_backing(img)->beside_image, "the decoy of another date was taken");
    cow_image_close(img);
    file_set_mtime(decoy, MODEL_MTIME); /* both fit: the kernel's way */
    img = open_image(m->cow_path, NULL);
    must(!cow_image_backing(img)->beside_image, "the kernel takes the working directory's");
    ck_assert_str_eq(cow_image_backing(img)->path, "m.img");
    cow_image_close(img);
    unlink(m->backing_path); /* only the working directory's */
    img = open_image(m->cow_path, NULL);
    b = cow_image_backing(img);
    must(b->state == COW_BACKING_FOUND && !b->beside_image, "working directory: %d", (int)b->state);
    cow_image_close(img);
    unlink(decoy);
    img = open_image(m->cow_path, NULL);
    b = cow_image_backing(img);
    ck_assert_int_eq(b->state, COW_BACKING_MISSING);
    ck_assert_str_eq(b->path, "m.img");
    cow_image_close(img);
    free(elsewhere);
    free(decoy);
    model_free(m);
}
END_TEST

START_TEST(the_backing_breaks_the_tie_of_two_variants)
{
    char *cow = test_path("tie"), *backing = test_path("tie.img");
    uint8_t header[COW_HEADER_BYTES_MAX];
    size_t n = model_header(header, COW_FORMAT_V1_64, backing, 2 * TIB + 512, 512, 0, MODEL_MTIME, false);
    file_write(cow, header, n);
    file_truncate(cow, 1 << 20);
    file_truncate(backing, 2 * TIB + 512);
    struct cow_image *img = open_image(cow, NULL);
    ck_assert_int_eq(cow_image_header(img)->format, COW_FORMAT_V1_64);
    ck_assert_uint_eq(cow_image_layout(img)->sectors, (2 * TIB + 512) / 512);
    cow_image_close(img);
    unlink(backing);
    img = open_image(cow, NULL);
    ck_assert_int_eq(cow_image_header(img)->format, COW_FORMAT_V1);
    cow_image_close(img);
    free(cow);
    free(backing);
}
END_TEST

/* ---- states ---- */

START_TEST(an_unfinished_image_opens_and_has_no_contents)
{
    struct model_spec spec = usual();
    spec.format = (enum cow_format)_i;
    spec.alignment = shapes[_i].kind == 'a' ? 4096 : 0;
    struct model *m = model_create(&spec);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[_i].size, mark, sizeof mark);
    struct cow_image *img = open_image(m->cow_path, NULL);
    struct cow_error err = {.status = 0};
    struct cow_run run;
    struct cow_dirty_run dirty;
    struct cow_density density;
    struct cow_usage usage;
    uint8_t byte;
    const struct cow_layout none = {0};
    ck_assert_int_eq(cow_image_header(img)->format, _i);
    must(cow_image_header(img)->unfinished, "not unfinished");
    must(memcmp(cow_image_layout(img), &none, sizeof none) == 0, "a layout");
    must(cow_image_pending(img)[0] != '\0', "nothing pending");
    must_fail(cow_image_next_run(img, 0, &run, &err), COW_INVALID, err);
    must_fail(cow_image_prev_run(img, 1, &run, &err), COW_INVALID, err);
    must_fail(cow_image_next_dirty(img, 0, &dirty, &err), COW_INVALID, err);
    must_fail(cow_image_prev_dirty(img, 1, &dirty, &err), COW_INVALID, err);
    must_fail(cow_image_density(img, 0, 1, &density, &err), COW_INVALID, err);
    must_fail(cow_image_usage(img, &usage, &err), COW_INVALID, err);
    must_fail(cow_image_read(img, 0, &byte, 1, &err), COW_INVALID, err);
    must_fail(cow_image_read_file(img, COW_FILE_COW, 0, &byte, 1, &err), COW_INVALID, err);
    struct cow_verdict verdict;
    cow_image_verdict(img, &verdict);
    must(!verdict.opens && verdict.reason[0] != '\0', "a kernel would open it");
    cow_image_close(img);
    model_free(m);
}
END_TEST

static struct cow_holder holder_of(struct cow_image *img)
{
    struct cow_holder holder;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_in_use(img, &holder, &err), err);
    return holder;
}

/* What becomes of a file outside, step by step, and that a new opening sees none of it. */
START_TEST(what_others_do_to_the_files_is_told)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    struct cow_image *img = open_image(m->cow_path, NULL);
    char *other = test_path("other"), *kept = test_path("kept");
    for (int file = COW_FILE_COW; file <= COW_FILE_BACKING; file++) {
        const char *path = file == COW_FILE_COW ? m->cow_path : m->backing_path;
        const enum cow_file which = (enum cow_file)file, another = (enum cow_file)file == 0;
        struct stat old;
        must(stat(path, &old) == 0, "stat");
        const struct timespec later[2] = {old.st_atim, {old.st_mtim.tv_sec, old.st_mtim.tv_nsec ^ 1}};
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_SAME);
        must(utimensat(AT_FDCWD, path, later, 0) == 0, "utimensat");
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_WRITTEN);
        must(truncate(path, old.st_size + 1) == 0, "truncate");
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_GROWN);
        must(truncate(path, old.st_size - 1) == 0, "truncate");
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_SHRUNK);
        must(rename(path, kept) == 0, "rename");
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_GONE);
        file_write(other, "x", 1);
        must(rename(other, path) == 0, "rename");
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_REPLACED);
        ck_assert_int_eq(cow_image_outside(img, another), COW_OUTSIDE_SAME);
        const struct timespec back[2] = {old.st_atim, old.st_mtim};
        must(rename(kept, path) == 0 && truncate(path, old.st_size) == 0 &&
                 utimensat(AT_FDCWD, path, back, 0) == 0,
             "as it was");
        ck_assert_int_eq(cow_image_outside(img, which), COW_OUTSIDE_SAME);
    }
    cow_image_close(img);
    must(rename(m->backing_path, kept) == 0, "rename");
    img = open_image(m->cow_path, NULL);
    ck_assert_int_eq(cow_image_outside(img, COW_FILE_BACKING), COW_OUTSIDE_SAME);
    must(rename(kept, m->backing_path) == 0, "rename");
    ck_assert_int_eq(cow_image_outside(img, COW_FILE_BACKING), COW_OUTSIDE_FOUND);
    cow_image_close(img);
    free(other);
    free(kept);
    model_free(m);
}
END_TEST

START_TEST(a_program_has_a_name)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    struct cow_image *img = open_image(m->cow_path, NULL);
    char name[32];
    must(cow_image_program_name(img, getpid(), name, sizeof name)[0] != '\0', "it has none");
    must(strchr(name, '\n') == NULL, "it ends a line");
    must(cow_image_program_name(img, 0, name, sizeof name)[0] == '\0', "nobody's name");
    must(cow_image_program_name(img, INT32_MAX, name, sizeof name)[0] == '\0', "the name of none");
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(a_guest_that_holds_it_is_told)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    const struct witness cow = witness_of(m->cow_path);
    struct cow_image *img = open_image(m->cow_path, NULL);
    must(!holder_of(img).held, "held by nobody");
    for (int round = 0; round < 2; round++) {
        int go;
        pid_t pid = hold_lock(m->cow_path, round == 0 ? F_WRLCK : F_RDLCK, &go);
        struct cow_image *late = open_image(m->cow_path, NULL); /* looking needs no lock */
        must(holder_of(img).held && holder_of(img).pid == pid, "pid %" PRId64 " instead of %d",
             holder_of(img).pid, (int)pid);
        must(holder_of(late).pid == pid, "opened late");
        cow_image_close(late);
        must(holder_of(img).held, "closing another image let go of the guest's lock");
        close(go);
        must(waitpid(pid, NULL, 0) == pid, "waitpid");
        must(!holder_of(img).held, "the guest is gone");
    }
    int fd = open(m->cow_path, O_RDWR | O_CLOEXEC); /* another cowtui: its lock has no pid */
    must(io_system.lock(NULL, fd, IO_LOCK_WRITE) == 0, "OFD lock");
    must(holder_of(img).held && holder_of(img).pid == 0, "an OFD lock");
    close(fd);
    cow_image_close(img);
    witness_check(&cow, "asking");
    model_free(m);
}
END_TEST

START_TEST(refresh_follows_the_file)
{
    struct model_spec spec = usual();
    spec.pattern = PATTERN_NONE;
    spec.garbage = false;
    struct model *m = model_create(&spec);
    struct cow_image *img = open_image(m->cow_path, NULL);
    struct cow_error err = {.status = 0};
    struct cow_usage usage;
    uint8_t sector[512];
    must_succeed(cow_image_usage(img, &usage, &err), err);
    ck_assert_uint_eq(usage.dirty_sectors, 0);
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 1, "\x81", 1);
    memset(sector, 'g', sizeof sector);
    file_write_at(m->cow_path, m->geometry.data_offset + 15 * 512, sector, sizeof sector);
    must_succeed(cow_image_refresh(img, &err), err);
    must_succeed(cow_image_usage(img, &usage, &err), err);
    ck_assert_uint_eq(usage.dirty_sectors, 2);
    must_succeed(cow_image_read(img, 15 * 512 + 1, sector, 1, &err), err);
    ck_assert_int_eq(sector[0], 'g');
    ck_assert_str_eq(cow_image_path(img), m->cow_path);

    /* A file that is broken for a moment leaves what was seen. */
    file_write_at(m->cow_path, 0, "XXXX", 4);
    must_fail(cow_image_refresh(img, &err), COW_NOT_COW, err);
    must_succeed(cow_image_usage(img, &usage, &err), err);
    ck_assert_uint_eq(usage.dirty_sectors, 2);
    file_write_at(m->cow_path, 0, "OOOM", 4);
    must_succeed(cow_image_refresh(img, &err), err);
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(refresh_follows_the_backing_file)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    char *away = test_path("away");
    struct cow_image *img = open_image(m->cow_path, NULL);
    struct cow_error err = {.status = 0};
    must(rename(m->backing_path, away) == 0, "rename");
    for (int round = 0; round < 3; round++) { /* its strings must not be those of the image before */
        must_succeed(cow_image_refresh(img, &err), err);
        ck_assert_int_eq(cow_image_backing(img)->state, COW_BACKING_MISSING);
        ck_assert_str_eq(cow_image_backing(img)->path, m->backing_path);
        must(strstr(cow_image_backing(img)->problem, strerror(ENOENT)) != NULL, "problem: %s",
             cow_image_backing(img)->problem);
        ck_assert_str_eq(cow_image_header(img)->backing_path, m->backing_path);
    }
    must(rename(away, m->backing_path) == 0, "rename");
    must_succeed(cow_image_refresh(img, &err), err);
    ck_assert_int_eq(cow_image_backing(img)->state, COW_BACKING_FOUND);
    ck_assert_str_eq(cow_image_backing(img)->problem, "");
    ck_assert_str_eq(cow_image_backing(img)->path, m->backing_path);
    cow_image_close(img);
    img = open_image(m->cow_path, m->backing_path); /* named: it stays named */
    must_succeed(cow_image_refresh(img, &err), err);
    must(cow_image_backing(img)->named, "named");
    ck_assert_str_eq(cow_image_backing(img)->path, m->backing_path);
    cow_image_close(img);
    free(away);
    model_free(m);
}
END_TEST

/* ---- read errors ---- */

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    int *left = context;
    return (*left)-- <= 0 ? -EIO : io_system.pread(NULL, fd, buffer, n_bytes, offset);
}

/* One byte at a time, and a signal before each. */
static ssize_t stuttering_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    int *turn = context;
    (void)n_bytes;
    return ++*turn % 2 == 0 ? -EINTR : io_system.pread(NULL, fd, buffer, 1, offset);
}

START_TEST(a_read_error_is_told)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    struct cow_io io = io_system;
    int left = 0;
    io.context = &left;
    io.pread = failing_pread;
    struct cow_image *img = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_open_options options = {.io = &io};
    const unsigned before = open_files();
    must_fail(cow_image_open(&img, m->cow_path, &options, &err), COW_IO, err);
    must(img == NULL && err.sys_errno == EIO && open_files() == before, "after a failed open");
    left = 1;
    must_succeed(cow_image_open(&img, m->cow_path, &options, &err), err);
    uint8_t buffer[4096];
    struct cow_run run;
    struct cow_usage usage;
    must_fail(cow_image_read(img, 0, buffer, sizeof buffer, &err), COW_IO, err);
    must_fail(cow_image_next_run(img, 0, &run, &err), COW_IO, err);
    must_fail(cow_image_usage(img, &usage, &err), COW_IO, err);
    left = 1000;
    must_succeed(cow_image_read(img, 0, buffer, sizeof buffer, &err), err);
    must(memcmp(buffer, m->disk, sizeof buffer) == 0, "after the error");
    cow_image_close(img);
    model_free(m);
}
END_TEST

static int64_t counted_seek(void *context, int fd, uint64_t offset, int whence)
{
    unsigned *seeks = context;
    ++*seeks;
    return io_system.seek(NULL, fd, offset, whence);
}

static int64_t seek_where_holes_are_not_told(void *context, int fd, uint64_t offset, int whence)
{
    (void)context;
    (void)fd;
    (void)offset;
    (void)whence;
    return -EOPNOTSUPP;
}

/* Where somebody asks is data most of the time: a seek tells, and two do where it is not. */
START_TEST(extents_are_asked_for_once)
{
    enum { APART = 64 * 1024, DATA = 4096, PIECES = 100 };
    static const uint8_t bytes[DATA] = {1};
    char *path = test_path("pieces");
    file_write(path, "", 0);
    for (unsigned i = 0; i < PIECES; i++) {
        file_write_at(path, (uint64_t)i * APART, bytes, DATA);
    }
    struct cow_io io = io_system;
    struct host_file file = {.fd = open(path, O_RDONLY)};
    struct io_extent extent;
    unsigned seeks = 0;
    io.context = &seeks;
    io.seek = counted_seek;
    must(file.fd >= 0, "open");
    for (uint64_t i = 0; i < PIECES; i++) {
        must(host_file_extent(&io, &file, i * APART, i * APART + APART, &extent) == 0 && extent.data &&
                 extent.end == i * APART + DATA,
             "piece %" PRIu64, i);
    }
    must(seeks == PIECES, "%u seeks for %d pieces", seeks, PIECES);
    must(host_file_extent(&io, &file, 2 * DATA, INT64_MAX, &extent) == 0 && !extent.data &&
             extent.end == APART,
         "a hole");
    must(host_file_extent(&io, &file, (uint64_t)PIECES * APART, INT64_MAX, &extent) == 0 && !extent.data &&
             extent.end == INT64_MAX,
         "past the end");
    io.seek = seek_where_holes_are_not_told;
    must(host_file_extent(&io, &file, 2 * DATA, APART, &extent) == 0 && extent.data && extent.end == APART,
         "where nobody tells");
    must(close(file.fd) == 0, "close");
    free(path);
}
END_TEST

START_TEST(short_reads_and_signals_do_not_matter)
{
    struct model_spec spec = usual();
    struct model *m = model_create(&spec);
    struct cow_io io = io_system;
    int turn = 0;
    io.context = &turn;
    io.pread = stuttering_pread;
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
    uint8_t *buffer = malloc(spec.size_bytes);
    must_succeed(cow_image_read(img, 0, buffer, spec.size_bytes, &err), err);
    must(memcmp(buffer, m->disk, spec.size_bytes) == 0, "contents");
    free(buffer);
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(random_headers_open_or_are_refused_and_nothing_is_written)
{
    struct rng rng = {33};
    char *path = test_path("random");
    uint8_t header[COW_HEADER_BYTES_MAX];
    for (unsigned round = 0; round < 2000; round++) {
        const enum cow_format format = (enum cow_format)(round % COW_FORMATS);
        const struct shape *shape = &shapes[format];
        model_header(header, format, "/nonexistent/b", 51200, 512, 4096, MODEL_MTIME, round % 2 == 0);
        for (unsigned i = 0; i < 3; i++) {
            unsigned begin = shape->kind == 'a' ? 4 : shape->path + shape->path_bytes - 4;
            header[(begin + rng_below(&rng, 36)) % sizeof header] = (uint8_t)rng_next(&rng);
        }
        file_write(path, header, rng_below(&rng, 8) == 0 ? rng_below(&rng, sizeof header) : sizeof header);
        const struct witness before = witness_of(path);
        struct cow_image *img;
        struct cow_error err = {.status = 0};
        int status = cow_image_open(&img, path, NULL, &err);
        if (status != 0) {
            must(status == COW_INVALID || status == COW_NOT_COW || status == COW_UNSUPPORTED, "status %d",
                 status);
            must(err.message[0] != '\0' && is_terminal_safe(err.message), "message");
        } else {
            struct cow_verdict verdict;
            struct cow_run run;
            struct cow_usage usage;
            uint8_t byte;
            cow_image_verdict(img, &verdict);
            must(!verdict.opens && is_terminal_safe(verdict.reason), "verdict");
            cow_image_usage(img, &usage, &err);
            cow_image_next_run(img, rng_next(&rng) >> rng_below(&rng, 64), &run, &err);
            cow_image_prev_run(img, rng_next(&rng) >> rng_below(&rng, 64), &run, &err);
            cow_image_read(img, rng_below(&rng, 51200), &byte, 1, &err);
            cow_image_close(img);
        }
        witness_check(&before, "opening");
    }
    free(path);
}
END_TEST

Suite *image_suite(void)
{
    Suite *suite = suite_create("image");
    TCase *tc = tcase_create("open");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, what_is_no_image_is_refused);
    tcase_add_test(tc, a_hostile_name_is_escaped_in_the_message);
    tcase_add_test(tc, no_permission);
    tcase_add_test(tc, names_paths_and_raw_bytes);
    tcase_add_test(tc, a_read_error_is_told);
    tcase_add_test(tc, extents_are_asked_for_once);
    tcase_add_test(tc, short_reads_and_signals_do_not_matter);
    tcase_add_test(tc, random_headers_open_or_are_refused_and_nothing_is_written);
    suite_add_tcase(suite, tc);
    tc = tcase_create("backing");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, a_backing_that_cannot_be_used);
    tcase_add_test(tc, qemu_may_have_none);
    tcase_add_test(tc, a_relative_path_is_looked_for_in_two_places);
    tcase_add_test(tc, the_backing_breaks_the_tie_of_two_variants);
    suite_add_tcase(suite, tc);
    tc = tcase_create("states");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, an_unfinished_image_opens_and_has_no_contents, 0, COW_FORMATS);
    tcase_add_test(tc, what_others_do_to_the_files_is_told);
    tcase_add_test(tc, a_program_has_a_name);
    tcase_add_test(tc, a_guest_that_holds_it_is_told);
    tcase_add_test(tc, refresh_follows_the_file);
    tcase_add_test(tc, refresh_follows_the_backing_file);
    suite_add_tcase(suite, tc);
    return suite;
}
