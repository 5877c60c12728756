/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See actors.h. An actor changes files as a person or another program would, or gives a command to ours.
 */
#include "actors.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"

#define JOURNAL_PATH "/img/.x.cow.cowtui-journal"
#define UNDO_PATH    "/img/.x.cow.cowtui-undo"
#define NEW_PATH     "/img/.x.cow.cowtui-new"
#define PRIVATE_PATH "/img/x.cow.backing"
#define GUEST_PATH   "/img/y.cow" /* another image that somebody makes */

enum { PATH_BYTES = 2 * TREE_NAME_BYTES };

static struct inode *file_at(struct world *w, const char *path)
{
    uint8_t at = tree_find(&w->tree, path);
    return at == NO_INODE ? NULL : &w->tree.inode[at];
}

/* Later than anything that a file is dated. */
static struct timespec now(const struct world *w)
{
    int64_t latest = 1700000000;
    for (unsigned i = 0; i < TREE_INODES; i++) {
        const struct inode *inode = &w->tree.inode[i];
        latest = inode->kind == INODE_FILE && inode->facts.mtime.tv_sec > latest ? inode->facts.mtime.tv_sec
                                                                                 : latest;
    }
    return (struct timespec){.tv_sec = (time_t)(latest + 40), .tv_nsec = 8000000};
}

static void date(const struct world *w, struct inode *inode, struct timespec when)
{
    inode->facts.mtime = sim_kept_date(&w->tree, inode, when);
}

static const char *private_path(struct world *w)
{
    static const char *const paths[] = {PRIVATE_PATH, AWAY_PATH};
    for (unsigned i = 0; i < 2; i++) {
        if (file_at(w, paths[i]) != NULL) {
            return paths[i];
        }
    }
    return NULL;
}

static const char *one_of(struct world *w, const char *const *paths, unsigned n)
{
    const char *there[16];
    unsigned n_there = 0;
    for (unsigned i = 0; i < n; i++) {
        if (file_at(w, paths[i]) != NULL) {
            there[n_there++] = paths[i];
        }
    }
    return n_there == 0 ? NULL : there[rng_below(&w->rng, n_there)];
}

/* A copy under another name, with another number; owner, mode and date as they were. */
static uint8_t copy_file(struct world *w, const struct inode *from, const char *path)
{
    const char *name;
    const struct facts facts = from->facts;
    uint8_t directory = tree_find_directory(&w->tree, path, &name);
    uint8_t at = tree_make(&w->tree, from->kind, facts.mode);
    inode_share(&w->tree.inode[at], from);
    w->tree.inode[at].facts = facts;
    w->tree.inode[at].device = w->tree.inode[directory].device;
    tree_set_entry(&w->tree, directory, name, at);
    return at;
}

static void noise(struct world *w, struct inode *inode, uint64_t offset, size_t n_bytes)
{
    uint8_t bytes[4096];
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&w->rng);
    }
    inode_write(inode, offset, bytes, n_bytes);
    inode->facts.size_bytes =
        inode->facts.size_bytes > offset + n_bytes ? inode->facts.size_bytes : offset + n_bytes;
}

static void remove_name(struct world *w, const char *path)
{
    const char *name;
    uint8_t directory = tree_find_directory(&w->tree, path, &name);
    tree_set_entry(&w->tree, directory, name, NO_INODE);
    tree_settle(&w->tree);
}

/* ---- a guest, and other images ---- */

static bool guest_uses(struct world *w, const struct templates *t)
{
    struct guest guest;
    (void)t;
    if (w->trial->action.elsewhere || strcmp(w->image, IMAGE_PATH) != 0 ||
        !guest_runs(&guest, w->trial, &w->tree, rng_next(&w->rng))) {
        return false;
    }
    struct inode *image = file_at(w, IMAGE_PATH);
    date(w, image, image->facts.mtime);
    world_allow(w, guest.old);
    world_allow(w, guest.new);
    return true;
}

