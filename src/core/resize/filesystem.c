/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See filesystem.h. What knows the filesystem are e2fsck and resize2fs; here it is only found out whether
 * they can be asked: one ext filesystem, unmounted cleanly, which has the disk for itself or lies in its last
 * partition, so that the new room is behind it. What else there is grows in the guest, with its own tool, and
 * the commands are told.
 */
#include "core/resize/filesystem.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/plan/footprint.h"
#include "cow/text.h"

enum { AFTER_BYTES = 512, CONTAINER_FROM = 5, PAGE_BYTES = 4096 };

static int refuse_kind(struct cow_plan *plan, const char *why, struct cow_error *err)
{
    char after[AFTER_BYTES];
    cow_error_set(err, COW_UNSUPPORTED, "%s: its filesystem cannot be resized from here: %s", plan->img->path,
                  why);
    cow_fs_after_growing(after, sizeof after, plan->fs);
    return cow_error_hint(err,
                          plan->result.shrinks ? "make it smaller in the guest, then shrink the disk%s"
                                               : "grow the disk alone and boot the guest%s",
                          plan->result.shrinks ? "" : after);
}

/* The one that the new room is behind; NULL: there is none. */
static const struct cow_volume *last_volume(const struct cow_plan *plan)
{
    size_t n;
    const struct cow_volume *volume = cow_fs_volumes(plan->fs, &n);
    return n > 0 ? &volume[n - 1] : NULL;
}

static int check_place(struct cow_plan *plan, const struct cow_volume *volume, struct cow_error *err)
{
    const struct cow_gpt *gpt = cow_fs_gpt(plan->fs);
    if (plan->img->whole != NULL) {
        return refuse_kind(plan, "its backing file is a COW image itself, which a kernel does not read", err);
    }
    if (volume == NULL || cow_fs_ambiguous(plan->fs) || cow_fs_whole(plan->fs)->at_end || volume->at_end ||
        volume->several) {
        return refuse_kind(plan,
                           volume == NULL ? "nothing that is known lies on the disk"
                                          : "there are signs of more than one use of the same place",
                           err);
    }
    if (gpt->present && (!gpt->primary || plan->result.shrinks)) {
        return refuse_kind(plan,
                           plan->result.shrinks ? "a GPT disk has its table at its end, too"
                                                : "of the partition table only the backup is whole",
                           err);
    }
    if (plan->result.shrinks && volume->partition >= CONTAINER_FROM &&
        strcmp(cow_fs_table(plan->fs), "dos") == 0) {
        return refuse_kind(plan, "a logical partition lies in another one, which has to become smaller, too",
                           err);
    }
    if (strncmp(volume->type, "ext", 3) != 0) {
        char why[COW_VOLUME_TEXT_BYTES + 64];
        cow_escape(why, sizeof why, volume->type[0] != '\0' ? volume->type : "something unknown");
        return refuse_kind(plan, plan_text(plan, "the last thing on the disk is %s, no ext filesystem", why),
                           err);
    }
    return 0;
}

static int check_state(const struct cow_plan *plan, const struct cow_volume *volume, struct cow_error *err)
{
    if (volume->readable && volume->clean && !volume->needs_recovery && !volume->has_errors) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: its filesystem %s", plan->img->path,
                  !volume->readable        ? volume->problem
                  : volume->has_errors     ? "has errors that a kernel found"
                  : volume->needs_recovery ? "was not unmounted: its journal is to be replayed"
                                           : "was not unmounted cleanly");
    return cow_error_hint(err,
                          "boot the guest, let it check its disk and shut it down; or resize the disk alone");
}

/* How long it may be on the smaller disk. */
static int choose_smaller(struct cow_plan *plan, const struct cow_volume *volume, struct cow_error *err)
{
    struct plan_filesystem *f = &plan->filesystem;
    char least[COW_SIZE_TEXT_BYTES];
    const uint64_t room = arith_sub_floor(plan->preview.after_size_bytes, volume->first_byte);
    f->fs_bytes = room - room % arith_max(volume->block_bytes, 1024);
    if (f->fs_bytes >= volume->fs_bytes) { /* it fits already */
        f->fs_bytes = volume->fs_bytes;
    }
    if (f->fs_bytes >= volume->minimum_bytes) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: its filesystem needs more than that", plan->img->path);
    return cow_error_hint(
        err, "resize2fs could make the disk %s at least, by its own estimate",
        cow_size_argument(least, arith_div_up(volume->first_byte + volume->minimum_bytes, 512) * 512));
}

/* What a sparse copy of the disk takes, at most: its data is in the image or below it. */
static uint64_t data_bytes(const struct cow_plan *plan)
{
    enum { BLOCK_BYTES = 512 }; /* of st_blocks */
    const struct cow_image *img = plan->img;
    const uint64_t below = img->backing.facts.state == COW_BACKING_FOUND
                               ? (uint64_t)img->backing.file.facts.st_blocks * BLOCK_BYTES
                               : 0;
    return arith_min(img->header.size_bytes, (uint64_t)img->cow.facts.st_blocks * BLOCK_BYTES + below);
}

