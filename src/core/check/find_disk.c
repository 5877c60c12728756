/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lies on the disk, against the disk: somebody cut the file under it, or put another one there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/check/checkup.h"
#include "cow/fs.h"
#include "cow/text.h"

enum { PLACE_BYTES = 64 };

/* "partition 2", "the disk" */
static const char *place_text(char out[PLACE_BYTES], const struct cow_volume *volume)
{
    if (volume->partition > 0) {
        snprintf(out, PLACE_BYTES, "partition %u", volume->partition);
    } else {
        snprintf(out, PLACE_BYTES, "the disk");
    }
    return out;
}

static void find_larger(struct checkup *c, const struct cow_volume *volume)
{
    char place[PLACE_BYTES], says[COW_SIZE_TEXT_BYTES], has[COW_SIZE_TEXT_BYTES];
    if (volume->fs_bytes > volume->size_bytes && !c->found[COW_FINDING_FS_LARGER]) {
        report(c, COW_FINDING_FS_LARGER,
               "the %s says that it has %" PRIu64 " bytes (%s), and %s has %" PRIu64 " (%s)",
               volume->type[0] != '\0' ? volume->type : "ext filesystem", volume->fs_bytes,
               cow_size_text(says, volume->fs_bytes), place_text(place, volume), volume->size_bytes,
               cow_size_text(has, volume->size_bytes));
    }
}

static void find_beyond(struct checkup *c, const struct cow_fs *fs)
{
    const uint64_t disk = c->img->header.size_bytes, end = cow_fs_table_end(fs);
    const struct cow_gpt *gpt = cow_fs_gpt(fs);
    if (end > disk) {
        report(c, COW_FINDING_PARTITION_BEYOND,
               "the partition table lists something that ends at %" PRIu64 ", and the disk has %" PRIu64
               " bytes%s",
               end, disk,
               gpt->present && gpt->usable_end > disk ? ": a kernel finds no partition at all (GPT)" : "");
    } else if (gpt->present && gpt->usable_end > disk) {
        report(c, COW_FINDING_PARTITION_BEYOND,
               "the partition table (GPT) is that of a disk of at least %" PRIu64
               " bytes, and this has %" PRIu64 ": a kernel finds no partition at all",
               gpt->usable_end, disk);
    }
}

static void find_gpt(struct checkup *c, const struct cow_fs *fs)
{
    const struct cow_gpt *gpt = cow_fs_gpt(fs);
    if (strcmp(cow_fs_table(fs), "gpt") != 0 || !gpt->present) {
        return;
    }
    if (!gpt->primary) {
        report(
            c, COW_FINDING_GPT_BACKUP,
            "of the partition table (GPT) the header at the beginning is damaged; the backup at the end is "
            "whole");
    } else if (!gpt->backup) {
        report(c, COW_FINDING_GPT_BACKUP,
               "the partition table (GPT) has no backup: at %" PRIu64
               ", where it says that it is, there is none",
               gpt->backup_byte);
    } else if (!gpt->backup_at_end) {
        report(c, COW_FINDING_GPT_BACKUP,
               "the backup of the partition table (GPT) lies at %" PRIu64
               ", and not at the end of the disk: it has become larger",
               gpt->backup_byte);
    }
}

/* The image's own copy of a superblock says which filesystem it was made on, or the guest has made another.
 */
static int find_other(struct checkup *c, struct cow_fs *fs, size_t index, struct cow_error *err)
{
    size_t n;
    char place[PLACE_BYTES];
    struct cow_volume below;
    const struct cow_volume *volume = &cow_fs_volumes(fs, &n)[index];
    if (!c->has_backing || volume->uuid[0] == '\0' || c->found[COW_FINDING_OTHER_FILESYSTEM]) {
        return 0;
    }
    int status = cow_fs_below(fs, index, &below, err);
    if (status == 0 && below.uuid[0] != '\0' && strcmp(below.uuid, volume->uuid) != 0) {
        report(c, COW_FINDING_OTHER_FILESYSTEM,
               "on %s the guest has %s with the UUID %s, and the backing file has %s with %s there",
               place_text(place, volume), volume->type, volume->uuid, below.type, below.uuid);
    }
    return status;
}

int find_disk(struct checkup *c, struct cow_error *err)
{
    size_t n;
    int status = 0;
    const struct cow_volume *volume = cow_fs_volumes(c->fs, &n);
    for (size_t i = 0; i < n && status == 0; i++) {
        find_larger(c, &volume[i]);
        status = find_other(c, c->fs, i, err);
    }
    find_beyond(c, c->fs);
    find_gpt(c, c->fs);
    return status;
}
