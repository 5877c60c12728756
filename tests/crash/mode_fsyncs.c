/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fsyncs: each fsync left out, one at a time: it answers 0 and does nothing. A power cut must then show a
 * violation, or the fsync stands, with its reason, in the list of those that nothing misses. An entry of that
 * list that nothing needs is a failure, too: it would hide the next one.
 *
 * A line of the list: "SCENE FILE#N reason". SCENE is a pattern, and "recover:SCENE" stands for a recovery in
 * it; FILE is the name (of a file or directory) that is synced, N counts its fsyncs in one run.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "run.h"

enum { ALLOWED_MAX = 100, PLACES_MAX = 64 };

struct allowed {
    char scenes[320]; /* patterns, commas between them */
    char place[80];
    bool used;
};

struct list {
    struct allowed row[ALLOWED_MAX];
    size_t n;
};

/* One fsync of an operation. */
struct sync_place {
    char name[80];
    bool missed; /* some crash state shows that it was left out */
    bool listed; /* as not needed */
};

static void read_list(struct list *list, const char *path)
{
    char line[1024];
    FILE *in = path != NULL ? fopen(path, "r") : NULL;
    memory_require(path == NULL || in != NULL, "cannot read the list of allowed fsyncs");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        struct allowed *row = &list->row[list->n];
        char reason[4];
        if (line[0] != '#' && sscanf(line, "%319s %79s %3s", row->scenes, row->place, reason) == 3) {
            memory_require(++list->n < ALLOWED_MAX, "the list of allowed fsyncs is too long");
        }
    }
    if (in != NULL) {
        fclose(in);
    }
}

static bool matches(const char *patterns, const char *scene)
{
    char copy[sizeof((struct allowed *)NULL)->scenes];
    char *rest;
    memcpy(copy, patterns, sizeof copy);
    for (char *one = strtok_r(copy, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (fnmatch(one, scene, 0) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_listed(struct list *list, const char *scene, const char *place)
{
    bool found = false;
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->row[i].place, place) == 0 && matches(list->row[i].scenes, scene)) {
            list->row[i].used = true;
            found = true;
        }
    }
    return found;
}

static struct sync_place *place_named(struct sync_place *places, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(places[i].name, name) == 0) {
            return &places[i];
        }
    }
    memory_require(*n < PLACES_MAX, "too many fsyncs");
    places[*n] = (struct sync_place){.missed = false};
    snprintf(places[*n].name, sizeof places[*n].name, "%s", name);
    return &places[(*n)++];
}

/* "x.cow#2": the second fsync of that name. Counted in the log of a run that left out the at-th. */
static void name_place(const struct sim *machine, unsigned long at, char out[80])
{
    unsigned of_name = 0;
    unsigned long n = 0;
    for (size_t i = 0; i < machine->n_mutations && n < at; i++) {
        const struct mutation *m = &machine->mutation[i];
        if (strcmp(m->call, "fsync") == 0) {
            n++;
            of_name += strcmp(m->name, machine->skipped) == 0;
        }
    }
    snprintf(out, 80, "%s#%u", machine->skipped, of_name);
}

/* What is tried: the fsyncs of one action, on files or on a machine whose process was killed. */
struct attempt {
    const char *scene; /* as the list names it */
    const struct tree *from;
    const struct power *killed; /* NULL: boot */
    const struct action *action;
    struct sync_place place[PLACES_MAX];
    size_t n;
    bool broken; /* even with all of them */
};

static bool is_missed(struct run *run, const struct attempt *a, const struct sim *machine, bool tell)
{
    const struct allowance lenient = {.left_overs = true};
    run->violations = 0;
    run->quiet = !tell;
    explore_power(run, machine, tell ? run->wanted / 4 + 1 : run->wanted,
                  judge_settled(run->trial, &machine->live, &lenient).outcome,
                  a->action->verb != VERB_RECOVER);
    run->quiet = false;
    return run->violations > 0;
}

static void miss_one(struct run *run, struct list *list, struct attempt *a, struct sim *machine,
                     unsigned long at)
{
    char name[80];
    name_place(machine, at, name);
    struct sync_place *place = place_named(a->place, &a->n, name);
    place->listed = is_listed(list, a->scene, name);
    if (place->missed || (place->listed && !run->thorough)) {
        return;
    }
    place->missed = is_missed(run, a, machine, false);
}

/* Leaves out none, and then each fsync, and notes which ones a power cut misses. */
static void leave_out_each(struct run *run, struct list *list, struct attempt *a)
{
    bool skipped = true;
    for (unsigned long at = 0; skipped && !run_time_is_up(run); at++) {
        struct tree copy;
        struct sim machine;
        struct cow_error err;
        const struct fault_plan plan = {.skip_sync = at};
        if (a->killed != NULL) {
            power_resume(a->killed, &machine);
        } else {
            tree_copy(&copy, a->from);
            sim_boot(&machine, &copy);
        }
        machine.can_clone = run->trial->scene->can_clone;
        sim_set_fault(&machine, &plan);
        int status = action_run(&machine, a->action, NULL, &err);
        skipped = at == 0 || machine.skipped[0] != '\0';
        if (at == 0) {
            /* Not everywhere: modes power and kill have been here. */
            a->broken |= (run->thorough || a->killed == NULL) && is_missed(run, a, &machine, true);
        } else if (skipped && status == 0) {
            miss_one(run, list, a, &machine, at);
        }
        sim_free(&machine);
    }
}

