/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who owns a byte of the disk: outside of filesystems by where it lies; inside by what describes the groups,
 * then by the blocks of inodes, then by the block bitmap. The account of what is in the COW goes through the
 * same function, so that the sums and a single answer cannot disagree.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/guestfs/fs_scan.h"

enum { GPT_TAIL_BYTES = 33 * 512, BOOT_BYTES = 1024 };

/* An answer for [first, end) of the disk. */
static void answer_account(struct cow_fs_owner *out, int volume, enum cow_fs_class fs_class, uint64_t first,
                           uint64_t end)
{
    *out = (struct cow_fs_owner){.fs_class = fs_class,
                                 .volume = volume,
                                 .first_byte = first,
                                 .length_bytes = end - first,
                                 .known = true};
}

static void outside_of_volumes(const struct cow_fs_scan *scan, uint64_t at, uint64_t end,
                               struct cow_fs_owner *out)
{
    const struct cow_fs *fs = scan->fs;
    const uint64_t disk_bytes = cow_image_header(scan->img)->size_bytes;
    const uint64_t tail =
        strcmp(fs->table, "gpt") == 0 ? arith_sub_floor(disk_bytes, GPT_TAIL_BYTES) : disk_bytes;
    if (at < fs->table_bytes) {
        answer_account(out, COW_NO_VOLUME, COW_FS_TABLE, at, arith_min(fs->table_bytes, end));
    } else if (at >= tail) {
        answer_account(out, COW_NO_VOLUME, COW_FS_TABLE, at, end);
    } else {
        answer_account(out, COW_NO_VOLUME, COW_FS_OUTSIDE, at, arith_min(end, tail));
    }
}

/* Blocks that no inode and no group owns. */
static bool is_free(const struct volume_scan *v, uint64_t block, uint64_t *end)
{
    ext2fs_block_bitmap map = v->fs->block_map;
    blk64_t other = 0;
    if (map == NULL) {
        return false;
    }
    const bool in_use = ext2fs_test_block_bitmap2(map, block) != 0;
    if (*end > block + 1 &&
        (in_use ? ext2fs_find_first_zero_block_bitmap2(map, block, *end - 1, &other)
                : ext2fs_find_first_set_block_bitmap2(map, block, *end - 1, &other)) == 0) {
        *end = arith_min(*end, arith_max(other, block + 1));
    }
    return !in_use;
}

static void in_filesystem(const struct volume_scan *v, uint64_t at, struct cow_fs_owner *out)
{
    const struct cow_volume *volume = &v->scan->fs->volume[v->index];
    const uint64_t block_bytes = volume->block_bytes, relative = at - volume->first_byte;
    const uint64_t blocks = ext2fs_blocks_count(v->fs->super);
    const uint64_t block = relative / block_bytes;
    uint64_t end, owned_end;
    if (relative < BOOT_BYTES) {
        answer_account(out, v->index, COW_FS_BOOT, at, volume->first_byte + BOOT_BYTES);
        return;
    }
    if (block >= blocks) {
        answer_account(out, v->index, COW_FS_OUTSIDE, at, volume->first_byte + volume->size_bytes);
        return;
    }
    const struct owned *owned = owners_find(&v->groups, block, blocks, &end);
    if (owned == NULL) {
        owned = owners_find(&v->owners, block, end, &owned_end);
        end = owned_end;
    }
    const bool is_owned = owned != NULL;
    const bool is_unused = !is_owned && is_free(v, block, &end);
    if (!is_owned && !is_unused && !v->complete) { /* the next block may have an owner that was not kept */
        end = block + 1;
    }
    answer_account(
        out, v->index,
        is_owned    ? (enum cow_fs_class)owned->fs_class
        : is_unused ? COW_FS_FREE
                    : COW_FS_UNOWNED,
        at, arith_min(volume->first_byte + end * block_bytes, volume->first_byte + volume->size_bytes));
    out->known = is_owned || is_unused || v->complete;
    if (is_owned) {
        out->inode = owned->inode;
        out->has_file_offset = owned->in_file && owned->inode != 0;
        out->file_offset =
            out->has_file_offset ? owned->first * block_bytes + (relative - owned->block * block_bytes) : 0;
    }
}

