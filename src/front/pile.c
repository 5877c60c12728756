/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See pile.h.
 */
#include "front/pile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "front/mounted.h"
#include "front/tools.h"

/* ---- the target ---- */

int front_target_directory(struct front_target *target, const char *path, struct cow_error *err)
{
    char tool[PATH_MAX];
    int status = front_check_mountpoint(path, err);

    if (status == 0 && realpath(path, target->directory) == NULL) {
        status = cow_error_system(err, errno, "%s", path);
    }
    if (status == 0) {
        status = front_need_tool(tool, sizeof tool, "nbdfuse", err);
    }
    return status != 0 ? status : front_need_fuse(err);
}

/* The volume that is asked for: by its number, or the only one with something on it. NULL with the error. */
static const struct cow_volume *choose(const struct cow_fs *fs, unsigned partition, const char *name,
                                       struct cow_error *err)
{
    size_t n;
    const struct cow_volume *volume = cow_fs_volumes(fs, &n), *found = NULL;

    for (size_t i = 0; i < n; i++) {
        if (partition > 0 ? volume[i].partition != partition : *volume[i].type == '\0') {
            continue;
        }
        if (found != NULL) {
            cow_error_set(err, COW_USAGE, "%s: has more than one filesystem", name);
            cow_error_hint(err, "name one: --partition N; \"cowtui files\" tells which there are");
            return NULL;
        }
        found = &volume[i];
    }
    if (found == NULL && partition > 0) {
        cow_error_set(err, COW_USAGE, "%s: has no partition %u", name, partition);
    } else if (found == NULL) {
        cow_error_set(err, COW_USAGE, "%s: no filesystem is found on it", name);
    }
    return found;
}

int front_target_filesystem(struct front_target *target, struct cow_image *image, const char *name,
                            unsigned partition, struct cow_error *err)
{
    const struct cow_volume *volume;
    struct cow_fs *fs;
    char where[24] = "all of it";
    int status = cow_fs_open(&fs, image, err);

    if (status != 0) {
        return status;
    }
    target->is_filesystem = true;
    volume = choose(fs, partition, name, err);
    if (volume != NULL) {
        snprintf(target->type, sizeof target->type, "%s", volume->type);
        if (volume->partition != 0) {
            target->first_byte = volume->first_byte;
            target->size_bytes = volume->size_bytes;
            snprintf(where, sizeof where, "partition %u", volume->partition);
        }
        snprintf(target->words, sizeof target->words, "%s, %s", where,
                 *volume->type != '\0' ? volume->type : "unknown");
    }
    cow_fs_close(fs);
    return volume != NULL ? front_need_filesystem(target->type, err) : COW_USAGE;
}

/* ---- the pile ---- */

int front_pile_build(struct front_pile *pile, const struct front_server_options *options,
                     const struct front_target *target, struct cow_error *err)
{
    struct front_server_options server = *options;
    struct front_mount_options mount = {
        .is_writing = options->is_writing, .on_line = options->on_line, .context = options->context};

    if (target != NULL) {
        server.part_first_byte = target->first_byte;
        server.part_bytes = target->size_bytes;
        mount.directory = target->is_filesystem ? NULL : target->directory;
    }
    int status = front_server_start(&pile->server, &server, err);
    if (status == 0 && target != NULL) {
        status = front_mount_disk(&pile->disk, pile->server, &mount, err);
    }
    if (status != 0 || target == NULL || !target->is_filesystem) {
        return status;
    }
    mount.directory = target->directory;
    return front_mount_filesystem(&pile->filesystem, front_mount_path(pile->disk), target->type, &mount, err);
}

static struct front_mount *top_of(const struct front_pile *pile)
{
    return pile->filesystem != NULL ? pile->filesystem : pile->disk;
}

const char *front_pile_path(const struct front_pile *pile)
{
    return top_of(pile) != NULL ? front_mount_path(top_of(pile)) : NULL;
}

bool front_pile_poll(struct front_pile *pile, int ms)
{
    if (top_of(pile) != NULL && !front_mount_poll(top_of(pile), ms)) {
        return false;
    }
    return front_server_poll(pile->server, pile->disk != NULL ? 0 : ms) &&
           (pile->filesystem == NULL || front_mount_poll(pile->disk, 0));
}

int front_pile_take_down(struct front_pile *pile, struct cow_error *err)
{
    struct cow_error ignored;
    int status = front_mount_stop(pile->filesystem, err);
    int next = front_mount_stop(pile->disk, status != 0 ? &ignored : err);

    status = status != 0 ? status : next;
    next = front_server_stop(pile->server, status != 0 ? &ignored : err);
    *pile = (struct front_pile){.server = NULL};
    return status != 0 ? status : next;
}
