/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Going back: byte for byte, once, and not where anybody has written since. (That every change of the
 * matrices goes back is checked where those are.)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changes.h"
#include "core/base/crc.h"
#include "core/ledger/record.h"
#include "core/ledger/record_codec.h"
#include "faulty.h"

/* Each way in which an image is changed. */
static const struct {
    enum operation operation;
    uint64_t reserve_bytes;
} ways[] = {{OPERATION_EXTEND, 0}, {OPERATION_EXTEND, UINT64_C(1) << 30},
            {OPERATION_COPY, 0},   {OPERATION_COPY, UINT64_C(1) << 30},
            {OPERATION_KEEP, 0},   {OPERATION_KEEP, UINT64_C(1) << 30},
            {OPERATION_SHRINK, 0}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static struct subject *make(int way)
{
    const bool shrinks = ways[way].operation == OPERATION_SHRINK;
    struct change change = {.operation = ways[way].operation,
                            .spec = {.format = COW_FORMAT_V3,
                                     .sector_bytes = 512,
                                     .alignment = 4096,
                                     .size_bytes = 301 * 512,
                                     .backing_bytes = 301 * 512,
                                     .pattern = PATTERN_RUNS,
                                     .garbage = true,
                                     .dull_from = shrinks ? 200 * 512 : 0,
                                     .seed = 9},
                            .new_bytes = shrinks ? 200 * 512 : 444 * 512,
                            .reserve_bytes = ways[way].reserve_bytes};
    return subject_create(&change);
}

static struct subject *make_changed(int way)
{
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = make(way);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    return s;
}

/* Refused, and nothing is touched by that. */
static void check_refused(const struct subject *s, int wanted, const char *where)
{
    struct cow_error err = {.status = 0};
    const bool backed = file_exists(s->model->backing_path);
    const struct witness image = witness_of(s->target);
    struct witness backing;
    if (backed) {
        backing = witness_of(s->model->backing_path);
    }
    char *before = directory_list(test_directory());
    int status = subject_undo(s, NULL, &err);
    must(status == wanted, "%s: %s: %d: %s", where, subject_describe(s), status, err.message);
    must_fail(status, wanted, err);
    witness_check(&image, where);
    if (backed) {
        witness_check(&backing, where);
    }
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}

START_TEST(it_says_what_it_will_do)
{
    struct subject *s = make_changed(_i);
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);
    must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
    must_succeed(cow_plan_undo(&plan, img, &err), err);
    const struct cow_preview *p = cow_plan_preview(plan);
    size_t n;
    const struct cow_step *steps = cow_plan_steps(plan, &n);
    const enum cow_step_kind wanted[] = {COW_STEP_LOCK, COW_STEP_JOURNAL, COW_STEP_UNDO,
                                         COW_STEP_END_JOURNAL};
    must(n == 4, "%zu steps", n);
    for (size_t i = 0; i < n; i++) {
        must(steps[i].kind == wanted[i] && is_terminal_safe(steps[i].text) && steps[i].text[0] != '\0',
             "step %zu", i);
    }
    ck_assert_str_eq(cow_operation_name(p->operation), "undo");
    ck_assert_str_eq(cow_method_name(p->method), s->in_place ? "header" : "copy");
    must(p->changes_existing && strncmp(p->command, "cowtui undo ", 12) == 0, "%s", p->command);
    must((p->backing_text[0] != '\0') == (s->change.operation == OPERATION_EXTEND), "\"%s\"",
         p->backing_text);
    must((p->notes > 0) == (s->copy != NULL), "%zu notes", p->notes); /* the private copy goes */
    cow_plan_free(plan);                                              /* planning writes nothing */
    must_succeed(cow_plan_discard_undo(&plan, img, &err), err);
    must(strstr(cow_plan_preview(plan)->command, "--discard") != NULL, "%s", cow_plan_preview(plan)->command);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&image, "planning");
    witness_check(&backing, "planning");
    subject_check_done(s, "planning");
    subject_free(s);
}
END_TEST

