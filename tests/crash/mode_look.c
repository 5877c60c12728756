/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * look: a guest's filesystem is looked into, and each allocation of the core fails, once or with all that
 * follow. It says so, gives everything back, or answers the same as ever. The filesystems are made by
 * libext2fs, whose own allocations never fail here.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ext2fs/ext2fs.h>

#include "cow/fs.h"
#include "memory.h"
#include "run.h"

enum { BLOCK_BYTES = 1024, BLOCKS = 1024, INODES = 64, MADE = 1000000000, FILE_BYTES = 5 * BLOCK_BYTES + 3 };

static void need(errcode_t code, const char *what)
{
    memory_require(code == 0, what);
}

/* ---- the filesystem ---- */

static ext2_filsys begin_filesystem(const char *path)
{
    ext2_filsys fs;
    struct ext2_super_block param = {.s_blocks_count = BLOCKS,
                                     .s_inodes_count = INODES,
                                     .s_rev_level = EXT2_DYNAMIC_REV,
                                     .s_inode_size = 256,
                                     .s_feature_incompat =
                                         EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS};
    need(ext2fs_initialize(path, EXT2_FLAG_64BITS, &param, unix_io_manager, &fs), "ext2fs_initialize");
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

static ext2_ino_t find(ext2_filsys fs, const char *name)
{
    ext2_ino_t inode;
    need(ext2fs_lookup(fs, EXT2_ROOT_INO, name, (int)strlen(name), NULL, &inode), name);
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

/* With holes, enough of them for a node in its extent tree, if wanted. */
static void add_file(ext2_filsys fs, const char *name, uint32_t generation, bool holes)
{
    ext2_ino_t inode;
    ext2_extent_handle_t handle;
    struct ext2_inode content = {.i_mode = LINUX_S_IFREG | 0644,
                                 .i_links_count = 1,
                                 .i_generation = generation,
                                 .i_flags = EXT4_EXTENTS_FL};
    char bytes[FILE_BYTES];
    memset(bytes, name[0], sizeof bytes);
    need(ext2fs_new_inode(fs, EXT2_ROOT_INO, LINUX_S_IFREG, NULL, &inode), "ext2fs_new_inode");
    need(ext2fs_link(fs, EXT2_ROOT_INO, name, inode, EXT2_FT_REG_FILE), "ext2fs_link");
    ext2fs_inode_alloc_stats2(fs, inode, 1, 0);
    need(ext2fs_extent_open2(fs, inode, &content, &handle), "ext2fs_extent_open2");
    ext2fs_extent_free(handle);
    need(ext2fs_write_new_inode(fs, inode, &content), "ext2fs_write_new_inode");
    for (unsigned i = 0; i < (holes ? 12 : 1); i++) {
        write_file(fs, inode, 2 * i * BLOCK_BYTES, bytes, holes ? BLOCK_BYTES : FILE_BYTES);
    }
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

static void change(ext2_filsys fs)
{
    struct ext2_inode content;
    const ext2_ino_t name = find(fs, "name"), gone = find(fs, "gone");
    write_file(fs, find(fs, "content"), 1500, "!", 1);
    write_file(fs, find(fs, "holes"), 2 * BLOCK_BYTES + 9, "!", 1);
    need(ext2fs_unlink(fs, EXT2_ROOT_INO, "name", name, 0), "ext2fs_unlink");
    need(ext2fs_link(fs, find(fs, "d"), "renamed", name, EXT2_FT_REG_FILE), "ext2fs_link");
    need(ext2fs_unlink(fs, EXT2_ROOT_INO, "gone", gone, 0), "ext2fs_unlink");
    need(ext2fs_read_inode(fs, gone, &content), "ext2fs_read_inode");
    content.i_links_count = 0;
    content.i_dtime = MADE + 1;
    need(ext2fs_write_inode(fs, gone, &content), "ext2fs_write_inode");
    ext2fs_inode_alloc_stats2(fs, gone, -1, 0);
    add_file(fs, "new", 6, false);
}

static void read_all(int fd, uint8_t *bytes)
{
    memory_require(pread(fd, bytes, BLOCKS * BLOCK_BYTES, 0) == BLOCKS * BLOCK_BYTES, "pread");
}

/* *kept_at: where a file lies that is not in the COW. */
static void make_sides(uint8_t *before, uint8_t *after, uint64_t *kept_at)
{
    blk64_t block;
    char path[64];
    ext2_filsys fs;
    const int fd = memfd_create("filesystem", MFD_CLOEXEC);
    memory_require(fd >= 0 && ftruncate(fd, BLOCKS * BLOCK_BYTES) == 0, "memfd_create");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fs = begin_filesystem(path);
    make_before(fs);
    need(ext2fs_close(fs), "ext2fs_close");
    read_all(fd, before);
    need(ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), "ext2fs_open");
    need(ext2fs_read_bitmaps(fs), "ext2fs_read_bitmaps");
    fs->now = MADE + 100;
    change(fs);
    need(ext2fs_bmap2(fs, find(fs, "kept"), NULL, NULL, 0, 0, NULL, &block), "ext2fs_bmap2");
    *kept_at = block * BLOCK_BYTES;
    need(ext2fs_close(fs), "ext2fs_close");
    read_all(fd, after);
    close(fd);
}

/* An image with nothing in it gets what differs. */
static void make_tree(struct tree *tree, uint64_t *kept_at)
{
    const struct spec spec = {
        .form = FORM_V3, .size_bytes = BLOCKS * BLOCK_BYTES, .pattern = PATTERN_NONE, .seed = 1};
    uint8_t *before = memory_get_zeroed(BLOCKS * BLOCK_BYTES), *after = memory_get(BLOCKS * BLOCK_BYTES);
    struct view view;
    struct disk disk = model_build(tree, &spec);
    disk_free(&disk);
    struct inode *image = &tree->inode[tree_find(tree, IMAGE_PATH)];
    make_sides(before, after, kept_at);
    inode_write(&tree->inode[tree_find(tree, BACKING_PATH)], 0, before, BLOCKS * BLOCK_BYTES);
    memory_require(view_as(&view, image, FORM_V3), "the image");
    for (uint64_t i = 0; i < view.shape.sectors; i++) {
        if (memcmp(before + i * SECTOR_BYTES, after + i * SECTOR_BYTES, SECTOR_BYTES) != 0) {
            uint8_t bits;
            inode_read(image, view.shape.bitmap_offset + i / 8, &bits, 1);
            bits = (uint8_t)(bits | 1u << i % 8);
            inode_write(image, view.shape.bitmap_offset + i / 8, &bits, 1);
            inode_write(image, view.shape.data_offset + i * SECTOR_BYTES, after + i * SECTOR_BYTES,
                        SECTOR_BYTES);
        }
    }
    memory_free(before);
    memory_free(after);
}

/* ---- looking ---- */

/* All answers, stirred into a number. */
struct sum {
    uint64_t value;
    size_t n_files;
};

static void stir(struct sum *sum, const void *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        sum->value = (sum->value ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
    }
}

static void stir_text(struct sum *sum, const char *text)
{
    stir(sum, text != NULL ? text : "-", text != NULL ? strlen(text) + 1 : 1);
}

static int look_at_files(struct cow_fs_scan *scan, struct sum *sum, struct cow_error *err)
{
    uint64_t bytes[COW_FS_CLASSES];
    int status = 0;
    const struct cow_fs_file *files = cow_fs_files(scan, &sum->n_files);
    for (size_t i = 0; i < sum->n_files && status == 0; i++) {
        struct cow_fs_owner piece;
        stir_text(sum, files[i].path);
        stir_text(sum, files[i].from);
        stir_text(sum, cow_fs_kind_name(files[i].kind));
        stir(sum, &files[i].changed_bytes, sizeof files[i].changed_bytes);
        status = cow_fs_file_next(scan, &files[i], 0, &piece, err);
    }
    cow_fs_classes(scan, COW_NO_VOLUME, bytes);
    stir(sum, bytes, sizeof bytes);
    stir_text(sum, cow_fs_scan_damage(scan));
    return status;
}

static int look_at_owner(struct cow_fs_scan *scan, uint64_t at, struct sum *sum, struct cow_error *err)
{
    struct cow_fs_owner owner;
    const int status = cow_fs_owner_at(scan, at, &owner, err);
    if (status == 0) {
        stir_text(sum, owner.path);
        stir_text(sum, cow_fs_class_name(owner.fs_class));
    }
    return status;
}

static int look_at_owners(struct cow_fs_scan *scan, uint64_t kept_at, struct sum *sum, struct cow_error *err)
{
    int status = look_at_owner(scan, kept_at, sum, err);
    for (uint64_t at = 0; at < BLOCKS * BLOCK_BYTES && status == 0; at += 7 * BLOCK_BYTES) {
        status = look_at_owner(scan, at, sum, err);
    }
    return status;
}

static int look_at_content(struct cow_fs *fs, struct sum *sum, struct cow_error *err)
{
    struct cow_fs_reader *guest = NULL, *base = NULL;
    uint8_t bytes[3 * BLOCK_BYTES];
    uint64_t first = 0;
    size_t n = 0;
    bool equal = true;
    int status = cow_fs_reader_open(&guest, fs, 0, COW_SIDE_COW, "/link", err);
    if (status == 0) {
        status = cow_fs_reader_open(&base, fs, 0, COW_SIDE_BACKING, "/link", err);
    }
    if (status == 0) {
        status = cow_fs_reader_read(guest, 100, bytes, sizeof bytes, &n, err);
    }
    if (status == 0) {
        status = cow_fs_compare(guest, base, &equal, &first, err);
    }
    if (status == 0) {
        stir(sum, bytes, n);
        stir(sum, &first, sizeof first);
    }
    cow_fs_reader_close(guest);
    cow_fs_reader_close(base);
    return status;
}

static int look(struct sim *machine, bool look_around, uint64_t kept_at, struct sum *sum,
                struct cow_error *err)
{
    const struct cow_open_options options = {.io = &machine->io};
    const struct cow_fs_scan_options opt = {.look_around = look_around, .keep = true, .keep_offset = kept_at};
    struct cow_image *img = NULL;
    struct cow_fs *fs = NULL;
    struct cow_fs_scan *scan = NULL;
    char text[COW_MESSAGE_BYTES];
    size_t n_volumes;
    *sum = (struct sum){.value = UINT64_C(14695981039346656037)};
    int status = cow_image_open(&img, IMAGE_PATH, &options, err);
    if (status == 0) {
        status = cow_fs_open(&fs, img, err);
    }
    if (status == 0) {
        stir_text(sum, cow_volume_text(text, sizeof text, cow_fs_volumes(fs, &n_volumes)));
        status = cow_fs_scan(&scan, fs, &opt, err);
    }
    if (status == 0) {
        status = look_at_files(scan, sum, err);
    }
    if (status == 0) {
        status = look_at_owners(scan, kept_at, sum, err);
    }
    if (status == 0) {
        status = look_at_content(fs, sum, err);
    }
    cow_fs_scan_free(scan);
    cow_fs_close(fs);
    cow_image_close(img);
    return status;
}

/* What all runs have in common. */
struct looking {
    struct tree tree;
    uint64_t kept_at;
    bool around;
    struct sum wanted;
};

/* One run in which allocation `at` fails (0: none). Answers how many there were. */
static unsigned long look_once(struct run *run, struct looking *looking, unsigned long at, bool for_ever)
{
    struct tree copy;
    struct sim machine;
    struct sum sum;
    struct cow_error err = {.status = 0};
    size_t lost;
    tree_copy(&copy, &looking->tree);
    sim_boot(&machine, &copy);
    memory_watch(at, for_ever);
    const int status = look(&machine, looking->around, looking->kept_at, &sum, &err);
    const unsigned long n = memory_unwatch(&lost);
    if (at == 0) {
        looking->wanted = sum;
        memory_require(status == 0 && lost == 0 && sum.n_files > 5, "looking into an image");
    } else if (n >= at) {
        run->states++;
        if (status == 0 && (sum.value != looking->wanted.value || sum.n_files != looking->wanted.n_files)) {
            run_violation(run, "another answer, and no error");
        }
        if (status != 0 && (status != COW_NO_MEMORY || err.status != status || err.message[0] == '\0')) {
            run_violation(run, "status %d, \"%s\"", status, err.message);
        }
        if (lost > 0 || sim_open_files(&machine) > 0) {
            run_violation(run, "%zu allocations are lost, %u files are open", lost, sim_open_files(&machine));
        }
    }
    sim_free(&machine);
    return n;
}

void mode_look(struct run *run)
{
    static const struct scene scenes_here[] = {{.name = "look"}, {.name = "look-around"}};
    struct looking looking;
    make_tree(&looking.tree, &looking.kept_at);
    for (unsigned i = 0; i < 2; i++) {
        struct trial trial = {.scene = &scenes_here[i]};
        looking.around = i == 1;
        if (!run_wants(run, trial.scene)) {
            continue;
        }
        run->trial = &trial;
        const unsigned long n = look_once(run, &looking, 0, false);
        for (unsigned long at = 1; at <= n && !run_time_is_up(run); at++) {
            for (int for_ever = 0; for_ever < 2; for_ever++) {
                snprintf(run->what, sizeof run->what, "allocation %lu of %lu fails%s: ", at, n,
                         for_ever ? " for ever" : "");
                look_once(run, &looking, at, for_ever != 0);
            }
        }
        run->what[0] = '\0';
        run_scene_done(run);
    }
    tree_clear(&looking.tree);
    run_report(run, "failed allocations");
}
