/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See world.h.
 */
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

enum { PATH_BYTES = 2 * TREE_NAME_BYTES, CALLS_MAX = 400000 };

static const char *image_of(const struct action *action)
{
    return action->image != NULL ? action->image : IMAGE_PATH;
}

static const struct inode *file_at(const struct tree *tree, const char *path)
{
    uint8_t at = tree_find(tree, path);
    return at == NO_INODE || tree->inode[at].kind != INODE_FILE ? NULL : &tree->inode[at];
}

/* ---- what images show ---- */

/* As an image without the mark. */
static bool view_of(struct view *out, const struct inode *file)
{
    for (int form = 0; form < FORMS; form++) {
        if (view_as(out, file, (enum form_name)form) && !out->marked) {
            return true;
        }
    }
    return false;
}

/* What a file shows, if it is an image, is not marked, and its backing file is there; dates do not count. */
static bool shown(struct disk *out, const struct tree *tree, const struct inode *file)
{
    struct view view;
    if (file == NULL || !view_of(&view, file)) {
        return false;
    }
    const struct inode *backing = view.path[0] == '\0' ? NULL : file_at(tree, view.path);
    if (view.path[0] != '\0' && backing == NULL) {
        return false;
    }
    out->file = view_compose(&view, file, backing);
    return true;
}

static bool same_disk(const struct disk *a, const struct disk *b)
{
    const uint64_t size = a->file.facts.size_bytes;
    return size == b->file.facts.size_bytes && inode_same_bytes(&a->file, &b->file, 0, size);
}

static bool is_allowed(const struct world *w, const struct disk *disk)
{
    for (unsigned i = 0; i < w->n_disks; i++) {
        if (same_disk(disk, &w->disk[i])) {
            return true;
        }
    }
    return false;
}

/* Another image's. */
static bool is_known(const struct world *w, const struct tree *tree, const struct inode *file,
                     const struct disk *disk)
{
    const size_t at = (size_t)(file - tree->inode);
    return w->has_known[at] && same_disk(disk, &w->known[at]);
}

void world_allow(struct world *w, struct disk disk)
{
    if (is_allowed(w, &disk)) {
        disk_free(&disk);
        return;
    }
    memory_require(w->n_disks < WORLD_DISKS, "too many disks of one image");
    w->disk[w->n_disks++] = disk;
}

/* By name: copies of the image, its second name, and what is kept beside it, are the image. */
static bool is_trials(const char *name)
{
    return strstr(name, "x.cow") != NULL || strcmp(name, "twin.cow") == 0 || strncmp(name, "backup", 6) == 0;
}

/* also_refused: whatever a kernel says to their dates. */
static void learn(struct world *w, bool also_refused)
{
    struct view view;
    for (unsigned i = 0; i < TREE_INODES; i++) {
        if (w->has_known[i] && w->tree.inode[i].kind == INODE_FREE) {
            w->has_known[i] = false;
            disk_free(&w->known[i]);
        }
    }
    for (unsigned i = 0; i < w->tree.n_entries; i++) {
        const uint8_t at = w->tree.entry[i].target;
        const struct inode *file = &w->tree.inode[at];
        if (file->kind == INODE_FILE && !is_trials(w->tree.entry[i].name) && !w->has_known[at] &&
            (also_refused || kernel_opens(&view, &w->tree, file))) {
            w->has_known[at] = shown(&w->known[at], &w->tree, file);
        }
    }
}

void world_learn(struct world *w)
{
    learn(w, false);
}

void world_learn_anew(struct world *w)
{
    for (unsigned i = 0; i < TREE_INODES; i++) {
        if (w->has_known[i]) {
            w->has_known[i] = false;
            disk_free(&w->known[i]);
        }
    }
    learn(w, true);
}

/* ---- worlds ---- */

