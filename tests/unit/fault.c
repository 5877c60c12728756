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
#include "faulty.h"

/* What each loop runs over: changes that together make every call of a commit. */
static const struct change changes[] = {
    {.operation = OPERATION_CREATE},
    {.operation = OPERATION_EXTEND, .spec = {.format = COW_FORMAT_V3}}, /* in place */
    {.operation = OPERATION_EXTEND, .spec = {.format = COW_FORMAT_V3}, .reserve_bytes = UINT64_C(1) << 30},
    {.operation = OPERATION_EXTEND, .spec = {.format = COW_FORMAT_V1, .size_bytes = 299 * 512 + 77}},
    {.operation = OPERATION_EXTEND, .spec = {.format = COW_FORMAT_V3, .size_bytes = 299 * 512 + 77}},
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_V2}},
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_QEMU, .backing_bytes = NO_BACKING}},
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_V3}}, /* in place */
    {.operation = OPERATION_COPY, .spec = {.format = COW_FORMAT_V3}, .elsewhere = true},
    {.operation = OPERATION_KEEP, .spec = {.format = COW_FORMAT_V3_64}},
    {.operation = OPERATION_KEEP, .spec = {.format = COW_FORMAT_V3, .size_bytes = 299 * 512}}, /* in place */
    {.operation = OPERATION_KEEP, .spec = {.format = COW_FORMAT_V3}, .elsewhere = true},
    {.operation = OPERATION_SHRINK, .spec = {.format = COW_FORMAT_V3}},
    {.operation = OPERATION_SHRINK, .spec = {.format = COW_FORMAT_V1_64, .short_file = true}},
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
    if (change.operation == OPERATION_SHRINK) {
        change.new_bytes = spec->dull_from = 200 * 512;
    }
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

/* The backing file and an image that is only read; whatever the outcome. */
static void check_inputs(const struct subject *s, const char *where)
{
    subject_check_backing(s, false, where);
    if (s->model->backing_path != NULL && s->change.operation != OPERATION_EXTEND) {
        witness_check(&s->backing, where);
    }
    if (s->change.operation != OPERATION_CREATE && !subject_changes_image(s)) {
        witness_check(&s->image, where);
    }
}

/* What a journal speaks of is brought to an end; answers to which one. */
static enum outcome recover(const struct subject *s, const char *where)
{
    struct cow_error err = {.status = 0};
    int status = subject_recover(s, NULL, &err);
    must(status == 0, "%s: %s: recover: %s", where, subject_describe(s), err.message);
    must(!subject_is_pending(s), "%s: %s: the journal is still there", where, subject_describe(s));
    enum outcome outcome = subject_outcome(s);
    must(outcome != OUTCOME_BROKEN, "%s: %s: recover broke it", where, subject_describe(s));
    subject_check_settled(s, outcome, where);
    must_fail(subject_recover(s, NULL, &err), COW_REFUSED, err); /* there is nothing left to do */
    return outcome;
}

/* The state after a failure that the commit could handle: nothing has changed; or the journal is still there,
 * the message tells of it, and recovery finishes; or all is in place. */
static void check_after_failure(const struct subject *s, int status, const struct cow_error *err,
                                const char *where)
{
    enum outcome outcome = subject_outcome(s);
    must(outcome != OUTCOME_BROKEN, "%s: %s: neither the old nor the new disk", where, subject_describe(s));
    must(err->status == status && err->message[0] != '\0' && is_terminal_safe(err->message), "%s: err",
         where);
    check_inputs(s, where);
    if (subject_is_pending(s)) {
        must(strstr(err->hint, "recover") != NULL, "%s: %s: the hint is \"%s\"", where, subject_describe(s),
             err->hint);
        recover(s, where);
    } else if (outcome == OUTCOME_OLD) {
        subject_check_untouched(s, where);
    } else { /* it was only the last step that failed */
        subject_check_done(s, where);
    }
}

/* A change in place was interrupted between its header and its date: whether a guest has written since,
 * nobody can tell, so going back is refused, and nothing lost by it. */
