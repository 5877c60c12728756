/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See scene.h.
 */
#include "scene.h"
#include "promise/promise.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/io.h"
#include "filesystem.h"
#include "judge.h"
#include "memory.h"

/* ---- the program that resizes a filesystem ---- */

/* What it writes: pages that are dirty, and clean, and new; one becomes a hole. */
static const struct {
    uint64_t page;
    uint8_t fill;
} fs_write[] = {{2, 0x51}, {3, 0x52},  {9, 0},     {10, 0x53}, {40, 0x54},
                {41, 0},   {90, 0x55}, {96, 0x56}, {118, 0x57}};
enum { FS_WRITES = sizeof fs_write / sizeof fs_write[0], FS_PAGE = 4096 };

/* The machine on which the library is called at this moment: who is called back cannot be told. */
static struct sim *front;

/* As a server would: by the model's own shape of the file. */
static int write_page(const struct cow_fs_job *job, const struct shape *shape, unsigned i)
{
    uint8_t page[FS_PAGE], bits = 0xff;
    const uint64_t at = fs_write[i].page * FS_PAGE;
    struct cow_io *io = &front->io;
    memset(page, fs_write[i].fill, sizeof page);
    int status = -EOPNOTSUPP;
    if (fs_write[i].fill == 0) {
        status = io->fallocate(io->context, job->image_fd, IO_ROOM_PUNCH, shape->data_offset + at, FS_PAGE);
    }
    if (status == -EOPNOTSUPP) {
        status = io_write(io, job->image_fd, page, sizeof page, shape->data_offset + at);
    }
    if (status >= 0) {
        status = io_write(io, job->image_fd, &bits, 1, shape->bitmap_offset + at / FS_PAGE);
    }
    return status;
}

static int resize_fs(void *context, const struct cow_fs_job *job, struct cow_error *err)
{
    uint8_t field[4];
    struct cow_io *io = &front->io;
    int status = io_read_padded(io, job->image_fd, field, sizeof field, forms[FORM_V3].alignment);
    (void)context;
    if (status == 0) {
        const uint32_t alignment =
            (uint32_t)field[0] << 24 | (uint32_t)field[1] << 16 | (uint32_t)field[2] << 8 | field[3];
        const struct shape shape = form_shape(FORM_V3, job->disk_bytes, 512, alignment);
        for (unsigned i = 0; i < FS_WRITES && status >= 0; i++) {
            status =
                (fs_write[i].page + 1) * FS_PAGE <= job->disk_bytes ? write_page(job, &shape, i) : status;
        }
        status = status >= 0 ? io->fsync(io->context, job->image_fd) : status;
    }
    return status >= 0 ? 0 : cow_error_system(err, -status, "the program");
}

/* The disk that it leaves; before is the disk that it was given. */
static struct disk disk_with_fs(const struct disk *disk, uint64_t size_bytes)
{
    uint8_t page[FS_PAGE];
    const uint64_t given =
        disk->file.facts.size_bytes > size_bytes ? disk->file.facts.size_bytes : size_bytes;
    struct disk larger = disk_resized(disk, given);
    for (unsigned i = 0; i < FS_WRITES; i++) {
        memset(page, fs_write[i].fill, sizeof page);
        if ((fs_write[i].page + 1) * FS_PAGE <= given) {
            inode_write(&larger.file, fs_write[i].page * FS_PAGE, page, sizeof page);
        }
    }
    struct disk out = disk_resized(&larger, size_bytes);
    disk_free(&larger);
    return out;
}

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
                                     .method = action->method,
                                     .in_place = action->in_place,
                                     .fs = action->with_fs ? COW_FS_FITS : COW_FS_STAYS,
                                     .force = action->force,
                                     .copy_path = action->away ? AWAY_PATH : NULL,
                                     .output_path = action->elsewhere ? OUTPUT_PATH : NULL};
    return action->family ? cow_plan_resize_family(plan, img, &opt, NULL, err)
                          : cow_plan_resize(plan, img, &opt, err);
}

