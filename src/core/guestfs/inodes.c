/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which inodes differ. That is told by the inode table blocks that are in the COW: an inode in any other
 * block is the same on both sides.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/guestfs/fs_scan.h"

enum {
    CRTIME_END = 148,  /* bytes of an inode up to the end of i_crtime_extra */
    TABLE_BLOCKS = 16, /* of an inode table, compared at once */
    TABLE_GAP_BLOCKS = 4,
};

void inode_decode(struct ext2_inode_large *out, ext2_filsys fs, const uint8_t *bytes)
{
    const size_t size = (size_t)arith_min((uint64_t)EXT2_INODE_SIZE(fs->super), sizeof *out);
    memset(out, 0, sizeof *out);
    memcpy(out, bytes, size);
#ifdef WORDS_BIGENDIAN
    struct ext2_inode_large raw = *out;
    ext2fs_swap_inode_full(fs, out, &raw, 0, (int)size);
#endif
}

static bool has_crtime(ext2_filsys fs, const struct ext2_inode_large *content)
{
    return EXT2_INODE_SIZE(fs->super) >= CRTIME_END &&
           content->i_extra_isize + EXT2_GOOD_OLD_INODE_SIZE >= CRTIME_END;
}

/* The same file, and not another one that got the number of a removed one. */
static bool same_file_as(ext2_filsys fs, const struct ext2_inode_large *a, const struct ext2_inode_large *b)
{
    return (a->i_mode & LINUX_S_IFMT) == (b->i_mode & LINUX_S_IFMT) && a->i_generation == b->i_generation &&
           (!has_crtime(fs, a) || !has_crtime(fs, b) ||
            (a->i_crtime == b->i_crtime && a->i_crtime_extra == b->i_crtime_extra));
}

static bool other_dates(ext2_filsys fs, const struct ext2_inode_large *a, const struct ext2_inode_large *b)
{
    const bool extra = has_crtime(fs, a) && has_crtime(fs, b);
    return a->i_mtime != b->i_mtime || a->i_ctime != b->i_ctime ||
           (extra && (a->i_mtime_extra != b->i_mtime_extra || a->i_ctime_extra != b->i_ctime_extra));
}

/* What chown, chmod, touch, ln, chattr and setfattr change. */
static bool other_metadata(ext2_filsys fs, const struct ext2_inode_large *a, const uint8_t *a_bytes,
                           const struct ext2_inode_large *b, const uint8_t *b_bytes)
{
    const size_t size = EXT2_INODE_SIZE(fs->super);
    const size_t body = (size_t)arith_min((uint64_t)EXT2_GOOD_OLD_INODE_SIZE + a->i_extra_isize, size);
    const uint32_t flags = EXT2_FL_USER_MODIFIABLE & ~(uint32_t)EXT4_EXTENTS_FL;
    return a->i_mode != b->i_mode || inode_uid(*a) != inode_uid(*b) || inode_gid(*a) != inode_gid(*b) ||
           a->i_links_count != b->i_links_count || ((a->i_flags ^ b->i_flags) & flags) != 0 ||
           a->i_file_acl != b->i_file_acl || other_dates(fs, a, b) ||
           (size > EXT2_GOOD_OLD_INODE_SIZE && (a->i_extra_isize != b->i_extra_isize ||
                                                memcmp(a_bytes + body, b_bytes + body, size - body) != 0));
}

/* One side's inode as bytes; in use or not. */
struct one {
    ext2_filsys fs; /* NULL: there is none */
    const uint8_t *bytes;
    bool in_table; /* behind what the group says is in use lies old data */
};

static bool take_one(const struct one *one, uint32_t inode, struct ext2_inode_large *out)
{
    if (one->fs == NULL || !one->in_table) {
        return false;
    }
    inode_decode(out, one->fs, one->bytes);
    return inode_in_use(one->fs, inode, out);
}

