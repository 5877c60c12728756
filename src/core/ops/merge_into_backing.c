/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * merge --in-place: the dirty sectors go into the backing file, and an empty image with the backing
 * file's new date takes the image's place. What is done, and in which order, is told in
 * commit/method_merge.c.
 *
 * There is no undo, so more is asked before than of any other change: size and date of the backing
 * file, nobody on it, no interrupted change of another image on it, a date that no other image's header
 * has, and room for what fills holes of it, or for all of it where a filesystem writes nothing over.
 */
#include "core/ops/merge_into_backing.h"

#include <inttypes.h>
#include <limits.h>

#include "core/base/arith.h"
#include "core/format/kernel.h"
#include "core/image/backing_rules.h"
#include "core/image/siblings.h"
#include "core/ledger/pending.h"
#include "core/plan/footprint.h"
#include "core/plan/new_header.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_rules.h"
#include "core/plan/plan_steps.h"
#include "cow/text.h"

static int check(struct cow_image *img, const struct cow_merge_options *opt, struct cow_error *err)
{
    const struct cow_backing *backing = &img->backing.facts;
    if (opt->output_path != NULL) {
        return cow_error_set(err, COW_USAGE, "either a new file (-o) or --in-place");
    }
    if (backing->state == COW_BACKING_NONE) {
        cow_error_set(err, COW_UNSUPPORTED, "%s: it has no backing file to merge into", img->path);
        return cow_error_hint(err, "merge -o RAW writes a new file");
    }
    if (backing_rule_found(img, NULL, err) != 0) {
        return err->status;
    }
    if (S_ISBLK(img->backing.file.facts.st_mode)) {
        cow_error_set(err, COW_REFUSED,
                      "%s: its backing file %s is a block device: nothing is merged into one where it is",
                      img->path, backing->path);
        return cow_error_hint(err, "merge -o FILE (or with --force: -o DEVICE, another one)");
    }
    if (backing->size_bytes != img->header.size_bytes) {
        cow_error_set(err, COW_REFUSED, "%s: its backing file %s has %" PRIu64 " bytes, the disk %" PRIu64,
                      img->path, backing->path, backing->size_bytes, img->header.size_bytes);
        return cow_error_hint(err, "resize the image first, or merge -o RAW into a new file");
    }
    return opt->force
               ? 0
               : backing_rule_date_is_headers(
                     img, "\"cowtui check\" says what is known about it; --force merges all the same", err);
}

/* Does another image's header have this date? */
static bool is_a_siblings(const struct siblings *siblings, int64_t seconds)
{
    for (size_t i = 0; i < siblings->n; i++) {
        if ((int64_t)siblings->sibling[i].mtime == seconds) {
            return true;
        }
    }
    return false;
}

/* The new date, in whole seconds, for that is all that a header can tell. It only goes forward, so that an
 * image that has not been found, with a date of the past, cannot fit it. */
static int choose_merged_date(struct cow_plan *plan, struct cow_error *err)
{
    enum { AHEAD_MAX = 3 };
    const int64_t old = plan->backing.facts.st_mtim.tv_sec;
    struct siblings siblings;
    struct timespec now;
    plan->io->now(plan->io->context, &now);
    if (old > now.tv_sec + AHEAD_MAX) {
        cow_error_set(err, COW_REFUSED,
                      "%s: its date lies in the future: what is written could not be told by it",
                      plan->backing.path);
        return cow_error_hint(err,
                              "give it a date of the past (touch), and rebase --restamp the images on it");
    }
    int status = siblings_find(&siblings, plan->img, err);
    if (status != 0) {
        return status;
    }
    int64_t seconds = now.tv_sec > old ? now.tv_sec : old + 1;
    seconds += seconds % 2 != 0 && seconds < UINT32_MAX; /* FAT knows the even ones only */
    while (seconds == (int64_t)plan->img->header.mtime || is_a_siblings(&siblings, seconds)) {
        seconds += 2;
    }
    siblings_clear(&siblings);
    if (seconds < 0 || seconds > UINT32_MAX || (time_t)seconds != seconds) {
        return cow_error_set(err, COW_REFUSED, "the clock says %" PRId64 ": that does not fit a COW header",
                             seconds);
    }
    plan->backing.merged_mtime = (struct timespec){.tv_sec = (time_t)seconds};
    return 0;
}

/* Of [begin, end), which is dirty, that which takes new room: data in a hole of the backing file, or whatever
 * is written. */