static int plan_rewrite(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                        const struct cow_env *env, struct cow_error *err)
{
    const enum verb verb = action->verb;
    const bool rebases = verb == VERB_REBASE || verb == VERB_REBASE_SAFE;
    const struct cow_rewrite_options opt = {.complete_pages = verb == VERB_PAGES,
                                            .larger = true,
                                            .compact = verb >= VERB_COMPACT && verb <= VERB_COMPACT_UNUSED,
                                            .unused = verb == VERB_COMPACT_UNUSED,
                                            .sectors = verb == VERB_COMPACT_SECTORS,
                                            .backing_path = !rebases                ? NULL
                                                            : action->other != NULL ? action->other
                                                                                    : OTHER_PATH,
                                            .safe = verb == VERB_REBASE_SAFE,
                                            .restamp = verb == VERB_RESTAMP,
                                            .convert = verb == VERB_CONVERT,
                                            .output_path = action->elsewhere ? OUTPUT_PATH : NULL,
                                            .force = action->force,
                                            .env = env};
    return cow_plan_rewrite(plan, img, &opt, err);
}

static int plan_merge(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                      struct cow_error *err)
{
    const bool in_place = action->verb == VERB_MERGE_IN_PLACE;
    return cow_plan_merge(plan, img,
                          &(struct cow_merge_options){.output_path = in_place ? NULL : OUTPUT_PATH,
                                                      .in_place = in_place,
                                                      .force = action->force},
                          err);
}

static int plan_extract(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                        struct cow_error *err)
{
    char path[TREE_NAME_BYTES];
    snprintf(path, sizeof path, "/%s", action->file);
    return cow_plan_extract(
        plan, img,
        &(struct cow_extract_options){.version = action->backing ? COW_VERSION_BASE : COW_VERSION_GUEST,
                                      .path = path,
                                      .output_path = OUTPUT_PATH,
                                      .force = action->force},
        err);
}

enum { SAVED_BYTES = 10001 };

/* No whole number of blocks, and unlike everywhere. */
static const uint8_t *saved_bytes(void)
{
    static uint8_t bytes[SAVED_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(1 + i % 251);
    }
    return bytes;
}

static int plan_save(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                     struct cow_error *err)
{
    return cow_plan_save(plan, img,
                         &(struct cow_save_options){.what = "a picture",
                                                    .bytes = saved_bytes(),
                                                    .n_bytes = SAVED_BYTES,
                                                    .output_path = OUTPUT_PATH,
                                                    .force = action->force},
                         err);
}

static int make_plan(struct cow_plan **plan, struct cow_image *img, const struct action *action,
                     const struct cow_env *env, struct cow_error *err)
{
    if (verb_rewrites(action->verb)) {
        return plan_rewrite(plan, img, action, env, err);
    }
    switch (action->verb) {
    case VERB_UNDO:
        return cow_plan_undo(plan, img, err);
    case VERB_DISCARD:
        return cow_plan_discard_undo(plan, img, err);
    case VERB_RECOVER:
        return cow_plan_recover_way(plan, img, action->way, err);
    case VERB_MERGE:
    case VERB_MERGE_IN_PLACE:
        return plan_merge(plan, img, action, err);
    case VERB_EXTRACT:
        return plan_extract(plan, img, action, err);
    case VERB_SAVE:
        return plan_save(plan, img, action, err);
    default:
        return plan_resize(plan, img, action, err);
    }
}

/* What needs no image. */
static int plan_new_image(struct cow_plan **plan, const struct cow_io *io, const struct action *action,
                          const struct cow_env *env, struct cow_error *err)
{
    if (action->verb == VERB_CREATE) {
        const struct cow_create_options opt = {.path = action->image != NULL ? action->image : OUTPUT_PATH,
                                               .backing_path = BACKING_PATH,
                                               .io = io};
        return cow_plan_create(plan, &opt, err);
    }
    const struct cow_diff_options opt = {.output_path = OUTPUT_PATH,
                                         .backing_path = BACKING_PATH,
                                         .raw_path = OTHER_PATH,
                                         .sectors = action->sectors != 0,
                                         .env = env,
                                         .io = io};
    return cow_plan_diff(plan, &opt, err);
}

