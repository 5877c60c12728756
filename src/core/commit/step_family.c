/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps of a change of several images that are about what they share: the lock on the backing file, the
 * room for all, its journal, its length. In between commit.c walks the members' steps.
 *
 * What a crash leaves: before the journal new files that nobody looks for; from then on the journal, which
 * says "back" (all members go back, then the backing file, then the journal goes) until the one rename that
 * makes it say "on" (the backing file first, then all members, then the journal becomes what undoes it for
 * all). A member whose own journal is gone has been brought to its end, or its beginning, already. So
 * recovery can be cut off and begun again at every point, from any member.
 *
 * The journal's rename is flushed before any member goes on: after a power cut it could say "back" again, and
 * a member that is the new image already has no way back. Where that flush fails, nobody goes on and nothing
 * is taken back: recovery looks what the disk says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/commit/retreat.h"
#include "core/commit/settle.h"
#include "core/commit/step_family.h"
#include "core/image/siblings.h"
#include "core/ledger/state.h"
#include "core/plan/recover_check.h"
#include "cow/text.h"

static bool is_a_member(const struct plan_family *family, const struct sibling *sibling)
{
    for (size_t i = 0; i < family->members; i++) {
        const struct stat *facts = &family->member[i]->img->cow.facts;
        if (facts->st_dev == sibling->device && facts->st_ino == sibling->inode) {
            return true;
        }
    }
    return false;
}

/* The members are held by us. Another image, that has come to the backing file since or could not be known
 * of: it would be left behind. Of an undo that is no matter, as of a single one, but somebody may run on it.
 */
static int refuse_stranger(struct commit *c, const struct sibling *sibling)
{
    char quoted[COW_HINT_BYTES / 2];
    if (sibling->holder.held) {
        cow_error_set(c->err, COW_LOCKED, "%s: is on the same backing file, and in use by %s", sibling->path,
                      "another process");
        return cow_error_hint(c->err, "a running UML guest, most likely: shut it down first");
    }
    if (sibling->pending) {
        cow_error_set(c->err, COW_REFUSED,
                      "%s: is on the same backing file, and a change of it was interrupted", sibling->path);
        return cow_error_hint(c->err, "first of all: cowtui recover %s",
                              cow_shell_quote(quoted, sizeof quoted, sibling->path));
    }
    if (c->plan->purpose == PLAN_CHANGES) {
        cow_error_set(c->err, COW_REFUSED, "%s: has come to the same backing file since it was looked at",
                      sibling->path);
        return cow_error_hint(c->err, "look again: the plan was made without it");
    }
    return 0;
}

static int check_strangers(struct commit *c)
{
    struct siblings siblings = {.n = 0};
    int status = siblings_find_on(&siblings, c->io, c->plan->img, c->plan->family->backing_path,
                                  &c->plan->backing.facts, c->err);
    if (status == 0 && siblings.failure != 0) {
        status = commit_failed(c, siblings.failure, "looking who else is on", c->plan->family->backing_path);
    }
    for (size_t i = 0; status == 0 && i < siblings.n; i++) {
        if (!is_a_member(c->plan->family, &siblings.sibling[i])) {
            status = refuse_stranger(c, &siblings.sibling[i]);
        }
    }
    siblings_clear(&siblings);
    return status;
}

/* What the plan was made from must be what is there still. */
static int check_family_record(struct commit *c, const char *what)
{
    struct family_record now;
    bool found;
    const struct plan_family *family = c->plan->family;
    int status =
        family_record_read(&now, &found, c->io, family->backing_path, what, c->plan->img->path, c->err);
    if (status != 0) {
        return status;
    }
    const bool same = found && now.sum == family->record.sum;
    if (found) {
        family_record_clear(&now);
    }
    if (same) {
        return 0;
    }
    cow_error_set(c->err, COW_REFUSED,
                  "%s: another change of the images on it was begun since it was looked at",
                  family->backing_path);
    return cow_error_hint(c->err, "look again: the plan was made from what was there before");
}

