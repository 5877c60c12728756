/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: another size of the disk. What is decided, in the order in which it is: is the request sound, is
 * the image in a state to be resized, what becomes of the backing file, can the data stay where it is (by
 * header) or is it written anew (by copy), what does the new image look like. Each decision refuses with
 * words; what is left at the end is described (resize_text.c) and listed as steps. Nothing is written here,
 * and each refusal that others could make true meanwhile is asked again under the lock.
 *
 * Whatever is rewritten becomes a v3 with 512-byte sectors. Old sectors keep their bits; the bytes between an
 * odd old end and its sector's end are zeroed, or what the backing file has there would show up in the guest.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/trace.h"
#include "core/format/variants.h"
#include "core/image/backing_rules.h"
#include "core/image/siblings.h"
#include "core/ledger/pending.h"
#include "core/ledger/record.h"
#include "core/plan/footprint.h"
#include "core/plan/method_words.h"
#include "core/plan/new_header.h"
#include "core/plan/plan_output.h"
#include "core/plan/plan_result.h"
#include "core/plan/plan_rules.h"
#include "core/resize/filesystem.h"
#include "core/resize/in_two.h"
#include "core/resize/resize.h"
#include "core/resize/resize_in_place.h"
#include "core/resize/resize_text.h"
#include "core/resize/shrink.h"
#include "cow/text.h"

static bool wants_in_place(const struct cow_resize_options *opt)
{
    return opt->in_place || opt->method == COW_RESIZE_INSERTED || opt->method == COW_RESIZE_MOVED;
}

static int check_resize_request(const struct cow_image *img, const struct cow_resize_options *opt,
                                struct cow_error *err)
{
    const uint64_t old_bytes = img->header.size_bytes;
    const bool in_place = wants_in_place(opt);
    if (in_place && (opt->method == COW_RESIZE_COPY || opt->output_path != NULL)) {
        return cow_error_set(err, COW_USAGE,
                             opt->output_path != NULL
                                 ? "-o writes a new file, and --in-place none"
                                 : "--method copy writes a new file, and --in-place none");
    }
    if (in_place && opt->size_bytes < old_bytes) {
        cow_error_set(err, COW_USAGE, "a smaller disk is written to a new file, and --in-place writes none");
        return cow_error_hint(err, "shrink it without --in-place");
    }
    if (opt->fs == COW_FS_GROWS && opt->size_bytes < old_bytes) {
        cow_error_set(err, COW_USAGE, "a filesystem does not grow with a disk that becomes smaller");
        return cow_error_hint(err, "--resize-fs makes the filesystem smaller, and then the disk");
    }
    if (opt->size_bytes == 0 || opt->size_bytes % 512 != 0) {
        return cow_error_set(err, COW_USAGE, "a size of %" PRIu64 " bytes is not a multiple of 512",
                             opt->size_bytes);
    }
    if (opt->size_bytes < old_bytes && !opt->shrink) {
        cow_error_set(err, COW_REFUSED,
                      "%s: %" PRIu64 " bytes would be smaller than the disk is (%" PRIu64 ")", img->path,
                      opt->size_bytes, old_bytes);
        return cow_error_hint(err, "to grow by a size write it with a plus: +64M; --shrink makes it smaller");
    }
    if (opt->size_bytes < old_bytes && opt->policy != COW_POLICY_COPY && opt->policy != COW_POLICY_UNSET) {
        cow_error_set(err, COW_USAGE, "shrinking goes with --policy copy only");
        return cow_error_hint(
            err, "a kernel wants a backing file of the smaller size, too, and a shared one is never cut");
    }
    if (opt->size_bytes <= BACKING_HANGS_BYTES) {
        return cow_error_set(err, COW_INVALID, "a disk of 32 KiB or less hangs the guest at its first write");
    }
    if (opt->output_path != NULL && opt->policy == COW_POLICY_EXTEND) {
        return cow_error_set(err, COW_USAGE,
                             "-o leaves the image alone, so it goes with --policy copy or keep only");
    }
    if (opt->copy_path != NULL && opt->policy != COW_POLICY_COPY) {
        return cow_error_set(err, COW_USAGE, "a path goes with --policy copy only");
    }
    if (opt->reserve_bytes != 0 && opt->reserve_bytes < opt->size_bytes) {
        return cow_error_set(err, COW_USAGE, "the reserve is less than the new size");
    }
    return 0;
}

