/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * recover: finishing a change that was interrupted, or taking it back. The record says what was meant, the
 * files say how far it came; every call can be interrupted and repeated. It acts only under the lock, and
 * decides again there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/change/recover_check.h"
#include "core/change/retreat.h"
#include "core/change/settle.h"
#include "core/change/steps.h"
#include "cow/text.h"

/* The questions below answer 1, 0, or -errno: what cannot be looked at is no "no", for a wrong direction
 * could not be taken back.
 */

/* What is to be done, and why. */
struct decision {
    enum direction direction;
    bool base_changed; /* the new image is complete, but what it relies on has changed, or moved; of a merge
                          that is given up: the backing file has another date than before it */
};

/* Is the new image of a copy complete under its temporary name? The true size is written last of all. */
static int new_file_complete(const struct cow_io *io, const struct record *record, const char *image_path,
                             uint8_t header[COW_HEADER_BYTES_MAX])
{
    char path[PATH_MAX];
    struct stat facts;
    int fd = io_open_regular(io, side_path(path, image_path, SIDE_NEW), O_RDONLY | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    int status = io_read_padded(io, fd, header, COW_HEADER_BYTES_MAX, 0);
    const bool is =
        journal_is_file(record, io, fd, &facts, record->new_inode, record->new_file_bytes, record->new_mtime);
    io->close(io->context, fd);
    return status < 0 ? status : is && record_crc(header, COW_V3_HEADER_BYTES) == record->new_header_crc;
}

/* Is the private backing file, where there is to be one, there under its own name, as the change has left it?
 * It gets that name last of all. */
static int copy_complete(const struct cow_io *io, const struct record *record)
{
    struct stat facts;
    if (record->copy_inode == 0) {
        return 1;
    }
    int status = io->lstat(io->context, record->copy_path, &facts);
    if (status < 0) {
        return status == -ENOENT ? 0 : status;
    }
    return journal_number_fits(record, facts.st_ino, record->copy_inode) &&
           (uint64_t)facts.st_size == record->backing_new_bytes &&
           same_time(facts.st_mtim, record->backing_mtime);
}

static int undo_file_there(const struct cow_image *img, const struct record *record)
{
    char undo[PATH_MAX];
    return record->kind == RECORD_UNDO_IN_PLACE
               ? 1
               : settle_has_undo(img->io, record, side_path(undo, img->real_path, SIDE_UNDO));
}

/* Is there a whole new image that can take the old one's place? Until then the old one has all of the disk;
 * afterwards what the new one leaves out, because the backing file has it, must be there. */
static int new_image_is_good(struct decision *out, const struct cow_image *img, const struct record *record)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    int yes = copy_complete(img->io, record);
    yes = yes == 1 ? new_file_complete(img->io, record, img->real_path, header) : yes;
    if (yes == 1) {
        yes = recover_base_fits(img, record, header);
        out->base_changed = yes == 0;
    }
    return yes;
}

static bool has_old_date(const struct cow_io *io, const struct record *record)
{
    struct stat facts;
    return io->stat(io->context, record->backing_path, &facts) == 0 &&
           same_time(facts.st_mtim, record->backing_old_mtime);
}

/* 0 with *out, or -errno. */
static int choose_direction(struct decision *out, const struct cow_plan *plan, const struct record *record)
{
    const struct cow_image *img = plan->img;
    const enum journal_view view = journal_view(record, img);
    int yes = 0;
    *out = (struct decision){.direction = NOWHERE};
    if (view == JOURNAL_SEES_STRANGE) {
        return 0;
    }
    switch ((enum record_kind)record->kind) {
    case RECORD_COPY:
        yes = view == JOURNAL_SEES_NEW;
        if (!yes && journal_unwritten(record, &img->cow.facts, false)) {
            yes = new_image_is_good(out, img, record);
        }
        break;
    case RECORD_IN_PLACE:
        yes = view == JOURNAL_SEES_NEW;
        break;
    case RECORD_MERGE:
        yes = view == JOURNAL_SEES_NEW ? 1 : merge_has_begun(img->io, record, img->real_path);
        out->base_changed = yes == 0 && !has_old_date(img->io, record);
        break;
    case RECORD_UNDO_COPY:
    case RECORD_UNDO_IN_PLACE:
        /* A guest that has written to the new image since wins over the wish to go back; and without the old
         * image there is nothing to go back to. */
        yes = view == JOURNAL_SEES_OLD;
        if (!yes && journal_unwritten(record, &img->cow.facts, true)) {
            yes = undo_file_there(img, record);
        }
        break;
    }
    if (yes < 0) {
        return yes;
    }
    out->direction = yes ? FORWARD : BACK;
    return 0;
}

