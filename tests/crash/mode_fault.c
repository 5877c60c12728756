/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fault: a call fails, or does less than asked for, once or for ever; in a change, and in the recovery from a
 * kill. cancel: the caller asks for a stop. Nothing is called a success that is not the new disk, durable;
 * after an error the old or the new disk is there, or recovery brings it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "run.h"

static const struct {
    const char *text;
    struct fault_plan plan;
} faults[] = {
    {"EIO", {.kind = FAULT_ERROR, .error = EIO}},
    {"EIO for ever", {.kind = FAULT_ERROR, .error = EIO, .for_ever = true}},
    {"EIO for ever of what writes",
     {.kind = FAULT_ERROR, .error = EIO, .for_ever = true, .only_mutations = true}},
    {"ENOSPC", {.kind = FAULT_ERROR, .error = ENOSPC, .only_mutations = true}},
    {"ENOSPC for ever", {.kind = FAULT_ERROR, .error = ENOSPC, .for_ever = true, .only_mutations = true}},
    {"EIO after its work", {.kind = FAULT_LATE, .error = EIO, .only_mutations = true}},
    {"EINTR", {.kind = FAULT_ERROR, .error = EINTR, .only_transfers = true}},
    {"a short transfer", {.kind = FAULT_SHORT, .only_transfers = true}},
    {"short transfers for ever", {.kind = FAULT_SHORT, .for_ever = true, .only_transfers = true}},
    /* for machines that insert */
    {"EIO in the middle", {.kind = FAULT_SPLIT, .error = EIO, .only_room = true}},
    {"ENOSPC in the middle", {.kind = FAULT_SPLIT, .error = ENOSPC, .only_room = true, .split = 1}},
    {"EINTR in the middle", {.kind = FAULT_SPLIT, .error = EINTR, .only_room = true, .split = 2}},
    {"EIO of what moves, for ever", {.kind = FAULT_ERROR, .error = EIO, .only_room = true, .for_ever = true}},
};
enum { FAULTS = sizeof faults / sizeof faults[0], FAULTS_OF_ROOM = 4 };

/* The last ones strike nothing where nothing is moved. */
static unsigned n_faults(const struct run *run)
{
    return run->trial->scene->can_insert ? FAULTS : FAULTS - FAULTS_OF_ROOM;
}

static void boot_copy(struct sim *machine, const struct tree *tree, const struct scene *scene)
{
    struct tree copy;
    tree_copy(&copy, tree);
    sim_boot(machine, &copy);
    scene_equip(scene, machine);
}

/* Nothing open, nothing allocated, and words for a failure. */
static void check_manners(struct run *run, const struct sim *machine, int status, const struct cow_error *err,
                          size_t lost)
{
    if (sim_open_files(machine) > 0) {
        run_violation(run, "%u files are still open", sim_open_files(machine));
    }
    if (lost > 0) {
        run_violation(run, "%zu allocations are lost", lost);
    }
    if (status != 0 && (err->status != status || err->message[0] == '\0')) {
        run_violation(run, "status %d, but the error says %d, \"%s\"", status, err->status, err->message);
    }
}

/* A power cut while the failure is being taken back. */
static void cut_while_taking_back(struct run *run, const struct sim *machine, uint64_t seed)
{
    struct power power;
    power_begin(&power, machine);
    while (power_step(&power)) {
        for (unsigned s = 0; s < 3 && power.mutation > machine->struck_at; s++) {
            struct rng rng = {rng_mix(seed, power.mutation * 8 + s)};
            struct tree tree;
            struct sim fresh;
            uint64_t print;
            struct survival how = {.left_overs = true};
            power_sample(&power, (enum strategy)rng_below(&rng, POWER_STRATEGIES), &rng, false, &tree,
                         &print);
            run_survive(run, &tree, &how, 0, &fresh);
            sim_free(&fresh);
        }
    }
    power_end(&power);
}

/* What is there now, and what would be there after a power cut. */
static void check_states(struct run *run, const struct sim *machine, bool success, bool left_overs,
                         uint64_t seed)
{
    struct power power;
    power_begin(&power, machine);
    while (power_step(&power)) {
    }
    for (unsigned i = 0; i < 3; i++) {
        static const enum strategy strategies[] = {POWER_ALL, POWER_NONE, POWER_HALF};
        struct rng rng = {rng_mix(seed, i)};
        struct tree tree;
        struct sim fresh;
        uint64_t print;
        struct survival how = {.must_be = success ? OUTCOME_NEW : OUTCOME_OPEN,
                               .left_overs = left_overs,
                               .no_left_overs = i == 0 && !left_overs,
                               .try_again = i == 0 && seed % 8 == 0};
        power_sample(&power, strategies[i], &rng, false, &tree, &print);
        run_survive(run, &tree, &how, 0, &fresh);
        sim_free(&fresh);
    }
    power_end(&power);
}