START_TEST(there_and_back_and_there)
{
    struct subject *s = make(_i);
    struct cow_error err = {.status = 0};
    bool planned;
    for (int round = 0; round < 3; round++) {
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        subject_check_done(s, "again");
        subject_check_undo(s, "again");
        check_refused(s, COW_REFUSED, "there is nothing more to undo");
    }
    subject_free(s);
}
END_TEST

/* ---- what has been changed since ---- */

static void write_a_byte(struct subject *s)
{
    file_write_at(s->target, file_size(s->target) - 100, "!", 1);
}

static void write_what_is_there(struct subject *s)
{
    uint8_t byte;
    file_read(s->target, 70000, &byte, 1);
    file_write_at(s->target, 70000, &byte, 1);
}

static void touch_it(struct subject *s)
{
    file_set_mtime(s->target, MODEL_MTIME + 5);
}

static void lengthen_it(struct subject *s)
{
    file_truncate(s->target, file_size(s->target) + 1);
}

static void shorten_it(struct subject *s)
{
    file_truncate(s->target, file_size(s->target) - 1);
}

static void rewrite_the_header(struct subject *s)
{
    struct stat facts;
    must(stat(s->target, &facts) == 0, "stat");
    file_write_at(s->target, 8, "\x01\x02\x03\x04", 4);
    const struct timespec times[2] = {facts.st_atim, facts.st_mtim}; /* and hides it */
    must(utimensat(AT_FDCWD, s->target, times, 0) == 0, "utimensat");
}

static void replace_it_dated(struct subject *s, long nanoseconds_later)
{
    struct stat facts;
    const size_t n = file_size(s->target);
    uint8_t *bytes = malloc(n);
    char *other = test_path("other");
    must(bytes != NULL && stat(s->target, &facts) == 0, "replace");
    file_read(s->target, 0, bytes, n);
    file_write(other, bytes, n);
    facts.st_mtim.tv_nsec = (facts.st_mtim.tv_nsec + nanoseconds_later) % 1000000000;
    const struct timespec times[2] = {facts.st_atim, facts.st_mtim};
    must(utimensat(AT_FDCWD, other, times, 0) == 0 && rename(other, s->target) == 0, "replace");
    free(bytes);
    free(other);
}

/* The same bytes, and all but the same date, but another file. */
static void replace_it(struct subject *s)
{
    replace_it_dated(s, 1);
}

static void (*const image_events[])(struct subject *) = {
    write_a_byte, write_what_is_there, touch_it, lengthen_it, shorten_it, rewrite_the_header, replace_it};

START_TEST(an_image_that_was_written_since)
{
    for (size_t i = 0; i < sizeof image_events / sizeof image_events[0]; i++) {
        struct subject *s = make_changed(_i);
        image_events[i](s);
        check_refused(s, COW_REFUSED, "written since");
        struct cow_error err = {.status = 0}; /* the data of no use can still be discarded */
        must_succeed(plan_and_commit(s->target, cow_plan_discard_undo, NULL, &err), err);
        subject_free(s);
    }
}
END_TEST

/* A directory that was restored from a backup, a filesystem that makes its inode numbers up: what has the
 * header, the length and the date is the image. */
START_TEST(an_image_that_has_another_inode_number)
{
    struct subject *s = make_changed(_i);
    struct cow_error err = {.status = 0};
    replace_it_dated(s, 0);
    must_succeed(subject_undo(s, NULL, &err), err);
    uint64_t size;
    uint8_t *disk = model_compose(s->target, s->change.spec.format, NULL, &size);
    must(disk != NULL && size == s->change.spec.size_bytes, "the old disk is not back");
    free(disk);
    subject_free(s);
}
END_TEST

static void touch_backing(struct subject *s)
{
    file_set_mtime(s->model->backing_path, MODEL_MTIME + 1);
}

static void lengthen_backing(struct subject *s)
{
    file_truncate(s->model->backing_path, s->new_bytes + 512);
    file_set_mtime(s->model->backing_path, MODEL_MTIME);
}

static void shorten_backing(struct subject *s)
{
    file_truncate(s->model->backing_path, s->new_bytes - 512);
    file_set_mtime(s->model->backing_path, MODEL_MTIME);
}

static void remove_backing(struct subject *s)
{
    unlink(s->model->backing_path);
}