int filesystem_choose(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct plan_filesystem *f = &plan->filesystem;
    const struct cow_volume *volume = last_volume(plan);
    plan->preview.after_size_bytes = opt->size_bytes;
    int status = check_place(plan, volume, err);
    if (status == 0) {
        status = check_state(plan, volume, err);
    }
    if (status != 0) {
        return status;
    }
    f->resizes = true;
    f->partition = volume->partition;
    f->container = volume->partition >= CONTAINER_FROM && strcmp(cow_fs_table(plan->fs), "dos") == 0
                       ? cow_fs_container(plan->fs)
                       : 0;
    f->is_gpt = cow_fs_gpt(plan->fs)->present;
    f->first_byte = volume->first_byte;
    f->old_bytes = volume->fs_bytes;
    f->copy_bytes = opt->fs_is_copied ? data_bytes(plan) : 0;
    f->joint_bytes =
        volume->block_bytes % PAGE_BYTES + volume->first_byte % PAGE_BYTES > 0 ? data_bytes(plan) : 0;
    status = image_count_mixed(plan->img, &f->mixed_pages, NULL, err);
    return status == 0 && plan->result.shrinks ? choose_smaller(plan, volume, err) : status;
}

int filesystem_lay_out(struct cow_plan *plan, struct cow_error *err)
{
    struct cow_header header = plan->result.header;
    if (!plan->filesystem.resizes || !plan->result.shrinks) {
        return 0;
    }
    header.size_bytes = plan->img->header.size_bytes;
    int status = cow_layout_of(&plan->result.made, &header, err);
    if (status == 0 && plan->result.made.data_offset != plan->result.layout.data_offset) {
        status = cow_error_set(err, COW_INVALID, "no layout serves both sizes");
    }
    plan->result.is_cut = status == 0;
    return status;
}

static uint64_t new_fs_bytes(const struct cow_plan *plan)
{
    const struct plan_filesystem *f = &plan->filesystem;
    return f->fs_bytes != 0 ? f->fs_bytes : plan->preview.after_size_bytes - f->first_byte;
}

/* Maps and descriptors of the new room, generously; tables of inodes are zeros, which become holes. Of a
 * smaller one all that lay past its end. What a page lacks is written, and kept for undo. */
uint64_t filesystem_written_bytes(const struct cow_plan *plan)
{
    enum {
        A_GROUP_BYTES = 8 * 4096,
        LEAST_GROUP_BYTES = 8 << 20,
        SOME_BYTES = 1 << 20,
        A_PAGE_BYTES = 2 * 4096
    };
    const struct plan_filesystem *f = &plan->filesystem;
    const uint64_t after = new_fs_bytes(plan);
    return !f->resizes
               ? 0
               : arith_div_up(arith_sub_floor(after, f->old_bytes), LEAST_GROUP_BYTES) * A_GROUP_BYTES +
                     arith_sub_floor(f->old_bytes, after) + f->mixed_pages * A_PAGE_BYTES + SOME_BYTES;
}

/* At most: a file's page that is partly written is completed, and the file's next one with it, where their
 * pages are not the disk's. */
static uint64_t may_write(const struct cow_plan *plan)
{
    return filesystem_written_bytes(plan) + plan->filesystem.joint_bytes;
}

uint64_t filesystem_needs_bytes(const struct cow_plan *plan)
{
    const struct plan_filesystem *f = &plan->filesystem;
    const uint64_t images =
        plan->method != RECORD_COPY ? 3 : 1; /* an overlay, what is written over, the image */
    return !f->resizes ? 0
                       : images * may_write(plan) + (f->copy_bytes > 0 ? f->copy_bytes + may_write(plan) : 0);
}

void filesystem_describe(struct cow_plan *plan)
{
    char from[COW_SIZE_TEXT_BYTES], to[COW_SIZE_TEXT_BYTES];
    struct cow_preview *p = &plan->preview;
    const struct plan_filesystem *f = &plan->filesystem;
    if (!f->resizes) {
        return;
    }
    p->fs_before_bytes = f->old_bytes;
    p->fs_after_bytes = new_fs_bytes(plan);
    p->has_after_dirty = false;
    p->has_after_allocated = false;
    footprint_needs(plan, p->needs_free_bytes + filesystem_needs_bytes(plan),
                    f->joint_bytes + f->copy_bytes > 0);
    p->space_is_about = true;
    plan_note(plan, "the filesystem%s becomes %s, it is %s now: e2fsck and resize2fs%s write that, about %s",
              f->partition > 0 ? " in the last partition" : "", cow_size_text(to, p->fs_after_bytes),
              cow_size_text(from, f->old_bytes), f->partition > 0 ? " (and sfdisk the table)" : "",
              cow_size_text((char[COW_SIZE_TEXT_BYTES]){0}, filesystem_written_bytes(plan)));
    if (f->copy_bytes > 0) {
        plan_note(
            plan,
            "the disk cannot be served to them here, so they write a copy of it: for as long as they run, up "
            "to %s more beside the image",
            cow_size_text(from, f->copy_bytes + may_write(plan)));
    }
}

void filesystem_list_steps(struct cow_plan *plan)
{
    const struct plan_filesystem *f = &plan->filesystem;
    if (!f->resizes) {
        return;
    }
    plan_step(plan, COW_STEP_RESIZE_FS, 0, "let %se2fsck and resize2fs write %s: the filesystem becomes %s",
              f->partition > 0 ? "sfdisk, " : "",
              plan->method != RECORD_COPY ? "an overlay on the image, which is gone afterwards"
                                          : "the new image",
              plan->result.shrinks ? "smaller" : "as large as it can");
    if (plan->result.is_cut) {
        plan_step(plan, COW_STEP_CUT_IMAGE, 0, "cut off the end of the new image");
    }
}