/* A crash may have left what was written in the page cache only, and the date unset. */
static int flush_new_file(struct commit *c)
{
    char path[PATH_MAX];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->record.new_mtime};
    int status = retreat_hold(c, side_path(path, c->plan->target_path, SIDE_NEW));
    if (status == 0) {
        status = c->io->futimens(c->io->context, c->out_fd, times);
    }
    return status == 0 ? c->io->fsync(c->io->context, c->out_fd) : status;
}

static int copy_forward(struct commit *c)
{
    char temp[PATH_MAX], old[PATH_MAX];
    bool counted = false;
    const char *image = c->plan->target_path;
    int status = retreat_backing(c, false);
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD) {
        status = flush_new_file(c);
    }
    if (status == 0 && journal_view(&c->record, c->plan->img) == JOURNAL_SEES_OLD) {
        side_path(old, image, SIDE_OLD);
        settle_remove(c->io, &c->record, old, c->record.old_inode);
        if (c->record.keeps_undo) {
            (void)settle_link_old(c->io, image, c->image_fd); /* without hard links there is no undo */
            counted = true;
        }
        status = c->io->rename(c->io->context, side_path(temp, image, SIDE_NEW), image, true);
        if (status == 0) {
            status = io_sync_directory(c->io, image);
        }
    }
    return status == 0 && c->record.keeps_undo ? settle_keep_undo(c->io, &c->record, image, SIDE_OLD, counted)
                                               : status;
}

/* The way back that the user asked for. 0 or -errno. */
static int undo_back(struct commit *c)
{
    char undo[PATH_MAX];
    const char *image = c->plan->target_path;
    const struct record *r = &c->record;
    int status;
    c->renamed = true; /* from here on: what is left is finished by recovery, not taken back */
    side_path(undo, image, SIDE_UNDO);
    if (r->kind == RECORD_UNDO_COPY) {
        status = retreat_hold(c, undo);
        if (status == 0) {
            status = settle_revive_undo(c->io, r, undo);
        }
        bool there = status != -ENOENT;
        if (!there && journal_view(r, c->plan->img) == JOURNAL_SEES_OLD) {
            status = 0; /* it has its old name already */
        }
        if (status == 0) {
            status = retreat_backing(c, true);
        }
        if (status == 0 && there) {
            status = c->io->rename(c->io->context, undo, image, true);
        }
        if (status == 0) {
            status = io_sync_directory(c->io, image);
        }
    } else {
        status = settle_in_place_back(c->io, r, c->image_fd, c->plan->undoes);
        if (status == 0) {
            status = retreat_backing(c, true);
        }
        if (status == 0) {
            status = c->io->unlink(c->io->context, undo);
            status = status == -ENOENT ? 0 : status;
        }
    }
    return status == 0 ? retreat_remove_copy(c) : status;
}

int commit_undo(struct commit *c)
{
    int status = 1;                                /* it is ours, or none is written */
    if (c->record.extends && c->backing_fd >= 0) { /* asked before anything is written */
        status = settle_backing_is_ours(c->io, &c->record, c->plan->target_path, c->backing_fd, true);
    }
    if (status == 0) {
        return settle_refuse_backing(&c->record, c->err);
    }
    status = status < 0 ? status : undo_back(c);
    return status < 0 ? commit_failed(c, status, "going back to the old", c->plan->target_path) : 0;
}

/* An undo that was interrupted, and then somebody used the new image: it stays, with a backing file of its
 * size, and so does what undoes it. */
static int abandon_undo(struct commit *c)
{
    int status = retreat_backing(c, false);
    return status == 0 && c->record.kind == RECORD_UNDO_COPY
               ? settle_keep_undo(c->io, &c->record, c->plan->target_path, SIDE_UNDO, false)
               : status;
}

static int run_direction(struct commit *c, enum direction direction)
{
    switch ((enum record_kind)c->record.kind) {
    case RECORD_COPY:
        return direction == FORWARD ? copy_forward(c) : retreat_from_copy(c);
    case RECORD_IN_PLACE:
        return direction == FORWARD ? retreat_backing(c, false) : retreat_in_place(c, false);
    case RECORD_MERGE:
        return direction == FORWARD ? merge_forward(c) : retreat_from_merge(c);
    case RECORD_UNDO_COPY:
    case RECORD_UNDO_IN_PLACE:
        return direction == FORWARD ? undo_back(c) : abandon_undo(c);
    }
    return -EINVAL;
}

/* A change in place that is done leaves its journal as the undo file. */
static int end_journal(struct commit *c, enum direction direction)
{
    char journal[PATH_MAX], undo[PATH_MAX];
    const char *image = c->plan->target_path;
    side_path(journal, image, SIDE_JOURNAL);
    int status = c->record.kind == RECORD_IN_PLACE && direction == FORWARD
                     ? c->io->rename(c->io->context, journal, side_path(undo, image, SIDE_UNDO), true)
                     : c->io->unlink(c->io->context, journal);
    if (status == 0 && c->record.kind == RECORD_MERGE &&
        direction == FORWARD) { /* of a change before: of no use */
        status = c->io->unlink(c->io->context, side_path(undo, image, SIDE_UNDO));
        status = status == -ENOENT ? 0 : status;
    }
    return status == 0 ? io_sync_directory(c->io, image) : status;
}