static bool undo_is_given_up(const struct subject *s, const char *call)
{
    struct cow_error err = {.status = 0};
    if (!s->in_place || call == NULL || strcmp(call, "futimens") != 0 || subject_outcome(s) != OUTCOME_NEW ||
        subject_undo(s, NULL, &err) == 0) {
        return false;
    }
    must_fail(err.status, COW_REFUSED, err);
    subject_check_done(s, "undo is refused");
    return true;
}

/* The same command once more, without faults; and back. */
static void run_again(struct subject *s, const char *where)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    bool planned;
    faulty_init(&f, FAULT_NONE, 0, 0);
    if (subject_outcome(s) == OUTCOME_OLD) {
        /* a recovery leaves a short file at its full length: from now on that is the old state */
        if (s->change.operation != OPERATION_CREATE) {
            subject_look_again(s);
        }
        int status = subject_run(s, &f.io, NULL, &planned, &err);
        must(status == 0, "%s: %s: run again: %s", where, subject_describe(s), err.message);
        subject_check_done(s, where);
    }
    subject_check_undo(s, where);
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
            /* what copy_range does not do is read and written, and that is looked at below */
            const bool another_way = strcmp(call, "copy_range") == 0 && error == EIO;
            must(error == EINTR || error == EXDEV || another_way || may_be_ignored(call, &notes),
                 "%s: %s: called a success", where, subject_describe(s));
            subject_check_done(s, where);
            subject_check_undo(s, where);
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
    subject_check_undo(s, "short writes");
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

/* A private copy that was made for a file elsewhere has no journal: a crash leaves it, and the next run takes
 * the next free name. */
static void step_over_left_copy(struct subject *s)
{
    char *left = test_path("out.backing");
    if (s->change.elsewhere && s->copy != NULL && file_exists(left)) {
        unlink(left);
    }
    free(left);
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
        check_inputs(s, where);
        check_left_over(s, where);
        if (f.struck == NULL) {
            subject_free(s);
            return;
        }
        if (subject_is_pending(s)) {
            /* nobody changes it before it is settled */
            must_fail(subject_run(s, NULL, NULL, &planned, &err), COW_REFUSED, err);
            must(strstr(err.hint, "recover") != NULL, "%s: the hint is \"%s\"", where, err.hint);
            recover(s, where);
        } else if (outcome == OUTCOME_OLD && s->change.operation != OPERATION_CREATE) {
            witness_check(&s->image, where);
        }
        if (outcome == OUTCOME_OLD && s->model->backing_path != NULL && subject_outcome(s) == OUTCOME_OLD) {
            witness_check(&s->backing, where); /* its date among the rest */
        }
        if (subject_outcome(s) == OUTCOME_OLD) {
            step_over_left_copy(s);
        }
        if (!undo_is_given_up(s, f.struck)) {
            run_again(s, where);
        }
        subject_free(s);
    }
}
END_TEST

/* The same, and recovery crashes, too, at each of its calls. */
START_TEST(a_crash_in_each_recovery)
{
    for (uint64_t at = 4;; at += 3) {
        bool struck = true;
        for (uint64_t again = 1; struck; again++) {
            struct faulty f;
            struct cow_error err = {.status = 0};
            bool planned;
            char where[128];
            struct subject *s = make_subject(_i);
            faulty_init(&f, FAULT_CRASH, EIO, at);
            (void)subject_run(s, &f.io, NULL, &planned, &err);
            if (f.struck == NULL || !subject_is_pending(s)) {
                struck = false;
                at = f.struck == NULL ? UINT64_MAX : at;
            } else {
                snprintf(where, sizeof where, "crash at call %" PRIu64 " (%s), and in recovery at %" PRIu64,
                         at, f.struck, again);
                faulty_init(&f, FAULT_CRASH, EIO, again);
                int status = subject_recover(s, &f.io, &err);
                struck = f.struck != NULL;
                must(status == 0 || struck, "%s: %s", where, err.message);
                must(subject_outcome(s) != OUTCOME_BROKEN, "%s: %s: neither the old nor the new disk", where,
                     subject_describe(s));
                if (subject_is_pending(s)) {
                    recover(s, where);
                }
                subject_check_settled(s, subject_outcome(s), where);
            }
            subject_free(s);
        }
        if (at == UINT64_MAX) {
            return;
        }
    }
}
END_TEST