/* Answers how many are not as they should be. */
static unsigned long tell(struct run *run, const struct attempt *a)
{
    unsigned long wrong = a->broken;
    if (a->broken) {
        printf("VIOLATION fsyncs %s: a power cut does harm even with all of them: see mode power or kill\n",
               a->scene);
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct sync_place *p = &a->place[i];
        if (run->verbose) {
            printf("  %s %s %s%s\n", a->scene, p->name, p->missed ? "is missed" : "is not missed",
                   p->listed ? ", listed" : "");
        }
        run->missed += p->missed;
        run->listed += !p->missed && p->listed;
        if (p->missed == p->listed) {
            printf("VIOLATION fsyncs %s: %s %s\n", a->scene, p->name,
                   p->missed ? "is listed as not needed, but a power cut misses it"
                             : "can be left out, and nothing shows it");
            wrong++;
        }
    }
    return wrong;
}

/* From kills and power cuts in the change: everywhere, or in some places. */
static void scene_recoveries(struct run *run, struct list *list, struct attempt *a, bool everywhere)
{
    struct power power;
    const unsigned long wanted = run->wanted;
    run->wanted = wanted / 8 + 1;
    power_begin(&power, &run->trial->sim);
    do {
        bool skip = !everywhere && rng_mix(run->seed, power.mutation) % 3 != 0;
        for (unsigned s = 0; s < 2 && !skip; s++) {
            struct tree tree;
            uint64_t print;
            struct rng rng = {rng_mix(run->seed, power.mutation)};
            power_sample(&power, s == 0 ? POWER_ALL : POWER_NONE, &rng, false, &tree, &print);
            a->from = &tree;
            a->killed = s == 0 ? &power : NULL;
            if (journal_there(&tree)) {
                leave_out_each(run, list, a);
            }
            tree_clear(&tree);
        }
    } while (!run_time_is_up(run) && power_step(&power));
    power_end(&power);
    run->wanted = wanted;
}

/* Is there one that is neither missed nor listed? Then a few states were not enough, perhaps. */
static bool needs_more(const struct attempt *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if (!a->place[i].missed && !a->place[i].listed) {
            return true;
        }
    }
    return false;
}

enum { MORE = 12 };

static void fsync_scene(struct run *run, struct list *list, const struct scene *scene)
{
    static const struct action recover = {.verb = VERB_RECOVER};
    struct trial trial;
    char name[80];
    const unsigned long wanted = run->wanted;
    trial_begin(&trial, scene);
    run->trial = &trial;
    snprintf(name, sizeof name, "recover:%s", scene->name);
    struct attempt change = {.scene = scene->name, .from = &trial.before.tree, .action = &trial.action};
    struct attempt recovery = {.scene = name, .action = &recover};
    for (unsigned round = 0; round == 0 || (round == 1 && needs_more(&change)); round++) {
        run->wanted = round == 0 ? wanted : wanted * MORE;
        leave_out_each(run, list, &change);
    }
    for (unsigned round = 0; trial.journaled && (round == 0 || (round == 1 && needs_more(&recovery)));
         round++) {
        run->wanted = round == 0 ? wanted : wanted * MORE;
        scene_recoveries(run, list, &recovery, run->thorough || round == 1);
    }
    run->wanted = wanted;
    unsigned long wrong = tell(run, &change) + tell(run, &recovery);
    run->failed += wrong > 0;
    run->passed += wrong == 0;
    trial_end(&trial);
}

void mode_fsyncs(struct run *run, const char *allowed_path)
{
    struct list *list = memory_get_zeroed(sizeof *list);
    read_list(list, allowed_path);
    for (size_t i = 0; i < n_scenes && !run_time_is_up(run); i++) {
        if (run_wants(run, &scenes[i])) {
            fsync_scene(run, list, &scenes[i]);
        }
    }
    for (size_t i = 0; i < list->n && run->only == NULL && !run_time_is_up(run); i++) {
        if (!list->row[i].used) {
            printf("VIOLATION fsyncs: the list names %s %s, and there is no such fsync\n",
                   list->row[i].scenes, list->row[i].place);
            run->failed++;
        }
    }
    printf("fsyncs: %lu left out are missed, %lu are not and listed, %lu states, %.1f s; %lu passed, %lu "
           "failed, "
           "%lu skipped\n",
           run->missed, run->listed, run->states, seconds_now() - run->began, run->passed, run->failed,
           run->skipped);
    run->violations = 0;
    memory_free(list);
}
