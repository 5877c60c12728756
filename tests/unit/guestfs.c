/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's filesystem, against filesystems that libext2fs made: content of files, kinds of changes, who
 * owns each byte, volumes that cannot be read, and what becomes of all that when reading fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/io.h"
#include "core/guestfs/reader.h"
#include "cow/fs.h"
#include "guestfs_disk.h"

/* What each loop runs over. */
static const struct variant {
    struct ext_spec ext;
    enum cow_format format;
    uint32_t sector_bytes;
    uint64_t lead_bytes; /* before the filesystem; not 0: an MBR, and one partition */
    uint64_t tail_bytes; /* behind it */
} variants[] = {
    {{1024, 3072, 1024, 128, true}, COW_FORMAT_V3, 512, 0, 0},
    {{4096, 1536, 512, 96, true}, COW_FORMAT_V3, 512, 0, 0},
    {{1024, 3072, 8192, 128, false}, COW_FORMAT_V2, 512, 0, UINT64_C(512) * 8},
    {{4096, 1536, 1536, 96, false}, COW_FORMAT_V3, 4096, 0, 4096},
    {{1024, 3072, 1024, 128, true}, COW_FORMAT_V3, 4096, UINT64_C(63) * 512, 777},
    {{4096, 1536, 512, 96, false}, COW_FORMAT_V1, 512, UINT64_C(63) * 512, 4096},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

static uint64_t ext_bytes(const struct variant *v)
{
    return (uint64_t)v->ext.blocks * v->ext.block_bytes;
}

/* A disk with a filesystem, before and after. */
static struct disk *make_disk(const struct variant *v, const char *before, const char *after)
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

/* An open disk. */
struct view {
    struct cow_image *img;
    struct cow_fs *fs;
    struct cow_fs_scan *scan;
    const struct cow_volume *volumes;
    size_t n_volumes;
};

static struct view view_open(const struct disk *disk, bool look_around)
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

static void view_close(struct view *view)
{
    cow_fs_scan_free(view->scan);
    cow_fs_close(view->fs);
    cow_image_close(view->img);
}

/* ---- content ---- */

static void check_read(struct cow_fs_reader *reader, const struct known *k, uint64_t offset, size_t n_bytes)
{
    static uint8_t buffer[1024 * 1024];
    struct cow_error err = {.status = 0};
    const uint64_t left = offset < k->size_bytes ? k->size_bytes - offset : 0;
    size_t n = n_bytes + 1;
    must(n_bytes < sizeof buffer, "the test itself");
    memset(buffer, 0x5a, n_bytes + 1);
    must_succeed(cow_fs_reader_read(reader, offset, buffer, n_bytes, &n, &err), err);
    must(n == (left < n_bytes ? left : n_bytes), "%s at %" PRIu64 ": %zu of %zu bytes", k->path, offset, n,
         n_bytes);
    must(n == 0 || memcmp(buffer, k->content + offset, n) == 0, "%s at %" PRIu64 "+%zu: other bytes", k->path,
         offset, n);
    must(buffer[n_bytes] == 0x5a, "%s: written behind the buffer", k->path);
}

static void check_next_data(struct cow_fs_reader *reader, const struct known *k, uint64_t block_bytes)
{
    const uint64_t step = k->size_bytes < 20 * block_bytes ? 1 : 509;
    for (uint64_t at = 0; at < k->size_bytes + 2; at += step) {
        uint64_t begin, end, block = at / block_bytes;
        while (block < k->blocks && !k->written[block]) {
            block++;
        }
        const uint64_t wanted = at >= k->size_bytes || block == k->blocks ? k->size_bytes
                                : block * block_bytes > at                ? block * block_bytes
                                                                          : at;
        reader_next_data(reader, at, &begin, &end);
        must(begin == wanted, "%s: data behind %" PRIu64 " at %" PRIu64 ", not %" PRIu64, k->path, at, begin,
             wanted);
        must(begin == k->size_bytes || (end > begin && end <= k->size_bytes), "%s: %" PRIu64 " to %" PRIu64,
             k->path, begin, end);
        for (uint64_t i = begin; i < end && begin < k->size_bytes; i = (i / block_bytes + 1) * block_bytes) {
            must(k->written[i / block_bytes], "%s: a hole at %" PRIu64 " is data", k->path, i);
        }
    }
}

static void check_content(struct cow_fs_reader *reader, const struct known *k, uint64_t block_bytes)
{
    const uint64_t far[] = {k->size_bytes, k->size_bytes + 1, k->size_bytes + block_bytes, UINT64_MAX - 3};
    must(cow_fs_reader_size(reader) == k->size_bytes, "%s: %" PRIu64 " bytes", k->path,
         cow_fs_reader_size(reader));
    for (uint64_t at = 0; at < k->size_bytes; at += 700 * 1024) {
        check_read(reader, k, at, 900 * 1024);
    }
    for (uint64_t block = 0; block <= k->blocks; block += block < 20 ? 1 : 97) {
        for (uint64_t shift = 0; shift < 3; shift++) {
            const uint64_t at = block * block_bytes + shift - (block > 0);
            check_read(reader, k, at, 0);
            check_read(reader, k, at, 1);
            check_read(reader, k, at, 2);
            check_read(reader, k, at, block_bytes);
            check_read(reader, k, at, 3 * block_bytes + 5);
        }
    }
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        check_read(reader, k, far[i], 0);
        check_read(reader, k, far[i], 1);
        check_read(reader, k, far[i], 5000);
    }
    check_next_data(reader, k, block_bytes);
}

