/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What to do in the guest when its disk has another size: the commands that fit what lies on it, in their
 * order.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/volumes/kinds.h"
#include "core/volumes/volumes.h"
#include "cow/text.h"

#define DISK "/dev/ubda"

enum { COMMAND_BYTES = 256, BTRFS_SUPER = 64 * 1024 };

/* ", then in it: A (the device of this disk), B, C; why" */
struct sentence {
    char *out;
    size_t room, used;
    unsigned commands;
    bool device_told;
};

static void put(struct sentence *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct sentence *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(s->out + s->used, s->room - s->used, format, arguments);
    va_end(arguments);
    s->used = arith_min(s->used + (n > 0 ? (size_t)n : 0), s->room - 1);
}

/* other: another one that does the same, or NULL. */
static void put_either(struct sentence *s, const char *command, const char *other)
{
    const bool tells_device = !s->device_told && strstr(command, DISK) != NULL;
    put(s, "%s%s", s->commands++ == 0 ? ", then in it: " : ", ", command);
    if (tells_device || other != NULL) {
        put(s, " (%s%s%s%s)", tells_device ? "the device of this disk" : "",
            tells_device && other != NULL ? "; " : "", other != NULL ? "or: " : "",
            other != NULL ? other : "");
    }
    s->device_told = s->device_told || tells_device;
}

static void put_command(struct sentence *s, const char *command)
{
    put_either(s, command, NULL);
}

static void put_reason(struct sentence *s, const char *reason)
{
    put(s, "; %s", reason);
}

/* A command of the table of kinds, with what its capital words stand for. */
static const char *fill_in(char out[COMMAND_BYTES], const char *pattern, const char *device,
                           uint64_t size_bytes)
{
    char kib[32], bytes[32];
    snprintf(kib, sizeof kib, "%" PRIu64, size_bytes / 1024);
    snprintf(bytes, sizeof bytes, "%" PRIu64, size_bytes);
    const struct {
        const char *word, *meaning;
    } words[] = {{"DEV", device}, {"KIB", kib}, {"BYTES", bytes}};
    size_t used = 0;
    for (const char *at = pattern; *at != '\0' && used + 1 < COMMAND_BYTES;) {
        const char *meaning = NULL;
        for (size_t i = 0; i < sizeof words / sizeof words[0] && meaning == NULL; i++) {
            if (strncmp(at, words[i].word, strlen(words[i].word)) == 0) {
                meaning = words[i].meaning;
                at += strlen(words[i].word);
            }
        }
        used += (size_t)(meaning != NULL ? snprintf(out + used, COMMAND_BYTES - used, "%s", meaning)
                                         : snprintf(out + used, COMMAND_BYTES - used, "%c", *at++));
    }
    out[arith_min(used, COMMAND_BYTES - 1)] = '\0';
    return out;
}

static const char *device_of(char out[COMMAND_BYTES], const struct cow_volume *volume)
{
    if (volume->partition > 0) {
        snprintf(out, COMMAND_BYTES, DISK "%u", volume->partition);
    } else {
        snprintf(out, COMMAND_BYTES, DISK);
    }
    return out;
}

/* Of several devices of one btrfs this one has to be named. */
static uint64_t btrfs_device(const struct source *source)
{
    uint8_t devices[8], device[8];
    if (source_read(source, BTRFS_SUPER + 0x88, devices, sizeof devices, NULL) != 0 ||
        source_read(source, BTRFS_SUPER + 0xc9, device, sizeof device, NULL) != 0 ||
        bytes_get(devices, 8, false) <= 1) {
        return 0;
    }
    return bytes_get(device, 8, false);
}

static void grow_content(struct sentence *s, const struct cow_volume *volume, const struct source *source)
{
    char command[COMMAND_BYTES], device[COMMAND_BYTES];
    const struct kind *kind = kind_of(volume->type);
    const uint64_t btrfs = strcmp(volume->type, "btrfs") == 0 ? btrfs_device(source) : 0;
    if (btrfs > 0) {
        snprintf(command, sizeof command, "btrfs filesystem resize %" PRIu64 ":max MOUNTPOINT", btrfs);
        put_command(s, command);
    } else if (kind != NULL && kind->grow != NULL) {
        put_command(s, fill_in(command, kind->grow, device_of(device, volume), 0));
    }
    if (kind != NULL && kind->why != NULL) {
        put_reason(s, kind->why);
    } else if (kind == NULL) {
        snprintf(command, sizeof command, "what is %s%s (%s) grows by a tool of its own, if it can",
                 volume->partition > 0 ? "in " : "on ", volume->partition > 0 ? "that partition" : "the disk",
                 cow_volume_what(volume));
        put_reason(s, command);
    }
}

/* The last partition, and before it the container that it lies in, if it is a logical one. */
static void grow_partition(struct sentence *s, const struct cow_fs *fs, const struct cow_volume *volume)
{
    const unsigned partition = volume->partition;
    char command[COMMAND_BYTES], other[COMMAND_BYTES];
    if (partition < 5 || fs->container == 0 || strcmp(fs->table, "dos") != 0) {
        snprintf(command, sizeof command, "growpart " DISK " %u", partition);
        snprintf(other, sizeof other, "echo ', +' | sfdisk -N %u " DISK, partition);
        put_either(s, command, other);
        return;
    }
    snprintf(command, sizeof command, "echo ', +' | sfdisk -N %u " DISK, fs->container);
    put_command(s, command);
    snprintf(command, sizeof command, "echo ', +' | sfdisk -N %u " DISK, partition);
    put_command(s, command);
}

static void grow_last_partition(struct sentence *s, const struct cow_fs *fs)
{
    char text[COMMAND_BYTES];
    if (fs->gpt.present) {
        put_command(s, "sgdisk -e " DISK);
    }
    if (fs->n_volumes == 0) {
        put_reason(s, COW_FS_EMPTY_TABLE);
        return;
    }
    const struct cow_volume *last = &fs->volume[fs->n_volumes - 1];
    const struct kind *kind = kind_of(last->type);
    if (last->at_end || (kind != NULL && kind->grow == NULL)) {
        snprintf(text, sizeof text, "partition %u is the last, and %s: the new room lies behind it",
                 last->partition,
                 last->at_end ? "what makes it a member of a RAID has to stay at its end" : kind->why);
        put_reason(s, text);
        return;
    }
    grow_partition(s, fs, last);
    grow_content(s, last, &fs->source[fs->n_volumes - 1].guest);
}

const char *cow_fs_after_growing(char *out, size_t out_bytes, const struct cow_fs *fs)
{
    struct sentence s = {.out = out, .room = out_bytes};
    out[0] = '\0';
    if (fs == NULL) {
        put_reason(&s, "then what is on the disk is to be grown with its own tool");
    } else if (cow_fs_whole(fs)->at_end) {
        put_reason(&s,
                   "what makes it a member of a RAID lies at the end of the old disk, and is not found at "
                   "the end of the new one: undo this, or make the array anew");
    } else if (fs->table[0] != '\0') {
        grow_last_partition(&s, fs);
    } else {
        grow_content(&s, &fs->volume[0], &fs->source[0].guest);
    }
    return out;
}

const char *cow_volume_shrink_text(char *out, size_t out_bytes, const struct cow_volume *volume,
                                   uint64_t size_bytes)
{
    char command[COMMAND_BYTES], device[COMMAND_BYTES];
    const struct kind *kind = kind_of(volume->type);
    snprintf(out, out_bytes, "%s",
             kind != NULL && kind->shrink != NULL
                 ? fill_in(command, kind->shrink, device_of(device, volume), size_bytes)
                 : "");
    return out;
}
