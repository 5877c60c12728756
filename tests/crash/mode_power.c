/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * power: at each call of a change, states that a power cut could leave. kill: the same, but nothing is lost,
 * because the page cache survives the process. Both crash again inside the recovery.
 */
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "run.h"

/* One walk over one log. */
struct walk {
    struct run *run;
    const struct sim *sim;
    size_t from;            /* the first call that is followed by a crash */
    unsigned long per_call; /* samples */
    enum outcome success;   /* that was reported at the log's end; OUTCOME_OPEN: none was */
    bool must_undo;         /* and then it can be taken back */
    bool stop_early;
    bool kill;
    uint64_t seed;
    unsigned depth;
    const struct guest *guest; /* ran before; NULL: none */
};

static void explore(struct walk *walk);

static bool replaying(const struct walk *walk)
{
    return walk->run->replay != NULL && walk->depth < walk->run->replay->depth;
}

/* A crash in what this machine has just done. */
static void explore_inside(const struct walk *outer, const struct sim *machine, const struct survival *how,
                           bool kill, uint64_t seed)
{
    struct walk walk = {.run = outer->run,
                        .sim = machine,
                        .per_call = kill ? 1 : 2,
                        .kill = kill,
                        .success = how->recovered ? how->outcome : OUTCOME_OPEN,
                        .stop_early = outer->stop_early,
                        .seed = seed,
                        .depth = outer->depth + 1,
                        .guest = how->guest_ran ? &how->guest : NULL};
    explore(&walk);
}

static void survive(const struct walk *walk, const struct power *power, struct tree *tree, uint64_t seed)
{
    struct run *run = walk->run;
    struct sim machine;
    const bool at_end = power->mutation == walk->sim->n_mutations;
    struct survival how = {.try_guest = rng_mix(seed, 1) % 6 == 0,
                           .guest_ran = walk->guest != NULL,
                           .try_again = rng_mix(seed, 2) % 8 == 0,
                           .try_undo = rng_mix(seed, 3) % 4 == 0,
                           .must_undo = at_end && walk->must_undo && walk->success == OUTCOME_NEW,
                           .resume = walk->kill ? power : NULL,
                           .must_be = at_end ? walk->success : OUTCOME_OPEN,
                           .left_overs = walk->depth > 0};
    if (walk->guest != NULL) {
        how.guest = *walk->guest;
    }
    run->states++;
    run->inner += walk->depth > 0;
    const unsigned rare = !walk->kill ? 30 : walk->depth == 0 ? 3 : 9;
    bool inside = walk->depth < 2 && rng_mix(seed, 4) % rare == 0;
    /* After a kill and a recovery, a power cut: then what the killed one had not flushed counts, too. */
    bool cut = walk->kill && rng_mix(seed, 7) % 2 == 0;
    if (run->replay != NULL) {
        inside = walk->depth + 1 < run->replay->depth;
    }
    bool good = run_survive(run, tree, &how, rng_mix(seed, 5), &machine);
    if (run->verbose && replaying(walk) && machine.n_mutations > 0) {
        printf("  then the recovery:\n");
        run_say_log(&machine);
    }
    if (good && inside && machine.n_mutations > 0) {
        explore_inside(walk, &machine, &how, !cut && walk->kill, rng_mix(seed, 6));
    }
    if (how.guest_ran && walk->guest == NULL) {
        guest_free(&how.guest);
    }
    sim_free(&machine);
}

/* A kill is one sample a stop: those within a call have other numbers. */
static unsigned sample_number(const struct power *power, unsigned sample)
{
    return power->part > 0 ? power->part : sample;
}

static bool finished(const struct walk *walk)
{
    const struct run *run = walk->run;
    return (walk->stop_early && run->violations > 0) || run_time_is_up(run);
}

