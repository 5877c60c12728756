/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is said of a volume, in one place for the front ends, the plans and the findings.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cow/fs.h"
#include "cow/text.h"

enum { PLACE_TEXT_BYTES = 32 };

/* "partition 2", "the disk" */
static const char *place_text(char out[PLACE_TEXT_BYTES], unsigned partition)
{
    if (partition > 0) {
        snprintf(out, PLACE_TEXT_BYTES, "partition %u", partition);
    } else {
        snprintf(out, PLACE_TEXT_BYTES, "the disk");
    }
    return out;
}

const char *cow_volume_what(const struct cow_volume *volume)
{
    return volume->type[0] != '\0'      ? volume->type
           : volume->problem[0] != '\0' ? "ext filesystem"
           : volume->several            ? "signs of several things"
                                        : "nothing known";
}

const char *cow_volume_new_text(const struct cow_volume *volume)
{
    return volume->readable && !volume->compared
               ? "the backing file does not have this filesystem: all of it is new"
               : "";
}

const char *cow_fs_larger_text(char *out, size_t out_bytes, const char *what, unsigned partition,
                               uint64_t fs_bytes, uint64_t size_bytes)
{
    char says[COW_SIZE_TEXT_BYTES], has[COW_SIZE_TEXT_BYTES], place[PLACE_TEXT_BYTES];
    snprintf(out, out_bytes, "%s says that it has %" PRIu64 " bytes (%s), and %s has %" PRIu64 " (%s)", what,
             fs_bytes, cow_size_text(says, fs_bytes), place_text(place, partition), size_bytes,
             cow_size_text(has, size_bytes));
    return out;
}

const char *cow_volume_other_text(char *out, size_t out_bytes, const struct cow_volume *guest,
                                  const char *file, const struct cow_volume *other)
{
    char place[PLACE_TEXT_BYTES];
    snprintf(out, out_bytes, "on %s the guest has %s with the UUID %s, and %s has %s with %s there",
             place_text(place, guest->partition), cow_volume_what(guest), guest->uuid, file,
             cow_volume_what(other), other->uuid);
    return out;
}

bool cow_volume_is_other(const struct cow_volume *guest, const struct cow_volume *other)
{
    return guest->uuid[0] != '\0' && other->uuid[0] != '\0' && strcmp(guest->uuid, other->uuid) != 0;
}

const char *cow_volume_text(char *out, size_t out_bytes, const struct cow_volume *volume)
{
    char size[COW_SIZE_TEXT_BYTES], used[COW_SIZE_TEXT_BYTES], place[32] = "";
    if (volume->partition > 0) {
        snprintf(place, sizeof place, "partition %u: ", volume->partition);
    }
    cow_size_text(size, volume->readable ? volume->fs_bytes : volume->size_bytes);
    if (volume->readable) {
        snprintf(out, out_bytes, "%s%s, %s, %s used, %s", place, volume->type, size,
                 cow_size_text(used, volume->used_bytes),
                 volume->needs_recovery ? "its journal has to be replayed"
                 : volume->has_errors   ? "with errors"
                 : volume->clean        ? "clean"
                                        : "not unmounted cleanly");
    } else {
        snprintf(out, out_bytes, "%s%s, %s%s%s", place, cow_volume_what(volume), size,
                 volume->problem[0] != '\0' ? ": " : "", volume->problem);
    }
    return out;
}
