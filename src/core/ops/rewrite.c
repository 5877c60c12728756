/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pages, compact, rebase, convert, repair: another image of the same disk. They are one builder with
 * one set of options, so that a repair of several findings is one plan and one commit. The decisions,
 * in the order in which they are taken: is the request sound, which backing file and which date does
 * the new header name, does one write of the first sector do, which sectors are dirty afterwards, is
 * there anything to do at all.
 *
 * What reads the backing file refuses if its date is not the header's: a page that equals a backing
 * file which somebody has changed would be dropped, and be gone when the old backing file comes back.
 *
 * Why by copy, and not bits and pages where they are: for a few mixed pages in a large image that would
 * be less work, but undo would need every byte that was given up. So it is the old file, as for every
 * other change; where the filesystem shares blocks, the copy shares them.
 *
 * compact is to make the file smaller. It completes mixed pages, for a guest misreads them; but where
 * the data would take more room than before by that (dirty holes of a sparse copy, files that hang
 * together), it leaves what is mixed as it is, and the plan says that pages mends it. Where not even
 * that helps, it is refused.
 */
#include "core/ops/rewrite.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/trace.h"
#include "core/image/backing_rules.h"
#include "core/ledger/pending.h"
#include "core/plan/footprint.h"
#include "core/plan/identity.h"
#include "core/plan/new_header.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_rules.h"
#include "cow/text.h"

static bool rebases(const struct cow_rewrite_options *opt)
{
    return opt->backing_path != NULL || opt->restamp || opt->set_mtime || opt->safe;
}

/* By bytes or by bits, other sectors are dirty afterwards. */
static bool selects(const struct cow_rewrite_options *opt)
{
    return opt->complete_pages || opt->compact || opt->safe;
}

static bool operation_of(enum cow_operation *out, const struct cow_rewrite_options *opt)
{
    const int several = opt->complete_pages + opt->compact + rebases(opt) + opt->convert;
    *out = several > 1           ? COW_OPERATION_REPAIR
           : opt->complete_pages ? COW_OPERATION_PAGES
           : opt->compact        ? COW_OPERATION_COMPACT
           : opt->convert        ? COW_OPERATION_CONVERT
                                 : COW_OPERATION_REBASE;
    return several > 0;
}

static int check_rewrite_request(enum cow_operation *operation, const struct cow_rewrite_options *opt,
                                 struct cow_error *err)
{
    if (!operation_of(operation, opt)) {
        cow_error_set(err, COW_USAGE, "nothing is asked for");
        return cow_error_hint(err, "rebase wants a backing file (--to PATH), or --restamp");
    }
    if (opt->safe && opt->backing_path == NULL) {
        return cow_error_set(err, COW_USAGE, "--safe goes with another backing file (--to PATH)");
    }
    if (opt->restamp && opt->set_mtime) {
        return cow_error_set(err, COW_USAGE, "there can be one date only");
    }
    if (opt->unused && !opt->compact) {
        return cow_error_set(err, COW_USAGE, "what is unused is dropped by compact only");
    }
    if (opt->sectors && !opt->compact && !opt->safe) {
        return cow_error_set(err, COW_USAGE, "--sectors goes with what compares bytes only");
    }
    return 0;
}

/* What reads the backing file must be able to, and must know that it reads what the guest does. */
static int check_old_backing(const struct cow_image *img, const struct cow_rewrite_options *opt,
                             struct cow_error *err)
{
    const struct cow_backing *backing = &img->backing.facts;
    if (!selects(opt) && !(opt->restamp && opt->backing_path == NULL)) {
        return 0;
    }
    if (backing->state == COW_BACKING_NONE) {
        return 0;
    }
    int status =
        backing_rule_found(img, "name it with -b FILE; if it has moved: cowtui rebase --to PATH", err);
    if (status == 0 && selects(opt) && !opt->force && !opt->restamp) {
        status = backing_rule_date_is_headers(
            img,
            "\"cowtui check\" says what is known about it; if its content is the same: rebase --restamp "
            "first, or --force",
            err);
    }
    if (status != 0) {
        return status;
    }
    if (opt->restamp && opt->backing_path == NULL && backing->size_bytes != img->header.size_bytes &&
        !opt->force) {
        cow_error_set(err, COW_REFUSED, "%s: its backing file %s has %" PRIu64 " bytes, the disk %" PRIu64,
                      img->path, backing->path, backing->size_bytes, img->header.size_bytes);
        return cow_error_hint(err, "a date makes it no better: resize the image, or name the right file");
    }
    return 0;
}