static bool add_image(struct world *w, const char *backing)
{
    if (backing == NULL || file_at(w, GUEST_PATH) != NULL ||
        !model_add_image(&w->tree, GUEST_PATH, backing, (unsigned)rng_below(&w->rng, 1000))) {
        return false;
    }
    world_learn(w);
    return true;
}

static bool image_on_base(struct world *w, const struct templates *t)
{
    (void)t;
    return add_image(w, BACKING_PATH);
}

static bool image_on_copy(struct world *w, const struct templates *t)
{
    (void)t;
    return add_image(w, private_path(w));
}

static bool command(struct world *w, const struct action *action)
{
    world_do(w, action); /* it tells of violations itself */
    world_tell(w, "(%d)", w->last_status);
    return true;
}

static const char *another_image(struct world *w)
{
    static const char *const paths[] = {SIBLING_PATH, GUEST_PATH};
    const char *path = one_of(w, paths, 2);
    return path == NULL && image_on_base(w, NULL) ? GUEST_PATH : path;
}

static bool other_merges(struct world *w, const struct templates *t)
{
    const char *image = another_image(w);
    (void)t;
    return image != NULL && command(w, &(struct action){.verb = VERB_MERGE_IN_PLACE, .image = image});
}

static bool other_grows(struct world *w, const struct templates *t)
{
    const char *image = another_image(w);
    (void)t;
    return image != NULL && command(w, &(struct action){.verb = VERB_EXTEND, .sectors = 352, .image = image});
}

static bool other_restamps(struct world *w, const struct templates *t)
{
    const char *image = another_image(w);
    (void)t;
    return image != NULL && command(w, &(struct action){.verb = VERB_RESTAMP, .image = image});
}

static bool other_rebases(struct world *w, const struct templates *t)
{
    const char *const paths[] = {PRIVATE_PATH, AWAY_PATH, OTHER_PATH, BACKING_PATH};
    const char *image = another_image(w), *to = one_of(w, paths, 4);
    (void)t;
    return image != NULL && to != NULL &&
           command(w, &(struct action){.verb = VERB_REBASE_SAFE, .image = image, .other = to});
}

static bool own_command(struct world *w, const struct templates *t)
{
    static const enum verb verbs[] = {VERB_RECOVER, VERB_UNDO, VERB_DISCARD, VERB_CHECK};
    (void)t;
    return command(w, &(struct action){.verb = verbs[rng_below(&w->rng, 4)], .image = w->image});
}

/* ---- the base, and the private copy ---- */

static bool base_touched(struct world *w, const struct templates *t)
{
    struct inode *base = file_at(w, w->trial->backing);
    (void)t;
    if (base == NULL) {
        return false;
    }
    const uint64_t how = rng_below(&w->rng, 3);
    struct timespec when = how == 0 ? now(w) : base->facts.mtime;
    when.tv_sec += how == 1 ? 1 : how == 2 ? -100 : 0;
    date(w, base, when);
    return true;
}

static bool base_written(struct world *w, const struct templates *t)
{
    struct inode *base = file_at(w, w->trial->backing);
    (void)t;
    if (base == NULL || base->facts.size_bytes < 8192) {
        return false;
    }
    noise(w, base, rng_below(&w->rng, base->facts.size_bytes / 512) * 512, 512);
    date(w, base, now(w));
    return true;
}

static bool base_resized(struct world *w, const struct templates *t)
{
    struct inode *base = file_at(w, w->trial->backing);
    (void)t;
    if (base == NULL) {
        return false;
    }
    const uint64_t sizes[] = {base->facts.size_bytes - 8192, base->facts.size_bytes + 4096, 0};
    base->facts.size_bytes = sizes[rng_below(&w->rng, 3)];
    inode_cut(base, base->facts.size_bytes);
    if (rng_below(&w->rng, 2) == 0) { /* else its date is put back, too */
        date(w, base, now(w));
    }
    return true;
}

