/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * recover, undo and discard of a change of several images, from whichever of them. Who asks about one image
 * alone is sent on (core/ops); the record beside it says which it is, and where that is gone already, because
 * it has been brought to its end, the journal beside its backing file.
 */
#include "core/family/change.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/family/family.h"
#include "core/ledger/journal.h"
#include "core/ledger/pending.h"
#include "core/ops/members.h"
#include "core/plan/footprint.h"
#include "core/plan/recover_check.h"
#include "cow/text.h"

int family_new_plan(struct cow_plan **out, struct cow_image *img, enum cow_operation operation,
                    const char *backing_path, struct cow_error *err)
{
    char real_path[PATH_MAX];
    struct stat facts;
    int status = img->io->resolve(img->io->context, backing_path, real_path, sizeof real_path);
    if (status == 0) {
        status = io_stat_disk(img->io, real_path, &facts);
    }
    if (status < 0) {
        return cow_error_system(err, -status, "%s: the backing file: %s", img->path, backing_path);
    }
    struct cow_plan *plan = plan_new(img->io, img, operation, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    status = plan_family_begin(plan, real_path, err);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    plan->target.path = plan->img->real_path;
    plan->backing.path = plan_text(plan, "%s", backing_path);
    plan->backing.facts = facts;
    plan->holds.backing = HOLD_WRITE;
    *out = plan;
    return 0;
}

static const struct cow_plan *member_asked_for(const struct cow_plan *plan)
{
    const struct plan_family *f = plan->family;
    for (size_t i = 0; i < f->members; i++) {
        if (f->member[i]->img == plan->img) {
            return f->member[i];
        }
    }
    return f->members > 0 ? f->member[0] : NULL;
}

/* The numbers of all; what is shown of one is shown of the one that was asked for. */
static void show_family(struct cow_plan *plan)
{
    const struct plan_family *f = plan->family;
    const struct cow_preview own = plan->preview;
    struct cow_preview *p = &plan->preview;
    const struct cow_plan *asked = member_asked_for(plan);
    if (asked != NULL) {
        *p = asked->preview;
        p->operation = own.operation;
        p->notes = own.notes;
        p->note = own.note;
        p->images = own.images;
        p->image = own.image;
        p->siblings = 0;
        p->outside_note = "";
        p->command = own.command;
        p->undo_text = own.undo_text;
    }
    p->backing_text = own.backing_text;
    p->target_path = plan->target.path;
    p->changes_existing = true;
    p->moves_bytes = p->writes_bytes = p->needs_free_bytes = 0;
    p->file = plan->files;
    p->files = own.files;
    for (size_t i = 0; i < f->members; i++) {
        const struct cow_preview *each = f->preview[i];
        p->moves_bytes += each->moves_bytes;
        p->writes_bytes += each->writes_bytes;
        p->needs_free_bytes += each->needs_free_bytes;
        p->needs_at_most |= each->needs_at_most;
        p->space_is_about |= each->space_is_about;
    }
}

/* The journal beside the backing file, and the draft of the next one. */
static uint64_t family_journal_bytes(const struct cow_plan *plan)
{
    uint8_t *bytes;
    size_t n_bytes;
    if (plan->purpose != PLAN_CHANGES ||
        family_record_encode(&bytes, &n_bytes, &plan->family->record, NULL) != 0) {
        return 0;
    }
    free(bytes);
    return 2 * footprint_round(n_bytes, footprint_block_of(&plan->backing.facts));
}

int family_finish(struct cow_plan **out, struct cow_plan *plan, int status, struct cow_error *err)
{
    if (status == 0) {
        show_family(plan);
        plan->preview.needs_free_bytes += family_journal_bytes(plan);
        plan_family_compose(plan);
        status = plan->out_of_memory ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    }
    if (status == 0) {
        *out = plan;
    } else {
        cow_plan_free(plan);
    }
    return status;
}

/* The record beside the backing file, into the plan. What it is called: for the words. */
static int read_family(struct cow_plan *plan, const char *what, struct cow_error *err)
{
    bool found;
    char path[PATH_MAX];
    struct plan_family *f = plan->family;
    int status =
        family_record_read(&f->record, &found, plan->io, f->backing_path, what, plan->img->path, err);
    if (status == 0 && !found) {
        cow_error_set(err, COW_REFUSED,
                      "%s: what was written down for all images on its backing file is gone: %s",
                      plan->img->path, side_path(path, f->backing_path, what));
        status =
            cow_error_hint(err, "%s",
                           strcmp(what, SIDE_FAMILY) == 0
                               ? "put that file back, then recover: without it nobody knows which way they go"
                               : "\"cowtui undo --discard\" removes the undo data");
    }
    f->extends = status == 0 && f->record.old_bytes != f->record.new_bytes;
    return status;
}

/* *out: the image of the plan itself, where it is that one; *owned is NULL then. */
static int open_family_member(struct cow_image **out, struct cow_image **owned, const struct cow_plan *plan,
                              const char *path, struct cow_error *err)
{
    *owned = NULL;
    *out = plan->img;
    if (strcmp(plan->img->real_path, path) == 0) {
        return 0;
    }
    int status = family_open(owned, plan->io, path, plan->family->backing_path, &plan->backing.facts, err);
    *out = *owned;
    return status;
}

static bool family_file_is_there(const struct cow_plan *plan, const char *path)
{
    struct stat facts;
    return plan->io->lstat(plan->io->context, path, &facts) == 0;
}

/* One that is gone for good, with its journal, is no obstacle for the others. */
static int recover_one(struct cow_plan *plan, const char *path, struct cow_error *err)
{
    char journal[PATH_MAX];
    struct cow_image *img, *owned;
    struct cow_plan *member = NULL;
    if (!family_file_is_there(plan, path) &&
        !family_file_is_there(plan, side_journal_path(journal, plan->io, path))) {
        plan_note(plan, "%s, which was one of them, is gone", path);
        return 0;
    }
    int status = open_family_member(&img, &owned, plan, path, err);
    if (status == 0) {
        status = recover_plan_member(&member, img, plan->family, err);
    }
    if (status == 0 && member != NULL) {
        return plan_family_add(plan, member, owned, err);
    }
    cow_image_close(owned);
    return status;
}

static int check_recovered_backing(const struct cow_plan *plan, struct cow_error *err)
{
    struct record record;
    struct host_file file;
    const struct plan_family *f = plan->family;
    family_record_of_backing(&record, &f->record, f->backing_path);
    int status = host_file_open(plan->io, &file, f->backing_path, O_RDONLY, err);
    if (status == 0) {
        status = recover_check_backing(plan->img, &record, file.fd, f->record.committed != 0 ? FORWARD : BACK,
                                       err);
        host_file_close(plan->io, &file);
    }
    return status;
}

static int check_family_way(const struct cow_plan *plan, enum cow_recover_way way, struct cow_error *err)
{
    const bool forward = plan->family->record.committed != 0;
    if (way == COW_RECOVER_AS_IT_IS || (way == COW_RECOVER_FORWARD) == forward) {
        return 0;
    }
    return cow_error_set(err, COW_REFUSED, "%s: recovery does not go %s: %s", plan->img->path,
                         forward ? "back" : "forward",
                         forward ? "all images on its backing file were ready, and some may be done with"
                                 : "not all images on its backing file were ready");
}

static void describe_family_recovery(struct cow_plan *plan)
{
    char image[PATH_MAX];
    const bool forward = plan->family->record.committed != 0;
    plan->preview.method = forward ? COW_METHOD_FORWARD : COW_METHOD_BACK;
    plan->preview.undo_text = "";
    plan->preview.backing_text = "";
    plan->preview.command =
        plan_text(plan, "cowtui recover %s", cow_shell_quote(image, sizeof image, plan->img->path));
    plan_note(plan,
              forward ? "all %zu images that were changed together go on to the end"
                      : "all %zu images that were changed together go back to the beginning",
              plan->family->record.members);
}

int family_plan_recover(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                        const char *backing_path, struct cow_error *err)
{
    struct cow_plan *plan;
    int status = family_new_plan(&plan, img, COW_OPERATION_RECOVER, backing_path, err);
    if (status != 0) {
        return status;
    }
    plan->purpose = PLAN_RECOVERS;
    status = read_family(plan, SIDE_FAMILY, err);
    if (status == 0) {
        status = check_family_way(plan, way, err);
    }
    if (status == 0) {
        status = check_recovered_backing(plan, err);
    }
    for (size_t i = 0; status == 0 && i < plan->family->record.members; i++) {
        status = recover_one(plan, plan->family->record.member[i], err);
    }
    if (status == 0) {
        describe_family_recovery(plan);
    }
    return family_finish(out, plan, status, err);
}

static int undo_one(struct cow_plan *plan, const char *path, bool discards, struct cow_error *err)
{
    struct cow_image *img, *owned;
    struct cow_plan *member;
    int status = open_family_member(&img, &owned, plan, path, err);
    if (status == 0) {
        status = discards ? discard_plan_alone(&member, img, err)
                          : undo_plan_member(&member, img, plan->family, err);
    }
    if (status == 0) {
        return plan_family_add(plan, member, owned, err);
    }
    cow_image_close(owned);
    return status;
}

/* Somebody may have written to it since, or lengthened it further. */
static int check_undone_backing(const struct cow_plan *plan, struct cow_error *err)
{
    const struct family_record *r = &plan->family->record;
    const struct stat *facts = &plan->backing.facts;
    if (!plan->family->extends ||
        ((uint64_t)facts->st_size == r->new_bytes && facts->st_mtim.tv_sec == r->mtime.tv_sec &&
         facts->st_mtim.tv_nsec == r->mtime.tv_nsec)) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: %s has changed since: going back would lose that", plan->img->path,
                  plan->backing.path);
    return cow_error_hint(err, "\"cowtui undo --discard\" removes the undo data");
}

