/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize of all images on a backing file as one change. Each is planned by the one builder
 * (core/resize/resize.c), as a member; here it is found who they are, that none is in the way, and what they
 * share.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/family/change.h"
#include "core/family/family.h"
#include "core/image/backing_rules.h"
#include "core/ledger/pending.h"
#include "core/plan/plan_rules.h"
#include "core/resize/resize.h"
#include "cow/text.h"

static int check_family_request(const struct cow_image *img, const struct cow_resize_options *opt,
                                struct cow_error *err)
{
    if (opt->policy != COW_POLICY_UNSET && opt->policy != COW_POLICY_EXTEND) {
        return cow_error_set(err, COW_USAGE, "--family lengthens the backing file: --policy extend, or none");
    }
    if (opt->fs != COW_FS_STAYS) {
        cow_error_set(err, COW_USAGE, "--family grows the disks, not what lies on them");
        return cow_error_hint(
            err, "grow each filesystem afterwards: in its guest, or with --grow-fs and the new size");
    }
    if (opt->output_path != NULL || opt->shrink) {
        return cow_error_set(err, COW_USAGE,
                             opt->shrink ? "--family grows: it does not go with --shrink"
                                         : "--family changes the images: it does not go with -o");
    }
    int status = pending_check_ready(img, err);
    if (status == 0) {
        status = backing_rule_found(img, NULL, err);
    }
    if (status == 0 && S_ISBLK(img->backing.file.facts.st_mode) &&
        img->backing.facts.size_bytes < opt->size_bytes) {
        cow_error_set(err, COW_REFUSED, "%s: the backing file %s is a block device, which is not lengthened",
                      img->path, img->backing.facts.path);
        status = cow_error_hint(err, "lengthen it with its own tool (lvextend), then resize to its new size");
    }
    return status;
}

/* "/a/b" of "/a/b/name". */
static void family_directory(char out[PATH_MAX], const char *path)
{
    const size_t length = (size_t)(strrchr(path, '/') - path);
    snprintf(out, PATH_MAX, "%.*s", length == 0 ? 1 : (int)length, path);
}

static int find_siblings(struct siblings *out, const struct cow_plan *plan,
                         const struct cow_family_options *where, struct cow_error *err)
{
    char directory[2][PATH_MAX];
    int status = 0;
    family_directory(directory[0], plan->family->backing_path);
    family_directory(directory[1], plan->img->real_path);
    for (size_t i = 0; status == 0 && i < 2; i++) {
        status = siblings_add(out, plan->io, &plan->backing.facts, directory[i], err);
    }
    for (size_t i = 0; status == 0 && where != NULL && i < where->n_places; i++) {
        status = siblings_add(out, plan->io, &plan->backing.facts, where->place[i], err);
    }
    if (status == 0 && out->failure != 0) { /* one that cannot be looked at may be an image on it */
        status = cow_error_system(err, -out->failure, "looking for the images on %s", plan->backing.path);
    }
    family_drop_other_names(out);
    return status;
}

/* All that is in the way of any is told before anything is looked at closer. */
static int check_family_members(const struct siblings *found, const struct cow_image *img,
                                struct cow_error *err)
{
    char quoted[COW_HINT_BYTES / 2];
    for (size_t i = 0; i < found->n; i++) {
        const struct sibling *s = &found->sibling[i];
        const bool asked = s->device == img->cow.facts.st_dev && s->inode == img->cow.facts.st_ino;
        if (s->holder.held && s->holder.pid > 0) {
            cow_error_set(err, COW_LOCKED, "%s: is one of the images on %s, and in use by pid %jd", s->path,
                          img->backing.facts.path, (intmax_t)s->holder.pid);
            return cow_error_hint(err, "a running UML guest, most likely: shut it down first");
        }
        if (s->holder.held) {
            return cow_error_set(err, COW_LOCKED,
                                 "%s: is one of the images on %s, and in use by another process", s->path,
                                 img->backing.facts.path);
        }
        if (s->pending && !asked) {
            cow_error_set(err, COW_REFUSED,
                          "%s: is one of the images on %s, and a change of it was interrupted", s->path,
                          img->backing.facts.path);
            return cow_error_hint(err, "first of all: cowtui recover %s",
                                  cow_shell_quote(quoted, sizeof quoted, s->path));
        }
    }
    return 0;
}

/* One that has the new size already is only held. */
static void make_idle(struct cow_plan *member)
{
    member->n_steps = 0;
    member->preview.files = 0;
    member->preview.method = COW_METHOD_NONE;
    member->preview.needs_free_bytes = 0;
    plan_step(member, COW_STEP_LOCK, 0, "lock the image, which has the new size already");
}

static int add_family_member(struct cow_plan *plan, const struct sibling *sibling,
                             const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img, *owned = NULL;
    struct cow_plan *member;
    const struct stat *asked = &plan->img->cow.facts;
    int status = 0;
    if (sibling->device != asked->st_dev || sibling->inode != asked->st_ino) {
        status = family_open(&owned, plan->io, sibling->path, plan->family->backing_path,
                             &plan->backing.facts, err);
        img = owned;
    }
    if (status == 0) {
        status = resize_plan_member(&member, img, opt, err);
    }
    if (status == 0 && member->reach == REACH_BACKING) {
        make_idle(member);
    } else if (status == 0) {
        status = family_record_add(&plan->family->record, member->img->real_path, err);
        if (status != 0) {
            cow_plan_free(member);
        }
    }
    if (status == 0) {
        return plan_family_add(plan, member, owned, err);
    }
    cow_image_close(owned);
    return status;
}

