/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * second: while one process is at a call, a second one begins and ends. The first one's files stay open and
 * locked. One of the two does its work, the other answers that it cannot and leaves nothing; and once the
 * first has its locks, it is the first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "run.h"
#include "sim_log.h"

#define COMER_PATH "/img/come.cow"

struct pair {
    struct sim sim; /* of both; first, so that the table's context leads to all of this */
    const struct action *second;
    unsigned long at; /* the call before which it runs, counted from 1 */
    unsigned long n;
    bool inside;
    bool begun; /* the first has had its lock on the image then */
    int status;
    struct cow_error err;
    bool changed;      /* something, by the second */
    unsigned open;     /* files that it left open */
    struct tree after; /* as it left them */
};

static bool holds_image(const struct sim *sim)
{
    const uint8_t image = tree_find(&sim->live, IMAGE_PATH);
    for (unsigned i = 0; i < SIM_FDS; i++) {
        if (sim->fd[i].used && sim->fd[i].write_locked && sim->fd[i].inode == image) {
            return true;
        }
    }
    return false;
}

static void pause_here(struct pair *pair)
{
    struct tree before;
    if (pair->inside) {
        return;
    }
    pair->begun |= pair->n < pair->at && holds_image(&pair->sim);
    if (++pair->n != pair->at) {
        return;
    }
    pair->inside = true;
    pair->open = sim_open_files(&pair->sim);
    tree_copy(&before, &pair->sim.live);
    pair->status = action_run(&pair->sim, pair->second, NULL, &pair->err);
    pair->changed = !tree_same(&before, &pair->sim.live);
    pair->open = sim_open_files(&pair->sim) - pair->open;
    tree_copy(&pair->after, &pair->sim.live);
    tree_clear(&before);
    pair->inside = false;
}

/* ---- the calls at which it may happen: those that change or lock something, or open a file ---- */

#define PAUSED(name, parameters, arguments)                                                                  \
    static int paused_##name parameters                                                                      \
    {                                                                                                        \
        pause_here(context);                                                                                 \
        return sim_table.name arguments;                                                                     \
    }

PAUSED(open, (void *context, const char *path, int flags, mode_t mode), (context, path, flags, mode))
PAUSED(clone, (void *context, int from_fd, int to_fd), (context, from_fd, to_fd))
PAUSED(ftruncate, (void *context, int fd, uint64_t size_bytes), (context, fd, size_bytes))
PAUSED(fallocate, (void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes),
       (context, fd, how, offset, n_bytes))
PAUSED(fsync, (void *context, int fd), (context, fd))
PAUSED(futimens, (void *context, int fd, const struct timespec times[2]), (context, fd, times))
PAUSED(fchown, (void *context, int fd, uid_t uid, gid_t gid), (context, fd, uid, gid))
PAUSED(fchmod, (void *context, int fd, mode_t mode), (context, fd, mode))
PAUSED(fsetxattr, (void *context, int fd, const char *name, const void *value, size_t n_bytes),
       (context, fd, name, value, n_bytes))
PAUSED(link, (void *context, const char *from, const char *to), (context, from, to))
PAUSED(rename, (void *context, const char *from, const char *to, bool replace), (context, from, to, replace))
PAUSED(unlink, (void *context, const char *path), (context, path))
PAUSED(lock, (void *context, int fd, enum io_lock lock), (context, fd, lock))

static ssize_t paused_pwrite(void *context, int fd, const void *buffer, size_t n_bytes, uint64_t offset)
{
    pause_here(context);
    return sim_table.pwrite(context, fd, buffer, n_bytes, offset);
}

static ssize_t paused_copy_range(void *context, int from_fd, uint64_t from, int to_fd, uint64_t to,
                                 size_t n_bytes)
{
    pause_here(context);
    return sim_table.copy_range(context, from_fd, from, to_fd, to, n_bytes);
}