/* By a file of the same size and date, or of another. */
static bool base_replaced(struct world *w, const struct templates *t)
{
    const char *path = w->trial->backing;
    struct inode *base = file_at(w, path);
    (void)t;
    if (base == NULL) {
        return false;
    }
    const uint64_t how = rng_below(&w->rng, 4);
    const uint8_t was = tree_find(&w->trial->before.tree, path);
    const bool has_seconds = base->facts.mtime.tv_nsec == 0 || w->tree.device[base->device].granule_s != 0;
    /* The change has just given it a date, which is taken for its own: then its number has to tell. */
    const bool was_dated =
        was == NO_INODE || base->facts.mtime.tv_sec != w->trial->before.tree.inode[was].facts.mtime.tv_sec;
    struct inode *other = &w->tree.inode[copy_file(w, base, path)];
    if (how != 3) { /* else it was restored from a backup */
        noise(w, other, 1024, 3000);
        other->facts.size_bytes = base->facts.size_bytes + (how == 1 ? 512 : 0);
    }
    if (how == 2) {
        date(w, other, now(w));
    } else if (how == 0 && !was_dated && (rng_below(&w->rng, 2) == 0 || has_seconds)) {
        w->forged = true;
    } else if (how == 0 && !was_dated) { /* the same second, as an archive keeps it */
        other->facts.mtime.tv_nsec = 0;
        world_learn_anew(w);
    }
    tree_settle(&w->tree);
    world_tell(w, "%llu", (unsigned long long)how);
    return true;
}

static bool base_gone(struct world *w, const struct templates *t)
{
    (void)t;
    if (file_at(w, w->trial->backing) == NULL) {
        return false;
    }
    remove_name(w, w->trial->backing);
    return true;
}

static bool copy_touched(struct world *w, const struct templates *t)
{
    const char *path = private_path(w);
    (void)t;
    if (path == NULL) {
        return false;
    }
    struct inode *copy = file_at(w, path);
    switch (rng_below(&w->rng, 3)) {
    case 0:
        remove_name(w, path);
        return true;
    case 1:
        noise(w, copy, 512, 512);
        break;
    default:
        break;
    }
    date(w, copy, now(w));
    return true;
}

/* ---- links, copies, other numbers ---- */

static bool linked(struct world *w, const struct templates *t)
{
    const char *const paths[] = {IMAGE_PATH, UNDO_PATH, JOURNAL_PATH, NEW_PATH, BACKING_PATH};
    const char *path = one_of(w, paths, 5);
    char name[TREE_NAME_BYTES];
    (void)t;
    if (path == NULL || file_at(w, path)->kind != INODE_FILE || w->tree.n_entries + 4 > TREE_ENTRIES) {
        return false;
    }
    snprintf(name, sizeof name, "%s-%u", strcmp(path, BACKING_PATH) == 0 ? "link" : "backup",
             w->tree.n_entries);
    tree_set_entry(&w->tree, tree_find(&w->tree, "/out"), name, tree_find(&w->tree, path));
    if (strcmp(path, JOURNAL_PATH) == 0) {
        w->foreign_journal = tree_find(&w->tree, path);
    }
    world_tell(w, " %s", path);
    return true;
}

enum copying { COPY_NEW_NUMBERS, COPY_DEVICE, COPY_LINKS };

