/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who owns each byte of a disk with a filesystem: each has one owner, and what was asked for is known.
 */
#include <inttypes.h>
#include <string.h>

#include "guestfs_view.h"

/* Each block of the filesystem, as libext2fs sees it in the file that it made. */
static void check_blocks(const struct view *view, const struct disk_variant *v, ext2_filsys fs)
{
    const uint64_t bytes = v->ext.block_bytes;
    for (blk64_t block = v->ext.block_bytes == 1024 ? 1 : 0; block < v->ext.blocks; block++) {
        const uint64_t at = v->lead_bytes + block * bytes + (block == 0 ? 1024 : 0);
        const struct cow_fs_owner owner = owner_at(view, at);
        const bool in_use = ext2fs_test_block_bitmap2(fs->block_map, block) != 0;
        must(in_use == (owner.fs_class != COW_FS_FREE), "block %lu: %s", (unsigned long)block,
             cow_fs_class_name(owner.fs_class));
        must(owner.fs_class != COW_FS_UNOWNED, "block %lu has no owner", (unsigned long)block);
    }
    for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
        check_class(view, v->lead_bytes + ext2fs_block_bitmap_loc(fs, group) * bytes, COW_FS_BLOCK_BITMAP);
        check_class(view, v->lead_bytes + ext2fs_inode_bitmap_loc(fs, group) * bytes, COW_FS_INODE_BITMAP);
        for (blk64_t i = 0; i < fs->inode_blocks_per_group; i++) {
            check_class(view, v->lead_bytes + (ext2fs_inode_table_loc(fs, group) + i) * bytes,
                        COW_FS_INODE_TABLE);
        }
    }
}

/* Each block of a file, by libext2fs's own map. */
static void check_file_blocks(const struct view *view, const struct disk_variant *v, ext2_filsys fs,
                              const struct known *k)
{
    const uint64_t bytes = v->ext.block_bytes;
    for (uint64_t i = 0; i < k->blocks + 4; i++) {
        blk64_t block = 0;
        must_ext(ext2fs_bmap2(fs, k->inode, NULL, NULL, 0, i, NULL, &block));
        if (block != 0) {
            const struct cow_fs_owner owner = owner_at(view, v->lead_bytes + block * bytes);
            must(owner.fs_class == COW_FS_FILE && owner.inode == k->inode && owner.has_file_offset &&
                     owner.file_offset == i * bytes,
                 "%s, block %" PRIu64 ": %s of inode %" PRIu64 " at %" PRIu64, k->path, i,
                 cow_fs_class_name(owner.fs_class), owner.inode, owner.file_offset);
            must(owner.path != NULL && strcmp(owner.path, k->path) == 0, "%s: %s", k->path, owner.path);
        }
    }
}

START_TEST(each_byte_has_one_owner)
{
    const struct disk_variant *v = &disk_variants[_i];
    struct changed_disk scene = make_changed_disk(v);
    struct view view = view_open(scene.disk, true);
    const uint64_t behind = v->lead_bytes + ext_bytes(v);
    check_tiles(&view, scene.disk);
    ext2_filsys fs = ext_open(scene.after);
    check_blocks(&view, v, fs);
    for (size_t i = 0; i < scene.n_known; i++) {
        check_file_blocks(&view, v, fs, &scene.known[i]);
    }
    ext_close(fs);
    check_class(&view, v->lead_bytes, COW_FS_BOOT);
    check_class(&view, v->lead_bytes + 1023, COW_FS_BOOT);
    check_class(&view, v->lead_bytes + 1024, COW_FS_SUPERBLOCK);
    if (v->lead_bytes > 0) {
        check_class(&view, 0, COW_FS_TABLE);
        check_class(&view, 511, COW_FS_TABLE);
        check_class(&view, 512, COW_FS_OUTSIDE);
        check_class(&view, v->lead_bytes - 1, COW_FS_OUTSIDE);
        must(owner_at(&view, 600).volume == COW_NO_VOLUME && owner_at(&view, v->lead_bytes).volume == 0,
             "volume");
    }
    if (v->tail_bytes > 0) {
        check_class(&view, behind, COW_FS_OUTSIDE);
        check_class(&view, scene.disk->size_bytes - 1, COW_FS_OUTSIDE);
    }
    view_close(&view);
    free_changed_disk(&scene);
}
END_TEST

/* Without looking around, what is in the COW is known as well, and so is the byte that was asked for. */
START_TEST(what_was_asked_for_is_known)
{
    struct changed_disk scene = make_changed_disk(&disk_variants[_i]);
    struct view all = view_open(scene.disk, true), view = view_open(scene.disk, false);
    struct cow_error err = {.status = 0};
    struct cow_fs_owner owner;
    unsigned unknown = 0;
    for (uint64_t at = 0; at < scene.disk->size_bytes; at += 512) {
        const struct cow_fs_owner wanted = owner_at(&all, at);
        owner = owner_at(&view, at);
        unknown += !owner.known;
        must(!owner.known || (owner.fs_class == wanted.fs_class && owner.inode == wanted.inode),
             "%" PRIu64 ": %s, not %s", at, cow_fs_class_name(owner.fs_class),
             cow_fs_class_name(wanted.fs_class));
        must(owner.known || !owner.dirty, "%" PRIu64 " is in the COW, and not known", at);
    }
    must(unknown > 0, "the test itself");
    for (uint64_t at = 0; at < scene.disk->size_bytes; at += 67 * 512 + 13) {
        const struct cow_fs_scan_options opt = {.keep = true, .keep_offset = at};
        const struct cow_fs_owner wanted = owner_at(&all, at);
        cow_fs_scan_free(view.scan);
        must_succeed(cow_fs_scan(&view.scan, view.fs, &opt, &err), err);
        owner = owner_at(&view, at);
        must(owner.fs_class == wanted.fs_class && owner.inode == wanted.inode &&
                 owner.file_offset == wanted.file_offset,
             "%" PRIu64 ": %s, not %s", at, cow_fs_class_name(owner.fs_class),
             cow_fs_class_name(wanted.fs_class));
        must((owner.path == NULL) == (wanted.path == NULL) &&
                 (owner.path == NULL || strcmp(owner.path, wanted.path) == 0),
             "%" PRIu64 ": %s", at, owner.path);
    }
    view_close(&view);
    view_close(&all);
    free_changed_disk(&scene);
}
END_TEST

Suite *guestfs_owners_suite(void)
{
    Suite *suite = suite_create("guestfs-owners");
    TCase *tc = tcase_create("guestfs owners");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, each_byte_has_one_owner, 0, DISK_VARIANTS);
    tcase_add_loop_test(tc, what_was_asked_for_is_known, 0, DISK_VARIANTS);
    suite_add_tcase(suite, tc);
    return suite;
}
