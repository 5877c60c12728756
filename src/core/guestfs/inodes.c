/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inodes. Which of them differ is told by the inode table blocks that are in the COW: an inode in any other
 * block is the same on both sides. Who owns a block is told by all inodes in use; tables that are holes are
 * not read.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/guestfs/reader.h"
#include "core/guestfs/scan.h"

enum {
    OWNED_MAX = 512 * 1024, /* stretches; with more of them only those that are in the COW are kept */
    CRTIME_END = 148,       /* bytes of an inode up to the end of i_crtime_extra */
    ROOT = EXT2_ROOT_INO,
    SCAN_BLOCKS = 32, /* of an inode table, read at once */
};

enum cow_fs_type inode_type(uint16_t mode)
{
    return LINUX_S_ISREG(mode)   ? COW_FS_REGULAR
           : LINUX_S_ISDIR(mode) ? COW_FS_DIRECTORY_FILE
           : LINUX_S_ISLNK(mode) ? COW_FS_SYMBOLIC_LINK
                                 : COW_FS_SPECIAL;
}

bool inode_in_use(ext2_filsys fs, uint32_t inode, const struct ext2_inode_large *content)
{
    if (content->i_links_count == 0 || content->i_mode == 0) {
        return inode < EXT2_FIRST_INO(fs->super) && inode != ROOT && content->i_blocks != 0;
    }
    return content->i_dtime == 0;
}

/* Those that no directory names. */
static bool is_reserved(ext2_filsys fs, uint32_t inode)
{
    return (inode < EXT2_FIRST_INO(fs->super) && inode != ROOT) || inode == fs->super->s_orphan_file_inum ||
           inode == fs->super->s_prj_quota_inum;
}

static enum cow_fs_class class_of(ext2_filsys fs, uint32_t inode, const struct ext2_inode_large *content)
{
    if (inode == fs->super->s_journal_inum || inode == EXT2_JOURNAL_INO) {
        return COW_FS_JOURNAL;
    }
    if (inode == EXT2_RESIZE_INO) {
        return COW_FS_RESIZE_INODE;
    }
    if (is_reserved(fs, inode)) {
        return COW_FS_RESERVED;
    }
    if ((content->i_flags & EXT4_EA_INODE_FL) != 0) {
        return COW_FS_XATTR;
    }
    return LINUX_S_ISDIR(content->i_mode)   ? COW_FS_DIRECTORY
           : LINUX_S_ISLNK(content->i_mode) ? COW_FS_SYMLINK
                                            : COW_FS_FILE;
}

uint32_t scan_inodes_of_group(ext2_filsys fs, dgrp_t group)
{
    const uint32_t all = fs->super->s_inodes_per_group;
    if (!ext2fs_has_group_desc_csum(fs)) {
        return all;
    }
    if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT)) {
        return 0;
    }
    return (uint32_t)arith_sub_floor(all, ext2fs_bg_itable_unused(fs, group));
}

static void decode(struct ext2_inode_large *out, ext2_filsys fs, const uint8_t *bytes)
{
    const size_t size = (size_t)arith_min((uint64_t)EXT2_INODE_SIZE(fs->super), sizeof *out);
    memset(out, 0, sizeof *out);
    memcpy(out, bytes, size);
#ifdef WORDS_BIGENDIAN
    struct ext2_inode_large raw = *out;
    ext2fs_swap_inode_full(fs, out, &raw, 0, (int)size);
#endif
}

/* ---- comparing ---- */

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
    decode(out, one->fs, one->bytes);
    return inode_in_use(one->fs, inode, out);
}

