/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See filesystem.h.
 */
#include "filesystem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ext2fs/ext2fs.h>

#include "memory.h"

enum { INODES = 64, MADE = 1000000000, CHANGED_AT = 1500, PIECES = 12, FILE_BLOCKS_MOST = 2 * PIECES };

static void need(errcode_t code, const char *what)
{
    memory_require(code == 0, what);
}

/* ---- making ---- */

static ext2_filsys begin_filesystem(const char *path, uint32_t block_bytes, uint64_t size_bytes)
{
    ext2_filsys fs;
    struct ext2_super_block param = {.s_blocks_count = (uint32_t)(size_bytes / block_bytes),
                                     .s_inodes_count = INODES,
                                     .s_log_block_size = (uint32_t)__builtin_ctz(block_bytes / 1024),
                                     .s_rev_level = EXT2_DYNAMIC_REV,
                                     .s_inode_size = 256,
                                     .s_feature_incompat =
                                         EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS};
    need(ext2fs_initialize(path, EXT2_FLAG_64BITS, &param, unix_io_manager, &fs), "ext2fs_initialize");
    memory_require(fs->group_desc_count == 1, "a filesystem of one group");
    fs->now = MADE;
    need(ext2fs_allocate_tables(fs), "ext2fs_allocate_tables");
    for (ext2_ino_t inode = 1; inode < EXT2_FIRST_INO(fs->super); inode++) {
        if (inode != EXT2_ROOT_INO) {
            ext2fs_inode_alloc_stats2(fs, inode, 1, 0);
        }
    }
    need(ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL), "the root");
    return fs;
}

static ext2_ino_t find(ext2_filsys fs, const char *path)
{
    ext2_ino_t inode;
    need(ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &inode), path);
    return inode;
}

static void write_file(ext2_filsys fs, ext2_ino_t inode, unsigned offset, const void *bytes, unsigned n_bytes)
{
    ext2_file_t file;
    unsigned written;
    need(ext2fs_file_open(fs, inode, EXT2_FILE_WRITE, &file), "ext2fs_file_open");
    need(ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL), "ext2fs_file_llseek");
    need(ext2fs_file_write(file, bytes, n_bytes, &written), "ext2fs_file_write");
    need(ext2fs_file_close(file), "ext2fs_file_close");
}

static unsigned file_bytes(uint32_t block_bytes)
{
    return 5 * block_bytes + 3;
}

/* With holes, enough of them for a node in its extent tree, if wanted. */
static void add_file(ext2_filsys fs, const char *name, uint32_t generation, bool holes)
{
    ext2_ino_t inode;
    ext2_extent_handle_t handle;
    struct ext2_inode content = {.i_mode = LINUX_S_IFREG | 0644,
                                 .i_links_count = 1,
                                 .i_generation = generation,
                                 .i_flags = EXT4_EXTENTS_FL};
    const unsigned n_bytes = holes ? fs->blocksize : file_bytes(fs->blocksize);
    uint8_t *bytes = memory_get(n_bytes);
    memset(bytes, name[0], n_bytes);
    need(ext2fs_new_inode(fs, EXT2_ROOT_INO, LINUX_S_IFREG, NULL, &inode), "ext2fs_new_inode");
    need(ext2fs_link(fs, EXT2_ROOT_INO, name, inode, EXT2_FT_REG_FILE), "ext2fs_link");
    ext2fs_inode_alloc_stats2(fs, inode, 1, 0);
    need(ext2fs_extent_open2(fs, inode, &content, &handle), "ext2fs_extent_open2");
    ext2fs_extent_free(handle);
    need(ext2fs_write_new_inode(fs, inode, &content), "ext2fs_write_new_inode");
    for (unsigned i = 0; i < (holes ? PIECES : 1); i++) {
        write_file(fs, inode, 2 * i * fs->blocksize, bytes, n_bytes);
    }
    memory_free(bytes);
}

