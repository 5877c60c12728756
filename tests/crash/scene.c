/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See scene.h.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "memory.h"

#define ODD (201 * 512 - 77)
/* Near 8 TiB, where sizes end: a little less leaves the data of the new image within a kernel's 31 bits. */
#define HUGE_SECTORS ((UINT64_C(1) << 34) - (1 << 20))
#define HUGE_BYTES   ((HUGE_SECTORS - 400000) * 512)
#define DO(change, n)                                                                                        \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n)                                                                \
    }
#define AWAY(change, n)                                                                                      \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .away = true                                                  \
    }
#define FORCE(change, n)                                                                                     \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .force = true                                                 \
    }
#define ELSEWHERE(change, n)                                                                                 \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .elsewhere = true                                             \
    }

/* clang-format off */
const struct scene scenes[] = {
    /* by copy */
    {.name = "extend-v1", .spec = {.form = FORM_V1}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v1-64", .spec = {.form = FORM_V1_64, .garbage = true}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v1-be-64", .spec = {.form = FORM_V1_BE_64}, .action = {DO(EXTEND, 256)}},
    {.name = "extend-v2", .spec = {.form = FORM_V2, .garbage = true}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v2-64", .spec = {.form = FORM_V2_64, .pattern = PATTERN_RANDOM}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v3", .spec = {.form = FORM_V3, .garbage = true, .seed = 1}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v3-clone", .spec = {.form = FORM_V3, .pattern = PATTERN_RANDOM}, .action = {DO(EXTEND, 320)}, .can_clone = true},
    {.name = "extend-v3-64", .spec = {.form = FORM_V3_64, .garbage = true}, .action = {DO(EXTEND, 256)}},
    {.name = "extend-v3-4096", .spec = {.form = FORM_V3, .sector_bytes = 4096, .size_bytes = 25 * 4096 + 512}, .action = {DO(EXTEND, 300)}},
    {.name = "extend-odd", .spec = {.form = FORM_V2, .size_bytes = ODD, .garbage = true}, .action = {DO(EXTEND, 256)}},
    {.name = "extend-short-base", .spec = {.form = FORM_V3, .short_backing = true}, .action = {DO(EXTEND, 320)}},
    {.name = "copy-v1", .spec = {.form = FORM_V1, .garbage = true}, .action = {DO(COPY, 256)}},
    {.name = "copy-v1-be", .spec = {.form = FORM_V1_BE, .garbage = true}, .action = {DO(COPY, 320)}},
    {.name = "copy-v2-long", .spec = {.form = FORM_V2_LONG, .garbage = true}, .action = {DO(COPY, 256)}},
    {.name = "copy-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES}, .action = {DO(COPY, 320)}},
    {.name = "copy-v3-clone", .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES}, .action = {DO(COPY, 320)}, .can_clone = true},
    {.name = "copy-qemu", .spec = {.form = FORM_QEMU, .size_bytes = 200 * 512}, .action = {DO(COPY, 256)}},
    {.name = "copy-qemu-alone", .spec = {.form = FORM_QEMU_I386, .size_bytes = 200 * 512, .no_backing = true}, .action = {DO(COPY, 256)}},
    {.name = "keep-v2", .spec = {.form = FORM_V2, .garbage = true, .short_file = true}, .action = {DO(KEEP, 256)}},
    {.name = "keep-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_NONE}, .action = {DO(KEEP, 320)}},
    {.name = "shrink-v3", .spec = {.form = FORM_V3, .size_bytes = 320 * 512, .dirty_end = 120}, .action = {DO(SHRINK, 161)}},
    {.name = "shrink-v2", .spec = {.form = FORM_V2, .dirty_end = 60, .garbage = true}, .action = {DO(SHRINK, 66)}},
    /* the header only */
    {.name = "header-extend", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {DO(EXTEND, 400)}},
    {.name = "header-extend-512", .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = 80 * 512, .short_file = true}, .action = {DO(EXTEND, 203)}},
    {.name = "header-extend-odd", .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = ODD, .garbage = true}, .action = {DO(EXTEND, 300)}},
    {.name = "header-copy", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(COPY, 256)}},
    {.name = "header-copy-clone", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {DO(COPY, 256)}, .can_clone = true},
    {.name = "header-keep", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(KEEP, 256)}},
    {.name = "header-keep-odd", .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = ODD}, .action = {DO(KEEP, 256)}},
    {.name = "away-copy", .spec = {.form = FORM_V3}, .action = {AWAY(COPY, 320)}},
    {.name = "away-shrink", .spec = {.form = FORM_V1, .dirty_end = 90}, .action = {AWAY(SHRINK, 112)}},
    {.name = "away-header", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {AWAY(COPY, 300)}},
    {.name = "away-undo", .spec = {.form = FORM_V2, .garbage = true}, .action = {AWAY(COPY, 320), DO(UNDO, 0)}},
    {.name = "away-undo-header", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {AWAY(COPY, 320), DO(UNDO, 0)}},
    /* going back */
    {.name = "undo-extend", .spec = {.form = FORM_V2, .garbage = true}, .action = {DO(EXTEND, 256), DO(UNDO, 0)}},
    {.name = "undo-copy", .spec = {.form = FORM_V3}, .action = {DO(COPY, 320), DO(UNDO, 0)}},
    {.name = "undo-copy-v2-long", .spec = {.form = FORM_V2_LONG, .garbage = true}, .action = {DO(COPY, 256), DO(UNDO, 0)}},
    {.name = "undo-extend-v1-be", .spec = {.form = FORM_V1_BE}, .action = {DO(EXTEND, 256), DO(UNDO, 0)}},
    {.name = "undo-keep", .spec = {.form = FORM_V1, .garbage = true}, .action = {DO(KEEP, 256), DO(UNDO, 0)}},
    {.name = "undo-shrink", .spec = {.form = FORM_V3_64, .dirty_end = 90}, .action = {DO(SHRINK, 112), DO(UNDO, 0)}},
    {.name = "undo-header-extend", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {DO(EXTEND, 256), DO(UNDO, 0)}},
    {.name = "undo-header-copy", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(COPY, 256), DO(UNDO, 0)}},
    {.name = "undo-header-keep", .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = ODD, .garbage = true}, .action = {DO(KEEP, 256), DO(UNDO, 0)}},
    {.name = "discard-copy", .spec = {.form = FORM_V3}, .action = {DO(EXTEND, 256), DO(DISCARD, 0)}},
    {.name = "discard-header", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 256), DO(DISCARD, 0)}},
    /* chains: undo data is there already when the last one begins */
    {.name = "chain-copy-header", .spec = {.form = FORM_V2}, .action = {DO(EXTEND, 233), DO(EXTEND, 256), DO(EXTEND, 300)}},
    {.name = "chain-header-copy", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 233), DO(KEEP, 256), DO(EXTEND, 300)}},
    {.name = "chain-copy-shrink", .spec = {.form = FORM_V3, .dirty_end = 100}, .action = {DO(EXTEND, 256), DO(SHRINK, 150)}},
    {.name = "chain-shrink-copy", .spec = {.form = FORM_V3, .dirty_end = 100}, .action = {DO(SHRINK, 150), DO(SHRINK, 120), DO(COPY, 256)}},
    {.name = "chain-undo-grow", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 256), DO(UNDO, 0), DO(EXTEND, 300)}},
    {.name = "chain-undo", .spec = {.form = FORM_V3, .garbage = true}, .action = {DO(EXTEND, 256), DO(EXTEND, 300), DO(UNDO, 0)}},
    /* an image with a second name, which keeps the old disk where the image is replaced */
    {.name = "header-extend-twin", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .twin = true}, .action = {DO(EXTEND, 256)}},
    {.name = "undo-header-copy-twin", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .twin = true}, .action = {DO(COPY, 256), DO(UNDO, 0)}},
    {.name = "extend-twin", .spec = {.form = FORM_V2, .garbage = true, .twin = true}, .action = {FORCE(EXTEND, 256)}},
    {.name = "copy-twin", .spec = {.form = FORM_V3, .twin = true}, .action = {FORCE(COPY, 320)}},
    {.name = "shrink-twin", .spec = {.form = FORM_V3, .dirty_end = 100, .twin = true}, .action = {FORCE(SHRINK, 120)}},
    /* a backing file with another date than the header says */
    {.name = "extend-date", .spec = {.form = FORM_V3, .garbage = true, .other_date = true}, .action = {FORCE(EXTEND, 320)}},
    {.name = "copy-date", .spec = {.form = FORM_V1, .other_date = true}, .action = {FORCE(COPY, 320)}},
    {.name = "header-extend-date", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .other_date = true}, .action = {FORCE(EXTEND, 256)}},
    {.name = "header-copy-date", .spec = {.form = FORM_V3, .alignment = 4096, .other_date = true}, .action = {FORCE(COPY, 256)}},
    {.name = "undo-extend-date", .spec = {.form = FORM_V2, .other_date = true}, .action = {FORCE(EXTEND, 320), DO(UNDO, 0)}},
    {.name = "undo-header-extend-date", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .other_date = true}, .action = {FORCE(EXTEND, 256), DO(UNDO, 0)}},
    /* nearly 8 TiB, nearly all of it a hole */
    {.name = "header-extend-huge", .spec = {.form = FORM_V3, .alignment = 65536, .size_bytes = HUGE_BYTES}, .action = {DO(EXTEND, HUGE_SECTORS)}},
    {.name = "extend-huge", .spec = {.form = FORM_V3, .size_bytes = HUGE_BYTES}, .action = {DO(EXTEND, HUGE_SECTORS)}},
    {.name = "undo-header-copy-huge", .spec = {.form = FORM_V3, .alignment = 65536, .size_bytes = HUGE_BYTES}, .action = {DO(COPY, HUGE_SECTORS), DO(UNDO, 0)}},
    /* what only makes files */
    {.name = "create", .spec = {.form = FORM_V3}, .action = {ELSEWHERE(CREATE, 0)}},
    {.name = "merge", .spec = {.form = FORM_V3, .garbage = true, .pattern = PATTERN_RANDOM}, .action = {ELSEWHERE(MERGE, 0)}},
    {.name = "keep-elsewhere", .spec = {.form = FORM_V2, .garbage = true}, .action = {ELSEWHERE(KEEP, 256)}},
    {.name = "copy-elsewhere", .spec = {.form = FORM_V3}, .action = {ELSEWHERE(COPY, 256)}},
};
/* clang-format on */
const size_t n_scenes = sizeof scenes / sizeof scenes[0];