static void pair_boot(struct pair *pair, const struct tree *from, const struct scene *scene)
{
    struct tree copy;
    memset(pair, 0, sizeof *pair);
    tree_copy(&copy, from);
    sim_boot(&pair->sim, &copy);
    scene_equip(scene, &pair->sim);
    struct cow_io *io = &pair->sim.io;
    io->open = paused_open;
    io->clone = paused_clone;
    io->ftruncate = paused_ftruncate;
    io->fallocate = paused_fallocate;
    io->fsync = paused_fsync;
    io->futimens = paused_futimens;
    io->fchown = paused_fchown;
    io->fchmod = paused_fchmod;
    io->fsetxattr = paused_fsetxattr;
    io->link = paused_link;
    io->rename = paused_rename;
    io->unlink = paused_unlink;
    io->lock = paused_lock;
    io->pwrite = paused_pwrite;
    io->copy_range = paused_copy_range;
}

/* ---- judging ---- */

static bool is_polite(int status)
{
    return status == COW_LOCKED || status == COW_REFUSED;
}

/* The second could not, so the first goes on as if nothing had been. */
static void check_first(struct run *run, const struct pair *pair, const struct action *first, int status,
                        const struct cow_error *err)
{
    const bool recovers = first->verb == VERB_RECOVER;
    const struct allowance allowed = {.left_overs = recovers};
    if (status != 0) {
        run_violation(run, "the second changed nothing, and the first fails: %s", err->message);
        return;
    }
    struct verdict v = judge_settled(run->trial, &pair->sim.live, &allowed);
    if (v.outcome == OUTCOME_BAD || journal_there(&pair->sim.live)) {
        run_violation(run, "after the first: %s", v.outcome == OUTCOME_BAD ? v.why : "there is a journal");
    } else if (v.outcome != OUTCOME_NEW && !recovers && first->verb != VERB_DISCARD) {
        run_violation(run, "the first answers 0, and the disk is old");
    }
}

/* Where recovery or undo gives the image's name to another file, its lock stays with the one that had it. So
 * a second recover may end what the first has begun; the first writes the same once more, finds nothing left
 * to do, and fails. That is not as it should be, but harms no disk: it is counted, and the disk judged. */
static bool is_overtaken(const struct pair *pair, const struct action *first, int status)
{
    return pair->begun && status == COW_IO && pair->second->verb == VERB_RECOVER &&
           (first->verb == VERB_RECOVER || first->verb == VERB_UNDO);
}

/* The second did its work. Either it was faster, and the first says that it could not; or the first had done
 * its own already. */
static void check_both(struct run *run, const struct pair *pair, const struct action *first, int status,
                       const struct cow_error *err)
{
    const struct allowance allowed = {.left_overs = first->verb == VERB_RECOVER};
    const bool overtaken = is_overtaken(pair, first, status);
    /* Both were told to replace what is there: the later one does. */
    const bool replaces = first->elsewhere && first->force && pair->second->verb == first->verb;
    /* With a file of its own under way, the first has something to remove. */
    const bool same = overtaken || first->elsewhere
                          ? judge_settled(run->trial, &pair->sim.live, &allowed).outcome != OUTCOME_BAD
                          : tree_same(&pair->sim.live, &pair->after);
    run->overtaken += overtaken;
    if (!same || (overtaken && journal_there(&pair->sim.live))) {
        run_violation(run, "the second did its work, and the first changes something after it");
    } else if (pair->begun && status != 0 && !overtaken) {
        run_violation(run, "the second did its work after the first had its lock, and the first fails: %s",
                      err->message);
    } else if (replaces && judge_settled(run->trial, &pair->sim.live, &allowed).outcome != OUTCOME_NEW) {
        run_violation(run, "both replace the output, and it is the old one");
    } else if (!pair->begun && status == 0 && !replaces) {
        run_violation(run, "the second did its work before the first had its lock, and both answer 0");
    }
}

/* Another image has come to the backing file of a family that is about to grow: it grows, too, or none does.
 */
static void check_comer(struct run *run, const struct pair *pair, int status)
{
    const struct tree *tree = &pair->sim.live;
    struct view view;
    const bool grown = view_as(&view, &tree->inode[tree_find(tree, COMER_PATH)], FORM_V3) &&
                       view.size_bytes == run->trial->after.disk.file.facts.size_bytes;
    if (status == 0 && !grown) {
        run_violation(run, "all images on the backing file grow, and one that has come to it does not");
    } else if (status != 0 && (!is_polite(status) || !tree_same(tree, &pair->after))) {
        run_violation(run, "another image has come, and the change answers %d, or changes something", status);
    }
}

/* Old undo data that is removed before the first has its lock is nothing that a change needs. */
static bool is_unrelated(const struct pair *pair, int status)
{
    return pair->second->verb == VERB_DISCARD && !pair->begun && status == 0;
}

