/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See owners.h.
 */
#include "core/guestfs/owners.h"

#include <stdlib.h>

#include "core/base/arith.h"
#include "core/base/grow.h"

static bool joins(const struct owned *last, const struct owned *next)
{
    return last->block + last->count == next->block && last->inode == next->inode &&
           last->fs_class == next->fs_class && last->in_file == next->in_file &&
           (!last->in_file || last->first + last->count == next->first) &&
           (uint64_t)last->count + next->count <= UINT32_MAX;
}

bool owners_add(struct owners *owners, const struct owned *owned)
{
    if (owners->n > 0 && joins(&owners->owned[owners->n - 1], owned)) {
        owners->owned[owners->n - 1].count += owned->count;
        return true;
    }
    struct owned *grown = grow_array(owners->owned, owners->n, &owners->room, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    owners->owned = grown;
    owners->owned[owners->n++] = *owned;
    return true;
}

static int by_block(const void *a, const void *b)
{
    const struct owned *left = a, *right = b;
    return left->block != right->block       ? (left->block > right->block) - (left->block < right->block)
           : left->in_file != right->in_file ? right->in_file - left->in_file
                                             : (left->inode > right->inode) - (left->inode < right->inode);
}

static bool overlap(const struct owned *a, const struct owned *b)
{
    return a->inode != b->inode && a->inode != 0 && b->inode != 0 && b->block - a->block < a->count &&
           (a->fs_class != COW_FS_XATTR || b->fs_class != COW_FS_XATTR);
}

bool owners_sort(struct owners *owners)
{
    size_t kept = 0;
    bool twice = false;
    if (owners->n == 0) {
        return false;
    }
    bool sorted = true; /* mostly they are: inodes and blocks are given out in one order */
    for (size_t i = 1; i < owners->n && sorted; i++) {
        sorted = by_block(&owners->owned[i - 1], &owners->owned[i]) < 0;
    }
    if (!sorted) {
        qsort(owners->owned, owners->n, sizeof *owners->owned, by_block);
    }
    for (size_t i = 1; i < owners->n; i++) {
        twice |= overlap(&owners->owned[i - 1], &owners->owned[i]);
    }
    for (size_t i = 1; i < owners->n; i++) {
        if (owners->owned[i].block != owners->owned[kept].block) {
            owners->owned[++kept] = owners->owned[i];
        }
    }
    owners->n = kept + 1;
    return twice;
}

const struct owned *owners_find(const struct owners *owners, uint64_t block, uint64_t limit, uint64_t *end)
{
    size_t low = 0, high = owners->n; /* the first one that begins behind the block */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (owners->owned[middle].block > block) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *end = low < owners->n ? arith_min(owners->owned[low].block, limit) : limit;
    const struct owned *found = low > 0 ? &owners->owned[low - 1] : NULL;
    if (found == NULL || block - found->block >= found->count) {
        return NULL;
    }
    *end = arith_min(*end, found->block + found->count);
    return found;
}

void owners_free(struct owners *owners)
{
    free(owners->owned);
    *owners = (struct owners){.n = 0};
}

static bool add_blocks(struct owners *owners, ext2_filsys fs, uint64_t block, uint64_t count,
                       enum cow_fs_class fs_class)
{
    const uint64_t blocks = ext2fs_blocks_count(fs->super);
    if (block == 0 || block >= blocks || count == 0) {
        return true;
    }
    const struct owned owned = {
        .block = block, .count = (uint32_t)arith_min(count, blocks - block), .fs_class = (uint8_t)fs_class};
    return owners_add(owners, &owned);
}

static bool add_copy(struct owners *owners, ext2_filsys fs, dgrp_t group)
{
    blk64_t super = 0, old_descriptors = 0, new_descriptors = 0;
    ext2fs_super_and_bgd_loc2(fs, group, &super, &old_descriptors, &new_descriptors, NULL);
    const uint64_t old_blocks =
        ext2fs_has_feature_meta_bg(fs->super) != 0 ? fs->super->s_first_meta_bg : fs->desc_blocks;
    bool added = true;
    if (super != 0) {
        added = add_blocks(owners, fs, super, 1, COW_FS_SUPERBLOCK);
    } else if (group == 0) { /* of larger blocks the first one holds it */
        const struct owned first = {.block = 0, .count = 1, .fs_class = COW_FS_SUPERBLOCK};
        added = owners_add(owners, &first);
    }
    return added &&
           (old_descriptors == 0 ||
            add_blocks(owners, fs, old_descriptors, old_blocks, COW_FS_DESCRIPTORS)) &&
           (new_descriptors == 0 || add_blocks(owners, fs, new_descriptors, 1, COW_FS_DESCRIPTORS));
}

bool owners_add_groups(struct owners *owners, ext2_filsys fs)
{
    bool added = true;
    for (dgrp_t group = 0; group < fs->group_desc_count && added; group++) {
        added = add_copy(owners, fs, group);
    }
    for (dgrp_t group = 0; group < fs->group_desc_count && added; group++) {
        added = add_blocks(owners, fs, ext2fs_block_bitmap_loc(fs, group), 1, COW_FS_BLOCK_BITMAP);
    }
    for (dgrp_t group = 0; group < fs->group_desc_count && added; group++) {
        added = add_blocks(owners, fs, ext2fs_inode_bitmap_loc(fs, group), 1, COW_FS_INODE_BITMAP);
    }
    for (dgrp_t group = 0; group < fs->group_desc_count && added; group++) {
        added = add_blocks(owners, fs, ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group,
                           COW_FS_INODE_TABLE);
    }
    owners_sort(owners);
    return added;
}
