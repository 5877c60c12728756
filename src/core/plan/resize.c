/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resize: growing a disk by copy. The decisions, in the order in which they are taken: is the request sound,
 * is the image in a state to be resized, what becomes of the backing file, what does the new image look like.
 * Each refuses with words; what is left at the end is a list of steps.
 *
 * Whatever is rewritten becomes a v3 with 512-byte sectors. Old sectors keep their bits; the bytes between an
 * odd old end and its sector's end are zeroed.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/format/variants.h"
#include "core/image/siblings.h"
#include "core/ledger/record.h"
#include "core/plan/footprint.h"
#include "core/plan/resize_text.h"
#include "core/plan/shrink.h"
#include "cow/text.h"

/* Of a path in a v3 header, what lies in the first sector. */
enum { IN_PLACE_PATH_BYTES = 512 - 32 };

static int check_request(const struct cow_image *img, const struct cow_resize_options *opt,
                         struct cow_error *err)
{
    const uint64_t old_bytes = img->header.size_bytes;
    if (opt->in_place) {
        return cow_error_set(err, COW_UNSUPPORTED, "moving data in place (--in-place) is not supported yet");
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
    if (opt->size_bytes <= 32768) {
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
                 "too); --policy copy makes a private, longer copy of it");
    }
    opt->policy = COW_POLICY_EXTEND;
    return 0;
}

static int check_backing(const struct cow_image *img, const struct cow_resize_options *opt,
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
    if (backing->state != COW_BACKING_FOUND) {
        cow_error_set(err, COW_IO, "%s: the backing file: %s", img->path, backing->problem);
        return cow_error_hint(err, "name it with -b FILE");
    }
    if (backing->mtime != (int64_t)img->header.mtime && !opt->force) {
        cow_error_set(err, COW_REFUSED,
                      "%s: its backing file %s has another date (%" PRId64 ") than the header (%" PRIu32
                      "): its content may have changed",
                      img->path, backing->path, backing->mtime, img->header.mtime);
        return cow_error_hint(err, "if you know that its content is the same: --force takes over its date");
    }
    if (backing->mtime < 0 || backing->mtime > UINT32_MAX) {
        return cow_error_set(err, COW_REFUSED, "%s: its date (%" PRId64 ") does not fit a COW header",
                             backing->path, backing->mtime);
    }
    return 0;
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

/* Where the image goes. */
static int choose_target(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    if (opt->output_path != NULL) {
        plan->named_path = opt->output_path;
        plan->target_path = plan_choose_output(plan, opt->output_path, opt->force, &plan->replace, err);
        plan->hold_image = HOLD_READ;
        plan->fresh = true;
        return plan->target_path == NULL ? err->status : 0;
    }
    int status = data_may_stay(&plan->in_place, &plan->saved_bytes, img, opt);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking for holes", img->path);
    }
    plan->target_path = img->real_path;
    plan->replace = true;
    plan->journaled = true;
    plan->keep_undo = img->cow.facts.st_nlink == 1;
    plan->hold_image = HOLD_WRITE;
    return 0;
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
    plan->copy_path = plan_choose_output(plan, path, false, &exists, err);
    if (plan->copy_path == NULL) {
        return err->status;
    }
    if (strcmp(plan->copy_path, plan->target_path) == 0) {
        return cow_error_set(err, COW_REFUSED, "%s: image and backing file cannot be the same file", path);
    }
    plan->copy_temp_path = plan_temp_path(plan, plan->copy_path);
    plan->copy_mtime = plan->backing_path != NULL
                           ? plan->backing_facts.st_mtim
                           : (struct timespec){.tv_sec = (time_t)plan->img->header.mtime};
    return 0;
}

static const char *new_backing_path(const struct cow_plan *plan, struct cow_error *err)
{
    if (plan->copy_path != NULL) {
        return plan->copy_path;
    }
    if (plan->img->header.backing_path[0] != '\0') {
        return plan->img->header.backing_path; /* an untouched path stays as it is */
    }
    return plan_absolute_path((struct cow_plan *)plan, plan->backing_path, err);
}

/* policy keep: where an odd end of the old disk is clean, and the backing file goes on behind it, its bytes
 * would show up in the guest; so that sector becomes a dirty one, with zeros behind the old end. */
static int decide_odd_end(struct cow_plan *plan, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    const uint64_t old_bytes = img->header.size_bytes;
    bool dirty;
    if (old_bytes % 512 == 0 || plan->backing_bytes <= old_bytes) {
        return 0;
    }
    int status = bitmap_get(img->bitmap, img->layout.sectors - 1, &dirty, err);
    if (status == 0 && !dirty) {
        plan->odd_end_is_born = true;
        plan->born_dirty.first_sector--;
        plan->born_dirty.sectors++;
    }
    return status;
}