START_TEST(content_of_files)
{
    const struct variant *v = &variants[_i];
    struct known known[KNOWN_MAX];
    struct cow_error err = {.status = 0};
    char *path = test_path("ext");
    ext2_filsys made = ext_make(path, &v->ext);
    const size_t n = known_make(known, made);
    ext_close(made);
    /* one side only is there, and what the other one has does not matter */
    struct disk *disk = make_disk(v, NULL, path);
    struct view view = view_open(disk, false);
    must(view.n_volumes == 1 && view.volumes[0].readable && !view.volumes[0].compared, "volumes");
    for (size_t i = 0; i < n; i++) {
        struct cow_fs_reader *reader;
        must_succeed(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, known[i].path, &err), err);
        check_content(reader, &known[i], v->ext.block_bytes);
        cow_fs_reader_close(reader);
        must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_BASE, known[i].path, &err), COW_USAGE,
                  err);
    }
    view_close(&view);
    disk_free(disk);
    known_free(known, n);
    free(path);
}
END_TEST

/* ---- links and what is no file ---- */

static void add_symlink(ext2_filsys fs, const char *name, const char *target)
{
    must_ext(ext2fs_symlink(fs, EXT2_ROOT_INO, 0, name, target));
}

static const char long_target[] = "/d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../plain";

static void add_links(ext2_filsys fs)
{
    ext_add_directory(fs, EXT2_ROOT_INO, "d");
    must_ext(ext2fs_symlink(fs, ext_find(fs, "/d"), 0, "up", "../plain"));
    add_symlink(fs, "short", "plain");
    add_symlink(fs, "long", long_target);
    add_symlink(fs, "over", "/d//./up");
    add_symlink(fs, "loop", "pool");
    add_symlink(fs, "pool", "/loop");
    add_symlink(fs, "dangling", "nothing");
    add_symlink(fs, "to-d", "d");
    ext_add(fs, EXT2_ROOT_INO, "null", LINUX_S_IFCHR | 0666, 0);
}

/* What a link holds: in its inode, or in a block of its own. */
static void check_target(const struct view *view, const char *path, const char *target)
{
    struct guest_volume *inner = &view->fs->inner[0];
    struct ext2_inode_large content = {.i_mode = 0};
    struct cow_fs_reader *reader;
    struct cow_error err = {.status = 0};
    char text[128] = "";
    size_t n = 0;
    ext2_ino_t inode;
    must_ext(ext2fs_lookup(inner->fs, EXT2_ROOT_INO, path, (int)strlen(path), NULL, &inode));
    must_ext(ext2fs_read_inode_full(inner->fs, inode, (struct ext2_inode *)(void *)&content, sizeof content));
    must_ext(reader_open_inode(&reader, &view->fs->source[0].guest, inner->fs, inode, &content));
    must(cow_fs_reader_size(reader) == strlen(target), "%s: %" PRIu64 " bytes", path,
         cow_fs_reader_size(reader));
    must((reader->inline_data != NULL) == (strlen(target) < 60), "%s: not where it should be", path);
    for (size_t at = 0; at <= strlen(target) + 70; at++) {
        const size_t left = at < strlen(target) ? strlen(target) - at : 0;
        must_succeed(cow_fs_reader_read(reader, at, text, sizeof text, &n, &err), err);
        must(n == left && (n == 0 || memcmp(text, target + at, n) == 0), "%s at %zu: %.*s", path, at, (int)n,
             text);
    }
    cow_fs_reader_close(reader);
}

START_TEST(links_are_followed)
{
    const struct variant *v = &variants[_i];
    static const char *const ways[] = {"/plain", "plain", "//d/./..//plain", "/short",
                                       "/long",  "/over", "/d/up",           "/to-d/up"};
    static const char *const nowhere[] = {"/loop", "/dangling", "/nothing", "/plain/x", "/d/plain/",
                                          "/d",    "/to-d",     "/",        "/short/x", "",
                                          "/null", "/d/up/..",  "/plain\n", "/.../x"};
    struct known known[KNOWN_MAX];
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader = NULL;
    char *path = test_path("ext"), *too_long = calloc(1, 10000);
    ext2_filsys made = ext_make(path, &v->ext);
    const size_t n = known_make(known, made);
    add_links(made);
    ext_close(made);
    struct disk *disk = make_disk(v, path, path);
    struct view view = view_open(disk, false);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        must_succeed(cow_fs_reader_open(&reader, view.fs, 0, (enum cow_version)(i % 2), ways[i], &err), err);
        check_content(reader, &known[1], v->ext.block_bytes);
        cow_fs_reader_close(reader);
    }
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        reader = NULL;
        int status = cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, nowhere[i], &err);
        must(status == COW_USAGE, "%s: %d: %s", nowhere[i], status, err.message);
        must_fail(status, COW_USAGE, err);
        must(reader == NULL, "%s: a reader", nowhere[i]);
    }
    memset(too_long, 'n', 9999);
    must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, too_long, &err), COW_USAGE, err);
    too_long[300] = '\0';
    must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, too_long, &err), COW_USAGE, err);
    must_fail(cow_fs_reader_open(&reader, view.fs, 1, COW_VERSION_GUEST, "/plain", &err), COW_USAGE, err);
    must_fail(cow_fs_reader_open(&reader, view.fs, COW_NO_VOLUME, COW_VERSION_GUEST, "/plain", &err),
              COW_USAGE, err);
    check_target(&view, "short", "plain");
    check_target(&view, "long", long_target);
    view_close(&view);
    disk_free(disk);
    known_free(known, n);
    free(too_long);
    free(path);
}
END_TEST

/* ---- runs of blocks ---- */

struct pieces {
    uint64_t content, unwritten, mapping, next, stop_after;
};

static errcode_t count_piece(void *context, const struct extent_piece *piece)
{
    struct pieces *p = context;
    if (p->stop_after > 0 && --p->stop_after == 0) {
        return EXT2_ET_CANCEL_REQUESTED + 1;
    }
    must(piece->count > 0, "an empty piece");
    if (piece->mapping) {
        p->mapping += piece->count;
        return 0;
    }
    must(piece->first >= p->next, "not in the order of the file");
    p->next = piece->first + piece->count;
    *(piece->unwritten ? &p->unwritten : &p->content) += piece->count;
    return 0;
}