/* cp -a, a snapshot, cp -al: of all that lies in the image's directory. */
static bool copied(struct world *w, const struct templates *t)
{
    const enum copying how = (enum copying)rng_below(&w->rng, 3);
    const unsigned n = w->tree.n_entries;
    uint8_t from = tree_find(&w->tree, "/img");
    (void)t;
    if (from == NO_INODE || tree_find(&w->tree, "/copy") != NO_INODE || n > TREE_ENTRIES / 2 - 4) {
        return false;
    }
    uint8_t to = tree_make(&w->tree, INODE_DIRECTORY, 0755);
    tree_set_entry(&w->tree, TREE_ROOT, "copy", to);
    if (how == COPY_DEVICE) {
        w->tree.inode[to].device = 2;
        w->tree.device[2] = w->tree.device[0];
        w->tree.device[2].other_id = (uint8_t)rng_below(&w->rng, 2);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct entry entry = w->tree.entry[i];
        char path[PATH_BYTES];
        if (entry.directory != from) {
            continue;
        }
        if (how == COPY_LINKS && w->tree.inode[entry.target].kind == INODE_FILE) {
            tree_set_entry(&w->tree, to, entry.name, entry.target);
            continue;
        }
        snprintf(path, sizeof path, "/copy/%s", entry.name);
        uint8_t at = copy_file(w, &w->tree.inode[entry.target], path);
        if (w->has_known[entry.target] && !w->has_known[at]) {
            w->has_known[at] = true;
            w->known[at] = disk_copy(&w->known[entry.target]);
        }
        if (how == COPY_DEVICE) {
            w->tree.inode[at].number = w->tree.inode[entry.target].number;
        }
    }
    if (how == COPY_LINKS) { /* a record with two names may be the other's */
        w->foreign_journal = tree_find(&w->tree, JOURNAL_PATH);
    }
    if (rng_below(&w->rng, 3) != 0) {
        w->image = "/copy/x.cow";
        w->copied = true;
    }
    world_learn(w);
    world_tell(w, "%d%s", (int)how, w->copied ? " and used" : "");
    return true;
}

static bool moved(struct world *w, const struct templates *t)
{
    uint8_t directory = tree_find(&w->tree, "/img");
    (void)t;
    if (strcmp(w->image, IMAGE_PATH) != 0 || directory == NO_INODE) {
        return false;
    }
    tree_set_entry(&w->tree, TREE_ROOT, "moved", directory);
    tree_set_entry(&w->tree, TREE_ROOT, "img", NO_INODE);
    w->image = "/moved/x.cow";
    world_learn(w);
    return true;
}

/* A backup of the image takes its place. */
static bool restored(struct world *w, const struct templates *t)
{
    const struct stage *stage = rng_below(&w->rng, 3) == 0 ? &w->trial->after : &w->trial->before;
    const uint8_t at = tree_find(&stage->tree, IMAGE_PATH);
    (void)t;
    if (at == NO_INODE || file_at(w, IMAGE_PATH) == NULL || w->trial->scene->spec.twin) {
        return false;
    }
    struct inode *image = &w->tree.inode[copy_file(w, &stage->tree.inode[at], IMAGE_PATH)];
    if (rng_below(&w->rng, 2) == 0) {
        date(w, image, now(w));
    }
    tree_settle(&w->tree);
    return true;
}

static bool renumbered(struct world *w, const struct templates *t)
{
    (void)t;
    for (unsigned i = 0; i < TREE_INODES; i++) {
        if (w->tree.inode[i].kind != INODE_FREE) {
            w->tree.inode[i].number += 1000;
        }
    }
    return true;
}

/* What had a name is gone, and another file has its name and its number. */
static bool number_back(struct world *w, const struct templates *t)
{
    const char *const paths[] = {NEW_PATH,
                                 UNDO_PATH,
                                 PRIVATE_PATH,
                                 AWAY_PATH,
                                 "/img/.x.cow.cowtui-old",
                                 "/img/.x.cow.backing.cowtui-new"};
    const char *path = one_of(w, paths, 6);
    (void)t;
    if (path == NULL || file_at(w, path)->kind != INODE_FILE) {
        return false;
    }
    const struct inode *old = file_at(w, path);
    const uint64_t number = old->number;
    const struct facts facts = old->facts;
    const uint8_t at = copy_file(w, old, path);
    struct inode *other = &w->tree.inode[at];
    const uint64_t how = rng_below(&w->rng, 3);
    if (how == 0) {
        inode_cut(other, 0);
        other->facts.size_bytes = 0;
        noise(w, other, 0, 3000);
    } else if (how == 1) { /* of a header no byte is without meaning but what lies behind the path */
        noise(w, other, 0, 300);
    } else { /* an image that differs in its backing file's name only */
        struct view view;
        for (int form = 0; form < FORMS; form++) {
            if (view_as(&view, other, (enum form_name)form)) {
                inode_write(other, forms[form].path + 3, "?", 1);
            }
        }
    }
    date(w, other, rng_below(&w->rng, 2) == 0 ? now(w) : facts.mtime);
    tree_settle(&w->tree);
    other->number = number;
    world_tell(w, " %s", path);
    return true;
}

