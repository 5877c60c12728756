/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See judge.h.
 */
#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family.h"
#include "filesystem.h"
#include "memory.h"
#include "power.h"

struct verdict judge_bad(const char *format, ...)
{
    struct verdict v = {.outcome = OUTCOME_BAD};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(v.why, sizeof v.why, format, arguments);
    va_end(arguments);
    return v;
}

const struct verdict judge_fine = {.outcome = OUTCOME_OPEN};

static const struct inode *file_at(const struct tree *tree, const char *path)
{
    uint8_t at = tree_find(tree, path);
    return at == NO_INODE ? NULL : &tree->inode[at];
}

/* ---- what must never change ---- */

static bool is_side(const char *path)
{
    return strstr(path, ".cowtui-") != NULL;
}

static bool is_copy(const char *path)
{
    return strstr(path, ".backing") != NULL && !is_side(path);
}

/* A private backing file that is complete, for an image that is not there yet: only where the result goes
 * elsewhere, and so is not written down in a journal. */
static bool is_lonely_copy(const struct trial *trial, const char *path)
{
    return trial->action.elsewhere && is_copy(path);
}

/* Files that the change has nothing to do with: same inode, same bytes, same facts. */
static struct verdict check_bystanders(const struct trial *trial, const struct tree *tree)
{
    const struct tree *was = &trial->before.tree;
    const bool undoes = trial->action.verb == VERB_UNDO;
    for (unsigned i = 0; i < was->n_entries; i++) {
        char path[2 * TREE_NAME_BYTES];
        const struct inode *old = &was->inode[was->entry[i].target];
        tree_path_of(was, &was->entry[i], path);
        if (old->kind != INODE_FILE || is_side(path) || strcmp(path, trial->target) == 0 ||
            strcmp(path, trial->backing) == 0 || (undoes && is_copy(path)) || family_has(trial, path)) {
            continue;
        }
        const struct inode *now = file_at(tree, path);
        if (now == NULL) {
            return judge_bad("%s is gone", path);
        }
        if (now == file_at(tree, trial->target) && now->number == old->number) {
            continue; /* the image's second name, and it is still that: judged there */
        }
        if (now->number != old->number || !facts_same(&now->facts, &old->facts) ||
            !inode_same_bytes(now, old, 0, old->facts.size_bytes)) {
            return judge_bad("%s has changed", path);
        }
    }
    return judge_fine;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Each byte of a sector is the old or the new one: a write may begin anywhere in it. */
static bool is_woven(const struct inode *now, const struct inode *old, const struct inode *end, uint64_t at,
                     size_t n_bytes)
{
    uint8_t is[SECTOR_BYTES], was[SECTOR_BYTES], will[SECTOR_BYTES];
    inode_read(now, at, is, n_bytes);
    inode_read(old, at, was, n_bytes);
    inode_read(end, at, will, n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        if (is[i] != was[i] && is[i] != will[i]) {
            return false;
        }
    }
    return true;
}

/* All of it is the old one, or all the new one: as it nearly always is, and quicker to see. */
static bool is_either(const struct inode *now, const struct inode *old, const struct inode *end, uint64_t at,
                      uint64_t stop)
{
    return inode_same_range(now, at, old, at, stop - at) || inode_same_range(now, at, end, at, stop - at);
}

/* Of a file that is being written over: it is old and new, and nothing is new under the old date, by which a
 * kernel knows the file. */
static struct verdict check_merged(const struct inode *old, const struct inode *end, const struct inode *now)
{
    const uint64_t size = old->facts.size_bytes;
    if (inode_same_bytes(now, old, 0, size)) {
        return judge_fine;
    }
    for (uint64_t at = 0, stop; at < size; at = stop) {
        stop = least(at + PAGE_BYTES, size);
        if (at % PAGE_BYTES == 0 && is_either(now, old, end, at, stop)) {
            continue;
        }
        stop = least(at + SECTOR_BYTES, size);
        if (!is_either(now, old, end, at, stop) && !is_woven(now, old, end, at, (size_t)(stop - at))) {
            return judge_bad("the backing file's sector %llu has neither old nor new bytes",
                             (unsigned long long)(at / SECTOR_BYTES));
        }
    }
    return now->facts.mtime.tv_sec == old->facts.mtime.tv_sec
               ? judge_bad("the backing file's bytes have changed, and it has its old date")
               : judge_fine;
}

/* What the backing file held is there whatever happens; what is new is zeros. */
static struct verdict check_backing(const struct trial *trial, const struct tree *tree)
{
    const struct inode *old = file_at(&trial->before.tree, trial->backing);
    const struct inode *end = file_at(&trial->after.tree, trial->backing);
    const struct inode *now = file_at(tree, trial->backing);
    if (old == NULL) {
        return judge_fine;
    }
    if (now == NULL) {
        return judge_bad("the backing file is gone");
    }
    uint64_t kept = least(old->facts.size_bytes, end->facts.size_bytes);
    uint64_t size = now->facts.size_bytes;
    if (size != old->facts.size_bytes && size != end->facts.size_bytes) {
        return judge_bad("the backing file has %llu bytes", (unsigned long long)size);
    }
    if (trial->merges) {
        return check_merged(old, end, now);
    }
    if (!inode_same_bytes(now, old, 0, kept) || !inode_zero(now, old->facts.size_bytes, size)) {
        return judge_bad("the backing file's bytes have changed");
    }
    return judge_fine;
}

/* ---- what the target shows ---- */

static const struct inode *backing_of(const struct view *view, const struct tree *tree)
{
    return view->path[0] == '\0' ? NULL : file_at(tree, view->path);
}

static bool shows(const struct tree *tree, const struct inode *file, enum form_name form,
                  const struct disk *disk)
{
    struct view view;
    return view_as(&view, file, form) && !view.marked &&
           view_shows(&view, file, backing_of(&view, tree), &disk->file);
}

static bool raw_shows(const struct inode *file, const struct disk *disk)
{
    const uint64_t size = disk->file.facts.size_bytes;
    return file->facts.size_bytes == size && inode_same_bytes(file, &disk->file, 0, size);
}

/* A kernel that opens another image, or the old one, finds the backing file that it was made for. */
static struct verdict check_sibling(const struct trial *trial, const struct tree *tree)
{
    const struct inode *sibling = file_at(tree, SIBLING_PATH);
    const struct inode *image = file_at(tree, IMAGE_PATH), *was = file_at(&trial->before.tree, IMAGE_PATH);
    const struct inode *const opened[] = {sibling, image->number == was->number ? image : NULL};
    struct view view;
    for (unsigned i = 0; i < 2 && trial->merges; i++) {
        if (opened[i] == NULL || !kernel_opens(&view, tree, opened[i])) {
            continue;
        }
        const struct inode *now = file_at(tree, view.path), *old = file_at(&trial->before.tree, view.path);
        if (!inode_same_bytes(now, old, 0, old->facts.size_bytes)) {
            return judge_bad("a kernel opens %s on a backing file that has changed",
                             i == 0 ? SIBLING_PATH : "the old image");
        }
    }
    return judge_fine;
}

/* Whatever a kernel opens is the old disk or the new one: image, left-over, undo data. */
static struct verdict check_kernel(const struct trial *trial, const struct tree *tree,
                                   const struct guest *guest)
{
    for (unsigned i = 0; i < tree->n_entries; i++) {
        const struct inode *file = &tree->inode[tree->entry[i].target];
        const bool used = guest != NULL && file == file_at(tree, trial->target);
        const struct kin *was = family_find(trial, &trial->before, tree->entry[i].name);
        const struct kin *will = family_find(trial, &trial->after, tree->entry[i].name);
        const struct disk *old = used ? &guest->old : was != NULL ? &was->disk : &trial->before.disk;
        const struct disk *new = used ? &guest->new : will != NULL ? &will->disk : &trial->after.disk;
        struct view view;
        /* A guest that ran used the image, not its undo data. */
        const bool side = guest != NULL && strstr(tree->entry[i].name, ".cowtui-") != NULL;
        if (file->kind != INODE_FILE || side || strstr(tree->entry[i].name, ".cow") == NULL ||
            (was == NULL && file == file_at(tree, SIBLING_PATH)) || !kernel_opens(&view, tree, file)) {
            continue;
        }
        const struct inode *backing = backing_of(&view, tree);
        if (!view_shows(&view, file, backing, &old->file) && !view_shows(&view, file, backing, &new->file)) {
            return judge_bad("a kernel opens %s, and it is neither the old nor the new disk",
                             tree->entry[i].name);
        }
    }
    return judge_fine;
}

/* The image shows the disk whether a kernel opens it or not. */
static bool disk_is_there(const struct trial *trial, const struct tree *tree, const struct inode *file,
                          const struct guest *guest)
{
    const struct disk *old = guest != NULL ? &guest->old : &trial->before.disk;
    const struct disk *new = guest != NULL ? &guest->new : &trial->after.disk;
    return trial->raw || (trial->before.target_there && shows(tree, file, trial->before.form, old)) ||
           shows(tree, file, trial->after.form, new);
}

struct verdict judge_crashed(const struct trial *trial, const struct tree *tree, const struct guest *guest)
{
    struct view view;
    const struct inode *file = file_at(tree, trial->target);
    if (file == NULL) {
        return trial->before.target_there ? judge_bad("the image is gone")
                                          : (struct verdict){OUTCOME_OLD, ""};
    }
    if (!trial->raw && !view_as(&view, file, trial->before.form) && !view_as(&view, file, FORM_V3) &&
        !view_as(&view, file, trial->after.form)) {
        return judge_bad("the image has no header: a kernel takes it for a raw disk");
    }
    /* Half way, with what recovery needs beside it; that it leads to one of the ends is judged there. */
    const bool marked = !trial->raw && view_as(&view, file, FORM_V3) && view.marked;
    const bool moves = marked && tree_find(tree, "/img/.x.cow.cowtui-move") != NO_INODE &&
                       tree_find(tree, "/img/.x.cow.cowtui-position") != NO_INODE;
    const bool takes_over =
        marked && scene_has_fs(trial->scene) && tree_find(tree, "/img/.x.cow.cowtui-journal") != NO_INODE;
    const bool half = moves || takes_over;
    if (!half && !disk_is_there(trial, tree, file, guest)) {
        return judge_bad("the image shows neither the old nor the new disk");
    }
    struct verdict v = check_kernel(trial, tree, guest);
    if (v.outcome != OUTCOME_BAD) {
        v = check_sibling(trial, tree);
    }
    if (v.outcome != OUTCOME_BAD) {
        v = family_crashed(trial, tree);
    }
    if (v.outcome != OUTCOME_BAD) {
        v = check_bystanders(trial, tree);
    }
    return v.outcome != OUTCOME_BAD ? check_backing(trial, tree) : v;
}

/* ---- the end ---- */

/* The same header. In a merge by another run the new date is another one. */
static bool same_header(const struct trial *trial, const struct inode *now, const struct stage *stage)
{
    const struct form *form = &forms[stage->form];
    const struct inode *was = file_at(&stage->tree, trial->target);
    const uint64_t date = trial->merges && stage == &trial->after ? form->mtime : form->header_bytes;
    return inode_same_bytes(now, was, 0, date) &&
           (date == form->header_bytes || inode_same_bytes(now, was, date + 4, form->header_bytes));
}

/* Where both ends show the same disk: by copy it is another file, in place it has another header. */
static enum outcome outcome_by_file(const struct trial *trial, const struct inode *file)
{
    const uint64_t old = file_at(&trial->before.tree, trial->target)->number;
    const uint64_t new = file_at(&trial->after.tree, trial->target)->number;
    if (file->number == old && same_header(trial, file, &trial->before)) {
        return OUTCOME_OLD;
    }
    return (file->number == old) == (new == old) && same_header(trial, file, &trial->after) ? OUTCOME_NEW
                                                                                            : OUTCOME_BAD;
}

/* The older file that was to be replaced, and nothing has been written into it. */
static bool is_old_output(const struct trial *trial, const struct inode *file)
{
    const struct inode *was = file_at(&trial->before.tree, trial->target);
    return was != NULL && file->number == was->number && facts_same(&file->facts, &was->facts) &&
           inode_same_bytes(file, was, 0, was->facts.size_bytes);
}

static enum outcome outcome_of(const struct trial *trial, const struct tree *tree, const struct disk *old,
                               const struct disk *new)
{
    const struct inode *file = file_at(tree, trial->target);
    if (file == NULL) {
        return trial->before.target_there ? OUTCOME_BAD : OUTCOME_OLD;
    }
    if (trial->raw) {
        return is_old_output(trial, file) ? OUTCOME_OLD : raw_shows(file, new) ? OUTCOME_NEW : OUTCOME_BAD;
    }
    if (trial->same_disk) {
        const enum outcome outcome = outcome_by_file(trial, file);
        const enum form_name form = outcome == OUTCOME_OLD ? trial->before.form : trial->after.form;
        return shows(tree, file, form, old) ? outcome : OUTCOME_BAD;
    }
    if (trial->before.target_there && shows(tree, file, trial->before.form, old)) {
        return OUTCOME_OLD;
    }
    return shows(tree, file, trial->after.form, new) ? OUTCOME_NEW : OUTCOME_BAD;
}

/* Names: those of one end, undo data, and, where that is excused, what a crash left. */
static struct verdict check_names(const struct trial *trial, const struct tree *tree,
                                  const struct stage *stage, const struct allowance *allowed)
{
    for (unsigned i = 0; i < tree->n_entries; i++) {
        char path[2 * TREE_NAME_BYTES];
        tree_path_of(tree, &tree->entry[i], path);
        const bool undo = strcmp(path, "/img/.x.cow.cowtui-undo") == 0 || family_undoes(trial, path);
        const bool excused =
            allowed->left_overs || family_excuses(trial, tree->entry[i].name, allowed->drafts);
        const bool left =
            excused && (strstr(path, ".cowtui-new") != NULL || strstr(path, ".cowtui-journal-new") != NULL ||
                        strstr(path, ".cowtui-family-new") != NULL);
        if (!undo && !left && !is_lonely_copy(trial, path) && file_at(&stage->tree, path) == NULL) {
            return judge_bad("%s is left over", path);
        }
    }
    return file_at(tree, trial->target) == NULL && stage->target_there
               ? judge_bad("%s is gone", trial->target)
               : judge_fine;
}

/* It is that end's file, byte for byte; zeros may have been added at its end. */
static bool same_file_as(const struct trial *trial, const struct inode *now, const struct stage *stage)
{
    const struct inode *was = file_at(&stage->tree, trial->target);
    const bool dated = trial->merges && stage == &trial->after;
    const uint64_t from = dated ? forms[stage->form].header_bytes : 0;
    return (!dated || same_header(trial, now, stage)) &&
           inode_same_bytes(now, was, from, was->facts.size_bytes) &&
           inode_zero(now, was->facts.size_bytes, now->facts.size_bytes);
}

/* The backing file at the end: its facts, and where it was merged into, its bytes. */
static bool same_backing(const struct trial *trial, const struct inode *now, const struct stage *stage)
{
    const struct inode *was = file_at(&stage->tree, trial->backing);
    struct facts facts = now->facts;
    if (trial->merges && stage == &trial->after) { /* the header says which: whether a kernel opens it */
        facts.mtime.tv_sec = was->facts.mtime.tv_sec;
    }
    return facts_same(&facts, &was->facts) &&
           (!trial->merges || inode_same_bytes(now, was, 0, was->facts.size_bytes));
}

/* Undo data that is an image is marked, so that nobody goes on with it. */
static struct verdict check_undo_data(const struct tree *tree)
{
    const struct inode *undo = file_at(tree, "/img/.x.cow.cowtui-undo");
    struct view view;
    if (undo != NULL) {
        for (int form = 0; form < FORMS; form++) {
            if (view_as(&view, undo, (enum form_name)form) && !view.marked) {
                return judge_bad("the undo data is an image without the mark");
            }
        }
    }
    return judge_fine;
}

static struct verdict check_end(const struct trial *trial, const struct tree *tree, enum outcome outcome,
                                const struct allowance *allowed)
{
    const struct stage *stage = outcome == OUTCOME_OLD ? &trial->before : &trial->after;
    const char *which = outcome == OUTCOME_OLD ? "old" : "new";
    const struct inode *file = file_at(tree, trial->target), *was = file_at(&stage->tree, trial->target);
    const struct inode *backing = file_at(tree, trial->backing);
    const struct inode *sibling = file_at(tree, SIBLING_PATH);
    struct view view;
    if (backing != NULL && !same_backing(trial, backing, stage)) {
        return judge_bad("%s disk, but the backing file is not that one (%llu bytes, date %lld)", which,
                         (unsigned long long)backing->facts.size_bytes,
                         (long long)backing->facts.mtime.tv_sec);
    }
    if (file != NULL && !trial->raw && kernel_opens(&view, tree, file) != stage->opens) {
        return judge_bad("%s disk, but a kernel %s it", which, stage->opens ? "refuses" : "opens");
    }
    if (sibling != NULL && kernel_opens(&view, tree, sibling) != stage->sibling_opens) {
        return judge_bad("%s disk, but a kernel %s %s", which, stage->sibling_opens ? "refuses" : "opens",
                         SIBLING_PATH);
    }
    /* A second private copy beside a lonely one has another name, and the header says so. */
    const bool renamed = trial->action.elsewhere && trial->action.verb == VERB_COPY;
    if (file != NULL && allowed->guest == NULL && !renamed && !same_file_as(trial, file, stage)) {
        return judge_bad("%s disk, but the file's bytes differ", which);
    }
    /* Whoever uses force gets a new image without its attributes where they cannot be kept. */
    const bool bare =
        file != NULL && outcome == OUTCOME_NEW && trial->action.force && file->facts.xattr_bytes == 0;
    if (file != NULL && (file->facts.mode != was->facts.mode || file->facts.uid != was->facts.uid ||
                         (file->facts.xattr_bytes != was->facts.xattr_bytes && !bare))) {
        return judge_bad("%s disk, but its mode, owner or attributes differ", which);
    }
    const bool twins = file != NULL && file == file_at(tree, TWIN_PATH);
    if (file != NULL && twins != (was == file_at(&stage->tree, TWIN_PATH))) {
        return judge_bad("%s disk, but the image's two names show %s file", which, twins ? "one" : "not one");
    }
    return check_names(trial, tree, stage, allowed);
}

struct verdict judge_settled(const struct trial *trial, const struct tree *tree,
                             const struct allowance *allowed)
{
    const struct guest *guest = allowed->guest;
    struct verdict v = judge_crashed(trial, tree, guest);
    if (v.outcome == OUTCOME_BAD) {
        return v;
    }
    enum outcome outcome = outcome_of(trial, tree, guest != NULL ? &guest->old : &trial->before.disk,
                                      guest != NULL ? &guest->new : &trial->after.disk);
    if (outcome == OUTCOME_BAD) {
        return guest != NULL ? judge_bad("what a guest wrote after the crash is lost")
                             : judge_bad("neither the old nor the new disk");
    }
    v = check_end(trial, tree, outcome, allowed);
    if (v.outcome != OUTCOME_BAD) {
        v = family_settled(trial, tree, outcome);
    }
    if (v.outcome != OUTCOME_BAD && !journal_there(tree)) {
        v = check_undo_data(tree);
    }
    if (v.outcome != OUTCOME_BAD) {
        v = check_bystanders(trial, tree);
    }
    if (v.outcome != OUTCOME_BAD) {
        v = check_backing(trial, tree);
    }
    v.outcome = v.outcome == OUTCOME_BAD ? OUTCOME_BAD : outcome;
    return v;
}

/* The disk is in the backing file then, and nothing in the image; and the sibling is refused, if it was made
 * for that backing file. */
static void judge_merged(const struct trial *trial)
{
    struct view view;
    const struct stage *end = &trial->after;
    const struct inode *image = file_at(&end->tree, trial->target);
    const bool shared = strcmp(trial->backing, BACKING_PATH) == 0;
    const bool fits = !shared || trial->scene->action[0].verb == VERB_MERGE_IN_PLACE; /* not after a growth */
    if (!view_as(&view, image, FORM_V3) || strcmp(view.path, trial->backing) != 0 || !end->opens ||
        !inode_zero(image, view.shape.bitmap_offset, view.shape.data_offset) ||
        !raw_shows(file_at(&end->tree, trial->backing), &end->disk) || trial->before.sibling_opens != fits ||
        end->sibling_opens == shared) {
        fprintf(stderr, "crash: %s: after the merge, image, backing file or sibling is wrong\n",
                trial->scene->name);
        exit(2);
    }
}

/* All files are there; what is in use is as it was; and what was free, and not as the backing file has it, is
 * no longer in the image. (That the image shows this disk has been judged.) */
static void judge_without_unused(const struct trial *trial)
{
    struct view view;
    const struct inode *old = &trial->before.disk.file, *new = &trial->after.disk.file;
    const uint32_t block_bytes = trial->scene->spec.ext_block_bytes;
    const struct inode *image = file_at(&trial->after.tree, trial->target);
    bool good = filesystem_is_whole(old, block_bytes) && filesystem_is_whole(new, block_bytes) &&
                view_as(&view, image, FORM_V3);
    uint64_t dropped = 0;
    for (uint64_t at = 0; good && at < old->facts.size_bytes; at += PAGE_BYTES) {
        uint8_t bits; /* of a page's eight sectors */
        const bool same = inode_same_bytes(old, new, at, at + PAGE_BYTES);
        inode_read(image, view.shape.bitmap_offset + at / PAGE_BYTES, &bits, 1);
        good = filesystem_is_free(old, at) ? bits == 0 : same;
        dropped += !same;
    }
    if (!good || dropped == 0) {
        fprintf(stderr, "crash: %s: a file has changed, or what is free is still there, or nothing is free\n",
                trial->scene->name);
        exit(2);
    }
}

void judge_trial(struct trial *trial)
{
    const struct allowance none = {.left_overs = false};
    const enum outcome wanted[] = {OUTCOME_OLD, OUTCOME_NEW};
    const struct stage *const stages[] = {&trial->before, &trial->after};
    for (unsigned i = 0; i < 2; i++) {
        struct verdict v = judge_settled(trial, &stages[i]->tree, &none);
        /* Discarding undo data changes nothing that a disk shows. */
        if (v.outcome != wanted[i] && (v.outcome != OUTCOME_OLD || trial->action.verb != VERB_DISCARD)) {
            fprintf(stderr, "crash: %s: the %s end is wrong: %s\n", trial->scene->name,
                    i == 0 ? "old" : "new", v.outcome == OUTCOME_BAD ? v.why : "it is the other one");
            exit(2);
        }
    }
    if (trial->merges) {
        judge_merged(trial);
    }
    if (trial->action.verb == VERB_COMPACT_UNUSED) {
        judge_without_unused(trial);
    }
}

/* ---- a guest ---- */

static void guest_write(struct inode *file, const struct view *view, uint64_t sector, const uint8_t *bytes,
                        struct timespec now)
{
    uint64_t offset = view->shape.data_offset + sector * view->sector_bytes;
    uint64_t at = view->shape.bitmap_offset + sector / 8;
    uint8_t byte;
    inode_write(file, offset, bytes, view->sector_bytes);
    if (file->facts.size_bytes < offset + view->sector_bytes) {
        file->facts.size_bytes = offset + view->sector_bytes;
    }
    inode_read(file, at, &byte, 1);
    byte = (uint8_t)(byte | 1u << sector % 8);
    inode_write(file, at, &byte, 1);
    file->facts.mtime = now;
}

static struct disk patched(const struct disk *disk, uint64_t offset, const uint8_t *bytes, size_t n_bytes)
{
    struct disk out = disk_copy(disk);
    const uint64_t size = out.file.facts.size_bytes;
    if (offset < size) {
        inode_write(&out.file, offset, bytes, (size_t)least(n_bytes, size - offset));
    }
    return out;
}

bool guest_runs(struct guest *guest, const struct trial *trial, struct tree *tree, uint64_t random)
{
    struct view view;
    uint8_t at = tree_find(tree, trial->target);
    if (at == NO_INODE || trial->raw || !kernel_opens(&view, tree, &tree->inode[at]) ||
        view.sector_bytes != 512) {
        return false;
    }
    struct rng rng = {random};
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    /* Of the sectors that both disks have whole, any, or one of the last few: there the bitmap's end lies. */
    uint64_t smaller =
        least(trial->before.disk.file.facts.size_bytes, trial->after.disk.file.facts.size_bytes);
    uint64_t mapped = least(least(smaller / 512, view.shape.mapped), smaller / 4096 * 8);
    mapped = view.form == FORM_V3 || view.form == FORM_V3_64 ? smaller / 512 : mapped;
    uint64_t sector = rng_below(&rng, 2) == 0 ? rng_below(&rng, mapped) : mapped - 1 - rng_below(&rng, 8);
    const struct timespec now = {.tv_sec = 1700000000 + 100000, .tv_nsec = 4000000};
    guest_write(&tree->inode[at], &view, sector, bytes, now);
    guest->old = patched(&trial->before.disk, sector * 512, bytes, sizeof bytes);
    guest->new = patched(&trial->after.disk, sector * 512, bytes, sizeof bytes);
    return true;
}

void guest_free(struct guest *guest)
{
    disk_free(&guest->old);
    disk_free(&guest->new);
}
