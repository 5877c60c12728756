/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Records (journals and undo data) that say what they like, beside an image: recover and undo, planned and
 * made. Scenes are changes of the program's own that were killed at one of their calls, and what they left
 * when they were not. The input bends a record's fields, its bytes (with a good sum or not) and the files.
 * Whatever it says, no file is written that lies outside of the image's directory; and a scene that nobody
 * has bent ends at the old disk, or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/fuzzer.h"
#include "core/base/crc.h"
#include "core/base/io.h"
#include "core/ledger/record.h"
#include "core/ledger/record_codec.h"

#define JOURNAL "." PICTURE_COW ".cowtui-journal"
#define UNDO    "." PICTURE_COW ".cowtui-undo"

enum { SCENES_MAX = 64, SCENES_OF_ONE = 6, CALLS_MAX = 400, KILLED = 7, RECORD_MAX = 65536 };

struct scene {
    struct snapshot files;
    uint8_t *old_disk, *new_disk;
    uint64_t old_bytes, new_bytes;
};

static struct scene scene[SCENES_MAX];
static size_t n_scenes;

/* ---- changes that are killed ---- */

static struct cow_io killing;
static unsigned calls_left;

static void count(void)
{
    if (calls_left-- == 0) {
        _exit(KILLED);
    }
}

static ssize_t killing_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    count();
    return io_system.pwrite(context, fd, buffer, n_bytes, offset);
}

static int killing_rename(void *context, const char *from, const char *to, bool replace)
{
    count();
    return io_system.rename(context, from, to, replace);
}

static int killing_link(void *context, const char *from, const char *to)
{
    count();
    return io_system.link(context, from, to);
}

static int killing_unlink(void *context, const char *path)
{
    count();
    return io_system.unlink(context, path);
}

static int killing_ftruncate(void *context, int fd, uint64_t size_bytes)
{
    count();
    return io_system.ftruncate(context, fd, size_bytes);
}

static int killing_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes)
{
    count();
    return io_system.fallocate(context, fd, how, offset, n_bytes);
}

static int killing_futimens(void *context, int fd, const struct timespec times[2])
{
    count();
    return io_system.futimens(context, fd, times);
}

static void prepare_io(void)
{
    killing = io_system;
    killing.pwrite = killing_pwrite;
    killing.rename = killing_rename;
    killing.link = killing_link;
    killing.unlink = killing_unlink;
    killing.ftruncate = killing_ftruncate;
    killing.fallocate = killing_fallocate;
    killing.futimens = killing_futimens;
}

enum change { EXTEND, COPY, KEEP, CONVERT, MERGE, UNDO_EXTEND, UNDO_COPY, CHANGES };

static int plan_change(struct cow_plan **plan, struct cow_image *img, enum change change)
{
    const uint64_t size = cow_image_header(img)->size_bytes + 65536;
    const enum cow_policy policy = change == COPY     ? COW_POLICY_COPY
                                   : change == EXTEND ? COW_POLICY_EXTEND
                                                      : COW_POLICY_KEEP;
    struct cow_error err;
    int status;
    if (change == CONVERT) {
        status = cow_plan_rewrite(plan, img, &(struct cow_rewrite_options){.convert = true}, &err);
    } else if (change == MERGE) {
        status = cow_plan_merge(plan, img, &(struct cow_merge_options){.in_place = true}, &err);
    } else if (change == UNDO_EXTEND || change == UNDO_COPY) {
        status = cow_plan_undo(plan, img, &err);
    } else {
        status = cow_plan_resize(plan, img,
                                 &(struct cow_resize_options){.size_bytes = size, .policy = policy}, &err);
    }
    if (status != 0) {
        fprintf(stderr, "fuzz: records: change %d: %s\n", (int)change, err.message);
    }
    return status;
}

/* In a child: the change, to its end or to the call at which it is killed. */
static void run_change(enum change change, unsigned calls)
{
    struct cow_image *img;
    struct cow_plan *plan;
    calls_left = calls;
    MUST(cow_image_open(&img, PICTURE_COW, &(struct cow_open_options){.io = &killing}, NULL) == 0);
    if (plan_change(&plan, img, change) != 0 || cow_plan_commit(plan, NULL, NULL) != 0) {
        _exit(1);
    }
    _exit(0);
}