START_TEST(runs_of_blocks)
{
    const struct variant *v = &variants[_i];
    struct known known[KNOWN_MAX];
    char *path = test_path("ext");
    ext2_filsys fs = ext_make(path, &v->ext);
    const size_t n = known_make(known, fs);
    for (size_t i = 0; i < n; i++) {
        struct ext2_inode_large content = {.i_mode = 0};
        struct ext2_inode *plain = (struct ext2_inode *)(void *)&content;
        struct pieces all = {.content = 0}, some = {.stop_after = 1};
        uint64_t written = 0, budget = 100000;
        must_ext(ext2fs_read_inode_full(fs, known[i].inode, plain, sizeof content));
        must_ext(extents_walk(fs, known[i].inode, &content, &budget, count_piece, &all));
        for (uint64_t block = 0; block < known[i].blocks; block++) {
            written += known[i].written[block];
        }
        must(all.content == written, "%s: %" PRIu64 " blocks of %" PRIu64, known[i].path, all.content,
             written);
        const uint64_t blocks = all.content + all.unwritten + all.mapping;
        must(blocks * v->ext.block_bytes == UINT64_C(512) * ext2fs_inode_i_blocks(fs, plain),
             "%s: %" PRIu64 " blocks of content, %" PRIu64 " unwritten, %" PRIu64 " for mapping",
             known[i].path, all.content, all.unwritten, all.mapping);
        must(known[i].fragments < 300 || all.mapping > 0, "%s: the test itself", known[i].path);
        const uint64_t spent = 100000 - budget;
        for (uint64_t least = 0; least < spent; least += spent < 20 ? 1 : 37) {
            struct pieces cut = {.content = 0};
            budget = least;
            must(extents_walk(fs, known[i].inode, &content, &budget, count_piece, &cut) ==
                         EXT2_ET_CANCEL_REQUESTED &&
                     budget == 0,
                 "%s: a budget of %" PRIu64 " suffices", known[i].path, least);
        }
        budget = spent;
        struct pieces again = {.content = 0};
        must_ext(extents_walk(fs, known[i].inode, &content, &budget, count_piece, &again));
        must(budget == 0 && again.content == written, "%s: what was spent does not suffice", known[i].path);
        budget = 100000;
        must(blocks == 0 || extents_walk(fs, known[i].inode, &content, &budget, count_piece, &some) ==
                                EXT2_ET_CANCEL_REQUESTED + 1,
             "%s: went on", known[i].path);
    }
    ext_close(fs);
    known_free(known, n);
    free(path);
}
END_TEST

/* ---- kinds ---- */

static const struct expected {
    const char *path, *from;
    enum cow_fs_kind kind;
    enum cow_fs_type type;
    bool content_differs;
} expected[] = {
    {"/", NULL, COW_FS_KIND_CONTENT, COW_FS_DIRECTORY_FILE, true},
    {"/content", NULL, COW_FS_KIND_CONTENT, COW_FS_REGULAR, true},
    {"/d", NULL, COW_FS_KIND_CONTENT, COW_FS_DIRECTORY_FILE, true},
    {"/d/moved", "/name", COW_FS_KIND_RENAMED, COW_FS_REGULAR, false},
    {"/d/moved-too", "/other", COW_FS_KIND_RENAMED, COW_FS_REGULAR, true},
    {"/empty", NULL, COW_FS_KIND_CONTENT, COW_FS_REGULAR, true},
    {"/gone", NULL, COW_FS_KIND_REMOVED, COW_FS_REGULAR, false},
    {"/hard", NULL, COW_FS_KIND_METADATA, COW_FS_REGULAR, false},
    {"/hard-2", NULL, COW_FS_KIND_NEW, COW_FS_REGULAR, false},
    {"/mode", NULL, COW_FS_KIND_METADATA, COW_FS_REGULAR, false},
    {"/new", NULL, COW_FS_KIND_NEW, COW_FS_REGULAR, false},
    {"/new-d", NULL, COW_FS_KIND_NEW, COW_FS_DIRECTORY_FILE, false},
    {"/over-b", "/over-a", COW_FS_KIND_REPLACED, COW_FS_REGULAR, false},
    {"/same", NULL, COW_FS_KIND_SAME, COW_FS_REGULAR, false},
    {"/shorter", NULL, COW_FS_KIND_CONTENT, COW_FS_REGULAR, true},
    {"/swap", NULL, COW_FS_KIND_REPLACED, COW_FS_REGULAR, false},
};
enum { EXPECTED = sizeof expected / sizeof expected[0] };

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

static void change(ext2_filsys fs)
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

/* The disk that most of what follows looks at. `known` are files that stay as they are, but "/empty". */
struct scene {
    struct disk *disk;
    struct known known[KNOWN_MAX];
    size_t n_known;
    char *before, *after;
    uint64_t same_at; /* a block of "/same", in the COW */
};

static struct scene make_scene(const struct variant *v)
{
    struct scene scene = {.before = test_path("before"), .after = test_path("after")};
    blk64_t block;
    ext2_filsys fs = ext_make(scene.before, &v->ext);
    scene.n_known = known_make(scene.known, fs);
    make_before(fs);
    must_ext(ext2fs_bmap2(fs, ext_find(fs, "/same"), NULL, NULL, 0, 1, NULL, &block));
    ext_close(fs);
    copy_file(scene.before, scene.after);
    fs = ext_open(scene.after);
    change(fs);
    ext_close(fs);
    scene.disk = make_disk(v, scene.before, scene.after);
    scene.same_at = v->lead_bytes + block * v->ext.block_bytes;
    disk_make_dirty(scene.disk, scene.same_at, 512);
    disk_write(scene.disk);
    return scene;
}