/* Does the trial's change, while it is interrupted, concern the backing file? */
static bool trial_writes(const struct trial *trial)
{
    const struct action *action = trial->scene->action;
    unsigned n = 0;
    while (n + 1 < SCENE_ACTIONS && action[n + 1].verb != VERB_NONE) {
        n++;
    }
    return trial->merges || action[n].verb == VERB_EXTEND ||
           (n > 0 && action[n].verb == VERB_UNDO && action[n - 1].verb == VERB_EXTEND);
}

void world_begin(struct world *w, struct run *run, struct tree *files, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->run = run;
    w->trial = run->trial;
    w->rng.state = seed;
    w->image = IMAGE_PATH;
    w->trial_writes = trial_writes(w->trial);
    w->foreign_journal = w->foreign_undo = NO_INODE;
    tree_copy(&w->tree, &w->trial->before.tree);
    learn(w, true);
    tree_clear(&w->tree);
    w->tree = *files;
    memset(files, 0, sizeof *files);
    world_allow(w, disk_copy(&w->trial->before.disk));
    world_allow(w, disk_copy(&w->trial->after.disk));
    world_learn(w);
}

void world_end(struct world *w)
{
    tree_clear(&w->tree);
    for (unsigned i = 0; i < w->n_disks; i++) {
        disk_free(&w->disk[i]);
    }
    for (unsigned i = 0; i < TREE_INODES; i++) {
        if (w->has_known[i]) {
            disk_free(&w->known[i]);
        }
    }
}

void world_tell(struct world *w, const char *format, ...)
{
    const size_t length = strlen(w->story);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->story + length, sizeof w->story - length, format, arguments);
    va_end(arguments);
}

/* ---- judging ---- */

