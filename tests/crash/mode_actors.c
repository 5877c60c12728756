/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * actors: a change is interrupted, or done; then one or two others act; then the program is told to recover,
 * to undo, or something else. A sample in four is another story: one process makes its plan, another's change
 * is killed, the first one commits, and what is left is recovered.
 */
#include <stdio.h>
#include <string.h>

#include "actors.h"
#include "memory.h"

/* clang-format off */
/* Worlds that the other modes do not have. */
static const struct scene own_scenes[] = {
    {.name = "beside-extend", .spec = {.form = FORM_V3, .garbage = true, .beside = true, .sibling = true}, .action = {{.verb = VERB_EXTEND, .sectors = 320}}},
    {.name = "beside-header-extend", .spec = {.form = FORM_V3, .alignment = 4096, .beside = true, .sibling = true}, .action = {{.verb = VERB_EXTEND, .sectors = 256}}},
    {.name = "beside-undo-extend", .spec = {.form = FORM_V2, .beside = true}, .action = {{.verb = VERB_EXTEND, .sectors = 256}, {.verb = VERB_UNDO}}},
    {.name = "beside-inplace", .spec = {.form = FORM_V3, .beside = true, .sibling = true}, .action = {{.verb = VERB_MERGE_IN_PLACE}}},
    {.name = "sibling-extend", .spec = {.form = FORM_V3, .sibling = true}, .action = {{.verb = VERB_EXTEND, .sectors = 320}}},
    {.name = "sibling-header-extend", .spec = {.form = FORM_V3, .alignment = 4096, .sibling = true}, .action = {{.verb = VERB_EXTEND, .sectors = 256}}},
    {.name = "sibling-copy", .spec = {.form = FORM_V3, .sibling = true}, .action = {{.verb = VERB_COPY, .sectors = 256}}},
    {.name = "devices-extend", .spec = {.form = FORM_V3, .two_devices = true, .sibling = true}, .action = {{.verb = VERB_EXTEND, .sectors = 320}}},
    {.name = "devices-copy", .spec = {.form = FORM_V3, .two_devices = true}, .action = {{.verb = VERB_COPY, .sectors = 256}}},
    {.name = "coarse-extend", .spec = {.form = FORM_V3, .sibling = true, .device = {.granule_s = 1}}, .action = {{.verb = VERB_EXTEND, .sectors = 320}}},
    {.name = "coarse-header-copy", .spec = {.form = FORM_V3, .alignment = 4096, .device = {.granule_s = 2}}, .action = {{.verb = VERB_COPY, .sectors = 256}}},
    {.name = "coarse-inplace", .spec = {.form = FORM_V3, .sibling = true, .device = {.granule_s = 1}}, .action = {{.verb = VERB_MERGE_IN_PLACE}}},
    {.name = "linkless-extend", .spec = {.form = FORM_V3, .device = {.no_links = true}}, .action = {{.verb = VERB_EXTEND, .sectors = 320}}},
};
/* clang-format on */

struct count {
    unsigned long runs, refused, done;
};

struct cast {
    struct run *run;
    struct templates templates;
    struct count count[64];
    unsigned long kills, cuts, ends, plans;
};

/* ---- what comes last ---- */

static struct action last_action(struct world *w)
{
    static const struct action others[] = {
        {.verb = VERB_CHECK},
        {.verb = VERB_EXTEND, .sectors = 384},
        {.verb = VERB_COPY, .sectors = 384},
        {.verb = VERB_MERGE_IN_PLACE},
        {.verb = VERB_RESTAMP},
        {.verb = VERB_DISCARD},
        {.verb = VERB_COMPACT},
        {.verb = VERB_RECOVER},
        {.verb = VERB_UNDO},
    };
    struct action action = {.verb = VERB_UNDO};
    if (w->merge_next) {
        w->merge_next = false;
        action.verb = VERB_MERGE_IN_PLACE;
    } else if (journal_there(&w->tree) ? rng_below(&w->rng, 4) != 0 : rng_below(&w->rng, 12) == 0) {
        action.verb = VERB_RECOVER;
    } else if (rng_below(&w->rng, 3) == 0) {
        action = others[rng_below(&w->rng, sizeof others / sizeof others[0])];
    }
    action.image = w->image;
    return action;
}

