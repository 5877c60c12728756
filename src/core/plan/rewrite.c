/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pages, compact, rebase, convert: another image of the same disk. The decisions, in the order in which they
 * are taken: is the request sound, which backing file and which date does the new header name, does one write
 * of the first sector do, which sectors are dirty afterwards, is there anything to do at all.
 */
#include "core/plan/rewrite.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/plan/footprint.h"
#include "core/plan/identity.h"
#include "cow/scan.h"
#include "cow/text.h"

/* Of a path in a v3 header, what lies in the first sector. */
enum { IN_PLACE_PATH_BYTES = 512 - 32 };

static bool rebases(const struct cow_rewrite_options *opt)
{
    return opt->backing_path != NULL || opt->restamp || opt->set_mtime || opt->safe;
}

/* By bytes or by bits, other sectors are dirty afterwards. */
static bool selects(const struct cow_rewrite_options *opt)
{
    return opt->complete_pages || opt->compact || opt->safe;
}

const char *rewrite_name(const struct cow_rewrite_options *opt)
{
    const int several = opt->complete_pages + opt->compact + rebases(opt) + opt->convert;
    return several > 1           ? "repair"
           : opt->complete_pages ? "pages"
           : opt->compact        ? "compact"
           : rebases(opt)        ? "rebase"
           : opt->convert        ? "convert"
                                 : NULL;
}

