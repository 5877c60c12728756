/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What going back relies on: asked by undo when it plans, and by undo and recovery again under the
 * lock.
 *
 * Where the change only read the backing file (copy, rebase, compact...), the old image gets its name
 * back and reads from that file again: with another content it would show another disk. Size and date
 * tell, as they do to a kernel. Where the change lengthened it, it is held and looked at itself
 * (ledger/state_backing.c).
 */
#include "core/plan/undo_check.h"

#include <inttypes.h>
#include <string.h>

int undo_check_base(const struct cow_image *img, const struct record *record, struct cow_error *err)
{
    struct stat facts;
    const bool replaces = !record_kind_facts(record->kind)->keeps_file;
    const bool of_family = record->family_path[0] != '\0';
    if ((record->extends != 0 || of_family) && replaces && img->cow.facts.st_nlink > 1) {
        cow_error_set(
            err, COW_REFUSED,
            "%s: has %ju names (hard links): the others would keep the new image, and %s is cut back "
            "to the old length",
            img->path, (uintmax_t)img->cow.facts.st_nlink,
            of_family ? record->family_path : record->backing_path);
        return cow_error_hint(err, "remove the other names first, or keep the image as it is");
    }
    if (record->backing_path[0] == '\0' || of_family ||
        record->extends != 0) { /* that one is held, and looked at, itself */
        return 0;
    }
    int status = io_stat_disk(img->io, record->backing_path, &facts);
    if (status < 0) {
        cow_error_set(err, COW_REFUSED, "%s: going back needs its backing file of then, %s: %s", img->path,
                      record->backing_path, strerror(-status));
        return cow_error_hint(err,
                              "the image as it is has the whole disk; give that file its name again first");
    }
    if ((uint64_t)facts.st_size != record->backing_old_bytes ||
        !same_time(facts.st_mtim, record->backing_old_mtime)) {
        cow_error_set(
            err, COW_REFUSED,
            "%s: its backing file of then, %s, has changed since: going back would give another disk",
            img->path, record->backing_path);
        return cow_error_hint(err, "\"cowtui undo --discard\" removes the undo data");
    }
    return 0;
}