static const char *verb_name(enum verb verb)
{
    static const char *const names[] = {
        [VERB_EXTEND] = "extend",   [VERB_COPY] = "copy",       [VERB_UNDO] = "undo",
        [VERB_RECOVER] = "recover", [VERB_CHECK] = "check",     [VERB_MERGE_IN_PLACE] = "merge in place",
        [VERB_RESTAMP] = "restamp", [VERB_DISCARD] = "discard", [VERB_COMPACT] = "compact"};
    return verb < sizeof names / sizeof names[0] && names[verb] != NULL ? names[verb] : "the change";
}

static bool end_with(struct world *w, struct action action)
{
    world_tell(w, "; %s", verb_name(action.verb));
    return world_do(w, &action);
}

/* ---- a story ---- */

/* A sample's number tells who acts first, if that was asked for. */
enum { ACTOR_SAMPLES = 100000, ANYBODY = 1000 };

static void act(struct cast *cast, struct world *w, size_t first)
{
    size_t chosen[2];
    const unsigned n = first != ANYBODY ? 1 : 1 + (unsigned)rng_below(&w->rng, 2);
    unsigned n_acted = 0;
    for (unsigned tries = 0; n_acted < n && tries < 12; tries++) {
        const size_t any = (size_t)rng_below(&w->rng, n_actors);
        const size_t at = n_acted == 0 && first != ANYBODY ? first : any;
        const size_t length = strlen(w->story);
        world_tell(w, ", %s", actors[at].name);
        if (actors[at].act(w, &cast->templates)) {
            chosen[n_acted++] = at;
        } else {
            w->story[length] = '\0';
        }
    }
    bool good = end_with(w, last_action(w));
    for (unsigned i = 0; i < n_acted; i++) {
        struct count *count = &cast->count[chosen[i]];
        count->runs++;
        count->done += w->last_status == 0;
        count->refused += w->last_status != 0;
    }
    if (good && rng_below(&w->rng, 3) == 0) { /* and once more */
        end_with(w, last_action(w));
    }
}

/* A state at a call: the process killed, or the power cut. */
static void interrupted(struct cast *cast, struct power *power, uint64_t seed, size_t first)
{
    struct rng rng = {seed};
    struct tree files;
    struct world w;
    uint64_t print;
    const bool at_end = power->mutation == power->sim->n_mutations;
    const bool cut = !at_end && rng_below(&rng, 2) == 0;
    const enum strategy strategy = cut ? (enum strategy)rng_below(&rng, POWER_STRATEGIES) : POWER_ALL;
    power_sample(power, strategy, &rng, false, &files, &print);
    cast->cuts += cut;
    cast->kills += !cut && !at_end;
    cast->ends += at_end;
    world_begin(&w, cast->run, &files, rng_mix(seed, 1));
    world_tell(&w, "%s", at_end ? "done" : cut ? "power cut" : "killed");
    act(cast, &w, first);
    world_end(&w);
}

/* ---- plan(B), kill(A), commit(B), recover(A) ---- */

static struct action planned_action(struct world *w)
{
    static const struct action actions[] = {
        {.verb = VERB_MERGE_IN_PLACE, .image = SIBLING_PATH},
        {.verb = VERB_EXTEND, .sectors = 352, .image = SIBLING_PATH},
        {.verb = VERB_RESTAMP, .image = SIBLING_PATH},
        {.verb = VERB_COMPACT, .image = SIBLING_PATH},
        {.verb = VERB_EXTEND, .sectors = 384},
        {.verb = VERB_MERGE_IN_PLACE},
        {.verb = VERB_COPY, .sectors = 384},
        {.verb = VERB_UNDO},
        {.verb = VERB_COMPACT},
        {.verb = VERB_RECOVER},
    };
    const bool sibling = tree_find(&w->tree, SIBLING_PATH) != NO_INODE;
    const size_t n = sizeof actions / sizeof actions[0], from = sibling ? 0 : 4;
    return actions[from + (sibling && rng_below(&w->rng, 2) == 0 ? rng_below(&w->rng, 4)
                                                                 : rng_below(&w->rng, n - from))];
}

