/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a smaller disk would lose, found out before there is a plan: every dirty sector past the new end
 * whose bytes are neither zeros nor those of the backing file counts, and so does what lies on the
 * composed disk and reaches past it: by its own account, or, where it gives none, all of the disk; a
 * partition; the container of logical ones. The refusal names how much, where the last of it ends, and
 * the smallest size that loses nothing.
 *
 * --force=cut-foreign accepts all that but a cut through an ext filesystem, whose minimum is known. It
 * is no part of --force, which is given for other reasons. What is clean and has no name is cut without
 * asking, for the backing file keeps it, but a note tells of it.
 *
 * What the guest's filesystems need is asked from the rooms that read them.
 */
#include "core/resize/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/resize/resize_command.h"
#include "cow/fs.h"
#include "cow/text.h"

enum { PIECE_BYTES = 64 * 1024 };

struct losses {
    uint64_t sectors;
    uint64_t last_byte; /* one past the last one that matters */
};

/* One stretch of dirty data: its sectors that are neither zero nor redundant. */
static int count_losses(struct cow_image *img, uint64_t offset, size_t n_bytes, uint8_t *buffer,
                        struct losses *losses, struct cow_error *err)
{
    const size_t sector_bytes = img->header.sector_bytes;
    uint8_t *backing = buffer + PIECE_BYTES;
    int status = cow_image_read_file(img, COW_FILE_COW, offset, buffer, n_bytes, err);
    if (status == 0 && !bytes_all_zero(buffer, n_bytes)) {
        status = cow_image_read_file(img, COW_FILE_BACKING, offset, backing, n_bytes, err);
        size_t length;
        for (size_t at = 0; status == 0 && at < n_bytes; at += length) {
            length = (size_t)arith_min(sector_bytes - (offset + at) % sector_bytes, n_bytes - at);
            if (!bytes_all_zero(buffer + at, length) && memcmp(buffer + at, backing + at, length) != 0) {
                losses->sectors++;
                losses->last_byte = offset + at + length;
            }
        }
    }
    return status;
}

static int scan_for_loss(struct cow_image *img, uint64_t from_bytes, uint8_t *buffer, struct losses *losses,
                         struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_run run;
    int status = cow_image_next_run(img, from_bytes / sector_bytes, &run, err);
    while (status == 0 && run.sectors > 0) {
        uint64_t offset = arith_max(run.first_sector * sector_bytes, from_bytes);
        uint64_t end = arith_min((run.first_sector + run.sectors) * sector_bytes, img->header.size_bytes);
        while (status == 0 && run.origin == COW_ORIGIN_COW && offset < end) {
            /* up to a border that is one of sectors, too: they divide it */
            size_t piece = (size_t)arith_min(end - offset, PIECE_BYTES - offset % PIECE_BYTES);
            status = count_losses(img, offset, piece, buffer, losses, err);
            offset += piece;
        }
        if (status == 0) {
            status = cow_image_next_run(img, run.first_sector + run.sectors, &run, err);
        }
    }
    return status;
}

/* ---- what lies on the disk ---- */

enum { WHAT_BYTES = 2 * COW_VOLUME_TEXT_BYTES };

static bool is_ext(const struct cow_volume *volume)
{
    return volume->fs_bytes > 0 && (volume->type[0] == '\0' || strncmp(volume->type, "ext", 3) == 0);
}

/* Where what lies there ends: all that it says, or all that there is. 0: nothing is known to lie there. */
static uint64_t volume_end(const struct cow_volume *volume)
{
    if (volume->partition > 0) {
        return volume->first_byte + volume->size_bytes;
    }
    if (volume->fs_bytes > 0) {
        return volume->fs_bytes;
    }
    return volume->type[0] != '\0' || volume->several || volume->problem[0] != '\0' ? volume->size_bytes : 0;
}