/* And so for going back. */
START_TEST(a_crash_in_each_undo)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        bool planned;
        char where[128];
        struct subject *s = make_subject(_i);
        if (!subject_changes_image(s)) {
            subject_free(s);
            return;
        }
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        faulty_init(&f, FAULT_CRASH, EIO, at);
        int status = subject_undo(s, &f.io, &err);
        snprintf(where, sizeof where, "undo, crash at call %" PRIu64 " (%s)", at,
                 f.struck != NULL ? f.struck : "none");
        must(status == 0 || f.struck != NULL, "%s: %s", where, err.message);
        must(subject_outcome(s) != OUTCOME_BROKEN, "%s: %s: neither the old nor the new disk", where,
             subject_describe(s));
        check_inputs(s, where);
        if (subject_is_pending(s)) {
            must(f.struck != NULL, "%s: the journal was left", where);
            recover(s, where);
        }
        if (subject_outcome(s) == OUTCOME_OLD) {
            subject_check_settled(s, OUTCOME_OLD, where);
        }
        const bool done = f.struck == NULL;
        must(!done || subject_outcome(s) == OUTCOME_OLD, "%s: not gone back", where);
        run_again(s, where);
        subject_free(s);
        if (done) {
            must(at > 10, "only %" PRIu64 " calls: the table is not used", at);
            return;
        }
    }
}
END_TEST

/* Every call of going back fails once. */
START_TEST(an_error_at_each_call_of_undo)
{
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        bool planned;
        char where[128];
        struct subject *s = make_subject(_i);
        if (!subject_changes_image(s)) {
            subject_free(s);
            return;
        }
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        faulty_init(&f, at % 2 == 0 ? FAULT_LATE : FAULT_ERROR, EIO, at);
        int status = subject_undo(s, &f.io, &err);
        const bool struck = f.struck != NULL;
        snprintf(where, sizeof where, "undo, error at call %" PRIu64 " (%s)", at, struck ? f.struck : "none");
        if (status == 0) {
            subject_check_untouched(s, where);
        } else {
            must(struck, "%s: %s", where, err.message);
            must(subject_outcome(s) != OUTCOME_BROKEN, "%s: %s: neither", where, subject_describe(s));
            if (subject_is_pending(s)) {
                must(strstr(err.hint, "recover") != NULL, "%s: the hint is \"%s\"", where, err.hint);
                recover(s, where);
            }
            subject_check_settled(s, subject_outcome(s), where);
            run_again(s, where);
        }
        subject_free(s);
        if (!struck) {
            return;
        }
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
    if (subject_changes_image(s)) {
        must_succeed(subject_undo(s, &f.io, &err), err);
        must(f.renames_unsynced == 0 && f.n_unsynced == 0, "%s: going back is not durable: %u",
             subject_describe(s), f.n_unsynced);
        subject_check_untouched(s, "durable");
    }
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
    must(p->total_bytes > 0 && p->done_bytes <= p->total_bytes, "progress %" PRIu64 " of %" PRIu64,
         p->done_bytes, p->total_bytes);
    must(p->done_bytes >= c->done_bytes, "progress goes back from %" PRIu64 " to %" PRIu64, c->done_bytes,
         p->done_bytes);
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
    tcase_add_loop_test(tc, a_crash_in_each_recovery, 0, CHANGES);
    tcase_add_loop_test(tc, a_crash_in_each_undo, 0, CHANGES);
    tcase_add_loop_test(tc, an_error_at_each_call_of_undo, 0, CHANGES);
    tcase_add_loop_test(tc, a_success_is_durable, 0, CHANGES);
    tcase_add_loop_test(tc, a_cancel_at_each_progress_call, 0, CHANGES);
    suite_add_tcase(suite, tc);
    return suite;
}