static int check_new_backing(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                             struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    const struct plan_input *input = &plan->input[0];
    const uint64_t size_bytes = (uint64_t)input->file.facts.st_size;
    const int64_t mtime = input->file.facts.st_mtim.tv_sec;
    if (same_file(&input->file.facts, &img->cow.facts)) {
        return cow_error_set(err, COW_REFUSED, "%s: an image cannot be its own backing file",
                             opt->backing_path);
    }
    int status = opt->force ? 0 : backing_rule_is_no_cow(plan->io, &input->file, opt->backing_path, err);
    if (status != 0) {
        return status;
    }
    if (size_bytes != img->header.size_bytes && !opt->force) {
        cow_error_set(err, COW_REFUSED,
                      "%s: has %" PRIu64 " bytes, the disk %" PRIu64 ": a kernel wants both equal",
                      opt->backing_path, size_bytes, img->header.size_bytes);
        return cow_error_hint(err, "resize the image first, or --force");
    }
    if (mtime != (int64_t)img->header.mtime && !opt->safe && !opt->restamp && !opt->set_mtime &&
        !opt->force) {
        cow_error_set(err, COW_REFUSED,
                      "%s: has another date (%" PRId64 ") than the header (%" PRIu32
                      "): its content may be another one",
                      opt->backing_path, mtime, img->header.mtime);
        return cow_error_hint(err,
                              "--safe compares both and keeps what the guest sees; --restamp takes over its "
                              "date, if you know that its content is the same");
    }
    return 0;
}

/* The backing file that the new header names, and its date there. */
struct named {
    const char *path;
    uint32_t mtime;
    uint64_t size_bytes; /* of the file; 0 if it is not there */
    int64_t file_mtime;
};

static int name_new_backing(struct cow_plan *plan, struct named *named, const struct cow_rewrite_options *opt,
                            struct cow_error *err)
{
    int status = plan_add_input(plan, "new backing file", opt->backing_path, err);
    if (status == 0) {
        status = pending_check_on(plan->img, opt->backing_path, &plan->input[0].file.facts, err);
    }
    if (status == 0) {
        status = check_new_backing(plan, opt, err);
    }
    if (status == 0) {
        status = identity_note(plan, opt->backing_path, opt->safe, err);
    }
    if (status != 0) {
        return status;
    }
    const struct stat *facts = &plan->input[0].file.facts;
    named->path = plan_absolute_path(plan, opt->backing_path, err);
    if (named->path == NULL) {
        return err->status;
    }
    plan->backing.is_cow = backing_is_cow(plan->io, &plan->input[0].file);
    named->size_bytes = (uint64_t)facts->st_size;
    named->file_mtime = facts->st_mtim.tv_sec;
    return opt->set_mtime ? 0
                          : backing_rule_date_fits(&named->mtime, named->file_mtime, opt->backing_path, err);
}

static int name_old_backing(struct cow_plan *plan, struct named *named, const struct cow_rewrite_options *opt,
                            struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    named->path = img->header.backing_path;
    if (named->path[0] == '\0' && plan->backing.path != NULL) { /* a QEMU image, and the user named one */
        named->path = plan_absolute_path(plan, plan->backing.path, err);
    }
    if (named->path == NULL) {
        return err->status;
    }
    if (named->path[0] == '\0') {
        cow_error_set(err, COW_UNSUPPORTED, "%s: it has no backing file, and a v3 image needs one",
                      img->path);
        return cow_error_hint(err, "\"cowtui rebase --safe --to FILE\" gives it one of the same size");
    }
    if (plan->backing.path == NULL && !img->no_backing) {
        struct stat facts;
        int status = plan->io->stat(plan->io->context, named->path, &facts);
        plan->backing.missing_errno = status < 0 ? -status : 0;
    }
    if (plan->backing.path == NULL) {
        return 0;
    }
    named->size_bytes = plan->backing.size_bytes;
    named->file_mtime = plan->backing.facts.st_mtim.tv_sec;
    /* One that was vouched for comes with its date; a header without a path has none. */
    return opt->restamp || img->header.backing_path[0] == '\0' || (opt->force && selects(opt))
               ? backing_rule_date_fits(&named->mtime, named->file_mtime, plan->backing.path, err)
               : 0;
}