/* One run with a fault. False: it struck nothing, so later ones will not either. */
static bool one_fault(struct run *run, const struct tree *from, const struct action *action,
                      const struct fault_plan *plan)
{
    struct sim machine;
    struct cow_error err;
    size_t lost;
    boot_copy(&machine, from, run->trial->scene);
    sim_set_fault(&machine, plan);
    memory_watch(0, false);
    int status = action_run(&machine, action, NULL, &err);
    memory_unwatch(&lost);
    const bool struck = machine.struck != NULL;
    if (struck) {
        size_t length = strlen(run->what);
        snprintf(run->what + length, sizeof run->what - length, " (%s): ", machine.struck);
        run->states++;
        const unsigned long told = run->scene_violations;
        check_manners(run, &machine, status, &err, lost);
        /* A file that cannot be removed stays; and whatever fails for ever cannot be cleaned up. */
        bool left = plan->for_ever || plan->second != 0 || strncmp(machine.struck, "unlink", 6) == 0 ||
                    action->verb == VERB_RECOVER;
        bool success = status == 0 && action->verb != VERB_RECOVER;
        check_states(run, &machine, success, left, rng_mix(run->seed, run->states));
        if (status != 0 && run->states % 5 == 0) {
            cut_while_taking_back(run, &machine, rng_mix(run->seed, run->states));
        }
        if (run->verbose && run->scene_violations > told && told < 3) {
            printf("  status %d: %s (%s)\n", status, err.message, err.hint);
            run_say_log(&machine);
        }
    }
    sim_free(&machine);
    return struck;
}

static void tell_fault(struct run *run, const char *text, unsigned long at, const char *during)
{
    snprintf(run->what, sizeof run->what, "%s at call %lu%s", text, at, during);
}

/* About how many runs there are in all, to leave out evenly if fewer are wanted. */
enum { FAULTS_ESTIMATE = 83000, RECOVERY_ESTIMATE = 24600 };

static void fail_change(struct run *run, uint64_t number)
{
    for (unsigned f = 0; f < n_faults(run); f++) {
        bool struck = true;
        for (unsigned long at = 1; struck && !run_time_is_up(run); at++) {
            struct fault_plan plan = faults[f].plan;
            plan.at = at;
            plan.split = rng_mix(run->seed, plan.split * 1000 + at);
            if (run_leaves_out(run, FAULTS_ESTIMATE, rng_mix(number, f * 1000 + at))) {
                struck = at < 400;
                continue;
            }
            tell_fault(run, faults[f].text, at, "");
            struck = one_fault(run, &run->trial->before.tree, &run->trial->action, &plan);
        }
    }
}

/* A kill at each call, and then a fault in the recovery. */
static void fail_recovery(struct run *run, uint64_t number)
{
    struct action recover = {.verb = VERB_RECOVER};
    struct power power;
    power_begin(&power, &run->trial->sim);
    power.splits = KILL_SPLITS;
    power.split_seed = run->seed;
    do {
        struct tree tree;
        uint64_t print;
        struct rng rng = {1};
        power_sample(&power, POWER_ALL, &rng, false, &tree, &print);
        bool struck = journal_there(&tree);
        for (unsigned long at = 1; struck && !run_time_is_up(run); at++) {
            uint64_t seed = rng_mix(number, power.mutation * 1000 + at + power.part * 1000000);
            unsigned f = (unsigned)(seed % n_faults(run));
            struct fault_plan plan = faults[f].plan;
            plan.at = plan.only_mutations || plan.only_transfers ? at / 3 + 1 : at;
            plan.at = plan.only_room ? at % 8 + 1 : plan.at;
            plan.split = seed;
            recover.image = trial_member(run->trial, seed);
            struck = at < 200;
            if (!run_leaves_out(run, RECOVERY_ESTIMATE * 6, seed)) {
                char during[40];
                snprintf(during, sizeof during, " of the recovery after call %zu", power.mutation);
                tell_fault(run, faults[f].text, plan.at, during);
                run->inner += one_fault(run, &tree, &recover, &plan);
            }
        }
        tree_clear(&tree);
    } while (power_step(&power));
    power_end(&power);
}

/* Two faults, the second perhaps while the first is being taken back. */
static void fail_twice(struct run *run, uint64_t seed)
{
    struct rng rng = {seed};
    unsigned f = (unsigned)rng_below(&rng, n_faults(run));
    struct fault_plan plan = faults[f].plan;
    plan.for_ever = false;
    plan.at = 1 + (unsigned long)rng_below(&rng, plan.only_room ? 8 : 120);
    plan.second = plan.at + 1 + (unsigned long)rng_below(&rng, 12);
    plan.split = seed;
    tell_fault(run, faults[f].text, plan.at, " and again");
    one_fault(run, &run->trial->before.tree, &run->trial->action, &plan);
}

static void each_scene(struct run *run, void (*work)(struct run *run, uint64_t number))
{
    for (size_t i = 0; i < n_scenes && !run_time_is_up(run); i++) {
        struct trial trial;
        if (!run_wants(run, &scenes[i])) {
            continue;
        }
        trial_begin(&trial, &scenes[i]);
        run->trial = &trial;
        work(run, i);
        run_scene_done(run);
        run->what[0] = '\0';
        trial_end(&trial);
    }
}