/* Without a policy: extend, if that harms nobody. */
static int decide_policy(struct cow_resize_options *opt, struct cow_image *img, struct cow_error *err)
{
    struct siblings siblings;
    char why[COW_MESSAGE_BYTES / 2] = "";
    if (opt->policy != COW_POLICY_UNSET) {
        return 0;
    }
    if (opt->shrink && opt->size_bytes < img->header.size_bytes) {
        opt->policy = COW_POLICY_COPY;
        return 0;
    }
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->state != COW_BACKING_FOUND || backing->size_bytes == opt->size_bytes) {
        opt->policy = COW_POLICY_EXTEND; /* it has the size, or there are other words for what is wrong */
        return 0;
    }
    int status = siblings_find(&siblings, img, err);
    if (status != 0) {
        return status;
    }
    struct stat facts;
    const bool is_device = S_ISBLK(img->backing.file.facts.st_mode);
    int fd = is_device ? -EINVAL : io_open_regular(img->io, backing->path, O_RDWR, &facts);
    if (fd >= 0) {
        img->io->close(img->io->context, fd);
    }
    if (is_device) {
        snprintf(why, sizeof why, "it is a block device, which is not lengthened");
    } else if (siblings.incomplete) {
        snprintf(why, sizeof why, "not all of the directories can be searched for other images on it");
    } else if (siblings.n > 0) {
        snprintf(why, sizeof why, "%s%s is on the same backing file", siblings.sibling[0].path,
                 siblings.n > 1 ? " (and others)" : "");
    } else if (fd < 0) {
        snprintf(why, sizeof why, "the backing file cannot be written");
    } else if (opt->output_path != NULL) {
        snprintf(why, sizeof why, "-o leaves the image as it is, and so its backing file");
    }
    siblings_clear(&siblings);
    if (why[0] != '\0') {
        cow_error_set(err, COW_REFUSED, "%s: growing needs a decision about the backing file: %s", img->path,
                      why);
        return cow_error_hint(
            err, "--policy extend lengthens the backing file (other images on it must then be resized, "
                 "too); --family lengthens it and resizes all images on it; --policy copy makes a private, "
                 "longer copy of it");
    }
    opt->policy = COW_POLICY_EXTEND;
    return 0;
}

static int check_resized_backing(const struct cow_image *img, const struct cow_resize_options *opt,
                                 struct cow_error *err)
{
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->state == COW_BACKING_NONE) {
        if (opt->policy == COW_POLICY_COPY) {
            return 0;
        }
        cow_error_set(err, COW_UNSUPPORTED, "%s: it has no backing file, and a v3 image needs one",
                      img->path);
        return cow_error_hint(err, "--policy copy makes one (a hole); -b FILE names one");
    }
    uint32_t mtime;
    int status = backing_rule_found(img, NULL, err);
    if (status == 0 && !opt->force) {
        status = backing_rule_date_is_headers(
            img, "if you know that its content is the same: --force takes over its date", err);
    }
    return status != 0 ? status : backing_rule_date_fits(&mtime, backing->mtime, backing->path, err);
}

/* extend: may this backing file become size_bytes long? */
static int check_extend(const struct cow_image *img, const struct cow_resize_options *opt,
                        struct cow_error *err)
{
    const struct cow_backing *backing = &img->backing.facts;
    const uint64_t old_bytes = img->header.size_bytes;
    if (backing->size_bytes > opt->size_bytes) {
        char size[COW_SIZE_TEXT_BYTES];
        cow_error_set(err, COW_REFUSED,
                      "%s: the backing file %s has %" PRIu64 " bytes, more than the new size", img->path,
                      backing->path, backing->size_bytes);
        return cow_error_hint(err, "a kernel wants both equal: resize to %s",
                              cow_size_argument(size, backing->size_bytes));
    }
    if (backing->size_bytes == opt->size_bytes) {
        return 0;
    }
    if (S_ISBLK(img->backing.file.facts.st_mode)) {
        cow_error_set(err, COW_REFUSED, "%s: the backing file %s is a block device, which is not lengthened",
                      img->path, backing->path);
        return cow_error_hint(err, "--policy copy makes a longer copy of it in a file; or lengthen it with "
                                   "its own tool (lvextend), then resize to its new size");
    }
    if (backing->size_bytes > old_bytes && !opt->force) {
        cow_error_set(err, COW_REFUSED,
                      "%s: the backing file %s has %" PRIu64 " bytes, neither the old size (%" PRIu64
                      ") nor the new one",
                      img->path, backing->path, backing->size_bytes, old_bytes);
        return cow_error_hint(
            err, "what it holds past the old end would show up in the guest; --force accepts that");
    }
    struct stat facts;
    int fd = io_open_regular(img->io, backing->path, O_RDWR, &facts);
    if (fd < 0) {
        cow_error_system(err, -fd, "%s cannot be lengthened", backing->path);
        return cow_error_hint(err, "--policy copy makes a private, longer copy of it");
    }
    img->io->close(img->io->context, fd);
    return 0;
}

