/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui mount: the composed disk as a file in a directory, or a filesystem on it at that directory, until it
 * is unmounted or somebody ends it. A server, a mount of the disk, and where a filesystem is asked for a
 * mount of that lie on each other, and are ended from above.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cli/serving.h"
#include "cow/fs.h"
#include "front/mount.h"
#include "front/mounted.h"
#include "front/tools.h"

enum { WAIT_MS = 100 };

/* What is mounted: all of the disk, or a filesystem on it. */
struct target {
    bool is_filesystem;
    uint64_t first_byte, size_bytes; /* of a partition; 0, 0: the whole disk */
    char type[COW_VOLUME_TEXT_BYTES];
    char directory[PATH_MAX];
};

/* The volume that is asked for: by its number, or the only one with something on it. NULL with the error. */
static const struct cow_volume *choose(const struct cow_fs *fs, int partition, const char *image,
                                       struct cow_error *err)
{
    size_t n;
    const struct cow_volume *volume = cow_fs_volumes(fs, &n), *found = NULL;

    for (size_t i = 0; i < n; i++) {
        if (partition > 0 ? volume[i].partition != (unsigned)partition : !*volume[i].type)
            continue;
        if (found) {
            cow_error_set(err, COW_USAGE, "%s: has more than one filesystem", image);
            cow_error_hint(err, "name one: --partition N; \"cowtui files\" tells which there are");
            return NULL;
        }
        found = &volume[i];
    }
    if (!found && partition > 0)
        cow_error_set(err, COW_USAGE, "%s: has no partition %d", image, partition);
    else if (!found)
        cow_error_set(err, COW_USAGE, "%s: no filesystem is found on it", image);
    return found;
}

static int find_filesystem(struct target *target, struct cli_serving *serving,
                           const struct cli_options *options, struct cow_error *err)
{
    const struct cow_volume *volume;
    struct cow_fs *fs;
    char where[32] = "all of it";
    int partition, status = cli_read_partition(&partition, options, err);

    if (!status)
        status = cow_fs_open(&fs, serving->image, err);
    if (status)
        return status;
    volume = choose(fs, partition, options->operand[0], err);
    if (volume) {
        snprintf(target->type, sizeof target->type, "%s", volume->type);
        if (volume->partition) {
            target->first_byte = volume->first_byte;
            target->size_bytes = volume->size_bytes;
        }
        if (volume->partition)
            snprintf(where, sizeof where, "partition %u", volume->partition);
        snprintf(serving->partition, sizeof serving->partition, "%s, %s", where,
                 *volume->type ? volume->type : "unknown");
    }
    cow_fs_close(fs);
    return volume ? front_need_filesystem(target->type, err) : err->status;
}

/* All that can be told to be impossible before anything is begun. */
static int look(struct target *target, struct cli_serving *serving, const struct cli_options *options,
                struct cow_error *err)
{
    char path[PATH_MAX];
    int status = 0;

    if (options->partition && options->fs)
        return cow_error_set(err, COW_USAGE, "--partition names a filesystem, and --fs the only one");
    target->is_filesystem = options->partition || options->fs;
    status = front_check_mountpoint(options->operand[1], err);
    if (!status && !realpath(options->operand[1], target->directory))
        status = cow_error_system(err, errno, "%s", options->operand[1]);
    if (!status)
        status = front_need_tool(path, sizeof path, "nbdfuse", err);
    if (!status)
        status = front_need_fuse(err);
    if (!status)
        status = cli_serving_look(serving, options, err);
    if (!status && target->is_filesystem)
        status = find_filesystem(target, serving, options, err);
    return status;
}

/* What lies on each other, from the ground up. */
struct pile {
    struct front_server *server;
    struct front_mount *disk, *filesystem;
};

static int build(struct pile *pile, struct cli_serving *serving, const struct target *target,
                 const struct cli_options *options, struct cow_error *err)
{
    const struct front_server_options server = {.image_path = options->operand[0],
                                                .backing_path = options->backing,
                                                .is_writing = options->write,
                                                .part_first_byte = target->first_byte,
                                                .part_bytes = target->size_bytes,
                                                .on_line = cli_serving_log,
                                                .context = serving};
    struct front_mount_options mount = {.directory = target->is_filesystem ? NULL : target->directory,
                                        .is_writing = options->write,
                                        .on_line = cli_serving_log,
                                        .context = serving};
    int status = front_server_start(&pile->server, &server, err);

    if (!status)
        status = front_mount_disk(&pile->disk, pile->server, &mount, err);
    if (status || !target->is_filesystem)
        return status;
    mount.directory = target->directory;
    return front_mount_filesystem(&pile->filesystem, front_mount_path(pile->disk), target->type, &mount, err);
}

/* Ends all of it, whatever goes wrong; the first error is told. */
static int take_down(struct pile *pile, struct cow_error *err)
{
    struct cow_error ignored;
    int status = front_mount_stop(pile->filesystem, err);
    int next = front_mount_stop(pile->disk, status ? &ignored : err);

    status = status ? status : next;
    next = front_server_stop(pile->server, status ? &ignored : err);
    return status ? status : next;
}

static int mount_it(struct cli_serving *serving, const struct target *target,
                    const struct cli_options *options, struct cow_error *err)
{
    struct pile pile = {.server = NULL};
    struct cow_error ignored;
    int status = cli_serving_begin(err);

    if (!status)
        status = build(&pile, serving, target, options, err);
    struct front_mount *top = pile.filesystem ? pile.filesystem : pile.disk;
    if (!status)
        status = cli_serving_tell(serving, options, NULL, front_mount_path(top), err);
    while (!status && !cli_interrupted() && front_mount_poll(top, WAIT_MS) &&
           front_server_poll(pile.server, 0))
        ;
    if (status)
        take_down(&pile, &ignored);
    else
        status = take_down(&pile, err);
    return status;
}

int cli_mount(const struct cli_options *options, struct cow_error *err)
{
    struct cli_serving serving = {.where = "directory", .place = options->operand[1]};
    struct target target = {.is_filesystem = false};
    bool ends = false;
    int status = look(&target, &serving, options, err);

    if (!status)
        status = cli_serving_agree(&ends, &serving, options, err);
    if (!status && !ends)
        status = mount_it(&serving, &target, options, err);
    cow_image_close(serving.image);
    return status;
}