/* ---- strangers ---- */

/* A record of somebody else, or one that others can write, or that has a second name, or is a link. */
static bool plant(struct world *w, const char *path, const struct inode *record, uint8_t *foreign)
{
    const uint64_t how = rng_below(&w->rng, 4);
    if (strcmp(w->image, IMAGE_PATH) != 0 || tree_find(&w->tree, "/img") == NO_INODE ||
        w->tree.n_entries + 4 > TREE_ENTRIES) {
        return false;
    }
    const char *at = how == 3 ? "/out/theirs" : path;
    struct inode *planted = &w->tree.inode[copy_file(w, record, at)];
    planted->facts.uid = how == 1 ? w->caller : OTHER_USER;
    planted->facts.mode = how == 1 ? 0666 : 0600;
    tree_settle(&w->tree);
    if (how == 2) {
        tree_set_entry(&w->tree, tree_find(&w->tree, "/out"), "theirs", tree_find(&w->tree, path));
    }
    if (how == 3) {
        struct inode link = {.kind = INODE_LINK,
                             .facts = {.mode = 0777, .uid = OTHER_USER, .size_bytes = 11}};
        inode_write(&link, 0, "/out/theirs", 11);
        copy_file(w, &link, path);
        inode_forget(&link);
        tree_settle(&w->tree);
    }
    *foreign = tree_find(&w->tree, path);
    world_tell(w, "%llu", (unsigned long long)how);
    return true;
}

static bool planted_journal(struct world *w, const struct templates *t)
{
    return t->has_journal && plant(w, JOURNAL_PATH, &t->journal, &w->foreign_journal);
}

static bool planted_undo(struct world *w, const struct templates *t)
{
    return t->has_undo && plant(w, UNDO_PATH, &t->undo, &w->foreign_undo);
}

static bool strange_record(struct world *w, const struct templates *t)
{
    const char *const paths[] = {JOURNAL_PATH, UNDO_PATH};
    const char *path = one_of(w, paths, 2);
    (void)t;
    return path != NULL && record_spoil(w, path);
}

static bool in_the_way(struct world *w, const struct templates *t)
{
    static const char *const paths[] = {
        NEW_PATH,     "/img/.x.cow.cowtui-old",         UNDO_PATH,
        JOURNAL_PATH, "/img/.x.cow.cowtui-journal-new", "/img/.x.cow.backing.cowtui-new"};
    const char *path = paths[rng_below(&w->rng, 6)];
    const bool is_directory = rng_below(&w->rng, 2) == 0;
    const char *name;
    uint8_t directory = tree_find_directory(&w->tree, path, &name);
    (void)t;
    if (directory == NO_INODE || file_at(w, path) != NULL || w->tree.n_entries + 4 > TREE_ENTRIES) {
        return false;
    }
    uint8_t at = tree_make(&w->tree, is_directory ? INODE_DIRECTORY : INODE_FILE, 0644);
    w->tree.inode[at].device = w->tree.inode[directory].device;
    w->tree.inode[at].facts.uid = OTHER_USER;
    if (!is_directory) {
        noise(w, &w->tree.inode[at], 0, 700);
    }
    tree_set_entry(&w->tree, directory, name, at);
    world_tell(w, " %s %s", is_directory ? "directory" : "file", path);
    return true;
}

