/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lies on the disk, against the disk: somebody cut the file under it, or put another one there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check/finders.h"
#include "cow/fs.h"
#include "cow/text.h"

enum { FACT_BYTES = COW_MESSAGE_BYTES };

static void find_larger(struct checkup *c, const struct cow_volume *volume)
{
    char what[COW_VOLUME_TEXT_BYTES + 8], text[FACT_BYTES];
    if (volume->fs_bytes > volume->size_bytes && !c->found[COW_FINDING_FS_LARGER]) {
        snprintf(what, sizeof what, "the %s", cow_volume_what(volume));
        report(c, COW_FINDING_FS_LARGER, "%s",
               cow_fs_larger_text(text, sizeof text, what, volume->partition, volume->fs_bytes,
                                  volume->size_bytes));
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
static int find_other(struct checkup *c, struct cow_error *err)
{
    size_t n, index;
    char text[FACT_BYTES];
    struct cow_volume below;
    const struct cow_volume *volume = cow_fs_volumes(c->fs, &n);
    if (!c->has_backing) {
        return 0;
    }
    int status = cow_fs_find_other(c->fs, &index, &below, err);
    if (status != 0 || index == n) {
        return status;
    }
    status = find_candidates(c, CANDIDATE_UUID, err);
    if (status == 0) {
        report(c, COW_FINDING_OTHER_FILESYSTEM, "%s",
               cow_volume_other_text(text, sizeof text, &volume[index], "the backing file", &below));
    }
    return status;
}

int find_disk(struct checkup *c, struct cow_error *err)
{
    size_t n;
    const struct cow_volume *volume = cow_fs_volumes(c->fs, &n);
    for (size_t i = 0; i < n; i++) {
        find_larger(c, &volume[i]);
    }
    find_beyond(c, c->fs);
    find_gpt(c, c->fs);
    return find_other(c, err);
}
