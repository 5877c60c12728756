/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See extents.h. In a sound tree what is read next begins behind what was read before. Holding on to that
 * makes every walk end: no node can be passed twice.
 */
#include "core/guestfs/extents.h"

#include <string.h>

#include <ext2fs/ext3_extents.h>

enum {
    JOINED_MAX = 1 << 30, /* blocks */
    ROOT_EXTENTS = 4,     /* that an inode holds */
};

struct walk {
    ext2_filsys fs;
    uint64_t *budget;
    errcode_t (*each)(void *context, const struct extent_piece *piece);
    void *context;
    errcode_t answer;
    bool outside;               /* a piece lay outside of the filesystem */
    struct extent_piece joined; /* of single blocks, not handed out yet */
};

static bool is_inside(const struct walk *walk, uint64_t block, uint64_t count)
{
    const uint64_t blocks = ext2fs_blocks_count(walk->fs->super);
    return block >= walk->fs->super->s_first_data_block && block < blocks && count <= blocks - block;
}

static errcode_t hand_out(struct walk *walk, const struct extent_piece *piece)
{
    if (!is_inside(walk, piece->block, piece->count)) {
        walk->outside = true;
        return 0;
    }
    return walk->each(walk->context, piece);
}

static errcode_t spend(struct walk *walk)
{
    if (*walk->budget == 0) {
        return EXT2_ET_CANCEL_REQUESTED;
    }
    --*walk->budget;
    return 0;
}

/* Most files have a few extents, in the inode itself: no need to have a cursor made for those. Answers false
 * where it is not like that. */
static bool walk_root(struct walk *walk, const struct ext2_inode_large *content, errcode_t *code)
{
    struct ext3_extent_header header;
    struct ext3_extent extent[ROOT_EXTENTS];
    uint64_t next = 0;
    memcpy(&header, content->i_block, sizeof header);
    memcpy(extent, (const uint8_t *)content->i_block + sizeof header, sizeof extent);
    const unsigned n = ext2fs_le16_to_cpu(header.eh_entries);
    if (ext2fs_le16_to_cpu(header.eh_magic) != EXT3_EXT_MAGIC || header.eh_depth != 0 || n > ROOT_EXTENTS) {
        return false;
    }
    *code = 0;
    for (unsigned i = 0; i < n && *code == 0; i++) {
        const unsigned length = ext2fs_le16_to_cpu(extent[i].ee_len);
        const bool unwritten = length > EXT_INIT_MAX_LEN;
        const struct extent_piece piece = {.block = (uint64_t)ext2fs_le16_to_cpu(extent[i].ee_start_hi)
                                                        << 32 |
                                                    ext2fs_le32_to_cpu(extent[i].ee_start),
                                           .first = ext2fs_le32_to_cpu(extent[i].ee_block),
                                           .count = unwritten ? length - EXT_INIT_MAX_LEN : length,
                                           .unwritten = unwritten};
        *code = piece.count == 0 || piece.first < next ? EXT2_ET_EXTENT_INVALID_LENGTH : spend(walk);
        next = piece.first + piece.count;
        if (*code == 0) {
            *code = hand_out(walk, &piece);
        }
    }
    return true;
}

static errcode_t walk_tree(struct walk *walk, ext2_ino_t inode, struct ext2_inode_large *content)
{
    ext2_extent_handle_t handle;
    struct ext2fs_extent extent;
    uint64_t next = 0, next_node = 0;
    errcode_t code;
    if (walk_root(walk, content, &code)) {
        return code;
    }
    code = ext2fs_extent_open2(walk->fs, inode, (struct ext2_inode *)(void *)content, &handle);
    if (code != 0) {
        return code;
    }
    for (int step = EXT2_EXTENT_ROOT; code == 0; step = EXT2_EXTENT_NEXT) {
        code = ext2fs_extent_get(handle, step, &extent);
        if (code == 0) {
            code = spend(walk);
        }
        if (code != 0 || (extent.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT) != 0) {
            continue;
        }
        const bool leaf = (extent.e_flags & EXT2_EXTENT_FLAGS_LEAF) != 0;
        if (extent.e_lblk < (leaf ? next : next_node)) {
            code = EXT2_ET_EXTENT_INVALID_LENGTH;
            continue;
        }
        const struct extent_piece piece = {.block = extent.e_pblk,
                                           .first = extent.e_lblk,
                                           .count = leaf ? extent.e_len : 1,
                                           .mapping = !leaf,
                                           .unwritten =
                                               leaf && (extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT) != 0};
        next = leaf ? extent.e_lblk + extent.e_len : next;
        next_node = extent.e_lblk;
        code = hand_out(walk, &piece);
    }
    ext2fs_extent_free(handle);
    return code == EXT2_ET_EXTENT_NO_NEXT || code == EXT2_ET_NO_CURRENT_NODE ? 0 : code;
}

static errcode_t flush_joined(struct walk *walk)
{
    struct extent_piece piece = walk->joined;
    walk->joined.count = 0;
    return piece.count > 0 ? hand_out(walk, &piece) : 0;
}

static int take_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t number, blk64_t reference, int at,
                      void *context)
{
    struct walk *walk = context;
    struct extent_piece *joined = &walk->joined;
    (void)fs;
    (void)reference;
    (void)at;
    walk->answer = spend(walk);
    if (walk->answer != 0) {
        return BLOCK_ABORT;
    }
    if (number >= 0 && joined->count > 0 && joined->count < JOINED_MAX &&
        *block == joined->block + joined->count && (uint64_t)number == joined->first + joined->count) {
        joined->count++;
        return 0;
    }
    walk->answer = flush_joined(walk);
    if (walk->answer == 0 && number >= 0) {
        *joined = (struct extent_piece){.block = *block, .first = (uint64_t)number, .count = 1};
    } else if (walk->answer == 0) {
        const struct extent_piece node = {.block = *block, .count = 1, .mapping = true};
        walk->answer = hand_out(walk, &node);
        if (walk->outside) { /* libext2fs would read it next */
            walk->answer = EXT2_ET_BAD_BLOCK_NUM;
        }
    }
    return walk->answer != 0 ? BLOCK_ABORT : 0;
}

static errcode_t walk_block_map(struct walk *walk, ext2_ino_t inode)
{
    errcode_t code = ext2fs_block_iterate3(walk->fs, inode, BLOCK_FLAG_READ_ONLY, NULL, take_block, walk);
    if (walk->answer == 0) {
        walk->answer = flush_joined(walk);
    }
    return walk->answer != 0 ? walk->answer : code;
}

errcode_t extents_walk(ext2_filsys fs, ext2_ino_t inode, struct ext2_inode_large *content, uint64_t *budget,
                       errcode_t (*each)(void *context, const struct extent_piece *piece), void *context)
{
    struct walk walk = {.fs = fs, .budget = budget, .each = each, .context = context};
    if (ext2fs_inode_has_valid_blocks2(fs, (struct ext2_inode *)(void *)content) == 0) {
        return 0;
    }
    errcode_t code = (content->i_flags & EXT4_EXTENTS_FL) != 0 ? walk_tree(&walk, inode, content)
                                                               : walk_block_map(&walk, inode);
    return code != 0 ? code : walk.outside ? EXT2_ET_BAD_BLOCK_NUM : 0;
}
