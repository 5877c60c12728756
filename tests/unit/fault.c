/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every mutating call of every change fails once: with an error, after its work, or with all that follow it,
 * as in a crash. Afterwards the disk is the old or the new one, nothing was called a success that is none, no
 * file is left behind, and the same command run again finishes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "changes.h"

/* What each loop runs over: changes that together make every call of a commit. */
static const struct change changes[] = {
    {.operation = OPERATION_CREATE},
    {.operation = OPERATION_EXTEND, .spec = {.format = COW_FORMAT_V3}},
    {.operation = OPERATION_EXTEND, .spec = {.format = COW_FORMAT_V1, .size_bytes = 299 * 512 + 77}},
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_V2}},
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_QEMU, .backing_bytes = NO_BACKING}},
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_V3}, .elsewhere = true},
    {.operation = OPERATION_KEEP, .spec = {.format = COW_FORMAT_V3_64}},
    {.operation = OPERATION_KEEP, .spec = {.format = COW_FORMAT_V3}, .elsewhere = true},
    {.operation = OPERATION_MERGE, .spec = {.format = COW_FORMAT_V3}},
};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static struct subject *make_subject(int i)
{
    struct change change = changes[i];
    struct model_spec *spec = &change.spec;
    spec->format = change.operation == OPERATION_CREATE ? COW_FORMAT_V3 : spec->format;
    spec->size_bytes = spec->size_bytes == 0 ? 300 * 512 : spec->size_bytes;
    spec->sector_bytes = 512;
    spec->alignment = shapes[spec->format].kind == 'a' ? 4096 : 0;
    spec->backing_bytes = spec->backing_bytes == 0 ? spec->size_bytes : spec->backing_bytes;
    spec->pattern = PATTERN_FAR;
    spec->garbage = true;
    spec->seed = 3;
    change.new_bytes = 400 * 512;
    struct subject *s = subject_create(&change);
    if (change.operation != OPERATION_CREATE) {
        must(setxattr(s->model->cow_path, "user.note", "kept", 4, 0) == 0 || errno == ENOTSUP, "setxattr");
    }
    return s;
}

struct notes {
    unsigned n;
};

static void count_note(void *context, const char *text)
{
    must(is_terminal_safe(text) && text[0] != '\0', "note");
    ((struct notes *)context)->n++;
}

/* Names that may be there; others are left-overs. */
static void check_names(const struct subject *s, enum outcome outcome, const char *where)
{
    char *names = directory_list(test_directory());
    char wanted[256];
    const bool is_new = outcome == OUTCOME_NEW;
    const bool backed = s->model->backing_path != NULL;
    const bool output = is_new && strcmp(s->target, s->model->cow_path) != 0;
    snprintf(wanted, sizeof wanted, "%s%s%s%s%s",
             s->change.operation != OPERATION_CREATE || is_new ? "m" : "",
             s->copy != NULL && is_new && !s->change.elsewhere ? " m.backing" : "", backed ? " m.img" : "",
             output ? " out" : "", s->copy != NULL && is_new && s->change.elsewhere ? " out.backing" : "");
    const char *begin = wanted[0] == ' ' ? wanted + 1 : wanted;
    must(strcmp(names, begin) == 0, "%s: %s: there is \"%s\", not \"%s\"", where, subject_describe(s), names,
         begin);
    free(names);
}

/* The state after a failure that the commit could handle. */
static void check_after_failure(const struct subject *s, int status, const struct cow_error *err,
                                const char *where)
{
    enum outcome outcome = subject_outcome(s);
    must(outcome != OUTCOME_BROKEN, "%s: %s: neither the old nor the new disk", where, subject_describe(s));
    must(err->status == status && err->message[0] != '\0' && is_terminal_safe(err->message), "%s: err",
         where);
    check_names(s, outcome, where);
    subject_check_backing(s, false, where);
    if (s->model->backing_path != NULL) {
        must(file_mtime(s->model->backing_path) == MODEL_MTIME, "%s: %s: the backing's date", where,
             subject_describe(s));
        if (outcome == OUTCOME_OLD || s->change.operation != OPERATION_EXTEND) {
            witness_check(&s->backing, where);
        }
    }
    if (s->change.operation != OPERATION_CREATE &&
        (outcome == OUTCOME_OLD || strcmp(s->target, s->model->cow_path) != 0)) {
        witness_check(&s->image, where);
    }
    if (outcome == OUTCOME_NEW) { /* it was only the last step that failed: all is there */
        subject_check_done(s, where);
    }
}

/* The same command once more, without faults. */
static void run_again(struct subject *s, const char *where)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    bool planned;
    faulty_init(&f, FAULT_NONE, 0, 0);
    if (subject_outcome(s) == OUTCOME_NEW) {
        return; /* there is nothing to do any more */
    }
    int status = subject_run(s, &f.io, NULL, &planned, &err);
    must(status == 0, "%s: %s: run again: %s", where, subject_describe(s), err.message);
    subject_check_done(s, where);
    check_names(s, OUTCOME_NEW, where);
}