/* Somebody else gives the commands from here on, in a directory that all may write to. */
static bool second_user(struct world *w, const struct templates *t)
{
    static const char *const directories[] = {"/img", "/base", "/out", "/moved", "/copy"};
    (void)t;
    for (unsigned i = 0; i < 5; i++) {
        struct inode *directory = file_at(w, directories[i]);
        if (directory != NULL) {
            directory->facts.mode = 01777;
        }
    }
    for (unsigned i = 0; i < w->tree.n_entries; i++) {
        struct inode *inode = &w->tree.inode[w->tree.entry[i].target];
        if (inode->kind == INODE_FILE && strstr(w->tree.entry[i].name, ".cowtui-") == NULL) {
            inode->facts.mode |= 0066;
        }
    }
    w->caller = rng_below(&w->rng, 2) == 0 ? OTHER_USER : 1000; /* the latter owns the image */
    world_tell(w, " %u", (unsigned)w->caller);
    return true;
}

static bool clock_back(struct world *w, const struct templates *t)
{
    static const uint64_t seconds[] = {1, 60, 61, 3600, 86400 * 400};
    (void)t;
    w->clock_back_ns = seconds[rng_below(&w->rng, 5)] * UINT64_C(1000000000);
    return true;
}

/* Another image has the image's name. */
static bool image_swapped(struct world *w, const struct templates *t)
{
    (void)t;
    if (strcmp(w->image, IMAGE_PATH) != 0 || file_at(w, IMAGE_PATH) == NULL ||
        (file_at(w, GUEST_PATH) == NULL && !image_on_base(w, NULL)) || w->trial->scene->spec.twin) {
        return false;
    }
    struct disk shown = {.file = {.kind = INODE_FREE}};
    const uint8_t at = tree_find(&w->tree, GUEST_PATH);
    if (!w->has_known[at]) {
        return false;
    }
    shown = disk_copy(&w->known[at]);
    world_allow(w, shown);
    copy_file(w, &w->tree.inode[at], IMAGE_PATH);
    tree_settle(&w->tree);
    return true;
}

/* Another image is for a backing file of the very second in which this one will be merged into. */
static bool date_to_come(struct world *w, const struct templates *t)
{
    const char *image = another_image(w);
    struct sim machine;
    uint8_t bytes[4];
    (void)t;
    if (image == NULL || strcmp(w->image, IMAGE_PATH) != 0) {
        return false;
    }
    world_boot(w, &machine);
    put_number(bytes, 4, true, machine.clock_ns / 1000000000 + rng_below(&w->rng, 2));
    sim_free(&machine);
    inode_write(file_at(w, image), forms[FORM_V3].mtime, bytes, sizeof bytes);
    w->merge_next = true;
    return true;
}

const struct actor actors[] = {
    {"guest", guest_uses},
    {"image on the base", image_on_base},
    {"image on the private copy", image_on_copy},
    {"other image merged", other_merges},
    {"other image grown", other_grows},
    {"other image restamped", other_restamps},
    {"other image rebased", other_rebases},
    {"date to come", date_to_come},
    {"command before", own_command},
    {"base touched", base_touched},
    {"base written", base_written},
    {"base resized", base_resized},
    {"base replaced", base_replaced},
    {"base gone", base_gone},
    {"private copy used", copy_touched},
    {"linked", linked},
    {"directory copied", copied},
    {"directory moved", moved},
    {"image restored", restored},
    {"image swapped", image_swapped},
    {"renumbered", renumbered},
    {"number back", number_back},
    {"planted journal", planted_journal},
    {"planted undo", planted_undo},
    {"strange record", strange_record},
    {"in the way", in_the_way},
    {"second user", second_user},
    {"clock back", clock_back},
};
const size_t n_actors = sizeof actors / sizeof actors[0];