int commit_recover(struct commit *c)
{
    bool found;
    c->renamed = true; /* nothing of this is taken back */
    int status = journal_read(&c->record, &found, c->plan->img, SIDE_JOURNAL, NULL, c->err);
    if (status != 0) {
        return status;
    }
    if (!found) {
        return cow_error_set(c->err, COW_REFUSED, "%s: there is nothing to recover any more",
                             c->plan->img->path);
    }
    c->has_record = true;
    c->journal_made = true;
    status = journal_check(&c->record, c->plan->img, SIDE_JOURNAL, c->err);
    if (status != 0) {
        return status;
    }
    struct decision decision;
    status = recover_check_way(c->plan, &c->record, NOWHERE, c->err);
    if (status != 0) {
        return status;
    }
    status = choose_direction(&decision, c->plan, &c->record);
    if (status < 0) {
        return commit_failed(c, status, "looking at what is left beside", c->plan->img->path);
    }
    const enum direction direction = decision.direction;
    if (direction == NOWHERE) {
        return cow_error_set(c->err, COW_REFUSED, "%s: not the image that the journal is about",
                             c->plan->img->path);
    }
    status = recover_check_way(c->plan, &c->record, direction, c->err);
    if (status == 0) {
        status = recover_check_others(c->plan, &c->record, direction, &c->plan->backing_facts, c->err);
    }
    if (status == 0 && c->backing_fd >= 0) {
        status = recover_check_backing(c->plan->img, &c->record, c->backing_fd, direction, c->err);
    }
    if (status != 0) {
        return status;
    }
    /* What is decided on must be durable first: names that only the page cache knows could be gone after a
     * power cut, and what was done by them not. */
    status = io_sync_directory(c->io, c->plan->target_path);
    if (status == 0 && c->record.copy_inode != 0) {
        status = io_sync_directory(c->io, c->record.copy_path);
    }
    if (status == 0) {
        status = run_direction(c, direction);
    }
    if (status == 0) {
        status = end_journal(c, direction);
    }
    return status < 0 ? commit_failed(c, status, "recovering", c->plan->img->path) : status;
}

static const char *what_happens(const struct record *record, const struct decision *decision)
{
    const enum direction direction = decision->direction;
    switch ((enum record_kind)record->kind) {
    case RECORD_COPY:
        return direction == FORWARD
                   ? (record->keeps_undo
                          ? "the new image is complete: it is put in place, and the old one kept for undo"
                          : "the new image is complete: it is put in place; the old one keeps its other "
                            "names")
               : decision->base_changed
                   ? "the new image is complete, but its backing file has changed or moved since: it is "
                     "removed, and the old one stays as it is"
                   : "the new image is not complete: it is removed, and the old one stays as it is";
    case RECORD_IN_PLACE:
        return direction == FORWARD ? "the header is the new one already: what undoes it is kept"
                                    : "the header is still the old one: what was prepared is taken back";
    case RECORD_MERGE:
        return direction == FORWARD
                   ? "the backing file is being written: the merge is finished, and the image empty then"
               : decision->base_changed
                   ? "the merge is given up: the image stays as it is, and has all that was to be merged; "
                     "the backing file has another date now, \"cowtui check\" says what helps"
                   : "nothing has been written into the backing file: the image stays as it is";
    case RECORD_UNDO_COPY:
    case RECORD_UNDO_IN_PLACE:
        return direction == FORWARD
                   ? "an undo was interrupted: it is finished"
                   : "an undo was interrupted and the image used since: the undo is given up";
    }
    return "";
}

static int strange_image(const struct cow_image *img, struct cow_error *err)
{
    char journal[PATH_MAX];
    cow_error_set(err, COW_REFUSED, "%s: neither the old nor the new image of the interrupted change",
                  img->path);
    return cow_error_hint(err, "the journal is %s; if it is stale, and the image as you want it, remove it",
                          side_path(journal, img->real_path, SIDE_JOURNAL));
}

/* The backing file that recovery will write. */
static int look_at_backing(struct cow_plan *plan, const struct record *record, enum direction direction,
                           struct cow_error *err)
{
    struct host_file file;
    plan->backing_path = plan_text(plan, "%s", record->backing_path);
    plan->hold_backing = HOLD_WRITE;
    int status = host_file_open(plan->io, &file, record->backing_path, O_RDONLY, err);
    if (status == 0) {
        plan->backing_facts = file.facts;
        status = recover_check_backing(plan->img, record, file.fd, direction, err);
        host_file_close(plan->io, &file);
    }
    return status;
}