static int fill_header(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    const struct cow_image *img = plan->img;
    struct cow_header *h = &plan->header;
    const char *path = new_backing_path(plan, err);
    if (path == NULL) {
        return err->status;
    }
    *h =
        (struct cow_header){.format = COW_FORMAT_V3,
                            .version = 3,
                            .big_endian = true,
                            .size_bytes = opt->size_bytes,
                            .sector_bytes = 512,
                            .mtime = plan->backing_path != NULL ? (uint32_t)plan->backing_facts.st_mtim.tv_sec
                                                                : img->header.mtime};
    if (strlen(path) >= COW_PATH_BYTES) {
        return cow_error_set(err, COW_INVALID, "%s: the path is too long for a COW header", path);
    }
    memcpy(h->backing_path, path, strlen(path) + 1);
    int status = 0;
    if (plan->in_place) {
        h->alignment = img->header.alignment;
        h->cow_format = img->header.cow_format;
    } else {
        status = cow_layout_choose_alignment(&h->alignment, h->size_bytes, opt->reserve_bytes, err);
    }
    if (status == 0) {
        status = cow_layout_of(&plan->layout, h, err);
    }
    if (status == 0 && opt->policy == COW_POLICY_KEEP) {
        uint64_t old_sectors = arith_div_up(img->header.size_bytes, 512);
        plan->born_dirty = (struct cow_dirty_run){old_sectors, plan->layout.sectors - old_sectors};
        status = decide_odd_end(plan, err);
    }
    return status;
}

/* The disk has the size already. What may be left to do is the backing file. */
static bool nothing_to_rewrite(const struct cow_image *img, const struct cow_resize_options *opt)
{
    return opt->size_bytes == img->header.size_bytes && !opt->shrink && opt->policy != COW_POLICY_COPY &&
           opt->output_path == NULL && opt->reserve_bytes == 0 && img->header.format == COW_FORMAT_V3;
}

/* What lies on the disk: whether it may become smaller, and what is to be done when it has become larger.
 * That is advice, and a disk that cannot be read grows without it. */
static int look_at_content(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_error ignored;
    plan->shrinks = opt->size_bytes < plan->img->header.size_bytes;
    int status = cow_fs_open(&plan->fs, plan->img, plan->shrinks ? err : &ignored);
    if (status == 0 && plan->shrinks) {
        status = shrink_check(plan, opt, err);
    } else if (status == COW_NO_MEMORY && !plan->shrinks) {
        *err = ignored;
    } else if (!plan->shrinks) {
        status = 0;
    }
    return status;
}

static int build(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct cow_image *img = plan->img;
    struct cow_usage usage;
    int status = opt->policy == COW_POLICY_EXTEND ? check_extend(img, opt, err) : 0;
    if (status == 0) {
        status = choose_target(plan, opt, err);
    }
    if (status == 0 && opt->policy == COW_POLICY_COPY) {
        status = choose_copy_path(plan, opt, err);
        plan->in_place = plan->in_place && status == 0 && strlen(plan->copy_path) < IN_PLACE_PATH_BYTES;
    }
    if (status == 0 && opt->output_path == NULL && !plan->in_place && !nothing_to_rewrite(img, opt)) {
        status = plan_check_names(img, opt->force, err);
    }
    if (status == 0) {
        status = cow_image_usage(img, &usage, err);
    }
    if (status == 0 && opt->policy == COW_POLICY_EXTEND && plan->backing_bytes < opt->size_bytes) {
        status = plan_list_siblings(plan, err);
    }
    if (status == 0) {
        status = look_at_content(plan, opt, err);
    }
    if (status != 0) {
        return status;
    }
    bool extends = opt->policy == COW_POLICY_EXTEND && plan->backing_bytes < opt->size_bytes;
    plan->hold_backing = plan->backing_path == NULL ? HOLD_NOT : extends ? HOLD_WRITE : HOLD_READ;
    plan->temp_path = plan_temp_path(plan, plan->target_path);
    bool rewrite = !nothing_to_rewrite(img, opt);
    if (rewrite) {
        status = fill_header(plan, opt, err);
        if (status == 0 && !plan->in_place) {
            status = footprint_of_image(plan, NULL, err);
        }
    } else {
        plan->header = img->header;
        plan->in_place = plan->backing_only = true;
    }
    uint64_t backing_after = opt->policy == COW_POLICY_KEEP ? plan->backing_bytes : opt->size_bytes;
    if (status == 0) {
        status = plan_predict_verdict(plan, backing_after, plan->header.mtime, err);
    }
    if (status == 0 && rewrite) {
        resize_describe(plan, opt, &usage);
    } else if (status == 0) {
        resize_describe_backing_only(plan, opt, &usage);
    }
    plan->backing_bytes = backing_after;
    return status;
}

int cow_plan_resize(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *options,
                    struct cow_error *err)
{
    struct cow_error local;
    struct cow_resize_options decided = *options;
    const struct cow_resize_options *opt = &decided;
    err = err != NULL ? err : &local;
    img = image_flat(img);
    int status = image_require_layout(img, err);
    if (status == 0) { /* first of all: what it left looks like other trouble */
        status = plan_check_pending(img, err);
    }
    if (status == 0) {
        status = check_request(img, opt, err);
    }
    if (status == 0) {
        status = decide_policy(&decided, img, err);
    }
    if (status == 0) {
        status = check_backing(img, opt, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_plan *plan = plan_new(img->io, img, "resize");
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