/* Whether the byte's sector is in the COW, in terms of bits. */
static int look_at_bit(struct cow_fs_scan *scan, uint64_t at, bool *dirty, struct cow_error *err)
{
    struct cow_dirty_run run;
    const uint64_t sector = at / cow_image_header(scan->img)->sector_bytes;
    int status = cow_image_next_dirty(scan->img, sector, &run, err);
    *dirty = status == 0 && run.sectors > 0 && run.first_sector == sector;
    return status;
}

static void find_owner(struct cow_fs_scan *scan, uint64_t at, struct cow_fs_owner *out)
{
    uint64_t end = cow_image_header(scan->img)->size_bytes;
    for (size_t i = 0; i < scan->n_volumes; i++) {
        const struct cow_volume *volume = &scan->fs->volume[i];
        if (at < volume->first_byte) {
            end = arith_min(end, volume->first_byte);
        } else if (at - volume->first_byte < volume->size_bytes) {
            if (scan->volume[i].fs != NULL) {
                in_filesystem(&scan->volume[i], at, out);
            } else {
                answer_account(out, (int)i, COW_FS_OTHER, at, volume->first_byte + volume->size_bytes);
            }
            return;
        }
    }
    outside_of_volumes(scan, at, end, out);
}

int cow_fs_class_at(struct cow_fs_scan *scan, uint64_t offset_bytes, struct cow_fs_owner *out,
                    struct cow_error *err)
{
    struct cow_fs_owner owner = {.volume = COW_NO_VOLUME};
    if (offset_bytes < cow_image_header(scan->img)->size_bytes) {
        find_owner(scan, offset_bytes, &owner);
        int status = look_at_bit(scan, offset_bytes, &owner.dirty, err);
        if (status != 0) {
            return status;
        }
        owner.known = owner.known || owner.dirty;
    }
    *out = owner;
    return 0;
}

/* Fills in the path of the owner's file. */
static int name_owner(struct cow_fs_scan *scan, struct cow_fs_owner *owner, struct cow_error *err)
{
    if (owner->inode == 0 || !cow_fs_class_of_file(owner->fs_class)) {
        return 0;
    }
    struct volume_scan *v = &scan->volume[owner->volume];
    const struct node *node = nodes_find(&v->nodes, (uint32_t)owner->inode);
    const bool is_root = owner->inode == EXT2_ROOT_INO;
    char *path = NULL;
    int status = 0;
    if (is_root) {
        path = strdup("/");
    } else if (node != NULL && node->name != NO_NAME) {
        const struct node_name *name = &v->nodes.name[node->name];
        path = names_path(v, name->directory, v->nodes.text + name->text, false);
    } else if (node == NULL && !v->all_names) {
        status = names_search(v, (uint32_t)owner->inode, &path, err);
    }
    if (status == 0 && path == NULL && (is_root || (node != NULL && node->name != NO_NAME))) {
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status == 0) {
        free(scan->path);
        scan->path = path;
        owner->path = path;
    }
    return status;
}

int cow_fs_owner_at(struct cow_fs_scan *scan, uint64_t offset_bytes, struct cow_fs_owner *out,
                    struct cow_error *err)
{
    struct cow_fs_owner owner;
    int status = cow_fs_class_at(scan, offset_bytes, &owner, err);
    if (status == 0) {
        status = name_owner(scan, &owner, err);
    }
    if (status == 0) {
        *out = owner;
    }
    return status;
}

/* The owner of what is next in the COW, as far as both go. *run is the stretch that was found the last time.
 */
static int next_account_piece(struct cow_fs_scan *scan, uint64_t at, struct cow_dirty_run *run,
                              struct cow_fs_owner *out, struct cow_error *err)
{
    const uint64_t sector_bytes = cow_image_header(scan->img)->sector_bytes;
    *out = (struct cow_fs_owner){.volume = COW_NO_VOLUME};
    if (at >= cow_image_header(scan->img)->size_bytes) {
        return 0;
    }
    if (at / sector_bytes >= run->first_sector + run->sectors) {
        int status = cow_image_next_dirty(scan->img, at / sector_bytes, run, err);
        if (status != 0 || run->sectors == 0) {
            return status;
        }
        at = arith_max(at, run->first_sector * sector_bytes);
    }
    find_owner(scan, at, out);
    out->dirty = out->known = true;
    out->length_bytes =
        arith_min(out->first_byte + out->length_bytes, (run->first_sector + run->sectors) * sector_bytes) -
        out->first_byte;
    return 0;
}