static int refuse_ext(const struct cow_image *img, const struct cow_volume *volume, uint64_t size_bytes,
                      struct cow_error *err)
{
    char least[COW_SIZE_TEXT_BYTES];
    cow_error_set(err, COW_REFUSED,
                  "%s: the guest's ext filesystem has %" PRIu64 " bytes, the new size is %" PRIu64, img->path,
                  volume->fs_bytes, size_bytes);
    if (volume->readable && volume->minimum_bytes > size_bytes) {
        return cow_error_hint(err,
                              "it could be shrunk to %" PRIu64 " bytes (%s) in the guest, but not further",
                              volume->minimum_bytes, cow_size_text(least, volume->minimum_bytes));
    }
    return cow_error_hint(err, "shrink the filesystem in the guest first: resize2fs /dev/ubda %" PRIu64 "K",
                          size_bytes / 1024);
}

/* What accepts it. A command that a hint has no room for would be cut, and another one. */
static const char *forced_command(struct cow_plan *plan, const struct cow_resize_options *opt)
{
    struct cow_resize_options forced = *opt;
    forced.cut_foreign = true;
    const char *command = resize_command(plan, &forced);
    return strlen(command) < COW_HINT_BYTES / 2 ? command : "the same with --force=cut-foreign";
}

static int hint_at_force(struct cow_plan *plan, const struct cow_resize_options *opt, const char *first,
                         struct cow_error *err)
{
    return cow_error_hint(err, "%s; or lose what is cut off: %s", first, forced_command(plan, opt));
}

/* What is no ext filesystem: the user may know better. */
static int refuse_foreign(struct cow_plan *plan, const struct cow_resize_options *opt,
                          const struct cow_volume *volume, struct cow_error *err)
{
    char command[COW_SIZE_TEXT_BYTES + 4 * COW_VOLUME_TEXT_BYTES], first[sizeof command + 128];
    const char *path = plan->img->path, *what = cow_volume_what(volume);
    const uint64_t end = volume_end(volume);
    cow_volume_shrink_text(command, sizeof command, volume,
                           arith_sub_floor(opt->size_bytes, volume->first_byte));
    snprintf(first, sizeof first, "%s%s",
             command[0] != '\0' ? "make it smaller in the guest first: "
                                : "nothing that is known here makes it smaller",
             command);
    if (volume->partition > 0) {
        cow_error_set(err, COW_REFUSED, "%s: partition %u (%s) ends at %" PRIu64 ", the new size is %" PRIu64,
                      path, volume->partition, what, end, opt->size_bytes);
        snprintf(first, sizeof first, "shrink what is in it, and then the partition, in the guest first%s%s",
                 command[0] != '\0' ? ": " : "", command);
    } else if (volume->fs_bytes == 0) {
        cow_error_set(err, COW_REFUSED,
                      "%s: on the disk lies %s, which takes all of its %" PRIu64
                      " bytes as far as is known here, the new size is %" PRIu64,
                      path, what, volume->size_bytes, opt->size_bytes);
    } else {
        cow_error_set(err, COW_REFUSED, "%s: the guest's %s has %" PRIu64 " bytes, the new size is %" PRIu64,
                      path, what, end, opt->size_bytes);
    }
    return hint_at_force(plan, opt, first, err);
}

/* A partition table can list a hundred: so many are told one by one. */
enum { CUT_NOTES_MAX = 12 };