static bool compare_one(struct volume_scan *v, uint32_t inode, const struct one *guest,
                        const struct one *base)
{
    struct ext2_inode_large after = {.i_mode = 0}, before = {.i_mode = 0};
    const bool used_after = take_one(guest, inode, &after), used_before = take_one(base, inode, &before);
    if (is_reserved(v->fs, inode) || (!used_after && !used_before)) {
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
    node->same = used_after && used_before && same_file_as(v->fs, &after, &before);
    if (node->same) {
        node->unsure = after.i_generation == 0;
        node->other_mtime = after.i_mtime != before.i_mtime;
        node->other_metadata = other_metadata(v->fs, &after, guest->bytes, &before, base->bytes);
        node->other_content = node->size != node->size_before ||
                              (node->type == COW_FS_SPECIAL &&
                               memcmp(after.i_block, before.i_block, sizeof after.i_block) != 0);
        node->other_inode = node->other_metadata || node->other_content ||
                            memcmp(after.i_block, before.i_block, sizeof after.i_block) != 0;
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
    errcode_t code = ext2fs_read_inode_full(v->fs, node->inode, (struct ext2_inode *)(void *)bytes, size);
    guest.in_table = code == 0;
    if (v->base != NULL && node->inode <= v->base->super->s_inodes_count) {
        code =
            ext2fs_read_inode_full(v->base, node->inode, (struct ext2_inode *)(void *)(bytes + size), size);
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
    uint64_t first_block; /* within the table */
    uint8_t *guest, *base;
};

static int compare_block(struct volume_scan *v, const struct table_piece *piece, struct cow_error *err)
{
    const uint64_t block_bytes = v->fs->blocksize, size = EXT2_INODE_SIZE(v->fs->super);
    const uint64_t per_group = v->fs->super->s_inodes_per_group;
    const bool in_base = v->base != NULL && piece->group < v->base->group_desc_count;
    const uint32_t used = scan_inodes_of_group(v->fs, piece->group);
    const uint32_t used_base = in_base ? scan_inodes_of_group(v->base, piece->group) : 0;
    for (uint64_t at = 0; at + size <= block_bytes; at += size) {
        const uint64_t index = (piece->first_block * block_bytes + at) / size;
        const uint64_t inode = piece->group * per_group + index + 1;
        const bool differ = !in_base || (index < used) != (index < used_base) ||
                            memcmp(piece->guest + at, piece->base + at, size) != 0;
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

static int read_table_block(struct volume_scan *v, const struct table_piece *piece, struct cow_error *err)
{
    const struct guest_volume *inner = &v->scan->fs->inner[v->index];
    const uint64_t block_bytes = v->fs->blocksize;
    int status = source_read(&inner->guest,
                             (ext2fs_inode_table_loc(v->fs, piece->group) + piece->first_block) * block_bytes,
                             piece->guest, (size_t)block_bytes, err);
    if (status == 0 && v->base != NULL && piece->group < v->base->group_desc_count) {
        status = source_read(
            &inner->base, (ext2fs_inode_table_loc(v->base, piece->group) + piece->first_block) * block_bytes,
            piece->base, (size_t)block_bytes, err);
    }
    return status;
}

/* A table that lies elsewhere, or that was partly in use only, is compared as a whole. */
static bool whole_table(const struct volume_scan *v, dgrp_t group)
{
    return v->base == NULL || group >= v->base->group_desc_count ||
           ext2fs_inode_table_loc(v->fs, group) != ext2fs_inode_table_loc(v->base, group) ||
           scan_inodes_of_group(v->fs, group) != scan_inodes_of_group(v->base, group);
}

/* Does the block of the disk, or a part of it, lie in the COW? *next: a block from which on it may be so. */
static int next_dirty_block(struct volume_scan *v, uint64_t block, uint64_t *next, struct cow_error *err)
{
    const struct source *source = &v->scan->fs->inner[v->index].guest;
    const uint64_t sector_bytes = v->scan->img->header.sector_bytes;
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(
        v->scan->img, (source->first_byte + block * v->fs->blocksize) / sector_bytes, &run, err);
    const uint64_t at = run.first_sector * sector_bytes;
    *next = status != 0 || run.sectors == 0 ? UINT64_MAX
            : at <= source->first_byte      ? block
                                            : arith_max((at - source->first_byte) / v->fs->blocksize, block);
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
    for (uint64_t block = 0; block < blocks && status == 0; block++) {
        uint64_t next = table + block;
        if (!whole) {
            status = next_dirty_block(v, table + block, &next, err);
        }
        if (status != 0 || next >= table + blocks) {
            return status;
        }
        block = next - table;
        piece->first_block = block;
        status = read_table_block(v, piece, err);
        if (status == 0 && (whole || memcmp(piece->guest, piece->base, v->fs->blocksize) != 0)) {
            status = compare_block(v, piece, err);
        }
    }
    return status;
}

int inodes_compare(struct volume_scan *v, struct cow_error *err)
{
    uint8_t *buffer = calloc(2, v->fs->blocksize);
    if (buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = 0;
    for (dgrp_t group = 0; v->base != NULL && group < v->fs->group_desc_count && status == 0; group++) {
        struct table_piece piece = {.group = group, .guest = buffer, .base = buffer + v->fs->blocksize};
        status = compare_group(v, &piece, err);
    }
    free(buffer);
    return status;
}

/* ---- owners ---- */

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
    const uint64_t first_byte = v->scan->fs->inner[v->index].guest.first_byte;
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

static errcode_t take_piece(void *context, const struct extent_piece *piece)
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
    if (attributes != 0 && attributes < ext2fs_blocks_count(v->fs->super) && !is_reserved(v->fs, inode)) {
        const struct owned owned = {
            .block = attributes, .count = 1, .inode = inode, .fs_class = COW_FS_XATTR};
        code = keep_owned(&walk, &owned);
    }
    if (code == 0) {
        code = extents_walk(v->fs, inode, content, &v->budget, take_piece, &walk);
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
    if (!is_reserved(v->fs, inode) && (directory || v->all_names || v->base == NULL)) {
        struct node *node = nodes_get(&v->nodes, inode);
        if (node == NULL) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        if (!node->looked) { /* what is not known to differ is the same on both sides */
            node->after = true;
            node->before = node->same = v->base != NULL;
            node->type = node->type_before = (uint8_t)inode_type(content->i_mode);
            node->size = node->size_before = EXT2_I_SIZE(content);
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
    if (!*unused || ext2fs_bg_flags_test(v->fs, group, EXT2_BG_INODE_UNINIT)) {
        return 0;
    }
    int status =
        source_read(&v->scan->fs->inner[v->index].guest,
                    ext2fs_inode_bitmap_loc(v->fs, group) * v->fs->blocksize, block, v->fs->blocksize, err);
    *unused = status == 0 && bytes_all_zero(block, per_group / 8);
    return status;
}

/* Whether nothing but holes lies where a group's inodes in use are. */
static int table_is_hole(struct volume_scan *v, dgrp_t group, uint64_t inodes, bool *hole,
                         struct cow_error *err)
{
    const struct source *source = &v->scan->fs->inner[v->index].guest;
    const uint64_t sector_bytes = v->scan->img->header.sector_bytes;
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

static int walk_group(struct volume_scan *v, ext2_inode_scan scan, dgrp_t group, uint8_t *block,
                      struct cow_error *err)
{
    const uint32_t inodes = scan_inodes_of_group(v->fs, group);
    bool skip;
    int status = group_is_unused(v, group, block, &skip, err);
    if (status == 0 && !skip) {
        status = table_is_hole(v, group, inodes, &skip, err);
    }
    if (status != 0 || skip || inodes == 0) {
        return status;
    }
    errcode_t code = ext2fs_inode_scan_goto_blockgroup(scan, (int)group);
    for (uint32_t i = 0; i < inodes && code == 0 && status == 0; i++) {
        struct ext2_inode_large content = {.i_mode = 0};
        ext2_ino_t inode = 0;
        code =
            ext2fs_get_next_inode_full(scan, &inode, (struct ext2_inode *)(void *)&content, sizeof content);
        if (code == EXT2_ET_BAD_BLOCK_IN_INODE_TABLE) {
            code = 0;
        } else if (code == 0 && inode == 0) {
            break;
        } else if (code == 0) {
            status = take_inode(v, inode, &content, err);
        }
    }
    return status != 0 ? status : scan_damage(v, code, 0, err);
}

int inodes_walk(struct volume_scan *v, struct cow_error *err)
{
    ext2_inode_scan scan;
    uint8_t *block = malloc(v->fs->blocksize);
    errcode_t code = block == NULL ? EXT2_ET_NO_MEMORY : ext2fs_open_inode_scan(v->fs, SCAN_BLOCKS, &scan);
    if (code != 0) {
        free(block);
        return scan_damage(v, code, 0, err);
    }
    int status = 0;
    for (dgrp_t group = 0; group < v->fs->group_desc_count && status == 0; group++) {
        status = walk_group(v, scan, group, block, err);
        if (status == 0) {
            status = scan_tell(v->scan, "reading inodes",
                               (uint64_t)v->fs->inode_blocks_per_group * v->fs->blocksize, err);
        }
    }
    ext2fs_close_inode_scan(scan);
    free(block);
    owners_sort(&v->owners);
    return status;
}
