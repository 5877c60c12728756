/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fsyncs: each fsync left out, one at a time: it answers 0 and does nothing. A power cut must then show a
 * violation, or the fsync stands, with its reason, in the list of those that nothing misses. An entry of that
 * list that nothing needs is a failure, too: it would hide the next one. rollbacks: the same for those that
 * the program does while it takes back a change because a call has failed.
 *
 * A line of the list: "SCENE FILE#N reason". SCENE is a pattern, "recover:SCENE" stands for a recovery in it,
 * "rollback:SCENE" for what follows a failed call; FILE is the name (of a file or directory) that is synced,
 * N counts its fsyncs in one run, or since the failure.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "run.h"

enum { ALLOWED_MAX = 250, PLACES_MAX = 64 };

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

/* What is tried: the fsyncs of one action, on files or on a machine whose process was killed. */
struct attempt {
    const char *scene; /* as the list names it */
    const struct tree *from;
    const struct power *killed; /* NULL: boot */
    const struct action *action;
    unsigned long fail_at; /* this call that changes something fails, and only what follows counts; 0: none */
    struct sync_place place[PLACES_MAX];
    size_t n;
    bool broken; /* even with all of them */
};

/* Where the log of a run begins to count. */
static size_t begin_of(const struct attempt *a, const struct sim *machine)
{
    return a->fail_at == 0 ? 0 : machine->struck != NULL ? machine->struck_at : machine->n_mutations;
}

static bool is_fsync(const struct mutation *m)
{
    return strcmp(m->call, "fsync") == 0;
}

/* "x.cow#2": the second fsync of that name that counts. Of a run that left out the at-th of all; answers
 * which call of the log that was. */
static size_t name_place(const struct attempt *a, const struct sim *machine, unsigned long at, char out[80])
{
    unsigned of_name = 0;
    unsigned long n = 0;
    size_t i = 0;
    for (; i < machine->n_mutations && n < at; i++) {
        const struct mutation *m = &machine->mutation[i];
        n += is_fsync(m);
        of_name += is_fsync(m) && i >= begin_of(a, machine) && strcmp(m->name, machine->skipped) == 0;
    }
    snprintf(out, 80, "%s#%u", machine->skipped, of_name);
    return i;
}

/* from: the calls before are as they always are. */
static bool is_missed(struct run *run, const struct attempt *a, const struct sim *machine, size_t from,
                      bool tell)
{
    const struct allowance lenient = {.left_overs = true};
    struct sampling sampling = {.sim = machine,
                                .from = from,
                                .quota = tell ? run->wanted / 4 + 1 : run->wanted,
                                .success = OUTCOME_OPEN,
                                .must_undo = a->action->verb != VERB_RECOVER && a->fail_at == 0};
    /* What was to be taken back and has a journal still is recovery's, whichever way; the journal of an undo
     * that failed may come back, and then the undo is finished; and a new file whose directory could not be
     * flushed is there, but nobody has promised that it stays. */
    if (a->fail_at == 0 ||
        (!journal_there(&machine->live) && a->action->verb != VERB_UNDO && !a->action->elsewhere)) {
        sampling.success = judge_settled(run->trial, &machine->live, &lenient).outcome;
    }
    run->violations = 0;
    run->quiet = !tell;
    explore_power(run, &sampling);
    run->quiet = false;
    return run->violations > 0;
}

static void miss_one(struct run *run, struct list *list, struct attempt *a, struct sim *machine,
                     unsigned long at)
{
    char name[80];
    size_t from = name_place(a, machine, at, name);
    struct sync_place *place = place_named(a->place, &a->n, name);
    place->listed = is_listed(list, a->scene, name);
    if (place->missed || (place->listed && !run->thorough)) {
        return;
    }
    place->missed = is_missed(run, a, machine, from, false);
}

/* Runs the action without the at-th fsync (0: with all). */
static int run_attempt(const struct run *run, const struct attempt *a, unsigned long at, struct sim *machine)
{
    struct tree copy;
    struct cow_error err;
    const struct fault_plan plan = {.kind = a->fail_at != 0 ? FAULT_ERROR : FAULT_NONE,
                                    .error = EIO,
                                    .at = a->fail_at,
                                    .only_mutations = true,
                                    .skip_sync = at};
    if (a->killed != NULL) {
        power_resume(a->killed, machine);
    } else {
        tree_copy(&copy, a->from);
        sim_boot(machine, &copy);
    }
    scene_equip(run->trial->scene, machine);
    sim_set_fault(machine, &plan);
    return action_run(machine, a->action, NULL, &err);
}

/* Leaves out none. Answers the number of fsyncs before those that count. */
static unsigned long leave_out_none(struct run *run, struct attempt *a)
{
    struct sim machine;
    unsigned long before = 0;
    run_attempt(run, a, 0, &machine);
    const size_t begin = begin_of(a, &machine);
    for (size_t i = 0; i < begin; i++) {
        before += is_fsync(&machine.mutation[i]);
    }
    /* Not everywhere: modes power, kill and fault have been here. */
    if (run->thorough || (a->killed == NULL && a->fail_at == 0)) {
        a->broken |= is_missed(run, a, &machine, begin, true);
    }
    sim_free(&machine);
    return before;
}