static int choose_backing(struct cow_plan *plan, struct named *named, const struct cow_rewrite_options *opt,
                          struct cow_error *err)
{
    *named = (struct named){.mtime = opt->set_mtime ? opt->mtime : plan->img->header.mtime};
    int status = opt->backing_path != NULL ? name_new_backing(plan, named, opt, err)
                                           : name_old_backing(plan, named, opt, err);
    if (status == 0 && opt->set_mtime) {
        named->mtime = opt->mtime;
    }
    return status != 0 ? status : backing_rule_path_fits(named->path, err);
}

/* Only path or date change, and both lie in the first sector. */
static bool is_header_edit(const struct cow_image *img, const struct cow_rewrite_options *opt,
                           const struct named *named)
{
    return img->header.format == COW_FORMAT_V3 && img->header.sector_bytes == 512 && !selects(opt) &&
           !opt->convert && opt->output_path == NULL && opt->reserve_bytes == 0 &&
           strlen(named->path) < NEW_HEADER_SECTOR_PATH_BYTES;
}

static int choose_rewrite_target(struct cow_plan *plan, const struct cow_rewrite_options *opt,
                                 struct cow_error *err)
{
    struct cow_image *img = plan->img;
    if (opt->output_path != NULL) {
        plan->target.named_path = opt->output_path;
        plan->target.path =
            plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
        plan->holds.image = HOLD_READ;
        plan->result.is_callers = true;
    } else {
        int status = record_kind_facts(plan->method)->keeps_file ? 0 : plan_check_names(img, opt->force, err);
        if (status != 0) {
            return status;
        }
        plan->target.path = img->real_path;
        plan->target.replaces = true;
        plan->keep_undo = img->cow.facts.st_nlink == 1;
        plan->holds.image = HOLD_WRITE;
    }
    if (plan->target.path == NULL) {
        return err->status;
    }
    const bool reads_backing = selects(opt) || opt->backing_path == NULL;
    plan->holds.backing = plan->backing.path != NULL && reads_backing ? HOLD_READ : HOLD_NOT;
    plan->target.temp_path = plan_temp_path(plan, plan->target.path);
    return 0;
}

/* What the guest's filesystems have free. They must be sound enough for that to be believed: a block counts
 * as free if the bitmap says so and no inode has it. */
static int check_unused(struct cow_plan *plan, struct cow_error *err)
{
    size_t n, readable = 0;
    const struct cow_volume *volume = cow_fs_volumes(plan->fs, &n);
    for (size_t i = 0; i < n; i++) {
        readable += volume[i].readable;
        if (volume[i].readable && !volume[i].clean) {
            char text[COW_MESSAGE_BYTES / 2];
            cow_error_set(err, COW_REFUSED,
                          "%s: its filesystem is not clean, so what is free is not known: %s",
                          plan->img->path, cow_volume_text(text, sizeof text, &volume[i]));
            return cow_error_hint(err, "let the guest unmount it, or run e2fsck there first");
        }
    }
    if (cow_fs_ambiguous(plan->fs)) {
        cow_error_set(err, COW_REFUSED,
                      "%s: there are signs of more than one filesystem or partition table in the same place: "
                      "one of them is a leftover",
                      plan->img->path);
        return cow_error_hint(err, "wipefs, in the guest, takes away the one that is not in use");
    }
    if (readable == 0) {
        cow_error_set(err, COW_REFUSED, "%s: holds no ext filesystem that can be read", plan->img->path);
        return cow_error_hint(err, "\"cowtui files\" tells what it holds; compact works without --unused");
    }
    return 0;
}

