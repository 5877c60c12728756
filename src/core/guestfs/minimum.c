/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How far an ext filesystem could be shrunk. The estimate is that of resize2fs -P (e2fsprogs,
 * resize/resize2fs.c, calculate_minimum_resize_size), so that what the wizard says is what that tool says:
 * as many groups as the used inodes and blocks need, with all that describes them, the last one as short as
 * it can be, and some room for extent trees that grow while blocks move.
 */
#include "core/base/arith.h"
#include "core/guestfs/guestfs.h"

enum { LAST_GROUP_LEAST_BLOCKS = 50, EXTENT_BYTES = 12, MARGIN_DIVISOR = 500 };

struct estimate {
    ext2_filsys fs;
    uint64_t per_group;
    uint64_t old_descriptor_blocks;
    uint64_t flex; /* groups that keep their tables together; 1: none */
};

/* Blocks of a group that describe it and hold no data. */
static uint64_t overhead_of(const struct estimate *e, uint64_t group)
{
    blk64_t super = 0, old_descriptors = 0, new_descriptors = 0;
    ext2fs_super_and_bgd_loc2(e->fs, (dgrp_t)group, &super, &old_descriptors, &new_descriptors, NULL);
    return e->fs->inode_blocks_per_group + 2U + (group == 0 || super != 0) +
           (old_descriptors != 0 ? e->old_descriptor_blocks : new_descriptors != 0);
}

static uint64_t overhead_between(const struct estimate *e, uint64_t first, uint64_t end)
{
    uint64_t sum = 0;
    for (uint64_t group = first; group < end; group++) {
        sum += overhead_of(e, group);
    }
    return sum;
}

/* Data blocks that the first `groups` - 1 groups of [first, end) hold. */
static uint64_t data_before_last(const struct estimate *e, uint64_t first, uint64_t end, uint64_t groups)
{
    uint64_t sum = 0;
    for (uint64_t group = first; group < end && group + 1 < groups; group++) {
        sum += arith_sub_floor(e->per_group, overhead_of(e, group));
    }
    return sum;
}

/* The groups whose tables have to be there for `groups` of them. */
static uint64_t with_flex(const struct estimate *e, uint64_t groups)
{
    return e->flex == 1 ? groups : arith_min(groups + e->flex - groups % e->flex, e->fs->group_desc_count);
}

static uint64_t data_blocks_needed(const struct estimate *e)
{
    const uint64_t blocks = ext2fs_blocks_count(e->fs->super);
    uint64_t other = overhead_between(e, 0, e->fs->group_desc_count);
    for (dgrp_t group = 0; group < e->fs->group_desc_count; group++) {
        other += ext2fs_bg_free_blocks_count(e->fs, group);
    }
    return arith_sub_floor(blocks, other);
}

uint64_t minimum_blocks(ext2_filsys fs)
{
    const struct ext2_super_block *super = fs->super;
    const bool flexible = ext2fs_has_feature_flex_bg(fs->super) != 0 && super->s_log_groups_per_flex < 31;
    const struct estimate e = {.fs = fs,
                               .per_group = super->s_blocks_per_group,
                               .old_descriptor_blocks =
                                   ext2fs_has_feature_meta_bg(fs->super) != 0
                                       ? super->s_first_meta_bg
                                       : fs->desc_blocks + (uint64_t)super->s_reserved_gdt_blocks,
                               .flex = flexible ? UINT64_C(1) << super->s_log_groups_per_flex : 1};
    const uint64_t blocks = ext2fs_blocks_count(fs->super);
    const uint64_t inodes = arith_sub_floor(super->s_inodes_count, super->s_free_inodes_count);
    const uint64_t needed = data_blocks_needed(&e);
    uint64_t groups =
        arith_min(arith_max(arith_div_up(inodes, super->s_inodes_per_group), 1), fs->group_desc_count);
    uint64_t flex_groups = flexible ? with_flex(&e, groups) : groups;
    uint64_t room = arith_sub_floor(groups * e.per_group, overhead_between(&e, 0, flex_groups));
    uint64_t last_start = data_before_last(&e, 0, flex_groups, groups);
    while (needed > room && groups < fs->group_desc_count) {
        const uint64_t more = arith_div_up(needed - room, e.per_group), counted = flex_groups;
        last_start += arith_sub_floor(e.per_group, overhead_of(&e, groups - 1));
        groups = arith_min(groups + more, fs->group_desc_count);
        flex_groups = !flexible ? groups : groups > flex_groups ? with_flex(&e, groups) : flex_groups;
        last_start += data_before_last(&e, counted, flex_groups, groups);
        room = arith_sub_floor(room + more * e.per_group, overhead_between(&e, counted, flex_groups));
    }
    uint64_t first = groups - 1;
    if (flexible && first < e.flex) { /* all of the first flexible group's tables come with it */
        first = 0;
    }
    uint64_t last = overhead_between(&e, first, flex_groups) +
                    arith_max(arith_sub_floor(needed, last_start), LAST_GROUP_LEAST_BLOCKS) +
                    super->s_first_data_block;
    const uint64_t ratio = (uint64_t)EXT2FS_CLUSTER_RATIO(fs);
    last += ratio > 1 ? 2 * ratio : 0;
    uint64_t least = (groups - 1) * e.per_group + last;
    least = arith_max(least, ext2fs_inode_table_loc(fs, (dgrp_t)(groups - 1)) + fs->inode_blocks_per_group);
    if (least < blocks && ext2fs_has_feature_extents(fs->super) != 0) {
        const uint64_t worst = arith_max(arith_div_up(needed, fs->blocksize / EXTENT_BYTES - 1), inodes);
        least += arith_min((blocks - least) / MARGIN_DIVISOR, worst);
    }
    return arith_min(least, blocks);
}
