/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * undo: going back after a commit, byte for byte, as long as nobody has written to the image since.
 *
 * It is refused unless the image is the record's new one with its length and date still, and so is
 * every file that the change wrote: otherwise something has been written that going back would lose.
 * The backing file of then must be there as well where the change only read it: going back relies on
 * it. All of that is asked when planning, and again under the lock. A private backing file on which
 * others live by now is kept.
 */
#include "core/plan/undo_check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/ledger/pending.h"
#include "core/ledger/state.h"
#include "core/ops/members.h"
#include "core/plan/method_words.h"
#include "core/plan/plan.h"
#include "core/plan/plan_result.h"
#include "core/plan/shift_cost.h"
#include "core/plan/undo_words.h"
#include "cow/text.h"

static int changed_since(const struct cow_image *img, const char *what, struct cow_error *err)
{
    cow_error_set(err, COW_REFUSED, "%s: %s has changed since: going back would lose that", img->path, what);
    return cow_error_hint(err, "\"cowtui undo --discard\" removes the undo data");
}

static int read_undo(struct record *record, struct cow_image *img, struct stat *facts, struct cow_error *err)
{
    bool found;
    int status = journal_read(record, &found, img, SIDE_UNDO, facts, err);
    if (status == 0 && !found) {
        status = cow_error_set(err, COW_REFUSED, "%s: there is nothing to undo", img->path);
    }
    return status;
}

/* The private backing file goes with the change that made it, unless somebody has used it since. */
static int check_copy(const struct cow_plan *plan, const struct record *record, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    struct host_file file;
    int64_t pid = 0;
    if (record->copy_inode == 0 || record->copy_is_foreign ||
        host_file_open(img->io, &file, record->copy_path, O_RDONLY, NULL) != 0) {
        return 0;
    }
    int held = img->io->lock_holder(img->io->context, file.fd, IO_LOCK_WRITE, &pid);
    host_file_close(img->io, &file);
    if (held > 0) {
        return cow_error_set(err, COW_LOCKED, "%s: the private backing file is in use by pid %" PRId64,
                             record->copy_path, pid);
    }
    return journal_copy_is_unwritten(record, &file.facts)
               ? 0
               : changed_since(img, "its private backing file", err);
}

/* The header that the image will have again, as bytes: from the old image, which is the undo file, or from
 * the present one with its first sector put back. */
static int old_header(uint8_t bytes[COW_HEADER_BYTES_MAX], const struct cow_image *img,
                      const struct record *record)
{
    char undo[PATH_MAX];
    memset(bytes, 0, COW_HEADER_BYTES_MAX);
    if (record_kind_facts(record->kind)->keeps_file) {
        memcpy(bytes, img->raw, img->raw_bytes);
        memcpy(bytes, record->old_sector, sizeof record->old_sector);
        return 0;
    }
    struct stat facts;
    int fd =
        io_open_regular(img->io, side_path(undo, img->real_path, SIDE_UNDO), O_RDONLY | O_NOFOLLOW, &facts);
    if (fd < 0) {
        return fd;
    }
    int status = io_read_padded(img->io, fd, bytes, COW_HEADER_BYTES_MAX, 0);
    img->io->close(img->io->context, fd);
    if (status == 0) {
        bytes_put(bytes + record->size_field_offset, 8, true, record->old_size_field);
    }
    return status;
}

/* What a stock kernel will say of the old header, with the backing file as it will be. */
static void predict_old_verdict(struct cow_plan *plan, const uint8_t bytes[COW_HEADER_BYTES_MAX],
                                const struct record *record)
{
    struct stat backing = {.st_size = 0};
    struct verdict_facts facts = {.bytes = bytes,
                                  .n_bytes = COW_HEADER_BYTES_MAX,
                                  .header = &plan->result.header,
                                  .image_path = plan->img->path,
                                  .boot_path = plan->img->path,
                                  .backing_path = plan->result.header.backing_path};
    int status = io_stat_disk(plan->io, plan->result.header.backing_path, &backing);
    facts.backing_errno = status < 0 ? -status : 0;
    facts.backing_bytes = record->extends != 0 || record->family_path[0] != 0 ? record->backing_old_bytes
                                                                              : (uint64_t)backing.st_size;
    facts.backing_mtime = backing.st_mtim.tv_sec;
    verdict_of(&plan->preview.after_verdict, &facts);
}

/* "64 MiB -> 128 MiB", where the old header can be read: only the preview wants to know. */
static void show_old_image(struct cow_plan *plan, const struct record *record)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    if (old_header(bytes, plan->img, record) == 0 &&
        cow_header_decode(&plan->result.header, bytes, sizeof bytes, record->old_file_bytes,
                          record->backing_old_bytes, NULL) == 0 &&
        cow_layout_of(&plan->result.layout, &plan->result.header, NULL) == 0) {
        plan_show_new_image(plan);
        plan->preview.can_grow_to_bytes = 0;
        predict_old_verdict(plan, bytes, record);
        plan->preview.patched_opens = plan->preview.after_verdict.opens;
    }
}

static int check_unchanged(struct cow_plan *plan, struct record *record, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    if (journal_view(record, img) != JOURNAL_SEES_NEW || !journal_unwritten(record, &img->cow.facts, true)) {
        return changed_since(img, "the image", err);
    }
    int status = journal_check(record, img, SIDE_UNDO, err);
    if (status == 0) {
        status = undo_check_base(img, record, err);
    }
    if (status == 0) {
        status = check_copy(plan, record, err);
    }
    if (status != 0 || record->extends == 0) {
        return status;
    }
    status = plan->io->stat(plan->io->context, record->backing_path, &plan->backing.facts);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", record->backing_path);
    }
    if ((uint64_t)plan->backing.facts.st_size != record->backing_new_bytes ||
        !same_time(plan->backing.facts.st_mtim, record->backing_mtime)) {
        return changed_since(img, "its backing file", err);
    }
    plan->backing.path = plan_text(plan, "%s", record->backing_path);
    plan->holds.backing = HOLD_WRITE;
    return 0;
}