/* blocks: they become free, too. */
static void remove_file(ext2_filsys fs, const char *name, bool blocks)
{
    struct ext2_inode content;
    const ext2_ino_t inode = find(fs, name);
    need(ext2fs_unlink(fs, EXT2_ROOT_INO, name, inode, 0), "ext2fs_unlink");
    if (blocks) {
        need(ext2fs_punch(fs, inode, NULL, NULL, 0, ~UINT64_C(0)), "ext2fs_punch");
    }
    need(ext2fs_read_inode(fs, inode, &content), "ext2fs_read_inode");
    content.i_links_count = 0;
    content.i_dtime = MADE + 1;
    need(ext2fs_write_inode(fs, inode, &content), "ext2fs_write_inode");
    ext2fs_inode_alloc_stats2(fs, inode, -1, 0);
}

static void make_before(ext2_filsys fs)
{
    add_file(fs, "content", 1, false);
    add_file(fs, "holes", 2, true);
    add_file(fs, "gone", 3, false);
    add_file(fs, "name", 4, false);
    add_file(fs, "kept", 5, false);
    need(ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "d"), "ext2fs_mkdir");
    need(ext2fs_symlink(fs, EXT2_ROOT_INO, 0, "link", "d/../holes"), "ext2fs_symlink");
}

static unsigned changed_at(const char *name, uint32_t block_bytes)
{
    return name[0] == 'h' ? 2 * block_bytes + 9 : CHANGED_AT;
}

static void change(ext2_filsys fs)
{
    const ext2_ino_t name = find(fs, "name");
    write_file(fs, find(fs, "content"), changed_at("content", fs->blocksize), "!", 1);
    write_file(fs, find(fs, "holes"), changed_at("holes", fs->blocksize), "!", 1);
    need(ext2fs_unlink(fs, EXT2_ROOT_INO, "name", name, 0), "ext2fs_unlink");
    need(ext2fs_link(fs, find(fs, "d"), "renamed", name, EXT2_FT_REG_FILE), "ext2fs_link");
    remove_file(fs, "gone", true);
    add_file(fs, "scratch", 7, false); /* where the one lay that is gone, and elsewhere */
    add_file(fs, "new", 6, false);
    remove_file(fs, "scratch", true);
}

static int new_memory_file(char path[64], uint64_t size_bytes)
{
    const int fd = memfd_create("filesystem", MFD_CLOEXEC);
    memory_require(fd >= 0 && ftruncate(fd, (off_t)size_bytes) == 0, "memfd_create");
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

void filesystem_make(struct filesystem *out, uint32_t block_bytes, uint64_t size_bytes)
{
    blk64_t block;
    char path[64];
    ext2_filsys fs;
    const int fd = new_memory_file(path, size_bytes);
    const ssize_t n_bytes = (ssize_t)size_bytes;
    out->before = memory_get((size_t)size_bytes);
    out->after = memory_get((size_t)size_bytes);
    fs = begin_filesystem(path, block_bytes, size_bytes);
    make_before(fs);
    need(ext2fs_close(fs), "ext2fs_close");
    memory_require(pread(fd, out->before, (size_t)size_bytes, 0) == n_bytes, "pread");
    need(ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), "ext2fs_open");
    need(ext2fs_read_bitmaps(fs), "ext2fs_read_bitmaps");
    fs->now = MADE + 100;
    change(fs);
    need(ext2fs_bmap2(fs, find(fs, "kept"), NULL, NULL, 0, 0, NULL, &block), "ext2fs_bmap2");
    out->kept_at = block * block_bytes;
    need(ext2fs_close(fs), "ext2fs_close");
    memory_require(pread(fd, out->after, (size_t)size_bytes, 0) == n_bytes, "pread");
    close(fd);
}

void filesystem_free(struct filesystem *filesystem)
{
    memory_free(filesystem->before);
    memory_free(filesystem->after);
}

/* ---- what it should hold ---- */

