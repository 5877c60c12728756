/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See guestfs_disk.h.
 */
#include "guestfs_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MADE = 1000000000, CHANGED = 1000086400 }; /* seconds */

/* ---- a filesystem ---- */

ext2_filsys ext_make(const char *path, const struct ext_spec *spec)
{
    ext2_filsys fs;
    struct ext2_super_block param = {.s_blocks_count = spec->blocks,
                                     .s_log_block_size = spec->block_bytes == 1024 ? 0 : 2,
                                     .s_blocks_per_group = spec->blocks_per_group,
                                     .s_inodes_count = spec->inodes,
                                     .s_rev_level = EXT2_DYNAMIC_REV,
                                     .s_inode_size = spec->extents ? 256 : 128,
                                     .s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE,
                                     .s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER};
    param.s_feature_incompat |= spec->extents ? EXT3_FEATURE_INCOMPAT_EXTENTS : 0u;
    file_write(path, "", 0);
    file_truncate(path, (uint64_t)spec->blocks * spec->block_bytes);
    must_ext(ext2fs_initialize(path, EXT2_FLAG_64BITS, &param, unix_io_manager, &fs));
    fs->now = MADE;
    must_ext(ext2fs_allocate_tables(fs));
    for (ext2_ino_t inode = 1; inode < EXT2_FIRST_INO(fs->super); inode++) {
        if (inode != EXT2_ROOT_INO) {
            ext2fs_inode_alloc_stats2(fs, inode, 1, 0);
        }
    }
    must_ext(ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL));
    must_ext(ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found"));
    return fs;
}

ext2_filsys ext_open(const char *path)
{
    ext2_filsys fs;
    must_ext(ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs));
    must_ext(ext2fs_read_bitmaps(fs));
    fs->now = CHANGED;
    return fs;
}

void ext_close(ext2_filsys fs)
{
    must_ext(ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC)); /* no fsync */
}

static int type_of(uint16_t mode)
{
    return LINUX_S_ISREG(mode)   ? EXT2_FT_REG_FILE
           : LINUX_S_ISDIR(mode) ? EXT2_FT_DIR
           : LINUX_S_ISLNK(mode) ? EXT2_FT_SYMLINK
                                 : EXT2_FT_CHRDEV;
}

static void link_as(ext2_filsys fs, ext2_ino_t directory, const char *name, ext2_ino_t inode, int type)
{
    errcode_t code = ext2fs_link(fs, directory, name, inode, type);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        must_ext(ext2fs_expand_dir(fs, directory));
        code = ext2fs_link(fs, directory, name, inode, type);
    }
    must_ext(code);
}

ext2_ino_t ext_add(ext2_filsys fs, ext2_ino_t directory, const char *name, uint16_t mode, uint32_t generation)
{
    ext2_ino_t inode;
    struct ext2_inode content = {.i_mode = mode, .i_links_count = 1, .i_generation = generation};
    must_ext(ext2fs_new_inode(fs, directory, mode, NULL, &inode));
    link_as(fs, directory, name, inode, type_of(mode));
    ext2fs_inode_alloc_stats2(fs, inode, 1, 0);
    if (ext2fs_has_feature_extents(fs->super) != 0) {
        ext2_extent_handle_t handle;
        content.i_flags = EXT4_EXTENTS_FL;
        must_ext(ext2fs_extent_open2(fs, inode, &content, &handle));
        ext2fs_extent_free(handle);
    }
    must_ext(ext2fs_write_new_inode(fs, inode, &content));
    return inode;
}

ext2_ino_t ext_add_directory(ext2_filsys fs, ext2_ino_t directory, const char *name)
{
    ext2_ino_t inode;
    must_ext(ext2fs_mkdir(fs, directory, 0, name));
    must_ext(ext2fs_lookup(fs, directory, name, (int)strlen(name), NULL, &inode));
    return inode;
}