static void free_scene(struct scene *scene)
{
    disk_free(scene->disk);
    known_free(scene->known, scene->n_known);
    free(scene->before);
    free(scene->after);
}

static const struct cow_fs_file *find_file(const struct view *view, const char *path)
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

static bool is_expected(const char *path)
{
    for (size_t i = 0; i < EXPECTED; i++) {
        if (strcmp(expected[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* All pieces that are in the COW, by asking for one after the other. */
static uint64_t sum_of_pieces(const struct view *view, const struct disk *disk,
                              const struct cow_fs_file *file)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_owner piece;
    uint64_t sum = 0, at = 0;
    for (;;) {
        must_succeed(cow_fs_file_next(view->scan, file, at, &piece, &err), err);
        if (piece.length_bytes == 0) {
            return sum;
        }
        must(piece.first_byte >= at && piece.dirty && piece.inode == file->inode &&
                 cow_fs_class_of_file(piece.fs_class),
             "%s: a piece at %" PRIu64, file->path, piece.first_byte);
        sum += piece.length_bytes;
        at = piece.first_byte + piece.length_bytes;
        must(disk->dirty[piece.first_byte / disk->sector_bytes] && disk->dirty[(at - 1) / disk->sector_bytes],
             "%s: not in the COW at %" PRIu64, file->path, piece.first_byte);
    }
}

static void check_files(const struct view *view, const struct scene *scene)
{
    size_t n;
    uint64_t bytes[COW_FS_CLASSES], sum = 0, of_files = 0, listed = 0;
    const struct cow_fs_file *files = cow_fs_files(view->scan, &n);
    for (size_t i = 0; i < EXPECTED; i++) {
        const struct expected *e = &expected[i];
        const struct cow_fs_file *file = find_file(view, e->path);
        must(file != NULL, "%s is not listed", e->path);
        must(file->kind == e->kind, "%s: %s", e->path, cow_fs_kind_name(file->kind));
        must((file->from == NULL) == (e->from == NULL) &&
                 (file->from == NULL || strcmp(file->from, e->from) == 0),
             "%s: from %s", e->path, file->from == NULL ? "nowhere" : file->from);
        must(file->type == e->type && file->content_differs == e->content_differs, "%s: %s, differs %d",
             e->path, cow_fs_type_name(file->type), file->content_differs);
    }
    for (size_t i = 0; i < n; i++) { /* of the others, only something lies in a sector that is in the COW */
        must(is_expected(files[i].path) || (files[i].kind == COW_FS_KIND_SAME && files[i].changed_bytes > 0),
             "%s: %s", files[i].path, cow_fs_kind_name(files[i].kind));
        must(i == 0 || strcmp(files[i - 1].path, files[i].path) < 0, "%s: not in order", files[i].path);
        listed += files[i].changed_bytes;
        if (files[i].kind == COW_FS_KIND_REMOVED) {
            must(sum_of_pieces(view, scene->disk, &files[i]) == 0, "%s: has pieces", files[i].path);
        } else if (files[i].changed_bytes > 0) {
            const uint64_t pieces = sum_of_pieces(view, scene->disk, &files[i]);
            must(pieces == files[i].changed_bytes, "%s: %" PRIu64 " bytes in pieces, not %" PRIu64,
                 files[i].path, pieces, files[i].changed_bytes);
        }
    }
    cow_fs_classes(view->scan, COW_NO_VOLUME, bytes);
    for (unsigned c = 0; c < COW_FS_CLASSES; c++) {
        sum += bytes[c];
        of_files += cow_fs_class_of_file((enum cow_fs_class)c) ? bytes[c] : 0;
    }
    must(sum == scene->disk->dirty_sectors * scene->disk->sector_bytes, "%" PRIu64 " bytes in all classes",
         sum);
    must(listed == of_files, "%" PRIu64 " bytes in files, %" PRIu64 " in their classes", listed, of_files);
    must(cow_fs_scan_damage(view->scan)[0] == '\0', "damage: %s", cow_fs_scan_damage(view->scan));
}

/* From each place on, against the bytes. */
static void check_next_differences(struct cow_fs_reader *reader[2], const char *path)
{
    uint8_t bytes[2][4 * 4096 + 64];
    struct cow_error err = {.status = 0};
    size_t n[2];
    for (unsigned side = 0; side < 2; side++) {
        must_succeed(cow_fs_reader_read(reader[side], 0, bytes[side], sizeof bytes[side], &n[side], &err),
                     err);
        if (n[side] == sizeof bytes[side]) {
            return; /* longer than what is looked at here */
        }
    }
    const size_t both = n[0] < n[1] ? n[0] : n[1];
    for (size_t from = 0; from <= both + 1; from += from < 64 ? 1 : 61) {
        uint64_t at = UINT64_MAX;
        size_t want = from;
        while (want < both && bytes[0][want] == bytes[1][want]) {
            want++;
        }
        want = want < both ? want : both;
        must_succeed(cow_fs_next_difference(reader[0], reader[1], from, NULL, &at, &err), err);
        must(at == want, "%s: from %zu on the next difference is at %" PRIu64 ", not %zu", path, from, at,
             want);
    }
}

static void check_compare(const struct view *view, const char *path, const char *old, bool equal,
                          uint64_t first)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader[2];
    for (unsigned turn = 0; turn < 2; turn++) {
        bool is_equal = !equal;
        uint64_t found = UINT64_MAX;
        must_succeed(cow_fs_reader_open(&reader[0], view->fs, 0, COW_VERSION_GUEST, path, &err), err);
        must_succeed(cow_fs_reader_open(&reader[1], view->fs, 0, COW_VERSION_BASE, old, &err), err);
        must_succeed(cow_fs_compare(reader[turn], reader[1 - turn], &is_equal, &found, &err), err);
        must(is_equal == equal && found == first, "%s: %d, first %" PRIu64, path, is_equal, found);
        check_next_differences(reader, path);
        cow_fs_reader_close(reader[0]);
        cow_fs_reader_close(reader[1]);
    }
}

START_TEST(kinds_of_changes)
{
    struct scene scene = make_scene(&variants[_i]);
    const struct witness image = witness_of(scene.disk->cow_path);
    const uint64_t whole = 3 * 4096 + 5;
    const unsigned files = open_files();
    for (int look_around = 0; look_around < 2; look_around++) {
        struct view view = view_open(scene.disk, look_around != 0);
        must(view.n_volumes == 1 && view.volumes[0].readable && view.volumes[0].compared, "volumes");
        must(view.volumes[0].clean && view.volumes[0].block_bytes == variants[_i].ext.block_bytes, "facts");
        check_files(&view, &scene);
        check_compare(&view, "/content", "/content", false, 4099);
        check_compare(&view, "/same", "/same", true, whole);
        check_compare(&view, "/d/moved", "/name", true, whole);
        check_compare(&view, "/d/moved-too", "/other", false, 17);
        check_compare(&view, "/shorter", "/shorter", false, 4097);
        check_compare(&view, "/empty", "/empty", false, 0);
        check_compare(&view, "/new", "/gone", false, 0);
        for (size_t i = 0; i < scene.n_known; i++) {
            const struct known *k = &scene.known[i];
            if (k->size_bytes > 0) {
                check_compare(&view, k->path, k->path, true, k->size_bytes);
            }
        }
        view_close(&view);
        must(open_files() == files, "a file was left open");
    }
    witness_check(&image, "looking into it");
    free_scene(&scene);
}
END_TEST

/* The same disk on both sides, wholly in the COW: everything is there, and nothing differs. */
START_TEST(nothing_has_changed)
{
    const struct variant *v = &variants[_i];
    struct scene scene = make_scene(v);
    size_t n;
    memcpy(scene.disk->after, scene.disk->before, scene.disk->size_bytes);
    disk_make_dirty(scene.disk, 0, scene.disk->geometry.mapped * scene.disk->sector_bytes);
    disk_write(scene.disk);
    struct view view = view_open(scene.disk, false);
    const struct cow_fs_file *files = cow_fs_files(view.scan, &n);
    must(n > EXPECTED - 6, "%zu files", n);
    for (size_t i = 0; i < n; i++) {
        must(files[i].kind == COW_FS_KIND_SAME && !files[i].content_differs, "%s: %s", files[i].path,
             cow_fs_kind_name(files[i].kind));
    }
    view_close(&view);
    free_scene(&scene);
}
END_TEST

/* ---- who owns what ---- */

static struct cow_fs_owner ask(const struct view *view, uint64_t at)
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
        sum += disk->dirty[at / ss] ? stop - at : 0;
        at = stop;
    }
    return sum;
}

/* The pieces lie side by side from the beginning to the end; a place within one has the same owner. */
static void check_tiles(const struct view *view, const struct disk *disk)
{
    uint64_t counted[COW_FS_CLASSES] = {0}, bytes[COW_FS_CLASSES], end = 0;
    struct rng rng = {1};
    for (uint64_t at = 0; at < disk->size_bytes; at = end) {
        const struct cow_fs_owner owner = ask(view, at);
        must(owner.first_byte == at && owner.length_bytes > 0 && owner.known,
             "%" PRIu64 ": from %" PRIu64 "+%" PRIu64, at, owner.first_byte, owner.length_bytes);
        end = at + owner.length_bytes;
        must(end <= disk->size_bytes, "%" PRIu64 ": up to %" PRIu64, at, end);
        must(owner.dirty == (disk->dirty[at / disk->sector_bytes] != 0), "%" PRIu64 ": dirty", at);
        must(!owner.has_file_offset || owner.inode != 0, "%" PRIu64 ": of no file", at);
        counted[owner.fs_class] += dirty_bytes(disk, at, end);
        const uint64_t within[] = {end - 1, at + rng_below(&rng, end - at)};
        for (unsigned i = 0; i < 2; i++) {
            const struct cow_fs_owner same = ask(view, within[i]);
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
        must(ask(view, disk->size_bytes + past[i]).length_bytes == 0, "past the end");
    }
    must(ask(view, UINT64_MAX).length_bytes == 0, "at the end of numbers");
    cow_fs_classes(view->scan, COW_NO_VOLUME, bytes);
    for (unsigned c = 0; c < COW_FS_CLASSES; c++) {
        must(bytes[c] == counted[c], "%s: %" PRIu64 " bytes by the account, %" PRIu64 " by the tiles",
             cow_fs_class_name((enum cow_fs_class)c), bytes[c], counted[c]);
    }
}

static void check_class(const struct view *view, uint64_t at, enum cow_fs_class wanted)
{
    const struct cow_fs_owner owner = ask(view, at);
    must(owner.fs_class == wanted, "%" PRIu64 ": %s, not %s", at, cow_fs_class_name(owner.fs_class),
         cow_fs_class_name(wanted));
}

/* Each block of the filesystem, as libext2fs sees it in the file that it made. */
static void check_blocks(const struct view *view, const struct variant *v, ext2_filsys fs)
{
    const uint64_t bytes = v->ext.block_bytes;
    for (blk64_t block = v->ext.block_bytes == 1024 ? 1 : 0; block < v->ext.blocks; block++) {
        const uint64_t at = v->lead_bytes + block * bytes + (block == 0 ? 1024 : 0);
        const struct cow_fs_owner owner = ask(view, at);
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
static void check_file_blocks(const struct view *view, const struct variant *v, ext2_filsys fs,
                              const struct known *k)
{
    const uint64_t bytes = v->ext.block_bytes;
    for (uint64_t i = 0; i < k->blocks + 4; i++) {
        blk64_t block = 0;
        must_ext(ext2fs_bmap2(fs, k->inode, NULL, NULL, 0, i, NULL, &block));
        if (block != 0) {
            const struct cow_fs_owner owner = ask(view, v->lead_bytes + block * bytes);
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
    const struct variant *v = &variants[_i];
    struct scene scene = make_scene(v);
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
        must(ask(&view, 600).volume == COW_NO_VOLUME && ask(&view, v->lead_bytes).volume == 0, "volume");
    }
    if (v->tail_bytes > 0) {
        check_class(&view, behind, COW_FS_OUTSIDE);
        check_class(&view, scene.disk->size_bytes - 1, COW_FS_OUTSIDE);
    }
    view_close(&view);
    free_scene(&scene);
}
END_TEST

/* Without looking around, what is in the COW is known as well, and so is the byte that was asked for. */
START_TEST(what_was_asked_for_is_known)
{
    struct scene scene = make_scene(&variants[_i]);
    struct view all = view_open(scene.disk, true), view = view_open(scene.disk, false);
    struct cow_error err = {.status = 0};
    struct cow_fs_owner owner;
    unsigned unknown = 0;
    for (uint64_t at = 0; at < scene.disk->size_bytes; at += 512) {
        const struct cow_fs_owner wanted = ask(&all, at);
        owner = ask(&view, at);
        unknown += !owner.known;
        must(!owner.known || (owner.fs_class == wanted.fs_class && owner.inode == wanted.inode),
             "%" PRIu64 ": %s, not %s", at, cow_fs_class_name(owner.fs_class),
             cow_fs_class_name(wanted.fs_class));
        must(owner.known || !owner.dirty, "%" PRIu64 " is in the COW, and not known", at);
    }
    must(unknown > 0, "the test itself");
    for (uint64_t at = 0; at < scene.disk->size_bytes; at += 67 * 512 + 13) {
        const struct cow_fs_scan_options opt = {.keep = true, .keep_offset = at};
        const struct cow_fs_owner wanted = ask(&all, at);
        cow_fs_scan_free(view.scan);
        must_succeed(cow_fs_scan(&view.scan, view.fs, &opt, &err), err);
        owner = ask(&view, at);
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
    free_scene(&scene);
}
END_TEST

/* ---- volumes ---- */

static const struct broken {
    const char *what;
    unsigned offset, width; /* in the superblock */
    uint64_t value;
    bool says; /* problem has words; else it is no ext filesystem any more */
} broken[] = {
    {"more blocks than the disk has", 0x04, 4, 3073, true},
    {"far more blocks", 0x04, 4, UINT32_MAX, true},
    {"no blocks", 0x04, 4, 0, true},
    {"one block", 0x04, 4, 1, true},
    {"too many inodes", 0x00, 4, 129, true},
    {"too few inodes", 0x00, 4, 127, true},
    {"no inodes", 0x00, 4, 0, true},
    {"the first block", 0x14, 4, 0, true},
    {"a first block behind the end", 0x14, 4, 5000, true},
    {"larger blocks", 0x18, 4, 2, true},
    {"blocks that are too large", 0x18, 4, 7, true},
    {"blocks beyond all measure", 0x18, 4, UINT32_MAX, true},
    {"no blocks in a group", 0x20, 4, 0, true},
    {"one block in a group", 0x20, 4, 1, true},
    {"no inodes in a group", 0x28, 4, 0, true},
    {"too many inodes in a group", 0x28, 4, UINT32_MAX, true},
    {"a feature that nobody knows", 0x60, 4, 0x80000042, true},
    {"no magic", 0x38, 2, 0xef52, false},
};
enum { BROKEN = sizeof broken / sizeof broken[0] };

static void check_unreadable(const struct view *view, const struct disk *disk, const struct broken *b)
{
    const struct cow_volume *volume = &view->volumes[0];
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader = NULL;
    char text[COW_MESSAGE_BYTES];
    int chosen = -7;
    size_t n;
    must(view->n_volumes == 1 && !volume->readable && !volume->compared, "%s: readable", b->what);
    must((volume->problem[0] != '\0') == b->says, "%s: problem \"%s\"", b->what, volume->problem);
    must(is_terminal_safe(volume->problem) && is_terminal_safe(cow_volume_text(text, sizeof text, volume)),
         "%s: text", b->what);
    must(!b->says || strstr(text, volume->problem) != NULL, "%s: %s", b->what, text);
    must_fail(cow_fs_choose_volume(view->fs, -1, &chosen, &err), COW_USAGE, err);
    must(!b->says || strstr(err.message, volume->problem) != NULL, "%s: %s", b->what, err.message);
    must_fail(cow_fs_choose_volume(view->fs, 0, &chosen, &err), COW_USAGE, err);
    must(chosen == -7, "%s: chosen", b->what);
    must_fail(cow_fs_reader_open(&reader, view->fs, 0, COW_VERSION_GUEST, "/plain", &err), COW_USAGE, err);
    cow_fs_files(view->scan, &n);
    must(n == 0, "%s: %zu files", b->what, n);
    check_class(view, 0, COW_FS_OTHER);
    check_class(view, disk->size_bytes - 1, COW_FS_OTHER);
    check_tiles(view, disk);
}

START_TEST(a_superblock_that_lies)
{
    const struct variant *v = &variants[0];
    struct scene scene = make_scene(v);
    uint8_t *before = malloc(scene.disk->size_bytes), *after = malloc(scene.disk->size_bytes);
    memcpy(before, scene.disk->before, scene.disk->size_bytes);
    memcpy(after, scene.disk->after, scene.disk->size_bytes);
    for (size_t i = 0; i < BROKEN; i++) {
        const struct broken *b = &broken[i];
        memcpy(scene.disk->before, before, scene.disk->size_bytes);
        put_number(scene.disk->after + 1024 + b->offset, b->width, false, b->value);
        disk_write(scene.disk);
        struct view view = view_open(scene.disk, true);
        check_unreadable(&view, scene.disk, b);
        view_close(&view);
        /* only the backing file's: then all is new */
        memcpy(scene.disk->after, after, scene.disk->size_bytes);
        put_number(scene.disk->before + 1024 + b->offset, b->width, false, b->value);
        disk_write(scene.disk);
        view = view_open(scene.disk, true);
        must(view.volumes[0].readable && !view.volumes[0].compared, "%s: compared", b->what);
        const struct cow_fs_file *file = find_file(&view, "/new");
        must(file != NULL && file->kind == COW_FS_KIND_NEW, "%s: /new", b->what);
        check_tiles(&view, scene.disk);
        view_close(&view);
    }
    free(before);
    free(after);
    free_scene(&scene);
}
END_TEST

/* An MBR with two of them. */
START_TEST(two_partitions)
{
    const struct variant *v = &variants[0];
    const uint64_t size = ext_bytes(v), first = 2048 * 512, second = first + size + 512;
    struct scene scene = make_scene(v);
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader;
    int volume = -7;
    size_t n;
    char *disk_path = scene.disk->cow_path;
    struct disk *disk = disk_new(COW_FORMAT_V3, 512, second + size + 4096);
    must(strcmp(disk->cow_path, disk_path) == 0, "the test itself");
    disk_put_partition(disk, 0, 0x83, second, size); /* not in the order of the disk */
    disk_put_partition(disk, 2, 0x83, first, size);
    disk_put(disk, first, scene.before, scene.before);
    disk_put(disk, second, scene.before, scene.after);
    disk_write(disk);
    scene.disk->backing = disk->backing;
    struct view view = view_open(disk, true);
    must(view.n_volumes == 2 && strcmp(cow_fs_table(view.fs), "dos") == 0, "%zu volumes, %s", view.n_volumes,
         cow_fs_table(view.fs));
    const struct cow_volume *volumes = view.volumes;
    must(volumes[0].partition == 3 && volumes[0].first_byte == first && volumes[0].size_bytes == size,
         "the first");
    must(volumes[1].partition == 1 && volumes[1].first_byte == second && volumes[1].size_bytes == size,
         "the second");
    must(volumes[0].readable && volumes[1].readable && volumes[0].compared && volumes[1].compared, "both");
    must_fail(cow_fs_choose_volume(view.fs, -1, &volume, &err), COW_USAGE, err);
    must(strstr(err.hint, "--partition") != NULL, "hint: %s", err.hint);
    must_fail(cow_fs_choose_volume(view.fs, 2, &volume, &err), COW_USAGE, err);
    must_succeed(cow_fs_choose_volume(view.fs, 1, &volume, &err), err);
    must(volume == 1, "chosen: %d", volume);
    must_succeed(cow_fs_choose_volume(view.fs, 3, &volume, &err), err);
    must(volume == 0, "chosen: %d", volume);
    must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, "/new", &err), COW_USAGE, err);
    must_succeed(cow_fs_reader_open(&reader, view.fs, 1, COW_VERSION_GUEST, "/new", &err), err);
    cow_fs_reader_close(reader);
    const struct cow_fs_file *files = cow_fs_files(view.scan, &n);
    for (size_t i = 0; i < n; i++) {
        must(files[i].volume == 1, "%s lies in the first", files[i].path);
    }
    must(n >= EXPECTED - 1, "%zu files", n);
    check_class(&view, 0, COW_FS_TABLE);
    check_class(&view, first - 1, COW_FS_OUTSIDE);
    check_class(&view, first + size, COW_FS_OUTSIDE);
    check_class(&view, second + size, COW_FS_OUTSIDE);
    check_tiles(&view, disk);
    view_close(&view);
    disk_free(disk);
    free_scene(&scene);
}
END_TEST

/* ---- when reading fails ---- */

struct failing {
    struct cow_io io;
    uint64_t calls, at;
    bool for_ever;
};

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct failing *f = context;
    f->calls++;
    return f->at != 0 && (f->for_ever ? f->calls >= f->at : f->calls == f->at)
               ? -EIO
               : io_system.pread(io_system.context, fd, buffer, n_bytes, offset);
}

static void tell_content(FILE *out, struct cow_fs *fs, const char *path, int *status, struct cow_error *err)
{
    uint8_t bytes[5000];
    struct cow_fs_reader *reader = NULL;
    *status = cow_fs_reader_open(&reader, fs, 0, COW_VERSION_GUEST, path, err);
    uint64_t sum = 0;
    size_t n = *status == 0 ? 1 : 0;
    for (uint64_t at = 0; *status == 0 && n > 0; at += n) {
        *status = cow_fs_reader_read(reader, at, bytes, sizeof bytes, &n, err);
        for (size_t i = 0; *status == 0 && i < n; i++) {
            sum = sum * 31 + bytes[i];
        }
    }
    fprintf(out, "%s %" PRIx64 "\n", path, sum);
    cow_fs_reader_close(reader);
}

/* All that can be told of a disk, as text. */
static void tell_answers(FILE *out, struct cow_fs *fs, struct cow_fs_scan *scan)
{
    size_t n;
    char text[COW_MESSAGE_BYTES];
    uint64_t bytes[COW_FS_CLASSES];
    const struct cow_volume *volumes = cow_fs_volumes(fs, &n);
    fprintf(out, "%s\n", cow_fs_table(fs));
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s, compared %d\n", cow_volume_text(text, sizeof text, &volumes[i]),
                volumes[i].compared);
    }
    const struct cow_fs_file *files = cow_fs_files(scan, &n);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s %s from %s %" PRIu64 " %" PRIu64 "\n", cow_fs_kind_name(files[i].kind),
                files[i].path, files[i].from != NULL ? files[i].from : "", files[i].size_bytes,
                files[i].changed_bytes);
    }
    cow_fs_classes(scan, COW_NO_VOLUME, bytes);
    for (unsigned c = 0; c < COW_FS_CLASSES; c++) {
        fprintf(out, "%" PRIu64 " ", bytes[c]);
    }
    fprintf(out, "\ndamage: %s\n", cow_fs_scan_damage(scan));
}

