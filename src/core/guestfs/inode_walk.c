/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whose each block is: told by all inodes in use. Groups without any, and tables that are holes, are not
 * read.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/guestfs/extents.h"
#include "core/guestfs/fs_scan.h"

enum {
    OWNED_MAX = 512 * 1024,        /* stretches; with more of them only those that are in the COW are kept */
    OWNED_LIMIT = 8 * 1024 * 1024, /* ... and no more than that: 256 MiB */
    SCAN_BLOCKS = 32,              /* of an inode table, read at once */
};

static enum cow_fs_class class_of(ext2_filsys fs, uint32_t inode, const struct ext2_inode_large *content)
{
    if (inode == fs->super->s_journal_inum || inode == EXT2_JOURNAL_INO) {
        return COW_FS_JOURNAL;
    }
    if (inode == EXT2_RESIZE_INO) {
        return COW_FS_RESIZE_INODE;
    }
    if (inode_is_reserved(fs, inode)) {
        return COW_FS_RESERVED;
    }
    if ((content->i_flags & EXT4_EA_INODE_FL) != 0) {
        return COW_FS_XATTR;
    }
    return LINUX_S_ISDIR(content->i_mode)   ? COW_FS_DIRECTORY
           : LINUX_S_ISLNK(content->i_mode) ? COW_FS_SYMLINK
                                            : COW_FS_FILE;
}

struct inode_walk {
    struct volume_scan *v;
    uint32_t inode;
    enum cow_fs_class fs_class;
    struct cow_error *err;
    int status;
};

/* Only what is in the COW, and what was asked for, is kept from now on. */
static int forget_clean(struct volume_scan *v, struct cow_error *err)
{
    size_t kept = 0;
    int status = 0;
    for (size_t i = 0; i < v->owners.n && status == 0; i++) {
        const struct owned *owned = &v->owners.owned[i];
        uint64_t bytes;
        status = scan_dirty_bytes(v, owned->block, owned->count, &bytes, err);
        if (status == 0 && bytes > 0) {
            v->owners.owned[kept++] = *owned;
        }
    }
    v->owners.n = status == 0 ? kept : v->owners.n;
    v->complete = false;
    return status;
}

static bool wanted(const struct volume_scan *v, uint64_t block, uint64_t count)
{
    const uint64_t first_byte = v->scan->fs->source[v->index].guest.first_byte;
    const uint64_t at = v->scan->keep_offset;
    return at >= first_byte && (at - first_byte) / v->fs->blocksize >= block &&
           (at - first_byte) / v->fs->blocksize - block < count;
}

static errcode_t keep_owned(struct inode_walk *walk, const struct owned *owned)
{
    struct volume_scan *v = walk->v;
    uint64_t bytes = 0;
    if (!v->complete) {
        walk->status = scan_dirty_bytes(v, owned->block, owned->count, &bytes, walk->err);
        if (walk->status != 0 || (bytes == 0 && !wanted(v, owned->block, owned->count))) {
            return walk->status != 0 ? EXT2_ET_CANCEL_REQUESTED : 0;
        }
    }
    if (v->owners.n >= OWNED_LIMIT) {
        return EXT2_ET_CANCEL_REQUESTED;
    }
    if (!owners_add(&v->owners, owned)) {
        return EXT2_ET_NO_MEMORY;
    }
    if (v->complete && v->owners.n > OWNED_MAX) {
        walk->status = forget_clean(v, walk->err);
    }
    return walk->status != 0 ? EXT2_ET_CANCEL_REQUESTED : 0;
}

/* Where blocks are given out in clusters, what lies around a piece in its clusters is the file's, too. */
static errcode_t keep_around(struct inode_walk *walk, const struct owned *owned)
{
    const uint64_t ratio = (uint64_t)EXT2FS_CLUSTER_RATIO(walk->v->fs);
    const uint64_t blocks = ext2fs_blocks_count(walk->v->fs->super), end = owned->block + owned->count;
    const uint64_t head = owned->block % ratio,
                   tail = arith_min(arith_div_up(end, ratio) * ratio, blocks) - end;
    struct owned around = {.block = owned->block - head,
                           .count = (uint32_t)head,
                           .inode = owned->inode,
                           .fs_class = owned->fs_class};
    errcode_t code = head > 0 ? keep_owned(walk, &around) : 0;
    around.block = end;
    around.count = (uint32_t)tail;
    return code == 0 && tail > 0 ? keep_owned(walk, &around) : code;
}