/* Leaves out none, and then each fsync, and notes which ones a power cut misses. */
static void leave_out_each(struct run *run, struct list *list, struct attempt *a)
{
    bool skipped = true;
    for (unsigned long at = leave_out_none(run, a) + 1; skipped && !run_time_is_up(run); at++) {
        struct sim machine;
        int status = run_attempt(run, a, at, &machine);
        skipped = machine.skipped[0] != '\0';
        /* A failure that did not matter is nothing to take back. */
        if (skipped && (status == 0) == (a->fail_at == 0)) {
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
        printf("VIOLATION %s %s: a power cut does harm even with all of them: see modes power, kill, fault\n",
               run->mode, a->scene);
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
            printf("VIOLATION %s %s: %s %s\n", run->mode, a->scene, p->name,
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
    power.splits = KILL_SPLITS;
    do {
        bool skip = !everywhere && rng_mix(run->seed, power.mutation) % 3 != 0;
        for (unsigned s = 0; s < (power.part > 0 ? 1 : 2) && !skip; s++) {
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

/* How many states, compared with what is wanted; from the second round on, everywhere. */
static const unsigned rounds[] = {1, 2, 12};
enum { ROUNDS = sizeof rounds / sizeof rounds[0] };

static void scene_told(struct run *run, unsigned long wrong)
{
    printf("%s %s\n", wrong > 0 ? "FAIL" : "ok", run->trial->scene->name);
    fflush(stdout);
    run->failed += wrong > 0;
    run->passed += wrong == 0;
}

static void fsync_scene(struct run *run, struct list *list)
{
    static const struct action recover = {.verb = VERB_RECOVER};
    const struct trial *trial = run->trial;
    const struct scene *scene = trial->scene;
    char name[80];
    const unsigned long wanted = run->wanted;
    snprintf(name, sizeof name, "recover:%s", scene->name);
    struct attempt change = {.scene = scene->name, .from = &trial->before.tree, .action = &trial->action};
    struct attempt recovery = {.scene = name, .action = &recover};
    for (unsigned round = 0; round < ROUNDS && (round == 0 || needs_more(&change)); round++) {
        run->wanted = wanted * rounds[round];
        leave_out_each(run, list, &change);
    }
    for (unsigned round = 0; trial->journaled && round < ROUNDS && (round == 0 || needs_more(&recovery));
         round++) {
        run->wanted = wanted * rounds[round];
        scene_recoveries(run, list, &recovery, run->thorough || round > 0);
    }
    run->wanted = wanted;
    scene_told(run, tell(run, &change) + tell(run, &recovery));
}

/* Each call of the change fails, or some do: then what was done is taken back. */
static void rollback_scene(struct run *run, struct list *list)
{
    const struct trial *trial = run->trial;
    char name[80];
    const unsigned long wanted = run->wanted;
    snprintf(name, sizeof name, "rollback:%s", trial->scene->name);
    struct attempt a = {.scene = name, .from = &trial->before.tree, .action = &trial->action};
    for (unsigned round = 0; round < ROUNDS && (round == 0 || needs_more(&a)); round++) {
        run->wanted = wanted * rounds[round];
        for (a.fail_at = 1; a.fail_at <= trial->sim.n_mutations && !run_time_is_up(run); a.fail_at++) {
            if (run->thorough || round > 0 || rng_mix(run->seed, a.fail_at) % 3 == 0) {
                leave_out_each(run, list, &a);
            }
        }
    }
    run->wanted = wanted;
    scene_told(run, tell(run, &a));
}

/* A mode reads its own lines of the list only. */
static bool is_of_rollback(const struct allowed *row)
{
    return strncmp(row->scenes, "rollback:", 9) == 0;
}

static bool is_played(const struct run *run, const struct scene *scene)
{
    return run->thorough || scene->fsyncs == (run->slow ? FSYNCS_MORE : FSYNCS_TEST);
}

/* Whether a line that nothing needed is wrong: of the scenes that it names some were played, or (--slow,
 * which plays few) all. */
static bool is_asked(const struct run *run, const struct allowed *row)
{
    unsigned played = 0, others = 0;
    for (size_t i = 0; i < n_scenes; i++) {
        static const char *const what[] = {"", "recover:", "rollback:"};
        for (size_t k = 0; k < sizeof what / sizeof what[0]; k++) {
            char name[80];
            snprintf(name, sizeof name, "%s%s", what[k], scenes[i].name);
            if (matches(row->scenes, name)) {
                *(is_played(run, &scenes[i]) ? &played : &others) += 1;
            }
        }
    }
    return run->slow && !run->thorough ? others == 0 : played > 0 || others == 0;
}

static void each_scene(struct run *run, const char *allowed_path, bool rollback)
{
    struct list *list = memory_get_zeroed(sizeof *list);
    read_list(list, allowed_path);
    for (size_t i = 0; i < n_scenes && !run_time_is_up(run); i++) {
        struct trial trial;
        if (run_wants(run, &scenes[i]) && is_played(run, &scenes[i])) {
            trial_begin(&trial, &scenes[i]);
            run->trial = &trial;
            (rollback ? rollback_scene : fsync_scene)(run, list);
            trial_end(&trial);
        }
    }
    for (size_t i = 0; i < list->n && run_wants_all(run) && !run_time_is_up(run); i++) {
        if (!list->row[i].used && is_of_rollback(&list->row[i]) == rollback && is_asked(run, &list->row[i])) {
            printf("VIOLATION %s: the list names %s %s, and there is no such fsync\n", run->mode,
                   list->row[i].scenes, list->row[i].place);
            run->failed++;
        }
    }
    printf("%s: %lu left out are missed, %lu are not and listed, %lu states, %.1f s; %lu passed, %lu failed, "
           "%lu skipped\n",
           run->mode, run->missed, run->listed, run->states, seconds_now() - run->began, run->passed,
           run->failed, run->skipped);
    run->violations = 0;
    memory_free(list);
}

void mode_fsyncs(struct run *run, const char *allowed_path)
{
    each_scene(run, allowed_path, false);
}

void mode_rollbacks(struct run *run, const char *allowed_path)
{
    each_scene(run, allowed_path, true);
}