/* Opens, scans and reads. *answer is freed with free(); what was answered until something failed. */
static int look(const struct disk *disk, struct failing *f, const struct cow_env *env, char **answer,
                struct cow_error *err)
{
    struct view view = {.img = NULL};
    const struct cow_fs_scan_options opt = {.look_around = disk->sector_bytes > 512, .env = env};
    const struct cow_open_options open = {.io = &f->io};
    const uint64_t at = f->at;
    size_t n;
    FILE *out = open_memstream(answer, &n);
    must(out != NULL, "out of memory");
    f->at = 0; /* opening the image is another suite's */
    must_succeed(cow_image_open(&view.img, disk->cow_path, &open, err), *err);
    f->calls = 0;
    f->at = at;
    int status = cow_fs_open(&view.fs, view.img, err);
    if (status == 0) {
        status = cow_fs_scan(&view.scan, view.fs, &opt, err);
    }
    if (status == 0) {
        tell_answers(out, view.fs, view.scan);
        tell_content(out, view.fs, "/unwritten", &status, err);
    }
    fclose(out);
    view_close(&view);
    return status;
}

static void failing_init(struct failing *f, uint64_t at, bool for_ever)
{
    *f = (struct failing){.io = io_system, .at = at, .for_ever = for_ever};
    f->io.pread = failing_pread;
    f->io.context = f;
}