/* Another file may have taken its name since it was opened: then that one is what was found. */
static int check_asked_is_member(const struct cow_plan *plan, struct cow_error *err)
{
    for (size_t i = 0; i < plan->family->members; i++) {
        if (plan->family->member[i]->img == plan->img) {
            return 0;
        }
    }
    cow_error_set(err, COW_REFUSED, "%s: has changed since it was opened", plan->img->path);
    return cow_error_hint(err, "look again");
}

/* What one is that is not the image that was asked for stops all: it is refused, whatever it is. */
static int add_all_members(struct cow_plan *plan, const struct siblings *found,
                           const struct cow_resize_options *opt, struct cow_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < found->n; i++) {
        const struct sibling *s = &found->sibling[i];
        const bool asked =
            s->device == plan->img->cow.facts.st_dev && s->inode == plan->img->cow.facts.st_ino;
        status = add_family_member(plan, s, opt, err);
        if (!asked && (status == COW_INVALID || status == COW_NOT_COW || status == COW_UNSUPPORTED)) {
            status = err->status = COW_REFUSED;
        }
    }
    return status;
}

static void describe_family_growth(struct cow_plan *plan, const struct cow_resize_options *opt)
{
    static const char *const methods[] = {"", " --method copy", " --method header", " --method inserted",
                                          " --method moved"};
    char image[PATH_MAX], size[COW_SIZE_TEXT_BYTES], reserve[COW_SIZE_TEXT_BYTES];
    const struct plan_family *f = plan->family;
    bool undoes = true;
    for (size_t i = 0; i < f->members; i++) {
        undoes &= f->member[i]->method != RECORD_COPY || f->member[i]->keep_undo;
    }
    plan->preview.undo_text =
        undoes ? plan_words(plan, "\"cowtui undo\" of any of the %zu images takes all back", f->members)
               : "none: one of the images has other names";
    plan->preview.backing_text =
        f->extends
            ? plan_words(plan,
                         "%s becomes %s by a hole at its end, its date stays; all %zu images on it that "
                         "were found are resized, or none",
                         plan->backing.path, cow_size_text(size, opt->size_bytes), f->members)
            : plan_words(plan, "%s has the new size already and is not touched", plan->backing.path);
    plan->preview.command =
        plan_text(plan, "cowtui resize --family%s%s%s%s %s %s",
                  opt->method != COW_RESIZE_ANY ? methods[opt->method]
                  : opt->in_place               ? " --in-place"
                                                : "",
                  opt->reserve_bytes != 0 ? " --reserve " : "",
                  opt->reserve_bytes != 0 ? cow_size_argument(reserve, opt->reserve_bytes) : "",
                  opt->force ? " --force" : "", cow_shell_quote(image, sizeof image, plan->img->path),
                  cow_size_argument(size, opt->size_bytes));
    if (plan->backing.facts.st_nlink > 1 && f->extends) {
        plan_note(plan,
                  "the backing file has other names (hard links): it is the same file, and lengthened there, "
                  "too");
    }
}

static int build_family(struct cow_plan *plan, const struct cow_resize_options *opt,
                        const struct cow_family_options *where, struct cow_error *err)
{
    struct siblings found = {.n = 0};
    struct family_record *r = &plan->family->record;
    r->old_bytes = (uint64_t)plan->backing.facts.st_size;
    r->new_bytes = opt->size_bytes > r->old_bytes ? opt->size_bytes : r->old_bytes;
    r->mtime = plan->backing.facts.st_mtim;
    memcpy(r->path, plan->family->backing_path, strlen(plan->family->backing_path) + 1);
    plan->family->extends = r->new_bytes != r->old_bytes;
    plan->backing.new_size_bytes = r->new_bytes;
    int status = find_siblings(&found, plan, where, err);
    if (status == 0) {
        status = check_family_members(&found, plan->img, err);
    }
    if (status == 0) {
        status = add_all_members(plan, &found, opt, err);
    }
    if (status == 0) {
        status = check_asked_is_member(plan, err);
    }
    siblings_clear(&found);
    if (status == 0) {
        describe_family_growth(plan, opt);
    }
    return status;
}

int cow_plan_resize_family(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                           const struct cow_family_options *where, struct cow_error *err)
{
    struct cow_error local;
    struct cow_plan *plan;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = check_family_request(img, opt, err);
    if (status == 0) {
        status = family_new_plan(&plan, img, COW_OPERATION_RESIZE, img->backing.facts.path, err);
    }
    if (status != 0) {
        return status;
    }
    plan->force = opt->force;
    plan->result.header.size_bytes = opt->size_bytes;
    status = build_family(plan, opt, where, err);
    const bool nobody = status == 0 && plan->family->record.members == 0;
    if (nobody && plan->family->extends) { /* it is a change of the backing file alone, and of one image */
        cow_plan_free(plan);
        struct cow_resize_options alone = *opt;
        alone.policy = COW_POLICY_EXTEND;
        return cow_plan_resize(out, img, &alone, err);
    }
    status = family_finish(out, plan, status, err);
    if (status == 0 && nobody) {
        (*out)->n_steps = 0;
        (*out)->preview.method = COW_METHOD_NONE;
        (*out)->preview.changes_existing = false;
        (*out)->preview.files = 0;
    }
    return status;
}