/* All that a killed process would have done after the call is left out. */
static void killed_at(struct sim *machine, const struct action *action, unsigned long call)
{
    struct cow_error err;
    const struct fault_plan kill = {
        .kind = FAULT_ERROR, .error = 5, .at = call, .for_ever = true, .only_mutations = true};
    const struct fault_plan none = {.kind = FAULT_NONE};
    sim_set_fault(machine, &kill);
    action_run(machine, action, NULL, &err);
    sim_set_fault(machine, &none);
}

static void overtaken(struct cast *cast, size_t call, uint64_t seed)
{
    struct world w;
    struct tree files;
    struct sim machine;
    struct cow_plan *plan;
    struct cow_image *img;
    struct cow_error err;
    tree_copy(&files, &cast->run->trial->before.tree);
    world_begin(&w, cast->run, &files, rng_mix(seed, 2));
    const struct action planned = planned_action(&w);
    const struct action recover = {.verb = VERB_RECOVER};
    if (planned.verb == VERB_RESTAMP) { /* so that there is something to do */
        inode_write(&w.tree.inode[tree_find(&w.tree, SIBLING_PATH)], forms[FORM_V3].mtime, "date", 4);
    }
    world_boot(&w, &machine);
    world_tell(&w, "%s of %s planned, the change killed at call %zu, then the plan", verb_name(planned.verb),
               planned.image != NULL ? planned.image : IMAGE_PATH, call);
    int status = action_plan(&plan, &img, &machine, &planned, NULL, &err);
    if (status == 0) {
        cast->plans++;
        killed_at(&machine, &w.trial->action, call + 1);
        tree_clear(&w.tree);
        tree_copy(&w.tree, &machine.live);
        status = cow_plan_commit(plan, NULL, &err);
        cow_plan_free(plan);
        cow_image_close(img);
        tree_copy(&files, &machine.live);
        bool good = world_judge(&w, &planned, status, &err, &files);
        sim_free(&machine);
        if (good && journal_there(&w.tree)) {
            good = end_with(&w, recover);
        }
        if (good) {
            end_with(&w, last_action(&w));
        }
    } else {
        cow_image_close(img);
        sim_free(&machine);
    }
    world_end(&w);
}

/* ---- all of them ---- */

static void find_templates(struct templates *t, const struct trial *trial)
{
    struct power power;
    memset(t, 0, sizeof *t);
    power_begin(&power, &trial->sim);
    do {
        struct tree tree;
        uint64_t print;
        struct rng rng = {1};
        power_sample(&power, POWER_ALL, &rng, false, &tree, &print);
        uint8_t at = tree_find(&tree, "/img/.x.cow.cowtui-journal");
        if (at != NO_INODE && tree.inode[at].facts.size_bytes > 0 && !t->has_journal) {
            t->has_journal = true;
            t->journal = (struct inode){.kind = INODE_FILE, .facts = tree.inode[at].facts};
            inode_share(&t->journal, &tree.inode[at]);
        }
        tree_clear(&tree);
    } while (power_step(&power));
    power_end(&power);
    const uint8_t at = tree_find(&trial->after.tree, "/img/.x.cow.cowtui-undo");
    if (at != NO_INODE) {
        t->has_undo = true;
        t->undo = (struct inode){.kind = INODE_FILE, .facts = trial->after.tree.inode[at].facts};
        inode_share(&t->undo, &trial->after.tree.inode[at]);
    }
}