/* The samples at one call. Choices that have been seen there are not tried again. */
static void explore_call(const struct walk *walk, const struct power *power)
{
    struct run *run = walk->run;
    uint64_t seen[64];
    unsigned n_seen = 0;
    run->place.call[walk->depth] = power->mutation;
    for (unsigned i = 0; i < walk->per_call && !finished(walk); i++) {
        const unsigned s = sample_number(power, i);
        if (replaying(walk) && s != run->replay->sample[walk->depth]) {
            continue;
        }
        struct tree tree;
        uint64_t print, seed = rng_mix(rng_mix(walk->seed, power->mutation), s);
        struct rng rng = {seed};
        enum strategy strategy = walk->kill        ? POWER_ALL
                                 : walk->depth > 0 ? (enum strategy)rng_below(&rng, POWER_STRATEGIES)
                                                   : (enum strategy)(s % POWER_STRATEGIES);
        const bool say = run->verbose && replaying(walk);
        if (say) {
            printf("  crash at call %zu, sample %u: %s\n", power->mutation, s, power_strategy_text(strategy));
        }
        power_sample(power, strategy, &rng, say, &tree, &print);
        bool known = false;
        for (unsigned at = 0; at < n_seen; at++) {
            known |= seen[at] == print;
        }
        if (known && !replaying(walk)) {
            tree_clear(&tree);
            continue;
        }
        if (n_seen < sizeof seen / sizeof seen[0]) {
            seen[n_seen++] = print;
        }
        run->place.depth = walk->depth + 1;
        run->place.sample[walk->depth] = s;
        survive(walk, power, &tree, seed);
        run->place.depth = walk->depth + 1;
    }
}

static void explore(struct walk *walk)
{
    struct power power;
    power_begin(&power, walk->sim);
    power.splits = walk->kill ? KILL_SPLITS : 0;
    power.split_seed = walk->seed;
    do {
        bool skip = replaying(walk) && power.mutation != walk->run->replay->call[walk->depth];
        /* Inside a recovery of a power cut a few places do: there will be others. */
        skip |= !replaying(walk) && !walk->kill && walk->depth > 0 &&
                rng_mix(walk->seed, power.mutation) % 3 == 0;
        skip |= power.mutation < walk->from;
        if (!skip) {
            explore_call(walk, &power);
        }
    } while (!finished(walk) && power_step(&power));
    power_end(&power);
}

void explore_power(struct run *run, const struct sampling *sampling)
{
    struct walk walk = {.run = run,
                        .sim = sampling->sim,
                        .from = sampling->from,
                        .per_call = sampling->quota / (sampling->sim->n_mutations - sampling->from + 1) + 1,
                        .success = sampling->success,
                        .must_undo = sampling->must_undo,
                        .stop_early = true,
                        .seed = run->seed};
    explore(&walk);
}

static void crash_scenes(struct run *run, bool kill)
{
    unsigned long scenes_left = 0;
    for (size_t i = 0; i < n_scenes; i++) {
        scenes_left += run_wants(run, &scenes[i]);
    }
    for (size_t i = 0; i < n_scenes && !run_time_is_up(run); i++) {
        struct trial trial;
        if (!run_wants(run, &scenes[i])) {
            continue;
        }
        trial_begin(&trial, &scenes[i]);
        run->trial = &trial;
        if (run->verbose) {
            run_say_log(&trial.sim);
        }
        /* What the earlier scenes did not use is shared by those that are left. */
        unsigned long left = run->wanted > run->states ? run->wanted - run->states : 0;
        unsigned long quota = left / scenes_left-- + 1;
        struct walk walk = {.run = run,
                            .sim = &trial.sim,
                            .per_call = kill ? 1 : quota / (trial.sim.n_mutations + 1) + 1,
                            .success = OUTCOME_NEW,
                            .must_undo = true,
                            .kill = kill,
                            .seed = rng_mix(run->seed, i)};
        if (!kill && run->replay != NULL) {
            walk.per_call = run->replay->sample[0] + 1;
        }
        explore(&walk);
        run_scene_done(run);
        trial_end(&trial);
    }
}

void mode_power(struct run *run)
{
    crash_scenes(run, false);
    run_report(run, "power cuts");
}

void mode_kill(struct run *run)
{
    do { /* again with other choices until there are enough */
        crash_scenes(run, true);
        run->seed = rng_mix(run->seed, 7);
    } while (run->states < run->wanted && run->replay == NULL && run_wants_all(run) && !run_time_is_up(run));
    run_report(run, "kills");
}