struct inode filesystem_file(const char *name, uint32_t block_bytes, bool changed_by_guest)
{
    struct inode out = {.kind = INODE_FILE};
    const bool holes = strcmp(name, "link") == 0 || strcmp(name, "holes") == 0;
    const char letter = holes ? 'h' : name[0];
    const unsigned n_bytes = holes ? block_bytes : file_bytes(block_bytes);
    uint8_t *bytes = memory_get(n_bytes);
    memset(bytes, letter, n_bytes);
    for (unsigned i = 0; i < (holes ? PIECES : 1); i++) {
        inode_write(&out, 2 * i * block_bytes, bytes, n_bytes);
        out.facts.size_bytes = 2 * i * block_bytes + n_bytes;
    }
    if (changed_by_guest && (holes || letter == 'c')) {
        inode_write(&out, changed_at(holes ? "holes" : name, block_bytes), "!", 1);
    }
    memory_free(bytes);
    return out;
}

/* Reads past its end, so that a file that is too long differs. */
static bool holds(ext2_filsys fs, const char *path, const char *name, uint32_t block_bytes)
{
    struct inode is = {.kind = INODE_FILE}, wanted = filesystem_file(name, block_bytes, true);
    const unsigned room = FILE_BLOCKS_MOST * block_bytes;
    uint8_t *bytes = memory_get(room);
    unsigned n_bytes = 0;
    ext2_ino_t inode;
    ext2_file_t file;
    bool good = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &inode) == 0 &&
                ext2fs_file_open(fs, inode, 0, &file) == 0;
    if (good) {
        good = ext2fs_file_read(file, bytes, room, &n_bytes) == 0;
        ext2fs_file_close(file);
        inode_write(&is, 0, bytes, n_bytes);
        is.facts.size_bytes = n_bytes;
        good &= n_bytes == wanted.facts.size_bytes && inode_same_bytes(&is, &wanted, 0, n_bytes);
    }
    inode_forget(&is);
    inode_forget(&wanted);
    memory_free(bytes);
    return good;
}

bool filesystem_is_whole(const struct inode *disk, uint32_t block_bytes)
{
    static const char *const files[][2] = {{"content", "content"}, {"holes", "holes"}, {"link", "holes"},
                                           {"d/renamed", "name"},  {"kept", "kept"},   {"new", "new"}};
    const size_t n_bytes = (size_t)disk->facts.size_bytes;
    uint8_t *bytes = memory_get(n_bytes);
    char path[64];
    ext2_filsys fs;
    ext2_ino_t inode;
    const int fd = new_memory_file(path, n_bytes);
    inode_read(disk, 0, bytes, n_bytes);
    memory_require(pwrite(fd, bytes, n_bytes, 0) == (ssize_t)n_bytes, "pwrite");
    memory_free(bytes);
    bool good = ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs) == 0;
    if (good) {
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            good &= holds(fs, files[i][0], files[i][1], block_bytes);
        }
        good &= ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, "gone", &inode) == EXT2_ET_FILE_NOT_FOUND;
        ext2fs_close(fs);
    }
    close(fd);
    return good;
}

/* ---- what is free ---- */

static uint32_t number_at(const struct inode *disk, uint64_t offset)
{
    uint8_t b[4];
    inode_read(disk, offset, b, sizeof b);
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Superblock at 1024, descriptor of the only group in the block behind it, and there first where the block
 * bitmap is. Nothing of libext2fs. */
bool filesystem_is_free(const struct inode *disk, uint64_t offset)
{
    const uint64_t block_bytes = UINT64_C(1024) << number_at(disk, 1024 + 24);
    const uint64_t first = number_at(disk, 1024 + 20), block = offset / block_bytes;
    const uint64_t bitmap = number_at(disk, (first + 1) * block_bytes) * block_bytes;
    uint8_t bits;
    if (block < first || block >= number_at(disk, 1024 + 4)) {
        return false;
    }
    inode_read(disk, bitmap + (block - first) / 8, &bits, 1);
    return (bits >> (block - first) % 8 & 1) == 0;
}
