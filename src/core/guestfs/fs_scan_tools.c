/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all parts of a scan use: progress, damage, what is in the COW, and what an inode is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/base/arith.h"
#include "core/guestfs/fs_scan.h"

int scan_tell(struct cow_fs_scan *scan, const char *phase, uint64_t bytes, struct cow_error *err)
{
    scan->done_bytes += bytes;
    const struct cow_progress progress = {.phase = phase,
                                          .done_bytes = arith_min(scan->done_bytes, scan->total_bytes),
                                          .total_bytes = arith_max(scan->total_bytes, 1),
                                          .can_cancel = true};
    return scan->env != NULL && scan->env->progress != NULL &&
                   scan->env->progress(scan->env->context, &progress)
               ? cow_error_set(err, COW_CANCELLED, "cancelled")
               : 0;
}

int scan_damage(struct volume_scan *v, errcode_t code, uint32_t inode, struct cow_error *err)
{
    char volume[32] = "", place[32] = "";
    if (code == 0) {
        return 0;
    }
    if (code == EXT2_ET_NO_MEMORY || code == EIO) {
        return guestfs_failed(err, code, v->scan->fs, "the guest's filesystem");
    }
    if (v->scan->damage[0] == '\0') {
        if (v->scan->n_volumes > 1) {
            snprintf(volume, sizeof volume, "partition %u: ", v->scan->fs->volume[v->index].partition);
        }
        if (inode != 0) {
            snprintf(place, sizeof place, "inode %" PRIu32 ": ", inode);
        }
        snprintf(v->scan->damage, sizeof v->scan->damage, "%s%s%s", volume, place,
                 code == EXT2_ET_CANCEL_REQUESTED ? "blocks are claimed more than once"
                                                  : source_error_text(code));
    }
    return 0;
}

/* Most of what is asked for lies between two dirty runs, and what is asked next not far from it. */
static int is_clean(struct volume_scan *v, uint64_t first, uint64_t end, bool *clean, struct cow_error *err)
{
    struct cow_dirty_run run;
    int status = 0;
    if (first < v->clean_first || first >= v->clean_end) {
        status = cow_image_next_dirty(v->scan->img, first, &run, err);
        if (status == 0) {
            v->clean_first = first;
            v->clean_end = run.sectors > 0 ? run.first_sector : UINT64_MAX;
        }
    }
    *clean = status == 0 && end <= v->clean_end;
    return status;
}

int scan_dirty_bytes(struct volume_scan *v, uint64_t first_block, uint64_t count, uint64_t *bytes,
                     struct cow_error *err)
{
    const struct source *source = &v->scan->fs->source[v->index].guest;
    const uint64_t sector_bytes = cow_image_header(v->scan->img)->sector_bytes;
    const uint64_t begin = source->first_byte + first_block * v->fs->blocksize;
    const uint64_t first = begin / sector_bytes;
    const uint64_t end = arith_div_up(begin + count * v->fs->blocksize, sector_bytes);
    struct cow_density density;
    bool clean;
    int status = is_clean(v, first, end, &clean, err);
    *bytes = 0;
    if (status == 0 && !clean) {
        status = cow_image_density(v->scan->img, first, end - first, &density, err);
        *bytes = status == 0 ? density.dirty_sectors * sector_bytes : 0;
    }
    return status;
}

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
        return inode < EXT2_FIRST_INO(fs->super) && inode != EXT2_ROOT_INO && content->i_blocks != 0;
    }
    return true; /* i_dtime may be a link in the list of files that a crash left half truncated */
}

bool inode_is_reserved(ext2_filsys fs, uint32_t inode)
{
    return (inode < EXT2_FIRST_INO(fs->super) && inode != EXT2_ROOT_INO) ||
           inode == fs->super->s_orphan_file_inum || inode == fs->super->s_prj_quota_inum;
}

uint32_t scan_inodes_of_group(ext2_filsys fs, dgrp_t group)
{
    const uint32_t all = fs->super->s_inodes_per_group;
    if (ext2fs_has_group_desc_csum(fs) == 0) {
        return all;
    }
    if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT) != 0) {
        return 0;
    }
    return (uint32_t)arith_sub_floor(all, ext2fs_bg_itable_unused(fs, group));
}