int rewrite_look_inside(struct cow_plan *plan, bool pages, bool unused, const struct cow_env *env,
                        struct cow_error *err)
{
    if (!pages && !unused) {
        return 0;
    }
    int status = cow_fs_open(&plan->fs, plan->img, err);
    if (status == 0 && unused) {
        status = check_unused(plan, err);
    }
    if (status != 0) {
        return status;
    }
    plan->has_joints = pages && cow_fs_reads_across(plan->fs);
    const struct cow_fs_scan_options scan = {
        .owners_only = true, .look_around = plan->has_joints, .env = env};
    if (!plan->has_joints && !unused) {
        return 0;
    }
    status = cow_fs_scan(&plan->fs_scan, plan->fs, &scan, err);
    if (status == 0 && unused && cow_fs_scan_damage(plan->fs_scan)[0] != '\0') {
        cow_error_set(err, COW_REFUSED, "%s: its filesystem is damaged: %s", plan->img->path,
                      cow_fs_scan_damage(plan->fs_scan));
        return cow_error_hint(err, "run e2fsck in the guest first");
    }
    return status;
}

/* keep: nothing that was clean becomes dirty, and what hangs together stays as it is or goes as a whole. */
static int select_sectors(struct cow_plan *plan, const struct cow_rewrite_options *opt, bool keep,
                          struct cow_error *err)
{
    struct cow_image *img = plan->img;
    const struct host_file *backing =
        img->backing.facts.state == COW_BACKING_FOUND ? &img->backing.file : NULL;
    const struct selection_rule rule = {.pages = !opt->sectors,
                                        .joints = plan->has_joints ? plan->fs_scan : NULL,
                                        .unused = opt->unused ? plan->fs_scan : NULL,
                                        .compare = opt->compact || opt->safe,
                                        .look_at_all = opt->safe,
                                        .keep = keep,
                                        .backing = opt->safe ? &plan->input[0].file : backing,
                                        .env = opt->env};
    selection_close(plan->result.selection);
    plan->result.selection = NULL;
    plan->result.punch_zeros = opt->compact;
    return selection_open(&plan->result.selection, img, &rule, err);
}

static int count_rewrite(struct cow_plan *plan, struct rewrite_cost *cost,
                         const struct cow_rewrite_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    int status = cow_image_usage(img, &cost->usage, err);
    cost->old_sectors = status == 0 ? arith_div_up(cost->usage.dirty_bytes, 512) : 0;
    plan->result.counted.dirty_sectors = cost->old_sectors; /* where nothing is selected anew */
    if (status == 0 && selects(opt)) {
        status = image_count_mixed(img, &cost->mixed_pages, NULL, err);
    }
    if (status == 0 && selects(opt)) {
        status = rewrite_look_inside(plan, !opt->sectors, opt->unused, opt->env, err);
    }
    if (status == 0 && selects(opt)) {
        status = select_sectors(plan, opt, false, err);
    }
    return status;
}

/* Would the new image be the old one? */
static bool nothing_to_do(const struct cow_plan *plan, const struct cow_rewrite_options *opt,
                          const struct named *named, const struct rewrite_cost *cost)
{
    const struct cow_image *img = plan->img;
    const bool same_header =
        named->mtime == img->header.mtime && strcmp(named->path, img->header.backing_path) == 0;
    const bool same_bits =
        plan->result.counted.dirty_sectors == cost->old_sectors && (cost->mixed_pages == 0 || opt->sectors);
    const uint64_t slack = 128 * 1024 + plan->result.counted.dirty_sectors * 512 / 16;
    if (opt->output_path != NULL || opt->safe || opt->convert || opt->reserve_bytes != 0) {
        return false;
    }
    if (opt->compact && cost->usage.allocated_bytes > plan->result.counted.allocated_bytes + slack) {
        return false; /* there is something to punch */
    }
    return same_header && same_bits;
}

/* Does the data take more than it did? A v3's own header and bitmap, a few blocks, do not count; nor does, up
 * to a limit, that data which began within blocks does not share them any longer. */
static bool has_grown(const struct cow_plan *plan, uint64_t old_bytes)
{
    enum { SHARED_BYTES_MAX = 64 * 1024 };
    const struct plan_image *image = &plan->result.counted;
    const bool shared = plan->img->layout.data_offset % image->block_bytes != 0;
    return image->data_allocated_bytes >
           old_bytes + (shared ? arith_min(image->data_runs * image->block_bytes, SHARED_BYTES_MAX) : 0);
}