static int check_request(const struct cow_rewrite_options *opt, struct cow_error *err)
{
    if (rewrite_name(opt) == NULL) {
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
    if (backing->state != COW_BACKING_FOUND && backing->state != COW_BACKING_NONE) {
        cow_error_set(err, COW_IO, "%s: the backing file: %s", img->path, backing->problem);
        return cow_error_hint(err, "name it with -b FILE; if it has moved: cowtui rebase --to PATH");
    }
    const bool vouched = opt->force || opt->restamp;
    if (backing->state == COW_BACKING_FOUND && selects(opt) && backing->mtime != (int64_t)img->header.mtime &&
        !vouched) {
        cow_error_set(err, COW_REFUSED,
                      "%s: its backing file %s has another date (%" PRId64 ") than the header (%" PRIu32
                      "): its content may have changed",
                      img->path, backing->path, backing->mtime, img->header.mtime);
        return cow_error_hint(err,
                              "\"cowtui check\" says what is known about it; if its content is the same: "
                              "rebase --restamp first, or --force");
    }
    if (backing->state == COW_BACKING_FOUND && opt->restamp && opt->backing_path == NULL &&
        backing->size_bytes != img->header.size_bytes && !opt->force) {
        cow_error_set(err, COW_REFUSED, "%s: its backing file %s has %" PRIu64 " bytes, the disk %" PRIu64,
                      img->path, backing->path, backing->size_bytes, img->header.size_bytes);
        return cow_error_hint(err, "a date makes it no better: resize the image, or name the right file");
    }
    return 0;
}

bool rewrite_is_cow(const struct cow_plan *plan, const struct host_file *file)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct cow_header header;
    ssize_t n = io_read(plan->io, file->fd, bytes, sizeof bytes, 0);
    return n > 0 &&
           cow_header_decode(&header, bytes, (size_t)n, (uint64_t)file->facts.st_size, UINT64_MAX, NULL) == 0;
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
    if (rewrite_is_cow(plan, &input->file) && !opt->force) {
        cow_error_set(err, COW_REFUSED, "%s: is a COW image itself, no raw disk", opt->backing_path);
        return cow_error_hint(err, "merge it into a raw file first, or --force");
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

static int date_of(uint32_t *out, const struct stat *facts, const char *path, struct cow_error *err)
{
    const int64_t mtime = facts->st_mtim.tv_sec;
    if (mtime < 0 || mtime > UINT32_MAX) {
        return cow_error_set(err, COW_INVALID, "%s: its date (%" PRId64 ") does not fit a COW header", path,
                             mtime);
    }
    *out = (uint32_t)mtime;
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
        status = plan_check_pending_on(plan->img, opt->backing_path, &plan->input[0].file.facts, err);
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
    named->size_bytes = (uint64_t)facts->st_size;
    named->file_mtime = facts->st_mtim.tv_sec;
    return opt->set_mtime ? 0 : date_of(&named->mtime, facts, opt->backing_path, err);
}

static int name_old_backing(struct cow_plan *plan, struct named *named, const struct cow_rewrite_options *opt,
                            struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    named->path = img->header.backing_path;
    if (named->path[0] == '\0' && plan->backing_path != NULL) { /* a QEMU image, and the user named one */
        named->path = plan_absolute_path(plan, plan->backing_path, err);
    }
    if (named->path == NULL) {
        return err->status;
    }
    if (named->path[0] == '\0') {
        cow_error_set(err, COW_UNSUPPORTED, "%s: it has no backing file, and a v3 image needs one",
                      img->path);
        return cow_error_hint(err, "\"cowtui rebase --safe --to FILE\" gives it one of the same size");
    }
    if (plan->backing_path == NULL && !img->no_backing) {
        struct stat facts;
        int status = plan->io->stat(plan->io->context, named->path, &facts);
        plan->backing_errno = status < 0 ? -status : 0;
    }
    if (plan->backing_path == NULL) {
        return 0;
    }
    named->size_bytes = plan->backing_bytes;
    named->file_mtime = plan->backing_facts.st_mtim.tv_sec;
    /* One that was vouched for comes with its date; a header without a path has none. */
    return opt->restamp || img->header.backing_path[0] == '\0' || (opt->force && selects(opt))
               ? date_of(&named->mtime, &plan->backing_facts, plan->backing_path, err)
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
    if (status == 0 && strlen(named->path) >= COW_PATH_BYTES) {
        return cow_error_set(err, COW_INVALID, "%s: the path is too long for a COW header", named->path);
    }
    return status;
}

/* Only path or date change, and both lie in the first sector. */
static bool is_header_edit(const struct cow_image *img, const struct cow_rewrite_options *opt,
                           const struct named *named)
{
    return img->header.format == COW_FORMAT_V3 && img->header.sector_bytes == 512 && !selects(opt) &&
           !opt->convert && opt->output_path == NULL && opt->reserve_bytes == 0 &&
           strlen(named->path) < IN_PLACE_PATH_BYTES;
}

static int choose_target(struct cow_plan *plan, const struct cow_rewrite_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    if (opt->output_path != NULL) {
        plan->named_path = opt->output_path;
        plan->target_path = plan_choose_output(plan, opt->output_path, opt->force, &plan->replace, err);
        plan->hold_image = HOLD_READ;
        plan->fresh = true;
    } else {
        int status = plan->in_place ? 0 : plan_check_names(img, opt->force, err);
        if (status != 0) {
            return status;
        }
        plan->target_path = img->real_path;
        plan->replace = true;
        plan->journaled = true;
        plan->keep_undo = img->cow.facts.st_nlink == 1;
        plan->hold_image = HOLD_WRITE;
    }
    if (plan->target_path == NULL) {
        return err->status;
    }
    const bool reads_backing = selects(opt) || opt->backing_path == NULL;
    plan->hold_backing = plan->backing_path != NULL && reads_backing ? HOLD_READ : HOLD_NOT;
    plan->temp_path = plan_temp_path(plan, plan->target_path);
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
    selection_close(plan->selection);
    plan->selection = NULL;
    plan->punch_zeros = opt->compact;
    return selection_open(&plan->selection, img, &rule, err);
}

static int count(struct cow_plan *plan, struct rewrite_cost *cost, const struct cow_rewrite_options *opt,
                 struct cow_error *err)
{
    struct cow_image *img = plan->img;
    int status = cow_image_usage(img, &cost->usage, err);
    cost->old_sectors = status == 0 ? arith_div_up(cost->usage.dirty_bytes, 512) : 0;
    plan->image.dirty_sectors = cost->old_sectors; /* where nothing is selected anew */
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
        plan->image.dirty_sectors == cost->old_sectors && (cost->mixed_pages == 0 || opt->sectors);
    const uint64_t slack = 128 * 1024 + plan->image.dirty_sectors * 512 / 16;
    if (opt->output_path != NULL || opt->safe || opt->convert || opt->reserve_bytes != 0) {
        return false;
    }
    if (opt->compact && cost->usage.allocated_bytes > plan->image.allocated_bytes + slack) {
        return false; /* there is something to punch */
    }
    return same_header && same_bits;
}

/* Does the data take more than it did? A v3's own header and bitmap, a few blocks, do not count; nor does, up
 * to a limit, that data which began within blocks does not share them any longer. */
static bool has_grown(const struct cow_plan *plan, uint64_t old_bytes)
{
    enum { SHARED_BYTES_MAX = 64 * 1024 };
    const struct plan_image *image = &plan->image;
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
    if (status == 0 && has_grown(plan, old_bytes) && plan->image.added_sectors > 0) {
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
                  cow_size_text(after, plan->image.data_allocated_bytes));
    return cow_error_hint(err, "leave it as it is; or, if fewer dirty sectors are worth it, --force=larger");
}

int rewrite_fill_header(struct cow_plan *plan, const char *backing_path, uint32_t mtime,
                        uint64_t reserve_bytes, struct cow_error *err)
{
    const struct cow_header *old = &plan->img->header;
    struct cow_header *h = &plan->header;
    *h = (struct cow_header){.format = COW_FORMAT_V3,
                             .version = 3,
                             .big_endian = true,
                             .size_bytes = old->size_bytes,
                             .sector_bytes = 512,
                             .mtime = mtime};
    if (strlen(backing_path) >= COW_PATH_BYTES) {
        return cow_error_set(err, COW_INVALID, "%s: the path is too long for a COW header", backing_path);
    }
    memcpy(h->backing_path, backing_path, strlen(backing_path) + 1);
    if (plan->in_place) {
        h->alignment = old->alignment;
        h->cow_format = old->cow_format;
        plan->layout = plan->img->layout;
        return 0;
    }
    int status = cow_layout_choose_alignment(&h->alignment, h->size_bytes, reserve_bytes, err);
    if (status != 0) {
        return status;
    }
    /* Room that the old image had for growing stays. */
    const uint32_t chosen = h->alignment;
    if (old->alignment > chosen && arith_is_power_of_two(old->alignment) && reserve_bytes == 0) {
        h->alignment = old->alignment;
        if (cow_layout_of(&plan->layout, h, NULL) == 0 && plan->layout.data_offset <= INT32_MAX) {
            return 0;
        }
        h->alignment = chosen;
    }
    return cow_layout_of(&plan->layout, h, err);
}

static int build(struct cow_plan *plan, const struct cow_rewrite_options *opt, struct cow_error *err)
{
    struct named named;
    struct rewrite_cost cost = {.old_sectors = 0};
    const struct cow_image *img = plan->img;
    int status = 0;
    plan->trusts_backing = rebases(opt) && plan->own_image == NULL;
    if (plan->trusts_backing && img->backing.facts.state == COW_BACKING_FOUND) {
        status = plan_check_pending_on(img, plan->backing_path, &plan->backing_facts, err);
    }
    if (status == 0) {
        status = check_old_backing(plan->img, opt, err);
    }
    if (status == 0) {
        status = choose_backing(plan, &named, opt, err);
    }
    if (status == 0) {
        plan->in_place = plan->header_edit = is_header_edit(plan->img, opt, &named);
        status = choose_target(plan, opt, err);
    }
    if (status == 0) {
        status = count(plan, &cost, opt, err);
    }
    if (status == 0) {
        status = rewrite_fill_header(plan, named.path, named.mtime, opt->reserve_bytes, err);
    }
    if (status == 0) {
        status = plan_predict_verdict(plan, named.size_bytes, named.file_mtime, err);
    }
    if (status == 0 && !plan->in_place) {
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
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = image_require_layout(img, err);
    if (status == 0) {
        status = plan_check_pending(img, err);
    }
    if (status == 0) {
        status = check_request(opt, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, rewrite_name(opt));
    if (plan == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->force = opt->force;
    status = build(plan, opt, err);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    return plan_finish(out, plan, err);
}
