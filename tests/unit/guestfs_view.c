/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disks that the suites of the guest's filesystem loop over, and what they ask of open ones.
 */
#include "guestfs_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const struct disk_variant disk_variants[DISK_VARIANTS] = {
    {{1024, 3072, 1024, 128, true}, COW_FORMAT_V3, 512, 0, 0},
    {{4096, 1536, 512, 96, true}, COW_FORMAT_V3, 512, 0, 0},
    {{1024, 3072, 8192, 128, false}, COW_FORMAT_V2, 512, 0, UINT64_C(512) * 8},
    {{4096, 1536, 1536, 96, false}, COW_FORMAT_V3, 4096, 0, 4096},
    {{1024, 3072, 1024, 128, true}, COW_FORMAT_V3, 4096, UINT64_C(63) * 512, 777},
    {{4096, 1536, 512, 96, false}, COW_FORMAT_V1, 512, UINT64_C(63) * 512, 4096},
};

uint64_t ext_bytes(const struct disk_variant *v)
{
    return (uint64_t)v->ext.blocks * v->ext.block_bytes;
}

struct disk *make_disk(const struct disk_variant *v, const char *before, const char *after)
{
    struct disk *disk = disk_new(v->format, v->sector_bytes, v->lead_bytes + ext_bytes(v) + v->tail_bytes);
    if (v->lead_bytes != 0) {
        disk_put_partition(disk, 0, 0x83, v->lead_bytes, ext_bytes(v));
    }
    disk_put(disk, v->lead_bytes, before, after);
    disk_write(disk);
    return disk;
}

static void copy_file(const char *from, const char *to)
{
    const uint64_t n = file_size(from);
    uint8_t *bytes = malloc(n);
    must(bytes != NULL, "out of memory");
    file_read(from, 0, bytes, n);
    file_write(to, bytes, n);
    free(bytes);
}

struct view view_open(const struct disk *disk, bool look_around)
{
    struct view view = {.img = NULL};
    struct cow_error err = {.status = 0};
    const struct cow_fs_scan_options opt = {.look_around = look_around};
    must_succeed(cow_image_open(&view.img, disk->cow_path, NULL, &err), err);
    must_succeed(cow_fs_open(&view.fs, view.img, &err), err);
    must_succeed(cow_fs_scan(&view.scan, view.fs, &opt, &err), err);
    view.volumes = cow_fs_volumes(view.fs, &view.n_volumes);
    return view;
}

void view_close(struct view *view)
{
    cow_fs_scan_free(view->scan);
    cow_fs_close(view->fs);
    cow_image_close(view->img);
}

/* ---- kinds ---- */

static ext2_ino_t add_file(ext2_filsys fs, ext2_ino_t directory, const char *name, uint32_t generation,
                           char byte)
{
    uint8_t bytes[3 * 4096 + 5];
    const ext2_ino_t inode = ext_add(fs, directory, name, LINUX_S_IFREG | 0644, generation);
    memset(bytes, byte, sizeof bytes);
    ext_write(fs, inode, 0, bytes, sizeof bytes);
    return inode;
}

static void make_before(ext2_filsys fs)
{
    static const char *const names[] = {"content", "name",   "other",   "gone", "hard", "mode",
                                        "over-a",  "over-b", "shorter", "swap", "same", "untouched"};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        add_file(fs, EXT2_ROOT_INO, names[i], i + 100, (char)('a' + i));
    }
    add_file(fs, ext_add_directory(fs, EXT2_ROOT_INO, "d"), "kept", 200, 'k');
}

static void move(ext2_filsys fs, const char *name, ext2_ino_t directory, const char *new_name)
{
    const ext2_ino_t inode = ext_find(fs, name);
    ext_link(fs, directory, new_name, inode);
    ext_unlink(fs, EXT2_ROOT_INO, name);
}

static void change_files(ext2_filsys fs)
{
    struct ext2_inode content;
    const ext2_ino_t d = ext_find(fs, "/d");
    ext_write(fs, ext_find(fs, "/content"), 4099, "!", 1); /* its inode does not tell */
    move(fs, "name", d, "moved");
    ext_write(fs, ext_find(fs, "/other"), 17, "!", 1);
    move(fs, "other", d, "moved-too");
    ext_write(fs, ext_find(fs, "/empty"), 0, "no more", 7);
    ext_link(fs, EXT2_ROOT_INO, "hard-2", ext_find(fs, "/hard"));
    must_ext(ext2fs_read_inode(fs, ext_find(fs, "/mode"), &content));
    content.i_mode = LINUX_S_IFREG | 0600;
    must_ext(ext2fs_write_inode(fs, ext_find(fs, "/mode"), &content));
    ext_remove(fs, EXT2_ROOT_INO, "over-b");
    move(fs, "over-a", EXT2_ROOT_INO, "over-b");
    ext_set_size(fs, ext_find(fs, "/shorter"), 4097);
    ext_remove(fs, EXT2_ROOT_INO, "gone");
    add_file(fs, EXT2_ROOT_INO, "new", 900, 'N'); /* perhaps with the number of the one that is gone */
    ext_remove(fs, EXT2_ROOT_INO, "swap");
    add_file(fs, EXT2_ROOT_INO, "swap", 901, 'S');
    ext_add_directory(fs, EXT2_ROOT_INO, "new-d");
}

