/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * recover: finishing a change that was interrupted, or taking it back. The record says what was meant,
 * the files say how far it came (ledger/direction.c), and what would be written, or relied on, must
 * still be what the change has left (plan/recover_check.c). It is refused before there is a plan. What
 * is done then is commit/step_recover.c, which decides again under the lock.
 *
 * A record of somebody else's is shown, and not obeyed: then the plan carries its refusal.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/beside/half.h"
#include "core/ledger/pending.h"
#include "core/ops/members.h"
#include "core/plan/method_words.h"
#include "core/plan/plan_result.h"
#include "core/plan/recover_check.h"
#include "cow/text.h"

static int strange_image(const struct cow_image *img, struct cow_error *err)
{
    char journal[PATH_MAX];
    cow_error_set(err, COW_REFUSED, "%s: neither the old nor the new image of the interrupted change",
                  img->path);
    return cow_error_hint(err, "the journal is %s; if it is stale, and the image as you want it, remove it",
                          side_journal_path(journal, img->io, img->real_path));
}

/* All go one way, and this one cannot. */
static int member_is_strange(const struct cow_image *img, const struct plan_family *family,
                             struct cow_error *err)
{
    const bool forward = family->record.committed != 0;
    cow_error_set(
        err, COW_REFUSED,
        "%s: was written or replaced since the change of all images on %s was interrupted: it cannot go %s "
        "with them",
        img->path, family->backing_path, forward ? "on" : "back");
    return cow_error_hint(err,
                          "put the file of then in its place (keep this one), then recover; nothing is done "
                          "with the others before");
}

/* Never from the beginning once more: what has been moved would be moved twice. */
static int lost_position(const struct cow_image *img, struct cow_error *err)
{
    char path[PATH_MAX];
    cow_error_set(err, COW_REFUSED,
                  "%s: nobody knows how far its data has been moved: %s is missing, or not whole", img->path,
                  side_path(path, img->real_path, SIDE_POSITION));
    return cow_error_hint(err,
                          "put that file back (from the same backup as the image), then recover; nothing is "
                          "done without it");
}

/* How far it is, is written in a file that is not obeyed: whose it is, or that it has other names. */
static int strange_position(const struct cow_image *img, struct cow_error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    int status = img->io->lstat(img->io->context, side_path(path, img->real_path, SIDE_POSITION), &facts);
    return status < 0 ? cow_error_system(err, -status, "%s", path)
                      : side_check_owner(img->io, path, &facts, &img->cow.facts, img->path, err);
}

/* Nothing says what was meant. */
static int no_record(const struct cow_image *img, struct cow_error *err)
{
    uint8_t id[HALF_ID_BYTES];
    return half_is_marked(id, img->raw, img->raw_bytes)
               ? pending_refuse_without_journal(img, err)
               : cow_error_set(err, COW_REFUSED, "%s: no interrupted change: nothing to recover", img->path);
}

static int take_way(struct decision *decision, enum cow_recover_way way, const struct cow_image *img,
                    const struct record *record, struct cow_error *err)
{
    const enum direction wanted = way == COW_RECOVER_FORWARD ? FORWARD : BACK;
    if (way == COW_RECOVER_AS_IT_IS || decision->direction == wanted) {
        return 0;
    }
    if (decision->has_choice) {
        decision->direction = wanted;
        return 0;
    }
    return cow_error_set(err, COW_REFUSED, "%s: recovery does not go %s: %s", img->path,
                         wanted == FORWARD ? "forward" : "back", method_recovery_text(record, decision));
}

/* The backing file that recovery will write; *facts are its. */
static int look_at_backing(struct stat *facts, const struct cow_image *img, const struct record *record,
                           enum direction direction, struct cow_error *err)
{
    struct host_file file;
    int status = host_file_open(img->io, &file, record->backing_path, O_RDONLY, err);
    if (status == 0) {
        *facts = file.facts;
        status = recover_check_backing(img, record, file.fd, direction, err);
        host_file_close(img->io, &file);
    }
    return status;
}

/* Whether it can be recovered, and how. All of it is asked again under the lock. only_shown: the record is
 * somebody else's, so nothing will be done, and the files that it names are not opened; backing: the facts of
 * the file that will be written, if one is. */