/* ---- the library, called as a front end calls it ---- */

static int plan_resize(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                       struct cow_error *err)
{
    static const enum cow_policy policies[] = {[VERB_EXTEND] = COW_POLICY_EXTEND,
                                               [VERB_COPY] = COW_POLICY_COPY,
                                               [VERB_KEEP] = COW_POLICY_KEEP,
                                               [VERB_SHRINK] = COW_POLICY_COPY};
    struct cow_resize_options opt = {.size_bytes = action->sectors * 512,
                                     .policy = policies[action->verb],
                                     .shrink = action->verb == VERB_SHRINK,
                                     .force = action->force,
                                     .copy_path = action->away ? AWAY_PATH : NULL,
                                     .output_path = action->elsewhere ? OUTPUT_PATH : NULL};
    return cow_plan_resize(plan, img, &opt, err);
}

static int make_plan(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                     struct cow_error *err)
{
    switch (action->verb) {
    case VERB_UNDO:
        return cow_plan_undo(plan, img, err);
    case VERB_DISCARD:
        return cow_plan_discard_undo(plan, img, err);
    case VERB_RECOVER:
        return cow_plan_recover(plan, img, err);
    case VERB_MERGE:
        return cow_plan_merge(plan, img, &(struct cow_merge_options){.output_path = OUTPUT_PATH}, err);
    default:
        return plan_resize(plan, img, action, err);
    }
}