/* Where new bits will lie, the old file may hold anything: it is kept in the journal, up to a limit. 1, 0 or
 * -errno. */
static int room_is_small(struct cow_image *img, const struct cow_layout *layout, uint64_t *saved_bytes)
{
    const uint64_t begin = img->layout.bitmap_offset + img->layout.bitmap_bytes;
    const uint64_t end = layout->bitmap_offset + layout->bitmap_bytes;
    uint64_t data_end = begin;
    for (uint64_t at = begin; at < end;) {
        struct io_extent extent;
        int status = host_file_extent(img->io, &img->cow, at, end, &extent);
        if (status < 0) {
            return status;
        }
        data_end = extent.data ? extent.end : data_end;
        at = extent.end;
    }
    *saved_bytes = data_end - begin;
    return data_end - begin <= RECORD_HELD_BYTES_MAX;
}

/* Whether the bitmap has room to grow where it is: then one write of the first sector is all that the image
 * needs. 0 with *out, or -errno. */
static int data_may_stay(bool *out, uint64_t *saved_bytes, struct cow_image *img,
                         const struct cow_resize_options *opt)
{
    struct cow_header header = img->header;
    struct cow_layout layout;
    header.size_bytes = opt->size_bytes;
    *out =
        img->header.format == COW_FORMAT_V3 && img->header.sector_bytes == 512 && opt->output_path == NULL &&
        opt->size_bytes > img->header.size_bytes && opt->size_bytes < SIZE_LIMIT_BYTES &&
        cow_layout_of(&layout, &header, NULL) == 0 && layout.data_offset == img->layout.data_offset &&
        layout.data_offset <= INT32_MAX && /* kernels hold it in an int; a copy can bring it down */
        opt->reserve_bytes <= cow_layout_capacity(header.alignment, layout.data_offset) &&
        /* the new sectors of keep are dirty holes: nothing may lie there */
        (opt->policy != COW_POLICY_KEEP ||
         ((uint64_t)img->cow.facts.st_size <= img->layout.end_offset && img->header.size_bytes % 512 == 0));
    int yes = *out ? room_is_small(img, &layout, saved_bytes) : 0;
    *out = yes > 0;
    return yes < 0 ? yes : 0;
}

/* The disk has the size already. What may be left to do is the backing file. */
static bool nothing_to_rewrite(const struct cow_image *img, const struct cow_resize_options *opt)
{
    return opt->size_bytes == img->header.size_bytes && !opt->shrink && opt->fs == COW_FS_STAYS &&
           opt->policy != COW_POLICY_COPY && opt->output_path == NULL &&
           img->header.format == COW_FORMAT_V3 &&
           opt->reserve_bytes <= (wants_in_place(opt)
                                      ? cow_layout_capacity(img->header.alignment, img->layout.data_offset)
                                      : 0);
}

/* Whether the filesystem's programs can be given an overlay on the image, and what they wrote be taken over:
 * the mark has its place, and who opens the image below finds its backing file. */
static bool can_overlay(const struct cow_image *img)
{
    return img->whole == NULL && !img->backing.facts.named &&
           strlen(img->header.backing_path) < IN_PLACE_PATH_BYTES;
}

static int refuse_overlay(const struct cow_image *img, struct cow_error *err)
{
    cow_error_set(err, COW_UNSUPPORTED,
                  "%s: its filesystem cannot be resized in place: its backing file is named by -b, is a COW "
                  "image itself, "
                  "or has too long a path",
                  img->path);
    return cow_error_hint(err, "without --in-place it is resized on a copy");
}

/* In place, with the filesystem, where the data has to move: two changes. What cannot be looked at is refused
 * by the first of them. */
static bool is_in_two(struct cow_image *img, const struct cow_resize_options *opt)
{
    bool stays = true;
    uint64_t saved_bytes;
    return opt->fs != COW_FS_STAYS && wants_in_place(opt) && opt->size_bytes > img->header.size_bytes &&
           (data_may_stay(&stays, &saved_bytes, img, opt) < 0 || !stays ||
            opt->method == COW_RESIZE_INSERTED || opt->method == COW_RESIZE_MOVED);
}

