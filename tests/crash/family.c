/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See family.h.
 */
#include "family.h"

#include <stdio.h>
#include <string.h>

static unsigned n_kin(const struct trial *trial)
{
    return trial->scene->spec.relatives;
}

static const struct inode *file_at(const struct tree *tree, const char *path)
{
    const uint8_t at = tree_find(tree, path);
    return at == NO_INODE ? NULL : &tree->inode[at];
}

/* A file beside an image: "/img/.sib.cow.cowtui-move". */
static const char *side_of(char out[2 * TREE_NAME_BYTES], const char *path, const char *what)
{
    const char *slash = strrchr(path, '/');
    snprintf(out, 2 * TREE_NAME_BYTES, "%.*s/.%s.cowtui-%s", (int)(slash - path), path, slash + 1, what);
    return out;
}

static bool side_there(const struct tree *tree, const char *path, const char *what)
{
    char side[2 * TREE_NAME_BYTES];
    return tree_find(tree, side_of(side, path, what)) != NO_INODE;
}

bool family_has(const struct trial *trial, const char *path)
{
    for (unsigned i = 0; i < n_kin(trial); i++) {
        if (strcmp(path, relatives[i].path) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_named_after(const char *name, const char *path)
{
    const char *base = strrchr(path, '/') + 1;
    return strncmp(name[0] == '.' ? name + 1 : name, base, strlen(base)) == 0;
}

const struct kin *family_find(const struct trial *trial, const struct stage *stage, const char *name)
{
    for (unsigned i = 0; i < n_kin(trial); i++) {
        if (is_named_after(name, relatives[i].path)) {
            return &stage->kin[i];
        }
    }
    return NULL;
}

static bool is_family(const struct trial *trial)
{
    return n_kin(trial) > 0 || trial->scene->action[0].family;
}

bool family_undoes(const struct trial *trial, const char *path)
{
    char side[2 * TREE_NAME_BYTES];
    bool yes = is_family(trial) && strcmp(path, FAMILY_JOURNAL "-undo") == 0;
    for (unsigned i = 0; i < n_kin(trial); i++) {
        yes |= strcmp(path, side_of(side, relatives[i].path, "undo")) == 0;
    }
    return yes;
}

unsigned family_drafts(const struct trial *trial, const struct tree *crashed)
{
    unsigned drafts = 0;
    for (unsigned i = 0; is_family(trial) && i <= n_kin(trial); i++) {
        const char *path = trial_member(trial, i);
        if (!side_there(crashed, path, "journal") && !side_there(crashed, path, "move")) {
            drafts |= 1U << i;
        }
    }
    return drafts;
}

bool family_excuses(const struct trial *trial, const char *name, unsigned drafts)
{
    bool yes = false;
    for (unsigned i = 0; i <= n_kin(trial); i++) {
        yes |= (drafts >> i & 1) != 0 && is_named_after(name, trial_member(trial, i));
    }
    return yes;
}

static bool shows(const struct tree *tree, const struct inode *file, const struct kin *kin)
{
    struct view view;
    return view_as(&view, file, kin->form) && !view.marked &&
           view_shows(&view, file, file_at(tree, view.path), &kin->disk.file);
}

static enum outcome outcome_of(const struct trial *trial, const struct tree *tree, unsigned i)
{
    const struct inode *file = file_at(tree, relatives[i].path);
    return shows(tree, file, &trial->before.kin[i])  ? OUTCOME_OLD
           : shows(tree, file, &trial->after.kin[i]) ? OUTCOME_NEW
                                                     : OUTCOME_BAD;
}

static bool is_half_way(const struct tree *tree, const char *path)
{
    struct view view;
    return view_as(&view, file_at(tree, path), FORM_V3) && view.marked && side_there(tree, path, "move") &&
           side_there(tree, path, "position") && tree_find(tree, FAMILY_JOURNAL) != NO_INODE;
}

/* Without the family's journal nobody would bring together what is old and new, or take away the journal of
 * one. */
static struct verdict check_alone(const struct trial *trial, const struct tree *tree)
{
    static const char *const journals[] = {"journal", "move", "position"};
    const struct inode *image = file_at(tree, IMAGE_PATH);
    struct view view;
    const bool is_new = image != NULL && view_as(&view, image, FORM_V3) &&
                        view.size_bytes == trial->after.disk.file.facts.size_bytes;
    for (unsigned i = 0; i < n_kin(trial); i++) {
        const char *path = relatives[i].path;
        if ((outcome_of(trial, tree, i) == OUTCOME_NEW) != is_new) {
            return judge_bad("there is no journal of the family, the image is %s, and %s is not",
                             is_new ? "new" : "old", path);
        }
        for (unsigned k = 0; k < 3; k++) {
            if (side_there(tree, path, journals[k])) {
                return judge_bad("there is no journal of the family, and a %s of %s", journals[k], path);
            }
        }
    }
    return judge_fine;
}

struct verdict family_crashed(const struct trial *trial, const struct tree *tree)
{
    for (unsigned i = 0; i < n_kin(trial); i++) {
        const char *path = relatives[i].path;
        if (file_at(tree, path) == NULL) {
            return judge_bad("%s is gone", path);
        }
        if (!is_half_way(tree, path) && outcome_of(trial, tree, i) == OUTCOME_BAD) {
            return judge_bad("%s shows neither its old nor its new disk", path);
        }
    }
    return tree_find(tree, FAMILY_JOURNAL) == NO_INODE ? check_alone(trial, tree) : judge_fine;
}

/* It is that end's file, byte for byte; zeros may have been added at its end. */
static bool same_file(const struct inode *now, const struct inode *was)
{
    return inode_same_bytes(now, was, 0, was->facts.size_bytes) &&
           inode_zero(now, was->facts.size_bytes, now->facts.size_bytes);
}

static bool same_facts(const struct facts *now, const struct facts *was)
{
    return now->mode == was->mode && now->uid == was->uid && now->gid == was->gid &&
           now->xattr_bytes == was->xattr_bytes;
}

/* Undo data that is an image is marked, so that nobody goes on with it. */
static bool undo_is_marked(const struct tree *tree, const char *path)
{
    char side[2 * TREE_NAME_BYTES];
    struct view view;
    const struct inode *undo = file_at(tree, side_of(side, path, "undo"));
    for (int form = 0; undo != NULL && form < FORMS; form++) {
        if (view_as(&view, undo, (enum form_name)form) && !view.marked) {
            return false;
        }
    }
    return true;
}

struct verdict family_settled(const struct trial *trial, const struct tree *tree, enum outcome outcome)
{
    const struct stage *stage = outcome == OUTCOME_OLD ? &trial->before : &trial->after;
    const char *which = outcome == OUTCOME_OLD ? "old" : "new";
    struct view view;
    for (unsigned i = 0; i < n_kin(trial); i++) {
        const char *path = relatives[i].path;
        const struct inode *file = file_at(tree, path), *was = file_at(&stage->tree, path);
        if (outcome_of(trial, tree, i) != outcome) {
            return judge_bad("the image is %s, and %s is not", which, path);
        }
        if (kernel_opens(&view, tree, file) != stage->kin[i].opens) {
            return judge_bad("all are %s, but a kernel %s %s", which,
                             stage->kin[i].opens ? "refuses" : "opens", path);
        }
        if (!same_file(file, was) || !same_facts(&file->facts, &was->facts)) {
            return judge_bad("all are %s, but bytes, mode, owner or attributes of %s differ", which, path);
        }
        if (!undo_is_marked(tree, path)) {
            return judge_bad("the undo data of %s is an image without the mark", path);
        }
    }
    return judge_fine;
}