struct changed_disk make_changed_disk(const struct disk_variant *v)
{
    struct changed_disk scene = {.before = test_path("before"), .after = test_path("after")};
    blk64_t block;
    ext2_filsys fs = ext_make(scene.before, &v->ext);
    scene.n_known = known_make(scene.known, fs);
    make_before(fs);
    must_ext(ext2fs_bmap2(fs, ext_find(fs, "/same"), NULL, NULL, 0, 1, NULL, &block));
    ext_close(fs);
    copy_file(scene.before, scene.after);
    fs = ext_open(scene.after);
    change_files(fs);
    ext_close(fs);
    scene.disk = make_disk(v, scene.before, scene.after);
    scene.same_at = v->lead_bytes + block * v->ext.block_bytes;
    disk_make_dirty(scene.disk, scene.same_at, 512);
    disk_write(scene.disk);
    return scene;
}

void free_changed_disk(struct changed_disk *scene)
{
    disk_free(scene->disk);
    known_free(scene->known, scene->n_known);
    free(scene->before);
    free(scene->after);
}

const struct cow_fs_file *find_file(const struct view *view, const char *path)
{
    size_t n;
    const struct cow_fs_file *files = cow_fs_files(view->scan, &n), *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].path, path) == 0) {
            must(found == NULL, "%s: twice", path);
            found = &files[i];
        }
    }
    return found;
}

/* ---- who owns what ---- */

struct cow_fs_owner owner_at(const struct view *view, uint64_t at)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_owner owner, fast;
    must_succeed(cow_fs_class_at(view->scan, at, &fast, &err), err);
    must_succeed(cow_fs_owner_at(view->scan, at, &owner, &err), err);
    must(fast.fs_class == owner.fs_class && fast.volume == owner.volume && fast.inode == owner.inode &&
             fast.first_byte == owner.first_byte && fast.length_bytes == owner.length_bytes &&
             fast.dirty == owner.dirty && fast.known == owner.known && fast.path == NULL,
         "%" PRIu64 ": two answers", at);
    return owner;
}

/* Bytes of [begin, end) that lie in sectors of the COW, by our own bits; whole sectors at the disk's end. */
static uint64_t dirty_bytes(const struct disk *disk, uint64_t begin, uint64_t end)
{
    const uint64_t ss = disk->sector_bytes;
    uint64_t sum = 0;
    for (uint64_t at = begin; at < end;) {
        const uint64_t sector_end = (at / ss + 1) * ss;
        const uint64_t stop = sector_end < end || end == disk->size_bytes ? sector_end : end;
        sum += disk->dirty[at / ss] != 0 ? stop - at : 0;
        at = stop;
    }
    return sum;
}

void check_tiles(const struct view *view, const struct disk *disk)
{
    uint64_t counted[COW_FS_CLASSES] = {0}, bytes[COW_FS_CLASSES], end = 0;
    struct rng rng = {1};
    for (uint64_t at = 0; at < disk->size_bytes; at = end) {
        const struct cow_fs_owner owner = owner_at(view, at);
        must(owner.first_byte == at && owner.length_bytes > 0 && owner.known,
             "%" PRIu64 ": from %" PRIu64 "+%" PRIu64, at, owner.first_byte, owner.length_bytes);
        end = at + owner.length_bytes;
        must(end <= disk->size_bytes, "%" PRIu64 ": up to %" PRIu64, at, end);
        must(owner.dirty == (disk->dirty[at / disk->sector_bytes] != 0), "%" PRIu64 ": dirty", at);
        must(!owner.has_file_offset || owner.inode != 0, "%" PRIu64 ": of no file", at);
        counted[owner.fs_class] += dirty_bytes(disk, at, end);
        const uint64_t within[] = {end - 1, at + rng_below(&rng, end - at)};
        for (unsigned i = 0; i < 2; i++) {
            const struct cow_fs_owner same = owner_at(view, within[i]);
            must(same.first_byte == within[i] && same.first_byte + same.length_bytes == end &&
                     same.fs_class == owner.fs_class && same.inode == owner.inode &&
                     same.volume == owner.volume,
                 "%" PRIu64 ": another owner than at %" PRIu64, within[i], at);
            must(!owner.has_file_offset || same.file_offset == owner.file_offset + (within[i] - at),
                 "%" PRIu64 ": another place in the file", within[i]);
        }
    }
    must(end == disk->size_bytes, "the end");
    static const uint64_t past[] = {0, 1, 511, 100000};
    for (unsigned i = 0; i < 4; i++) {
        must(owner_at(view, disk->size_bytes + past[i]).length_bytes == 0, "past the end");
    }
    must(owner_at(view, UINT64_MAX).length_bytes == 0, "at the end of numbers");
    cow_fs_classes(view->scan, COW_NO_VOLUME, bytes);
    for (unsigned c = 0; c < COW_FS_CLASSES; c++) {
        must(bytes[c] == counted[c], "%s: %" PRIu64 " bytes by the account, %" PRIu64 " by the tiles",
             cow_fs_class_name((enum cow_fs_class)c), bytes[c], counted[c]);
    }
}

void check_class(const struct view *view, uint64_t at, enum cow_fs_class wanted)
{
    const struct cow_fs_owner owner = owner_at(view, at);
    must(owner.fs_class == wanted, "%" PRIu64 ": %s, not %s", at, cow_fs_class_name(owner.fs_class),
         cow_fs_class_name(wanted));
}