int cow_fs_owner_next(struct cow_fs_scan *scan, uint64_t offset_bytes, struct cow_fs_owner *out,
                      struct cow_error *err)
{
    struct cow_dirty_run run = {.sectors = 0};
    int status = next_account_piece(scan, offset_bytes, &run, out, err);
    return status == 0 && out->length_bytes > 0 ? name_owner(scan, out, err) : status;
}

int cow_fs_file_next(struct cow_fs_scan *scan, const struct cow_fs_file *file, uint64_t offset_bytes,
                     struct cow_fs_owner *out, struct cow_error *err)
{
    const struct volume_scan *v = &scan->volume[file->volume];
    const struct node *node = nodes_find(&v->nodes, (uint32_t)file->inode);
    struct cow_dirty_run run = {.sectors = 0};
    int status = 0;
    *out = (struct cow_fs_owner){.volume = COW_NO_VOLUME};
    if (file->kind == COW_FS_KIND_REMOVED || node == NULL || node->changed_bytes == 0) {
        return 0;
    }
    do {
        status = next_account_piece(scan, offset_bytes, &run, out, err);
        offset_bytes = out->first_byte + out->length_bytes;
    } while (status == 0 && out->length_bytes > 0 &&
             (out->volume != file->volume || out->inode != file->inode));
    return status;
}

/* ---- the account ---- */

static int count_bytes(struct cow_fs_scan *scan, const struct cow_fs_owner *owner, uint64_t bytes,
                       struct cow_error *err)
{
    const size_t volume = owner->volume == COW_NO_VOLUME ? COW_VOLUMES_MAX : (size_t)owner->volume;
    scan->class_bytes[volume][owner->fs_class] += bytes;
    if (owner->inode == 0 || !cow_fs_class_of_file(owner->fs_class)) {
        return 0;
    }
    struct volume_scan *v = &scan->volume[owner->volume];
    struct node *node = nodes_get(&v->nodes, (uint32_t)owner->inode);
    if (node == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    node->changed_bytes += bytes;
    return scan->owners_only ? 0 : inodes_look(v, node, err);
}

static int count_run(struct cow_fs_scan *scan, const struct cow_dirty_run *run, struct cow_error *err)
{
    const uint64_t sector_bytes = cow_image_header(scan->img)->sector_bytes,
                   size = cow_image_header(scan->img)->size_bytes;
    const uint64_t run_end = (run->first_sector + run->sectors) * sector_bytes;
    int status = 0;
    for (uint64_t at = run->first_sector * sector_bytes; at < run_end && at < size && status == 0;) {
        struct cow_fs_owner owner;
        find_owner(scan, at, &owner);
        const uint64_t end = arith_min(owner.first_byte + owner.length_bytes, run_end);
        /* whole sectors, also where the disk ends within one */
        status = count_bytes(scan, &owner, (end >= size ? run_end : end) - at, err);
        at = end;
    }
    return status;
}

int scan_account(struct cow_fs_scan *scan, struct cow_error *err)
{
    struct cow_dirty_run run = {.sectors = 0};
    int status = 0;
    do {
        status = cow_image_next_dirty(scan->img, run.first_sector + run.sectors, &run, err);
        if (status == 0 && run.sectors > 0) {
            status = count_run(scan, &run, err);
        }
    } while (status == 0 && run.sectors > 0);
    return status;
}

void cow_fs_classes(const struct cow_fs_scan *scan, int volume, uint64_t bytes[COW_FS_CLASSES])
{
    for (int c = 0; c < COW_FS_CLASSES; c++) {
        bytes[c] = 0;
        for (size_t i = 0; i <= COW_VOLUMES_MAX; i++) {
            bytes[c] += volume == COW_NO_VOLUME || (size_t)volume == i ? scan->class_bytes[i][c] : 0;
        }
    }
}