static void describe_family_undo(struct cow_plan *plan)
{
    char image[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    plan->preview.undo_text = "none: the change would have to be made again";
    plan->preview.command =
        plan_text(plan, "cowtui undo %s", cow_shell_quote(image, sizeof image, plan->img->path));
    plan_note(plan, "all %zu images that were changed together go back", plan->family->members);
    if (plan->family->extends) {
        plan->preview.backing_text = plan_words(
            plan,
            "%s is cut back to %s; another COW image that was resized to the longer one no longer fits it",
            plan->backing.path, cow_size_text(size, plan->family->record.old_bytes));
    }
}

int family_plan_undo(struct cow_plan **out, struct cow_image *img, const char *backing_path,
                     struct cow_error *err)
{
    struct cow_plan *plan;
    int status = family_new_plan(&plan, img, COW_OPERATION_UNDO, backing_path, err);
    if (status != 0) {
        return status;
    }
    plan->purpose = PLAN_UNDOES;
    status = read_family(plan, SIDE_FAMILY_UNDO, err);
    if (status == 0) {
        status = check_undone_backing(plan, err);
    }
    for (size_t i = 0; status == 0 && i < plan->family->record.members; i++) {
        status = undo_one(plan, plan->family->record.member[i], false, err);
    }
    if (status == 0) {
        describe_family_undo(plan);
    }
    return family_finish(out, plan, status, err);
}

/* Those whose last change was this one. */
static int discard_one(struct cow_plan *plan, const char *path, struct cow_error *err)
{
    struct cow_image *img, *owned;
    struct record record;
    bool found = false, is_of_it = false;
    struct cow_error ignored;
    if (!family_file_is_there(plan, path) || open_family_member(&img, &owned, plan, path, &ignored) != 0) {
        return 0;
    }
    if (journal_read(&record, &found, img, SIDE_UNDO, NULL, &ignored) == 0 && found) {
        is_of_it = memcmp(record.family_id, plan->family->record.id, sizeof record.family_id) == 0;
        record_clear(&record);
    }
    cow_image_close(owned);
    return is_of_it ? undo_one(plan, path, true, err) : 0;
}

int family_plan_discard(struct cow_plan **out, struct cow_image *img, const char *backing_path,
                        struct cow_error *err)
{
    char image[PATH_MAX];
    struct cow_plan *plan;
    int status = pending_check(img, err); /* what is under way may be about to put its own in that place */
    if (status == 0) {
        status = family_new_plan(&plan, img, COW_OPERATION_DISCARD_UNDO, backing_path, err);
    }
    if (status != 0) {
        return status;
    }
    plan->purpose = PLAN_DISCARDS;
    status = read_family(plan, SIDE_FAMILY_UNDO, err);
    for (size_t i = 0; status == 0 && i < plan->family->record.members; i++) {
        status = discard_one(plan, plan->family->record.member[i], err);
    }
    if (status == 0) {
        plan->preview.undo_text = "none: this gives up going back, for all of them";
        plan->preview.command =
            plan_text(plan, "cowtui undo --discard %s", cow_shell_quote(image, sizeof image, img->path));
        plan_note(plan, "the undo data of all %zu images that were changed together goes",
                  plan->family->members);
    }
    return family_finish(out, plan, status, err);
}