START_TEST(a_lengthened_backing_that_was_changed_since)
{
    static void (*const events[])(struct subject *) = {touch_backing, lengthen_backing, shorten_backing,
                                                       remove_backing};
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < 4; i++) {
            struct subject *s = make_changed(way);
            events[i](s);
            check_refused(s, i == 3 ? COW_IO : COW_REFUSED, "backing changed since");
            subject_free(s);
        }
    }
}
END_TEST

/* Going back relies on the backing file of then, also where the change has not touched it. */
START_TEST(a_backing_of_then_that_is_gone_or_changed)
{
    static void (*const events[])(struct subject *) = {touch_backing, lengthen_backing, remove_backing};
    for (int way = 2; way < WAYS; way++) {
        for (size_t i = 0; i < 3; i++) {
            struct subject *s = make_changed(way);
            events[i](s);
            check_refused(s, COW_REFUSED, "the backing file of then");
            subject_free(s);
        }
    }
}
END_TEST

static int undo_after(struct subject *s, void (*happen)(struct subject *s), struct cow_error *err);

START_TEST(a_backing_of_then_that_goes_after_the_plan)
{
    for (int way = 2; way < WAYS; way++) {
        struct subject *s = make_changed(way);
        struct cow_error err = {.status = 0};
        must_fail(undo_after(s, touch_backing, &err), COW_REFUSED, err);
        must(!subject_is_pending(s) && subject_outcome(s) == OUTCOME_NEW, "it went back");
        subject_free(s);
    }
}
END_TEST

/* Another image, as a v3 that names path; marked: its own change was cut off. */
static void put_image_on(const char *name, const char *path, uint64_t size_bytes, bool marked)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    char *other = test_path(name);
    size_t n = model_header(header, COW_FORMAT_V3, path, marked ? UINT64_MAX : size_bytes, 512, 4096,
                            MODEL_MTIME, false);
    file_write(other, header, n);
    file_truncate(other, 8192 + size_bytes);
    free(other);
}

static void live_on_the_copy(struct subject *s)
{
    put_image_on("other.cow", s->copy, s->new_bytes, false);
}

START_TEST(a_private_backing_file_that_others_live_on_is_kept)
{
    for (int kind = 0; kind < 4; kind++) {
        struct subject *s = make_changed(_i);
        struct cow_error err = {.status = 0};
        char *away = test_path("away"), *link_path = test_path("link.cow"),
             *target = test_path("away/other.cow");
        must(s->copy != NULL && mkdir(away, 0700) == 0, "fixture");
        if (kind == 2) { /* a link in the directory to an image elsewhere */
            put_image_on("away/other.cow", s->copy, s->new_bytes, false);
            must(symlink(target, link_path) == 0, "symlink");
        } else if (kind != 3) {
            put_image_on("other.cow", s->copy, s->new_bytes, kind == 1);
        }
        const struct witness copy = witness_of(s->copy);
        if (kind == 3) { /* after the plan was made */
            must_succeed(undo_after(s, live_on_the_copy, &err), err);
        } else {
            must_succeed(subject_undo(s, NULL, &err), err);
        }
        must(subject_outcome(s) == OUTCOME_OLD, "it did not go back");
        witness_check(&copy, "others live on it");
        free(away);
        free(link_path);
        free(target);
        subject_free(s);
    }
}
END_TEST

/* Between looking and committing. */
static int undo_after(struct subject *s, void (*happen)(struct subject *s), struct cow_error *err)
{
    const struct cow_open_options quick = {.io = quick_io()};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, s->target, &quick, err), *err);
    must_succeed(cow_plan_undo(&plan, img, err), *err);
    happen(s);
    setenv("COWTUI_PROMISES", "off", 1); /* what was promised was true before that */
    int status = cow_plan_commit(plan, NULL, err);
    unsetenv("COWTUI_PROMISES");
    cow_plan_free(plan);
    cow_image_close(img);
    return status;
}

static void remove_undo(struct subject *s)
{
    char *undo = test_path(".m.cowtui-undo");
    unlink(undo);
    free(undo);
    (void)s;
}