/* Whether the commit may call this a success: what it has to ask for, but can do without. */
static bool may_be_ignored(const char *call, const struct notes *notes)
{
    return notes->n > 0 || strcmp(call, "clone") == 0 || strcmp(call, "fchown") == 0 ||
           strcmp(call, "unlink") == 0;
}

static void fail_each_call(int i, enum fault_kind kind, int error)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct notes notes = {0};
        const struct cow_env env = {.note = count_note, .context = &notes};
        struct cow_error err = {.status = 0};
        bool planned;
        char where[128];
        struct subject *s = make_subject(i);
        faulty_init(&f, kind, error, at);
        int status = subject_run(s, &f.io, &env, &planned, &err);
        const char *call = f.struck;
        snprintf(where, sizeof where, "call %" PRIu64 " (%s) with %s%s", at, call != NULL ? call : "none",
                 strerror(error), kind == FAULT_LATE ? ", late" : "");
        if (call == NULL) {
            must(status == 0, "%s: %s", where, err.message);
            subject_check_done(s, where);
            subject_free(s);
            must(at > 10, "only %" PRIu64 " calls: the table is not used", at);
            return;
        }
        if (status == 0) {
            must(error == EINTR || error == EXDEV || may_be_ignored(call, &notes), "%s: %s: called a success",
                 where, subject_describe(s));
            subject_check_done(s, where);
            check_names(s, OUTCOME_NEW, where);
        } else {
            must(error != EINTR || (strcmp(call, "pwrite") != 0 && strcmp(call, "copy_range") != 0),
                 "%s: %s: a signal is no failure", where, subject_describe(s));
            check_after_failure(s, status, &err, where);
            run_again(s, where);
        }
        subject_free(s);
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

START_TEST(short_writes_are_gone_on_with)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = make_subject(_i);
    faulty_init(&f, FAULT_SHORT, 0, 1); /* every write from the first on is cut in half */
    must_succeed(subject_run(s, &f.io, NULL, &planned, &err), err);
    subject_check_done(s, "short writes");
    check_names(s, OUTCOME_NEW, "short writes");
    subject_free(s);
}
END_TEST

static const int no_copy_range[] = {EXDEV, EINVAL, ENOSYS, EOPNOTSUPP};

static ssize_t refusing_copy_range(void *context, int from_fd, uint64_t from, int to_fd, uint64_t to,
                                   size_t n_bytes)
{
    struct faulty *f = context;
    (void)from_fd;
    (void)from;
    (void)to_fd;
    (void)to;
    (void)n_bytes;
    return -f->error;
}

START_TEST(a_filesystem_that_cannot_copy_ranges)
{
    for (size_t k = 0; k < sizeof no_copy_range / sizeof no_copy_range[0]; k++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        bool planned;
        struct subject *s = make_subject(_i);
        faulty_init(&f, FAULT_NONE, no_copy_range[k], 0);
        f.io.copy_range = refusing_copy_range;
        must_succeed(subject_run(s, &f.io, NULL, &planned, &err), err);
        subject_check_done(s, "without copy_range");
        subject_free(s);
    }
}
END_TEST

/* What lies under the temporary name must be marked unfinished, or be complete. */
static void check_left_over(const struct subject *s, const char *where)
{
    char *temp = test_path(strcmp(s->target, s->model->cow_path) == 0 ? ".m.cowtui-new" : ".out.cowtui-new");
    struct model_view view;
    if (s->change.operation != OPERATION_MERGE && file_exists(temp) && file_size(temp) > 0 &&
        model_read_header(&view, temp, COW_FORMAT_V3)) {
        uint64_t size;
        uint8_t *disk = model_compose(temp, COW_FORMAT_V3, NULL, &size);
        must(disk != NULL && size == s->new_bytes && memcmp(disk, s->new_disk, size) == 0,
             "%s: %s: a half-written file without the mark", where, subject_describe(s));
        free(disk);
    }
    free(temp);
}