static void note_cut(struct cow_plan *plan, const struct cow_volume *volume, uint64_t size_bytes)
{
    char end[COW_SIZE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    cow_size_text(end, volume_end(volume));
    cow_size_text(size, size_bytes);
    if (volume->partition > 0) {
        plan_note(plan,
                  "partition %u (%s), which ends at %s, is cut off at %s: what it held may be unreadable",
                  volume->partition, cow_volume_what(volume), end, size);
    } else {
        plan_note(plan, "%s, which reaches to %s, is cut off at %s: what it held may be unreadable",
                  cow_volume_what(volume), end, size);
    }
}

/* *cut counts what is cut off. */
static int check_volume(struct cow_plan *plan, const struct cow_resize_options *opt,
                        const struct cow_volume *volume, size_t *cut, struct cow_error *err)
{
    if (volume_end(volume) <= opt->size_bytes) {
        return 0;
    }
    if (volume->partition == 0 && is_ext(volume)) {
        return refuse_ext(plan->img, volume, opt->size_bytes, err);
    }
    if (!opt->cut_foreign || is_ext(volume)) {
        int status = refuse_foreign(plan, opt, volume, err);
        return is_ext(volume)
                   ? cow_error_hint(err, "shrink what is in it, and then the partition, in the guest first")
                   : status;
    }
    if (++*cut <= CUT_NOTES_MAX) {
        note_cut(plan, volume, opt->size_bytes);
    }
    return 0;
}

/* Containers of logical partitions, and what no volume stands for. */
static int check_partitions(struct cow_plan *plan, const struct cow_resize_options *opt, bool told,
                            struct cow_error *err)
{
    const uint64_t end = cow_fs_table_end(plan->fs);
    if (end <= opt->size_bytes || told) {
        return 0;
    }
    if (opt->cut_foreign) {
        plan_note(plan, "the partition table lists something that ends at %" PRIu64 ", behind the new end",
                  end);
        return 0;
    }
    cow_error_set(err, COW_REFUSED,
                  "%s: the partition table lists something that ends at %" PRIu64
                  ", the new size is %" PRIu64,
                  plan->img->path, end, opt->size_bytes);
    return hint_at_force(plan, opt, "make that partition smaller in the guest first", err);
}

static void note_gpt(struct cow_plan *plan, uint64_t size_bytes)
{
    const struct cow_gpt *gpt = cow_fs_gpt(plan->fs);
    if (!gpt->present || (gpt->primary && gpt->backup_byte < size_bytes && gpt->usable_end <= size_bytes)) {
        return;
    }
    plan_note(plan,
              "the backup of the partition table (GPT) lies at the disk's end and is cut off%s; sgdisk -e "
              "/dev/ubda puts it at the new end, in a guest that boots from another disk%s",
              gpt->usable_end > size_bytes
                  ? ", and until it is written anew a kernel finds no partitions on the smaller disk"
                  : "",
              gpt->primary ? ""
                           : "; the one at the beginning is broken already: repair it before you shrink");
}

/* Refuses a size that cuts something that lies on the disk, or a partition. */
static int check_content(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    size_t n, cut = 0;
    bool told = false;
    int status = 0;
    const struct cow_volume *volume = cow_fs_volumes(plan->fs, &n), *whole = cow_fs_whole(plan->fs);
    for (size_t i = 0; i < n && status == 0; i++) {
        told = told || (volume[i].partition > 0 && volume_end(&volume[i]) > opt->size_bytes);
        status = check_volume(plan, opt, &volume[i], &cut, err);
    }
    if (status == 0 && cow_fs_table(plan->fs)[0] != '\0') {
        status = check_partitions(plan, opt, told, err);
        /* an ext superblock under a partition table is a leftover, or the table is: both are told elsewhere
         */
        if (status == 0 && whole->type[0] != '\0' && strncmp(whole->type, "ext", 3) != 0) {
            status = check_volume(plan, opt, whole, &cut, err);
        }
    }
    if (status == 0 && cut > CUT_NOTES_MAX) {
        plan_note(plan, "%zu more are cut off there: what they held may be unreadable, too",
                  cut - CUT_NOTES_MAX);
    }
    if (status == 0) {
        note_gpt(plan, opt->size_bytes);
    }
    return status;
}

/* ---- data of which nobody knows whose it is ---- */

static bool nothing_is_known(const struct cow_plan *plan)
{
    return cow_fs_table(plan->fs)[0] == '\0' && volume_end(cow_fs_whole(plan->fs)) == 0;
}

/* The first place past size_bytes where the backing file has anything; UINT64_MAX if there is none. */
static int find_backing_data(uint64_t *at, struct cow_image *img, uint64_t size_bytes, uint8_t *buffer,
                             struct cow_error *err)
{
    const uint64_t end = arith_min(img->header.size_bytes, img->backing.facts.size_bytes);
    int status = 0;
    *at = UINT64_MAX;
    for (uint64_t offset = size_bytes; offset < end && status == 0;) {
        struct io_extent extent;
        const int found = image_file_extent(img, COW_FILE_BACKING, offset, end, &extent);
        if (found < 0) {
            return cow_error_system(err, -found, "%s: looking for holes", img->backing.facts.path);
        }
        for (; offset < extent.end && extent.data && status == 0; offset += PIECE_BYTES) {
            const size_t piece = (size_t)arith_min(extent.end - offset, PIECE_BYTES);
            status = cow_image_read_file(img, COW_FILE_BACKING, offset, buffer, piece, err);
            if (status == 0 && !bytes_all_zero(buffer, piece)) {
                *at = offset;
                return 0;
            }
        }
        offset = extent.end;
    }
    return status;
}

static int check_losses(struct cow_plan *plan, const struct cow_resize_options *opt,
                        const struct losses *losses, struct cow_error *err)
{
    char size[COW_SIZE_TEXT_BYTES], least[COW_SIZE_TEXT_BYTES];
    cow_size_text(size, opt->size_bytes);
    if (losses->sectors == 0) {
        return 0;
    }
    if (opt->cut_foreign) {
        plan_note(plan, "%" PRIu64 " sectors of data past %s are lost; the last ends at %" PRIu64,
                  losses->sectors, size, losses->last_byte);
        return 0;
    }
    cow_error_set(err, COW_REFUSED,
                  "%s: %" PRIu64 " sectors past %s hold data that would be lost; the last ends at %" PRIu64,
                  plan->img->path, losses->sectors, size, losses->last_byte);
    return cow_error_hint(err, "to lose it all the same: %s; the smallest size that loses nothing is %s",
                          forced_command(plan, opt),
                          cow_size_argument(least, arith_div_up(losses->last_byte, 512) * 512));
}

int shrink_check(struct cow_plan *plan, const struct cow_resize_options *opt, struct cow_error *err)
{
    struct losses losses = {0, 0};
    uint64_t backing_at = UINT64_MAX;
    char at[COW_SIZE_TEXT_BYTES];
    int status = check_content(plan, opt, err);
    uint8_t *buffer = status == 0 ? malloc(2 * PIECE_BYTES) : NULL;
    if (status == 0 && buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status == 0) {
        status = scan_for_loss(plan->img, opt->size_bytes, buffer, &losses, err);
    }
    if (status == 0) {
        status = check_losses(plan, opt, &losses, err);
    }
    if (status == 0 && nothing_is_known(plan) && plan->backing.path != NULL) {
        status = find_backing_data(&backing_at, plan->img, opt->size_bytes, buffer, err);
    }
    if (status == 0 && backing_at != UINT64_MAX) {
        plan_note(
            plan,
            "nothing that is known lies on the disk; what the backing file has from %s on is not on the "
            "smaller one",
            cow_size_text(at, backing_at));
    }
    free(buffer);
    return status;
}

const char *shrink_next(struct cow_plan *plan, uint64_t size_bytes)
{
    const struct cow_volume *whole = cow_fs_whole(plan->fs);
    const struct cow_gpt *gpt = cow_fs_gpt(plan->fs);
    if (cow_fs_table(plan->fs)[0] != '\0') {
        return cow_fs_table_end(plan->fs) > size_bytes ? "; partitions were cut off, see above"
               : gpt->present && gpt->usable_end > size_bytes
                   ? " from another disk, then in it: sgdisk -e /dev/ubda (the device of this disk): before "
                     "that it finds no partitions"
               : gpt->present ? ", then in it: sgdisk -e /dev/ubda (the device of this disk)"
                              : "; its partitions fit the smaller disk";
    }
    const uint64_t end = volume_end(whole);
    return end == 0           ? ""
           : end > size_bytes ? "; what was on its disk is cut off, see above"
           : is_ext(whole)    ? "; its filesystem fits the smaller disk"
                              : plan_words(plan, "; its %s fits the smaller disk",
                                        strcmp(whole->type, "xfs") == 0 || strcmp(whole->type, "btrfs") == 0
                                               ? "filesystem"
                                               : whole->type);
}