static void spoil_undo(struct subject *s)
{
    char *undo = test_path(".m.cowtui-undo");
    file_write_at(undo, file_size(undo) - 3, "?", 1);
    free(undo);
    (void)s;
}

START_TEST(what_happens_after_the_plan_is_noticed)
{
    for (size_t i = 0; i < 2 + sizeof image_events / sizeof image_events[0]; i++) {
        struct subject *s = make_changed(_i);
        struct cow_error err = {.status = 0};
        if (i >= 2 && image_events[i - 2] == rewrite_the_header) {
            subject_free(s); /* with its date put back, nobody can tell */
            continue;
        }
        int status = undo_after(s, i == 0 ? remove_undo : i == 1 ? spoil_undo : image_events[i - 2], &err);
        must_fail(status, i == 1 ? COW_INVALID : COW_REFUSED, err);
        must(!subject_is_pending(s), "event %zu: a journal was left", i);
        must(i >= 2 || subject_outcome(s) == OUTCOME_NEW, "event %zu: the image", i);
        subject_check_backing(s, s->change.operation == OPERATION_EXTEND, "after the plan");
        subject_free(s);
    }
}
END_TEST

/* ---- discarding ---- */

START_TEST(discarding_gives_it_up)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    struct subject *s = make_changed(_i);
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);
    faulty_init(&f, FAULT_NONE, 0, 0);
    must_succeed(plan_and_commit(s->target, cow_plan_discard_undo, &f.io, &err), err);
    must(f.n_unsynced == 0, "not durable");
    witness_check(&image, "discarded");
    witness_check(&backing, "discarded");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, s->copy != NULL ? "m m.backing m.img" : "m m.img");
    free(names);
    check_refused(s, COW_REFUSED, "discarded");
    must_fail(plan_and_commit(s->target, cow_plan_discard_undo, NULL, &err), COW_REFUSED, err);
    subject_free(s);
}
END_TEST

START_TEST(undo_data_is_not_discarded_while_recovery_needs_it)
{
    struct subject *s = make_changed(_i);
    struct cow_error err = {.status = 0};
    for (uint64_t at = 1;; at++) { /* an undo that has come so far as to have a journal, and no further */
        struct faulty f;
        faulty_init(&f, FAULT_CRASH, EIO, at);
        (void)subject_undo(s, &f.io, &err);
        if (subject_is_pending(s)) {
            break;
        }
    }
    must_fail(plan_and_commit(s->target, cow_plan_discard_undo, NULL, &err), COW_REFUSED, err);
    must_fail(subject_undo(s, NULL, &err), COW_REFUSED, err);
    must(strstr(err.hint, "recover") != NULL, "\"%s\"", err.hint);
    must_succeed(subject_recover(s, NULL, &err), err);
    subject_check_settled(s, OUTCOME_OLD, "recovered");
    subject_free(s);
}
END_TEST

/* ---- only the last, and only what is ours ---- */

START_TEST(only_the_last_change)
{
    struct cow_error err = {.status = 0};
    struct subject *s = make_changed(_i);
    const struct witness image = witness_of(s->target);
    for (int way = 0; way < 2; way++) { /* a second change, in place or by copy */
        struct cow_image *img;
        struct cow_plan *plan;
        const struct cow_open_options quick = {.io = quick_io()};
        const struct cow_resize_options opt = {.size_bytes = 600 * 512,
                                               .policy = COW_POLICY_KEEP,
                                               .reserve_bytes = way == 0 ? 0 : UINT64_C(8) << 30};
        must_succeed(cow_image_open(&img, s->target, &quick, &err), err);
        must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
        ck_assert_str_eq(cow_method_name(cow_plan_preview(plan)->method), way == 0 ? "header" : "copy");
        must_succeed(cow_plan_commit(plan, NULL, &err), err);
        cow_plan_free(plan);
        cow_image_close(img);
        must_succeed(subject_undo(s, NULL, &err), err);
        witness_check(&image, "the second change is undone");
        check_refused(s, COW_REFUSED, "the first one is not");
    }
    subject_free(s);
}
END_TEST