/* Before anything is recovered: what is decided on must be durable, and the backing file as it was left. */
static int begin_family_recovery(struct commit *c)
{
    const struct plan_family *family = c->plan->family;
    c->renamed = c->journal_made = true; /* nothing of this is taken back */
    int status = check_family_record(c, SIDE_FAMILY);
    if (status == 0) {
        int synced = io_sync_directory(c->io, family->backing_path);
        status = synced < 0 ? commit_failed(c, synced, "flushing the directory of", family->backing_path) : 0;
    }
    return status == 0 ? recover_check_backing(c->plan->img, &c->record, c->backing_fd,
                                               family->record.committed != 0 ? FORWARD : BACK, c->err)
                       : status;
}

static int begin_family_undo(struct commit *c)
{
    int status = check_family_record(c, SIDE_FAMILY_UNDO);
    if (status != 0 || c->record.extends == 0 || c->plan->purpose == PLAN_DISCARDS) {
        return status;
    }
    status = state_backing_is_ours(c->io, &c->record, "", c->backing_fd, true);
    return status < 0    ? commit_failed(c, status, "looking at", c->plan->family->backing_path)
           : status == 0 ? state_refuse_backing(&c->record, c->err)
                         : 0;
}

int commit_family_lock(struct commit *c)
{
    const struct plan_family *family = c->plan->family;
    int status = commit_lock(c);
    if (status == 0 && c->plan->purpose != PLAN_RECOVERS && c->plan->purpose != PLAN_DISCARDS) {
        status = check_strangers(c);
    }
    if (status != 0) {
        return status;
    }
    family_record_of_backing(&c->record, &family->record, family->backing_path);
    c->has_record = true;
    return c->plan->purpose == PLAN_RECOVERS  ? begin_family_recovery(c)
           : c->plan->purpose == PLAN_CHANGES ? 0
                                              : begin_family_undo(c);
}

/* On each filesystem what the members there need together. */
int commit_family_space(struct commit *c)
{
    const struct plan_family *family = c->plan->family;
    int status = 0;
    for (size_t i = 0; i < family->members && status == 0; i++) {
        const dev_t device = family->member[i]->img->cow.facts.st_dev;
        uint64_t needed = 0;
        bool counted = false;
        for (size_t k = 0; k < family->members; k++) {
            if (family->member[k]->img->cow.facts.st_dev == device) {
                counted |= k < i;
                needed += family->member[k]->preview.needs_free_bytes;
            }
        }
        status = counted ? 0 : commit_require_space(c, family->member[i]->img->cow.fd, needed);
    }
    return status;
}

/* *placed: it may be there. */
static int write_family(struct commit *c, bool *placed)
{
    uint8_t *bytes;
    size_t n_bytes;
    const struct plan_family *family = c->plan->family;
    int status = family_record_encode(&bytes, &n_bytes, &family->record, c->err);
    if (status != 0) {
        return status;
    }
    status = settle_write_family(c->io, family->backing_path, bytes, n_bytes, placed);
    free(bytes);
    return status < 0 ? commit_failed(c, status, "writing the journal beside", family->backing_path) : 0;
}

/* What is new in the record of a change that begins; that of an undo is the one it undoes. */
static int fill_family_record(struct commit *c)
{
    struct family_record *r = &c->plan->family->record;
    struct stat now;
    int status = c->io->fstat(c->io->context, c->backing_fd, &now);
    if (status == 0) {
        status = c->io->random(c->io->context, r->id, sizeof r->id);
    }
    if (status < 0) {
        return commit_failed(c, status, "preparing the journal beside", c->plan->family->backing_path);
    }
    r->backing_inode = now.st_ino;
    if (c->io->filesystem_id(c->io->context, c->backing_fd, r->filesystem) < 0) {
        memset(r->filesystem, 0, sizeof r->filesystem);
    }
    family_record_of_backing(&c->record, r, c->plan->family->backing_path);
    return 0;
}

int commit_family_journal(struct commit *c)
{
    struct family_record *r = &c->plan->family->record;
    char path[PATH_MAX];
    struct stat facts;
    int status = c->plan->purpose == PLAN_CHANGES ? fill_family_record(c) : 0;
    if (status != 0) {
        return status;
    }
    status =
        c->io->lstat(c->io->context, side_path(path, c->plan->family->backing_path, SIDE_FAMILY), &facts);
    if (status != -ENOENT) {
        return commit_failed(c, status == 0 ? -EEXIST : status, "beginning", path);
    }
    r->committed = 0;
    r->goes_back = c->plan->purpose == PLAN_UNDOES;
    family_record_of_backing(&c->record, r, c->plan->family->backing_path);
    return write_family(c, &c->journal_made);
}