static bool compare_one(struct volume_scan *v, uint32_t inode, const struct one *guest,
                        const struct one *base)
{
    struct ext2_inode_large after = {.i_mode = 0}, before = {.i_mode = 0};
    const bool used_after = take_one(guest, inode, &after), used_before = take_one(base, inode, &before);
    if (inode_is_reserved(v->fs, inode) || (!used_after && !used_before)) {
        return true;
    }
    struct node *node = nodes_get(&v->nodes, inode);
    if (node == NULL) {
        return false;
    }
    node->looked = true;
    node->after = used_after;
    node->before = used_before;
    node->type = (uint8_t)inode_type(used_after ? after.i_mode : before.i_mode);
    node->type_before = (uint8_t)inode_type(before.i_mode);
    node->size = EXT2_I_SIZE(&after);
    node->size_before = EXT2_I_SIZE(&before);
    node->attributes = ext2fs_file_acl_block(v->fs, (struct ext2_inode *)(void *)&after) != 0;
    node->same = used_after && used_before && same_file_as(v->fs, &after, &before);
    if (node->same) {
        node->unsure = after.i_generation == 0;
        node->other_mtime = after.i_mtime != before.i_mtime;
        node->other_metadata = other_metadata(v->fs, &after, guest->bytes, &before, base->bytes);
        node->other_content = node->size != node->size_before ||
                              (node->type == COW_FS_SPECIAL &&
                               memcmp(after.i_block, before.i_block, sizeof after.i_block) != 0);
        const bool other_blocks = memcmp(after.i_block, before.i_block, sizeof after.i_block) != 0;
        node->other_map = other_blocks || ((after.i_flags | before.i_flags) & EXT4_INLINE_DATA_FL) != 0 ||
                          ((after.i_flags ^ before.i_flags) & EXT4_EXTENTS_FL) != 0;
        node->other_inode = node->other_metadata || node->other_content || other_blocks;
    }
    return true;
}