static void one_sample(struct cast *cast, size_t call, unsigned sample)
{
    struct run *run = cast->run;
    const uint64_t seed = rng_mix(rng_mix(run->seed, sample), call);
    run->states++;
    run->place = (struct place){.depth = 1, .call = {call}, .sample = {sample}};
    fflush(stdout);
    const size_t first = sample >= ACTOR_SAMPLES ? sample / ACTOR_SAMPLES - 1 : ANYBODY;
    if (first == ANYBODY ? sample % 4 == 3 : first >= n_actors) {
        overtaken(cast, call, seed);
        return;
    }
    struct power power;
    power_begin(&power, &run->trial->sim);
    while (power.mutation < call && power_step(&power)) {
    }
    if (power_shifts_next(&power) && sample % 2 == 0) { /* or in its middle */
        power.splits = 1;
        power.split_seed = seed;
        power_step(&power);
    }
    interrupted(cast, &power, seed, first);
    power_end(&power);
}

static unsigned first_sample(const struct run *run)
{
    unsigned at = 0;
    if (run->actor != NULL && strcmp(run->actor, "plan") == 0) {
        return (unsigned)(n_actors + 1) * ACTOR_SAMPLES;
    }
    while (run->actor != NULL && at < n_actors && strcmp(actors[at].name, run->actor) != 0) {
        at++;
    }
    memory_require(run->actor == NULL || at < n_actors, "there is no such actor");
    return run->actor == NULL ? 0 : (at + 1) * ACTOR_SAMPLES;
}

static void actors_scene(struct cast *cast, const struct scene *scene, unsigned long quota)
{
    struct run *run = cast->run;
    struct trial trial;
    trial_begin(&trial, scene);
    run->trial = &trial;
    find_templates(&cast->templates, &trial);
    const size_t n_calls = trial.sim.n_mutations;
    const unsigned first = first_sample(run);
    if (run->replay != NULL) {
        one_sample(cast, run->replay->call[0], run->replay->sample[0]);
    }
    for (unsigned i = 0; i < quota && run->replay == NULL && !run_time_is_up(run); i++) {
        const uint64_t random = rng_mix(run->seed, i);
        one_sample(cast, random % 5 == 0 ? n_calls : (size_t)(random / 5 % (n_calls + 1)), first + i);
    }
    inode_forget(&cast->templates.journal);
    inode_forget(&cast->templates.undo);
    run_scene_done(run);
    trial_end(&trial);
}

/* Where an image is changed, and can be composed in no time. Not on a full disk: what others make takes its
 * room. */
static bool is_fit(const struct scene *scene)
{
    unsigned n = 0;
    while (n < SCENE_ACTIONS && scene->action[n].verb != VERB_NONE) {
        n++;
    }
    return !scene->action[n - 1].elsewhere && scene->action[n - 1].verb != VERB_DISCARD &&
           scene->spec.size_bytes < 1 << 20 && !scene->spec.twin && scene->capacity_bytes == 0 &&
           !scene->action[0].family; /* a world knows of one image that is changed */
}

void mode_actors(struct run *run)
{
    enum { OWN = sizeof own_scenes / sizeof own_scenes[0] };
    struct cast cast = {.run = run};
    unsigned long n_fit = 0;
    for (size_t i = 0; i < n_scenes + OWN; i++) {
        const struct scene *scene = i < OWN ? &own_scenes[i] : &scenes[i - OWN];
        n_fit += run_wants(run, scene) && is_fit(scene);
    }
    for (size_t i = 0; i < n_scenes + OWN && !run_time_is_up(run); i++) {
        const struct scene *scene = i < OWN ? &own_scenes[i] : &scenes[i - OWN];
        if (run_wants(run, scene) && is_fit(scene)) {
            /* The worlds of their own get three times as many. */
            actors_scene(&cast, scene, run->wanted / (n_fit + 2 * OWN) * (i < OWN ? 3 : 1) + 1);
        }
    }
    for (size_t i = 0; i < n_actors; i++) {
        printf("actors: %s: %lu, %lu done, %lu refused\n", actors[i].name, cast.count[i].runs,
               cast.count[i].done, cast.count[i].refused);
    }
    printf("actors: %lu after a kill, %lu after a power cut, %lu after the end, %lu plans overtaken\n",
           cast.kills, cast.cuts, cast.ends, cast.plans);
    run_report(run, "worlds");
}
