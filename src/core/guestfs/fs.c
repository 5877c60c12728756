/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opens the filesystems of a disk: the guest's, and beside each what the backing file has in its place. What
 * a superblock says of its size is held against the volume before libext2fs allocates by it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/guestfs/guestfs.h"
#include "cow/text.h"

enum { SUPER_OFFSET = 1024, SUPER_BYTES = 1024 };

/* More descriptors than any filesystem of 8 TiB has. */
static const uint64_t descriptor_bytes_max = 128 * 1024 * 1024;

static uint64_t super_number(const uint8_t *bytes, unsigned offset, unsigned width_bytes)
{
    return bytes_get(bytes + offset, width_bytes, false);
}

int guestfs_failed(struct cow_error *err, errcode_t code, const struct cow_fs *fs, const char *what)
{
    if (code == EXT2_ET_NO_MEMORY) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    return cow_error_set(err, code > 0 && code < 4096 ? COW_IO : COW_INVALID, "%s: %s: %s",
                         cow_image_path(fs->img), what, source_error_text(code));
}

/* What libext2fs computes and allocates by, and does not check itself. Offsets: struct ext4_super_block in
 * the kernel's fs/ext4/ext4.h; the bounds are those of ext4_fill_super in fs/ext4/super.c. */
static bool geometry_is_sound(const uint8_t *super, uint64_t blocks, char *problem, size_t problem_bytes)
{
    const bool wide = super_number(super, 0x60, 4) & EXT4_FEATURE_INCOMPAT_64BIT;
    const bool clusters = super_number(super, 0x64, 4) & EXT4_FEATURE_RO_COMPAT_BIGALLOC;
    const uint64_t block_bytes = UINT64_C(1024) << super_number(super, 0x18, 4);
    const uint64_t first = super_number(super, 0x14, 4), blocks_per_group = super_number(super, 0x20, 4);
    const uint64_t inodes_per_group = super_number(super, 0x28, 4), inodes = super_number(super, 0x00, 4);
    const uint64_t descriptor_bytes = wide ? arith_max(super_number(super, 0xfe, 2), 32) : 32;
    if (blocks_per_group == 0 || first >= blocks || first != (block_bytes == 1024 && !clusters) ||
        inodes_per_group == 0 || inodes_per_group > 8 * block_bytes) {
        snprintf(problem, problem_bytes, "its superblock is corrupt");
        return false;
    }
    const uint64_t groups = arith_div_up(blocks - first, blocks_per_group);
    if (inodes != groups * inodes_per_group) {
        snprintf(problem, problem_bytes, "its superblock is corrupt: the numbers of inodes do not fit");
        return false;
    }
    if (groups > descriptor_bytes_max / descriptor_bytes) {
        snprintf(problem, problem_bytes, "its superblock tells of too many groups");
        return false;
    }
    return true;
}

/* problem is "" where libext2fs may open it. False: no ext superblock at all. */
static bool look_at_superblock(const struct source *source, unsigned partition, uint64_t *fs_bytes,
                               char *problem, size_t problem_bytes)
{
    uint8_t super[SUPER_BYTES];
    problem[0] = '\0';
    *fs_bytes = 0;
    if (source_read(source, SUPER_OFFSET, super, sizeof super, NULL) != 0 ||
        super_number(super, 0x38, 2) != EXT2_SUPER_MAGIC) {
        return false;
    }
    const bool wide = super_number(super, 0x60, 4) & EXT4_FEATURE_INCOMPAT_64BIT;
    const uint64_t shift = super_number(super, 0x18, 4);
    const uint64_t blocks = super_number(super, 0x04, 4) | (wide ? super_number(super, 0x150, 4) << 32 : 0);
    uint64_t bytes = 0;
    if (shift <= 6 && arith_mul(&bytes, blocks, UINT64_C(1024) << shift)) {
        *fs_bytes = bytes;
    }
    if (bytes == 0) {
        snprintf(problem, problem_bytes, "its superblock is corrupt");
    } else if (bytes > source->size_bytes) {
        cow_fs_larger_text(problem, problem_bytes, "it", partition, bytes, source->size_bytes);
    } else {
        geometry_is_sound(super, blocks, problem, problem_bytes);
    }
    return true;
}

static void take_facts(struct cow_volume *volume, ext2_filsys fs)
{
    const struct ext2_super_block *super = fs->super;
    const uint64_t blocks = ext2fs_blocks_count(fs->super);
    volume->readable = true;
    volume->block_bytes = fs->blocksize;
    volume->fs_bytes = blocks * fs->blocksize;
    volume->used_bytes = arith_sub_floor(blocks, ext2fs_free_blocks_count(fs->super)) * fs->blocksize;
    volume->minimum_bytes = minimum_blocks(fs) * fs->blocksize;
    volume->inodes = super->s_inodes_count;
    volume->used_inodes = arith_sub_floor(super->s_inodes_count, super->s_free_inodes_count);
    volume->needs_recovery = ext2fs_has_feature_journal_needs_recovery(fs->super);
    volume->has_errors = (super->s_state & EXT2_ERROR_FS) != 0;
    volume->clean = (super->s_state & EXT2_VALID_FS) != 0 && !volume->has_errors && !volume->needs_recovery &&
                    super->s_last_orphan == 0 && ext2fs_has_feature_orphan_present(fs->super) == 0;
}