void ext_write(ext2_filsys fs, ext2_ino_t inode, uint64_t offset, const void *bytes, size_t n_bytes)
{
    ext2_file_t file;
    unsigned written;
    must_ext(ext2fs_file_open(fs, inode, EXT2_FILE_WRITE, &file));
    must_ext(ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL));
    must_ext(ext2fs_file_write(file, bytes, (unsigned)n_bytes, &written));
    must(written == n_bytes, "%u of %zu bytes", written, n_bytes);
    must_ext(ext2fs_file_close(file));
}

void ext_set_size(ext2_filsys fs, ext2_ino_t inode, uint64_t size_bytes)
{
    ext2_file_t file;
    must_ext(ext2fs_file_open(fs, inode, EXT2_FILE_WRITE, &file));
    must_ext(ext2fs_file_set_size2(file, (ext2_off64_t)size_bytes));
    must_ext(ext2fs_file_close(file));
}

void ext_add_unwritten(ext2_filsys fs, ext2_ino_t inode, uint64_t block, uint64_t blocks)
{
    struct ext2_inode content;
    uint8_t *garbage = malloc(fs->blocksize);
    must(garbage != NULL, "out of memory");
    memset(garbage, 0xa5, fs->blocksize);
    if (ext2fs_has_feature_extents(fs->super) != 0) {
        must_ext(ext2fs_read_inode(fs, inode, &content));
        must_ext(
            ext2fs_fallocate(fs, EXT2_FALLOCATE_FORCE_UNINIT, inode, &content, ~UINT64_C(0), block, blocks));
        must_ext(ext2fs_write_inode(fs, inode, &content));
        for (uint64_t i = block; i < block + blocks; i++) {
            blk64_t at;
            int flags;
            must_ext(ext2fs_bmap2(fs, inode, &content, NULL, 0, i, &flags, &at));
            must(at != 0 && (flags & BMAP_RET_UNINIT) != 0, "block %lu is not unwritten", (unsigned long)i);
            must_ext(io_channel_write_blk64(fs->io, at, 1, garbage));
        }
    }
    free(garbage);
}

static void count_link(ext2_filsys fs, ext2_ino_t inode, int by)
{
    struct ext2_inode content;
    must_ext(ext2fs_read_inode(fs, inode, &content));
    content.i_links_count = (uint16_t)(content.i_links_count + by);
    must_ext(ext2fs_write_inode(fs, inode, &content));
}

void ext_link(ext2_filsys fs, ext2_ino_t directory, const char *name, ext2_ino_t inode)
{
    struct ext2_inode content;
    must_ext(ext2fs_read_inode(fs, inode, &content));
    link_as(fs, directory, name, inode, type_of(content.i_mode));
    count_link(fs, inode, 1);
}

void ext_unlink(ext2_filsys fs, ext2_ino_t directory, const char *name)
{
    ext2_ino_t inode;
    must_ext(ext2fs_lookup(fs, directory, name, (int)strlen(name), NULL, &inode));
    must_ext(ext2fs_unlink(fs, directory, name, inode, 0));
    count_link(fs, inode, -1);
}

void ext_remove(ext2_filsys fs, ext2_ino_t directory, const char *name)
{
    ext2_ino_t inode;
    struct ext2_inode content;
    must_ext(ext2fs_lookup(fs, directory, name, (int)strlen(name), NULL, &inode));
    ext_unlink(fs, directory, name);
    must_ext(ext2fs_read_inode(fs, inode, &content));
    must(content.i_links_count == 0, "%s has another name", name);
    content.i_dtime = (uint32_t)fs->now;
    must_ext(ext2fs_punch(fs, inode, &content, NULL, 0, ~UINT64_C(0)));
    must_ext(ext2fs_write_inode(fs, inode, &content));
    ext2fs_inode_alloc_stats2(fs, inode, -1, 0);
}

ext2_ino_t ext_find(ext2_filsys fs, const char *path)
{
    ext2_ino_t inode = 0;
    return ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &inode) == 0 ? inode : 0;
}