START_TEST(a_copy_that_is_another_file_now_is_left_alone)
{
    for (int way = 2; way < 4; way++) {
        struct cow_error err = {.status = 0};
        struct subject *s = make_changed(way);
        char *other = test_path("other");
        file_write(other, "somebody else's", 15);
        must(rename(other, s->copy) == 0, "rename");
        const struct witness copy = witness_of(s->copy);
        must_succeed(subject_undo(s, NULL, &err), err);
        witness_check(&copy, "another file");
        witness_check(&s->image, "another file");
        free(other);
        subject_free(s);
    }
}
END_TEST

START_TEST(strange_undo_data_is_not_obeyed)
{
    struct subject *s = make_changed(_i);
    char *undo = test_path(".m.cowtui-undo"), *away = test_path("away");
    must(rename(undo, away) == 0, "rename");
    check_refused(s, COW_REFUSED, "none");
    file_write(undo, "", 0);
    check_refused(s, COW_INVALID, "empty");
    file_write(undo, "what is this", 12);
    check_refused(s, COW_INVALID, "text");
    unlink(undo);
    must(symlink(away, undo) == 0, "symlink");
    check_refused(s, COW_IO, "link");
    unlink(undo);
    must(mkdir(undo, 0700) == 0, "mkdir");
    check_refused(s, COW_IO, "directory");
    rmdir(undo);
    must(rename(away, undo) == 0, "rename");
    subject_check_undo(s, "its own again");
    free(undo);
    free(away);
    subject_free(s);
}
END_TEST

/* ---- a record that is whole, and lies ---- */

static void read_record(struct record *out, const char *path, uint64_t *offset)
{
    struct cow_error err = {.status = 0};
    int fd = open(path, O_RDONLY);
    must(fd >= 0, "%s", path);
    must_succeed(record_read(out, offset, &io_system, fd, &err), err);
    close(fd);
}

static void write_record(const struct record *record, const char *path, uint64_t offset)
{
    uint8_t *bytes;
    size_t n;
    struct cow_error err = {.status = 0};
    must_succeed(record_encode(&bytes, &n, record, &err), err);
    file_write_at(path, offset, bytes, n);
    file_truncate(path, offset + n);
    free(bytes);
}

static const struct {
    size_t offset, width;
    uint64_t add;
    bool in_place; /* only there it says anything */
} lies[] = {
#define LIE(field, add, in_place)                                                                            \
    {                                                                                                        \
        offsetof(struct record, field), sizeof((struct record *)0)->field, (add), in_place                   \
    }
    LIE(old_end_offset, 512, false),  LIE(old_end_offset, (uint64_t)-512, false),
    LIE(new_file_bytes, 512, false),  LIE(old_size_field, 512, false),
    LIE(saved[0].offset, 8, true),    LIE(saved[0].offset, (uint64_t)-8, true),
    LIE(saved[0].n_bytes, 1, true),   LIE(saved[1].offset, (uint64_t)-512, true),
    LIE(saved[1].n_bytes, 512, true), LIE(shared_offset, (uint64_t)-1, true),
    LIE(shared_bits, 1, true),
};

START_TEST(a_record_that_says_other_things_than_the_header)
{
    struct record *r = calloc(1, sizeof *r);
    must(r != NULL, "out of memory");
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct subject *s = make_changed(_i);
        char *undo = test_path(".m.cowtui-undo");
        uint64_t offset, value = 0;
        read_record(r, undo, &offset);
        memcpy(&value, (char *)r + lies[i].offset, lies[i].width);
        value += lies[i].add;
        memcpy((char *)r + lies[i].offset, &value, lies[i].width);
        if (!lies[i].in_place || s->in_place) {
            write_record(r, undo, offset);
            const struct witness before = witness_of(undo);
            check_refused(
                s, lies[i].offset == offsetof(struct record, new_file_bytes) ? COW_REFUSED : COW_INVALID,
                "a lie");
            witness_check(&before, "a lie");
        }
        record_clear(r);
        free(undo);
        subject_free(s);
    }
    free(r);
}
END_TEST