static void fault_scene(struct run *run, uint64_t number)
{
    fail_change(run, number);
    fail_recovery(run, number);
    /* What is left of this scene's share; a few strike nothing. */
    const unsigned long share = run->wanted / (unsigned long)n_scenes * (unsigned long)(number + 1);
    for (unsigned long i = 0; i < run->wanted && run->states < share && !run_time_is_up(run); i++) {
        fail_twice(run, rng_mix(run->seed, number * 1000000 + i));
    }
}

void mode_fault(struct run *run)
{
    each_scene(run, fault_scene);
    run_report(run, "faults");
}

/* ---- cancel ---- */

struct stop {
    unsigned long calls, at;
    bool possible; /* it said so when asked to stop */
};

static bool progress(void *context, const struct cow_progress *progress)
{
    struct stop *stop = context;
    if (++stop->calls >= stop->at) {
        stop->possible |= progress->can_cancel;
        return true;
    }
    return false;
}

static bool half_way(const struct trial *trial, const struct tree *tree)
{
    struct view view;
    for (unsigned i = 0; i <= trial->scene->spec.relatives; i++) {
        const uint8_t at = tree_find(tree, trial_member(trial, i));
        if (at != NO_INODE && view_as(&view, &tree->inode[at], FORM_V3) && view.marked) {
            return true;
        }
    }
    return false;
}

static void cancel_scene(struct run *run, uint64_t number)
{
    struct stop stop = {.calls = 1};
    for (unsigned long at = 1; stop.calls >= stop.at; at++) {
        struct sim machine;
        struct cow_error err;
        size_t lost;
        stop = (struct stop){.at = at};
        const struct cow_env env = {.progress = progress, .context = &stop};
        boot_copy(&machine, &run->trial->before.tree, run->trial->scene);
        memory_watch(0, false);
        int status = action_run(&machine, &run->trial->action, &env, &err);
        memory_unwatch(&lost);
        if (stop.calls >= at) {
            run->states++;
            snprintf(run->what, sizeof run->what, "stop at progress call %lu: ", at);
            check_manners(run, &machine, status, &err, lost);
            if (status != (stop.possible ? COW_CANCELLED : 0)) {
                run_violation(run, "it could %sbe cancelled, and answers %d", stop.possible ? "" : "not ",
                              status);
            }
            /* Data that is being moved stays half way, and recovery goes on. */
            if (status != 0 && journal_there(&machine.live) && !half_way(run->trial, &machine.live)) {
                run_violation(run, "cancelled, and there is a journal");
            }
            check_states(run, &machine, status == 0, false, rng_mix(number, at));
        }
        sim_free(&machine);
    }
}

void mode_cancel(struct run *run)
{
    each_scene(run, cancel_scene);
    run_report(run, "stops");
}

/* ---- oom ---- */

static bool one_failed_allocation(struct run *run, const struct tree *from, const struct action *action,
                                  unsigned long at, bool for_ever)
{
    struct sim machine;
    struct cow_error err;
    size_t lost;
    boot_copy(&machine, from, run->trial->scene);
    memory_watch(at, for_ever);
    int status = action_run(&machine, action, NULL, &err);
    const bool struck = memory_unwatch(&lost) >= at;
    if (struck) {
        run->states++;
        check_manners(run, &machine, status, &err, lost);
        check_states(run, &machine, status == 0 && action->verb != VERB_RECOVER, action->verb == VERB_RECOVER,
                     rng_mix(run->seed, run->states));
    }
    sim_free(&machine);
    return struck;
}

/* How many there are in all, about: a recovery after each kill has its own. */
enum { ALLOCATIONS_ESTIMATE = 51000 };

static void starve(struct run *run, const struct tree *from, const struct action *action, const char *during)
{
    for (unsigned for_ever = 0; for_ever < 2; for_ever++) {
        bool struck = true;
        for (unsigned long at = 1; struck && !run_time_is_up(run); at++) {
            if (run_leaves_out(run, ALLOCATIONS_ESTIMATE, run->tried++)) {
                struck = at < 250;
                continue;
            }
            snprintf(run->what, sizeof run->what, "allocation %lu fails%s%s: ", at,
                     for_ever != 0 ? " for ever" : "", during);
            struck = one_failed_allocation(run, from, action, at, for_ever);
        }
    }
}

static void oom_scene(struct run *run, uint64_t number)
{
    struct action recover = {.verb = VERB_RECOVER};
    struct power power;
    (void)number;
    starve(run, &run->trial->before.tree, &run->trial->action, "");
    power_begin(&power, &run->trial->sim);
    power.splits = 1;
    do {
        struct tree tree;
        uint64_t print;
        struct rng rng = {1};
        power_sample(&power, POWER_ALL, &rng, false, &tree, &print);
        recover.image = trial_member(run->trial, power.mutation);
        if (journal_there(&tree)) {
            starve(run, &tree, &recover, " in the recovery");
        }
        tree_clear(&tree);
    } while (power_step(&power));
    power_end(&power);
}

void mode_oom(struct run *run)
{
    each_scene(run, oom_scene);
    run_report(run, "failed allocations");
}