int action_run(struct sim *sim, const struct action *action, const struct cow_env *env, struct cow_error *err)
{
    struct cow_plan *plan = NULL;
    struct cow_image *img = NULL;
    int status;
    *err = (struct cow_error){.status = 0};
    if (action->verb == VERB_CREATE) {
        status = cow_plan_create(
            &plan,
            &(struct cow_create_options){.path = OUTPUT_PATH, .backing_path = BACKING_PATH, .io = &sim->io},
            err);
    } else {
        status = cow_image_open(&img, IMAGE_PATH, &(struct cow_open_options){.io = &sim->io}, err);
        if (status == 0) {
            status = make_plan(&plan, img, action, err);
        }
    }
    if (status == 0) {
        status = cow_plan_commit(plan, env, err);
        cow_plan_free(plan);
    }
    cow_image_close(img);
    return status;
}

bool journal_there(const struct tree *tree)
{
    return tree_find(tree, "/img/.x.cow.cowtui-journal") != NO_INODE;
}

/* ---- trials ---- */

static void stage_set(struct stage *stage, const struct tree *tree, const struct disk *disk,
                      enum form_name form, const char *target)
{
    struct view view;
    tree_copy(&stage->tree, tree);
    stage->disk = disk_copy(disk);
    stage->form = form;
    uint8_t at = tree_find(tree, target);
    stage->target_there = at != NO_INODE;
    stage->opens = stage->target_there && kernel_opens(&view, tree, &tree->inode[at]);
}

static void stage_clear(struct stage *stage)
{
    tree_clear(&stage->tree);
    disk_free(&stage->disk);
}