static void name_undone_files(struct cow_plan *plan, const struct record *record)
{
    plan_touch_sized(plan,
                     record_kind_facts(record->kind)->keeps_file ? COW_TOUCH_CHANGES : COW_TOUCH_REPLACES,
                     plan->target.path, record->old_file_bytes);
    plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_UNDO);
    plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_DRAFT);
    if (record->extends != 0) {
        plan_touch_sized(plan, COW_TOUCH_CUTS, record->backing_path, record->backing_old_bytes);
    }
}

/* Data that has moved moves back, through the free space, and the bits are written once more. */
static void describe_shift(struct cow_plan *plan, const struct record *record)
{
    const struct record_kind_facts *kind = record_kind_facts(record->kind);
    if (kind->shifts) {
        (void)shift_cost(plan, !kind->inserts); /* where it cannot be told, nothing is said */
    }
}

static void describe_undo(struct cow_plan *plan, const struct record *record)
{
    char image[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    struct cow_preview *p = &plan->preview;
    const char *cut = "";
    p->method = method_shown(record->kind);
    p->target_path = plan->target.path;
    p->changes_existing = true;
    show_old_image(plan, record);
    plan_note_in_use(plan);
    p->undo_text = "none: the change would have to be made again";
    p->command = plan_text(plan, "cowtui undo %s", cow_shell_quote(image, sizeof image, plan->img->path));
    if (record->extends != 0) {
        /* As its user calls it, if that is the same file. */
        const struct backing_file *backing = &plan->img->backing;
        const bool same = same_file(&backing->file.facts, &plan->backing.facts);
        const char *path = same ? backing->facts.path : record->backing_path;
        cow_size_text(size, record->backing_old_bytes);
        p->backing_text = plan_words(
            plan,
            "%s is cut back to %s; another COW image that was resized to the longer one no longer fits it",
            path, size);
        cut = plan_words(plan, ", and cut %s back to %s", path, size);
    }
    undo_describe_base(plan, record);
    name_undone_files(plan, record);
    describe_shift(plan, record);
    undo_describe_copy(plan, record);
    plan_step(plan, COW_STEP_LOCK, 0, "lock the image%s",
              record->extends != 0 ? " and its backing file" : "");
    plan_step(plan, COW_STEP_JOURNAL, 0, "write a journal of going back");
    plan_step(plan, COW_STEP_UNDO, 0, "%s%s", method_undo_text(record->kind), cut);
    plan_step(plan, COW_STEP_END_JOURNAL, 0, "drop the journal");
}

static int start_undo(struct cow_plan **plan, struct cow_image *img, struct record *record,
                      struct stat *facts, struct cow_error *err)
{
    int status = pending_check(img, err);
    if (status == 0) {
        status = read_undo(record, img, facts, err);
    }
    if (status != 0) {
        return status;
    }
    *plan = plan_new(img->io, img, COW_OPERATION_UNDO, err);
    if (*plan == NULL) {
        record_clear(record);
        return COW_NO_MEMORY;
    }
    (*plan)->purpose = PLAN_UNDOES;
    (*plan)->target.path = img->real_path;
    (*plan)->holds.image = HOLD_WRITE;
    (*plan)->backing.path = NULL;
    return 0;
}

static int plan_undo(struct cow_plan **out, struct cow_image *img, const struct plan_family *family,
                     struct cow_error *err)
{
    struct record record;
    struct cow_plan *plan;
    int status = start_undo(&plan, img, &record, NULL, err);
    if (status != 0) {
        return status;
    }
    plan->method = record_kind_facts(record.kind)->undone_by;
    plan->record_sum = record.sum;
    if (family != NULL && memcmp(record.family_id, family->record.id, sizeof record.family_id) != 0) {
        status = changed_since(img, "the image", err);
    }
    if (status == 0) {
        status = check_unchanged(plan, &record, err);
    }
    if (status == 0) {
        describe_undo(plan, &record);
    }
    record_clear(&record);
    return plan_finish(out, plan, status, err);
}

int undo_plan_member(struct cow_plan **out, struct cow_image *img, const struct plan_family *family,
                     struct cow_error *err)
{
    return plan_undo(out, img, family, err);
}

int undo_plan_alone(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    return plan_undo(out, img, NULL, err);
}

int discard_plan_alone(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    struct record record;
    struct cow_plan *plan;
    struct stat facts;
    char image[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    int status = start_undo(&plan, img, &record, &facts, err);
    if (status != 0) {
        return status;
    }
    record_clear(&record);
    struct cow_preview *p = &plan->preview;
    plan->purpose = PLAN_DISCARDS;
    p->operation = COW_OPERATION_DISCARD_UNDO;
    p->method = COW_METHOD_DISCARD;
    p->target_path = plan->target.path;
    p->changes_existing = true;
    p->undo_text = "none: this gives up going back";
    p->command = plan_text(plan, "cowtui undo --discard %s", cow_shell_quote(image, sizeof image, img->path));
    plan_touch_side(plan, COW_TOUCH_REMOVES, SIDE_UNDO);
    plan_step(plan, COW_STEP_LOCK, 0, "lock the image");
    plan_step(plan, COW_STEP_DISCARD_UNDO, 0, "remove the undo data (%s)",
              cow_size_text(size, (uint64_t)facts.st_blocks * 512));
    return plan_finish(out, plan, 0, err);
}