START_TEST(a_crash_at_each_call)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        bool planned;
        char where[128];
        struct subject *s = make_subject(_i);
        faulty_init(&f, FAULT_CRASH, EIO, at);
        int status = subject_run(s, &f.io, NULL, &planned, &err);
        snprintf(where, sizeof where, "crash at call %" PRIu64 " (%s)", at,
                 f.struck != NULL ? f.struck : "none");
        enum outcome outcome = subject_outcome(s);
        must(outcome != OUTCOME_BROKEN, "%s: %s: neither the old nor the new disk", where,
             subject_describe(s));
        must(status != 0 || outcome == OUTCOME_NEW, "%s: called a success", where);
        subject_check_backing(s, false, where);
        check_left_over(s, where);
        if (f.struck == NULL) {
            subject_free(s);
            return;
        }
        if (s->change.operation == OPERATION_EXTEND && outcome == OUTCOME_OLD &&
            file_mtime(s->model->backing_path) != MODEL_MTIME) {
            /* Between lengthening the backing and giving it its date back: without a journal nobody can tell
             * that from a changed backing, so the same command refuses until the date is put back. */
            faulty_init(&f, FAULT_NONE, 0, 0);
            must_fail(subject_run(s, &f.io, NULL, &planned, &err), COW_REFUSED, err);
            file_set_mtime(s->model->backing_path, MODEL_MTIME);
        }
        if (outcome == OUTCOME_OLD) {
            faulty_init(&f, FAULT_NONE, 0, 0);
            char *first_copy = s->copy;
            if (first_copy != NULL && file_exists(first_copy)) { /* the next run takes the next free name */
                s->copy = test_path(s->change.elsewhere ? "out.backing.1" : "m.backing.1");
            }
            status = subject_run(s, &f.io, NULL, &planned, &err);
            must(status == 0, "%s: %s: run again: %s", where, subject_describe(s), err.message);
            subject_check_done(s, where);
            char *names = directory_list(test_directory());
            must(strstr(names, "cowtui") == NULL, "%s: %s: \"%s\"", where, subject_describe(s), names);
            free(names);
            if (s->copy != first_copy) {
                free(first_copy);
            }
        }
        subject_free(s);
    }
}
END_TEST

START_TEST(a_success_is_durable)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = make_subject(_i);
    faulty_init(&f, FAULT_NONE, 0, 0);
    f.real_sync = true;
    must_succeed(subject_run(s, &f.io, NULL, &planned, &err), err);
    must(f.renames_unsynced == 0, "%s: a file was renamed before it, or the last rename, was flushed",
         subject_describe(s));
    must(f.sizes_unsynced == 0, "%s: the true size was written before the data was flushed",
         subject_describe(s));
    must(f.n_unsynced == 0, "%s: %u files or directories were not flushed", subject_describe(s),
         f.n_unsynced);
    subject_check_done(s, "durable");
    subject_free(s);
}
END_TEST

/* ---- cancelling ---- */

struct canceller {
    uint64_t calls, at;
    bool could; /* at the call where it asked */
    uint64_t done_bytes;
};

static bool ask_to_stop(void *context, const struct cow_progress *p)
{
    struct canceller *c = context;
    must(p->total_bytes > 0 && p->done_bytes <= p->total_bytes, "progress %lu of %lu", p->done_bytes,
         p->total_bytes);
    must(p->done_bytes >= c->done_bytes, "progress goes back from %lu to %lu", c->done_bytes, p->done_bytes);
    must(p->phase != NULL && p->phase[0] != '\0', "no phase");
    c->done_bytes = p->done_bytes;
    if (++c->calls == c->at) {
        c->could = p->can_cancel;
        return true;
    }
    return false;
}

START_TEST(a_cancel_at_each_progress_call)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct canceller canceller = {.at = at};
        const struct cow_env env = {.progress = ask_to_stop, .context = &canceller};
        struct cow_error err = {.status = 0};
        bool planned;
        char where[64];
        struct subject *s = make_subject(_i);
        faulty_init(&f, FAULT_NONE, 0, 0);
        int status = subject_run(s, &f.io, &env, &planned, &err);
        snprintf(where, sizeof where, "cancel at %" PRIu64, at);
        if (canceller.could) {
            must_fail(status, COW_CANCELLED, err);
            subject_check_untouched(s, where);
        } else {
            must(status == 0, "%s: %s", where, err.message);
            subject_check_done(s, where);
        }
        subject_free(s);
        if (canceller.calls < at) {
            must(at > 3, "progress is not told");
            return;
        }
    }
}
END_TEST

Suite *fault_suite(void)
{
    Suite *suite = suite_create("fault");
    TCase *tc = tcase_create("fault");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, an_io_error_at_each_call, 0, CHANGES);
    tcase_add_loop_test(tc, a_full_disk_at_each_call, 0, CHANGES);
    tcase_add_loop_test(tc, a_signal_at_each_call, 0, CHANGES);
    tcase_add_loop_test(tc, an_error_after_the_work_was_done, 0, CHANGES);
    tcase_add_loop_test(tc, short_writes_are_gone_on_with, 0, CHANGES);
    tcase_add_loop_test(tc, a_filesystem_that_cannot_copy_ranges, 0, CHANGES);
    tcase_add_loop_test(tc, a_crash_at_each_call, 0, CHANGES);
    tcase_add_loop_test(tc, a_success_is_durable, 0, CHANGES);
    tcase_add_loop_test(tc, a_cancel_at_each_progress_call, 0, CHANGES);
    suite_add_tcase(suite, tc);
    return suite;
}
