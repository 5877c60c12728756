/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a guest reads in one piece. Linux reads a file by pages of 4 KiB of the file; blocks of such a page
 * that lie one behind the other on the disk are one piece of a request, wherever on the disk they begin. All
 * else it reads by blocks. (Measured with Linux 6.1.)
 */
#include "core/guestfs/fs_scan.h"

enum { PAGE_BYTES = 4096 };

static bool reads_across(const struct cow_volume *volume)
{
    return volume->readable && volume->block_bytes < PAGE_BYTES &&
           volume->first_byte % volume->block_bytes == 0;
}

bool cow_fs_reads_across(const struct cow_fs *fs)
{
    for (size_t i = 0; i < fs->n_volumes; i++) {
        if (reads_across(&fs->volume[i])) {
            return true;
        }
    }
    return false;
}

static bool within_page_of_file(const struct volume_scan *v, uint64_t block)
{
    const uint64_t blocks = ext2fs_blocks_count(v->fs->super);
    uint64_t end;
    if (block >= blocks || owners_find(&v->groups, block, blocks, &end) != NULL) {
        return false;
    }
    const struct owned *owned = owners_find(&v->owners, block, blocks, &end);
    return owned != NULL && owned->in_file && owned->fs_class == COW_FS_FILE && block > owned->block &&
           (owned->first + (block - owned->block)) * v->fs->blocksize % PAGE_BYTES != 0;
}

bool cow_fs_read_at_once(const struct cow_fs_scan *scan, uint64_t offset_bytes)
{
    for (size_t i = 0; i < scan->n_volumes; i++) {
        const struct cow_volume *volume = &scan->fs->volume[i];
        if (offset_bytes > volume->first_byte && offset_bytes - volume->first_byte < volume->size_bytes) {
            return scan->volume[i].fs != NULL && reads_across(volume) &&
                   within_page_of_file(&scan->volume[i],
                                       (offset_bytes - volume->first_byte) / volume->block_bytes);
        }
    }
    return false;
}