static errcode_t take_owner_piece(void *context, const struct extent_piece *piece)
{
    struct inode_walk *walk = context;
    const bool of_file = cow_fs_class_of_file(walk->fs_class);
    const struct owned owned = {.block = piece->block,
                                .first = piece->first,
                                .count = (uint32_t)piece->count,
                                .inode = walk->inode,
                                .fs_class =
                                    (uint8_t)(piece->mapping && of_file ? COW_FS_MAPPING : walk->fs_class),
                                .in_file = !piece->mapping};
    errcode_t code = keep_owned(walk, &owned);
    return code == 0 && EXT2FS_CLUSTER_RATIO(walk->v->fs) > 1 && (of_file || walk->fs_class == COW_FS_JOURNAL)
               ? keep_around(walk, &owned)
               : code;
}

static int walk_inode(struct volume_scan *v, uint32_t inode, struct ext2_inode_large *content,
                      struct cow_error *err)
{
    struct inode_walk walk = {
        .v = v, .inode = inode, .fs_class = class_of(v->fs, inode, content), .err = err};
    const uint64_t attributes = ext2fs_file_acl_block(v->fs, (struct ext2_inode *)(void *)content);
    errcode_t code = 0;
    if (attributes != 0 && attributes < ext2fs_blocks_count(v->fs->super) &&
        !inode_is_reserved(v->fs, inode)) {
        const struct owned owned = {
            .block = attributes, .count = 1, .inode = inode, .fs_class = COW_FS_XATTR};
        code = keep_owned(&walk, &owned);
    }
    if (code == 0) {
        code = extents_walk(v->fs, inode, content, &v->budget, take_owner_piece, &walk);
    }
    return walk.status != 0 ? walk.status : scan_damage(v, code, inode, err);
}

static int take_inode(struct volume_scan *v, uint32_t inode, struct ext2_inode_large *content,
                      struct cow_error *err)
{
    const bool directory = LINUX_S_ISDIR(content->i_mode);
    if (!inode_in_use(v->fs, inode, content)) {
        return 0;
    }
    const bool all = v->all_names || (v->base == NULL && !v->scan->owners_only);
    if (!inode_is_reserved(v->fs, inode) && (directory || all)) {
        struct node *node = nodes_get(&v->nodes, inode);
        if (node == NULL) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        if (!node->looked) { /* what is not known to differ is the same on both sides */
            node->after = true;
            node->before = node->same = v->base != NULL;
            node->type = node->type_before = (uint8_t)inode_type(content->i_mode);
            node->size = node->size_before = EXT2_I_SIZE(content);
            node->attributes = ext2fs_file_acl_block(v->fs, (struct ext2_inode *)(void *)content) != 0;
            node->looked = true;
        }
    }
    return walk_inode(v, inode, content, err);
}

/* Whether descriptor and bitmap agree that no inode of a group is in use. */
static int group_is_unused(struct volume_scan *v, dgrp_t group, uint8_t *block, bool *unused,
                           struct cow_error *err)
{
    const uint32_t per_group = v->fs->super->s_inodes_per_group;
    *unused = ext2fs_bg_free_inodes_count(v->fs, group) == per_group && per_group / 8 <= v->fs->blocksize;
    if (!*unused || ext2fs_bg_flags_test(v->fs, group, EXT2_BG_INODE_UNINIT) != 0) {
        return 0;
    }
    int status =
        source_read(&v->scan->fs->source[v->index].guest,
                    ext2fs_inode_bitmap_loc(v->fs, group) * v->fs->blocksize, block, v->fs->blocksize, err);
    *unused = status == 0 && bytes_all_zero(block, per_group / 8);
    return status;
}

/* Whether nothing but holes lies where a group's inodes in use are. */
static int table_is_hole(struct volume_scan *v, dgrp_t group, uint64_t inodes, bool *hole,
                         struct cow_error *err)
{
    const struct source *source = &v->scan->fs->source[v->index].guest;
    const uint64_t sector_bytes = cow_image_header(v->scan->img)->sector_bytes;
    const uint64_t begin = source->first_byte + ext2fs_inode_table_loc(v->fs, group) * v->fs->blocksize;
    const uint64_t end = begin + inodes * EXT2_INODE_SIZE(v->fs->super);
    struct cow_run run = {.first_sector = begin / sector_bytes};
    int status = 0;
    *hole = true;
    while (status == 0 && *hole && run.first_sector * sector_bytes < end) {
        status = cow_image_next_run(v->scan->img, run.first_sector, &run, err);
        if (run.sectors == 0) {
            break;
        }
        *hole = run.origin != COW_ORIGIN_BACKING && run.origin != COW_ORIGIN_COW;
        run.first_sector += run.sectors;
    }
    return status;
}

