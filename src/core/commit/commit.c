/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The walk over a plan's steps. If a step fails, or the user cancels, what the steps before it did is
 * taken back, the journal last, and an error answered. Once the change is in place (the image renamed,
 * or its header written) nothing is taken back any more. If taking back fails, too, the journal stays,
 * and the hint names recover. What a crash, which leaves no time to act, leaves at each point stands on
 * top of each method (method_copy.c, method_header.c, method_merge.c).
 *
 * Here nothing is decided: a step's function finds in the plan what the preview has shown.
 */
#include "core/commit/steps.h"

#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/trace.h"
#include "core/beside/side.h"
#include "core/commit/methods.h"
#include "core/commit/step_family.h"
#include "core/ledger/journal.h"
#include "core/resize/in_two.h"
#include "cow/text.h"

struct step_row {
    int (*run)(struct commit *c);
    const char *phase;
};

static const struct step_row rows[COW_STEPS] = {
    [COW_STEP_LOCK] = {commit_lock, "locking"},
    [COW_STEP_CHECK_SPACE] = {commit_check_space, "checking for space"},
    [COW_STEP_COPY_BACKING] = {commit_copy_backing, "copying the backing file"},
    [COW_STEP_BEGIN_IMAGE] = {commit_begin_image, "beginning the new image"},
    [COW_STEP_WRITE_BITMAP] = {commit_write_bitmap, "writing the bitmap"},
    [COW_STEP_COPY_DATA] = {commit_copy_data, "copying data"},
    [COW_STEP_RESIZE_FS] = {commit_resize_fs, "giving the filesystem its size"},
    [COW_STEP_CUT_IMAGE] = {commit_cut_image, "cutting off the end"},
    [COW_STEP_BEGIN_RAW] = {commit_begin_raw, "beginning the raw file"},
    [COW_STEP_COMPOSE] = {commit_compose, "writing the disk"},
    [COW_STEP_KEEP_ATTRIBUTES] = {commit_keep_attributes, "keeping attributes"},
    [COW_STEP_FINISH_IMAGE] = {commit_finish_image, "flushing to disk"},
    [COW_STEP_FINISH_RAW] = {commit_finish_raw, "flushing to disk"},
    [COW_STEP_EXTEND_BACKING] = {commit_extend_backing, "lengthening the backing file"},
    [COW_STEP_RENAME] = {commit_rename, "putting it in place"},
    [COW_STEP_KEEP_UNDO] = {commit_keep_undo, "keeping the old image for undo"},
    [COW_STEP_JOURNAL] = {commit_journal, "writing the journal"},
    [COW_STEP_PREPARE] = {commit_prepare, "making room"},
    [COW_STEP_TAKE_OVER] = {commit_take_over, "taking over what was written"},
    [COW_STEP_WRITE_HEADER] = {commit_write_header, "writing the header"},
    [COW_STEP_END_JOURNAL] = {commit_end_journal, "closing the journal"},
    [COW_STEP_RECOVER] = {commit_recover, "recovering"},
    [COW_STEP_UNDO] = {commit_undo, "going back"},
    [COW_STEP_WRITE_SELECTION] = {commit_write_selection, "writing data"},
    [COW_STEP_MERGE_BACKING] = {commit_merge_backing, "writing into the backing file"},
    [COW_STEP_WRITE_FILE] = {commit_write_file, "writing the file"},
    [COW_STEP_WRITE_STREAM] = {commit_write_stream, "writing the disk"},
    [COW_STEP_MARK] = {commit_mark, "marking"},
    [COW_STEP_SHIFT] = {commit_shift, "moving data"},
    [COW_STEP_FILL] = {commit_fill, "writing the bitmap"},
    [COW_STEP_CLEAR_UP] = {commit_clear_up, "flushing to disk"},
    [COW_STEP_FAMILY_LOCK] = {commit_family_lock, "locking"},
    [COW_STEP_FAMILY_SPACE] = {commit_family_space, "checking for space"},
    [COW_STEP_FAMILY_JOURNAL] = {commit_family_journal, "writing the journal"},
    [COW_STEP_FAMILY_BACKING] = {commit_family_backing, "giving the backing file its length"},
    [COW_STEP_FAMILY_COMMIT] = {commit_family_commit, "committing"},
    [COW_STEP_FAMILY_END] = {commit_family_end, "closing the journal"},
    [COW_STEP_FAMILY_FORGET] = {commit_family_forget, "discarding undo data"},
    [COW_STEP_WRITE_DEVICE] = {commit_write_device, "writing the disk"},
    [COW_STEP_DISCARD_UNDO] = {commit_discard_undo, "discarding undo data"},
    [COW_STEP_BEGIN_FOREIGN] = {commit_begin_foreign, "making an empty disk"},
    [COW_STEP_WRITE_FOREIGN] = {commit_write_foreign, "writing the disk"},
    [COW_STEP_FINISH_FOREIGN] = {commit_finish_foreign, "flushing to disk"},
};