/* By header where the data may stay; else by copy, or where it lies. */
static int choose_method(struct cow_plan *plan, const struct cow_resize_options *opt, bool stays,
                         struct cow_error *err)
{
    const bool names_another = opt->method != COW_RESIZE_ANY && opt->method != COW_RESIZE_HEADER;
    if (opt->fs != COW_FS_STAYS && opt->size_bytes == plan->img->header.size_bytes &&
        (wants_in_place(opt) || opt->method == COW_RESIZE_HEADER)) {
        cow_error_set(err, COW_UNSUPPORTED,
                      "%s: the disk has this size already: its filesystem alone is resized on a copy only",
                      plan->img->path);
        return cow_error_hint(err, "without --in-place and --method it is copied");
    }
    plan->method = RECORD_COPY;
    if (stays && !names_another && (opt->fs == COW_FS_STAYS || can_overlay(plan->img))) {
        plan->method = opt->fs == COW_FS_STAYS ? RECORD_HEADER : RECORD_CONTENT;
        return 0;
    }
    if (opt->method == COW_RESIZE_HEADER) {
        cow_error_set(err, COW_REFUSED, "%s: the data has to move: the header alone is not enough",
                      plan->img->path);
        return cow_error_hint(err, "without --method it is copied, with --in-place moved where it lies");
    }
    return wants_in_place(opt) && !nothing_to_rewrite(plan->img, opt) ? in_place_choose(plan, opt, err) : 0;
}

/* Where the image goes. */
static int choose_resize_target(struct cow_plan *plan, const struct cow_resize_options *opt,
                                struct cow_error *err)
{
    struct cow_image *img = plan->img;
    if (opt->output_path != NULL) {
        plan->target.named_path = opt->output_path;
        plan->target.path =
            plan_choose_output(plan, opt->output_path, opt->force, &plan->target.replaces, err);
        plan->holds.image = HOLD_READ;
        plan->result.is_callers = true;
        return plan->target.path == NULL ? err->status : 0;
    }
    bool stays;
    int status = data_may_stay(&stays, &plan->result.saved_bytes, img, opt);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking for holes", img->path);
    }
    plan->target.path = img->real_path;
    plan->target.replaces = true;
    plan->keep_undo = img->cow.facts.st_nlink == 1;
    plan->holds.image = HOLD_WRITE;
    status = choose_method(plan, opt, stays, err);
    if (status == 0) {
        trace_say(opt->env, COW_TRACE_DECIDE, "the bitmap %s before the data: method %s",
                  stays ? "has room to grow" : "has no room to grow",
                  cow_method_name(method_shown(plan->method)));
    }
    return status;
}

/* policy copy: the private backing file's name. */
static int choose_copy_path(struct cow_plan *plan, const struct cow_resize_options *opt,
                            struct cow_error *err)
{
    const char *path = opt->copy_path;
    struct stat facts;
    for (unsigned n = 0; path == NULL; n++) {
        const char *base = opt->output_path != NULL ? opt->output_path : plan->img->path;
        const char *guess =
            n == 0 ? plan_text(plan, "%s.backing", base) : plan_text(plan, "%s.backing.%u", base, n);
        int status = plan->io->stat(plan->io->context, guess, &facts);
        if (status == -ENOENT) {
            path = guess;
        } else if (status < 0 || n == 9) {
            return status < 0 ? cow_error_system(err, -status, "%s", guess)
                              : cow_error_set(err, COW_REFUSED,
                                              "%s: exists already, as do those numbered before it", guess);
        }
    }
    bool exists;
    plan->backing.copy_path = plan_choose_output(plan, path, false, &exists, err);
    if (plan->backing.copy_path == NULL) {
        return err->status;
    }
    if (strcmp(plan->backing.copy_path, plan->target.path) == 0) {
        return cow_error_set(err, COW_REFUSED, "%s: image and backing file cannot be the same file", path);
    }
    plan->backing.copy_temp_path = plan_temp_path(plan, plan->backing.copy_path);
    plan->backing.copy_mtime = plan->backing.path != NULL
                                   ? plan->backing.facts.st_mtim
                                   : (struct timespec){.tv_sec = (time_t)plan->img->header.mtime};
    return 0;
}

static const char *new_backing_path(struct cow_plan *plan, struct cow_error *err)
{
    if (plan->backing.copy_path != NULL) {
        return plan->backing.copy_path;
    }
    if (plan->img->header.backing_path[0] != '\0') {
        return plan->img->header.backing_path; /* an untouched path stays as it is */
    }
    return plan_absolute_path(plan, plan->backing.path, err);
}