/* Whether it can be recovered, and how. All of it is asked again under the lock. */
static int decide(struct cow_plan *plan, struct decision *out, struct record *record, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    *out = (struct decision){.direction = NOWHERE};
    int status = journal_check(record, img, SIDE_JOURNAL, err);
    if (status == COW_REFUSED && plan->refusal.status != 0) {
        status = 0; /* whose it is comes first, and it may be looked at; not so the files that it names */
    }
    if (status == 0) {
        status = recover_check_merge_files(img, record, err);
    }
    if (status == 0) {
        status = recover_check_way(plan, record, NOWHERE, err);
    }
    if (status != 0) {
        return status;
    }
    status = choose_direction(out, plan, record);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking at what is left beside it", img->path);
    }
    if (out->direction == NOWHERE) {
        return strange_image(img, err);
    }
    status = recover_check_way(plan, record, out->direction, err);
    if (status == 0 && record->extends && plan->refusal.status == 0) {
        status = look_at_backing(plan, record, out->direction, err);
    }
    return status != 0 ? status
                       : recover_check_others(plan, record, out->direction, &plan->backing_facts, err);
}

/* All that may be touched: what of it is done already cannot be told in each case. */
static void name_files(struct cow_plan *plan, const struct record *record, enum direction direction)
{
    static const char *const left_over[] = {SIDE_JOURNAL, SIDE_NEW, SIDE_OLD, SIDE_DRAFT};
    char undo[PATH_MAX], copy_new[PATH_MAX];
    const bool makes_undo = direction == FORWARD && (record->kind == RECORD_IN_PLACE || record->keeps_undo);
    plan_touch(plan, record_is_in_place(record) ? COW_TOUCH_CHANGES : COW_TOUCH_REPLACES, plan->target_path);
    for (size_t i = 0; i < sizeof left_over / sizeof *left_over; i++) {
        plan_touch_side(plan, COW_TOUCH_REMOVES, left_over[i]);
    }
    if (makes_undo) {
        plan_touch(plan, COW_TOUCH_MAKES, side_path(undo, plan->target_path, SIDE_UNDO));
    } else {
        plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_UNDO);
    }
    if (record->extends) {
        plan_touch(plan, COW_TOUCH_CHANGES, record->backing_path);
    }
    if (record->copy_inode != 0) {
        plan_touch_if_there(plan, COW_TOUCH_REMOVES, side_path(copy_new, record->copy_path, SIDE_NEW));
        plan_touch(plan,
                   direction == FORWARD && record->kind < RECORD_UNDO_COPY ? COW_TOUCH_MAKES
                                                                           : COW_TOUCH_REMOVES,
                   record->copy_path);
    }
}

static void describe(struct cow_plan *plan, const struct record *record, const struct decision *decision)
{
    char image[PATH_MAX];
    plan->preview.method = decision->direction == FORWARD ? "forward" : "back";
    plan->preview.target_path = plan->target_path;
    plan->preview.changes_existing = true;
    if (plan->refusal.status != 0) {
        plan_note(plan, "not obeyed, and so refused: %s", plan->refusal.message);
    }
    plan_note_in_use(plan);
    name_files(plan, record, decision->direction);
    plan->preview.command =
        plan_text(plan, "cowtui recover %s", cow_shell_quote(image, sizeof image, plan->img->path));
    plan_step(plan, COW_STEP_LOCK, 0, "lock the image%s", record->extends ? " and its backing file" : "");
    plan_step(plan, COW_STEP_RECOVER, 0, "%s%s", what_happens(record, decision),
              record->kind == RECORD_MERGE ? plan_text(plan, " (%s)", record->backing_path) : "");
}

int cow_plan_recover(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    struct cow_error local, refusal;
    struct record record;
    struct decision decision;
    bool found;
    err = err != NULL ? err : &local;
    int status = journal_peek(&record, &found, img, &refusal, err);
    if (status != 0) {
        return status;
    }
    if (!found) {
        return cow_error_set(err, COW_REFUSED, "%s: no interrupted change: nothing to recover", img->path);
    }
    struct cow_plan *plan = plan_new(img->io, img, "recover");
    if (plan == NULL) {
        record_clear(&record);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->refusal = refusal;
    plan->recovers = plan->follows_record = true;
    plan->target_path = img->real_path;
    plan->hold_image = HOLD_WRITE;
    plan->hold_backing = HOLD_NOT;
    plan->backing_path = NULL;
    status = decide(plan, &decision, &record, err);
    if (status == 0) {
        describe(plan, &record, &decision);
    }
    record_clear(&record);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    return plan_finish(out, plan, err);
}