static const char *verb_name(enum verb verb)
{
    return verb == VERB_RECOVER   ? "recover"
           : verb == VERB_UNDO    ? "undo"
           : verb == VERB_DISCARD ? "discard"
           : verb == VERB_CREATE  ? "create"
                                  : "the change";
}

/* False: the first has fewer calls. */
static bool one_pair(struct run *run, const struct tree *from, const struct action *first,
                     const struct action *second, unsigned long at)
{
    struct pair pair;
    struct cow_error err;
    pair_boot(&pair, from, run->trial->scene);
    pair.second = second;
    pair.at = at;
    int status = action_run(&pair.sim, first, NULL, &err);
    const bool met = pair.n >= at;
    if (met) {
        const unsigned long told = run->scene_violations;
        run->states++;
        run->inner += first->verb == VERB_RECOVER;
        snprintf(run->what, sizeof run->what, "%s before call %lu of %s: ", verb_name(second->verb), at,
                 verb_name(first->verb));
        if (pair.open != 0 || sim_open_files(&pair.sim) != 0) {
            run_violation(run, "files are still open");
        }
        if (pair.status != 0 && (!is_polite(pair.status) || pair.changed)) {
            run_violation(run, "the second answers %d%s: %s", pair.status,
                          pair.changed ? ", and has changed something" : "", pair.err.message);
        } else if (pair.changed && second->verb == VERB_CREATE && first->family) {
            check_comer(run, &pair, status);
        } else if (pair.changed && !is_unrelated(&pair, status)) {
            check_both(run, &pair, first, status, &err);
        } else {
            check_first(run, &pair, first, status, &err);
        }
        if (run->verbose && run->scene_violations > told && told < 3) {
            printf("  second %d: %s; first %d: %s\n", pair.status, pair.err.message, status, err.message);
            run_say_log(&pair.sim);
        }
        tree_clear(&pair.after);
    }
    sim_free(&pair.sim);
    return met;
}

/* ---- all of them ---- */

/* About how many there are, to leave out evenly if fewer are wanted. */
enum { CHANGES_ESTIMATE = 33500, RECOVERIES_ESTIMATE = 336000 };

static void meet(struct run *run, const struct tree *from, const struct action *first, unsigned long total)
{
    static const struct action create = {.verb = VERB_CREATE, .image = COMER_PATH};
    const struct action seconds[] = {
        run->trial->action, {.verb = VERB_RECOVER}, {.verb = VERB_UNDO}, {.verb = VERB_DISCARD}, create};
    /* One more on the backing file: a family would leave it behind. */
    const size_t n = sizeof seconds / sizeof seconds[0] - !first->family;
    for (size_t s = 0; s < n; s++) {
        bool met = true;
        for (unsigned long at = 2; met && !run_time_is_up(run); at++) { /* 1: it has seen nothing yet */
            if (run_leaves_out(run, total, run->tried++)) {
                met = at < 150;
                continue;
            }
            met = one_pair(run, from, first, &seconds[s], at);
        }
    }
}

static void second_scene(struct run *run)
{
    static const struct action recover = {.verb = VERB_RECOVER};
    struct power power;
    meet(run, &run->trial->before.tree, &run->trial->action, CHANGES_ESTIMATE);
    power_begin(&power, &run->trial->sim);
    power.splits = 1;
    do {
        struct tree tree;
        uint64_t print;
        struct rng rng = {1};
        power_sample(&power, POWER_ALL, &rng, false, &tree, &print);
        if (journal_there(&tree)) {
            meet(run, &tree, &recover, RECOVERIES_ESTIMATE);
        }
        tree_clear(&tree);
    } while (power_step(&power));
    power_end(&power);
}

void mode_second(struct run *run)
{
    for (size_t i = 0; i < n_scenes && !run_time_is_up(run); i++) {
        struct trial trial;
        if (run_wants(run, &scenes[i])) {
            trial_begin(&trial, &scenes[i]);
            run->trial = &trial;
            second_scene(run);
            run->what[0] = '\0';
            run_scene_done(run);
            trial_end(&trial);
        }
    }
    printf("second: %lu times a second recover ended what the first had begun\n", run->overtaken);
    run_report(run, "meetings");
}
