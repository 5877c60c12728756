/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is asked of the files around an image before a change of it may begin: nothing interrupted waits,
 * nobody holds an image on the backing file that is to be written, the names that are needed are free. Each
 * is asked again under the lock (commit/step_lock.c): between a plan and its yes minutes may go by.
 */
#include "core/plan/plan_rules.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "core/beside/side.h"
#include "core/image/siblings.h"
#include "cow/text.h"

int plan_no_lock(struct cow_error *err, int status, const char *path)
{
    cow_error_system(err, -status, "locking %s", path);
    return cow_error_hint(
        err, "where this filesystem has no locks, a running guest could not be noticed: copy the files "
             "to a local one, or mount it with locks (NFS: local_lock=all, or nfsvers=4)");
}

int plan_refuse_without_journal(const struct cow_image *img, struct cow_error *err)
{
    char path[PATH_MAX];
    cow_error_set(err, COW_REFUSED,
                  "%s: is unfinished: its data was being moved, and the journal of that is not beside it: %s",
                  img->path, side_path(path, img->real_path, SIDE_MOVE));
    return cow_error_hint(
        err, "put that file and the position file back (from the same backup as the image), then "
             "\"cowtui recover\"");
}

/* A change of all images on its backing file, of which this one may have been finished already. */
static int check_pending_family(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->state != COW_BACKING_FOUND || !side_has_family_journal(img->io, backing->path)) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: a change of all images on %s was interrupted", img->path,
                  backing->path);
    return cow_error_hint(err, "\"cowtui recover %s\" finishes it or takes it back",
                          cow_shell_quote(image, sizeof image, img->path));
}

int plan_check_pending(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    struct cow_error whose;
    if (img->is_moving) {
        return image_require_layout(img, err);
    }
    switch (side_find_journal(img->io, img->real_path, &img->cow.facts, img->path, &whose)) {
    case SIDE_NO_JOURNAL: /* what it was can be read; to move its data again would be the end of it */
        return img->is_half ? plan_refuse_without_journal(img, err) : check_pending_family(img, err);
    case SIDE_JOURNAL_STRANGE:
        cow_error_set(err, COW_REFUSED, "%s: it looks as if an earlier change of it was interrupted: %s",
                      img->path, whose.message);
        return cow_error_hint(err, "%s", whose.hint);
    case SIDE_JOURNAL_OBEYED:
        break;
    }
    cow_error_set(err, COW_REFUSED, "%s: an earlier change of it was interrupted", img->path);
    return cow_error_hint(err, "\"cowtui recover %s\" finishes it or takes it back",
                          cow_shell_quote(image, sizeof image, img->path));
}

int plan_check_ready(const struct cow_image *img, struct cow_error *err)
{
    int status = plan_check_pending(img, err);
    return status != 0 ? status : image_require_layout(img, err);
}

int plan_check_way_of(const struct cow_image *img, const char *target_path, const char *what,
                      struct cow_error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    side_path(path, target_path, what);
    if (img->io->lstat(img->io->context, path, &facts) < 0) {
        return 0;
    }
    if (!S_ISREG(facts.st_mode)) {
        cow_error_set(err, COW_REFUSED, "%s: in the way, and not a regular file", path);
    } else if (facts.st_uid != img->io->caller(img->io->context) && facts.st_uid != img->cow.facts.st_uid) {
        cow_error_set(err, COW_REFUSED, "%s: in the way, and another user's (uid %ju)", path,
                      (uintmax_t)facts.st_uid);
    } else {
        return 0;
    }
    return cow_error_hint(err,
                          "a change needs that name beside the image: look what it is, and move it away");
}

int plan_check_way(const struct cow_plan *plan, struct cow_error *err)
{
    static const char *const names[] = {SIDE_NEW,  SIDE_DRAFT,    SIDE_OLD, SIDE_JOURNAL,
                                        SIDE_MOVE, SIDE_POSITION, SIDE_UNDO};
    /* Recovery and undo start from what is there, and judge it themselves. */
    const bool changes = plan->purpose == PLAN_CHANGES && plan->method != RECORD_NONE;
    int status = 0;
    for (size_t i = 0; changes && status == 0 && i < sizeof names / sizeof *names; i++) {
        status = plan_check_way_of(plan->img, plan->target.path, names[i], err);
    }
    return status;
}

int plan_check_names(const struct cow_image *img, bool force, struct cow_error *err)
{
    if (img->cow.facts.st_nlink <= 1 || force) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s has %ju names (hard links): the others would keep the old disk",
                  img->path, (uintmax_t)img->cow.facts.st_nlink);
    return cow_error_hint(err, "-o FILE writes the result elsewhere; --force goes on");
}

static int refuse_held(const struct sibling *held, struct cow_error *err)
{
    char pid[32];
    snprintf(pid, sizeof pid, held->holder.pid > 0 ? "pid %" PRId64 : "another process", held->holder.pid);
    cow_error_set(err, COW_LOCKED, "%s: is on the same backing file, and in use by %s", held->path, pid);
    return cow_error_hint(err, "a running UML guest, most likely: shut it down first");
}

static int refuse_pending(const struct sibling *pending, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    cow_error_set(err, COW_REFUSED, "%s: is on the same backing file, and a change of it was interrupted%s",
                  pending->path, pending->pending_is_strange ? ", says a journal that is not obeyed" : "");
    return cow_error_hint(err, "first of all: cowtui recover %s",
                          cow_shell_quote(image, sizeof image, pending->path));
}

/* What another image has begun may concern the backing file. */
static int check_siblings(const struct siblings *siblings, struct cow_error *err)
{
    const struct sibling *held = siblings_held(siblings), *pending = siblings_pending(siblings);
    return held != NULL ? refuse_held(held, err) : pending != NULL ? refuse_pending(pending, err) : 0;
}

int plan_check_siblings(const struct cow_plan *plan, struct cow_error *err)
{
    struct siblings siblings;
    int status =
        siblings_find_on(&siblings, plan->io, plan->img, plan->backing.path, &plan->backing.facts, err);
    if (status == 0) {
        status = check_siblings(&siblings, err);
        siblings_clear(&siblings);
    }
    return status;
}

int plan_check_pending_on(const struct cow_image *img, const char *path, const struct stat *facts,
                          struct cow_error *err)
{
    struct siblings siblings;
    int status = siblings_find_on(&siblings, img->io, img, path, facts, err);
    if (status == 0) {
        const struct sibling *pending = siblings_pending(&siblings);
        status = pending != NULL ? refuse_pending(pending, err) : 0;
        siblings_clear(&siblings);
    }
    return status;
}

int plan_list_siblings(struct cow_plan *plan, struct cow_error *err)
{
    struct siblings siblings;
    int status = siblings_find(&siblings, plan->img, err);
    if (status != 0) {
        return status;
    }
    status = check_siblings(&siblings, err);
    if (siblings.incomplete) {
        plan_note(plan, "not all of the directories could be searched for other images on the backing file");
    }
    for (size_t i = 0; i < siblings.n && plan->preview.siblings < PLAN_SIBLINGS_MAX; i++) {
        plan->siblings[plan->preview.siblings++] = plan_text(plan, "%s", siblings.sibling[i].path);
    }
    if (siblings.n > PLAN_SIBLINGS_MAX) {
        plan_note(plan, "%zu COW images more are on the same backing file", siblings.n - PLAN_SIBLINGS_MAX);
    }
    siblings_clear(&siblings);
    return status;
}