static const unsigned failing_variants[] = {0, 4}; /* the whole disk, and a partition */
enum { FAILING = sizeof failing_variants / sizeof failing_variants[0] };

START_TEST(each_read_fails)
{
    struct scene scene = make_scene(&variants[failing_variants[_i]]);
    struct cow_error err = {.status = 0};
    struct failing f;
    char *wanted, *answer;
    const unsigned files = open_files();
    failing_init(&f, 0, false);
    must_succeed(look(scene.disk, &f, NULL, &wanted, &err), err);
    const uint64_t calls = f.calls;
    must(calls > 20 && strstr(wanted, "damage: \n") != NULL, "the test itself: %" PRIu64 " calls", calls);
    for (uint64_t at = 1; at <= calls; at++) {
        for (int for_ever = 0; for_ever < (at % 4 == 0 ? 2 : 1); for_ever++) {
            failing_init(&f, at, for_ever != 0);
            err = (struct cow_error){.status = 0};
            int status = look(scene.disk, &f, NULL, &answer, &err);
            must(f.calls >= at, "%" PRIu64 ": was not struck", at);
            if (status != 0) {
                must_fail(status, COW_IO, err);
            } else { /* it could do without */
                must(strcmp(answer, wanted) == 0, "read %" PRIu64 " fails:\n%s\ninstead of\n%s", at, answer,
                     wanted);
            }
            free(answer);
            must(open_files() == files, "%" PRIu64 ": a file was left open", at);
        }
    }
    free(wanted);
    free_scene(&scene);
}
END_TEST