static int decide_recovery(struct decision *out, struct stat *backing, struct cow_image *img,
                           struct record *record, enum cow_recover_way way, const struct plan_family *family,
                           bool only_shown, struct cow_error *err)
{
    *out = (struct decision){.direction = NOWHERE};
    *backing = img->backing.file.facts; /* of a record that is only shown they are all that is looked at */
    int status = journal_check(record, img, SIDE_JOURNAL, err);
    if (status == COW_REFUSED && only_shown) {
        status = 0; /* whose it is comes first, and it may be looked at */
    }
    if (status == 0) {
        status = recover_check_merge_files(img, record, err);
    }
    if (status == 0) {
        status = recover_check_way(img, record, NOWHERE, err);
    }
    if (status != 0) {
        return status;
    }
    status = family != NULL ? direction_of_member(out, img, record, family->record.committed != 0)
                            : direction_choose(out, img, record);
    if (status == -EACCES && record_kind_facts(record->kind)->shifts) {
        return strange_position(img, err);
    }
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking at what is left beside it", img->path);
    }
    status = out->is_lost                                  ? lost_position(img, err)
             : out->direction == NOWHERE && family != NULL ? member_is_strange(img, family, err)
             : out->direction == NOWHERE                   ? strange_image(img, err)
                                                           : take_way(out, way, img, record, err);
    if (status != 0) {
        return status;
    }
    status = recover_check_way(img, record, out->direction, err);
    if (status == 0 && record->extends != 0 && !only_shown) {
        status = look_at_backing(backing, img, record, out->direction, err);
    }
    return status != 0 ? status : recover_check_others(img, record, out->direction, backing, err);
}

/* All that may be touched: what of it is done already cannot be told in each case. */
static void name_recovered_files(struct cow_plan *plan, const struct record *record, enum direction direction)
{
    static const char *const left_over[] = {SIDE_JOURNAL, SIDE_MOVE, SIDE_POSITION,
                                            SIDE_NEW,     SIDE_OLD,  SIDE_DRAFT};
    const struct record_kind_facts *kind = record_kind_facts(record->kind);
    char undo[PATH_MAX], copy_new[PATH_MAX];
    const bool makes_undo =
        direction == FORWARD && !kind->goes_back && (kind->record_is_undo || record->keeps_undo != 0);
    const bool keeps_undo = direction == BACK && kind->goes_back && kind->shifts;
    plan_touch(plan, kind->keeps_file ? COW_TOUCH_CHANGES : COW_TOUCH_REPLACES, plan->target.path);
    for (size_t i = 0; i < sizeof left_over / sizeof *left_over; i++) {
        plan_touch_side(plan, COW_TOUCH_REMOVES, left_over[i]);
    }
    if (makes_undo) {
        plan_touch(plan, COW_TOUCH_MAKES, side_path(undo, plan->target.path, SIDE_UNDO));
    } else if (!keeps_undo) {
        plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_UNDO);
    }
    if (record->extends != 0) {
        plan_touch(plan, COW_TOUCH_CHANGES, record->backing_path);
    }
    if (record->copy_inode != 0) {
        plan_touch_if_there(plan, COW_TOUCH_REMOVES, side_path(copy_new, record->copy_path, SIDE_NEW));
        plan_touch(plan, direction == FORWARD && !kind->goes_back ? COW_TOUCH_MAKES : COW_TOUCH_REMOVES,
                   record->copy_path);
    }
}

/* How far it is, and what each way costs. */
static void note_choice(struct cow_plan *plan, const struct decision *decision)
{
    char forward[COW_SIZE_TEXT_BYTES], back[COW_SIZE_TEXT_BYTES];
    if (!decision->has_choice) {
        return;
    }
    const uint64_t total = decision->moves_forward_bytes + decision->moves_back_bytes;
    const bool inserts = record_kind_facts(plan->method)->inserts;
    if (inserts || total == 0) {
        plan_note(plan,
                  "both ways are open, and take milliseconds: --forward finishes the change, --back takes it "
                  "back");
        return;
    }
    plan_note(
        plan,
        "both ways are open: --forward moves %s, --back moves %s (%ju%% are done); the shorter is taken if "
        "neither is named",
        cow_size_text(forward, decision->moves_forward_bytes),
        cow_size_text(back, decision->moves_back_bytes),
        (uintmax_t)(decision->moves_back_bytes * 100 / total));
}

