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
#include "core/ledger/pending.h"
#include "cow/text.h"

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

/* What another image has begun may concern the backing file. */
static int check_siblings(const struct siblings *siblings, struct cow_error *err)
{
    const struct sibling *held = siblings_held(siblings), *pending = siblings_pending(siblings);
    return held != NULL ? refuse_held(held, err) : pending != NULL ? pending_refuse_sibling(pending, err) : 0;
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