static bool judge(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool judge(struct world *w, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    run_violation(w->run, "%s: %s", w->story, text);
    return false;
}

static bool merges(const struct world *w, enum verb verb)
{
    return verb == VERB_MERGE_IN_PLACE || (verb == VERB_RECOVER && w->trial->merges);
}

/* Does the command write into a backing file? */
static bool writes_backing(const struct world *w, enum verb verb)
{
    const enum verb tried = w->trial->action.verb;
    const enum verb first = w->trial->scene->action[0].verb;
    const bool goes_back = verb == VERB_UNDO || verb == VERB_RECOVER;
    return verb == VERB_EXTEND || merges(w, verb) ||
           (goes_back && (w->extended != NULL || tried == VERB_EXTEND || first == VERB_EXTEND ||
                          w->trial->scene->action[1].verb == VERB_EXTEND));
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t length = strlen(text), n = strlen(suffix);
    return length >= n && strcmp(text + length - n, suffix) == 0;
}

static uint8_t beside(const struct tree *tree, const struct action *action, const char *what)
{
    char path[PATH_BYTES];
    const char *image = image_of(action), *name = strrchr(image, '/') + 1;
    snprintf(path, sizeof path, "%.*s.%s.cowtui-%s", (int)(name - image), image, name, what);
    return tree_find(tree, path);
}

/* Whether a command on an image has anything to do with a path. */
static bool is_concerned(const struct world *w, const struct tree *before, const struct action *action,
                         const char *path)
{
    struct view view;
    char directory[PATH_BYTES], own[2 * PATH_BYTES];
    const char *image = image_of(action);
    const char *name = strrchr(image, '/') + 1;
    const bool goes_back = action->verb == VERB_UNDO || action->verb == VERB_RECOVER;
    const bool home = strcmp(image, IMAGE_PATH) == 0;
    if (action->verb == VERB_CHECK) {
        return false;
    }
    snprintf(directory, sizeof directory, "%.*s", (int)(name - image), image);
    if (has_prefix(path, directory)) {
        const char *rest = path + strlen(directory);
        snprintf(own, sizeof own, ".%s.", name);
        if (strcmp(rest, name) == 0 || has_prefix(rest, own) || has_prefix(rest, own + 1)) {
            return true;
        }
    }
    if (home && strstr(path, "far.backing") != NULL) {
        return true;
    }
    if (!writes_backing(w, action->verb)) {
        return false;
    }
    const bool regrown = w->extended != NULL && strcmp(w->extended, image) == 0;
    if (goes_back && !regrown) {
        snprintf(own, sizeof own, "%sback.img", directory);
        return home ? strcmp(path, w->trial->backing) == 0
                    : w->trial->scene->spec.beside && !w->copied && strcmp(path, own) == 0;
    }
    const struct inode *file = file_at(before, image);
    return (regrown && strcmp(path, w->trial->backing) == 0) ||
           (file != NULL && view_of(&view, file) && strcmp(view.path, path) == 0);
}

/* A second name of a file that the command is concerned with shows what the first does. (What becomes of a
 * disk under such a name is judged apart.) */
static bool is_second_name(const struct world *w, const struct action *action, const char *path)
{
    const uint8_t at = tree_find(&w->tree, path);
    for (unsigned i = 0; at != NO_INODE && i < w->tree.n_entries; i++) {
        char other[PATH_BYTES];
        tree_path_of(&w->tree, &w->tree.entry[i], other);
        if (w->tree.entry[i].target == at && is_concerned(w, &w->tree, action, other)) {
            return !w->copied || w->has_own_record ||
                   (action->verb != VERB_RECOVER && action->verb != VERB_UNDO);
        }
    }
    return false;
}

static bool same_file_entry(const struct tree *a, uint8_t at, const struct tree *b, uint8_t other)
{
    const struct inode *x = &a->inode[at], *y = &b->inode[other];
    return at == other && x->kind == y->kind && x->number == y->number && facts_same(&x->facts, &y->facts) &&
           (x->kind == INODE_DIRECTORY || inode_same_bytes(x, y, 0, x->facts.size_bytes));
}

/* Drafts of a change that never began: whoever comes next removes them, even if it is refused then. */
static bool is_left_over(const struct world *w, const struct tree *a, const char *path, uint8_t other)
{
    static const struct action trials = {.verb = VERB_RECOVER};
    return a == &w->tree && other == NO_INODE && has_suffix(path, "-new") &&
           strstr(path, ".cowtui-") != NULL && beside(a, &trials, "journal") == NO_INODE;
}

/* Names that are in one tree and differ in the other, and that the command has nothing to do with. */
static bool check_one_way(struct world *w, const struct tree *a, const struct tree *b,
                          const struct action *action, int status, const struct cow_error *err)
{
    for (unsigned i = 0; i < a->n_entries; i++) {
        char path[PATH_BYTES];
        tree_path_of(a, &a->entry[i], path);
        const uint8_t other = tree_find(b, path);
        const bool same = other != NO_INODE && same_file_entry(a, a->entry[i].target, b, other);
        if (!same && status != 0 && is_left_over(w, a, path, other)) {
            continue;
        }
        if (!same &&
            (status != 0 || !(is_concerned(w, &w->tree, action, path) || is_second_name(w, action, path)))) {
            return judge(w, "%s%s, and %s %s",
                         status == 0 ? "it answers 0" : "it refuses: ", status == 0 ? "" : err->message, path,
                         tree_find(&w->tree, path) == NO_INODE ? "is made"
                         : a == &w->tree && other == NO_INODE  ? "is gone"
                                                               : "has changed");
        }
    }
    return true;
}

static bool check_frame(struct world *w, const struct tree *after, const struct action *action, int status,
                        const struct cow_error *err)
{
    return check_one_way(w, &w->tree, after, action, status, err) &&
           check_one_way(w, after, &w->tree, action, status, err);
}

/* Of a file that is longer or shorter now: what both have is the same, what is new is zeros. */
static bool check_backing(struct world *w, const struct tree *after, const struct action *action)
{
    if (!writes_backing(w, action->verb) || merges(w, action->verb)) {
        return true;
    }
    for (unsigned i = 0; i < w->tree.n_entries; i++) {
        const struct entry *entry = &w->tree.entry[i];
        if (strcmp(entry->name, "back.img") != 0) {
            continue;
        }
        const struct inode *old = &w->tree.inode[entry->target];
        const uint8_t at = tree_lookup(after, entry->directory, entry->name);
        const struct inode *now = at == NO_INODE ? NULL : &after->inode[at];
        const uint64_t was = old->facts.size_bytes;
        if (now == NULL || at != entry->target) {
            return judge(w, "the backing file is another one now");
        }
        const uint64_t kept = was < now->facts.size_bytes ? was : now->facts.size_bytes;
        if (!inode_same_bytes(old, now, 0, kept) || !inode_zero(now, kept, now->facts.size_bytes) ||
            !inode_zero(old, kept, was)) {
            return judge(w, "bytes of the backing file are lost");
        }
    }
    return true;
}

/* A private backing file goes with the change that made it, unless somebody has written to it since. */
static bool check_private(struct world *w, const struct tree *after)
{
    const struct tree *const made[] = {&w->trial->before.tree, &w->trial->after.tree};
    for (unsigned i = 0; i < w->tree.n_entries; i++) {
        char path[PATH_BYTES];
        const struct inode *old = &w->tree.inode[w->tree.entry[i].target];
        tree_path_of(&w->tree, &w->tree.entry[i], path);
        if (!has_suffix(path, ".backing") || tree_find(after, path) != NO_INODE) {
            continue;
        }
        bool is_as_made = false;
        for (unsigned m = 0; m < 2; m++) {
            const uint8_t at = tree_lookup(made[m], w->tree.entry[i].directory, w->tree.entry[i].name);
            /* What was planned in between may have taken a number: then the bytes tell. */
            const struct inode *own = at != NO_INODE ? &made[m]->inode[at] : NULL;
            is_as_made |=
                own != NULL && facts_same(&old->facts, &own->facts) &&
                (old->number == own->number || inode_same_bytes(old, own, 0, old->facts.size_bytes));
        }
        if (!is_as_made && !w->changed) {
            return judge(w, "%s is gone, and it is not as the change has made it", path);
        }
    }
    return true;
}

/* Other images are looked for beside the image and beside its backing file only. */
static bool is_out_of_sight(const struct action *action, const char *path)
{
    const char *image = image_of(action);
    return !has_prefix(path, "/base/") &&
           strncmp(path, image, (size_t)(strrchr(image, '/') + 1 - image)) != 0;
}

/* The disk that an image showed is still there. */
static bool check_image(struct world *w, const struct tree *after, const struct action *action,
                        const struct entry *entry)
{
    char path[PATH_BYTES];
    struct disk was, is;
    struct view view;
    const struct inode *old = &w->tree.inode[entry->target];
    tree_path_of(&w->tree, entry, path);
    if (old->kind != INODE_FILE || strstr(entry->name, ".cowtui-") != NULL || !shown(&was, &w->tree, old)) {
        return true;
    }
    const struct inode *now = file_at(after, path);
    const bool acted_on =
        strcmp(path, image_of(action)) == 0 || (now != NULL && now == file_at(after, image_of(action)));
    bool good = true;
    if (!shown(&is, after, now)) {
        good = is_out_of_sight(action, path) || judge(w, "%s showed a disk, and shows none any more", path);
    } else {
        good = same_disk(&was, &is) || (acted_on && w->forged) || /* nothing could tell */
               (acted_on && (is_trials(entry->name) ? is_allowed(w, &is) : is_known(w, after, now, &is))) ||
               (!acted_on && merges(w, action->verb) &&
                (is_out_of_sight(action, path) || !kernel_opens(&view, after, now))) ||
               judge(w, "%s shows another disk than before", path);
        disk_free(&is);
    }
    disk_free(&was);
    return good;
}

/* What a kernel opens now. */
static bool check_opened(struct world *w, const struct tree *after, const struct entry *entry)
{
    struct disk is, was;
    struct view view;
    const struct inode *file = &after->inode[entry->target], *old = &w->tree.inode[entry->target];
    if (file->kind != INODE_FILE || !kernel_opens(&view, after, file) || !shown(&is, after, file)) {
        return true;
    }
    bool good = is_trials(entry->name) ? is_allowed(w, &is) : is_known(w, after, file, &is);
    if (!good && old->kind == INODE_FILE && kernel_opens(&view, &w->tree, old) &&
        shown(&was, &w->tree, old)) {
        good = same_disk(&was, &is); /* so it was before: not this command's doing */
        disk_free(&was);
    }
    disk_free(&is);
    return good || judge(w, "a kernel opens %s now, and it is no disk that it has shown", entry->name);
}

/* ---- success is told only when it is true ---- */

static bool is_foreign(const struct world *w, const struct action *action, const char *what, uint8_t foreign)
{
    return foreign != NO_INODE && beside(&w->tree, action, what) == foreign;
}

/* The disk that a command that has succeeded must have led to. False: nothing is known about that. */
static bool expected(struct disk *out, const struct world *w, const struct action *action,
                     const struct disk *was)
{
    const bool trials = is_trials(image_of(action));
    if (verb_resizes(action->verb)) {
        *out = disk_resized(was, action->sectors * 512);
        return true;
    }
    if (action->verb == VERB_UNDO && trials && !w->changed && w->trial->undoable &&
        same_disk(was, &w->trial->after.disk)) {
        *out = disk_copy(&w->trial->before.disk);
        return true;
    }
    if (action->verb == VERB_UNDO || action->verb == VERB_RECOVER) {
        return false;
    }
    *out = disk_copy(was);
    return true;
}

/* A change that moves data has a journal of another name. */
static const char *journal_name(const struct tree *tree, const struct action *action)
{
    return beside(tree, action, "move") != NO_INODE ? "move" : "journal";
}

static bool check_success(struct world *w, const struct tree *after, const struct action *action)
{
    struct disk was, is, want;
    const bool trials = is_trials(image_of(action));
    if (action->verb == VERB_RECOVER && beside(after, action, journal_name(&w->tree, action)) != NO_INODE) {
        return judge(w, "recover answers 0, and the journal is still there");
    }
    struct view view;
    const uint8_t image = tree_find(after, image_of(action));
    if (action->verb == VERB_RECOVER && w->trial->merges && w->trial->after.opens && image != NO_INODE &&
        image != tree_find(&w->tree, image_of(action)) && !kernel_opens(&view, after, &after->inode[image]) &&
        tree_find(after, view.path) != NO_INODE) { /* else the directory was moved, and it has moved along */
        return judge(w, "recover answers 0, the merge is done, and a kernel refuses the image");
    }
    if (trials && ((action->verb == VERB_RECOVER && is_foreign(w, action, "journal", w->foreign_journal)) ||
                   (action->verb == VERB_UNDO && is_foreign(w, action, "undo", w->foreign_undo)))) {
        return judge(w, "what is not to be obeyed is obeyed");
    }
    if (action->verb == VERB_CHECK) {
        return true;
    }
    if (!shown(&was, &w->tree, file_at(&w->tree, image_of(action)))) {
        if (trials &&
            shown(&is, after, file_at(after, image_of(action)))) { /* it has its backing file again */
            world_allow(w, is);
        }
        return true;
    }
    bool good = true;
    if (!shown(&is, after, file_at(after, image_of(action)))) {
        disk_free(&was);
        return judge(w, "it answers 0, and the image shows no disk");
    }
    if (expected(&want, w, action, &was)) {
        good = same_disk(&is, &want) || w->forged ||
               judge(w, "it answers 0, and the disk is not the one that was asked for");
        disk_free(&want);
    }
    /* Recovery leads to a disk that is known; else whatever it makes would be right. */
    if (good && trials && action->verb != VERB_RECOVER) {
        world_allow(w, is);
    } else {
        const uint8_t at = tree_find(after, image_of(action));
        if (good && !trials && at != NO_INODE) {
            if (w->has_known[at]) {
                disk_free(&w->known[at]);
            }
            w->known[at] = disk_copy(&is);
            w->has_known[at] = true;
        }
        disk_free(&is);
    }
    disk_free(&was);
    return good;
}

/* While a change of the trial's image waits, and it concerns the backing file, that is left alone. */
static bool check_pending(struct world *w, const struct tree *after, const struct action *action)
{
    struct view view;
    static const struct action trials = {.verb = VERB_RECOVER};
    const struct inode *file = file_at(&w->tree, image_of(action));
    const bool touches =
        action->verb == VERB_EXTEND || action->verb == VERB_MERGE_IN_PLACE || action->verb == VERB_RESTAMP;
    const uint8_t journal = beside(&w->tree, &trials, journal_name(&w->tree, &trials));
    const bool waits = journal != NO_INODE && journal != w->foreign_journal && w->trial_writes;
    return !touches || !waits || tree_same(&w->tree, after) || is_trials(image_of(action)) || file == NULL ||
           !view_as(&view, file, FORM_V3) || strcmp(view.path, w->trial->backing) != 0 ||
           judge(w, "it answers 0 while a change of %s waits for recovery", IMAGE_PATH);
}

static bool check_all(struct world *w, const struct action *action, int status, const struct cow_error *err,
                      const struct tree *after)
{
    bool good = check_frame(w, after, action, status, err);
    const bool is_own_error = err->sys_errno == EBUSY || err->sys_errno == EEXIST ||
                              err->sys_errno == ESTALE || err->sys_errno == EINVAL;
    if (good && status != 0 && is_own_error) { /* no system has said that: it was found too late */
        return judge(w, "it refuses without words of its own: %s", err->message);
    }
    if (status != 0) {
        return good && (err->message[0] != '\0' || judge(w, "it answers %d without a word", status));
    }
    good = good && check_pending(w, after, action) && check_backing(w, after, action) &&
           check_private(w, after) && check_success(w, after, action);
    for (unsigned i = 0; good && i < w->tree.n_entries; i++) {
        good = check_image(w, after, action, &w->tree.entry[i]);
    }
    const bool declared =
        action->verb == VERB_RESTAMP || w->restamped || w->forged; /* its user says that it is right */
    for (unsigned i = 0; good && !declared && i < after->n_entries; i++) {
        good = check_opened(w, after, &after->entry[i]);
    }
    w->restamped = declared;
    return good;
}

bool world_judge(struct world *w, const struct action *action, int status, const struct cow_error *err,
                 struct tree *after)
{
    w->last_status = status;
    w->done += status == 0;
    w->refused += status != 0;
    const bool good = check_all(w, action, status, err, after);
    if (w->run->verbose) {
        printf("  %s: %d %s\n", w->story, status, status != 0 ? err->message : "");
    }
    tree_clear(&w->tree);
    w->tree = *after;
    memset(after, 0, sizeof *after);
    tree_settle(&w->tree);
    if (status == 0) {
        if (action->verb == VERB_EXTEND && is_trials(image_of(action))) {
            w->extended = image_of(action);
        }
        w->changed |=
            is_trials(image_of(action)) && action->verb != VERB_CHECK && action->verb != VERB_RECOVER;
        w->has_own_record |= w->copied && is_trials(image_of(action)) && action->verb != VERB_CHECK &&
                             action->verb != VERB_RECOVER && action->verb != VERB_UNDO;
        world_learn(w);
    }
    return good;
}

void world_boot(const struct world *w, struct sim *machine)
{
    struct tree files;
    tree_copy(&files, &w->tree);
    sim_boot(machine, &files);
    scene_equip(w->trial->scene, machine);
    machine->caller = w->caller;
    machine->clock_ns -= w->clock_back_ns;
    machine->reuses_numbers = true;
    machine->calls_max = CALLS_MAX;
}

bool world_do(struct world *w, const struct action *action)
{
    struct sim machine;
    struct cow_error err;
    struct tree after;
    world_boot(w, &machine);
    int status = action_run_promised(&machine, action, &err);
    bool good = sim_open_files(&machine) == 0 || judge(w, "files are still open");
    tree_copy(&after, &machine.live);
    sim_free(&machine);
    return world_judge(w, action, status, &err, &after) && good;
}