/* The table is where a table can be. */
static errcode_t check_inode_tables(ext2_filsys fs, dgrp_t group)
{
    const uint64_t first = ext2fs_inode_table_loc(fs, group), blocks = ext2fs_blocks_count(fs->super);
    return first == 0 ? EXT2_ET_MISSING_INODE_TABLE
           : first < fs->super->s_first_data_block || first >= blocks ||
                   fs->inode_blocks_per_group > blocks - first
               ? EXT2_ET_GDESC_BAD_INODE_TABLE
               : 0;
}

/* The inodes of some blocks of a table. What cannot be in use is passed over before it is decoded. */
static int walk_inode_blocks(struct volume_scan *v, uint32_t first_inode, const uint8_t *bytes,
                             uint32_t inodes, struct cow_error *err)
{
    static const uint8_t nothing[2];
    const size_t size = EXT2_INODE_SIZE(v->fs->super);
    int status = 0;
    for (uint32_t i = 0; i < inodes && status == 0; i++, bytes += size) {
        const uint32_t inode = first_inode + i;
        struct ext2_inode_large content;
        if (inode >= EXT2_FIRST_INO(v->fs->super) &&
            memcmp(bytes + offsetof(struct ext2_inode, i_mode), nothing, sizeof nothing) == 0) {
            continue;
        }
        inode_decode(&content, v->fs, bytes);
        status = take_inode(v, inode, &content, err);
    }
    return status;
}

/* By blocks, and not by the library's own scan, which copies each inode twice and asks for each where it is.
 */
static int walk_group(struct volume_scan *v, dgrp_t group, uint8_t *buffer, struct cow_error *err)
{
    ext2_filsys fs = v->fs;
    const uint32_t inodes = scan_inodes_of_group(fs, group);
    const uint32_t first_inode = group * fs->super->s_inodes_per_group + 1;
    const uint32_t per_read = (uint32_t)(SCAN_BLOCKS * fs->blocksize / EXT2_INODE_SIZE(fs->super));
    bool skip;
    int status = group_is_unused(v, group, buffer, &skip, err);
    if (status == 0 && !skip) {
        status = table_is_hole(v, group, inodes, &skip, err);
    }
    if (status != 0 || skip || inodes == 0) {
        return status;
    }
    errcode_t code = check_inode_tables(fs, group);
    uint64_t block = ext2fs_inode_table_loc(fs, group);
    for (uint32_t done = 0; done < inodes && code == 0 && status == 0; done += per_read) {
        const uint32_t n = (uint32_t)arith_min(inodes - done, per_read);
        const uint64_t blocks = arith_div_up((uint64_t)n * EXT2_INODE_SIZE(fs->super), fs->blocksize);
        code = io_channel_read_blk64(fs->io, block, (int)blocks, buffer);
        block += blocks;
        if (code == 0) {
            status = walk_inode_blocks(v, first_inode + done, buffer, n, err);
        }
    }
    return status != 0 ? status : scan_damage(v, code, 0, err);
}

int inodes_walk(struct volume_scan *v, struct cow_error *err)
{
    uint8_t *buffer = malloc((size_t)SCAN_BLOCKS * v->fs->blocksize);
    if (buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = 0;
    for (dgrp_t group = 0; group < v->fs->group_desc_count && status == 0; group++) {
        status = walk_group(v, group, buffer, err);
        if (status == 0) {
            status = scan_tell(v->scan, "reading inodes",
                               (uint64_t)v->fs->inode_blocks_per_group * v->fs->blocksize, err);
        }
    }
    free(buffer);
    const bool twice = owners_sort(&v->owners) && ext2fs_has_feature_shared_blocks(v->fs->super) == 0;
    return status == 0 && twice ? scan_damage(v, EXT2_ET_CANCEL_REQUESTED, 0, err) : status;
}
