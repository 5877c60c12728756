/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A scan from its beginning to its end, volume by volume. See fs_scan.h for the order of the work.
 */
#include "core/guestfs/fs_scan.h"

#include <stdlib.h>

#include "core/base/arith.h"

enum { ALL_NAMES_MAX = 200 * 1000 }; /* inodes; of larger filesystems only what differs is remembered */

const char *cow_fs_scan_damage(const struct cow_fs_scan *scan)
{
    return scan->damage;
}

static int begin_volume(struct volume_scan *v, struct cow_error *err)
{
    const struct ext2_super_block *super = v->fs->super;
    v->complete = v->scan->look_around;
    v->all_names = v->scan->look_around && !v->scan->owners_only &&
                   arith_sub_floor(super->s_inodes_count, super->s_free_inodes_count) <= ALL_NAMES_MAX;
    v->budget = 4 * ext2fs_blocks_count(v->fs->super) + 4 * (uint64_t)super->s_inodes_count + 65536;
    if (!owners_add_groups(&v->groups, v->fs)) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    v->fs->default_bitmap_type = EXT2FS_BMAP64_RBTREE; /* by runs, and not a bit for each block of the disk */
    errcode_t code = v->fs->block_map == NULL ? ext2fs_read_block_bitmap(v->fs) : 0;
    if (code != 0) {
        v->fs->block_map = NULL;
    }
    int status = scan_damage(v, code, 0, err);
    if (status == 0) {
        status = inodes_compare(v, err);
    }
    return status == 0 ? inodes_walk(v, err) : status;
}

/* For the time of the scan. */
static bool begin_caches(struct cow_fs_scan *scan)
{
    bool begun = true;
    for (size_t i = 0; i < scan->n_volumes && begun; i++) {
        const struct guest_volume *inner = &scan->fs->inner[i];
        struct volume_sources *source = &scan->fs->source[i];
        begun = (inner->fs == NULL || source_cache_begin(&source->guest, inner->fs->blocksize)) &&
                (inner->base_fs == NULL || source_cache_begin(&source->base, inner->base_fs->blocksize));
    }
    return begun;
}

static void end_caches(struct cow_fs_scan *scan)
{
    for (size_t i = 0; i < scan->n_volumes; i++) {
        source_cache_end(&scan->fs->source[i].guest);
        source_cache_end(&scan->fs->source[i].base);
    }
}

static int scan_volumes(struct cow_fs_scan *scan, struct cow_error *err)
{
    int status = 0;
    for (size_t i = 0; i < scan->n_volumes && status == 0; i++) {
        if (scan->volume[i].fs != NULL) {
            status = begin_volume(&scan->volume[i], err);
        }
    }
    if (status == 0) {
        status = scan_account(scan, err);
    }
    for (size_t i = 0; i < scan->n_volumes && status == 0; i++) {
        if (scan->volume[i].fs != NULL) {
            status = names_read(&scan->volume[i], err);
        }
        if (status == 0 && scan->volume[i].fs != NULL && !scan->owners_only) {
            status = changes_list(&scan->volume[i], err);
        }
    }
    return status;
}

int cow_fs_scan(struct cow_fs_scan **out, struct cow_fs *fs, const struct cow_fs_scan_options *opt,
                struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    struct cow_fs_scan *scan = calloc(1, sizeof *scan);
    if (scan != NULL) {
        scan->volume = calloc(fs->n_volumes > 0 ? fs->n_volumes : 1, sizeof *scan->volume);
    }
    if (scan == NULL || scan->volume == NULL) {
        cow_fs_scan_free(scan);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    scan->fs = fs;
    scan->img = fs->img;
    scan->env = opt != NULL ? opt->env : NULL;
    scan->keep_offset = opt != NULL && opt->keep ? opt->keep_offset : UINT64_MAX;
    scan->look_around = opt != NULL && opt->look_around;
    scan->owners_only = opt != NULL && opt->owners_only;
    scan->n_volumes = fs->n_volumes;
    for (size_t i = 0; i < fs->n_volumes; i++) {
        struct volume_scan *v = &scan->volume[i];
        *v = (struct volume_scan){.scan = scan,
                                  .index = (int)i,
                                  .fs = fs->inner[i].fs,
                                  .base = scan->owners_only ? NULL : fs->inner[i].base_fs};
        if (v->fs != NULL) {
            scan->total_bytes +=
                (uint64_t)v->fs->inode_blocks_per_group * v->fs->blocksize * v->fs->group_desc_count;
        }
    }
    int status =
        begin_caches(scan) ? scan_volumes(scan, err) : cow_error_set(err, COW_NO_MEMORY, "out of memory");
    end_caches(scan);
    status = source_settle(&fs->failure, status, err);
    scan->env = NULL; /* it is the caller's of this moment */
    if (status != 0) {
        cow_fs_scan_free(scan);
        return status;
    }
    *out = scan;
    return 0;
}

void cow_fs_scan_free(struct cow_fs_scan *scan)
{
    if (scan == NULL) {
        return;
    }
    for (size_t i = 0; scan->volume != NULL && i < scan->n_volumes; i++) {
        owners_free(&scan->volume[i].groups);
        owners_free(&scan->volume[i].owners);
        nodes_free(&scan->volume[i].nodes);
    }
    for (size_t i = 0; i < scan->n_kept; i++) {
        free(scan->kept[i]);
    }
    free(scan->kept);
    free(scan->file);
    free(scan->path);
    free(scan->volume);
    free(scan);
}

const struct cow_fs_file *cow_fs_files(const struct cow_fs_scan *scan, size_t *n_files)
{
    *n_files = scan->n_files;
    return scan->file;
}