static int count_range(struct cow_plan *plan, struct footprint *new_blocks, uint64_t begin, uint64_t end)
{
    struct cow_image *img = plan->img;
    for (uint64_t at = begin; at < end;) {
        struct io_extent cow, backing;
        int status = image_file_extent(img, COW_FILE_COW, at, end, &cow);
        if (status == 0) {
            status = image_file_extent(img, COW_FILE_BACKING, at, end, &backing);
        }
        if (status < 0) {
            return status;
        }
        const uint64_t stop = arith_min(cow.end, backing.end);
        /* Zeros are not written into holes; but the block of a write before is none any longer. */
        const uint64_t filled_end = new_blocks->next_block * new_blocks->block_bytes;
        plan->result.counted.data_bytes +=
            cow.data || backing.data ? stop - at : arith_sub_floor(arith_min(stop, filled_end), at);
        if (backing.data ? plan->backing.merged_elsewhere : cow.data) {
            footprint_add(new_blocks, at, stop);
        }
        at = stop;
    }
    return 0;
}

/* What the filesystem needs to note where blocks are, as a share of them: one extent a block at worst; and
 * more where it counts who else has them (XFS: 1/27 was seen). */
enum { MAP_SHARE = 256, SHARED_MAP_SHARE = 16 };

/* What the backing file's filesystem must have room for. */
static int count_new_bytes(struct cow_plan *plan, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_dirty_run run = {0, 0};
    struct footprint new_blocks = {.block_bytes = footprint_block_of(&plan->backing.facts)};
    int status = 0;
    plan->backing.merged_elsewhere =
        host_file_writes_elsewhere(img->io, image_place(img, COW_FILE_BACKING, 0).file);
    do {
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, err);
        if (status == 0 && run.sectors > 0) {
            int failed = count_range(
                plan, &new_blocks, run.first_sector * sector_bytes,
                arith_min((run.first_sector + run.sectors) * sector_bytes, img->header.size_bytes));
            status =
                failed < 0 ? cow_error_system(err, -failed, "%s: looking for holes", plan->backing.path) : 0;
        }
    } while (status == 0 && run.sectors > 0);
    plan->backing.merge_needs_bytes = new_blocks.blocks * new_blocks.block_bytes;
    plan->backing.merge_needs_bytes +=
        plan->backing.merge_needs_bytes / (plan->backing.merged_elsewhere ? SHARED_MAP_SHARE : MAP_SHARE);
    return status;
}

/* No dirty sector: the backing file keeps its date, and the other images on it theirs. */
static void describe_nothing(struct cow_plan *plan, const char *command)
{
    struct cow_preview *p = &plan->preview;
    plan->result.header = plan->img->header;
    plan->result.layout = plan->img->layout;
    plan->target.replaces = false;
    plan->method = RECORD_NONE;
    plan_show_new_image(plan);
    p->method = COW_METHOD_NONE;
    p->target_path = plan->target.path;
    p->patched_opens = true;
    p->content_text = "no sector is dirty: there is nothing to merge";
    p->command = command;
}

static void list_merge_into_backing(struct cow_plan *plan)
{
    plan_steps_begin(plan, plan->result.counted.needs_bytes);
    plan_step(plan, COW_STEP_BEGIN_IMAGE, 0, "begin an empty image beside it, marked unfinished");
    plan_step(plan, COW_STEP_KEEP_ATTRIBUTES, 0,
              "give it the owner, mode and extended attributes of the old one");
    plan_step(plan, COW_STEP_JOURNAL, 0, "write down what is about to happen, so that it can be finished");
    plan_step(plan, COW_STEP_MERGE_BACKING, plan->preview.writes_bytes,
              "give the backing file its new date, flush, write the dirty sectors into it, flush");
    plan_step(plan, COW_STEP_FINISH_IMAGE, 0, "give the empty image its true size, flush");
    plan_step(plan, COW_STEP_RENAME, 0, "let the empty image take the place of %s, flush the directory",
              plan->img->path);
    plan_step(plan, COW_STEP_END_JOURNAL, 0, "drop the journal");
}