static void describe_recovery(struct cow_plan *plan, const struct record *record,
                              const struct decision *decision)
{
    char image[PATH_MAX];
    plan->preview.method = decision->direction == FORWARD ? COW_METHOD_FORWARD : COW_METHOD_BACK;
    plan->preview.target_path = plan->target.path;
    plan->preview.changes_existing = true;
    if (plan->refusal.status != 0) {
        plan_note(plan, "not obeyed, and so refused: %s", plan->refusal.message);
    }
    note_choice(plan, decision);
    plan_note_in_use(plan);
    name_recovered_files(plan, record, decision->direction);
    plan->preview.command = plan_text(plan, "cowtui recover %s%s",
                                      !decision->has_choice            ? ""
                                      : decision->direction == FORWARD ? "--forward "
                                                                       : "--back ",
                                      cow_shell_quote(image, sizeof image, plan->img->path));
    plan_step(plan, COW_STEP_LOCK, 0, "lock the image%s",
              record->extends != 0 ? " and its backing file" : "");
    plan->preview.writes_bytes =
        decision->direction == FORWARD ? decision->moves_forward_bytes : decision->moves_back_bytes;
    plan->preview.moves_bytes = plan->preview.writes_bytes;
    plan_step(
        plan, COW_STEP_RECOVER, plan->preview.writes_bytes, "%s%s", method_recovery_text(record, decision),
        record_kind_facts(record->kind)->writes_into_backing ? plan_text(plan, " (%s)", record->backing_path)
                                                             : "");
}

static int build_recovery(struct cow_plan **out, struct cow_image *img, struct record *record,
                          enum cow_recover_way way, const struct plan_family *family,
                          const struct cow_error *refusal, struct cow_error *err)
{
    struct decision decision;
    struct stat backing;
    int status = decide_recovery(&decision, &backing, img, record, way, family, refusal->status != 0, err);
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, COW_OPERATION_RECOVER, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->refusal = *refusal;
    plan->purpose = PLAN_RECOVERS;
    plan->method = record->kind;
    plan->record_sum = record->sum;
    plan->target.path = img->real_path;
    plan->holds.image = HOLD_WRITE;
    plan->backing.path = NULL;
    if (record->extends != 0 && refusal->status == 0) {
        plan->backing.path = plan_text(plan, "%s", record->backing_path);
        plan->backing.facts = backing;
        plan->holds.backing = HOLD_WRITE;
    }
    describe_recovery(plan, record, &decision);
    return plan_finish(out, plan, 0, err);
}

/* The journal's end of both: whose it is has been told, and it is read no more. */
static int plan_recovery(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                         const struct plan_family *family, bool *found, struct cow_error *err)
{
    struct cow_error refusal;
    struct record record;
    int status = journal_peek(&record, found, img, &refusal, err);
    if (status != 0 || !*found) {
        return status;
    }
    if (family != NULL && memcmp(record.family_id, family->record.id, sizeof record.family_id) != 0) {
        status =
            cow_error_set(err, COW_REFUSED, "%s: another change of it was interrupted than that of all on %s",
                          img->path, family->backing_path);
    } else {
        status = build_recovery(out, img, &record, way, family, &refusal, err);
    }
    record_clear(&record);
    return status;
}

int recover_plan_member(struct cow_plan **out, struct cow_image *img, const struct plan_family *family,
                        struct cow_error *err)
{
    bool found;
    struct cow_plan *plan = NULL;
    int status = plan_recovery(&plan, image_flat(img), COW_RECOVER_AS_IT_IS, family, &found, err);
    if (status == 0) {
        *out = plan;
    }
    return status;
}

int recover_plan_alone(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                       struct cow_error *err)
{
    bool found;
    img = image_flat(img);
    int status = plan_recovery(out, img, way, NULL, &found, err);
    return status == 0 && !found ? no_record(img, err) : status;
}