static const char *image_of(const struct action *action)
{
    return action->image != NULL ? action->image : IMAGE_PATH;
}

int action_plan(struct cow_plan **plan, struct cow_image **img, struct sim *sim, const struct action *action,
                const struct cow_env *env, struct cow_error *err)
{
    *err = (struct cow_error){.status = 0};
    *plan = NULL;
    *img = NULL;
    if (action->verb == VERB_CREATE || action->verb == VERB_DIFF) {
        return plan_new_image(plan, &sim->io, action, env, err);
    }
    int status = cow_image_open(img, image_of(action), &(struct cow_open_options){.io = &sim->io}, err);
    return status == 0 ? make_plan(plan, *img, action, env, err) : status;
}

static int look(struct sim *sim, const struct action *action, struct cow_error *err)
{
    struct cow_check check;
    return cow_check(&check, image_of(action), &(struct cow_check_options){.io = &sim->io}, err);
}

int action_run(struct sim *sim, const struct action *action, const struct cow_env *env, struct cow_error *err)
{
    struct cow_plan *plan = NULL;
    struct cow_image *img = NULL;
    if (action->verb == VERB_CHECK) {
        return look(sim, action, err);
    }
    int status = action_plan(&plan, &img, sim, action, env, err);
    if (status == 0) {
        struct cow_env all = env != NULL ? *env : (struct cow_env){.context = NULL};
        all.resize_fs = resize_fs;
        front = sim;
        status = cow_plan_commit(plan, &all, err);
        cow_plan_free(plan);
    }
    cow_image_close(img);
    return status;
}

/* The same, and what the preview says is held against what happened. That looks at files: not where calls are
 * counted. */
int action_run_promised(struct sim *sim, const struct action *action, struct cow_error *err)
{
    const unsigned long before = promises_broken;
    promise_on = true;
    int status = action_run(sim, action, NULL, err);
    promise_on = false;
    return promises_broken == before ? status
                                     : cow_error_set(err, COW_IO, "a promise of the preview is broken");
}

bool scene_has_fs(const struct scene *scene)
{
    bool has = false;
    for (size_t i = 0; i < SCENE_ACTIONS; i++) {
        has = has || scene->action[i].with_fs;
    }
    return has;
}

bool journal_there(const struct tree *tree)
{
    return tree_find(tree, "/img/.x.cow.cowtui-journal") != NO_INODE ||
           tree_find(tree, "/img/.x.cow.cowtui-move") != NO_INODE ||
           tree_find(tree, FAMILY_JOURNAL) != NO_INODE;
}

const char *trial_member(const struct trial *trial, uint64_t number)
{
    const uint64_t which = number % (trial->scene->spec.relatives + 1);
    return which == 0 ? IMAGE_PATH : relatives[which - 1].path;
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
    at = tree_find(tree, SIBLING_PATH);
    stage->sibling_opens = at != NO_INODE && kernel_opens(&view, tree, &tree->inode[at]);
}

static void stage_clear(struct stage *stage)
{
    tree_clear(&stage->tree);
    disk_free(&stage->disk);
    for (unsigned i = 0; i < RELATIVES; i++) {
        disk_free(&stage->kin[i].disk);
    }
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
    struct kin kin[RELATIVES];
};

/* What is written down at the beginning: the disks as the images show them. */
static void kin_begin(struct past *past, const struct tree *tree, unsigned n)
{
    struct view view;
    for (unsigned i = 0; i < n; i++) {
        const struct inode *file = &tree->inode[tree_find(tree, relatives[i].path)];
        memory_require(view_as(&view, file, relatives[i].form), "an image of the family");
        past->kin[i].form = relatives[i].form;
        past->kin[i].disk.file = view_compose(&view, file, &tree->inode[tree_find(tree, BACKING_PATH)]);
    }
}