/* ---- files whose content is known ---- */

static struct known *begin_known(struct known *known, ext2_filsys fs, const char *path, uint64_t size_bytes)
{
    const uint64_t blocks = (size_bytes + fs->blocksize - 1) / fs->blocksize;
    *known = (struct known){.size_bytes = size_bytes, .blocks = blocks};
    snprintf(known->path, sizeof known->path, "%s", path);
    known->inode = ext_add(fs, EXT2_ROOT_INO, path + 1, LINUX_S_IFREG | 0644, 5);
    known->content = calloc(size_bytes + 1, 1);
    known->written = calloc(blocks + 1, 1);
    must(known->content != NULL && known->written != NULL, "out of memory");
    return known;
}

static void fill(struct known *known, ext2_filsys fs, uint64_t block, uint64_t blocks)
{
    const uint64_t begin = block * fs->blocksize, end = begin + blocks * fs->blocksize;
    struct rng rng = {known->inode * 1000 + block};
    const uint64_t bytes = (end < known->size_bytes ? end : known->size_bytes) - begin;
    rng_fill(&rng, known->content + begin, bytes);
    memset(known->written + block, 1, blocks);
    ext_write(fs, known->inode, begin, known->content + begin, bytes);
    known->fragments++;
}

size_t known_make(struct known known[KNOWN_MAX], ext2_filsys fs)
{
    const uint64_t block = fs->blocksize;
    struct known *each = known;
    fill(begin_known(each++, fs, "/one", 1), fs, 0, 1);
    fill(begin_known(each++, fs, "/plain", 3 * block + 77), fs, 0, 4);
    fill(begin_known(each++, fs, "/exact", 2 * block), fs, 0, 2);
    begin_known(each++, fs, "/empty", 0);
    begin_known(each, fs, "/a-hole", 5 * block + 1);
    ext_set_size(fs, each->inode, each->size_bytes);
    each++;
    begin_known(each, fs, "/holes", 12 * block + 7);
    fill(each, fs, 2, 1);
    fill(each, fs, 5, 2);
    ext_set_size(fs, each->inode, each->size_bytes);
    each++;
    begin_known(each, fs, "/unwritten", 9 * block - 1);
    fill(each, fs, 0, 2);
    fill(each, fs, 8, 1);
    ext_add_unwritten(fs, each->inode, 2, 4);
    each++;
    begin_known(each, fs, "/beyond", block + 9);
    fill(each, fs, 0, 2);
    ext_add_unwritten(fs, each->inode, 2, 3);
    each++;
    begin_known(each, fs, "/fragments", 801 * block - 5);
    for (uint64_t i = 0; i < 801; i += 2) {
        fill(each, fs, i, 1);
    }
    each++;
    must(each - known <= KNOWN_MAX, "the test itself");
    return (size_t)(each - known);
}

void known_free(struct known *known, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(known[i].content);
        free(known[i].written);
    }
}

/* ---- a disk ---- */

struct disk *disk_new(enum cow_format format, uint32_t sector_bytes, uint64_t size_bytes)
{
    struct disk *disk = calloc(1, sizeof *disk);
    must(disk != NULL, "out of memory");
    disk->format = format;
    disk->sector_bytes = sector_bytes;
    disk->size_bytes = size_bytes;
    disk->geometry = model_geometry(format, size_bytes, sector_bytes, 4096);
    disk->before = calloc(size_bytes + sector_bytes, 1); /* whole sectors */
    disk->after = calloc(size_bytes + sector_bytes, 1);
    disk->dirty = calloc(disk->geometry.sectors + 1, 1);
    must(disk->before != NULL && disk->after != NULL && disk->dirty != NULL, "out of memory");
    disk->cow_path = test_path("disk");
    disk->backing_path = test_path("disk.img");
    return disk;
}