struct stop {
    uint64_t calls, at;
    uint64_t done;
};

static bool ask_to_stop(void *context, const struct cow_progress *progress)
{
    struct stop *stop = context;
    must(progress->phase != NULL && progress->total_bytes > 0 && progress->can_cancel &&
             progress->done_bytes <= progress->total_bytes && progress->done_bytes >= stop->done,
         "progress %" PRIu64 " of %" PRIu64, progress->done_bytes, progress->total_bytes);
    stop->done = progress->done_bytes;
    return ++stop->calls == stop->at;
}

START_TEST(a_stop_at_each_call)
{
    struct scene scene = make_scene(&variants[failing_variants[_i]]);
    struct cow_error err = {.status = 0};
    struct failing f;
    char *wanted, *answer;
    struct stop stop = {.at = 0};
    const struct cow_env env = {.progress = ask_to_stop, .context = &stop};
    failing_init(&f, 0, false);
    must_succeed(look(scene.disk, &f, &env, &wanted, &err), err);
    const uint64_t calls = stop.calls;
    must(calls > 3, "only %" PRIu64 " calls", calls);
    for (uint64_t at = 1; at <= calls + 1; at++) {
        stop = (struct stop){.at = at};
        failing_init(&f, 0, false);
        int status = look(scene.disk, &f, &env, &answer, &err);
        if (at <= calls) {
            must_fail(status, COW_CANCELLED, err);
            must(stop.calls == at, "call %" PRIu64 ": went on", at);
        } else {
            must(status == 0 && strcmp(answer, wanted) == 0, "it was not asked to stop");
        }
        free(answer);
    }
    free(wanted);
    free_scene(&scene);
}
END_TEST

Suite *guestfs_suite(void)
{
    Suite *suite = suite_create("guestfs");
    TCase *tc = tcase_create("guestfs");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, content_of_files, 0, VARIANTS);
    tcase_add_loop_test(tc, links_are_followed, 0, VARIANTS);
    tcase_add_loop_test(tc, runs_of_blocks, 0, VARIANTS);
    tcase_add_loop_test(tc, kinds_of_changes, 0, VARIANTS);
    tcase_add_loop_test(tc, nothing_has_changed, 0, VARIANTS);
    tcase_add_loop_test(tc, each_byte_has_one_owner, 0, VARIANTS);
    tcase_add_loop_test(tc, what_was_asked_for_is_known, 0, VARIANTS);
    tcase_add_test(tc, a_superblock_that_lies);
    tcase_add_test(tc, two_partitions);
    tcase_add_loop_test(tc, each_read_fails, 0, FAILING);
    tcase_add_loop_test(tc, a_stop_at_each_call, 0, FAILING);
    suite_add_tcase(suite, tc);
    return suite;
}
