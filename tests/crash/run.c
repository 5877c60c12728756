/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See run.h.
 */
#include "run.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "family.h"
#include "memory.h"

enum { TOLD_PER_SCENE = 3 };

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool run_time_is_up(const struct run *run)
{
    return run->seconds > 0 && seconds_now() - run->began > run->seconds;
}

bool run_wants(const struct run *run, const struct scene *scene)
{
    return (run->only == NULL || strncmp(scene->name, run->only, strlen(run->only)) == 0) &&
           (run->pattern == NULL || fnmatch(run->pattern, scene->name, 0) == 0);
}

bool run_wants_all(const struct run *run)
{
    return run->only == NULL && run->pattern == NULL;
}

bool run_leaves_out(const struct run *run, unsigned long total, uint64_t number)
{
    return run->wanted < total && rng_mix(run->seed, number) % total >= run->wanted;
}

void run_violation(struct run *run, const char *format, ...)
{
    run->violations++;
    if (run->quiet || ++run->scene_violations > TOLD_PER_SCENE) {
        return;
    }
    va_list arguments;
    printf("VIOLATION %s %s: %s", run->mode, run->trial->scene->name, run->what);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    if (run->place.depth > 0) {
        printf("  repeat: crash --seed %llu --replay %s:%s", (unsigned long long)run->seed, run->mode,
               run->trial->scene->name);
        for (size_t i = 0; i < run->place.depth; i++) {
            printf(":%zu.%u", run->place.call[i], run->place.sample[i]);
        }
        printf("\n");
    }
    fflush(stdout);
}

void run_say_log(const struct sim *sim)
{
    for (size_t i = 0; i < sim->n_mutations; i++) {
        const struct mutation *m = &sim->mutation[i];
        printf("  call %zu: %s %s %llu+%llu\n", i, m->call, m->name, (unsigned long long)m->offset,
               (unsigned long long)m->length);
    }
}

void run_scene_done(struct run *run)
{
    if (run->scene_violations > TOLD_PER_SCENE) {
        printf("  ... and %lu more of %s\n", run->scene_violations - TOLD_PER_SCENE, run->trial->scene->name);
    }
    printf("%s %s\n", run->scene_violations > 0 ? "FAIL" : "ok", run->trial->scene->name);
    fflush(stdout);
    run->failed += run->scene_violations > 0;
    run->passed += run->scene_violations == 0;
    run->scene_violations = 0;
    run->place.depth = 0;
}

void run_report(const struct run *run, const char *what)
{
    double took = seconds_now() - run->began;
    printf("%s: %lu %s", run->mode, run->states, what);
    if (run->inner > 0) {
        printf(" (%lu inside a recovery)", run->inner);
    }
    if (run->recovered > 0) {
        printf(", %lu recovered", run->recovered);
    }
    if (run->guests + run->again + run->undone > 0) {
        printf(", %lu used by a guest first, %lu done again, %lu undone (%lu had no undo data)", run->guests,
               run->again, run->undone, run->undo_lost);
    }
    printf(", %.1f s, %.0f a second, %lu violations; %lu passed, %lu failed, %lu skipped\n", took,
           (double)run->states / (took > 0.001 ? took : 0.001), run->violations, run->passed, run->failed,
           run->skipped);
}

/* ---- after a crash ---- */

static bool judge(struct run *run, struct verdict v, const char *when)
{
    if (v.outcome == OUTCOME_BAD) {
        run_violation(run, "%s: %s", when, v.why);
        return false;
    }
    return true;
}

/* Both ways where both are open; the same one when it is played again. */
static enum cow_recover_way choose_way(const struct run *run)
{
    static const enum cow_recover_way ways[] = {COW_RECOVER_FORWARD, COW_RECOVER_BACK, COW_RECOVER_AS_IT_IS};
    size_t number = 0;
    for (size_t i = 0; i < run->place.depth; i++) {
        number = number * 5 + run->place.call[i] + run->place.sample[i];
    }
    return ways[number % 3];
}

/* Any image of a family, and the same one when it is played again. */
static const char *choose_member(const struct run *run)
{
    uint64_t number = run->place.depth == 0 ? run->states : 0;
    for (size_t i = 0; i < run->place.depth; i++) {
        number = rng_mix(number, run->place.call[i] * 64 + run->place.sample[i]);
    }
    return trial_member(run->trial, number);
}

static bool recover(struct run *run, struct sim *machine)
{
    struct cow_error err;
    const struct action as_it_is = {.verb = VERB_RECOVER, .image = choose_member(run)};
    struct action action = as_it_is;
    action.way = choose_way(run);
    int status = action_run_promised(machine, &action, &err);
    if (status == COW_REFUSED) { /* that way is closed */
        status = action_run_promised(machine, &as_it_is, &err);
    }
    if (status != 0) {
        run_violation(run, "recover: %s", err.message);
        return false;
    }
    run->recovered++;
    if (journal_there(&machine->live)) {
        run_violation(run, "recover answers 0, and the journal is still there");
        return false;
    }
    return true;
}