/* policy keep: where an odd end of the old disk is clean, and the backing file goes on behind it, its bytes
 * would show up in the guest; so that sector becomes a dirty one, with zeros behind the old end. */
static int decide_odd_end(struct cow_plan *plan, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    const uint64_t old_bytes = img->header.size_bytes;
    bool dirty;
    if (old_bytes % 512 == 0 || plan->backing.size_bytes <= old_bytes) {
        return 0;
    }
    int status = bitmap_get(img->bitmap, img->layout.sectors - 1, &dirty, err);
    if (status == 0 && !dirty) {
        plan->result.odd_end_is_born = true;
        plan->result.born_dirty.first_sector--;
        plan->result.born_dirty.sectors++;
    }
    return status;
}

/* policy keep: the new sectors are dirty. */
static int bear_sectors(struct cow_plan *plan, struct cow_error *err)
{
    const uint64_t old_sectors = arith_div_up(plan->img->header.size_bytes, 512);
    plan->result.born_dirty = (struct cow_dirty_run){old_sectors, plan->result.layout.sectors - old_sectors};
    return decide_odd_end(plan, err);
}

/* A disk that becomes smaller together with its filesystem has its old size until that is done. */
static uint64_t reserve_bytes(const struct cow_plan *plan, const struct cow_resize_options *opt)
{
    return plan->filesystem.resizes && plan->result.shrinks
               ? arith_max(cow_layout_reserve(opt->size_bytes, opt->reserve_bytes),
                           plan->img->header.size_bytes)
               : opt->reserve_bytes;
}

static int fill_header(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    const struct new_header wish = {.size_bytes = opt->size_bytes,
                                    .backing_path = new_backing_path(plan, err),
                                    .mtime = plan->backing.path != NULL
                                                 ? (uint32_t)plan->backing.facts.st_mtim.tv_sec
                                                 : plan->img->header.mtime,
                                    .reserve_bytes = reserve_bytes(plan, opt),
                                    .alignment = plan->result.shift_alignment};
    if (wish.backing_path == NULL) {
        return err->status;
    }
    int status = new_header_fill(plan, &wish, err);
    if (status == 0) {
        status = filesystem_lay_out(plan, err);
    }
    return status == 0 && opt->policy == COW_POLICY_KEEP ? bear_sectors(plan, err) : status;
}

/* What lies on the disk: whether it may become smaller, and what is to be done when it has become larger.
 * That is advice, and a disk that cannot be read grows without it. */
static int look_at_content(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_error ignored;
    plan->result.shrinks = opt->size_bytes < plan->img->header.size_bytes;
    const bool must_be_read = plan->result.shrinks || opt->fs != COW_FS_STAYS;
    int status = cow_fs_open(&plan->fs, plan->img, must_be_read ? err : &ignored);
    if (opt->fs != COW_FS_STAYS) {
        return status == 0 ? filesystem_choose(plan, opt, err) : status;
    }
    if (status == 0 && plan->result.shrinks) {
        status = shrink_check(plan, opt, err);
    } else if (status == COW_NO_MEMORY && !plan->result.shrinks) {
        *err = ignored;
    } else if (!plan->result.shrinks) {
        status = 0;
    }
    return status;
}

/* First: which files the change is about, and by which method the image is written. */
static int decide_files(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    int status = opt->policy == COW_POLICY_EXTEND ? check_extend(img, opt, err) : 0;
    if (status == 0) {
        status = choose_resize_target(plan, opt, err);
    }
    if (status == 0 && opt->policy == COW_POLICY_COPY) {
        status = choose_copy_path(plan, opt, err);
        if (status == 0 && record_kind_facts(plan->method)->keeps_file &&
            strlen(plan->backing.copy_path) >= (plan->method == RECORD_HEADER
                                                    ? (size_t)NEW_HEADER_SECTOR_PATH_BYTES
                                                    : (size_t)IN_PLACE_PATH_BYTES)) {
            status = wants_in_place(opt) ? in_place_refuse_path(img->path, err) : 0;
            plan->method = RECORD_COPY;
        }
    }
    if (status == 0 && nothing_to_rewrite(img, opt)) {
        plan->method = RECORD_HEADER;
        plan->reach = REACH_BACKING;
    }
    if (status != 0) {
        return status;
    }
    plan->backing.new_size_bytes =
        opt->policy == COW_POLICY_KEEP ? plan->backing.size_bytes : opt->size_bytes;
    plan->holds.backing = plan->backing.path == NULL || plan->is_member ? HOLD_NOT
                          : resize_extends_backing(plan, opt)           ? HOLD_WRITE
                                                                        : HOLD_READ;
    plan->target.temp_path = plan_temp_path(plan, plan->target.path);
    return plan->method == RECORD_COPY ? plan_check_names(img, opt->force, err) : 0;
}