/* Whatever stands there: it is looked at, and nothing is touched by that. */
START_TEST(any_number_in_a_record_can_be_looked_at)
{
    static const uint64_t values[] = {0, 1, UINT64_MAX, INT64_MAX, UINT32_MAX - 7};
    struct subject *s = make_changed(_i);
    char *undo = test_path(".m.cowtui-undo");
    struct record *r = calloc(1, sizeof *r);
    uint64_t begin;
    must(r != NULL, "out of memory");
    read_record(r, undo, &begin);
    record_clear(r);
    free(r);
    const size_t n = (size_t)(file_size(undo) - begin);
    uint8_t *good = malloc(n), *bytes = malloc(n);
    must(good != NULL && bytes != NULL, "out of memory");
    file_read(undo, begin, good, n);
    const struct witness image = witness_of(s->target), backing = witness_of(s->model->backing_path);
    for (size_t at = 16; at + 8 <= n - 16; at += at >= 88 && at < 88 + 1024 ? 64 : 4) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            struct cow_error err = {.status = 0};
            struct cow_image *img;
            struct cow_plan *plan = NULL;
            memcpy(bytes, good, n);
            put_number(bytes + at, 8, true, values[i]);
            put_number(bytes + n - 12, 4, true, crc_ieee(bytes, n - 12));
            file_write_at(undo, begin, bytes, n);
            must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
            (void)cow_plan_undo(&plan, img, &err);
            cow_plan_free(plan);
            cow_image_close(img);
        }
    }
    witness_check(&image, "looking");
    witness_check(&backing, "looking");
    file_write_at(undo, begin, good, n);
    subject_check_undo(s, "as it was");
    free(good);
    free(bytes);
    free(undo);
    subject_free(s);
}
END_TEST

START_TEST(a_guests_lock_holds_for_undo_too)
{
    struct subject *s = make_changed(_i);
    struct cow_error err = {.status = 0};
    char number[32];
    int go;
    pid_t pid = hold_lock(s->target, F_WRLCK, &go);
    check_refused(s, COW_LOCKED, "locked");
    (void)subject_undo(s, NULL, &err);
    snprintf(number, sizeof number, "pid %d", (int)pid);
    must(strstr(err.message, number) != NULL, "\"%s\" does not name %s", err.message, number);
    must_fail(plan_and_commit(s->target, cow_plan_discard_undo, NULL, &err), COW_LOCKED, err);
    close(go);
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
    subject_check_undo(s, "the guest has gone");
    subject_free(s);
}
END_TEST

Suite *undo_suite(void)
{
    Suite *suite = suite_create("undo");
    TCase *tc = tcase_create("undo");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, it_says_what_it_will_do, 0, WAYS);
    tcase_add_loop_test(tc, there_and_back_and_there, 0, WAYS);
    tcase_add_loop_test(tc, an_image_that_was_written_since, 0, WAYS);
    tcase_add_loop_test(tc, an_image_that_has_another_inode_number, 0, WAYS);
    tcase_add_test(tc, a_lengthened_backing_that_was_changed_since);
    tcase_add_test(tc, a_backing_of_then_that_is_gone_or_changed);
    tcase_add_test(tc, a_backing_of_then_that_goes_after_the_plan);
    tcase_add_loop_test(tc, a_private_backing_file_that_others_live_on_is_kept, 2, 4);
    tcase_add_loop_test(tc, what_happens_after_the_plan_is_noticed, 0, WAYS);
    tcase_add_loop_test(tc, discarding_gives_it_up, 0, WAYS);
    tcase_add_loop_test(tc, undo_data_is_not_discarded_while_recovery_needs_it, 0, WAYS);
    tcase_add_loop_test(tc, only_the_last_change, 0, WAYS);
    tcase_add_test(tc, a_copy_that_is_another_file_now_is_left_alone);
    tcase_add_loop_test(tc, strange_undo_data_is_not_obeyed, 0, WAYS);
    tcase_add_loop_test(tc, a_record_that_says_other_things_than_the_header, 0, WAYS);
    tcase_add_loop_test(tc, any_number_in_a_record_can_be_looked_at, 0, WAYS);
    tcase_add_loop_test(tc, a_guests_lock_holds_for_undo_too, 0, WAYS);
    suite_add_tcase(suite, tc);
    return suite;
}