static void describe_merge_into_backing(struct cow_plan *plan, const struct cow_merge_options *opt,
                                        const struct cow_usage *usage)
{
    char image[PATH_MAX], other[PATH_MAX], size[COW_SIZE_TEXT_BYTES], date[COW_TIME_TEXT_BYTES];
    struct cow_preview *p = &plan->preview;
    const bool named = plan->img->backing.facts.named;
    const char *command =
        plan_text(plan, "cowtui merge --in-place%s%s%s %s", opt->force ? " --force" : "", named ? " -b " : "",
                  named ? cow_shell_quote(other, sizeof other, plan->backing.path) : "",
                  cow_shell_quote(image, sizeof image, plan->img->path));
    if (usage->dirty_sectors == 0) {
        describe_nothing(plan, command);
        return;
    }
    plan_show_new_image(plan);
    plan_show_image(plan);
    p->method = COW_METHOD_IN_PLACE;
    p->target_path = plan->target.path;
    p->replaces = p->changes_existing = true;
    p->dirty_sectors = usage->dirty_sectors;
    p->has_after_dirty = true;
    p->moves_bytes = usage->dirty_bytes;
    p->writes_bytes = plan->result.counted.data_bytes;
    footprint_needs(plan, plan->result.counted.needs_bytes + plan->backing.merge_needs_bytes, true);
    p->patched_opens = true;
    cow_size_text(size, usage->dirty_bytes);
    p->content_text =
        plan_words(plan,
                   "%" PRIu64 " dirty sectors (%s) are written into the backing file; the image is "
                   "empty then",
                   usage->dirty_sectors, size);
    p->backing_text =
        plan_words(plan, "%s is written over, and gets the date %s%s", plan->backing.path,
                   cow_time_text(date, plan->backing.merged_mtime.tv_sec),
                   p->siblings > 0 ? "; UML refuses the other COW images on it from then on, and their "
                                     "content would be wrong"
                                   : "");
    p->undo_text = "none: what the backing file had is written over";
    if (plan->backing.facts.st_nlink > 1) {
        plan_note(plan, "the backing file has other names (hard links): it is the same file");
    }
    plan_note_in_use(plan);
    plan_note_format(plan);
    plan_note_undo_given_up(plan);
    plan_note_links(plan, NULL);
    p->command = command;
    char boot[2 * COW_MESSAGE_BYTES];
    p->next_step = plan_words(plan, "%s", kernel_boot_text(boot, sizeof boot, plan->img->path));
    list_merge_into_backing(plan);
}

static int build_merge(struct cow_plan *plan, const struct cow_merge_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    struct cow_usage usage;
    plan->method = RECORD_MERGE;
    plan->target.replaces = true;
    plan->holds.image = plan->holds.backing = HOLD_WRITE;
    plan->target.path = img->real_path;
    plan->target.temp_path = plan_temp_path(plan, plan->target.path);
    int status = plan_check_names(img, opt->force, err);
    if (status == 0) {
        status = plan_list_siblings(plan, err);
    }
    if (status == 0) {
        status = choose_merged_date(plan, err);
    }
    const char *stored = img->header.backing_path;
    struct stat facts;
    if (status == 0 && img->backing.facts.named &&
        (plan->io->stat(plan->io->context, stored, &facts) < 0 ||
         !same_file(&facts, &plan->backing.facts))) { /* the image is to fit the file that was merged into */
        stored = plan_absolute_path(plan, plan->backing.path, err);
        status = stored == NULL ? err->status : 0;
    }
    if (status == 0) {
        status = new_header_fill(plan,
                                 &(struct new_header){.size_bytes = img->header.size_bytes,
                                                      .backing_path = stored,
                                                      .mtime = (uint32_t)plan->backing.merged_mtime.tv_sec,
                                                      .keeps_room = true},
                                 err);
    }
    if (status == 0) {
        status = plan_predict_verdict(plan, plan->backing.size_bytes, plan->backing.merged_mtime.tv_sec, err);
    }
    if (status == 0) {
        status = cow_image_usage(img, &usage, err);
    }
    if (status == 0) { /* of the empty image, first; what goes into the backing file is added */
        status = footprint_of_image(plan, NULL, err);
    }
    if (status == 0) {
        status = count_new_bytes(plan, err);
    }
    if (status == 0) {
        describe_merge_into_backing(plan, opt, &usage);
    }
    return status;
}

int merge_into_backing(struct cow_plan **out, struct cow_image *img, const struct cow_merge_options *opt,
                       struct cow_error *err)
{
    int status = pending_check_ready(img, err);
    if (status == 0) {
        status = check(img, opt, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, COW_OPERATION_MERGE, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->force = opt->force;
    status = build_merge(plan, opt, err);
    return plan_finish(out, plan, status, err);
}