static void put_file(uint8_t *bytes, uint64_t room, const char *path)
{
    if (path != NULL) {
        const uint64_t size = file_size(path);
        must(size <= room, "%s is too long", path);
        file_read(path, 0, bytes, size);
    }
}

void disk_put(struct disk *disk, uint64_t offset, const char *before_path, const char *after_path)
{
    put_file(disk->before + offset, disk->size_bytes - offset, before_path);
    put_file(disk->after + offset, disk->size_bytes - offset, after_path);
}

void disk_put_partition(struct disk *disk, unsigned index, uint8_t type, uint64_t first_byte,
                        uint64_t size_bytes)
{
    uint8_t *const sides[] = {disk->before, disk->after};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *entry = sides[i] + 446 + 16 * index;
        memset(entry, 0, 16);
        entry[4] = type;
        put_number(entry + 8, 4, false, first_byte / 512);
        put_number(entry + 12, 4, false, size_bytes / 512);
        put_number(sides[i] + 440, 4, false, 0x12345678);
        sides[i][510] = 0x55;
        sides[i][511] = 0xaa;
    }
}

void disk_make_dirty(struct disk *disk, uint64_t offset, uint64_t n_bytes)
{
    for (uint64_t i = offset / disk->sector_bytes; i * disk->sector_bytes < offset + n_bytes; i++) {
        must(i < disk->geometry.mapped, "sector %lu has no bit", (unsigned long)i);
        disk->dirty[i] = 1;
    }
}

static bool any(const uint8_t *bytes, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++) {
        if (bytes[i] != 0) {
            return true;
        }
    }
    return false;
}

static void write_backing(const struct disk *disk)
{
    file_write(disk->backing_path, "", 0);
    file_truncate(disk->backing_path, disk->size_bytes);
    int fd = file_open_to_write(disk->backing_path);
    for (uint64_t at = 0, n; at < disk->size_bytes; at += n) {
        n = disk->size_bytes - at < 4096 ? disk->size_bytes - at : 4096;
        if (any(disk->before + at, n)) { /* the rest are holes */
            file_write_to(fd, at, disk->before + at, n);
        }
    }
    close(fd);
    file_set_mtime(disk->backing_path, MODEL_MTIME);
}

void disk_write(struct disk *disk)
{
    const struct geometry *g = &disk->geometry;
    const uint64_t ss = disk->sector_bytes;
    uint8_t header[COW_HEADER_BYTES_MAX];
    uint8_t *bitmap = calloc(g->bitmap_bytes + 1, 1);
    must(bitmap != NULL, "out of memory");
    write_backing(disk);
    const size_t header_bytes =
        model_header(header, disk->format, disk->backing_path, disk->size_bytes, disk->sector_bytes,
                     shapes[disk->format].kind == 'a' ? 4096 : 0, MODEL_MTIME, false);
    file_write(disk->cow_path, header, header_bytes);
    file_truncate(disk->cow_path, g->end_offset);
    int fd = file_open_to_write(disk->cow_path);
    disk->dirty_sectors = 0;
    for (uint64_t i = 0; i < g->sectors; i++) {
        if (memcmp(disk->before + i * ss, disk->after + i * ss, ss) != 0) {
            must(i < g->mapped, "a sector without a bit differs");
            disk->dirty[i] = 1;
        }
        if (disk->dirty[i] != 0) {
            bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << (i % 8));
            disk->dirty_sectors++;
            file_write_to(fd, g->data_offset + i * ss, disk->after + i * ss, ss);
        }
    }
    file_write_to(fd, g->bitmap_offset, bitmap, g->bitmap_bytes);
    close(fd);
    free(bitmap);
    disk->backing = witness_of(disk->backing_path);
}

void disk_free(struct disk *disk)
{
    if (file_exists(disk->backing_path)) {
        witness_check(&disk->backing, "looking into it");
    }
    free(disk->before);
    free(disk->after);
    free(disk->dirty);
    free(disk->cow_path);
    free(disk->backing_path);
    free(disk);
}