static void close_fd(struct commit *c, int *fd)
{
    if (*fd >= 0) {
        c->io->close(c->io->context, *fd);
        *fd = -1;
    }
}

/* Without a journal: only new files were made. A rename that reported a failure may have done its work all
 * the same: then the new file is there under its name, complete, and what it needs stays. */
static bool remove_new_files(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    struct stat made, there;
    if (c->out_made &&
        (c->io->fstat(c->io->context, c->out_fd, &made) < 0 ||
         (c->io->stat(c->io->context, plan->target.path, &there) == 0 && same_file(&made, &there)))) {
        return true;
    }
    if (c->out_made) {
        c->io->unlink(c->io->context, plan->target.temp_path);
    }
    if (c->copy_placed) {
        c->io->unlink(c->io->context, plan->backing.copy_path);
    } else if (c->copy_made) {
        c->io->unlink(c->io->context, plan->backing.copy_temp_path);
    }
    return true;
}

/* Everything as it was, the journal last. False: the journal is still there, and recovery has to go on. */
static bool take_back(struct commit *c)
{
    char journal[PATH_MAX];
    if (!c->journal_made) {
        return remove_new_files(c);
    }
    const struct method *method = method_of(c);
    if (method->is_placed != NULL && method->is_placed(c)) {
        return false;
    }
    int status = method->take_back == NULL ? 0 : method->take_back(c);
    if (status == 0) {
        status = c->io->unlink(c->io->context,
                               side_path(journal, c->plan->target.path, record_kind_journal(c->record.kind)));
    }
    return status == 0;
}

/* A failure with a journal that is still there: whether forward or back, recovery knows. */
static void tell_of_recovery(struct commit *c)
{
    char image[COW_HINT_BYTES / 2];
    /* of a family the way is decided for all; of a change of content there is one */
    if (c->marked && record_kind_facts(c->record.kind)->shifts && c->record.family_path[0] == '\0') {
        cow_error_hint(c->err,
                       "it stays half way, and no kernel opens it: \"cowtui recover %s\" goes on with it, "
                       "\"--back\" takes it back",
                       cow_shell_quote(image, sizeof image, c->plan->img->path));
        return;
    }
    const char *path = c->plan->img != NULL ? c->plan->img->path : c->plan->target.path;
    cow_error_hint(c->err, "the change is half done: \"cowtui recover %s\" finishes it or takes it back",
                   cow_shell_quote(image, sizeof image, path));
}

static uint64_t total_bytes(const struct cow_plan *plan)
{
    uint64_t total = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct cow_step *step = &plan->steps[i];
        total += step->kind == COW_STEP_WRITE_BITMAP ? 0 : step->bytes;
    }
    return arith_max(total, 1);
}

/* The commits that a plan has: of itself, and behind that one of each image, where it is of several. */
struct walk {
    struct commit *c;
    size_t n;
};

static void begin_walk(struct walk *w, const struct cow_plan *plan, const struct cow_env *env,
                       struct cow_error *err)
{
    for (size_t i = 0; i < w->n; i++) {
        w->c[i] = (struct commit){.plan = i == 0 ? plan : plan->family->member[i - 1],
                                  .io = plan->io,
                                  .env = env,
                                  .err = err,
                                  .image_fd = -1,
                                  .backing_fd = -1,
                                  .out_fd = -1,
                                  .input_fd = {-1, -1},
                                  .copy_fd = -1,
                                  .shift = {.half_fd = -1},
                                  .phase = "",
                                  .total_bytes = total_bytes(plan)};
    }
}