/* Whether inode numbers mean the same places in both. */
static bool comparable(const struct ext2_super_block *a, const struct ext2_super_block *b)
{
    return a->s_log_block_size == b->s_log_block_size && a->s_first_data_block == b->s_first_data_block &&
           a->s_inodes_per_group == b->s_inodes_per_group && a->s_blocks_per_group == b->s_blocks_per_group &&
           EXT2_INODE_SIZE(a) == EXT2_INODE_SIZE(b);
}

static int open_volume(struct cow_fs *fs, size_t index, struct cow_error *err)
{
    struct cow_volume *volume = &fs->volume[index];
    struct guest_volume *inner = &fs->inner[index];
    const struct volume_sources *source = &fs->source[index];
    char problem[COW_MESSAGE_BYTES];
    uint64_t base_bytes;
    if (volume->type[0] != '\0' && strncmp(volume->type, "ext", 3) != 0) {
        return 0; /* a leftover superblock in something else */
    }
    if (!look_at_superblock(&source->guest, volume->partition, &volume->fs_bytes, volume->problem,
                            sizeof volume->problem) ||
        volume->problem[0] != '\0') {
        return 0;
    }
    errcode_t code = source_open(&inner->fs, &source->guest);
    if (code != 0) {
        inner->fs = NULL;
        snprintf(volume->problem, sizeof volume->problem, "%s", source_error_text(code));
        return code == EXT2_ET_NO_MEMORY ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    }
    if (volume->type[0] == '\0') { /* broken, or one of several: libblkid names none then */
        fs->ambiguous = true;
        snprintf(volume->type, sizeof volume->type, "ext2");
    }
    take_facts(volume, inner->fs);
    /* The backing file may be shorter, or hold something else: then everything is new. */
    if (look_at_superblock(&source->base, volume->partition, &base_bytes, problem, sizeof problem) &&
        problem[0] == '\0') {
        code = source_open(&inner->base_fs, &source->base);
        inner->base_fs = code == 0 ? inner->base_fs : NULL;
        if (code == EXT2_ET_NO_MEMORY) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
    }
    if (inner->base_fs != NULL && !comparable(inner->fs->super, inner->base_fs->super)) {
        ext2fs_free(inner->base_fs);
        inner->base_fs = NULL;
    }
    volume->compared = inner->base_fs != NULL;
    return 0;
}

int cow_fs_open(struct cow_fs **out, struct cow_image *img, struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    uint8_t nothing;
    int status = cow_image_read(img, 0, &nothing, 0, err);
    if (status == 0) { /* says what is wrong with the backing file, if it is */
        status = cow_image_read_file(img, COW_FILE_BACKING, 0, &nothing, 1, err);
    }
    if (status != 0) {
        return status;
    }
    struct cow_fs *fs = calloc(1, sizeof *fs);
    if (fs != NULL) {
        fs->img = img;
        fs->volume = calloc(COW_VOLUMES_MAX, sizeof *fs->volume);
        fs->source = calloc(COW_VOLUMES_MAX, sizeof *fs->source);
        fs->inner = calloc(COW_VOLUMES_MAX, sizeof *fs->inner);
    }
    if (fs == NULL || fs->volume == NULL || fs->source == NULL || fs->inner == NULL) {
        cow_fs_close(fs);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = volumes_find(fs, err);
    for (size_t i = 0; i < fs->n_volumes && status == 0; i++) {
        status = open_volume(fs, i, err);
    }
    status = source_settle(&fs->failure, status, err);
    if (status != 0) {
        cow_fs_close(fs);
        return status;
    }
    *out = fs;
    return 0;
}

void cow_fs_close(struct cow_fs *fs)
{
    if (fs == NULL) {
        return;
    }
    for (size_t i = 0; fs->inner != NULL && i < fs->n_volumes; i++) {
        if (fs->inner[i].fs != NULL) {
            ext2fs_free(fs->inner[i].fs);
        }
        if (fs->inner[i].base_fs != NULL) {
            ext2fs_free(fs->inner[i].base_fs);
        }
    }
    free(fs->volume);
    free(fs->source);
    free(fs->inner);
    free(fs);
}

int cow_fs_choose_volume(const struct cow_fs *fs, int partition, int *volume, struct cow_error *err)
{
    int found = COW_NO_VOLUME;
    size_t several = 0;
    for (size_t i = 0; i < fs->n_volumes; i++) {
        const struct cow_volume *each = &fs->volume[i];
        if (partition >= 0 ? each->partition == (unsigned)partition : each->readable) {
            found = (int)i;
            several++;
        }
    }
    if (several == 1 && fs->volume[found].readable) {
        *volume = found;
        return 0;
    }
    if (several > 1) {
        cow_error_set(err, COW_USAGE, "%s: has several filesystems", cow_image_path(fs->img));
        return cow_error_hint(err, "choose one with --partition N");
    }
    if (partition >= 0 && several == 0) {
        return cow_error_set(err, COW_USAGE, "%s: has no partition %d", cow_image_path(fs->img), partition);
    }
    return cow_error_set(err, COW_USAGE, "%s: no ext filesystem can be read there%s%s",
                         cow_image_path(fs->img),
                         fs->n_volumes == 1 && fs->volume[0].problem[0] != '\0' ? ": " : "",
                         fs->n_volumes == 1 ? fs->volume[0].problem : "");
}