/* ... and after an action more: what past[n + 1] becomes. */
static void kin_after(struct past *past, const struct action *action, size_t n, unsigned n_kin)
{
    for (unsigned i = 0; i < n_kin; i++) {
        const struct kin *from = &past[action->verb == VERB_UNDO ? n - 1 : n].kin[i];
        const bool grows = verb_resizes(action->verb);
        past[n + 1].kin[i] = (struct kin){.disk = grows ? disk_resized(&from->disk, action->sectors * 512)
                                                        : disk_copy(&from->disk),
                                          .form = grows ? FORM_V3 : from->form};
    }
}

static void stage_set_kin(struct stage *stage, const struct past *past, unsigned n)
{
    struct view view;
    for (unsigned i = 0; i < n; i++) {
        const uint8_t at = tree_find(&stage->tree, relatives[i].path);
        stage->kin[i] = (struct kin){.disk = disk_copy(&past->kin[i].disk), .form = past->kin[i].form};
        stage->kin[i].opens = at != NO_INODE && kernel_opens(&view, &stage->tree, &stage->tree.inode[at]);
    }
}

static void past_clear(struct past *past)
{
    disk_free(&past->disk);
    for (unsigned i = 0; i < RELATIVES; i++) {
        disk_free(&past->kin[i].disk);
    }
}

static struct past past_after(const struct past *past, const struct action *action, size_t n,
                              const struct tree *tree)
{
    const struct past *now = &past[n];
    if (action->verb == VERB_UNDO) {
        return (struct past){.disk = disk_copy(&past[n - 1].disk), .form = past[n - 1].form};
    }
    if (verb_resizes(action->verb)) {
        return (struct past){.disk = action->with_fs ? disk_with_fs(&now->disk, action->sectors * 512)
                                                     : disk_resized(&now->disk, action->sectors * 512),
                             .form = FORM_V3};
    }
    if (action->verb == VERB_COMPACT_UNUSED) {
        const struct inode *backing = &tree->inode[tree_find(tree, BACKING_PATH)];
        return (struct past){.disk = disk_without_unused(&now->disk, backing), .form = FORM_V3};
    }
    const bool rewritten = verb_rewrites(action->verb) || action->verb == VERB_MERGE_IN_PLACE;
    return (struct past){.disk = disk_copy(&now->disk), .form = rewritten ? FORM_V3 : now->form};
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
    const enum verb verb = trial->action.verb;
    if (verb == VERB_EXTRACT) {
        return (struct disk){.file = filesystem_file(trial->action.file, trial->scene->spec.ext_block_bytes,
                                                     !trial->action.backing)};
    }
    if (verb == VERB_SAVE) {
        struct disk saved = {.file = {.kind = INODE_FILE}};
        inode_write(&saved.file, 0, saved_bytes(), SAVED_BYTES);
        saved.file.facts.size_bytes = SAVED_BYTES;
        return saved;
    }
    if (verb != VERB_CREATE && verb != VERB_DIFF) {
        return disk_copy(image_disk);
    }
    const struct tree *tree = &trial->before.tree;
    const char *path = verb == VERB_CREATE ? BACKING_PATH : OTHER_PATH;
    return disk_copy(&(const struct disk){.file = tree->inode[tree_find(tree, path)]});
}

/* Where the image is another file now and other names keep the old one, nothing is kept for undo. */
static bool is_undoable(const struct trial *trial)
{
    const bool replaced =
        tree_find(&trial->before.tree, IMAGE_PATH) != tree_find(&trial->after.tree, IMAGE_PATH);
    return trial->journaled && (verb_resizes(trial->action.verb) || verb_rewrites(trial->action.verb)) &&
           !(trial->scene->spec.twin && replaced);
}