static const struct action *last_action(const struct scene *scene, size_t *n)
{
    *n = 0;
    while (*n < SCENE_ACTIONS && scene->action[*n].verb != VERB_NONE) {
        ++*n;
    }
    return &scene->action[*n - 1];
}

/* What the image is after the first n actions, without asking the library. */
struct past {
    struct disk disk;
    enum form_name form;
};

static struct past past_after(const struct past *past, const struct action *action, size_t n)
{
    const struct past *now = &past[n];
    if (action->verb == VERB_UNDO) {
        return (struct past){disk_copy(&past[n - 1].disk), past[n - 1].form};
    }
    if (action->verb >= VERB_EXTEND && action->verb <= VERB_SHRINK) {
        return (struct past){disk_resized(&now->disk, action->sectors * 512), FORM_V3};
    }
    return (struct past){disk_copy(&now->disk), now->form};
}

/* What takes force is refused without, and then nothing is touched. */
static void must_be_refused(struct trial *trial, const struct action *action)
{
    struct cow_error err;
    struct action gentle = *action;
    const size_t n_mutations = trial->sim.n_mutations;
    gentle.force = false;
    int status = action_run(&trial->sim, &gentle, NULL, &err);
    if (status != COW_REFUSED || trial->sim.n_mutations != n_mutations) {
        fprintf(stderr, "crash: %s: without force it answers %d, and %zu calls change something\n",
                trial->scene->name, status, trial->sim.n_mutations - n_mutations);
        exit(2);
    }
}

static void must_work(struct trial *trial, const struct action *action)
{
    struct cow_error err;
    if (action->force) {
        must_be_refused(trial, action);
    }
    if (action_run(&trial->sim, action, NULL, &err) != 0) {
        fprintf(stderr, "crash: %s: it does not work even without a mishap: %s\n", trial->scene->name,
                err.message);
        exit(2);
    }
}

/* The disk that the target shows when it is there. */
static struct disk target_disk(const struct trial *trial, const struct disk *image_disk)
{
    if (trial->action.verb != VERB_CREATE) {
        return disk_copy(image_disk);
    }
    const struct tree *tree = &trial->before.tree;
    return disk_copy(&(const struct disk){.file = tree->inode[tree_find(tree, BACKING_PATH)]});
}

/* Where the image is another file now and other names keep the old one, nothing is kept for undo. */
static bool is_undoable(const struct trial *trial)
{
    const bool replaced =
        tree_find(&trial->before.tree, IMAGE_PATH) != tree_find(&trial->after.tree, IMAGE_PATH);
    return trial->journaled && trial->action.verb <= VERB_SHRINK && !(trial->scene->spec.twin && replaced);
}

void trial_begin(struct trial *trial, const struct scene *scene)
{
    struct tree tree;
    struct past past[SCENE_ACTIONS + 1];
    size_t n;
    memset(trial, 0, sizeof *trial);
    trial->scene = scene;
    trial->action = *last_action(scene, &n);
    trial->target = trial->action.elsewhere ? OUTPUT_PATH : IMAGE_PATH;
    trial->raw = trial->action.verb == VERB_MERGE;
    trial->journaled = !trial->action.elsewhere && trial->action.verb != VERB_DISCARD;
    past[0] = (struct past){model_build(&tree, &scene->spec), scene->spec.form};
    sim_boot(&trial->sim, &tree);
    trial->sim.can_clone = scene->can_clone;
    for (size_t i = 0; i < n; i++) {
        past[i + 1] = past_after(past, &scene->action[i], i);
        if (i + 1 < n) {
            must_work(trial, &scene->action[i]);
            trial->sim.clock_ns += UINT64_C(3600000000000);
            sim_settle(&trial->sim);
        }
    }
    stage_set(&trial->before, &trial->sim.live, &past[n - 1].disk, past[n - 1].form, trial->target);
    must_work(trial, &trial->action);
    struct disk disk = target_disk(trial, &past[n].disk);
    tree_copy(&tree, &trial->sim.live);
    tree_settle(&tree);
    stage_set(&trial->after, &tree, &disk, trial->action.elsewhere ? FORM_V3 : past[n].form, trial->target);
    trial->undoable = is_undoable(trial);
    tree_clear(&tree);
    disk_free(&disk);
    for (size_t i = 0; i <= n; i++) {
        disk_free(&past[i].disk);
    }
    judge_trial(trial);
}

void trial_end(struct trial *trial)
{
    stage_clear(&trial->before);
    stage_clear(&trial->after);
    sim_free(&trial->sim);
}