static int child_of(enum change change, unsigned calls)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        run_change(change, calls);
    }
    pid_t ended;
    do {
        ended = waitpid(child, &status, 0); /* libFuzzer's alarm comes in between */
    } while (ended < 0 && errno == EINTR);
    MUST(child > 0 && ended == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* 64 KiB on a backing file of the same size; v3, or v1, which is only ever changed by copy. */
static void make_picture(bool v1)
{
    const uint8_t bytes[] = {v1 ? 4 : 0, 0,    3,    127,  0,    0,    0, 9,    1,    0x10, 0, 0, 0,
                             0,          0,    0,    0,    0x40, 0,    0, 0,    0,    0,    0, 0, 5,
                             0,          0xa5, 0x0f, 0xff, 0,    0x81, 3, 0x70, 0x11, 9,    4};
    struct input in = {bytes, sizeof bytes};
    struct picture picture;
    scratch_begin();
    MUST(picture_make(&picture, &in));
    picture_free(&picture);
}

static void keep_scene(const uint8_t *old_disk, uint64_t old_bytes, const uint8_t *new_disk,
                       uint64_t new_bytes)
{
    struct scene *s = &scene[n_scenes++];
    snapshot_take(&s->files);
    s->old_disk = malloc((size_t)old_bytes);
    s->new_disk = malloc((size_t)new_bytes);
    MUST(s->old_disk != NULL && s->new_disk != NULL);
    memcpy(s->old_disk, old_disk, (size_t)old_bytes);
    memcpy(s->new_disk, new_disk, (size_t)new_bytes);
    s->old_bytes = old_bytes;
    s->new_bytes = new_bytes;
}

static void make_scenes_of(enum change change, bool v1)
{
    struct snapshot before;
    uint64_t old_bytes, new_bytes;
    make_picture(v1);
    if (change == UNDO_EXTEND || change == UNDO_COPY) {
        MUST(child_of(change == UNDO_EXTEND ? EXTEND : COPY, CALLS_MAX) == 0);
    }
    snapshot_take(&before);
    uint8_t *old_disk = disk_of(PICTURE_COW, &old_bytes);
    /* The change needs the inodes that its undo data knows: it runs on the files themselves, the others on
     * copies. */
    MUST(child_of(change, CALLS_MAX) == 0);
    uint8_t *new_disk = disk_of(PICTURE_COW, &new_bytes);
    MUST(old_disk != NULL && new_disk != NULL);
    keep_scene(old_disk, old_bytes, new_disk, new_bytes);
    for (unsigned calls = 1, kept = 0, code = KILLED; code == KILLED && kept < SCENES_OF_ONE; calls += 2) {
        make_picture(v1);
        if (change == UNDO_EXTEND || change == UNDO_COPY) {
            MUST(child_of(change == UNDO_EXTEND ? EXTEND : COPY, CALLS_MAX) == 0);
        }
        code = (unsigned)child_of(change, calls);
        if (code == KILLED && file_length(JOURNAL) > 0 && n_scenes < SCENES_MAX) {
            keep_scene(old_disk, old_bytes, new_disk, new_bytes);
            kept++;
        }
    }
    snapshot_free(&before);
    free(old_disk);
    free(new_disk);
}

void fuzz_prepare(void)
{
    prepare_io();
    for (enum change change = EXTEND; change < CHANGES; change++) {
        make_scenes_of(change, false);
    }
    make_scenes_of(CONVERT, true);
    MUST(n_scenes > 20);
}

/* ---- what an input does to a record ---- */

static const struct field {
    size_t at, n_bytes;
} fields[] = {
#define FIELD(name)                                                                                          \
    {                                                                                                        \
        offsetof(struct record, name), sizeof((struct record *)0)->name                                      \
    }
    FIELD(kind),
    FIELD(old_inode),
    FIELD(new_inode),
    FIELD(old_file_bytes),
    FIELD(new_file_bytes),
    FIELD(old_end_offset),
    FIELD(old_header_bytes),
    FIELD(old_header_crc),
    FIELD(new_header_crc),
    FIELD(size_field_offset),
    FIELD(old_size_field),
    FIELD(old_mtime.tv_sec),
    FIELD(new_mtime.tv_sec),
    FIELD(new_mtime.tv_nsec),
    FIELD(keeps_undo),
    FIELD(extends),
    FIELD(backing_old_bytes),
    FIELD(backing_new_bytes),
    FIELD(backing_mtime.tv_sec),
    FIELD(backing_old_mtime.tv_sec),
    FIELD(backing_inode),
    FIELD(copy_inode),
    FIELD(shared_offset),
    FIELD(shared_bits),
    FIELD(shared_byte),
    FIELD(old_mode),
    FIELD(old_uid),
    FIELD(saved[0].offset),
    FIELD(saved[0].n_bytes),
    FIELD(saved[1].offset),
    FIELD(saved[1].n_bytes),
#undef FIELD
};

static uint64_t bent(uint64_t was, struct input *in)
{
    switch (input_below(in, 8)) {
    case 0:
        return was + 1;
    case 1:
        return was - 1;
    case 2:
        return was ^ UINT64_C(1) << input_below(in, 64);
    case 3:
        return was + 512 * input_below(in, 256);
    case 4:
        return UINT64_MAX - input_below(in, 600);
    case 5:
        return (UINT64_C(1) << 63) - 1;
    default:
        return input_number(in, 8);
    }
}

static void bend_field(struct record *r, struct input *in)
{
    const struct field *f = &fields[input_below(in, sizeof fields / sizeof *fields)];
    uint64_t value = 0;
    memcpy(&value, (char *)r + f->at, f->n_bytes); /* little endian or not: it is bent */
    value = bent(value, in);
    memcpy((char *)r + f->at, &value, f->n_bytes);
}

static void bend_path(struct record *r, struct input *in)
{
    char *const paths[] = {r->backing_path, r->copy_path, r->image_path};
    const char *const values[] = {"",
                                  outside_path("notes.txt"),
                                  outside_path("other.cow"),
                                  outside_path("new"),
                                  scratch_path(PICTURE_BASE),
                                  scratch_path(PICTURE_COW),
                                  scratch_path("../notes.txt"),
                                  "/",
                                  "../notes.txt",
                                  scratch_path(UNDO)};
    snprintf(paths[input_below(in, 3)], PATH_MAX, "%s",
             values[input_below(in, sizeof values / sizeof *values)]);
}

/* Inode numbers of the files that a scene was taken from become those of its copies. */
static void renumber(struct record *r, const struct scene *s)
{
    uint64_t *const inodes[] = {&r->old_inode, &r->new_inode, &r->backing_inode, &r->copy_inode};
    for (size_t i = 0; i < sizeof inodes / sizeof *inodes; i++) {
        for (size_t n = 0; n < s->files.n_files; n++) {
            struct stat facts;
            if (*inodes[i] == s->files.file[n].facts.st_ino && stat(s->files.file[n].name, &facts) == 0) {
                *inodes[i] = facts.st_ino;
                break;
            }
        }
    }
}

/* Bytes of the encoded record; then its sum is made good, or not. */
static void bend_bytes(uint8_t *bytes, size_t n_bytes, struct input *in)
{
    const size_t at = (size_t)input_below(in, n_bytes);
    bytes[at] = (uint8_t)input_number(in, 1);
    if (input_below(in, 8) != 7 && n_bytes > 32) {
        const uint32_t sum = crc_ieee(bytes, n_bytes - 12);
        for (unsigned n = 0; n < 4; n++) {
            bytes[n_bytes - 12 + n] = (uint8_t)(sum >> 8 * (3 - n));
        }
    }
}

/* Reads the record of a file, does to it what the input says, and writes it back. */
static bool bend_record(const struct scene *s, const char *name, struct input *in)
{
    static struct record record;
    uint64_t offset;
    uint8_t *bytes;
    size_t n_bytes;
    bool is_bent = false;
    memset(&record, 0, sizeof record);
    const int fd = open(name, O_RDWR | O_CLOEXEC);
    struct stat facts;
    struct timespec times[2];
    if (fd < 0 || fstat(fd, &facts) != 0 || record_read(&record, &offset, &io_system, fd, NULL) != 0) {
        MUST(fd < 0 || close(fd) == 0);
        return false;
    }
    renumber(&record, s);
    for (unsigned n = (unsigned)input_below(in, 4); n > 0; n--, is_bent = true) {
        if (input_below(in, 4) == 3) {
            bend_path(&record, in);
        } else {
            bend_field(&record, in);
        }
    }
    if (record_encode(&bytes, &n_bytes, &record, NULL) == 0 && n_bytes <= RECORD_MAX) {
        for (unsigned n = (unsigned)input_below(in, 4); n > 0; n--, is_bent = true) {
            bend_bytes(bytes, n_bytes, in);
        }
        MUST(ftruncate(fd, (off_t)offset) == 0 &&
             pwrite(fd, bytes, n_bytes, (off_t)offset) == (ssize_t)n_bytes);
        free(bytes);
    }
    times[0] = times[1] = facts.st_mtim;
    MUST(futimens(fd, times) == 0 && close(fd) == 0);
    record_clear(&record);
    return is_bent;
}

/* Somebody has done something to the files meanwhile. */
static bool bend_files(const struct scene *s, struct input *in)
{
    const unsigned what = (unsigned)input_below(in, 16);
    const struct snapshot_file *file = &s->files.file[input_below(in, s->files.n_files)];
    if (what >= 6) {
        return false;
    }
    const uint8_t byte = (uint8_t)input_number(in, 1);
    const uint64_t at = input_below(in, (uint64_t)file->facts.st_size + 1);
    if (what < 3) {
        file_put(file->name, at, &byte, 1);
    } else if (what == 3) {
        MUST(truncate(file->name, (off_t)at) == 0);
    } else if (what == 4) {
        file_date(file->name, PICTURE_DATE + byte);
    } else {
        MUST(unlink(file->name) == 0);
    }
    return true;
}

/* ---- what has to hold ---- */

static void check_ended(const struct scene *s)
{
    uint64_t n_bytes;
    uint8_t *disk = disk_of(PICTURE_COW, &n_bytes);
    MUST(disk != NULL);
    MUST((n_bytes == s->old_bytes && memcmp(disk, s->old_disk, (size_t)n_bytes) == 0) ||
         (n_bytes == s->new_bytes && memcmp(disk, s->new_disk, (size_t)n_bytes) == 0));
    free(disk);
}

static int go_on(bool undo, struct cow_error *err)
{
    struct cow_image *img;
    struct cow_plan *plan;
    int status = cow_image_open(&img, PICTURE_COW, NULL, err);
    error_is_whole(status, err);
    if (status != 0) {
        return status;
    }
    MUST(is_terminal_safe(cow_image_pending(img)));
    status = undo ? cow_plan_undo(&plan, img, err) : cow_plan_recover(&plan, img, err);
    error_is_whole(status, err);
    if (status == 0) {
        MUST(is_terminal_safe(cow_plan_preview(plan)->command));
        status = cow_plan_commit(plan, NULL, err);
        error_is_whole(status, err);
        cow_plan_free(plan);
    }
    cow_image_close(img);
    return status;
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static struct cow_check found;
    struct input in = {data, n_bytes};
    scratch_begin();
    const struct scene *s = &scene[input_below(&in, n_scenes)];
    snapshot_restore(&s->files);
    const bool journal = bend_record(s, JOURNAL, &in), undo = bend_record(s, UNDO, &in);
    const bool files = bend_files(s, &in);
    const bool pending = file_length(JOURNAL) >= 0, leads = pending || file_length(UNDO) >= 0;
    MUST(cow_check(&found, PICTURE_COW, NULL, NULL) <= 0);
    struct cow_error err = {.status = 0};
    const int status = go_on(!pending, &err);
    if (!journal && !undo && !files && leads) {
        if (status != 0) {
            fprintf(stderr, "fuzz: records: scene %zu: %s\n", (size_t)(s - scene), err.message);
        }
        MUST(status == 0);
        check_ended(s);
    }
    go_on(pending, &err); /* and the other way */
    scratch_check();
}