int commit_family_commit(struct commit *c)
{
    c->plan->family->record.committed = 1;
    return write_family(c, &c->renamed); /* from then on nothing is taken back */
}

int commit_family_backing(struct commit *c)
{
    const struct family_record *r = &c->plan->family->record;
    const bool cuts = c->plan->purpose == PLAN_RECOVERS ? (r->committed != 0) == (r->goes_back != 0) : true;
    c->backing_written = true;
    int status = retreat_backing(c, cuts);
    return status == -EBUSY ? state_refuse_backing(&c->record, c->err)
           : status < 0     ? commit_failed(c, status, "giving its length to", c->plan->family->backing_path)
                            : 0;
}

/* The journal's end; done: the change is, and not taken back. 0 or -errno. */
static int end_family_journal(struct commit *c, bool done)
{
    char journal[PATH_MAX], undo[PATH_MAX], draft[PATH_MAX];
    const struct family_record *r = &c->plan->family->record;
    const char *backing = c->plan->family->backing_path;
    side_path(journal, backing, SIDE_FAMILY);
    side_path(undo, backing, SIDE_FAMILY_UNDO);
    c->io->unlink(c->io->context,
                  side_path(draft, backing, SIDE_FAMILY_DRAFT)); /* of a crash, if there is one */
    int status = 0;
    if (done && r->goes_back == 0) {
        status = c->io->rename(c->io->context, journal, undo, true);
        return status == 0 ? io_sync_directory(c->io, backing) : status;
    }
    if (done) {
        status = c->io->unlink(c->io->context, undo);
        status = status == -ENOENT ? 0 : status;
    }
    if (status == 0) {
        status = c->io->unlink(c->io->context, journal);
    }
    return status == 0 ? io_sync_directory(c->io, backing) : status;
}

/* Are two files in one directory? Paths of records are absolute and resolved. */
static bool is_beside(const char *a, const char *b)
{
    const size_t n = (size_t)(strrchr(a, '/') - a);
    return n == (size_t)(strrchr(b, '/') - b) && memcmp(a, b, n) == 0;
}

/* Each directory of these files once. What is gone with its directory has none. 0 or -errno. */
static int flush_directories(struct commit *c, char *const *path, size_t n)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < n; i++) {
        bool flushed = false;
        for (size_t k = 0; k < i && !flushed; k++) {
            flushed = is_beside(path[i], path[k]);
        }
        status = flushed ? 0 : io_sync_directory(c->io, path[i]);
        status = status == -ENOENT ? 0 : status;
    }
    return status;
}

/* A member whose record an earlier run removed, without a flush before it was killed, has no part in this
 * plan: after a power cut that record would come back, and nobody know its way. So all of the record. */
int commit_family_end(struct commit *c)
{
    const struct family_record *r = &c->plan->family->record;
    int status = c->plan->purpose == PLAN_RECOVERS ? flush_directories(c, r->member, r->members) : 0;
    if (status == 0) {
        status = end_family_journal(c, r->committed != 0);
    }
    return status < 0 ? commit_failed(c, status, "closing the journal beside", c->plan->family->backing_path)
                      : 0;
}

int commit_family_forget(struct commit *c)
{
    char undo[PATH_MAX];
    const char *backing = c->plan->family->backing_path;
    if (side_has_family_journal(c->io, backing)) { /* begun since it was planned: it will put its own there */
        return cow_error_set(c->err, COW_REFUSED, "%s: a change of all images on it was begun meanwhile",
                             backing);
    }
    int status = c->io->unlink(c->io->context, side_path(undo, backing, SIDE_FAMILY_UNDO));
    status = status == -ENOENT ? 0 : status;
    if (status == 0) {
        status = io_sync_directory(c->io, undo);
    }
    return status < 0 ? commit_failed(c, status, "removing", undo) : 0;
}

bool family_take_back(struct commit *c)
{
    const struct family_record *r = &c->plan->family->record;
    if (!c->journal_made) {
        return true;
    }
    int status = c->backing_written ? retreat_backing(c, c->plan->purpose == PLAN_CHANGES) : 0;
    if (status == 0) { /* their journals must be gone for good before this one goes: it says which way */
        status = flush_directories(c, r->member, r->members);
    }
    return status == 0 && end_family_journal(c, false) == 0;
}