int inodes_look(struct volume_scan *v, struct node *node, struct cow_error *err)
{
    const int size = EXT2_INODE_SIZE(v->fs->super);
    uint8_t *bytes = node->looked ? NULL : calloc(2, (size_t)size);
    if (node->looked) {
        return 0;
    }
    if (bytes == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    struct one guest = {v->fs, bytes, true}, base = {v->base, bytes + size, true};
    errcode_t code = source_read_inode(v->fs, node->inode, bytes, size);
    guest.in_table = code == 0;
    if (v->base != NULL && node->inode <= v->base->super->s_inodes_count) {
        code = source_read_inode(v->base, node->inode, bytes + size, size);
        base.in_table = code == 0;
    } else {
        base.fs = NULL;
    }
    const bool done = compare_one(v, node->inode, &guest, &base);
    node->looked = true;
    free(bytes);
    return done ? 0 : cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

/* Both sides of some blocks of a group's inode table. */
struct table_piece {
    dgrp_t group;
    uint64_t first_block, blocks; /* within the table */
    uint8_t *guest, *base;
};

static int compare_piece(struct volume_scan *v, const struct table_piece *piece, struct cow_error *err)
{
    const uint64_t block_bytes = v->fs->blocksize, size = EXT2_INODE_SIZE(v->fs->super);
    const uint64_t per_group = v->fs->super->s_inodes_per_group;
    const bool in_base = v->base != NULL && piece->group < v->base->group_desc_count;
    const uint32_t used = scan_inodes_of_group(v->fs, piece->group);
    const uint32_t used_base = in_base ? scan_inodes_of_group(v->base, piece->group) : 0;
    for (uint64_t at = 0; at + size <= piece->blocks * block_bytes; at += size) {
        const uint64_t index = (piece->first_block * block_bytes + at) / size;
        const uint64_t inode = piece->group * per_group + index + 1;
        const bool differ = !in_base || (index < used) != (index < used_base) ||
                            memcmp(piece->guest + at, piece->base + at, (size_t)size) != 0;
        if (index >= per_group || inode > v->fs->super->s_inodes_count || !differ) {
            continue;
        }
        const struct one guest = {v->fs, piece->guest + at, index < used};
        const struct one base = {in_base ? v->base : NULL, piece->base + at, index < used_base};
        if (!compare_one(v, (uint32_t)inode, &guest, &base)) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
    }
    return 0;
}

static int read_table_piece(const struct source *source, ext2_filsys fs, const struct table_piece *piece,
                            uint8_t *buffer, struct cow_error *err)
{
    return source_read(source,
                       (ext2fs_inode_table_loc(fs, piece->group) + piece->first_block) * fs->blocksize,
                       buffer, (size_t)piece->blocks * fs->blocksize, err);
}

static int read_both_tables(struct volume_scan *v, const struct table_piece *piece, struct cow_error *err)
{
    const struct volume_sources *source = &v->scan->fs->source[v->index];
    int status = read_table_piece(&source->guest, v->fs, piece, piece->guest, err);
    return status == 0 && v->base != NULL && piece->group < v->base->group_desc_count
               ? read_table_piece(&source->base, v->base, piece, piece->base, err)
               : status;
}

/* A table that lies elsewhere, or that was partly in use only, is compared as a whole. */
static bool whole_table(const struct volume_scan *v, dgrp_t group)
{
    return v->base == NULL || group >= v->base->group_desc_count ||
           ext2fs_inode_table_loc(v->fs, group) != ext2fs_inode_table_loc(v->base, group) ||
           scan_inodes_of_group(v->fs, group) != scan_inodes_of_group(v->base, group);
}

/* The next blocks of the disk from `block` on that lie in the COW, or in part; *end is UINT64_MAX: none. */
static int next_dirty_run(struct volume_scan *v, uint64_t *block, uint64_t *end, struct cow_error *err)
{
    const struct source *source = &v->scan->fs->source[v->index].guest;
    const uint64_t sector_bytes = cow_image_header(v->scan->img)->sector_bytes,
                   block_bytes = v->fs->blocksize;
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(v->scan->img,
                                      (source->first_byte + *block * block_bytes) / sector_bytes, &run, err);
    if (status != 0 || run.sectors == 0) {
        *block = *end = UINT64_MAX;
        return status;
    }
    const uint64_t first = arith_sub_floor(run.first_sector * sector_bytes, source->first_byte);
    const uint64_t past = (run.first_sector + run.sectors) * sector_bytes - source->first_byte;
    *block = arith_max(first / block_bytes, *block);
    *end = arith_max(arith_div_up(past, block_bytes), *block + 1);
    return 0;
}

/* The same, with those that follow so soon that reading what lies between costs less than another call. */
static int next_dirty_blocks(struct volume_scan *v, uint64_t *block, uint64_t *end, struct cow_error *err)
{
    int status = next_dirty_run(v, block, end, err);
    while (status == 0 && *end != UINT64_MAX && *end - *block < TABLE_BLOCKS) {
        uint64_t next = *end, next_end;
        status = next_dirty_run(v, &next, &next_end, err);
        if (status != 0 || next - *end > TABLE_GAP_BLOCKS) {
            break;
        }
        *end = next_end;
    }
    return status;
}

static int compare_group(struct volume_scan *v, struct table_piece *piece, struct cow_error *err)
{
    const uint64_t table = ext2fs_inode_table_loc(v->fs, piece->group);
    const bool whole = whole_table(v, piece->group);
    const uint64_t inodes = arith_max(scan_inodes_of_group(v->fs, piece->group),
                                      v->base != NULL && piece->group < v->base->group_desc_count
                                          ? scan_inodes_of_group(v->base, piece->group)
                                          : 0);
    const uint64_t blocks = arith_min(arith_div_up(inodes * EXT2_INODE_SIZE(v->fs->super), v->fs->blocksize),
                                      v->fs->inode_blocks_per_group);
    int status = 0;
    for (uint64_t block = table; block < table + blocks && status == 0; block += piece->blocks) {
        uint64_t end = table + blocks;
        if (!whole) {
            status = next_dirty_blocks(v, &block, &end, err);
        }
        if (status != 0 || block >= table + blocks) {
            return status;
        }
        piece->first_block = block - table;
        piece->blocks = arith_min(arith_min(end, table + blocks) - block, TABLE_BLOCKS);
        status = read_both_tables(v, piece, err);
        if (status == 0) {
            status = compare_piece(v, piece, err);
        }
    }
    return status;
}

int inodes_compare(struct volume_scan *v, struct cow_error *err)
{
    const size_t piece_bytes = (size_t)TABLE_BLOCKS * v->fs->blocksize;
    uint8_t *buffer = calloc(2, piece_bytes);
    if (buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = 0;
    for (dgrp_t group = 0; v->base != NULL && group < v->fs->group_desc_count && status == 0; group++) {
        struct table_piece piece = {.group = group, .guest = buffer, .base = buffer + piece_bytes};
        status = compare_group(v, &piece, err);
    }
    free(buffer);
    return status;
}