/* Second: what the new image looks like, and what a kernel will say of it. */
static int decide_result(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    int status = 0;
    if (plan->reach == REACH_BACKING) {
        plan->result.header = plan->img->header;
    } else {
        status = fill_header(plan, opt, err);
    }
    if (status == 0 && !record_kind_facts(plan->method)->keeps_file) {
        status = footprint_of_image(plan, NULL, err);
    }
    return status != 0
               ? status
               : plan_predict_verdict(plan, plan->backing.new_size_bytes, plan->result.header.mtime, err);
}

/* Asked of the builder itself: would moving the data do with that much room? */
static bool fits_in_place(struct cow_image *img, const struct cow_resize_options *opt, uint64_t free_bytes)
{
    struct cow_resize_options in_place = *opt;
    struct cow_plan *plan;
    struct cow_error ignored;
    in_place.in_place = true;
    if (cow_plan_resize(&plan, img, &in_place, &ignored) != 0) {
        return false;
    }
    const bool fits = plan->preview.needs_free_bytes <= free_bytes;
    cow_plan_free(plan);
    return fits;
}

/* A copy that does not fit, where moving the data would do. Of any other the commit says it. */
static int check_room(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    uint64_t free_bytes;
    char needs[COW_SIZE_TEXT_BYTES], there[COW_SIZE_TEXT_BYTES];
    const enum record_kind method = plan->method;
    const uint64_t needed = plan->result.counted.needs_bytes;
    if (method != RECORD_COPY || opt->method != COW_RESIZE_ANY || plan->result.shrinks ||
        plan->io->free_bytes(plan->io->context, plan->img->cow.fd, &free_bytes) < 0 || free_bytes >= needed ||
        !fits_in_place(plan->img, opt, free_bytes)) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: not enough space for a copy: %s are needed, %s are free",
                  plan->img->path, cow_size_text(needs, needed), cow_size_text(there, free_bytes));
    return cow_error_hint(err,
                          "--in-place moves the data where it lies, which needs hardly any room; or write "
                          "elsewhere with -o FILE");
}

static int build_resize(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_usage usage;
    int status = decide_files(plan, opt, err);
    if (status == 0) {
        status = cow_image_usage(plan->img, &usage, err);
    }
    if (status == 0 && resize_extends_backing(plan, opt)) {
        status = plan_list_siblings(plan, err);
    }
    if (status == 0) {
        status = look_at_content(plan, opt, err);
    }
    if (status == 0) {
        status = decide_result(plan, opt, err);
    }
    if (status != 0) {
        return status;
    }
    if (plan->reach == REACH_BACKING) {
        resize_describe_backing_only(plan, opt, &usage);
    } else {
        status = resize_describe(plan, opt, &usage, err);
    }
    return status == 0 ? check_room(plan, opt, err) : status;
}

static int plan_resize(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *options,
                       bool is_member, struct cow_error *err)
{
    struct cow_error local;
    struct cow_resize_options decided = *options;
    const struct cow_resize_options *opt = &decided;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = pending_check_ready(img, err);
    if (status == 0) {
        status = check_resize_request(img, opt, err);
    }
    if (status == 0 && is_in_two(img, opt)) {
        return can_overlay(img) ? resize_plan_in_two(out, img, opt, err) : refuse_overlay(img, err);
    }
    if (status == 0) {
        status = decide_policy(&decided, img, err);
    }
    if (status == 0) {
        status = check_resized_backing(img, opt, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, COW_OPERATION_RESIZE, err);
    if (plan == NULL) {
        return COW_NO_MEMORY;
    }
    plan->force = opt->force;
    plan->is_member = is_member;
    status = build_resize(plan, opt, err);
    return plan_finish(out, plan, status, err);
}

int cow_plan_resize(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *options,
                    struct cow_error *err)
{
    return plan_resize(out, img, options, false, err);
}

int resize_plan_member(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                       struct cow_error *err)
{
    struct cow_resize_options extend = *opt;
    extend.policy = COW_POLICY_EXTEND;
    return plan_resize(out, img, &extend, true, err);
}