/* Compacting is to make the file smaller, and so does not complete what would make it larger. Where it can do
 * no better, it is refused. */
static int keep_small(struct cow_plan *plan, struct rewrite_cost *cost, const struct cow_rewrite_options *opt,
                      struct cow_error *err)
{
    char before[COW_SIZE_TEXT_BYTES], after[COW_SIZE_TEXT_BYTES];
    uint64_t old_bytes = 0;
    if (!opt->compact || opt->complete_pages || rebases(opt) || opt->larger) {
        return 0;
    }
    int status = footprint_of_old_data(&old_bytes, plan->img, err);
    if (status == 0 && has_grown(plan, old_bytes) && plan->result.counted.added_sectors > 0) {
        status = select_sectors(plan, opt, true, err);
        cost->keeps_mixed = true;
        if (status == 0) {
            status = footprint_of_image(plan, opt->env, err);
        }
    }
    if (status != 0 || !has_grown(plan, old_bytes)) {
        return status;
    }
    cow_error_set(err, COW_REFUSED,
                  "%s: compacting would make the file larger: its data takes %s now, and would take %s",
                  plan->img->path, cow_size_text(before, old_bytes),
                  cow_size_text(after, plan->result.counted.data_allocated_bytes));
    return cow_error_hint(err, "leave it as it is; or, if fewer dirty sectors are worth it, --force=larger");
}

static int build_rewrite(struct cow_plan *plan, const struct cow_rewrite_options *opt, struct cow_error *err)
{
    struct named named;
    struct rewrite_cost cost = {.old_sectors = 0};
    const struct cow_image *img = plan->img;
    int status = 0;
    plan->backing.is_trusted = rebases(opt) && plan->own_image == NULL;
    if (plan->backing.is_trusted && img->backing.facts.state == COW_BACKING_FOUND) {
        status = pending_check_on(img, plan->backing.path, &plan->backing.facts, err);
    }
    if (status == 0) {
        status = check_old_backing(plan->img, opt, err);
    }
    if (status == 0) {
        status = choose_backing(plan, &named, opt, err);
    }
    if (status == 0) {
        plan->method = opt->output_path == NULL ? RECORD_COPY : RECORD_NONE;
        if (is_header_edit(plan->img, opt, &named)) {
            plan->method = RECORD_HEADER;
            plan->reach = REACH_NAMES;
        }
        status = choose_rewrite_target(plan, opt, err);
        trace_say(opt->env, COW_TRACE_DECIDE, "%s",
                  plan->method == RECORD_HEADER ? "names and dates alone change: method header"
                                                : "content or layout change: a new file");
    }
    if (status == 0) {
        status = count_rewrite(plan, &cost, opt, err);
    }
    if (status == 0) {
        status = new_header_fill(plan,
                                 &(struct new_header){.size_bytes = img->header.size_bytes,
                                                      .backing_path = named.path,
                                                      .mtime = named.mtime,
                                                      .reserve_bytes = opt->reserve_bytes,
                                                      .keeps_room = true},
                                 err);
    }
    if (status == 0) {
        status = plan_predict_verdict(plan, named.size_bytes, named.file_mtime, err);
    }
    if (status == 0 && plan->method != RECORD_HEADER) {
        status = footprint_of_image(plan, opt->env, err);
    }
    const bool nothing = status == 0 && nothing_to_do(plan, opt, &named, &cost);
    if (status == 0 && !nothing) {
        status = keep_small(plan, &cost, opt, err);
    }
    if (status != 0) {
        return status;
    }
    if (nothing) {
        rewrite_describe_nothing(plan, opt, &cost);
    } else {
        rewrite_describe(plan, opt, &cost);
    }
    return 0;
}

int cow_plan_rewrite(struct cow_plan **out, struct cow_image *img, const struct cow_rewrite_options *opt,
                     struct cow_error *err)
{
    struct cow_error local;
    enum cow_operation operation;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = pending_check_ready(img, err);
    if (status == 0) {
        status = check_rewrite_request(&operation, opt, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, operation, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->force = opt->force;
    status = build_rewrite(plan, opt, err);
    return plan_finish(out, plan, status, err);
}