/* The same command once more, where the crash left no journal and the old disk. */
static bool again(struct run *run, const struct sim *machine)
{
    struct tree tree;
    struct sim fresh;
    struct cow_error err;
    const struct allowance none = {.left_overs = false};
    tree_copy(&tree, &machine->live);
    sim_boot(&fresh, &tree);
    scene_equip(run->trial->scene, &fresh);
    run->again++;
    bool good = action_run_promised(&fresh, &run->trial->action, &err) == 0;
    if (!good) {
        run_violation(run, "the same command again: %s", err.message);
    } else {
        struct verdict v = judge_settled(run->trial, &fresh.live, &none);
        good = judge(run, v, "after the same command again");
        if (good && v.outcome != OUTCOME_NEW && run->trial->action.verb != VERB_DISCARD) {
            run_violation(run, "the same command again answers 0, and the disk is old");
            good = false;
        }
    }
    sim_free(&fresh);
    return good;
}

/* Taking back what is there now. A crash may cost the undo data, nothing else. */
static bool undo(struct run *run, const struct sim *machine, bool must)
{
    struct tree tree;
    struct sim fresh;
    struct cow_error err;
    const struct action action = {.verb = VERB_UNDO, .image = choose_member(run)};
    const struct allowance none = {.left_overs = false};
    tree_copy(&tree, &machine->live);
    sim_boot(&fresh, &tree);
    scene_equip(run->trial->scene, &fresh);
    int status = action_run_promised(&fresh, &action, &err);
    bool good = status == 0 || (status == COW_REFUSED && !must);
    run->undone += status == 0;
    run->undo_lost += status == COW_REFUSED;
    if (!good) {
        run_violation(run, "undo: %s", err.message);
    } else {
        struct verdict v = judge_settled(run->trial, &fresh.live, &none);
        good = judge(run, v, "after undo");
        if (good && v.outcome != (status == 0 ? OUTCOME_OLD : OUTCOME_NEW)) {
            run_violation(run, "undo %s, and the disk is %s", status == 0 ? "answers 0" : "refuses",
                          v.outcome == OUTCOME_OLD ? "old" : "new");
            good = false;
        }
    }
    sim_free(&fresh);
    return good;
}

static bool follow_up(struct run *run, const struct sim *machine, const struct survival *how,
                      enum outcome outcome, bool had_journal)
{
    const struct trial *trial = run->trial;
    if ((how->try_undo || how->must_undo) && outcome == OUTCOME_NEW && (trial->undoable || trial->merges)) {
        return undo(run, machine, how->must_undo && trial->undoable); /* of a merge there is none */
    }
    bool possible = run->trial->action.verb != VERB_DISCARD ||
                    tree_find(&machine->live, "/img/.x.cow.cowtui-undo") != NO_INODE;
    if (how->try_again && outcome == OUTCOME_OLD && !had_journal && possible) {
        return again(run, machine);
    }
    return true;
}

bool run_survive(struct run *run, struct tree *crashed, struct survival *how, uint64_t random,
                 struct sim *machine)
{
    const struct trial *trial = run->trial;
    const struct guest *guest = how->guest_ran ? &how->guest : NULL;
    /* Discarding undo data shows on no disk. */
    const bool lasts =
        (how->must_be == OUTCOME_OLD || how->must_be == OUTCOME_NEW) && trial->action.verb != VERB_DISCARD;
    bool good = judge(run, judge_crashed(trial, crashed, guest), "after the crash");
    if (good && guest == NULL && how->try_guest && guest_runs(&how->guest, trial, crashed, random)) {
        how->guest_ran = true;
        guest = &how->guest;
        run->guests++;
    }
    const bool had_journal = journal_there(crashed);
    const unsigned drafts = family_drafts(trial, crashed);
    if (how->resume != NULL && guest == NULL) {
        tree_clear(crashed);
        power_resume(how->resume, machine);
    } else {
        sim_boot(machine, crashed);
    }
    scene_equip(trial->scene, machine);
    if (good && had_journal) {
        good = recover(run, machine);
        how->recovered = good;
    }
    if (!good) {
        return false;
    }
    const struct allowance allowed = {.left_overs = (!had_journal && !how->no_left_overs) || how->left_overs,
                                      .drafts = drafts,
                                      .guest = guest};
    struct verdict v = judge_settled(trial, &machine->live, &allowed);
    good = judge(run, v, had_journal ? "after recover" : "after the crash, nothing to recover");
    how->outcome = v.outcome;
    if (good && lasts && v.outcome != how->must_be) {
        run_violation(run, "success was reported, and the disk is the %s one after a crash",
                      v.outcome == OUTCOME_OLD ? "old" : "new");
        good = false;
    }
    return good && (guest != NULL || follow_up(run, machine, how, v.outcome, had_journal));
}