static bool is_same_disk(const struct trial *trial)
{
    const struct inode *old = &trial->before.disk.file, *new = &trial->after.disk.file;
    return trial->before.target_there && trial->action.verb != VERB_DISCARD &&
           old->facts.size_bytes ==
               new->facts.size_bytes &&inode_same_bytes(old, new, 0, old->facts.size_bytes);
}

/* The one that the image names, where that is merged into; it may be a private one. */
static void find_backing(struct trial *trial, const struct tree *tree, enum form_name form)
{
    struct view view;
    snprintf(trial->backing_path, sizeof trial->backing_path, "%s", BACKING_PATH);
    if (trial->merges && view_as(&view, &tree->inode[tree_find(tree, IMAGE_PATH)], form)) {
        memccpy(trial->backing_path, view.path, '\0', sizeof trial->backing_path - 1);
    }
    trial->backing = trial->backing_path;
}

void scene_equip(const struct scene *scene, struct sim *machine)
{
    machine->can_clone = scene->can_clone;
    machine->can_insert = scene->can_insert;
    machine->no_punch = scene->no_punch;
    machine->block_bytes = scene->block_bytes;
    machine->size_order = scene->size_order;
    machine->capacity_bytes = scene->capacity_bytes;
    machine->room_comes_late = scene->room_comes_late;
}

void trial_begin(struct trial *trial, const struct scene *scene)
{
    struct tree tree;
    struct past past[SCENE_ACTIONS + 1];
    size_t n;
    const unsigned n_kin = scene->spec.relatives;
    memset(trial, 0, sizeof *trial);
    trial->scene = scene;
    trial->action = *last_action(scene, &n);
    trial->target = trial->action.elsewhere ? OUTPUT_PATH : IMAGE_PATH;
    trial->raw = trial->action.verb == VERB_MERGE || trial->action.verb == VERB_EXTRACT ||
                 trial->action.verb == VERB_SAVE;
    trial->merges = trial->action.verb == VERB_MERGE_IN_PLACE;
    trial->journaled = !trial->action.elsewhere && trial->action.verb != VERB_DISCARD;
    past[0] = (struct past){.disk = model_build(&tree, &scene->spec), .form = scene->spec.form};
    kin_begin(&past[0], &tree, n_kin);
    sim_boot(&trial->sim, &tree);
    scene_equip(scene, &trial->sim);
    for (size_t i = 0; i < n; i++) {
        past[i + 1] = past_after(past, &scene->action[i], i, &trial->sim.live);
        kin_after(past, &scene->action[i], i, n_kin);
        if (i + 1 < n) {
            must_work(trial, &scene->action[i]);
            trial->sim.clock_ns += UINT64_C(3600000000000);
            sim_settle(&trial->sim);
        }
    }
    stage_set(&trial->before, &trial->sim.live, &past[n - 1].disk, past[n - 1].form, trial->target);
    stage_set_kin(&trial->before, &past[n - 1], n_kin);
    find_backing(trial, &trial->before.tree, past[n - 1].form);
    must_work(trial, &trial->action);
    struct disk disk = target_disk(trial, &past[n].disk);
    tree_copy(&tree, &trial->sim.live);
    tree_settle(&tree);
    stage_set(&trial->after, &tree, &disk, trial->action.elsewhere ? FORM_V3 : past[n].form, trial->target);
    stage_set_kin(&trial->after, &past[n], n_kin);
    trial->undoable = is_undoable(trial);
    trial->same_disk = is_same_disk(trial);
    tree_clear(&tree);
    disk_free(&disk);
    for (size_t i = 0; i <= n; i++) {
        past_clear(&past[i]);
    }
    judge_trial(trial);
}

void trial_end(struct trial *trial)
{
    stage_clear(&trial->before);
    stage_clear(&trial->after);
    sim_free(&trial->sim);
}