static int walk_steps(struct walk *w, const struct cow_plan *plan)
{
    uint64_t done_bytes = 0;
    int status = 0;
    const size_t n_steps = plan->then != NULL ? plan->first_steps : plan->n_steps;
    for (size_t i = 0; i < n_steps && status == 0; i++) {
        const struct step_row *row = &rows[plan->steps[i].kind];
        struct commit *c = &w->c[plan->steps[i].image];
        c->phase = row->phase;
        c->done_bytes = done_bytes; /* of all of it together */
        if (c != &w->c[0]) {        /* what holds for all: from then on nobody can stop it */
            c->backing_written = w->c[0].backing_written || w->c[0].renamed;
        }
        trace_say(c->env, COW_TRACE_STEPS, "step %zu of %zu: %s", i + 1, n_steps, plan->steps[i].text);
        status = commit_advance(c, 0);
        if (status == 0) {
            status = row->run(c);
        }
        if (status != 0) {
            trace_say(c->env, COW_TRACE_STEPS, "step %zu failed: %s", i + 1, c->err->message);
        }
        done_bytes = c->done_bytes;
    }
    return status;
}

/* Of several images: those that came last first, then what they share; false as for take_back. */
static bool take_all_back(struct walk *w)
{
    bool all = true;
    for (size_t i = w->n; i-- > 1;) {
        all = take_back(&w->c[i]) && all;
    }
    return w->n == 1 ? take_back(&w->c[0]) : all && family_take_back(&w->c[0]);
}

static void end_commit(struct commit *c)
{
    if (c->has_record) {
        record_clear(&c->record);
    }
    half_clear(&c->shift.half);
    close_fd(c, &c->shift.half_fd);
    close_fd(c, &c->copy_fd);
    close_fd(c, &c->out_fd);
    for (size_t i = 0; i < PLAN_INPUTS_MAX; i++) {
        close_fd(c, &c->input_fd[i]);
    }
    close_fd(c, &c->backing_fd);
    close_fd(c, &c->image_fd);
}

static void fail_walk(struct walk *w, const struct cow_plan *plan)
{
    struct commit *c = &w->c[0];
    if ((c->renamed && c->journal_made) || (!c->renamed && !take_all_back(w))) {
        tell_of_recovery(c);
    }
    if (c->spilled) {
        cow_error_hint(c->err, "what was written to %s is incomplete",
                       plan->target.stream_fd >= 0 ? "standard output" : plan->target.path);
    }
}

static int commit_one(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err)
{
    struct cow_error local;
    if (plan->committed) {
        return cow_error_set(err, COW_USAGE, "this plan has been committed already");
    }
    if (plan->refusal.status != 0) {
        cow_error_set(err, plan->refusal.status, "%s", plan->refusal.message);
        return cow_error_hint(err, "%s", plan->refusal.hint);
    }
    struct walk w = {.n = 1 + (plan->family != NULL ? plan->family->members : 0)};
    w.c = calloc(w.n, sizeof *w.c);
    if (w.c == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    const struct cow_io *const io = plan->io;
    plan->io = trace_begin(io, env);
    if (plan->img != NULL) {
        trace_name(plan->io, io, plan->img->cow.fd, plan->img->path);
    }
    begin_walk(&w, plan, env, err != NULL ? err : &local);
    plan->committed = true;
    const int status = walk_steps(&w, plan);
    if (status != 0) {
        fail_walk(&w, plan);
    }
    for (size_t i = w.n; i-- > 0;) {
        end_commit(&w.c[i]);
    }
    free(w.c);
    trace_end(plan->io, io);
    plan->io = io;
    return status;
}

/* The second of two changes, on the image as the first has left it. */
static int commit_second(const struct cow_plan *first, const struct cow_env *env, struct cow_error *err)
{
    const struct cow_image *img = first->img;
    const struct cow_open_options open = {.backing_path = img->named_backing, .io = first->io};
    char image[COW_HINT_BYTES / 2];
    struct cow_image *again = NULL;
    struct cow_plan *plan = NULL;
    int status = cow_image_open(&again, img->path, &open, err);
    if (status == 0) {
        status = resize_plan_then(&plan, again, first, err);
    }
    if (status == 0) {
        status = commit_one(plan, env, err);
    }
    cow_plan_free(plan);
    cow_image_close(again);
    if (status == COW_CANCELLED && err != NULL) { /* the first of them is done */
        cow_error_set(err, COW_CANCELLED,
                      "cancelled: the disk is as it was, and its data lies where there is room to grow");
    }
    if (status != 0 && err != NULL && err->hint[0] == '\0') {
        cow_error_hint(
            err,
            "the disk is the old one, and has room to grow now: \"cowtui resize %s\" again needs to move "
            "nothing",
            cow_shell_quote(image, sizeof image, img->path));
    }
    return status;
}

int cow_plan_commit(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err)
{
    const int status = commit_one(plan, env, err);
    return status == 0 && plan->then != NULL ? commit_second(plan, env, err) : status;
}
